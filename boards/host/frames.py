"""Frames of the byte protocol as bytes (``docs/protocol.md``): encoding, decoding, bursts."""

from __future__ import annotations

import binascii
from dataclasses import dataclass

import numpy as np

from ...hw.interface.isa import SPACE_LOW
from ...hw.interface.protocol import (
    ANSWER_HEADER,
    CRC,
    CRC_BYTES,
    ESCAPE,
    FLAG,
    HEADER,
    LANE_SPACES,
    PAYLOAD,
    PROTOCOL_VERSION,
    TURN,
    Part,
    Status,
    next_addresses,
)

# The CRC that crc_hqx computes; other parameters would need another function.
assert [CRC[name] for name in ("crc_width", "polynomial", "reflect_input", "reflect_output",
                               "xor_output")] == [16, 0x1021, False, False, 0]

_PAIRS = [(bytes([code]), bytes([ESCAPE, code ^ TURN])) for code in (ESCAPE, FLAG)]


def checksum(data: bytes) -> bytes:
    """CRC of the bytes of a frame."""
    return binascii.crc_hqx(data, CRC["initial_crc"]).to_bytes(CRC_BYTES, "big")


def frame(content: bytes) -> bytes:
    """Content of a frame, without its CRC, as it goes over the line."""
    content += checksum(content)
    for code, pair in _PAIRS:
        content = content.replace(code, pair)
    return bytes([FLAG]) + content


def plain(escaped: bytes) -> bytes:
    """Bytes without their escapes; the end may still be missing."""
    first, *rest = escaped.split(bytes([ESCAPE]))
    return first + b"".join(bytes([part[0] ^ TURN]) + part[1:] for part in rest if part)


def request(tag: int, operation: int, address=0, payload=b"", length=1) -> bytes:
    """A request as it goes over the line.

    Parameters
    ----------
    tag : int
        Session and sequence number.
    operation : Operation
    address : int
    payload : bytes
        Words, low byte first; nothing for a read.
    length : int
        Bytes to read, where there is no payload.
    """
    length = len(payload) if operation & Part.WRITE else length
    head = bytes([tag, operation, length - 1 & 0xFF, *address.to_bytes(3, "little")])
    return frame(head + payload)


@dataclass(frozen=True)
class Answer:
    """An answer of a board.

    Attributes
    ----------
    tag : int
        That of the request, as it came.
    version : int
        Protocol version of the board.
    status : Status
    refused : int
        Frames refused since reset, modulo 256.
    data : bytes
    """

    tag: int
    version: int
    status: Status
    refused: int
    data: bytes = b""


def answer(found: Answer) -> bytes:
    """An answer as it goes over the line."""
    return frame(bytes([found.tag, found.version << 4 | found.status, found.refused]) + found.data)


class AnswerReader:
    """Finds answers in the bytes that a board sends."""

    def __init__(self):
        self._bytes = b""
        #: Frames with a wrong CRC, and frames cut short.
        self.damaged = 0

    def feed(self, data: bytes):
        """Take bytes that came."""
        self._bytes += data

    def clear(self):
        """Forget what came."""
        self._bytes = b""

    def take(self, length: int) -> Answer | None:
        """The next whole answer; None until it is there.

        Parameters
        ----------
        length : int
            Bytes of data in an answer that has data: those requested.
        """
        while True:
            begin = self._bytes.find(FLAG)
            if begin < 0:
                self._bytes = b""
                return None
            end = self._bytes.find(FLAG, begin + 1)
            part = self._bytes[begin + 1:end] if end >= 0 else self._bytes[begin + 1:]
            content = plain(part)
            whole, complete = self._whole(content, length)
            if whole is None and not complete and end < 0:
                return None
            # The flag stays away for good: what follows can only be another frame.
            self._bytes = self._bytes[end:] if end >= 0 else b""
            if whole is not None:
                return Answer(whole[0], whole[1] >> 4, Status(whole[1] & 15), whole[2],
                              whole[ANSWER_HEADER:-CRC_BYTES])
            self.damaged += bool(part)

    @staticmethod
    def _whole(content, length):
        """(content up to its CRC if that is right, whether there is nothing to wait for)."""
        if len(content) < ANSWER_HEADER + CRC_BYTES:
            return None, False
        status = content[1] & 15
        has_data = length and status in (Status.DONE, Status.AGAIN)
        # An answer without data to an earlier request may be on its way.
        for size in (length, 0) if has_data else (0,):
            whole = content[:ANSWER_HEADER + size + CRC_BYTES]
            if len(whole) == ANSWER_HEADER + size + CRC_BYTES and status in list(Status) \
                    and checksum(whole[:-CRC_BYTES]) == whole[-CRC_BYTES:]:
                return whole, True
        most = ANSWER_HEADER + (length if has_data else 0) + CRC_BYTES
        return None, len(content) >= most


def word_size(address: int) -> int:
    """Bytes of a word on the line: lanes have 16 bits, everything else 32."""
    return 2 if address >> SPACE_LOW in LANE_SPACES else 4


def bursts(addresses, lanes: int):
    """Split requests into bursts.

    Parameters
    ----------
    addresses : ndarray of int
    lanes : int

    Yields
    ------
    slice
        Places of addresses that follow each other and fit one frame.
    """
    addresses = np.asarray(addresses, np.int64)
    if not addresses.size:
        return
    breaks = np.flatnonzero(addresses[1:] != next_addresses(addresses[:-1], lanes)) + 1
    for begin, end in zip([0, *breaks], [*breaks, addresses.size]):
        most = PAYLOAD // word_size(int(addresses[begin]))
        for first in range(begin, end, most):
            yield slice(int(first), int(min(end, first + most)))


def pack(words, size: int) -> bytes:
    """Words as bytes."""
    return np.asarray(words, np.int64).astype("<u4").astype(f"<u{size}").tobytes()


def unpack(data: bytes, size: int) -> np.ndarray:
    """Bytes as 32-bit words; words of 16 bits are signed."""
    return np.frombuffer(data, "<i2" if size == 2 else "<u4").astype(np.int64) & 0xFFFFFFFF


__all__ = ["Answer", "AnswerReader", "HEADER", "PROTOCOL_VERSION", "answer", "bursts", "checksum",
           "frame", "pack", "plain", "request", "unpack", "word_size"]
