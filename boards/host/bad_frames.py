"""Bad frames: byte strings as a bad line, a bad host or two of them would send.

The board must answer each byte string as the endpoint in Python does, keep every word that no good
frame wrote, and serve the next good request.
"""

from __future__ import annotations

import random
import time
from collections import Counter
from dataclasses import dataclass, field

import numpy as np

from ...hw.assembler.readback import word_addresses
from ...hw.interface.isa import REGISTERS, Space, address, lane_bits
from ...hw.interface.protocol import (
    FLAG,
    PACKED,
    PAYLOAD,
    SEQUENCE_BITS,
    Operation,
    Part,
    Status,
    unpacks,
)
from .device import Device
from .frames import request
from .golden_port import GoldenPort
from .packing import SoftwareUnpacker
from .software_endpoint import SoftwareEndpoint

KINDS = ("random bytes", "truncated", "duplicated", "bit flipped", "reordered", "byte dropped",
         "byte added", "wrong operation", "wrong length", "another session", "good")
_UNKNOWN = [code for code in range(256) if code not in list(Operation)]
_SEED = REGISTERS["seed"].address
#: Words of the weights that are compared: the first ones and the last ones.
_WEIGHT_WORDS = 64
#: Seconds to wait for an answer that must come.
_PATIENCE = 5.0


@dataclass
class Outcome:
    """Outcome.

    Attributes
    ----------
    sent : Counter
        Byte strings by kind.
    statuses : Counter
        Whole frames by what the board answered; ``cut`` are those that the next flag ended, which
        are refused without an answer.
    refused : int
        Refusals that the board counted.
    compared, wrong : int
        Words of memory compared at the end; those that differ.
    first : str or None
        The first fault, in words.
    """

    sent: Counter = field(default_factory=Counter)
    statuses: Counter = field(default_factory=Counter)
    refused: int = 0
    compared: int = 0
    wrong: int = 0
    first: str | None = None


class _Maker:
    """Makes byte strings; knows the session and what was sent before."""

    def __init__(self, rng, config):
        self.rng, self.lanes, self.tag, self.history = rng, config.width, 0, []
        self.places = [address(Space.STATE), address(Space.WEIGHTS), _SEED]
        if unpacks(config):
            self.places.append(PACKED)

    def open(self):
        self.tag = self.rng.randrange(1, 16) << SEQUENCE_BITS
        return request(self.tag, Operation.OPEN)

    def good(self):
        """A good request to states, weights, the seed, or a part of a packed image."""
        rng, place = self.rng, self.rng.choice(self.places)
        if place == _SEED:
            most, wide = 1, Part.WIDE
        else:
            place |= rng.randrange(16) << lane_bits(self.lanes) | rng.randrange(self.lanes)
            most, wide = PAYLOAD // 2, Part(0)
        count = rng.choice((1, 1, 2, 3, rng.randrange(1, most + 1))) if most > 1 else 1
        size = 4 if wide else 2
        if rng.random() < 0.3:
            return request(self.tag, Operation(Part.READ | wide), place, length=size * count)
        payload = bytes(rng.choice((0, 255, FLAG, 0x7D, rng.randrange(256)))
                        for _ in range(size * count))
        return request(self.tag, Operation(Part.WRITE | wide), place, payload)

    def make(self, kind):
        """A byte string of a kind."""
        rng, made = self.rng, bytearray(self.good())
        if kind == "random bytes":
            return bytes(rng.randrange(256) for _ in range(rng.randrange(1, 40)))
        if kind == "truncated":
            return bytes(made[:rng.randrange(1, len(made))])
        if kind == "bit flipped":
            for _ in range(rng.choice((1, 1, 2, 5))):
                made[rng.randrange(len(made))] ^= 1 << rng.randrange(8)
        elif kind == "byte dropped":
            del made[rng.randrange(len(made))]
        elif kind == "byte added":
            made.insert(rng.randrange(len(made) + 1), rng.randrange(256))
        elif kind == "duplicated" and self.history:
            return self.history[-1]
        elif kind == "reordered" and len(self.history) > 1:
            return self.history[-1 - rng.randrange(1, min(len(self.history), 12))]
        elif kind == "wrong operation":
            return request(self.tag, rng.choice(_UNKNOWN), address(Space.STATE), bytes(2))
        elif kind == "wrong length":
            operation = rng.choice((Operation.READ, Operation.READ_WIDE, Operation.WRITE,
                                    Operation.WRITE_WIDE))
            return request(self.tag, operation, address(Space.STATE), bytes(5), 5)
        elif kind == "another session":
            tag = self.tag + (rng.randrange(1, 16) << SEQUENCE_BITS) & 0xFF
            return request(tag, Operation.WRITE, address(Space.STATE), bytes(2))
        return bytes(made)


