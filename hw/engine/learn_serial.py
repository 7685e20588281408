"""Weight updates one weight at a time, for the smallest devices: what others have, used in turn.

Computes what :mod:`apical.hw.engine.learn` does, bit for bit, with next to no arithmetic of its
own:

* the issue of projections walks blocks and items of the scalar side, and counts the words of the
  lane sides as it counts accumulators; an item, and the word of its weights, stand until told;
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
from ..interface.isa import LANE_BITS
from .memory import address_bits
from .mixing import CROSS_LATENCY, mix_written

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
    start : In(1)
        Takes the operands, which must stand still while `busy`.
    two, turned : In(1), negative : In(2), tail : In(7)
        Fields of the instruction, and of the matrix.
    busy : Out(1)
    start_issue, advance, second : Out(1)
        To the issue of projections, see there,
    issuing, item_valid, item_last, final : In(1), item_index : In(16)
        and what it says.
    hash_start : Out(1), hash_word : Out(17), take_mix : Out(1)
        To the key engine.
    lane : Out(6)
        Of the lane-side word that `a` (2 cycles later), and of the weight word that `old` show.
    a, value : In(16)
        Factors of the product, looked at for zeros.
    load, add, subtract : Out(1), begin : Out(32), total : In(32)
        Sum of products.
    old : In(16)
    x, y : In(16)
        Random words.
    new : Out(16), shift, write : Out(1)
        A lane of the new word, in order; with the last one the word is written.
    mixed : Out(16), sign : Out(1)
        What a write adds to the signature.
    written, clipped : Out(1)
        What it adds to the counts.
    mask : Out(P), first : Out(16)
        Lanes that are written and first lane-side unit of the word (trace).
    """

    def __init__(self, config: EngineConfig):
        self.config = config
        super().__init__({
            "start": In(1), "two": In(1), "turned": In(1), "negative": In(2), "tail": In(7),
            "busy": Out(1), "start_issue": Out(1), "advance": Out(1), "second": Out(1),
            "issuing": In(1), "item_valid": In(1), "item_last": In(1), "final": In(1),
            "item_index": In(16), "hash_start": Out(1), "hash_word": Out(17), "take_mix": Out(1),
            "lane": Out(LANE_BITS), "a": In(16), "value": In(16),
            "load": Out(1), "add": Out(1), "subtract": Out(1), "begin": Out(32), "total": In(32),
            "old": In(16), "x": In(16), "y": In(16),
            "new": Out(16), "shift": Out(1), "write": Out(1), "mixed": Out(16), "sign": Out(1),
            "written": Out(1), "clipped": Out(1), "mask": Out(config.lanes), "first": Out(16)})

    def elaborate(self, platform):
        m = Module()
        lanes = self.config.lanes
        step, scalar, lane = Signal(range(RETIRE + 1)), Signal(), Signal(range(max(2, lanes)))
        at_lane, retire, last_lane = Signal(), Signal(), Signal()
        m.d.comb += [retire.eq(at_lane & (step == RETIRE)), last_lane.eq(lane == lanes - 1),
                     self.lane.eq(lane), self.advance.eq(retire & last_lane),
                     self.take_mix.eq(scalar & (step == HASHED)),
                     self.hash_start.eq((scalar | at_lane) & (step == 0))]
        with m.FSM() as machine:
            with m.State("IDLE"):
                with m.If(self.start):
                    m.next = "BEGIN"
            with m.State("BEGIN"):
                m.next = "ISSUE"
            with m.State("ISSUE"):
                m.d.comb += self.start_issue.eq(1)
                m.d.sync += step.eq(0)
                m.next = "LOOK"
            with m.State("LOOK"):
                m.d.sync += step.eq(step + 1)
                with m.If(step[SETTLE.bit_length() - 1]):
                    m.d.sync += step.eq(0)
                    with m.If(self.item_valid):
                        m.next = "SCALAR"
                    with m.Elif(~self.issuing):
                        m.next = "IDLE"
            with m.State("SCALAR"):
                m.d.comb += scalar.eq(1)
                m.d.sync += step.eq(step + 1)
                with m.If(self.take_mix):
                    m.d.sync += step.eq(0)
                    m.next = "LANE"
            with m.State("LANE"):
                m.d.comb += at_lane.eq(1)
                m.d.sync += step.eq(step + 1)
                with m.If((step == TERM0) & ~self.two):
                    m.d.sync += step.eq(SUM)
                with m.If(retire):
                    m.d.sync += [step.eq(0), lane.eq(lane + 1)]
                    with m.If(last_lane):
                        m.d.sync += lane.eq(0)
                        m.next = "LOOK"
            m.d.comb += self.busy.eq(~machine.ongoing("IDLE"))
        unit = self._unit(m, lane)
        # One of the sides is that of columns.
        m.d.comb += self.hash_word.eq(Cat(Mux(scalar, self.item_index, unit),
                                          Mux(scalar, self.turned, ~self.turned)))
        self._sum(m, at_lane, step, lane)
        self._retire(m, at_lane, step, retire, last_lane)
        return m

    def _unit(self, m, lane):
        """Number of the lane-side unit of a lane."""
        lanes, ends = self.config.lanes, self.advance & self.item_last
        if lanes & lanes - 1 == 0:  # a count of blocks has the lane below it
            block = Signal(address_bits(self.config.state_depth))
            with m.If(self.start_issue):
                m.d.sync += block.eq(0)
            with m.Elif(ends):
                m.d.sync += block.eq(block + 1)
            m.d.comb += self.first.eq(Cat(Const(0, lanes.bit_length() - 1), block))
            return Cat(lane, block) if lanes > 1 else block
        with m.If(self.start_issue):
            m.d.sync += self.first.eq(0)
        with m.Elif(ends):
            m.d.sync += self.first.eq(self.first + lanes)
        return (self.first + lane)[:16]

    def _sum(self, m, at_lane, step, lane):
        """Random word and products, in the adder of the multiplier."""
        drop = self.config.drop
        there, adds, above = Signal(), Signal(), Signal()
        self.changed = changed = Signal()
        word = self.y << drop - 16 if drop >= 16 else self.y >> 16 - drop
        # Padding weights must stay 0, whatever lies in the padding of states.
        m.d.comb += [there.eq(~self.final | (lane < self.tail)), self.begin.eq(word),
                     self.load.eq(at_lane & (step == CROSSED)),
                     adds.eq(at_lane & ((step == TERM0) | (step == TERM1))),
                     self.add.eq(adds & there),
                     self.subtract.eq(Mux(self.second, self.negative[1], self.negative[0]))]
        with m.If(self.load):
            m.d.sync += [above.eq(0), changed.eq(0)]
        with m.If(self.add):
            m.d.sync += [above.eq(self.second & ~self.total[31]),
                         changed.eq(changed | (self.a.any() & self.value.any()))]
        with m.If(at_lane & (step == TERM0)):
            m.d.sync += self.second.eq(self.two)
        with m.If(at_lane & (step == SUM)):
            m.d.sync += self.second.eq(0)
        self.sum = Cat(self.total, self.total[31] & ~(above & ~self.total[30])).as_signed()

    def _retire(self, m, at_lane, step, retire, last_lane):
        """The new weight, its signature and its counts."""
        weight, lanes = self.config.weight, self.config.lanes
        old = self.old[:weight.width].as_signed()
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
        m.d.comb += [
            self.new.eq(Cat(below ^ up.replicate(len(below)), top ^ down).as_signed()),
            self.mixed.eq(mix_written(self.x, self.y, self.new)),
            self.shift.eq(retire), self.write.eq(retire & last_lane)]
        m.d.comb += [self.sign.eq(retire & self.changed), self.written.eq(self.sign),
                     self.clipped.eq(self.sign & (up | down))]
        written = Signal(lanes)
        m.d.comb += self.mask.eq(Cat(written, self.changed)[1:])
        with m.If(retire):
            m.d.sync += written.eq(self.mask)
