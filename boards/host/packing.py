"""Packed images: a byte a pixel, two for a run of zeros; made by a host, taken apart by a board.

``docs/protocol.md`` has the rules (17 to 20); the gateware is :mod:`apical.hw.link.unpack`.
"""

from __future__ import annotations

import numpy as np

from ...hw.assembler.image import event_words
from ...hw.interface.config import EngineConfig
from ...hw.interface.isa import EVENT, REGISTERS, SPACE_LOW, Space, address, lane_bits
from ...hw.interface.protocol import PACKED, PAYLOAD, SCALE, SCALE_BITS, SCALE_FRAC, unpacks
from .frames import frame, pack

_COMMIT = REGISTERS["commit"].address
_INDEX, _LAST = EVENT.fields["index"], EVENT.fields["last"]
#: Bytes of a frame that are not its payload.
_FRAME = len(frame(bytes(6)))


def decoded(codes, scale: int) -> np.ndarray:
    """Raw states of pixels: bytes from 1 to 255."""
    return np.asarray(codes, np.int64) * scale + (1 << SCALE_FRAC - 1) >> SCALE_FRAC


def scale_for(values) -> int | None:
    """A scale by which bytes make exactly these raw states; None where there is none."""
    values = np.asarray(values)
    if not values.size or values.min() < 0:
        return None
    levels = np.flatnonzero(np.bincount(values.ravel()))
    levels = levels[levels > 0]
    if not levels.size:
        return None
    one, half = 1 << SCALE_FRAC, 1 << SCALE_FRAC - 1
    for most in range(255, 0, -1):
        codes = np.rint(levels * (most / levels[-1])).astype(np.int64)
        if codes[0] == 0:
            return None
        # For each level, the smallest and the largest scale that round to it.
        smallest = int(-((half - one * levels) // codes).min())
        largest = int(((one * levels + half - 1) // codes).min())
        if smallest <= largest and smallest >> SCALE_BITS == 0:
            return smallest
    return None


class Packer:
    """Packs vectors by a scale.

    Parameters
    ----------
    scale : int
    lanes : int
        Of the engine: how addresses of a burst go on.
    """

    def __init__(self, scale: int, lanes: int):
        self.scale, self.lanes = scale, lanes
        raw = decoded(np.arange(1, 256), scale)
        self._codes = np.zeros(int(raw[-1]) + 1, np.uint8)
        self._codes[raw] = np.arange(1, 256)
        # A scale may be so small that a byte makes 0.
        self._codes[0] = 0

    def fits(self, values) -> bool:
        """Whether all values are 0 or exactly those of a byte."""
        values = np.asarray(values)
        if not values.size or values.min() < 0 or values.max() >= len(self._codes):
            return False
        return bool(((self._codes[values] > 0) == (values > 0)).all())

    def payload(self, values) -> bytes:
        """A vector, at least one of it not zero."""
        values, made, at = np.asarray(values), bytearray(), 0
        places = np.flatnonzero(values)
        for place, code in zip(places.tolist(), self._codes[values[places]].tolist()):
            while at < place:
                run = min(255, place - at)
                made += bytes((0, run))
                at += run
            made.append(code)
            at += 1
        return bytes(made) + bytes(len(made) % 2)

    def writes(self, values):
        """(addresses, words) of a vector, or None where events are as short or it does not fit."""
        count = np.count_nonzero(values)
        if not count or not self.fits(values):
            return None
        payload = self.payload(values)
        if _on_line(len(payload)) >= _on_line(4 * count):
            return None
        words = np.frombuffer(payload, "<u2").astype(np.uint32)
        number = np.arange(len(words))
        places = number // self.lanes << lane_bits(self.lanes) | number % self.lanes
        return (PACKED | places).astype(np.uint32), words


def _on_line(count):
    """Bytes on the line for this many bytes of payload, without escapes."""
    return count + -(-count // PAYLOAD) * _FRAME


def plain_bytes(values) -> int:
    """Bytes of a vector as events or as one byte a unit, whichever are fewer."""
    return min(4 * len(event_words(values)), len(values))


class SoftwareUnpacker:
    """The unpacker in software: turns packed images into events, passes other writes on.

    Parameters
    ----------
    banks, depth : int
        Input banks of the engine, events of one.
    """

    def __init__(self, banks: int, depth: int):
        self.banks, self.depth = banks, depth
        self._place_mask = (1 << (banks * depth - 1).bit_length()) - 1
        self.reset()

    @classmethod
    def of(cls, config: EngineConfig):
        """That of a board with this engine; None where it has none."""
        return cls(config.input_banks, config.event_depth) if unpacks(config) else None

    def reset(self):
        """The effect of stopping the engine."""
        self._scale = self._index = self._value = self._place = self._bank = 0
        self._begun = self._skips = False

    def writes(self, addresses, data):
        """(addresses, words) that reach the engine."""
        addresses, data = np.asarray(addresses, np.int64), np.asarray(data, np.int64)
        if not ((addresses >> SPACE_LOW + 1 == 3) | (addresses == _COMMIT)).any():
            return addresses, data
        made = []
        for where, word in zip(addresses.tolist(), data.tolist()):
            if where >= SCALE:
                self._scale = word & (1 << SCALE_BITS) - 1
            elif where >= PACKED:
                for byte in pack([word], 2):
                    made += self._byte(byte)
            elif where == _COMMIT:
                made += [*self.commit(), (where, word)]
            else:
                made.append((where, word))
        addresses, data = zip(*made) if made else ((), ())
        return np.array(addresses, np.int64), np.array(data, np.int64)

    def commit(self) -> list:
        """Writes before a commit; the next image goes into the next bank."""
        made = [self._event(1)] if self._begun else []
        if self.banks == 2:
            self._bank ^= 1
        self._begun = self._skips = False
        self._index, self._place = 0, self._bank * self.depth
        return made

    def _byte(self, byte):
        if self._skips:
            self._index, self._skips = self._index + byte, False
        elif byte == 0:
            self._skips = True
        else:
            self._index += self._begun
            self._place = self._place + self._begun & self._place_mask
            self._begun, self._value = True, int(decoded(byte, self._scale))
            return [self._event(0)]
        return []

    def _event(self, last):
        index = self._index & (1 << _INDEX.width) - 1
        return (address(Space.EVENTS, self._place),
                self._value | index << _INDEX.low | last << _LAST.low)
