"""Gateware of :mod:`apical.golden.numbers.addressed`: the key engine and the mixing of elements.

Keys are mixed at one round a cycle while an operation is decoded; a round is one 16-bit adder and
16 exclusive-ors.  Elements pass :class:`CrossUnit`, one copy a lane.
"""

from __future__ import annotations

from amaranth.hdl import Cat, Const, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ...golden.numbers.addressed import CROSS_ROTATIONS, KEY_ROUNDS, WRITTEN_SHIFTS
from ..interface.isa import INDEX, WORD
from .counter import Accumulator
from .ports import CrossSignature

#: Bits of a half of a key: what one adder of the mix takes.
HALF = 16


def mix_round(x, y, k):
    """One round on 16-bit values; returns (x, y) as 16-bit values."""
    high = ((x.rotate_right(7) + y)[:HALF]) ^ k
    return high, y.rotate_left(2) ^ high


def product(x, rotations):
    """``rotl(x, s) ^ (rotl(x, t) & rotl(x, u))`` on 16 bits, for rotations (s, t, u)."""
    s, t, u = rotations
    return x.rotate_left(s) ^ (x.rotate_left(t) & x.rotate_left(u))


def mix_written(x, y, value):
    """What a written weight with the random words x and y adds to the signature, 16 bits."""
    mixed = (value + x)[:HALF]
    first, second = (Cat(Const(0, shift), mixed)[:HALF] for shift in WRITTEN_SHIFTS)
    return mixed ^ y ^ (first & second)


class KeyEngine(wiring.Component):
    """Absorbs one 32-bit word into a 32-bit key.

    Latency: ``KEY_ROUNDS`` cycles from `start` to `ready`.

    Members
    -------
    start : In(1)
        Takes `word`.
    key, word : In(32)
        `key` must be held until `ready`.
    ready : Out(1)
        High while `result` is valid; low from the cycle after `start`.
    result : Out(32)
    """

    def __init__(self):
        super().__init__({"start": In(1), "key": In(32), "word": In(32),
                          "ready": Out(1), "result": Out(32)})

    def elaborate(self, platform):
        m = Module()
        key, x, y = self.key, Signal(HALF), Signal(HALF)
        left = Signal(range(KEY_ROUNDS + 1))
        # Counts up so that it is the round constant.
        number = Signal(range(KEY_ROUNDS + 1))
        constant = Mux(number[0], key[:HALF], key[HALF:]) ^ number
        next_x, next_y = mix_round(x, y, constant)
        ready = Signal(init=1)
        m.d.comb += [self.ready.eq(ready), self.result.eq(Cat(y, x))]
        with m.If(self.start):
            m.d.sync += [left.eq(KEY_ROUNDS), number.eq(0), ready.eq(0),
                         x.eq(key[HALF:] ^ self.word[HALF:]), y.eq(key[:HALF] ^ self.word[:HALF])]
        with m.Elif(~ready):
            m.d.sync += [x.eq(next_x), y.eq(next_y), left.eq(left - 1), number.eq(number + 1),
                         ready.eq(left == 1)]
        return m


class Hash(wiring.Component):
    """`mix_key` of a number, one a cycle, for a key that stands still.

    Latency: ``KEY_ROUNDS`` cycles.

    Members
    -------
    valid : In(1), key : In(32), word : In(HALF + 1)
    done : Out(1), result : Out(32)
    busy : Out(1)
        Numbers are on their way.
    """

    def __init__(self):
        super().__init__({"valid": In(1), "key": In(32), "word": In(HALF + 1),
                          "done": Out(1), "result": Out(32), "busy": Out(1)})

    def elaborate(self, platform):
        m = Module()
        key, valid, flags = self.key, self.valid, []
        x, y = self.word[HALF] ^ key[HALF:], self.word[:HALF] ^ key[:HALF]
        for i in range(KEY_ROUNDS):
            made = mix_round(x, y, (key[:HALF] if i & 1 else key[HALF:]) ^ i)
            x, y, late = (Signal(HALF, name=f"x{i}", reset_less=True),
                          Signal(HALF, name=f"y{i}", reset_less=True), Signal(name=f"valid{i}"))
            m.d.sync += [x.eq(made[0]), y.eq(made[1]), late.eq(valid)]
            valid = late
            flags.append(late)
        m.d.comb += [self.done.eq(valid), self.result.eq(Cat(y, x)),
                     self.busy.eq(Cat(*flags).any())]
        return m


