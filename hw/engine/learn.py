"""Weight updates: outer products added to a matrix with stochastic rounding, one word a beat.

Implements :class:`~apical.golden.program.Learn` behind its scaled factors.  One side of the matrix
is walked as in a broadcast projection (the *scalar side*: events, state words, the constant), the
other lies in the lanes.  The lanes multiply a word of the lane side by a scalar instead of weights,
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

from amaranth.hdl import Cat, Const, Module, Mux, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from ...golden.numbers.addressed import KEY_ROUNDS
from ..interface.config import EngineConfig
from ..primitives.portable import delayed
from .issue import beat_layout
from .memory import address_bits
from .mixing import CROSS_LATENCY, CrossUnit, Hash, mix_written


class LearnUnit(wiring.Component):
    """Runs LEARN instructions.

    Throughput: one weight word a cycle with one term, one each two cycles with two.  Beside them a
    block costs its units and about 10 cycles, the first one 20.

    Members
    -------
    start : In(1)
        Takes the operands, which must stand still until `closing`; the key, while `busy`.
    two, turned : In(1), negative : In(2)
        Fields of the instruction.
    matrix, rows, blocks, tail, number : In
        Matrix descriptor.
    key : In(32)
        Operation key.
    lane_bases : In(2 * state address)
        Words of the lane sides.
    paired, swapped : Out(1)
        `two` and `turned` of the update that runs.
    closing : Out(1)
        All items have been issued: the next instruction may be decoded.
    busy, signing : Out(1)
        Weights are still to be written; what was written is on its way to the signature.
    start_issue : Out(1), issuing : In(1), item_* : In
        The issue of projections, which walks the scalar side of term 0 for one block.
    word_address : Out, word : In(16 * P)
        Port of the state memory, latency 1; what is read meets the beat in the lanes.
    beat : Out(beat_layout), value : Out(16)
        Stage 0 of the lanes.
    begin : Out(width * P)
        Where a sum starts, stage S.
    weights : In(16 * P)
        What was read, stage S.
    last : In(1), totals : In(width * P), lanes_busy : In(1)
        Sums, stage S + 1.
    read_address, write_address : Out, write : Out(1), write_data : Out(16 * P)
    mixed : Out(32), written, clipped : Out(7)
        What a write adds to the signature and to the counts; 0 in other cycles.
    mask : Out(P), scalar : Out(16), first : Out(16)
        Lanes, scalar and first lane-side unit of the write (trace).
    """

    def __init__(self, config: EngineConfig):
        self.config = config
        lanes, width = config.lanes, config.accumulator_width
        states, weights = address_bits(config.state_depth), address_bits(config.weight_depth)
        super().__init__({
            "start": In(1), "two": In(1), "turned": In(1), "negative": In(2),
            "matrix": In(weights), "rows": In(16), "blocks": In(10), "tail": In(7),
            "key": In(32), "lane_bases": In(data.ArrayLayout(states, 2)),
            "paired": Out(1), "swapped": Out(1), "closing": Out(1),
            "busy": Out(1), "signing": Out(1), "start_issue": Out(1), "issuing": In(1),
            "item_valid": In(1), "item_index": In(16), "item_value": In(16),
            "item_other": In(16),
            "word_address": Out(states), "word": In(16 * lanes),
            "beat": Out(beat_layout(config)), "value": Out(16),
            "begin": Out(width * lanes), "weights": In(16 * lanes),
            "last": In(1), "flags": In(2), "totals": In(width * lanes), "lanes_busy": In(1),
            "read_address": Out(weights), "write_address": Out(weights), "write": Out(1),
            "write_data": Out(16 * lanes), "mixed": Out(32), "written": Out(7), "clipped": Out(7),
            "mask": Out(lanes), "scalar": Out(16), "first": Out(16)})

    def elaborate(self, platform):
        m = Module()
        config = self.config
        self.stage = config.weight_latency + config.multiplier_latency
        # Where there is time, the random word is registered before it meets the old weight.
        self.ahead = int(self.stage > CROSS_LATENCY)
        # What the last beats and writes look at, when the next instruction is decoded already.
        self.minus = Signal(2)
        with m.If(self.start):
            m.d.sync += [self.paired.eq(self.two), self.swapped.eq(self.turned),
                         self.minus.eq(self.negative)]
        m.submodules.hash = self.hash = Hash()
        m.d.comb += self.hash.key.eq(self.key)
        # What is one for a block: place of its words, the mix of its lane-side units, which of
        # them there are and are not 0.
        self.base = Signal(len(self.matrix))
        self.lane_mix = Signal(data.ArrayLayout(32, config.lanes), reset_less=True)
        self.inside, self.full = Signal(config.lanes), Signal(data.ArrayLayout(config.lanes, 2))
        drained = Signal()
        fill, at, unit = self._blocks(m, drained)
        self._fill(m, fill, at, unit)
        values, place, index, coming = self._items(m)
        sent = self._beats(m, values, place, index)
        write, signing = self._write(m, sent)
        m.d.comb += [drained.eq(~(coming | sent["busy"] | self.lanes_busy | write)),
                     self.signing.eq(signing)]
        return m

    def _blocks(self, m, drained):
        """Walk the blocks of the lane side; returns (fill, lane, unit) of the block ahead."""
        lanes = self.config.lanes
        left, block, at = Signal(10), Signal(len(self.word_address)), Signal(range(lanes + 1))
        limit, fill, term = Signal(7), Signal(), Signal()
        coming, places = (Signal(data.ArrayLayout(len(self.word_address), 2), name=name)
                          for name in ("coming", "places"))
        fresh, ahead, wait = Signal(), Signal(16), Signal(range(max(2, self.stage)))
        # The unit whose mix is asked for; all of a block have passed when the next one begins.
        unit = Signal(16)
        m.d.comb += [self.word_address.eq(places[term]),
                     term.eq(delayed(m, self.beat.term, self.config.weight_latency - 1, "term"))]
        # These stand still for long before they are needed.
        m.d.sync += [coming[i].eq(self.lane_bases[i] + block) for i in range(2)]
        there = Signal(lanes)
        m.d.sync += [there[lane].eq(limit > lane) for lane in range(lanes)]
        with m.FSM() as machine:
            with m.State("IDLE"):
                m.d.sync += at.eq(0)
                with m.If(self.start):
                    m.d.sync += [left.eq(self.blocks), block.eq(0), self.first.eq(0), ahead.eq(0),
                                 unit.eq(0), fill.eq(1),
                                 limit.eq(Mux(self.blocks == 1, self.tail, lanes)),
                                 self.base.eq(self.matrix), fresh.eq(1)]
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
                        m.d.sync += [self.first.eq(ahead), self.base.eq(self.base + self.rows)]
                    m.d.sync += [places.eq(coming), self.inside.eq(there)]
                    m.next = "READ0"
            with m.State("READ0"):
                m.d.comb += [term.eq(0), self.start_issue.eq(1)]
                m.next = "READ1"
            with m.State("READ1"):
                m.d.comb += term.eq(1)
                m.d.sync += self.full[0].eq(self._not_zero())
                m.next = "READ2"
            with m.State("READ2"):
                m.d.sync += self.full[1].eq(self._not_zero() & self.paired.replicate(lanes))
                m.next = "RUN"
            with m.State("RUN"):
                with m.If(~self.issuing):
                    m.d.sync += [left.eq(left - 1), ahead.eq(ahead + lanes), fresh.eq(0),
                                 limit.eq(Mux(left == 2, self.tail, lanes)),
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
        number = Signal(16)
        m.d.comb += [number.eq(Mux(fill, unit, self.item_index)),
                     self.hash.valid.eq(fill | self.item_valid),
                     self.hash.word.eq(Cat(number, fill ^ self.swapped))]
        filled = delayed(m, fill, KEY_ROUNDS, "fill")
        place = delayed(m, at, KEY_ROUNDS, "place")
        for lane in range(self.config.lanes):
            with m.If(filled & (place == lane)):
                m.d.sync += self.lane_mix[lane].eq(self.hash.result)

    def _not_zero(self):
        """Units of the word that was read that are there and not 0."""
        return Cat(self.word.word_select(lane, 16).any()
                   for lane in range(self.config.lanes)) & self.inside

    def _items(self, m):
        """Items beside their mix: values of both terms, place of the weight word, scalar."""
        place = Signal(len(self.matrix))
        m.d.comb += place.eq(self.base + self.item_index)
        coming = self._kept(m, self.item_valid, KEY_ROUNDS, "coming")
        values = [delayed(m, value, KEY_ROUNDS, name) for name, value in (
            ("first", self.item_value), ("second", Mux(self.paired, self.item_other, 0)))]
        return ((coming[-1], *values), delayed(m, place, KEY_ROUNDS, "place"),
                delayed(m, self.item_index, KEY_ROUNDS, "index"),
                Cat(self.item_valid, *coming).any())

    def _beats(self, m, values, place, index):
        """One beat a term; the mix of the scalar arrives where `Cross` begins."""
        valid, first, second = values
        beat, value = self.beat, self.value
        waiting, later, flags = Signal(), Signal(16, reset_less=True), Signal(2)
        mix, at, scalar = (Signal(bits, name=name, reset_less=True) for bits, name in (
            (32, "mix"), (len(place), "at"), (16, "scalar")))
        m.d.comb += flags.eq(Cat(first.any(), second.any()))
        m.d.sync += [beat.valid.eq(valid | waiting), waiting.eq(valid & self.paired)]
        with m.If(valid):
            # The second term finds mix and place of the first.
            m.d.sync += [beat.first.eq(1), beat.last.eq(~self.paired), beat.term.eq(0),
                         beat.scalars.eq(flags), beat.negative.eq(self.minus[0]),
                         beat.learn.eq(1), value.eq(first), later.eq(second),
                         mix.eq(self.hash.result), at.eq(place), scalar.eq(index)]
        with m.Else():
            m.d.sync += [beat.first.eq(0), beat.last.eq(1), beat.term.eq(1),
                         beat.negative.eq(self.minus[1]), value.eq(later)]
        # The random word meets its beat at stage S.
        return {"busy": Cat(valid, waiting, self.beat.valid).any(), "place": at, "scalar": scalar,
                "mix": delayed(m, mix, self.stage - CROSS_LATENCY - self.ahead, "mix")}

    @staticmethod
    def _kept(m, flag, cycles, name):
        kept = []
        for i in range(cycles):
            late = Signal(name=f"{name}{i}")
            m.d.sync += late.eq(flag)
            flag = late
            kept.append(late)
        return kept

    def _write(self, m, sent):
        """Random words, start of the sums, new weights, their signature.

        Returns whether a word is written, and whether writes are on their way to the signature.
        """
        config = self.config
        lanes, width, weight, drop = (config.lanes, config.accumulator_width, config.weight,
                                      config.drop)
        read_stage = config.multiplier_latency
        address = delayed(m, sent["place"], read_stage, "read_at")
        m.d.comb += self.read_address.eq(address)
        # A second term ends one cycle later
        write_at = delayed(m, address, self.stage + 2 - read_stage, "write_at")
        # (and of one port keeps to the cycles that reads leave).
        more = 1 + (config.weight_ports == 1)
        write_late = delayed(m, write_at, more, "write_late")
        scalar = delayed(m, sent["scalar"], self.stage + 2, "trace_at")
        scalar_late = delayed(m, scalar, more, "trace_late")
        m.d.comb += [self.write_address.eq(Mux(self.paired, write_late, write_at)),
                     self.scalar.eq(Mux(self.paired, scalar_late, scalar))]
        write = Signal()
        flags = Signal(2)
        late, late_flags, pending = self.last, self.flags, write
        if config.weight_ports == 1:
            after = delayed(m, late, 1, "last_late")
            pending, late = pending | after, Mux(self.paired, after, late)
            late_flags = Mux(self.paired, delayed(m, late_flags, 1, "flags_late"), late_flags)
        m.d.sync += [write.eq(late), flags.eq(late_flags)]
        m.d.comb += self.write.eq(write)
        # Of one port a write may wait.
        taken = self.last if config.weight_ports == 1 else Const(1)
        mixed, clips = [], []
        for lane in range(lanes):
            m.submodules[f"cross{lane}"] = cross = CrossUnit()
            m.d.comb += [Cat(cross.b, cross.a).eq(sent["mix"]),
                         Cat(cross.d, cross.c).eq(self.lane_mix[lane])]
            word = Const(0, 1) if drop == 0 else cross.y
            below = Cat(Const(0, drop - 16), word) if drop >= 16 else word[16 - drop:]
            below = delayed(m, below, self.ahead, f"below_{lane}")
            old = self.weights.word_select(lane, 16).as_signed()[:weight.width].as_signed()
            m.d.comb += self.begin.word_select(lane, width).eq(Cat(below, old).as_signed())
            # The random word of an element stays for its signature.
            x, y = (delayed(m, half, 1 + self.ahead, f"{name}_{lane}_")
                    for name, half in (("x", cross.x), ("y", cross.y)))
            late_x, late_y = (Signal(16, name=f"{name}_{lane}", reset_less=True)
                              for name in ("late_x", "late_y"))
            total = self.totals.word_select(lane, width).as_signed() >> drop
            wide, clip = Signal.like(total, name=f"wide_{lane}"), Signal(name=f"clip_{lane}")
            m.d.comb += wide.eq(total)
            negative = wide[-1]
            over = Mux(negative, ~wide[weight.width - 1:].all(), wide[weight.width - 1:].any())
            ends = Mux(negative, weight.min, weight.max)
            new = Signal(16, name=f"new_{lane}", reset_less=True)
            with m.If(taken):
                # Padding weights must stay 0, whatever lies in the padding of states.
                m.d.sync += [new.eq(Mux(over, ends, wide[:16].as_signed())
                                    & self.inside[lane].replicate(16)), clip.eq(over),
                             late_x.eq(x), late_y.eq(y)]
            mask = (flags[0] & self.full[0][lane]) | (flags[1] & self.full[1][lane])
            m.d.comb += [self.mask[lane].eq(mask & write),
                         self.write_data.word_select(lane, 16).eq(new)]
            word = Signal(16, name=f"mixed_{lane}", reset_less=True)
            m.d.sync += word.eq(mix_written(late_x, late_y, new)
                                & self.mask[lane].replicate(16))
            mixed.append(word)
            clips.append(clip & self.mask[lane])
        # Two cycles later, to be short of the adders behind.
        for total, flags_of in ((self.written, self.mask), (self.clipped, Cat(*clips))):
            late = delayed(m, flags_of, 1, "counted")
            m.d.sync += total.eq(sum(late[1:], late[0]) if lanes > 1 else late)
        stages = 1
        while len(mixed) > 1:
            mixed = [(mixed[i] + mixed[i + 1]) if i + 1 < len(mixed) else mixed[i]
                     for i in range(0, len(mixed), 2)]
            mixed = [delayed(m, word, 1, f"sum{stages}_{i}") for i, word in enumerate(mixed)]
            stages += 1
        m.d.comb += self.mixed.eq(mixed[0])
        signing = self._kept(m, write, stages, "signing")
        return pending, Cat(*signing).any()
