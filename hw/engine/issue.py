"""Issue of a projection: one beat (a weight word and its operand) a cycle.

Broadcast direction (lanes are targets): for each block of the target, every non-zero rate of
the source once.  Rates come from the event memory (inputs), from words of state memory of which
zero lanes are skipped, from a constant, or from the queue of changes, from where each goes to all
blocks of the target before the next one is taken.  Dot direction (lanes are sources): for each
target unit, every block of the source.

Weight word ``base + block * rows + i``: both directions walk it by adding, no product is needed.
"""

from __future__ import annotations

from amaranth.hdl import Cat, Const, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ..interface.config import EngineConfig
from ..interface.isa import INDEX, LANE_BITS, WORD, Kind
from .ports import (
    DotSignature,
    ItemSignature,
    ItemsSignature,
    OperandSignature,
    ProjectionSignature,
    ReadSignature,
    WalkSignature,
    Widths,
)
from .stages import Stages


class ProjectionIssue(wiring.Component):
    """Turns one decoded PROJECT instruction into beats.

    Latency: first beat 2 (dot, constant), 2 + event latency (events) or 6 to 7 (state words) cycles
    after `start`.
    Throughput: one beat a cycle; 1 cycle and the event latency are lost after the first block of
    events, and a state word takes at least 2.

    Members
    -------
    operation : In(ProjectionSignature)
    issuing : Out(1)
        High until the last beat is out.
    events : Out(ReadSignature)
        Event memory.
    items : Out(ItemsSignature)
        The scan of state words.
    operand : Out(OperandSignature)
        The beat, registered.
    weight_address : Out
        Weight word of the beat.
    useful : Out(7)
        Lanes with a real weight in this beat.
    dot : Out(DotSignature)
        State word of a dot beat, asked one cycle before its weights arrive.
    walk : In(WalkSignature)
        Items of the scalar side for weight updates.
    changes : In(ItemSignature), take_change : Out(1)
        With a queue of changes only: its items; the one that is there is done with.
    reading : Out(1)
        State words may be read in the next cycle.
    unit_started, unit_issuing : In(1)
        An elementwise operation starts in the next cycle; chunks of one are left.
    """

    def __init__(self, config: EngineConfig):
        self.config = config
        widths = Widths(config)
        # Numbers of words: of state memory, and of the lane side of a matrix.
        self.block_bits = (max(config.state_depth, config.accumulator_depth)).bit_length()
        super().__init__({
            "operation": In(ProjectionSignature(config)), "issuing": Out(1),
            "events": Out(ReadSignature(widths.events, 32)),
            "items": Out(ItemsSignature(config)),
            "operand": Out(OperandSignature(config)), "weight_address": Out(widths.weights),
            "useful": Out(LANE_BITS + 1), "dot": Out(DotSignature(config)),
            "walk": In(WalkSignature(config)), "changes": In(ItemSignature()),
            "take_change": Out(1), "reading": Out(1), "unit_started": In(1),
            "unit_issuing": In(1)})

    def elaborate(self, platform):
        m = Module()
        walk = self.walk
        self.here = self._operation(m)
        operation = self.here
        #: The part of the beats that is one for a whole sum.
        self.control = control = Signal(self.operand.beat.shape())
        active, dot = Signal(), Signal()
        # Blocks (broadcast) or rows (dot) that are left.
        self.left = left = Signal(max(len(operation.matrix) + 1, self.block_bits))
        count = Mux(operation.dot, operation.rows, operation.blocks)
        self.base, rows = Signal(len(operation.matrix)), Signal(len(operation.matrix) + 1)
        tail, last_block = Signal(LANE_BITS + 1), Signal(self.block_bits)
        self.kind, source, fresh = Signal(2), Signal(INDEX), Signal()
        # Word of a row in dot direction, and whether it is not the first one.
        block, begun = Signal(self.block_bits), Signal()
        m.d.comb += [self.issuing.eq(active), walk.issuing.eq(active)]
        m.d.sync += self.operand.beat.valid.eq(0)
        with m.If(operation.start):
            m.d.sync += [active.eq(1), dot.eq(operation.dot), self.base.eq(operation.matrix),
                         rows.eq(operation.rows), tail.eq(operation.tail),
                         last_block.eq(operation.blocks - 1), self.kind.eq(operation.kind),
                         source.eq(operation.source), left.eq(count), walk.final.eq(count == 1),
                         fresh.eq(1), control.dot.eq(operation.dot),
                         control.negative.eq(operation.negative),
                         control.started.eq(operation.started), control.into.eq(operation.into),
                         control.start.eq(operation.begin), control.lane.eq(0),
                         block.eq(0), begun.eq(0)]
            if self.config.tiles > 1:
                m.d.sync += control.tile.eq(0)
        running, taken = active & ~dot, self._items(m, active & ~dot, source)
        self.dotting = active & dot
        if self.config.change_depth:
            self._changes(m, active & ~dot & (self.kind == Kind.CHANGES), fresh, tail, rows,
                          last_block, active)
            running = running & (self.kind != Kind.CHANGES)
        self.states = active & (self.kind == Kind.STATE)
        # In dot direction words of a row are `rows` apart, in broadcast direction the index of the
        # item after the first one of their block.
        start_of = Mux(dot & begun, self.weight_address, self.base)
        step = Mux(dot, Mux(begun, rows, 0), walk.item.index)
        address = Signal.like(self.weight_address)
        m.d.comb += address.eq(start_of + step)
        with m.If(running & self.found):
            self._broadcast(m, address, fresh, tail, taken, rows, active)
        word = Signal.like(self.dot.address)
        with m.If(active & dot):
            last = block == last_block
            m.d.sync += [begun.eq(~last), block.eq(Mux(last, 0, block + 1)),
                         word.eq(source + block)]
            self._dot(m, address, begun, last, tail, active)
        self._ask_words(m, word)
        return m

    def _operation(self, m):
        """The operands: of a weight update some are those of its unit."""
        config, walk = self.config, self.walk
        operation = ProjectionSignature(config).create()
        m.d.comb += [getattr(operation, name).eq(getattr(self.operation, name))
                     for name in operation.signature.members]
        if config.serial_learning:
            m.d.comb += operation.start.eq(self.operation.start | walk.start)
        elif config.learning:
            with m.If(walk.busy):
                m.d.comb += [operation.start.eq(walk.start), operation.dot.eq(0),
                             operation.blocks.eq(1)]
        return operation

    def _items(self, m, running, source):
        """Items from where the source is; returns whether one that is there is done with.

        `found` says that there is one; it becomes a beat, or an item of a weight update.
        """
        config, walk, operation, item = self.config, self.walk, self.here, self.walk.item
        self.learns, either, paced, self.found = (Signal(name=name) for name in (
            "learns", "either", "paced", "found"))
        apart = Signal.like(self.dot.address)
        if config.learning:
            # Operands stand still: registered, these are off the way to the memories.
            m.d.sync += [apart.eq(operation.other - operation.source), self.learns.eq(walk.busy),
                         either.eq(walk.busy & walk.paired),
                         paced.eq(walk.busy & (walk.paired | (config.weight_ports == 1)))]
        scan, found = self.items.scan, self.items.item
        go, taken, turn = Signal(), Const(1), Signal()
        if config.serial_learning:
            taken = ~self.learns | walk.advance
            m.d.comb += [go.eq(taken), scan.second.eq(walk.second),
                         walk.side.eq(Mux(walk.second, self.control.into, self.control.start))]
        else:
            m.d.comb += [go.eq(~paced | turn), scan.second.eq(paced & ~go)]
            m.d.sync += turn.eq(~turn)
        m.d.comb += [getattr(scan, name).eq(getattr(operation, name)) for name in (
            "start", "blocks", "source", "source_blocks", "source_tail")]
        m.d.comb += [scan.wanted.eq((operation.kind == Kind.STATE) & ~operation.dot),
                     scan.go.eq(go), scan.either.eq(either), scan.apart.eq(apart)]
        events = self._events(m, running & (self.kind == Kind.EVENT), source, taken, go)
        words = found.valid, found.last, found.index, found.value
        constant = running & (self.kind == Kind.CONSTANT), 1, 0, source
        with m.Switch(self.kind):
            for kind, (valid, last, index, value) in (
                    (Kind.CONSTANT, constant), (Kind.EVENT, events), (Kind.STATE, words)):
                with m.Case(kind):
                    m.d.comb += [self.found.eq(valid), item.last.eq(last), item.index.eq(index),
                                 item.value.eq(value)]
        m.d.comb += [item.valid.eq(running & self.found & self.learns),
                     item.other.eq(Mux(self.kind == Kind.CONSTANT, item.value, found.other))]
        return taken

    def _events(self, m, running, source, taken, go):
        """Stream the event list once a block: address, memory; squash after the first `last`.

        From then on its address is known, and the list goes round without a gap.
        """
        operation, pointer = self.here, Signal(len(self.events.address))
        # Which of the addresses on their way are meant.
        asked = Signal(self.config.event_latency)
        end, known, ends = Signal.like(pointer), Signal(), Signal()
        event, valid = self.events.data, asked[-1]
        m.d.comb += self.events.address.eq(pointer)
        asks = running if self.config.serial_learning else running & go
        m.d.sync += [asked.eq(Cat(asks, asked[:-1])), pointer.eq(pointer + go)]
        m.d.comb += ends.eq(valid & event[31] & taken)
        with m.If(~running | (ends & ~known) | (known & (pointer == end))):
            m.d.sync += pointer.eq(source)
        with m.If(~running | (ends & ~known)):
            # The pointer is ahead by what is on its way.
            m.d.sync += [asked.eq(0), known.eq(running & ~self.learns),
                         end.eq(pointer - self.config.event_latency)]
        with m.If(~running & operation.start):
            m.d.sync += pointer.eq(operation.source)
        return valid & running, event[31], event[WORD:31], event[:WORD]

    def _broadcast(self, m, address, fresh, tail, taken, rows, active):
        """An item becomes a beat."""
        operand, item, final, control = self.operand, self.walk.item, self.walk.final, self.control
        m.d.sync += [operand.beat.eq(control), operand.beat.valid.eq(~self.learns),
                     operand.beat.first.eq(fresh), operand.beat.last.eq(item.last),
                     operand.value.eq(item.value), self.weight_address.eq(address),
                     fresh.eq(item.last),
                     self.useful.eq(Mux(item.value == 0, 0,
                                        Mux(final, tail, self.config.width)))]
        with m.If(item.last & taken):
            m.d.sync += [self.base.eq(self.base + rows), self.left.eq(self.left - 1),
                         final.eq(self.left == 2), control.into.eq(control.into + 1),
                         control.start.eq(control.start + 1)]
            with m.If(final):
                m.d.sync += active.eq(0)

    def _dot(self, m, address, begun, last, tail, active):
        """Rows of the target, blocks of the source; addresses walk by `rows` within a row."""
        config, operand, final, control = (self.config, self.operand, self.walk.final,
                                           self.control)
        m.d.sync += [operand.beat.eq(control), operand.beat.valid.eq(1),
                     operand.beat.first.eq(~begun), operand.beat.last.eq(last),
                     self.weight_address.eq(address), self.useful.eq(Mux(last, tail, config.width))]
        with m.If(last):
            m.d.sync += [self.base.eq(self.base + 1), self.left.eq(self.left - 1),
                         final.eq(self.left == 2), control.lane.eq(control.lane + 1)]
            whole = control.lane == config.lanes - 1
            if config.tiles > 1:
                with m.If(whole):
                    m.d.sync += [control.lane.eq(0), control.tile.eq(control.tile + 1)]
                whole = whole & (control.tile == config.tiles - 1)
                with m.If(whole):
                    m.d.sync += control.tile.eq(0)
            with m.If(whole):
                m.d.sync += [control.lane.eq(0), control.into.eq(control.into + 1),
                             control.start.eq(control.start + 1)]
            with m.If(final):
                m.d.sync += active.eq(0)

    def _changes(self, m, running, fresh, tail, rows, last_block, active):
        """Items of the queue: a beat for each block of the target.

        A sum that has one block is kept in the lanes until the last item; of several blocks each
        beat begins and ends a sum, which may be read again three beats later.  An item of value 0
        says that no more has changed; it is a beat only where a sum is to be written yet.
        """
        operand, item, control, operation = self.operand, self.changes, self.control, self.here
        held, seen, several, over = Signal(), Signal(), Signal(), Signal()
        block, into, begin = Signal(self.block_bits), *(
            Signal.like(control.into, name=name) for name in ("into", "begin"))
        copies, nothing = Signal(), Signal()
        end = Signal(self.block_bits)
        with m.If(operation.start):
            m.d.sync += [held.eq(operation.held), seen.eq(0), block.eq(0),
                         several.eq(operation.blocks != 1), into.eq(operation.into),
                         begin.eq(operation.begin), copies.eq(
                             (operation.into != operation.begin) | ~operation.started),
                         end.eq(Mux(operation.blocks == 1, 0, Mux(
                             operation.blocks == 2, 2, operation.blocks - 1)))]
        with m.If(self.unit_started):
            m.d.sync += seen.eq(1)
        waits = item.last & held & ~(seen & ~self.unit_issuing)
        # A dot sum takes so much longer that a beat behind it would overtake it.
        table = Stages(self.config)
        longer = table.dot - table.product
        apart = Signal(range(longer + 1))
        m.d.sync += apart.eq(Mux(self.dotting, longer, Mux(apart == 0, 0, apart - 1)))
        go, first = running & item.valid & ~waits & (apart == 0), block == 0
        done = (block == end) | nothing
        m.d.comb += [over.eq(block > last_block), self.take_change.eq(go & done),
                     nothing.eq((item.value == 0) & ~(fresh & copies) & (fresh | several))]
        with m.If(go):
            m.d.sync += [
                operand.beat.eq(control), operand.beat.valid.eq(~over & ~nothing),
                operand.beat.first.eq(several | fresh), operand.beat.last.eq(several | item.last),
                operand.beat.started.eq(control.started | ~fresh),
                operand.beat.into.eq(into + block),
                operand.beat.start.eq(Mux(fresh, begin, into) + block),
                operand.value.eq(item.value),
                self.weight_address.eq(Mux(first, self.base, self.weight_address)
                                       + Mux(first, item.index, rows)),
                block.eq(block + 1),
                self.useful.eq(Mux(item.value == 0, 0,
                                   Mux(block == last_block, tail, self.config.width)))]
            with m.If(done):
                m.d.sync += [block.eq(0), fresh.eq(0)]
                with m.If(item.last):
                    m.d.sync += active.eq(0)

    def _ask_words(self, m, word):
        """The state word of a dot beat is asked one cycle before its weights arrive."""
        wanted = self.operand.beat.valid & self.operand.beat.dot
        # Whoever shares the memory of states is told one cycle before.
        asks = [self.states, wanted]
        for i in range(self.config.weight_latency - 1):
            late, late_wanted = Signal.like(word, name=f"word{i}"), Signal(name=f"wanted{i}")
            m.d.sync += [late.eq(word), late_wanted.eq(wanted)]
            word, wanted = late, late_wanted
            asks.append(wanted)
        m.d.comb += self.reading.eq(Cat(*asks).any())
        m.d.comb += [self.dot.address.eq(word), self.dot.wanted.eq(wanted)]
