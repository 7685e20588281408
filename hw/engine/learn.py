"""Weight updates: outer products added to a matrix with stochastic rounding, one word a beat.

Implements :class:`~apical.golden.program.Learn` after its scaled factors.  One side of the matrix
is walked as in a broadcast projection (the *scalar side*: events, state words, the constant), the
other is in the lanes.  The lanes multiply a word of the lane side by a scalar instead of weights,
and an accumulator starts from the old weight with the random word below it, so that the sum of the
products, cut, is the new weight.

For each block of the lane side::

    FILL   lane words of the mix, one a cycle, while the block before comes to an end
    READ   word of the lane side (of each term): which units of it are not 0
    RUN    items of the scalar side: mix of the index (8 cycles), beats of one or two terms

Stages of a beat continue those of :mod:`apical.hw.engine.lanes`::

    LW - 1    word of the lane side asked, to meet the scalar
    S - 2..S  random word (one cycle sooner where there is time, to be registered); the old weight
              is read so that it arrives at S
    S + 1     sum of the products (at the last beat)
    S + 2     saturated: written, traced
    S + 3..   what is written is mixed into the signature
"""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from ...golden.numbers.addressed import KEY_ROUNDS
from ..interface.config import EngineConfig
from ..interface.isa import INDEX, LANE_BITS, WORD
from ..primitives.portable import delayed
from .learn_write import kept
from .mixing import Hash
from .ports import (
    LearnSignature,
    OperandSignature,
    SideSignature,
    UpdatesSignature,
    WalkSignature,
)
from .stages import Stages


