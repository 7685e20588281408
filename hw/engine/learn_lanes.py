"""Weight updates in the lanes of one tile: what is one for a block, and the new weights.

The learning unit of the root (:mod:`apical.hw.engine.learn`) says when; words stay here.
"""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from ..interface.config import EngineConfig
from ..interface.isa import INDEX, WORD
from ..primitives.portable import delayed
from .learn_write import WeightWriter, random_ahead
from .mixing import CROSS_LATENCY
from .ports import (
    CountSignature,
    SumSignature,
    UpdatesSignature,
    WeightUpdateSignature,
    WeightWriteSignature,
    Widths,
)
from .stages import Stages


class LearnLanes(wiring.Component):
    """Mix of the lanes of a block, which of them there are and are not 0, and the writer.

    Latency and throughput: those of :class:`~apical.hw.engine.learn_write.WeightWriter`, from the
    beat, which follows `met` by 1 cycle.

    Parameters
    ----------
    config : EngineConfig
    number : int
        Which tile.

    Members
    -------
    updates : In(UpdatesSignature)
    word : In(16 * lanes)
        Word of the lane side.
    sum : In(SumSignature), weights : Out(WeightUpdateSignature)
    writes : Out(WeightWriteSignature), counts : Out(CountSignature), mixed : Out(32)
    signing : Out(1)
    """

    def __init__(self, config: EngineConfig, number=0):
        self.config, self.first = config, number * config.lanes
        super().__init__({
            "updates": In(UpdatesSignature(config)), "word": In(Widths(config).word),
            "sum": In(SumSignature(config)), "weights": Out(WeightUpdateSignature(config)),
            "writes": Out(WeightWriteSignature(config)), "counts": Out(CountSignature()),
            "mixed": Out(32), "signing": Out(1)})

    def elaborate(self, platform):
        m = Module()
        lanes, told = self.config.lanes, self.updates
        lane_mix = Signal(data.ArrayLayout(32, lanes), reset_less=True)
        inside, full = Signal(lanes), Signal(data.ArrayLayout(lanes, 2))
        there = Signal(lanes)
        for lane in range(lanes):
            m.d.sync += there[lane].eq(told.limit > self.first + lane)
            with m.If(told.filled & (told.lane == self.first + lane)):
                m.d.sync += lane_mix[lane].eq(told.mix)
        # Units of the word that was read that are there and not 0.
        not_zero = Cat(self.word.word_select(lane, WORD).any() for lane in range(lanes)) & inside
        with m.If(told.enter):
            m.d.sync += inside.eq(there)
        with m.If(told.looks[0]):
            m.d.sync += full[0].eq(not_zero)
        with m.If(told.looks[1]):
            m.d.sync += full[1].eq(not_zero & told.paired.replicate(lanes))
        mix, place, scalar = (Signal(bits, name=name, reset_less=True) for bits, name in (
            (32, "mix"), (len(told.place), "at"), (INDEX, "scalar")))
        with m.If(told.met):
            # The second term finds mix and place of the first.
            m.d.sync += [mix.eq(told.mix), place.eq(told.place), scalar.eq(told.scalar)]
        # The random word meets its beat at stage S.
        sooner = CROSS_LATENCY + random_ahead(self.config)
        m.submodules.writer = writer = WeightWriter(self.config)
        connect(m, writer.sum, flipped(self.sum))
        connect(m, writer.weights, flipped(self.weights))
        connect(m, writer.writes, flipped(self.writes))
        connect(m, writer.counts, flipped(self.counts))
        m.d.comb += [
            writer.silent.eq(told.silent), writer.busy.eq(told.busy), writer.paired.eq(told.paired),
            writer.mix.eq(delayed(m, mix, Stages(self.config).product - sooner, "mix")),
            writer.place.eq(place), writer.scalar.eq(scalar), writer.lane_mix.eq(lane_mix),
            writer.inside.eq(inside), writer.full.eq(full),
            writer.first.eq(told.first + self.first if self.first else told.first),
            writer.turned.eq(told.turned),
            self.mixed.eq(writer.mixed), self.signing.eq(writer.signing)]
        return m
