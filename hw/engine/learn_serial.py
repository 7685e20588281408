"""Weight updates one weight at a time, for the smallest devices: what others have, used in turn.

Computes what :mod:`apical.hw.engine.learn` does, bit for bit, with next to no arithmetic of its
own:

* the issue of projections walks blocks and items of the scalar side, and counts the words of the
  lane sides as it counts accumulators; an item, and the word of its weights, stand until `advance`;
* the key engine of the sequencer mixes the scalar and every lane, one after the other;
* the signature's crossing of key and element makes the random words of the weight;
* the multiplier of scaled factors adds its products
(:class:`~apical.hw.engine.product.ProductSum`); * the host port shows one lane of the old word, and
puts together the new one.

The sum of the random word (of `drop` bits) and two products, ``y + p1 + p2``, leaves 32 bits in one
direction only: products are at most 2**30 (of -2**15 twice), but more than -2**30, and their sum
more than -2**31.  So a sum that comes out below -2**30 after a first part that was not negative is
a positive one.

Steps of a lane::

    0          the key engine starts with the number of the lane
    HASHED     scalar and lane meet
    CROSSED    the random word is the sum
    TERM0      the first product is added
    TERM1      the second one, of other words (one term: left out with the steps between)
    SUM        the old weight and the sum without its `drop` bits
    CLIP       saturated
    RETIRE     into the new word, signature and counts; the last lane writes the word
"""

from __future__ import annotations

from amaranth.hdl import Cat, Const, Module, Mux, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ...golden.numbers.addressed import KEY_ROUNDS
from ..interface.config import EngineConfig
from ..interface.isa import INDEX, WORD
from .mixing import CROSS_LATENCY, mix_written
from .ports import (
    CountSignature,
    CrossSignature,
    LaneWordSignature,
    LearnSignature,
    MixSignature,
    ProductSignature,
    SideSignature,
    WalkSignature,
    WeightWriteSignature,
    Widths,
)

HASHED = KEY_ROUNDS + 1
CROSSED = HASHED + CROSS_LATENCY
TERM0 = CROSSED + 1
#: The word of the other lane side comes 2 cycles after its address, the value of the scalar side 2.
TERM1 = TERM0 + 4
SUM = TERM1 + 1
CLIP = SUM + 1
RETIRE = CLIP + 1
#: Cycles after which an item stands.
SETTLE = 4


