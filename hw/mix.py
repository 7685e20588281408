"""Gateware of :mod:`apical.golden.mix`: the key engine and the mixing of elements.

A round is one 16-bit adder and 16 exclusive-ors.  Keys are mixed at one round a cycle while an
operation is decoded; elements pass `ELEMENT_ROUNDS` pipeline stages, one copy a lane.
"""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ..golden.mix import ELEMENT_ROUNDS, KEY_ROUNDS
from .counter import Accumulator


def mix_round(x, y, k):
    """One round on 16-bit values; returns (x, y) as 16-bit values."""
    high = ((x.rotate_right(7) + y)[:16]) ^ k
    return high, y.rotate_left(2) ^ high


class KeyEngine(wiring.Component):
    """Absorbs one 32-bit word into a 32-bit key.

    Latency: ``KEY_ROUNDS`` cycles from `start` to `ready`.

    Members
    -------
    start : In(1)
        Takes `word`.
    key, word : In(32)
        `key` is to be held until `ready`.
    ready : Out(1)
        High while `result` is valid; low from the cycle after `start`.
    result : Out(32)
    """

    def __init__(self):
        super().__init__({"start": In(1), "key": In(32), "word": In(32),
                          "ready": Out(1), "result": Out(32)})

    def elaborate(self, platform):
        m = Module()
        key, x, y = self.key, Signal(16), Signal(16)
        left = Signal(range(KEY_ROUNDS + 1))
        # Counts up so that it is the round constant.
        number = Signal(range(KEY_ROUNDS + 1))
        constant = Mux(number[0], key[:16], key[16:]) ^ number
        next_x, next_y = mix_round(x, y, constant)
        m.d.comb += [self.ready.eq(left == 0), self.result.eq(Cat(y, x))]
        with m.If(self.start):
            m.d.sync += [left.eq(KEY_ROUNDS), number.eq(0),
                         x.eq(key[16:] ^ self.word[16:]), y.eq(key[:16] ^ self.word[:16])]
        with m.Elif(left != 0):
            m.d.sync += [x.eq(next_x), y.eq(next_y), left.eq(left - 1), number.eq(number + 1)]
        return m


class SignatureUnit(wiring.Component):
    """Adds the mixed elements of each write to a running sum modulo 2**32.

    Latency: ``ELEMENT_ROUNDS + 3`` cycles from `valid` to the sum; one write a cycle.

    Members
    -------
    valid : In(lanes)
        Which lanes write.
    key : In(32)
        Operation key.
    address : In(16)
        Unit of lane 0.
    values : In(16 * lanes)
    clear : In(1)
        Sets the sum to 0.
    total : Out(32)
    busy : Out(1)
        Writes are on their way.
    """

    def __init__(self, lanes, primitives="portable"):
        self.lanes, self.primitives = lanes, primitives
        super().__init__({"valid": In(lanes), "key": In(32), "address": In(16),
                          "values": In(16 * lanes), "clear": In(1),
                          "total": Out(32), "busy": Out(1)})

    def elaborate(self, platform):
        m = Module()
        words, flags = [], []
        key, valid = self.key, self.valid
        halves = []
        for lane in range(self.lanes):
            x, y = Signal(16, name=f"x0_{lane}"), Signal(16, name=f"y0_{lane}")
            m.d.sync += [x.eq(self.values.word_select(lane, 16) ^ key[16:]),
                         y.eq((self.address + lane)[:16] ^ key[:16])]
            halves.append((x, y))
        key, valid = self._delay(m, key, "key0"), self._delay(m, valid, "valid0")
        flags.append(valid)
        for i in range(ELEMENT_ROUNDS):
            step = []
            for lane, (x, y) in enumerate(halves):
                next_x, next_y = (Signal(16, name=f"x{i + 1}_{lane}"),
                                  Signal(16, name=f"y{i + 1}_{lane}"))
                mixed = mix_round(x, y, key[16:] if i & 1 else key[:16])
                m.d.sync += [next_x.eq(mixed[0]), next_y.eq(mixed[1])]
                step.append((next_x, next_y))
            halves = step
            key, valid = self._delay(m, key, f"key{i + 1}"), self._delay(m, valid, f"valid{i + 1}")
            flags.append(valid)
        for lane, (x, y) in enumerate(halves):
            words.append(Cat(y, x) & valid[lane].replicate(32))
        while len(words) > 1:
            words = [(words[i] + words[i + 1])[:32] if i + 1 < len(words) else words[i]
                     for i in range(0, len(words), 2)]
        partial, arrived = Signal(32), Signal()
        m.d.sync += [partial.eq(words[0]), arrived.eq(valid.any())]
        # `partial` is 0 in cycles without a write.
        m.submodules.sum = total = Accumulator(self.primitives)
        m.d.comb += [total.amount.eq(partial), total.load.eq(self.clear),
                     self.total.eq(total.value)]
        m.d.comb += self.busy.eq(Cat(*(f.any() for f in flags), arrived, self.valid.any()).any())
        return m

    @staticmethod
    def _delay(m, value, name):
        delayed = Signal(len(value), name=name)
        m.d.sync += delayed.eq(value)
        return delayed