class CrossUnit(wiring.Component):
    """:func:`apical.golden.numbers.addressed.cross`, one pair of words a cycle.

    Latency: `CROSS_LATENCY` cycles.

    Members
    -------
    a, b, c, d : In(16)
        Key word (a, b) and element word (c, d).
    x, y : Out(16)
    """

    def __init__(self):
        super().__init__({**{name: In(HALF) for name in "abcd"}, "x": Out(HALF), "y": Out(HALF)})

    def elaborate(self, platform):
        m = Module()
        first, turn, second = CROSS_ROTATIONS
        # One adder a stage; what follows each sum is a function of a few of its bits.
        x0, y0, x1, y1 = (Signal(HALF, name=name, reset_less=True)
                          for name in ("x0", "y0", "x1", "y1"))
        turned = Signal(HALF)
        m.d.comb += turned.eq(y0 ^ product(x0, first))
        m.d.sync += [
            x0.eq(self.a + self.c), y0.eq(self.b ^ self.d),
            x1.eq(x0 + turned.rotate_left(turn)), y1.eq(turned),
        ]
        m.d.comb += [self.x.eq(x1), self.y.eq(y1 ^ product(x1, second))]
        return m


#: Cycles from the inputs of a `CrossUnit` to its outputs.
CROSS_LATENCY = 2


class SignatureUnit(wiring.Component):
    """Adds the mixed elements of each write to a running sum modulo 2**32.

    Latency: :func:`signature_latency` cycles from `valid` to the sum; one write a cycle.

    Parameters
    ----------
    lanes : int
    primitives : str
    serial : bool
        Whether weights pass here one at a time too.

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
    extra : In(32)
        What something else adds in this cycle; 0 while elements are on their way.
    total : Out(32)
    busy : Out(1)
        Writes are on their way.
    cross : In(CrossSignature)
        With `serial` only: while it is busy, lane 0 mixes its word with the key instead of values.
    drawing : In(1), draw_key : In(32), draw_word : In(32)
        With `draws` only: lane 0 mixes this word with this key.
    x, y : Out(16)
        What comes of lane 0, `CROSS_LATENCY` cycles later.
    """

    def __init__(self, lanes, primitives="portable", serial=False, draws=False):
        self.lanes, self.primitives, self.serial, self.draws = lanes, primitives, serial, draws
        super().__init__({"valid": In(lanes), "key": In(32), "address": In(INDEX),
                          "values": In(WORD * lanes), "clear": In(1), "extra": In(32),
                          "cross": In(CrossSignature()), "drawing": In(1), "draw_key": In(32),
                          "draw_word": In(32), "x": Out(HALF), "y": Out(HALF),
                          "total": Out(32), "busy": Out(1)})

    def elaborate(self, platform):
        m = Module()
        words, flags = [], [self.valid]
        for stage in range(CROSS_LATENCY):
            later = Signal(self.lanes, name=f"valid{stage}")
            m.d.sync += later.eq(flags[-1])
            flags.append(later)
        for lane in range(self.lanes):
            m.submodules[f"cross{lane}"] = unit = CrossUnit()
            value, place = self.values.word_select(lane, WORD), (self.address + lane)[:INDEX]
            taken, mixed, key = flags[-1][lane], Cat(unit.x, unit.y), self.key
            if self.serial and lane == 0:
                other = self.cross
                value = Mux(other.busy, other.word[HALF:], value)
                place = Mux(other.busy, other.word[:HALF], place)
                taken = Mux(other.busy, other.changed, taken)
                mixed = Mux(other.busy, other.mixed, mixed)
                m.d.comb += [other.x.eq(unit.x), other.y.eq(unit.y)]
            if self.draws and lane == 0:
                word, key = self.draw_word, Mux(self.drawing, self.draw_key, key)
                value = Mux(self.drawing, word[HALF:], value)
                place = Mux(self.drawing, word[:HALF], place)
            if lane == 0:
                m.d.comb += [self.x.eq(unit.x), self.y.eq(unit.y)]
            m.d.comb += [unit.a.eq(key[HALF:]), unit.b.eq(key[:HALF]), unit.c.eq(value),
                         unit.d.eq(place)]
            # The product of bits ends here, so that the sum of lanes starts from registers.
            word = Signal(32, name=f"word{lane}", reset_less=True)
            m.d.sync += word.eq(Mux(taken, mixed, 0))
            words.append(word)
        while len(words) > 1:
            words = [(words[i] + words[i + 1])[:32] if i + 1 < len(words) else words[i]
                     for i in range(0, len(words), 2)]
        partial, mixed, arrived = words[0], Signal(), Signal()
        m.d.sync += mixed.eq(flags[-1].any())
        if self.lanes > 1:
            partial = Signal(32)
            m.d.sync += [partial.eq(words[0]), arrived.eq(mixed)]
        # `partial` is 0 in cycles without a write.
        m.submodules.sum = total = Accumulator(self.primitives)
        m.d.comb += [total.amount.eq(partial | self.extra), total.load.eq(self.clear),
                     self.total.eq(total.value)]
        m.d.comb += self.busy.eq(Cat(*(f.any() for f in flags), mixed, arrived).any())
        return m


def signature_latency(lanes):
    """Cycles from `valid` of a `SignatureUnit` to its sum."""
    return CROSS_LATENCY + 2 + (lanes > 1)
