"""Links: the host's end of the byte protocol, whatever carries the bytes.

All links send the same frames.  The golden link and the simulators have the endpoint of
:mod:`apical.boards.host.software_endpoint` in front of their host port; a serial port has the one
of the gateware.
"""

from __future__ import annotations

import secrets
import time
from collections import Counter

import numpy as np

from ...golden.errors import ApicalError
from ...hw.interface.protocol import (
    MEANING,
    PROTOCOL_VERSION,
    RESULTS,
    SEQUENCE_BITS,
    Operation,
    Part,
    Status,
)
from ..build.catalog import BOARDS
from .frames import AnswerReader, bursts, pack, request, unpack, word_size
from .packing import SoftwareUnpacker
from .software_endpoint import SoftwareEndpoint
from .transport import Loop, SerialPort

#: Seconds to wait for an answer, and how often a request is sent.  Long, because a virtual board
#: may be a slow one, and a port that went away is reported at once.
PATIENCE, ATTEMPTS = 20.0, 3
#: Seconds to wait for the first answer of a port, which may have no board.
OPENING = 1.0


class LinkError(ApicalError):
    """The board does not answer, or another program took it over."""


class NoAnswerError(LinkError):
    """No attempt was answered."""


class Link:
    """A session with a board.

    Parameters
    ----------
    transport : object
        See :mod:`apical.boards.host.transport`.
    patience : float
        Seconds to wait for each answer.
    record : callable, optional
        Takes one dictionary a transaction, see :mod:`apical.boards.host.recording`.

    Attributes
    ----------
    sent, received : int
        Bytes on the line.
    sent_payload, received_payload : int
        Of these, words that were requested: without frames, repetitions and escapes.
    refusals : Counter
        Answers that refused a request, by status.
    repeats : int
        Requests that were sent again.
    """

    def __init__(self, transport, patience=PATIENCE, record=None):
        self.transport, self.patience, self.record = transport, patience, record
        self.name = transport.name
        self.lanes = 1
        self.sent = self.received = self.sent_payload = self.received_payload = 0
        self.refusals, self.repeats = Counter(), 0
        self.refused = None
        self.rates = [None]
        self._reader, self._tag = AnswerReader(), 0

    @classmethod
    def over_port(cls, port, config, name, **options):
        """A link to a host port of an engine of this configuration, in this process."""
        endpoint = SoftwareEndpoint(port, config.width, SoftwareUnpacker.of(config))
        return cls(Loop(endpoint, name), **options)

    @classmethod
    def serial(cls, path, baud, **options):
        """A link over a serial port; without a rate, those of all boards are tried."""
        rates = [baud] if baud else sorted({board.baud for board in BOARDS.values()}, reverse=True)
        link = cls(SerialPort(path, rates[0]), **options)
        link.rates = rates
        return link

    def open(self):
        """Begin a session; an unfinished one of another host ends."""
        # No other host can reach a loop: there, equal runs send equal bytes.
        session = 1 if isinstance(self.transport, Loop) else 1 + secrets.randbelow(15)
        self._tag = session << SEQUENCE_BITS
        patience, self.patience = self.patience, min(self.patience, OPENING)
        began = time.monotonic()
        try:
            for rate in self.rates:
                if rate is not None:
                    self.transport.set_rate(rate)
                self.transport.receive(0.0)
                try:
                    self._exchange(Operation.OPEN)
                    return self
                except NoAnswerError:
                    continue
            rates = [str(rate) for rate in self.rates if rate is not None]
            where = f" at {'each of ' if len(rates) > 1 else ''}{', '.join(rates)} baud" \
                if rates else ""
            took = f"{time.monotonic() - began:.0f} s{' in all' if len(rates) > 1 else ''}"
            raise LinkError(f"nothing at {self.name} speaks the protocol of a board ({ATTEMPTS} "
                            f"requests{where}, {took}); is the bitstream loaded, and is this the "
                            "right port and rate?")
        finally:
            self.patience = patience

    def close(self):
        """Release the line."""
        self.transport.close()

    def write(self, addresses, data):
        """Write words, in order: arrays of host addresses and words."""
        addresses, data = np.asarray(addresses), np.asarray(data)
        for part in bursts(addresses, self.lanes):
            self._write(addresses[part], data[part])

    def _write(self, addresses, data, runs=0):
        size = word_size(int(addresses[0]))
        operation = Part.WRITE | runs | (Part.WIDE if size == 4 else 0)
        answered = self._exchange(Operation(operation), int(addresses[0]), pack(data, size))
        self._note("run" if runs else "write", addresses, data, answered if runs else None)
        return answered

    def read(self, addresses) -> np.ndarray:
        """Read words; those of lanes are signed, in 32 bits."""
        addresses = np.asarray(addresses)
        found = np.zeros(len(addresses), np.int64)
        for part in bursts(addresses, self.lanes):
            size = word_size(int(addresses[part.start]))
            operation = Operation.READ_WIDE if size == 4 else Operation.READ
            data = self._exchange(operation, int(addresses[part.start]),
                                  length=size * (part.stop - part.start))
            found[part] = unpack(data, size)
            self._note("read", addresses[part], None, found[part])
        return found

    def run(self, addresses, data) -> dict:
        """Write words, then run an image; returns its results by name of register."""
        addresses, data = np.asarray(addresses), np.asarray(data)
        parts = list(bursts(addresses, self.lanes))
        for part in parts[:-1]:
            self._write(addresses[part], data[part])
        reported = self._write(addresses[parts[-1]], data[parts[-1]], Part.RUN)
        return dict(zip(RESULTS, map(int, reported), strict=True))

    def stop(self):
        """Reset the engine; memories keep their words."""
        self._exchange(Operation.STOP)
        self._note("stop")

    def probe(self, frame: bytes):
        """Send bytes that are no request, and read any answer."""
        self.sent += len(frame)
        self.transport.send(frame)
        self._await(0, False)

    def _note(self, what, addresses=(), data=None, answered=None):
        if self.record is not None:
            self.record({"do": what, "addresses": addresses, "data": data, "answer": answered})

    def _exchange(self, operation, address=0, payload=b"", length=1):
        """One request and its answer."""
        data = operation & (Part.READ | Part.RUN)
        wanted = 4 * len(RESULTS) if operation & Part.RUN else length if data else 0
        made = request(self._tag, operation, address, payload, length)
        for attempt in range(ATTEMPTS):
            self.repeats += attempt > 0
            self.sent += len(made)
            self.transport.send(made)
            answer = self._await(wanted, bool(data))
            if answer is not None:
                break
        else:
            raise NoAnswerError(f"the board at {self.name} does not answer: {ATTEMPTS} attempts, "
                                f"{self.patience:g} s each")
        if answer.version != PROTOCOL_VERSION:
            raise LinkError(f"the board at {self.name} speaks version {answer.version} of the "
                            f"protocol, this is version {PROTOCOL_VERSION}; build and load its "
                            "bitstream again")
        if answer.status not in (Status.DONE, Status.AGAIN):
            raise self._refusal(answer.status)
        low = (1 << SEQUENCE_BITS) - 1
        self._tag = self._tag & ~low | self._tag + 1 & low
        self.sent_payload += len(payload)
        self.received_payload += len(answer.data)
        return unpack(answer.data, 4) if operation & Part.RUN else answer.data

    def _await(self, wanted, data):
        """The answer to the request that went out; None when it must be sent again."""
        end = time.monotonic() + self.patience
        while True:
            left = end - time.monotonic()
            came = self.transport.receive(max(0.0, left))
            self.received += len(came)
            self._reader.feed(came)
            while (answer := self._reader.take(wanted)) is not None:
                self.refused = answer.refused
                if answer.status == Status.CRC:
                    # Whatever its tag: bytes were damaged on the line.
                    self.refusals[answer.status] += 1
                    return None
                good = answer.status in (Status.DONE, Status.AGAIN)
                if answer.tag == self._tag and (not good or len(answer.data) == wanted * data):
                    return answer
            if left <= 0 or (not came and isinstance(self.transport, Loop)):
                return None

    def _refusal(self, status):
        self.refusals[status] += 1
        if status == Status.SEQUENCE:
            return LinkError(f"another program has opened a session with the board at {self.name} "
                             "since; close it and begin again")
        if status == Status.ABORTED:
            return LinkError(f"the board at {self.name} did not finish a request in time and was "
                             "left with a part of it; begin again")
        return LinkError(f"the board at {self.name} answers: {MEANING[status]}")

    def counters(self) -> dict:
        """Counts of what was sent and received, as plain values."""
        return {"bytes_sent": self.sent, "bytes_received": self.received,
                "payload_sent": self.sent_payload, "payload_received": self.received_payload,
                "bytes_moved": self.sent + self.received, "repeats": self.repeats,
                "refusals": {s.name.lower(): n for s, n in sorted(self.refusals.items())},
                "damaged_answers": self._reader.damaged, "refused_by_board": self.refused}

