"""The lanes: P multipliers, P accumulators and an adder tree over one weight word a cycle.

The same multipliers and accumulators serve both directions.  Broadcast: each lane adds its product
to its own accumulator.  Dot: the tree adds all products, and the accumulator of one lane adds that.

Stages, counted from the beat (weights LW, product LM, tree T, way across tiles X cycles, see
:class:`apical.hw.engine.stages.Stages`)::

    0              weight address out (state word address at LW - 1)
    LW             weights and operand meet
    LW + LM = S    products; start word of a broadcast sum asked one cycle before
    S + 1          broadcast sums; the last beat of a sum writes it
    S + T          tree: what the lanes of this tile add up to
    S + T + X = D  the sum of all tiles; start word of a dot sum asked one cycle before
    D + 1          dot sum; the last beat writes it

Broadcast beats reach the accumulators T + X cycles sooner than dot beats: after a dot projection a
broadcast one waits.  What else an instruction may read of the one before follows from this table
(`assembler`).
"""

from __future__ import annotations

from amaranth.hdl import Cat, Const, Module, Mux, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ..interface.config import EngineConfig
from ..interface.isa import WORD
from ..primitives import family
from .ports import (
    OperandSignature,
    PartialSignature,
    ReadSignature,
    SumSignature,
    Widths,
    WriteSignature,
    beat_layout,
)
from .stages import Stages, tree_stages

#: Lanes that share a register of what the accumulators do, where there are several.
LANES_A_COPY = 4


class Multiplier(wiring.Component):
    """Signed product of a weight and a rate or its negative, `latency` cycles, one a cycle.

    Members
    -------
    a : In(signed(16))
    b : In(signed(17))
        Within -2**15..2**15: any 16-bit value or the negative of one.
    product : Out(signed(32))
    """

    def __init__(self, latency, primitives="portable"):
        self.latency, self.primitives = latency, primitives
        super().__init__({"a": In(signed(WORD)), "b": In(signed(WORD + 1)),
                          "product": Out(signed(2 * WORD))})

    def elaborate(self, platform):
        m = Module()
        family(self.primitives).multiplier(m, self)
        return m