def send_bad_frames(device: Device, count: int, seed=0, full=False, progress=None) -> Outcome:
    """Send bad and good frames to a device, and compare all it answers and keeps.

    Parameters
    ----------
    device : Device
        Open; what was loaded is lost.
    count : int
        Byte strings.
    seed : int
    full : bool
        Compare all weights, not the first and the last ones.
    progress : callable, optional
        Called as ``progress(done, count)``.
    """
    link, config, found = device.link, device.config, Outcome()
    rng = random.Random(seed)
    words = [(Space.STATE, 0, config.state_depth)]
    part = config.weight_depth if full else min(_WEIGHT_WORDS, config.weight_depth)
    words += [(Space.WEIGHTS, first, part) for first in {0, config.weight_depth - part}]
    places = np.concatenate([word_addresses(*run, config.width) for run in words])
    start = np.random.default_rng(seed).integers(0, 1 << config.weight.width, len(places))
    model = SoftwareEndpoint(GoldenPort(config), config.width, SoftwareUnpacker.of(config))
    link.stop()
    link.write(places, start)
    model.port.write(places, start)
    model.refused = before = link.refused
    maker, total = _Maker(rng, config), 0

    def exchange(data):
        """Send one frame's worth of bytes; what the board answers must be what is expected."""
        nonlocal total
        old = model.refused
        seen = len(model.statuses)
        expected = model.feed(data)
        refused = model.refused - old & 0xFF
        total += refused
        found.statuses["cut"] += refused - sum(
            status not in (Status.DONE, Status.AGAIN) for status in model.statuses[seen:])
        got = _send(link.transport, data, len(expected))
        if got != expected and found.first is None:
            found.first = f"sent {data.hex()}, answered {got.hex()}, expected {expected.hex()}"
        for status in model.statuses[seen:]:
            found.statuses[status.name.lower()] += got == expected
        return model.statuses[seen:]

    exchange(maker.open())
    for number in range(count):
        maker.tag = model.next_tag()
        kind = rng.choice(KINDS)
        made = maker.make(kind)
        found.sent[kind] += 1
        statuses = []
        for piece in _pieces(made):
            statuses += exchange(piece)
        if kind == "good" and statuses == [Status.DONE]:
            maker.history.append(made)
        if found.first is not None:
            break
        if progress is not None:
            progress(number + 1, count)
    # The next good request must be served, and no other word may have been written.
    if exchange(request(model.next_tag(), Operation.READ, length=2)) != [Status.DONE] \
            and found.first is None:
        found.first = "the good request after all of them was not served"
    link.open()
    now, known = link.read(places), model.port.read(places)
    wrong = now != known
    found.compared, found.wrong = len(places), int(wrong.sum())
    found.refused = total
    if found.first is None and wrong.any():
        at = int(wrong.argmax())
        found.first = (f"address {int(places[at]):#x} holds {int(now[at]):#x}, expected "
                       f"{int(known[at]):#x}")
    if found.first is None and (link.refused - before & 0xFF) != (total & 0xFF):
        found.first = (f"the board counted {link.refused - before & 0xFF} refusals modulo 256, "
                       f"expected {total & 0xFF}")
    return found


def _pieces(data):
    """Byte strings with one flag at most, at their beginning."""
    parts = data.split(bytes([FLAG]))
    return [part for part in parts[:1] if part] + [bytes([FLAG]) + part for part in parts[1:]]


def _send(transport, data, length):
    """Send bytes and read as many as are expected."""
    transport.send(data)
    got, end = b"", time.monotonic() + _PATIENCE
    while len(got) < length and time.monotonic() < end:
        got += transport.receive(end - time.monotonic())
    return got