class SerialLearnUnit(wiring.Component):
    """Runs LEARN instructions.

    Throughput: a weight word takes ``16 P + 15`` cycles with one term, ``20 P + 15`` with two
    (5 and 10 of them to go on to the item and to mix it); an update about 10 more, and the image
    key is then mixed again beside the next instruction.

    Members
    -------
    operation : In(LearnSignature)
        Taken with its `start`; must stand still while `busy`.
    busy : Out(1)
    walk : Out(WalkSignature)
        The issue of projections, which walks the scalar side for all blocks.
    mix : Out(MixSignature)
        The key engine.
    side : Out(SideSignature)
        Words of the lane sides.
    product : Out(ProductSignature), cross : Out(CrossSignature), lanes : Out(LaneWordSignature)
        What the unit pipeline, the signature unit and the host port do for an update.
    store : Out(1)
        The word of the item is written, as it was put together: with its last lane.
    counts : Out(CountSignature), writes : Out(WeightWriteSignature)
    """

    def __init__(self, config: EngineConfig):
        self.config = config
        super().__init__({
            "operation": In(LearnSignature(config)), "busy": Out(1),
            "walk": Out(WalkSignature(config)), "mix": Out(MixSignature()),
            "side": Out(SideSignature(config)), "product": Out(ProductSignature()),
            "cross": Out(CrossSignature()), "lanes": Out(LaneWordSignature(config)),
            "store": Out(1), "counts": Out(CountSignature()),
            "writes": Out(WeightWriteSignature(config))})

    def elaborate(self, platform):
        m = Module()
        lanes = self.config.lanes
        step, scalar, lane = Signal(range(RETIRE + 1)), Signal(), Signal(range(max(2, lanes)))
        at_lane, retire, last_lane = Signal(), Signal(), Signal()
        walk, mix = self.walk, self.mix
        m.d.comb += [retire.eq(at_lane & (step == RETIRE)), last_lane.eq(lane == lanes - 1),
                     self.lanes.lane.eq(lane), self.side.lane.eq(lane),
                     walk.advance.eq(retire & last_lane), mix.take.eq(scalar & (step == HASHED)),
                     mix.start.eq((scalar | at_lane) & (step == 0))]
        with m.FSM() as machine:
            with m.State("IDLE"):
                with m.If(self.operation.start):
                    m.next = "BEGIN"
            with m.State("BEGIN"):
                m.next = "ISSUE"
            with m.State("ISSUE"):
                m.d.comb += walk.start.eq(1)
                m.d.sync += step.eq(0)
                m.next = "LOOK"
            with m.State("LOOK"):
                m.d.sync += step.eq(step + 1)
                with m.If(step[SETTLE.bit_length() - 1]):
                    m.d.sync += step.eq(0)
                    with m.If(walk.item.valid):
                        m.next = "SCALAR"
                    with m.Elif(~walk.issuing):
                        m.next = "IDLE"
            with m.State("SCALAR"):
                m.d.comb += scalar.eq(1)
                m.d.sync += step.eq(step + 1)
                with m.If(mix.take):
                    m.d.sync += step.eq(0)
                    m.next = "LANE"
            with m.State("LANE"):
                m.d.comb += at_lane.eq(1)
                m.d.sync += step.eq(step + 1)
                with m.If((step == TERM0) & ~self.operation.two):
                    m.d.sync += step.eq(SUM)
                with m.If(retire):
                    m.d.sync += [step.eq(0), lane.eq(lane + 1)]
                    with m.If(last_lane):
                        m.d.sync += lane.eq(0)
                        m.next = "LOOK"
            m.d.comb += self.busy.eq(~machine.ongoing("IDLE"))
        unit = self._unit(m, lane)
        # One of the sides is that of columns.
        turned = self.operation.turned
        m.d.comb += mix.word.eq(Cat(Mux(scalar, walk.item.index, unit),
                                    Mux(scalar, turned, ~turned)))
        self._sum(m, at_lane, step, lane)
        self._retire(m, at_lane, step, retire, last_lane)
        self._tell(m, retire)
        return m

    def _unit(self, m, lane):
        """Number of the lane-side unit of a lane."""
        lanes, ends = self.config.lanes, self.walk.advance & self.walk.item.last
        if lanes & lanes - 1 == 0:  # a count of blocks has the lane below it
            block = Signal(Widths(self.config).states)
            with m.If(self.walk.start):
                m.d.sync += block.eq(0)
            with m.Elif(ends):
                m.d.sync += block.eq(block + 1)
            m.d.comb += self.writes.first.eq(Cat(Const(0, lanes.bit_length() - 1), block))
            return Cat(lane, block) if lanes > 1 else block
        with m.If(self.walk.start):
            m.d.sync += self.writes.first.eq(0)
        with m.Elif(ends):
            m.d.sync += self.writes.first.eq(self.writes.first + lanes)
        return (self.writes.first + lane)[:INDEX]

    def _sum(self, m, at_lane, step, lane):
        """Random word and products, in the adder of the multiplier."""
        drop, walk, product = self.config.drop, self.walk, self.product
        there, adds, above = Signal(), Signal(), Signal()
        self.changed = changed = Signal()
        y = self.cross.y
        word = y << drop - WORD if drop >= WORD else y >> WORD - drop
        # Padding weights must stay 0, whatever is in the padding of states.
        m.d.comb += [there.eq(~walk.final | (lane < self.operation.tail)), product.begin.eq(word),
                     product.load.eq(at_lane & (step == CROSSED)),
                     adds.eq(at_lane & ((step == TERM0) | (step == TERM1))),
                     product.add.eq(adds & there),
                     product.subtract.eq(Mux(walk.second, self.operation.negative[1],
                                             self.operation.negative[0])),
                     product.value.eq(walk.item.value)]
        with m.If(product.load):
            m.d.sync += [above.eq(0), changed.eq(0)]
        with m.If(product.add):
            m.d.sync += [above.eq(walk.second & ~product.total[31]),
                         changed.eq(changed | (product.a.any() & product.value.any()))]
        with m.If(at_lane & (step == TERM0)):
            m.d.sync += walk.second.eq(self.operation.two)
        with m.If(at_lane & (step == SUM)):
            m.d.sync += walk.second.eq(0)
        total = product.total
        self.sum = Cat(total, total[31] & ~(above & ~total[30])).as_signed()

    def _retire(self, m, at_lane, step, retire, last_lane):
        """The new weight, its signature and its counts."""
        weight = self.config.weight
        old, cross = self.lanes.old[:weight.width].as_signed(), self.cross
        total = old + (self.sum >> self.config.drop)
        wide = Signal(signed(max(len(total), weight.width + 1)))
        negative, up, down = wide[-1], Signal(), Signal()
        over = Mux(negative, ~wide[weight.width - 1:].all(), wide[weight.width - 1:].any())
        # A clipped sum is cleared; its limit is that with some of the bits turned.
        clips = at_lane & (step == CLIP)
        with m.If(clips & over):
            m.d.sync += wide.eq(0)
        with m.Elif(at_lane & (step == SUM)):
            m.d.sync += wide.eq(total)
        with m.If(clips):
            m.d.sync += [up.eq(over & ~negative), down.eq(over & negative)]
        below, top = wide[:weight.width - 1], wide[weight.width - 1]
        new = self.lanes.new
        m.d.comb += [
            new.eq(Cat(below ^ up.replicate(len(below)), top ^ down).as_signed()),
            cross.mixed.eq(mix_written(cross.x, cross.y, new)), cross.changed.eq(
                retire & self.changed),
            self.lanes.shift.eq(retire), self.store.eq(retire & last_lane),
            self.counts.written.eq(cross.changed),
            self.counts.clipped.eq(cross.changed & (up | down))]

    def _tell(self, m, retire):
        """Who runs, and the trace of a word."""
        writes, cross = self.writes, self.cross
        for port in (self.walk, self.side, self.product, cross, self.lanes):
            m.d.comb += port.busy.eq(self.busy)
        # Lanes before this one.
        written = Signal(self.config.lanes)
        with m.If(retire):
            m.d.sync += written.eq(writes.mask)
        m.d.comb += [
            self.walk.paired.eq(self.operation.two), self.side.address.eq(self.walk.side),
            cross.word.eq(self.mix.mixed), writes.mask.eq(Cat(written, self.changed)[1:]),
            writes.valid.eq(self.store & writes.mask.any()),
            writes.values.eq(self.lanes.word), writes.scalar.eq(self.walk.item.index),
            writes.turned.eq(self.operation.turned)]