class Lanes(wiring.Component):
    """Multiply and accumulate: the lanes of one tile.

    Parameters
    ----------
    config : EngineConfig
    number : int
        Which tile.

    Members
    -------
    operand : In(OperandSignature)
        Stage 0.
    weights : In(16 * P), rates : In(16 * P)
        Weight word and state word, stage LW.
    sums : Out(ReadSignature)
        Accumulator word wanted, latency 1.
    write : Out(WriteSignature)
        Accumulators that are written, one enable a lane.
    across : In(PartialSignature)
        The sum of dot products of this tile, and that of all tiles.
    gating : In(1), gated : In(signed(17))
        Serial table unit only: dot beats write this current, a whole number, instead of their sum.
    sum : Out(SumSignature)
        Weight updates, see :mod:`apical.hw.engine.learn`.  They multiply `rates` by the value of
        the operand.
    """

    def __init__(self, config: EngineConfig, number=0):
        self.config, self.number = config, number
        widths = Widths(config)
        super().__init__({
            "operand": In(OperandSignature(config)), "weights": In(widths.word),
            "rates": In(widths.word), "sums": Out(ReadSignature(widths.sums, widths.sum_word)),
            "write": Out(WriteSignature(widths.sums, widths.sum_word, config.lanes)),
            "across": In(PartialSignature(config)), "gating": In(1),
            "gated": In(signed(WORD + 1)), "sum": Out(SumSignature(config))})

    def elaborate(self, platform):
        m = Module()
        config = self.config
        lanes, width = config.lanes, config.accumulator_width
        stages = Stages(config)
        product_stage, dot_stage = stages.product, stages.dot
        beats = self._pipe(m, self.operand.beat, dot_stage - 1, "beat")
        products = self._products(m, beats)
        m.d.comb += self.across.partial.eq(self._tree(m, products))

        # What the accumulators do at stage S or D, decided one cycle before.
        ask, dot_ask = beats[product_stage - 1], beats[dot_stage - 1]
        dot, before = Signal(), beats[dot_stage - 2]
        m.d.sync += dot.eq(before.valid & before.dot)
        control, enables = Signal(beat_layout(config)), Signal(lanes)
        with m.If(dot):
            mine = dot_ask.tile == self.number if config.tiles > 1 else Const(1)
            m.d.sync += [control.eq(dot_ask), enables.eq(mine << dot_ask.lane)]
        with m.Else():
            m.d.sync += [control.eq(ask), enables.eq((ask.valid & ~ask.dot).replicate(lanes))]
        m.d.comb += self.sums.address.eq(Mux(dot, dot_ask.start, ask.start))
        learns = control.learn if config.pipelined_learning else Const(0)
        copies = self._copies(m, control, dot, dot_ask, ask)
        term = Signal(signed(width))
        m.d.comb += term.eq(self.across.total)
        if config.serial_tables and config.gate:
            with m.If(self.gating):
                m.d.comb += term.eq(self.gated << config.weight.frac)
        for lane, product in enumerate(products):
            total = Signal(signed(width), name=f"total{lane}", reset_less=True)
            started, first, dot, negative, learn = copies[lane]
            begin = Mux(started, self.sums.data.word_select(lane, width).as_signed(), 0)
            if config.pipelined_learning:
                begin = Mux(learn, self.sum.begin.word_select(lane, width).as_signed(), begin)
            so_far = Mux(first, begin, total)
            # so_far - x is so_far + ~x + 1; the 1 goes into the carry.
            added = Mux(dot, term, product) ^ negative.replicate(width)
            with m.If(enables[lane]):
                m.d.sync += total.eq(
                    (Cat(1, so_far).as_signed() + Cat(negative, added).as_signed()) >> 1)
            m.d.comb += self.write.data.word_select(lane, width).eq(total)

        m.d.comb += self.sum.totals.eq(self.write.data)
        # The last beat of a sum writes it.
        m.d.sync += [self.write.enable.eq(enables & (control.last & ~learns).replicate(lanes)),
                     self.write.address.eq(control.into)]
        if config.pipelined_learning:
            m.d.sync += [self.sum.complete.eq(learns & enables[0] & control.last),
                         self.sum.scalars.eq(control.scalars)]
        return m

    def _copies(self, m, control, dot, dot_ask, ask):
        """(started, first, dot, negative, learn) of each lane.

        Where the device is full they are registers of a few lanes each, near them.
        """
        names = ("started", "first", "dot", "negative", "learn")
        if not self.config.pipelined_learning:
            return [[*(control[name] for name in names[:4]), None]] * self.config.lanes
        copies = range(-(-self.config.lanes // LANES_A_COPY))
        made = [Signal(len(names), name=f"copy{i}", reset_less=True) for i in copies]
        for copy in made:
            family(self.config.primitives).register(
                m, Cat(Mux(dot, dot_ask[name], ask[name]) for name in names), copy)
        return [made[lane // LANES_A_COPY] for lane in range(self.config.lanes)]

    def _products(self, m, beats):
        config = self.config
        value = self._pipe(m, self.operand.value, config.weight_latency, "value")[-1].as_signed()
        meet = beats[config.weight_latency]
        by_word, products = meet.dot, []
        if config.pipelined_learning:
            by_word, before = Signal(), beats[config.weight_latency - 1]
            m.d.sync += by_word.eq(before.dot | before.learn)
        for lane in range(config.lanes):
            m.submodules[f"multiplier{lane}"] = mul = Multiplier(
                config.multiplier_latency, config.primitives)
            rate = Mux(by_word, self.rates.word_select(lane, WORD).as_signed(), value)
            weight = self.weights.word_select(lane, WORD)
            if config.pipelined_learning:
                weight = Mux(meet.learn, value, weight.as_signed())
            m.d.comb += [mul.a.eq(weight), mul.b.eq(rate)]
            products.append(mul.product)
        return products

    @staticmethod
    def _pipe(m, value, stages, name):
        """The value at stages 0..stages."""
        out = [value]
        for i in range(stages):
            late = Signal.like(value, name=f"{name}{i + 1}")
            m.d.sync += late.eq(value)
            out.append(late)
            value = late
        return out

    def _tree(self, m, terms):
        """Exact sum of the products after `tree_stages` cycles."""
        for stage in range(tree_stages(len(terms))):
            terms = [terms[i] + terms[i + 1] if i + 1 < len(terms) else terms[i]
                     for i in range(0, len(terms), 2)]
            registered = []
            for i, term in enumerate(terms):
                late = Signal.like(term, name=f"tree{stage}_{i}", reset_less=True)
                m.d.sync += late.eq(term)
                registered.append(late)
            terms = registered
        return terms[0]


class InFlight(wiring.Component):
    """Beats on their way through the lanes of all tiles, as the root knows without asking them.

    Latency: 1 cycle.

    Members
    -------
    beat : In(`beat_layout`)
        Stage 0.
    coming : In(1)
        There may be a beat in the next cycle.
    near : Out(1)
        Sums are still to be written by the time that an operation that starts now reads them.
    asking : Out(1)
        The lanes read sums in the next cycle.
    busy : Out(1)
        Sums are still to be written.
    """

    def __init__(self, config: EngineConfig):
        self.config = config
        super().__init__({"beat": In(beat_layout(config)), "coming": In(1), "asking": Out(1),
                          "busy": Out(1), "near": Out(1)})

    def elaborate(self, platform):
        m = Module()
        stages = Stages(self.config)
        valid, dot, held = self.beat.valid, self.beat.dot, []
        begins, asking, dots = self.beat.first & self.beat.started, [], []
        # A broadcast beat has retired after stage S + 1.  Found one stage before, to be registered.
        for stage in range(stages.dot + 1):
            held.append(valid if stage <= stages.product else valid & dot)
            dots.append(valid & dot)
            # The word that a sum begins with is asked one cycle before stage S or D.
            if stage == stages.product - 2:
                asking.append(valid & begins & ~dot)
            if stage == stages.dot - 2:
                asking.append(valid & begins & dot)
            late = Signal(3, name=f"beat{stage + 1}")
            m.d.sync += late.eq(Cat(valid, dot, begins))
            valid, dot, begins = late
        m.d.comb += self.asking.eq(Cat(*asking).any())
        near = [*held[:stages.product - 1], *(held[stages.product + 1:-2])]
        # Of the two stages that are left out a dot beat passes the first ones.
        near += [dots[stage] for stage in (stages.product - 1, stages.product)]
        m.d.sync += [self.busy.eq(self.coming | Cat(*held).any()),
                     self.near.eq(self.coming | Cat(*near).any())]
        return m
