"""The table unit: functions of one state a cycle, and what is made of them.

Implements :mod:`apical.golden.numbers.tables` for the operations that need one: stored rates,
`Sample`, `FlowRate` and the gate of logistic rates.

Stages, counted on from those of :mod:`apical.hw.engine.unit_pipeline`::

    5   z (or the state, for its slope), clipped to the range of the tables
    6   sample asked
    7   sample and slope of the segment
    8   slope times the rest
    9   value of the function
    10  what is written
"""

from __future__ import annotations

from amaranth.hdl import Cat, Const, Module, Mux, Signal, signed
from amaranth.lib import data, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from ...golden.numbers.formats import Format
from ...golden.numbers.tables import (
    HALF_EXPONENTIAL,
    LOGISTIC,
    REACH,
    SAMPLES,
    SLOPE,
    STEP_BITS,
    samples,
)
from ...golden.program import FLOW_LIMIT
from ..interface.isa import WORD, Post
from ..primitives.portable import delayed
from .rounding import round_shift

#: Table that each function looks into.
TABLE_OF = {Post.LOGISTIC: LOGISTIC, Post.DRAW: LOGISTIC, Post.FLOW: HALF_EXPONENTIAL,
            Post.GATE: SLOPE}
_NAMES = (LOGISTIC, SLOPE, HALF_EXPONENTIAL)


class TableUnit(wiring.Component):
    """Looks up a state and finishes what is written.

    Latency: 5 cycles.  Throughput: one unit a cycle.  Resources: one memory of 1,024 words of two
    values, two multipliers.

    Members
    -------
    post : In(3)
        Function, stands still while states are on their way.
    z, state : In(signed(16))
        Stage 5: value before the function, state of the unit.
    word : In(16)
        Random word, stage 9.
    value : Out(16)
        Stage 10.
    gated : Out(signed(17))
        Stage 10: slope times z, rounded (GATE).
    """

    def __init__(self, state: Format):
        self.format = state
        super().__init__({"post": In(3), "z": In(signed(WORD)), "state": In(signed(WORD)),
                          "word": In(WORD), "value": Out(WORD), "gated": Out(signed(WORD + 1))})

    def elaborate(self, platform):
        m = Module()
        state, post = self.format, self.post
        fine = max(0, state.frac - STEP_BITS)
        end, limit = REACH << state.frac, FLOW_LIMIT << state.frac
        # Stage 5
        x = Mux(post == Post.GATE, self.state, self.z)
        top, bottom = Signal(signed(18)), Signal(signed(18))
        m.d.comb += [top.eq(Mux(post == Post.FLOW, limit, end - 1)),
                     bottom.eq(Mux(post == Post.FLOW, -limit, -end))]
        clipped = Mux(x > top, top, Mux(x < bottom, bottom, x))
        place = Signal(STEP_BITS + REACH.bit_length() + state.frac - STEP_BITS + 1)
        m.d.sync += place.eq(clipped + end)
        # Stage 6
        m.submodules.cells = cells = self._memory()
        index = place >> fine if state.frac >= STEP_BITS else place << STEP_BITS - state.frac
        table = Signal(2)
        with m.Switch(post):
            for function, name in TABLE_OF.items():
                with m.Case(function):
                    m.d.comb += table.eq(_NAMES.index(name))
        read = cells.read_port()
        m.d.comb += read.addr.eq(Cat(index[:8], table))
        # Stage 7
        rest = delayed(m, place[:fine], 1, "rest") if fine else Const(0, 1)
        product, sample = Signal(signed(WORD + fine + 2)), Signal(signed(WORD))
        m.d.sync += [product.eq(read.data.slope * Cat(rest, Const(0, 1)).as_signed()),
                     sample.eq(read.data.sample)]
        # Stage 8
        found = Signal(signed(WORD))
        m.d.sync += found.eq(sample + round_shift(product, fine))
        # Stage 9
        z = delayed(m, self.z, 4, "z").as_signed()
        one = delayed(m, self.state == state.one, 4, "one")
        drawn = self.word[WORD - state.frac:] < found
        value, chosen = Signal(WORD), Signal(WORD)
        with m.Switch(post):
            with m.Case(Post.DRAW):
                m.d.comb += chosen.eq(Mux(drawn, state.one, 0))
            with m.Case(Post.THRESHOLD):
                m.d.comb += chosen.eq(Mux(z > 0, state.one, 0))
            with m.Case(Post.FLOW):
                m.d.comb += chosen.eq(Mux(one, found, -found))
            with m.Default():
                m.d.comb += chosen.eq(found)
        gated = Signal(signed(32))
        m.d.sync += [value.eq(chosen), gated.eq(found * z)]
        # Stage 10
        m.d.comb += [self.value.eq(value), self.gated.eq(round_shift(gated, state.frac))]
        return m

    def _memory(self):
        """Samples and slopes of all functions, 256 segments each."""
        shape = data.StructLayout({"sample": signed(WORD), "slope": signed(WORD + 1)})
        words = []
        for name in _NAMES:
            values = samples(name, self.format)
            words += [{"sample": int(values[i]), "slope": int(values[i + 1] - values[i])}
                      for i in range(SAMPLES - 1)]
        return Memory(shape=shape, depth=len(words), init=words)