class LearnUnit(wiring.Component):
    """Runs LEARN instructions, with :class:`~apical.hw.engine.learn_lanes.LearnLanes` of the tiles.

    Throughput: one weight word a cycle with one term, one each two cycles with two.  Beside them a
    block costs its units and about 10 cycles, the first one 20.

    Members
    -------
    operation : In(LearnSignature)
        Taken with its `start`; must stand still until `closing`.
    key : In(32)
        Operation key; must stand still while `busy`.
    closing : Out(1)
        All items have been issued: the next instruction may be decoded.
    busy : Out(1)
        Weights are still to be written.
    walk : Out(WalkSignature)
        The issue of projections, which walks the scalar side of term 0 for one block.
    side : Out(SideSignature)
        Words of the lane side; what is read meets the beat in the lanes.
    operand : Out(OperandSignature)
        Stage 0 of the lanes.
    flying : In(1)
        Beats are on their way.
    updates : Out(UpdatesSignature)
        What the tiles are told.
    """

    def __init__(self, config: EngineConfig):
        self.config = config
        super().__init__({
            "operation": In(LearnSignature(config)), "key": In(32), "closing": Out(1),
            "busy": Out(1), "walk": Out(WalkSignature(config)),
            "side": Out(SideSignature(config)), "operand": Out(OperandSignature(config)),
            "flying": In(1), "updates": Out(UpdatesSignature(config))})

    def elaborate(self, platform):
        m = Module()
        config = self.config
        self.stage = Stages(config).product
        # What the last beats and writes look at, when the next instruction is decoded already.
        operation, self.minus, self.swapped, self.first = (
            self.operation, Signal(2), Signal(), Signal(INDEX))
        silent = Signal()
        self.paired = self.walk.paired
        with m.If(operation.start):
            m.d.sync += [self.paired.eq(operation.two), self.swapped.eq(operation.turned),
                         self.minus.eq(operation.negative), silent.eq(operation.silent)]
        m.submodules.hash = self.hash = Hash()
        m.d.comb += self.hash.key.eq(self.key)
        # Place of the words of a block.
        self.base = Signal(len(operation.matrix))
        drained = Signal()
        fill, at, unit = self._blocks(m, drained)
        self._fill(m, fill, at, unit)
        values, coming = self._items(m)
        sent = self._beats(m, values)
        m.d.comb += [
            self.updates.busy.eq(self.busy), self.updates.paired.eq(self.paired),
            self.updates.silent.eq(silent),
            self.updates.first.eq(self.first), self.updates.turned.eq(self.swapped),
            self.walk.busy.eq(self.busy), self.side.busy.eq(self.busy),
            drained.eq(~(coming | sent | self.flying | self._pending(m)))]
        return m

    def _pending(self, m):
        """Whether a word waits to be written, as the writers of the tiles do it."""
        beat = self.operand.beat
        complete = kept(m, beat.valid & beat.last, self.stage + 1, "complete")[-1]
        after = kept(m, complete, 1, "written")
        if self.config.weight_ports == 2:
            return after[0]
        write = Signal()
        m.d.sync += write.eq(Mux(self.paired, after[0], complete))
        return write | after[0]

    def _blocks(self, m, drained):
        """Walk the blocks of the lane side; returns (fill, lane, unit) of the block ahead."""
        lanes, told = self.config.width, self.updates
        left, block, at = Signal(10), Signal(len(self.side.address)), Signal(range(lanes + 1))
        limit, fill, term = Signal(LANE_BITS + 1), Signal(), Signal()
        coming, places = (Signal(data.ArrayLayout(len(self.side.address), 2), name=name)
                          for name in ("coming", "places"))
        fresh, ahead, wait = Signal(), Signal(INDEX), Signal(range(max(2, self.stage)))
        # The unit whose mix is wanted; all of a block have passed when the next one begins.
        unit, operation = Signal(INDEX), self.operation
        late = delayed(m, self.operand.beat.term, self.config.weight_latency - 1, "term")
        m.d.comb += [self.side.address.eq(places[term]), term.eq(late)]
        # These stand still for long before they are needed.
        m.d.sync += [coming[i].eq(operation.lane_bases[i] + block) for i in range(2)]
        m.d.comb += told.limit.eq(limit)
        with m.FSM() as machine:
            with m.State("IDLE"):
                m.d.sync += at.eq(0)
                with m.If(operation.start):
                    m.d.sync += [left.eq(operation.blocks), block.eq(0), self.first.eq(0),
                                 ahead.eq(0), unit.eq(0), fill.eq(1),
                                 limit.eq(Mux(operation.blocks == 1, operation.tail, lanes)),
                                 self.base.eq(operation.matrix), fresh.eq(1)]
                    m.next = "FILL"
            with m.State("FILL"):
                m.d.sync += [at.eq(at + 1), unit.eq(unit + 1)]
                with m.If(at == limit - 1):
                    m.d.sync += fill.eq(0)
                    m.next = "DRAIN"
            with m.State("DRAIN"):
                # Nothing may look at the words of the block before any more.
                with m.If(drained):
                    with m.If(~fresh):
                        m.d.sync += [self.first.eq(ahead), self.base.eq(self.base + operation.rows)]
                    m.d.sync += places.eq(coming)
                    m.d.comb += told.enter.eq(1)
                    m.next = "READ0"
            with m.State("READ0"):
                m.d.comb += [term.eq(0), self.walk.start.eq(1)]
                m.next = "READ1"
            with m.State("READ1"):
                m.d.comb += [term.eq(1), told.looks[0].eq(1)]
                m.next = "READ2"
            with m.State("READ2"):
                m.d.comb += told.looks[1].eq(1)
                m.next = "RUN"
            with m.State("RUN"):
                with m.If(~self.walk.issuing):
                    m.d.sync += [left.eq(left - 1), ahead.eq(ahead + lanes), fresh.eq(0),
                                 limit.eq(Mux(left == 2, operation.tail, lanes)),
                                 block.eq(block + 1),
                                 at.eq(0), wait.eq(max(0, self.stage - 4))]
                    m.next = "SETTLE"
                    with m.If(left == 1):
                        m.next = "END"
            with m.State("SETTLE"):
                # The mix of the last scalar meets that of the lanes S - 1 cycles before the next
                # block's comes out.
                m.d.sync += wait.eq(wait - 1)
                with m.If(wait == 0):
                    m.d.sync += fill.eq(1)
                    m.next = "FILL"
            with m.State("END"):
                m.d.comb += self.closing.eq(1)
                with m.If(drained):
                    m.next = "IDLE"
            m.d.comb += self.busy.eq(~machine.ongoing("IDLE"))
        return fill, at, unit

    def _fill(self, m, fill, at, unit):
        """Lane words of the mix, and the way of scalars into it."""
        # Lane words of the mix come out of the pipeline in order, before the first item.
        number, item = Signal(INDEX), self.walk.item
        m.d.comb += [number.eq(Mux(fill, unit, item.index)),
                     self.hash.valid.eq(fill | item.valid),
                     self.hash.word.eq(Cat(number, fill ^ self.swapped))]
        m.d.comb += [self.updates.mix.eq(self.hash.result),
                     self.updates.filled.eq(delayed(m, fill, KEY_ROUNDS, "fill")),
                     self.updates.lane.eq(delayed(m, at, KEY_ROUNDS, "place"))]

    def _items(self, m):
        """Items beside their mix: values of both terms, place of the weight word, scalar."""
        place, item = Signal(len(self.base)), self.walk.item
        m.d.comb += place.eq(self.base + item.index)
        coming = kept(m, item.valid, KEY_ROUNDS, "coming")
        values = [delayed(m, value, KEY_ROUNDS, name) for name, value in (
            ("first", item.value), ("second", Mux(self.paired, item.other, 0)))]
        m.d.comb += [self.updates.met.eq(coming[-1]),
                     self.updates.place.eq(delayed(m, place, KEY_ROUNDS, "place")),
                     self.updates.scalar.eq(delayed(m, item.index, KEY_ROUNDS, "index"))]
        return (coming[-1], *values), Cat(item.valid, *coming).any()

    def _beats(self, m, values):
        """One beat a term; returns whether there is one, or another is to come."""
        valid, first, second = values
        beat, value = self.operand.beat, self.operand.value
        waiting, later, flags = Signal(), Signal(WORD, reset_less=True), Signal(2)
        m.d.comb += flags.eq(Cat(first.any(), second.any()))
        m.d.sync += [beat.valid.eq(valid | waiting), waiting.eq(valid & self.paired)]
        with m.If(valid):
            m.d.sync += [beat.first.eq(1), beat.last.eq(~self.paired), beat.term.eq(0),
                         beat.scalars.eq(flags), beat.negative.eq(self.minus[0]),
                         beat.learn.eq(1), value.eq(first), later.eq(second)]
        with m.Else():
            m.d.sync += [beat.first.eq(0), beat.last.eq(1), beat.term.eq(1),
                         beat.negative.eq(self.minus[1]), value.eq(later)]
        return Cat(valid, waiting, beat.valid).any()
