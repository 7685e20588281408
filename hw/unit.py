"""Elementwise operations on Q units a cycle: relaxation update, sweep, copies, decision.

Stages::

    0  words of state a, state b and sums asked (block counter)
    1  words arrive; the chunk of Q lanes is selected
    2  chunk: leak, nudge aligned
    3  force T
    4  T shifted, added, rounded, clipped
    5  new value: written, traced, measured
    6  greatest |du| (or greatest value) of the chunk
"""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Mux, Signal, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

from ..golden.program import RATE_SHIFT
from .config import EngineConfig
from .fixed import halves_shift_by
from .isa import Limits, Mode
from .lanes import Multiplier
from .memory import address_bits

#: Cycles from the issue of a chunk to its write.
WRITE_STAGE = 5


#: What is one for all chunks of an operation; `word` is the first word that is written.
_CONTROL = data.StructLayout({
    "word": 12, "number": 8, "mode": 3, "nudge": 1, "nudge_negative": 1, "plain": 1, "negate": 1,
    "silent": 1, "factor": 16, "shift": 3, "nudge_shift": 4, "limits": 2})


class UnitPipeline(wiring.Component):
    """Issue and pipeline of UNIT instructions.

    Latency: a chunk is written `WRITE_STAGE` cycles after it is issued; the first is issued 1 cycle
    after `start`.  Throughput: Q units a cycle.

    Members
    -------
    start : In(1)
        Takes the decoded operands.
    issuing, busy : Out(1)
    key_slot : In(1)
        Which of two operation keys the writes use (travels with them).
    chunk_select : Out(6)
        Chunk wanted of the words at stage 1.
    state_a, state_b, sums : In
        Chunks of Q lanes, registered (stage 2).
    a_address, b_address, sum_address : Out
        Stage 0; `reading` says when they are meant.
    write_valid : Out(Q)
        Lanes that are written, with `write_word`, `write_chunk`, `write_values`, `write_unit`
        (first unit), `write_number` (vector) and `write_slot` (key).
    write_counted : Out(Q)
        Those that count, are signed and traced: all but silent ones.
    clipped : Out(range(Q + 1))
        How many of them were clipped.
    moved : Out(16), clear_moved : In(1)
        Greatest |du| since it was cleared.
    winner : Out(16)
        Unit of the greatest value of the last DECIDE.
    """

    def __init__(self, config: EngineConfig):
        self.config = config
        states, sums = address_bits(config.state_depth), address_bits(config.accumulator_depth)
        quick = config.update_lanes
        super().__init__({
            "start": In(1), "mode": In(3), "nudge": In(1), "nudge_negative": In(1),
            "plain": In(1), "negate": In(1), "silent": In(1), "factor": In(16),
            "shift": In(3), "nudge_shift": In(4), "limits": In(2), "number": In(8),
            "a": In(states), "b": In(states), "c": In(sums), "t": In(states),
            "blocks": In(10), "tail": In(7), "key_slot": In(1),
            "issuing": Out(1), "busy": Out(1), "issue": Out(1), "chunk_select": Out(6),
            "a_address": Out(states), "b_address": Out(states), "sum_address": Out(sums),
            "b_chunk": Out(6),
            "state_a": In(16 * quick), "state_b": In(16 * quick),
            "sums": In(config.accumulator_width * quick),
            "write_valid": Out(quick), "write_counted": Out(quick), "write_word": Out(states),
            "write_chunk": Out(6),
            "write_values": Out(16 * quick), "write_unit": Out(16), "write_number": Out(8),
            "write_slot": Out(1), "clipped": Out(range(quick + 1)),
            "moved": Out(16), "clear_moved": In(1), "winner": Out(16)})

    def elaborate(self, platform):
        m = Module()
        quick = self.config.update_lanes
        # What is one for a whole operation lies in two slots, used in turn: operations start at
        # least 6 cycles apart, so that at most two are in the pipeline.
        self.slots = [Signal(_CONTROL, name=f"slot{i}") for i in range(2)]
        with m.If(self.start):
            for i, slot in enumerate(self.slots):
                with m.If(self.key_slot == i):
                    m.d.sync += [slot[name].eq(getattr(self, name)) for name in _CONTROL.members
                                 if name != "word"]
                    m.d.sync += slot.word.eq(self.t)
        layout = data.StructLayout({"lanes": quick, "slot": 1, "first": 1, "turn": 1})
        issued, chunk = self._issue(m, layout)
        stages = [issued]
        for i in range(1, WRITE_STAGE + 1):
            late = Signal(layout, name=f"stage{i}")
            m.d.sync += late.eq(stages[-1])
            stages.append(late)
        m.d.sync += self.chunk_select.eq(chunk)
        m.d.comb += self.issue.eq(issued.lanes[0])
        lanes = [self._lane(m, lane, stages) for lane in range(quick)]
        out = stages[WRITE_STAGE]
        self._walk(m, stages)
        mode = self._of(out, "mode")
        writes = (mode != Mode.DECIDE).replicate(quick)
        m.d.comb += self.write_counted.eq(self.write_valid
                                          & ~self._of(out, "silent").replicate(quick))
        m.d.comb += [self.write_valid.eq(out.lanes & writes),
                     self.write_number.eq(self._of(out, "number")),
                     self.write_slot.eq(out.slot),
                     self.write_values.eq(Cat(*(value.as_unsigned() for value, _, _ in lanes)))]
        clips = [clip & self.write_counted[lane] for lane, (_, _, clip) in enumerate(lanes)]
        m.d.comb += self.clipped.eq(sum(clips[1:], clips[0]))
        late = self._measure(m, out, mode, lanes)
        m.d.comb += self.busy.eq(Cat(*(stage.lanes[0] for stage in stages), late).any())
        return m

    def _of(self, stage, name):
        """What the operation at a stage has under a name."""
        first, second = (slot[name] for slot in self.slots)
        return Mux(stage.slot, second, first)

    def _issue(self, m, layout):
        """Walk blocks and chunks."""
        lanes, quick = self.config.lanes, self.config.update_lanes
        left, tail, limit = Signal(10), Signal(7), Signal(7)
        a, b, c = (Signal.like(port) for port in (self.a, self.b, self.c))
        chunk, slot, first = Signal(6), Signal(), Signal()
        issued = Signal(layout)
        unit = chunk << ceil_log2(quick)
        m.d.comb += [limit.eq(Mux(left == 1, tail, lanes)), self.issuing.eq(left != 0),
                     self.a_address.eq(a), self.b_address.eq(b), self.sum_address.eq(c),
                     self.b_chunk.eq(chunk), issued.slot.eq(slot), issued.first.eq(first),
                     issued.turn.eq(unit + quick >= limit)]
        for lane in range(quick):
            m.d.comb += issued.lanes[lane].eq((left != 0) & (unit + lane < limit))
        with m.If(self.start):
            m.d.sync += [left.eq(self.blocks), tail.eq(self.tail), chunk.eq(0), first.eq(1),
                         a.eq(self.a), b.eq(self.b), c.eq(self.c), slot.eq(self.key_slot)]
        with m.Elif(left != 0):
            m.d.sync += first.eq(0)
            with m.If(issued.turn):
                m.d.sync += [chunk.eq(0), left.eq(left - 1), a.eq(a + 1), b.eq(b + 1), c.eq(c + 1)]
            with m.Else():
                m.d.sync += chunk.eq(chunk + 1)
        return issued, chunk

    def _walk(self, m, stages):
        """Word, chunk and unit that are written: walked again rather than carried along."""
        lanes, quick = self.config.lanes, self.config.update_lanes
        before, out = stages[WRITE_STAGE - 1:]
        chunk = Signal(range(max(2, -(-lanes // quick))))
        last_step = lanes - (-(-lanes // quick) - 1) * quick
        m.d.comb += self.write_chunk.eq(chunk)
        with m.If(before.lanes[0] & before.first):
            m.d.sync += [self.write_word.eq(self._of(before, "word")), chunk.eq(0),
                         self.write_unit.eq(0)]
        with m.Elif(out.lanes[0]):
            m.d.sync += [chunk.eq(Mux(out.turn, 0, chunk + 1)),
                         self.write_word.eq(self.write_word + out.turn),
                         self.write_unit.eq(self.write_unit + Mux(out.turn, last_step, quick))]

    def _lane(self, m, lane, stages):
        """One update lane from stage 2 on; returns (value, |du|, clipped) at stage 5."""
        config = self.config
        width, frac = config.accumulator_width, config.weight.frac

        def register(shape, value, name):
            signal = Signal(shape, name=f"{name}_{lane}")
            m.d.sync += signal.eq(value)
            return signal

        a = self.state_a.word_select(lane, 16).as_signed()
        b = self.state_b.word_select(lane, 16).as_signed()
        current = self.sums.word_select(lane, width).as_signed()
        # Stage 2 -> 3; `kept` is what a mode that does not move writes.
        mode = self._of(stages[2], "mode")
        leaky = register(signed(width + 1), current - Mux(mode == Mode.RELAX, a << frac, 0),
                         "leaky")
        kept = register(signed(17), a - Mux(mode == Mode.SUBTRACT, b, 0), "kept3")
        nudged = self._of(stages[2], "nudge")
        pull = b - Mux(self._of(stages[2], "plain"), 0, a)
        aligned = (Mux(nudged, pull, 0) << self._of(stages[2], "nudge_shift"))[:32]
        minus = self._of(stages[2], "nudge_negative") & nudged
        aligned = register(signed(32), aligned ^ minus.replicate(32), "aligned")
        minus = register(1, minus, "minus")
        if config.learning:
            m.submodules[f"scale{lane}"] = scale = Multiplier(1, config.primitives)
            m.d.comb += [scale.a.eq(a), scale.b.eq(self._of(stages[2], "factor").as_signed())]
        # Stage 3 -> 4; nothing moves in other modes.
        mode = self._of(stages[3], "mode")
        moves = (mode == Mode.RELAX) | (mode == Mode.ASSIGN)
        # leaky - x is leaky + ~x + 1; the 1 goes into the carry.
        force = (Cat(1, leaky).as_signed() + Cat(minus, aligned).as_signed()) >> 1
        force = Mux(moves, force, 0)
        if config.learning:
            force = Mux(mode == Mode.SCALE, scale.product << max(0, frac - RATE_SHIFT), force)
        force = register(signed(width + 2), force, "force")
        kept = register(signed(17), kept, "kept4")
        # Stage 4 -> 5: shift, add, round by the carry, clip
        halves = halves_shift_by(m, force, self._of(stages[4], "shift"), frac - 1, frac + 6,
                                 f"move_{lane}")
        mode = self._of(stages[4], "mode")
        halves = halves ^ self._of(stages[4], "negate").replicate(len(halves))
        start = Mux((mode == Mode.ASSIGN) | (mode == Mode.CLEAR) | (mode == Mode.SCALE), 0, kept)
        wide = Signal(signed(max(len(halves), 18) + 1), name=f"wide_{lane}")
        m.d.comb += wide.eq((Cat(1, start).as_signed() + halves.as_signed()) >> 1)
        value, clip = self._clip(wide, self._of(stages[4], "limits"))
        moved = Signal(signed(17), name=f"moved_{lane}")
        new = register(signed(16), value, "new")
        old = register(signed(16), kept, "old")
        m.d.comb += moved.eq(new - old)
        return new, Mux(moved < 0, -moved, moved), register(1, clip, "clip")

    def _clip(self, wide, code):
        """(value, whether it was clipped): ranges end at powers of two, so bits tell, not sums."""
        state = self.config.state
        one, top = state.frac, state.width - 1
        negative = wide[-1]
        over_one = ~negative & (wide[one + 1:].any() | (wide[one] & wide[:one].any()))
        under_one = negative & ~wide[one:].all()
        over, under = ~negative & wide[top:].any(), negative & ~wide[top:].all()
        unit, symmetric = code == Limits.UNIT, code == Limits.SYMMETRIC
        above = Mux(unit | symmetric, over_one, over)
        below = Mux(unit, negative, Mux(symmetric, under_one, under))
        high = Mux(unit | symmetric, state.one, state.max)
        low = Mux(unit, 0, Mux(symmetric, -state.one, state.min))
        return Mux(below, low, Mux(above, high, wide[:16].as_signed())), below | above

    def _measure(self, m, out, mode, lanes):
        """Greatest |du| of updates; greatest value (the first of equals) of a decision."""
        deciding = mode == Mode.DECIDE
        updating = (mode == Mode.RELAX) | (mode == Mode.ASSIGN)
        pairs = []
        for lane, (value, moved, _) in enumerate(lanes):
            # Offset binary orders signed values; +1 keeps every real lane above a missing one.
            rank = (value.as_unsigned() ^ 0x8000) + 1
            score = Signal(17, name=f"score_{lane}")
            m.d.comb += score.eq(Mux(out.lanes[lane] & (deciding | updating),
                                     Mux(deciding, rank, moved), 0))
            pairs.append((score, lane))
        while len(pairs) > 1:
            merged = []
            for i in range(0, len(pairs) - 1, 2):
                (left, left_lane), (right, right_lane) = pairs[i], pairs[i + 1]
                later = right > left
                merged.append((Mux(later, right, left), Mux(later, right_lane, left_lane)))
            pairs = merged + ([pairs[-1]] if len(pairs) % 2 else [])
        best, unit, decides, counts, starts = (Signal(17), Signal(16), Signal(), Signal(), Signal())
        m.d.sync += [best.eq(pairs[0][0]), unit.eq(self.write_unit + pairs[0][1]),
                     decides.eq(deciding & out.lanes[0]), counts.eq(updating & out.lanes[0]),
                     starts.eq(out.first)]
        record = Signal(17)
        with m.If(decides & (starts | (best > record))):
            m.d.sync += [record.eq(best), self.winner.eq(unit)]
        with m.If(self.clear_moved):
            m.d.sync += self.moved.eq(0)
        with m.Elif(counts & (best > self.moved)):
            m.d.sync += self.moved.eq(best)
        return decides | counts
