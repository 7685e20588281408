"""Random words of states: one a cycle for the units of a vector, addressed by their number."""

from __future__ import annotations

from amaranth.hdl import Cat, Const, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ...golden.numbers.addressed import COLUMN, KEY_ROUNDS
from ..interface.config import EngineConfig
from ..interface.isa import INDEX
from .mixing import CROSS_LATENCY, HALF, CrossUnit, Hash

#: Cycles from `start` to the word of unit 0.
DRAW_LATENCY = 1 + KEY_ROUNDS + CROSS_LATENCY


class DrawUnit(wiring.Component):
    """:func:`apical.golden.numbers.addressed.draw_words` of units 0, 1, 2 .., those of one tile.

    Parameters
    ----------
    config : EngineConfig, optional
        With several tiles the units of a tile are not all of a word.
    number : int
        Which tile.

    Latency: `DRAW_LATENCY` cycles; then one a cycle, in order.

    Members
    -------
    start : In(1)
        Takes the key and begins with the first unit.
    key : In(32)
    x, y : Out(16)
    """

    def __init__(self, config: EngineConfig | None = None, number=0):
        self.config, self.number = config, number
        super().__init__({"start": In(1), "key": In(32), "x": Out(HALF), "y": Out(HALF)})

    def elaborate(self, platform):
        m = Module()
        key, unit = Signal(32), Signal(INDEX)
        m.submodules.hash = mixed = Hash()
        m.submodules.cross = cross = CrossUnit()
        with m.If(self.start):
            m.d.sync += [key.eq(self.key), unit.eq(0)]
        with m.Else():
            m.d.sync += unit.eq(unit + 1)
        if self.config is not None and self.config.tiles > 1:
            # After the last lane of a word comes the first one of the next.
            config = self.config
            lane, apart = Signal(range(config.lanes)), config.width - config.lanes + 1
            with m.If(self.start):
                m.d.sync += [lane.eq(0), unit.eq(self.number * config.lanes)]
            with m.Elif(lane == config.lanes - 1):
                m.d.sync += [lane.eq(0), unit.eq(unit + apart)]
            with m.Else():
                m.d.sync += lane.eq(lane + 1)
        m.d.comb += [mixed.key.eq(key), mixed.word.eq(Cat(unit, Const(COLUMN >> INDEX, 1))),
                     cross.a.eq(key[HALF:]), cross.b.eq(key[:HALF]),
                     Cat(cross.d, cross.c).eq(mixed.result), self.x.eq(cross.x),
                     self.y.eq(cross.y)]
        return m
