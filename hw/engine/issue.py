"""Issue of a projection: one beat (a weight word and its operand) a cycle.

Broadcast direction (lanes are targets): for each block of the target, every non-zero rate of
the source once.  Rates come from the event memory (inputs), from words of state memory of which
zero lanes are skipped, or from a constant.  Dot direction (lanes are sources): for each target
unit, every block of the source.

Weight word ``base + block * rows + i``: both directions walk it by adding, no product is needed.
"""

from __future__ import annotations

from amaranth.hdl import Cat, Const, Module, Mux, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

from ..interface.config import EngineConfig
from ..interface.isa import Kind
from ..primitives.portable import select_chunk
from .memory import address_bits


def beat_layout(config: EngineConfig):
    """What travels with a beat down the pipeline of the lanes."""
    words = _side_bits(config)
    return data.StructLayout({
        "valid": 1,
        # First and last beat of one sum.
        "first": 1, "last": 1,
        "dot": 1, "negative": 1, "started": 1,
        # Accumulator words written and started from; the lane of it in dot direction.
        "into": words, "start": words, "lane": max(1, ceil_log2(config.lanes)),
        # Whether it is one of a weight update, of which term, which scalars are not 0.
        **({"learn": 1, "term": 1, "scalars": 2} if config.pipelined_learning else {}),
    })


def _side_bits(config):
    """Bits of the words that are counted with the blocks: sums, or both sides of an update."""
    bits = address_bits(config.accumulator_depth)
    return max(bits, address_bits(config.state_depth)) if config.serial_learning else bits


