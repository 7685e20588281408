"""The endpoint of the byte protocol in Python: follows the gateware rule by rule.

It drives a *port*: any object with

``write(addresses, data)``, ``read(addresses)``
    Words in order; arrays.
``image()``
    Run one image whose inputs are loaded: write `commit`, come back when it is done.
``stop()``
    Reset the engine.
"""

from __future__ import annotations

import numpy as np

from ...hw.interface.isa import REGISTERS
from ...hw.interface.protocol import (
    CRC_BYTES,
    ESCAPE,
    FLAG,
    HEADER,
    PROTOCOL_VERSION,
    RESULTS,
    SEQUENCE_BITS,
    TURN,
    Operation,
    Part,
    Status,
    next_addresses,
)
from .frames import Answer, answer, checksum, pack, plain, unpack

_LOW = (1 << SEQUENCE_BITS) - 1


class SoftwareEndpoint:
    """Endpoint over a port.

    Parameters
    ----------
    port : object
    lanes : int
    unpacker : SoftwareUnpacker, optional
        Between it and the port (:mod:`apical.boards.host.packing`).

    Attributes
    ----------
    refused : int
        Frames refused, modulo 256.
    statuses : list of Status
        Status of each complete frame, in order.
    """

    def __init__(self, port, lanes: int, unpacker=None):
        self.port, self.lanes, self.unpacker = port, lanes, unpacker
        self.refused, self.statuses = 0, []
        self._last, self._content, self._escaped, self._opened = 0, None, False, False

    def feed(self, data: bytes) -> bytes:
        """Take bytes of the host; returns the answers to the requests that they complete."""
        whole = self._whole(data)
        if whole is not None:
            return self._judge(whole)
        return b"".join([self._byte(code) for code in data])

    def next_tag(self) -> int:
        """The tag that the next request must have."""
        return self._last & ~_LOW | self._last + 1 & _LOW

    def _whole(self, data):
        """Content of the one frame that the bytes are: the usual case, handled fast."""
        if self._content or data[:1] != bytes([FLAG]) or data.find(FLAG, 1) >= 0 \
                or data[-1] == ESCAPE:
            return None
        content = plain(data[1:])
        if len(content) < HEADER + CRC_BYTES or len(content) != self._length(content):
            return None
        self._content = None
        return content

    @staticmethod
    def _length(content):
        """Bytes of a frame that begins so."""
        return HEADER + CRC_BYTES + (content[2] + 1 if content[1] & Part.WRITE else 0)

    def _byte(self, code):
        if code == FLAG:
            if self._content:
                self.refused = self.refused + 1 & 0xFF
            self._content, self._escaped = bytearray(), False
            return b""
        if code == ESCAPE:
            self._escaped = True
            return b""
        if self._escaped:
            code ^= TURN
        self._escaped = False
        if self._content is None:
            return b""
        self._content.append(code)
        if len(self._content) < HEADER or len(self._content) < self._length(self._content):
            return b""
        content, self._content = bytes(self._content), None
        return self._judge(content)

    def _judge(self, content):
        body, crc = content[:-CRC_BYTES], content[-CRC_BYTES:]
        tag, part, limit = body[:3]
        size = 4 if part & Part.WIDE else 2
        opens = bool(part & Part.OPEN)
        again = tag == self._last and not opens
        if checksum(body) != crc:
            status = Status.CRC
        elif part not in list(Operation):
            status = Status.OPERATION
        elif part & (Part.READ | Part.WRITE) and (limit + 1) % size:
            status = Status.LENGTH
        elif again:
            status = Status.AGAIN if self._opened else Status.ABORTED
        elif opens or tag == self.next_tag():
            status = Status.DONE
        else:
            status = Status.SEQUENCE
        self.statuses.append(status)
        data = b""
        if status in (Status.DONE, Status.AGAIN):
            if status == Status.DONE:
                self._last, self._opened = tag, True
            data = self._carry_out(body, part, limit, size, status == Status.DONE)
        else:
            self.refused = self.refused + 1 & 0xFF
        return answer(Answer(tag, PROTOCOL_VERSION, status, self.refused, data))

    def _carry_out(self, body, part, limit, size, first_time):
        address = int.from_bytes(body[3:6], "little")
        if first_time and part & Part.STOP:
            self.port.stop()
            if self.unpacker is not None:
                self.unpacker.reset()
        if first_time and part & Part.WRITE:
            words = unpack(body[6:], size)
            # Words of 16 bits leave the upper half 0.
            self._write(self._places(address, len(words)),
                        words & 0xFFFF if size == 2 else words)
            if part & Part.RUN:
                if self.unpacker is not None and (last := self.unpacker.commit()):
                    self.port.write(*np.transpose(last))
                self.port.image()
        if part & Part.RUN:
            return pack(self.port.read(np.array([REGISTERS[name].address for name in RESULTS])), 4)
        if part & Part.READ:
            words = self.port.read(self._places(address, (limit + 1) // size))
            return pack(words, size)
        return b""

    def _write(self, places, words):
        if self.unpacker is not None:
            places, words = self.unpacker.writes(places, words)
        if len(places):
            self.port.write(places, words)

    def _places(self, address, count):
        places = np.empty(count, np.int64)
        for i in range(count):
            places[i] = address
            address = next_addresses(address, self.lanes)
        return places