class ProjectionIssue(wiring.Component):
    """Turns one decoded PROJECT instruction into beats.

    Latency: first beat 2 (dot, constant), 2 + event latency (events) or 4 to 5 (state words) cycles
    after `start`.
    Throughput: one beat a cycle; 3 cycles are lost between blocks of events, and a state word
    takes at least 2.

    Members
    -------
    start : In(1)
        Takes the decoded operands (the other inputs).
    issuing : Out(1)
        High until the last beat is out.
    event_address, event_data : port of the event memory
    flags_address, flags_data : port of the memory of flags (latency 1)
        Which lanes of a state word are not zero.
    rate_word, rate_chunk, rate_data : port of the memory of state chunks (latency 1)
    beat : Out
        Control of the beat (`beat_layout`), registered.
    weight_address : Out
    value : Out(16)
        Scalar operand (broadcast).
    word : Out
        State word of the beat (dot); to be read one cycle before the weights arrive.
    useful : Out(7)
        Lanes with a real weight in this beat.
    learn : In(1)
        Walk the scalar side of a weight update: no beats, but items.
    item_valid : Out(1), item_index, item_value, item_other : Out(16)
        Scalar, its value and (of state words and the constant) that of a second vector.
    apart : In
        How many words behind the first vector the second one lies, modulo the depth.
    dense, paced : In(1)
        Items of zero value too (state words); one item in two cycles at most.
    advance, second : In(1), item_last, final : Out(1), side_word : Out
        Serial learning unit only.  An item stands from 4 cycles after `start` or `advance` until
        `advance`, and so does the address of its weights; all blocks of the lane side are walked.
        `second` shows the value in the second vector, 3 cycles later, and the lane-side word of
        term 1 instead of term 0 (both walk as accumulators do).  Last item of a block; last block.
    """

    def __init__(self, config: EngineConfig):
        self.config = config
        # Numbers of words: of state memory, and of the lane side of a matrix.
        self.block_bits = address_bits(max(config.state_depth, config.accumulator_depth) + 1)
        weights, states = address_bits(config.weight_depth), address_bits(config.state_depth)
        sides = _side_bits(config)
        super().__init__({
            "start": In(1), "dot": In(1), "negative": In(1), "started": In(1),
            "kind": In(2), "source": In(16), "source_blocks": In(10), "source_tail": In(7),
            "matrix": In(weights), "rows": In(16), "blocks": In(10), "tail": In(7),
            "into": In(sides), "from_": In(sides),
            "issuing": Out(1),
            "event_address": Out(address_bits(config.input_banks * config.event_depth)),
            "event_data": In(32),
            "flags_address": Out(states), "flags_data": In(config.lanes),
            "rate_word": Out(states), "rate_chunk": Out(6),
            "rate_data": In(16 * config.update_lanes),
            "beat": Out(beat_layout(config)), "weight_address": Out(weights), "value": Out(16),
            "word": Out(states), "useful": Out(7),
            "learn": In(1), "dense": In(1), "paced": In(1), "item_valid": Out(1),
            "item_index": Out(16), "item_value": Out(16), "item_other": Out(16),
            "apart": In(states), "advance": In(1), "second": In(1), "item_last": Out(1),
            "final": Out(1), "side_word": Out(sides)})

    def elaborate(self, platform):
        m = Module()
        active, dot = Signal(), Signal()
        # Blocks (broadcast) or rows (dot) that are left.
        left = Signal(max(len(self.matrix) + 1, self.block_bits))
        count = Mux(self.dot, self.rows, self.blocks)
        base, rows = Signal(len(self.matrix)), Signal(len(self.matrix) + 1)
        tail, last_block = Signal(7), Signal(self.block_bits)
        kind, source = Signal(2), Signal(16)
        control = Signal(self.beat.shape())
        fresh = Signal()
        # Word of a row in dot direction, and whether it is not the first one.
        self.block, self.block_begun = Signal(self.block_bits), Signal()
        item_valid, item_last = Signal(), Signal()
        item_index, item_value = Signal(16), Signal(16)

        self.kind_here, self.go, turn = kind, Signal(), Signal()
        # Whether an item that is there is done with.
        taken = Const(1)
        if self.config.serial_learning:
            taken = ~self.learn | self.advance
            m.d.comb += [self.go.eq(taken), self.item_last.eq(item_last),
                         self.side_word.eq(Mux(self.second, control.into, control.start))]
        else:
            m.d.comb += self.go.eq(~self.paced | turn)
            m.d.sync += turn.eq(~turn)
        m.d.comb += self.issuing.eq(active)
        m.d.sync += self.beat.valid.eq(0)
        with m.If(self.start):
            m.d.sync += [active.eq(1), dot.eq(self.dot), base.eq(self.matrix), rows.eq(self.rows),
                         tail.eq(self.tail), last_block.eq(self.blocks - 1), kind.eq(self.kind),
                         source.eq(self.source),
                         left.eq(count), self.final.eq(count == 1), fresh.eq(1),
                         control.dot.eq(self.dot), control.negative.eq(self.negative),
                         control.started.eq(self.started), control.into.eq(self.into),
                         control.start.eq(self.from_), control.lane.eq(0)]
        running = active & ~dot
        m.d.comb += [self.item_valid.eq(running & item_valid & self.learn),
                     self.item_index.eq(item_index), self.item_value.eq(item_value)]
        # In dot direction words of a row lie `rows` apart, in broadcast direction `item_index`
        # behind the first one of their block.
        start_of = Mux(dot & self.block_begun, self.weight_address, base)
        step = Mux(dot, Mux(self.block_begun, rows, 0), item_index)
        address = Signal.like(self.weight_address)
        m.d.comb += address.eq(start_of + step)
        # A broadcast item becomes a beat.
        with m.If(running & item_valid):
            m.d.sync += [self.beat.eq(control), self.beat.valid.eq(~self.learn),
                         self.beat.first.eq(fresh),
                         self.beat.last.eq(item_last), self.value.eq(item_value),
                         self.weight_address.eq(address), fresh.eq(item_last),
                         self.useful.eq(Mux(item_value == 0, 0,
                                            Mux(self.final, tail, self.config.lanes)))]
            with m.If(item_last & taken):
                m.d.sync += [base.eq(base + rows), left.eq(left - 1), self.final.eq(left == 2),
                             control.into.eq(control.into + 1), control.start.eq(control.start + 1)]
                with m.If(self.final):
                    m.d.sync += active.eq(0)
        items = [self._constant(m, running & (kind == Kind.CONSTANT), source),
                 self._events(m, running & (kind == Kind.EVENT), source, taken),
                 self._words(m)]
        with m.Switch(kind):
            for number, (valid, last, index, value) in zip(
                    (Kind.CONSTANT, Kind.EVENT, Kind.STATE), items, strict=True):
                with m.Case(number):
                    m.d.comb += [item_valid.eq(valid), item_last.eq(last), item_index.eq(index),
                                 item_value.eq(value)]
        self._dot(m, active & dot, base, address, left, last_block, tail, source, control, active)
        return m

    def _constant(self, m, running, source):
        return running, 1, 0, source

    def _events(self, m, running, source, taken):
        """Stream the event list once a block: address, memory; squash behind `last`."""
        pointer = Signal(len(self.event_address))
        # Which of the addresses on their way are meant.
        asked = Signal(self.config.event_latency)
        event, valid = self.event_data, asked[-1]
        m.d.comb += self.event_address.eq(pointer)
        asks = running if self.config.serial_learning else running & self.go
        m.d.sync += [asked.eq(Cat(asks, asked[:-1])), pointer.eq(pointer + self.go)]
        with m.If(~running | (valid & event[31] & taken)):
            m.d.sync += [asked.eq(0), pointer.eq(source)]
        with m.If(~running & self.start):
            m.d.sync += pointer.eq(self.source)
        return valid & running, event[31], event[16:31], event[:16]

    def _words(self, m):
        """Scan the flags of state words: fetch, pick the lowest lane, read its value.

        A pass that finds nothing gives one item of value 0, so that every sum is written.
        """
        lanes, bits = self.config.lanes, self.block_bits
        fetching, arrived = Signal(), Signal()
        passes, word_number = Signal(bits), Signal(bits)
        tail, last_word, source = Signal(7), Signal(bits), Signal(len(self.flags_address))
        valid, last = Signal(), Signal()
        word, mask = Signal(len(self.flags_address)), Signal(lanes)
        row = Signal(len(self.weight_address))
        low = Signal(lanes)
        go, serial = self.go, self.config.serial_learning
        if serial:
            # Goes on by itself where there is no item.
            go = go | ~(valid & (low.any() | last))
        # Fetch side: the memory shows a word until it is in `ahead`, which waits to be taken.
        take, next_last, fetch = Signal(), Signal(), Signal()
        ahead, ahead_mask = Signal(), Signal(lanes)
        ahead_last, ahead_word = Signal(), Signal(len(self.flags_address))
        m.d.comb += [self.flags_address.eq(source + word_number),
                     next_last.eq(word_number == last_word)]
        for lane in range(lanes):
            full = self.flags_data[lane] | self.dense
            with m.If(fetch):
                m.d.sync += ahead_mask[lane].eq(full & (~next_last | (tail > lane)))
        m.d.comb += fetch.eq(arrived & fetching & (~ahead | take))
        m.d.sync += [arrived.eq(fetching & ~fetch), ahead.eq(fetch | (ahead & ~take))]
        with m.If(fetch):
            m.d.sync += [ahead_last.eq(next_last), ahead_word.eq(self.flags_address)]
            m.d.sync += word_number.eq(word_number + 1)
            with m.If(next_last):
                m.d.sync += [word_number.eq(0), passes.eq(passes - 1)]
                with m.If(passes == 1):
                    m.d.sync += fetching.eq(0)
        # Pick side: one lane a cycle, the lowest first; `low` is the lowest one of `mask`.
        rest, coming = Signal(lanes), Signal(lanes)
        m.d.comb += rest.eq(mask & ~low)
        more = Signal()
        done = ~valid | ~more
        m.d.comb += [take.eq(ahead & done & go),
                     coming.eq(Mux(done, ahead_mask & ahead.replicate(lanes), rest))]
        with m.If(go):
            m.d.sync += [mask.eq(coming), low.eq(coming & ~(coming - 1)),
                     more.eq((coming & (coming - 1)).any())]
        with m.If(done & go):
            m.d.sync += valid.eq(0)
        with m.If(take):
            m.d.sync += [valid.eq(1), last.eq(ahead_last), word.eq(ahead_word),
                         row.eq(Mux(last, 0, row + lanes))]
        # Read side.  A pass without any rate gives one item of value 0: that of its lane 0.
        chosen = [Cat(*(low[lane] for lane in range(lanes) if lane >> bit & 1)).any()
                  for bit in range(max(1, ceil_log2(lanes)))]
        lane, item_valid, item_last = Cat(*chosen), valid & (low.any() | last), last & ~more
        second = self.second
        if not serial:
            item_valid, second = item_valid & go, self.paced & ~go
        if lanes > 8:  # far from the flags to the address otherwise
            lane, item_valid, item_last, word, row_here, second = (
                self._late(m, value, f"picked{i}") for i, value in
                enumerate((lane, item_valid, item_last, word, row, second)))
        else:
            row_here = row
        places = ceil_log2(self.config.update_lanes)
        # Of two terms the second is read in the cycle before.
        m.d.comb += [self.rate_word.eq(word + Mux(second, self.apart, 0)),
                     self.rate_chunk.eq(lane[places:])]
        value = select_chunk(self.rate_data, self._late(m, lane[:places], "place"), 16)
        m.d.comb += self.item_other.eq(Mux(self.kind_here == Kind.CONSTANT, self.item_value,
                                           self._late(m, value, "other")))
        item_index = self._late(m, (row_here + lane)[:len(row)], "item_index")
        item_valid = self._late(m, item_valid, "item_valid")
        item_last = self._late(m, item_last, "item_last")
        with m.If(self.start):
            m.d.sync += [fetching.eq((self.kind == Kind.STATE) & ~self.dot), passes.eq(self.blocks),
                         word_number.eq(0), source.eq(self.source),
                         last_word.eq(self.source_blocks - 1),
                         tail.eq(self.source_tail), last.eq(1), valid.eq(0), arrived.eq(0),
                         ahead.eq(0)]
        return item_valid, item_last, item_index, value

    @staticmethod
    def _late(m, value, name):
        late = Signal(len(value), name=name)
        m.d.sync += late.eq(value)
        return late

    def _dot(self, m, running, base, address, left, last_block, tail, source, control, active):
        """Rows of the target, blocks of the source; addresses walk by `rows` within a row."""
        block, begun, lanes = self.block, self.block_begun, self.config.lanes
        with m.If(self.start):
            m.d.sync += [block.eq(0), begun.eq(0)]
        with m.If(running):
            last = block == last_block
            m.d.sync += [self.beat.eq(control), self.beat.valid.eq(1),
                         self.beat.first.eq(~begun), self.beat.last.eq(last), begun.eq(~last),
                         self.weight_address.eq(address), self.word.eq(source + block),
                         self.useful.eq(Mux(last, tail, lanes)),
                         block.eq(block + 1)]
            with m.If(last):
                m.d.sync += [block.eq(0), base.eq(base + 1),
                             left.eq(left - 1), self.final.eq(left == 2),
                             control.lane.eq(control.lane + 1)]
                with m.If(control.lane == lanes - 1):
                    m.d.sync += [control.lane.eq(0), control.into.eq(control.into + 1),
                                 control.start.eq(control.start + 1)]
                with m.If(self.final):
                    m.d.sync += active.eq(0)
