"""Elementwise operations on Q units a cycle: relaxation update, sweep, copies, decision.

Stages::

    0  words of state a, state b and sums asked (block counter)
    1  words arrive; the chunk of Q lanes is selected
    2  chunk: leak, difference b - a
    3  nudge aligned
    4  force T
    5  T shifted and rounded
    6  new value clipped: written, traced, measured
    7  greatest |du| (or greatest value) of the chunk
"""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Mux, Signal, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

from .config import EngineConfig
from .fixed import round_shift_by, saturate
from .isa import Limits, Mode
from .memory import address_bits

#: Cycles from the issue of a chunk to its write.
WRITE_STAGE = 6


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
        Lanes that are written, with `write_word`, `write_chunk`, `write_values`, `write_unit` (first
        unit), `write_number` (vector) and `write_slot` (key).
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
            "shift": In(3), "nudge_shift": In(4), "limits": In(2), "number": In(8),
            "a": In(states), "b": In(states), "c": In(sums), "t": In(states),
            "blocks": In(10), "tail": In(7), "key_slot": In(1),
            "issuing": Out(1), "busy": Out(1), "issue": Out(1), "chunk_select": Out(6),
            "a_address": Out(states), "b_address": Out(states), "sum_address": Out(sums),
            "state_a": In(16 * quick), "state_b": In(16 * quick),
            "sums": In(config.accumulator_width * quick),
            "write_valid": Out(quick), "write_word": Out(states), "write_chunk": Out(6),
            "write_values": Out(16 * quick), "write_unit": Out(16), "write_number": Out(8),
            "write_slot": Out(1), "clipped": Out(range(quick + 1)),
            "moved": Out(16), "clear_moved": In(1), "winner": Out(16)})

    def elaborate(self, platform):
        m = Module()
        quick = self.config.update_lanes
        layout = data.StructLayout({
            "lanes": quick, "word": len(self.t), "chunk": 6, "unit": 16, "number": 8, "slot": 1,
            "mode": 3, "nudge": 1, "nudge_negative": 1, "shift": 3, "nudge_shift": 4, "limits": 2})
        issued = self._issue(m, layout)
        stages = [issued]
        for i in range(1, WRITE_STAGE + 2):
            late = Signal(layout, name=f"stage{i}")
            m.d.sync += late.eq(stages[-1])
            stages.append(late)
        m.d.comb += [self.chunk_select.eq(stages[1].chunk),
                     self.issue.eq(issued.lanes.any())]
        lanes = [self._lane(m, lane, stages) for lane in range(quick)]
        out = stages[WRITE_STAGE]
        writes = (out.mode != Mode.DECIDE).replicate(quick)
        m.d.comb += [self.write_valid.eq(out.lanes & writes), self.write_word.eq(out.word),
                     self.write_chunk.eq(out.chunk), self.write_unit.eq(out.unit),
                     self.write_number.eq(out.number), self.write_slot.eq(out.slot),
                     self.write_values.eq(Cat(*(value.as_unsigned() for value, _, _ in lanes)))]
        clips = [clip & self.write_valid[lane] for lane, (_, _, clip) in enumerate(lanes)]
        m.d.comb += self.clipped.eq(sum(clips[1:], clips[0]))
        late = self._measure(m, out, lanes)
        m.d.comb += self.busy.eq(Cat(*(stage.lanes.any() for stage in stages), late).any())
        return m

    def _issue(self, m, layout):
        """Walk blocks and chunks."""
        lanes, quick = self.config.lanes, self.config.update_lanes
        control = Signal(layout)
        left, tail, limit = Signal(10), Signal(7), Signal(7)
        a, b, c, t = (Signal.like(port) for port in (self.a, self.b, self.c, self.t))
        chunk, block_unit = Signal(6), Signal(16)
        issued = Signal(layout)
        m.d.comb += [limit.eq(Mux(left == 1, tail, lanes)), self.issuing.eq(left != 0),
                     self.a_address.eq(a), self.b_address.eq(b), self.sum_address.eq(c),
                     issued.eq(control), issued.word.eq(t), issued.chunk.eq(chunk),
                     issued.unit.eq(block_unit + (chunk << ceil_log2(quick)))]
        first = chunk << ceil_log2(quick)
        for lane in range(quick):
            m.d.comb += issued.lanes[lane].eq((left != 0) & (first + lane < limit))
        with m.If(self.start):
            m.d.sync += [left.eq(self.blocks), tail.eq(self.tail), chunk.eq(0), block_unit.eq(0),
                         a.eq(self.a), b.eq(self.b), c.eq(self.c), t.eq(self.t),
                         control.mode.eq(self.mode), control.nudge.eq(self.nudge),
                         control.nudge_negative.eq(self.nudge_negative),
                         control.shift.eq(self.shift), control.nudge_shift.eq(self.nudge_shift),
                         control.limits.eq(self.limits), control.number.eq(self.number),
                         control.slot.eq(self.key_slot)]
        with m.Elif(left != 0):
            with m.If(first + quick >= limit):
                m.d.sync += [chunk.eq(0), left.eq(left - 1), block_unit.eq(block_unit + lanes),
                             a.eq(a + 1), b.eq(b + 1), c.eq(c + 1), t.eq(t + 1)]
            with m.Else():
                m.d.sync += chunk.eq(chunk + 1)
        return issued

    def _lane(self, m, lane, stages):
        """One update lane from stage 2 on; returns (value, |du|, clipped) at stage 6."""
        config = self.config
        width, frac = config.accumulator_width, config.weight.frac

        def register(shape, value, name):
            signal = Signal(shape, name=f"{name}_{lane}")
            m.d.sync += signal.eq(value)
            return signal

        a = self.state_a.word_select(lane, 16).as_signed()
        b = self.state_b.word_select(lane, 16).as_signed()
        current = self.sums.word_select(lane, width).as_signed()
        # Stage 2 -> 3
        leaks = stages[2].mode == Mode.RELAX
        leaky = register(signed(width + 1), current - Mux(leaks, a << frac, 0), "leaky")
        difference = register(signed(17), b - a, "difference")
        a = register(signed(16), a, "old3")
        # Stage 3 -> 4
        aligned = register(signed(32), Mux(stages[3].nudge, difference << stages[3].nudge_shift, 0),
                           "aligned")
        leaky = register(signed(width + 1), leaky, "leaky4")
        difference = register(signed(17), difference, "difference4")
        a = register(signed(16), a, "old4")
        # Stage 4 -> 5
        force = register(signed(width + 2),
                         Mux(stages[4].nudge_negative, leaky - aligned, leaky + aligned), "force")
        difference = register(signed(17), difference, "difference5")
        a = register(signed(16), a, "old5")
        # Stage 5 -> 6: the shift, and what each mode writes
        move = round_shift_by(m, force, stages[5].shift, frac - 1, frac + 6, f"move_{lane}")
        wide = Signal(signed(len(move) + 1), name=f"wide_{lane}")
        with m.Switch(stages[5].mode):
            with m.Case(Mode.RELAX):
                m.d.comb += wide.eq(a + move)
            with m.Case(Mode.ASSIGN):
                m.d.comb += wide.eq(move)
            with m.Case(Mode.COPY, Mode.DECIDE):
                m.d.comb += wide.eq(a)
            with m.Case(Mode.SUBTRACT):
                m.d.comb += wide.eq(-difference)
        low, high = self._limits(m, stages[5].limits, lane)
        value, clip = saturate(wide, low, high)
        moved = Signal(signed(17), name=f"moved_{lane}")
        new = register(signed(16), value, "new")
        old = register(signed(16), a, "old6")
        m.d.comb += moved.eq(new - old)
        return new, Mux(moved < 0, -moved, moved), register(1, clip, "clip")

    def _limits(self, m, code, lane):
        low, high = (Signal(signed(16), name=f"{name}_{lane}") for name in ("low", "high"))
        state = self.config.state
        with m.Switch(code):
            with m.Case(Limits.UNIT):
                m.d.comb += [low.eq(0), high.eq(state.one)]
            with m.Case(Limits.SYMMETRIC):
                m.d.comb += [low.eq(-state.one), high.eq(state.one)]
            with m.Default():
                m.d.comb += [low.eq(state.min), high.eq(state.max)]
        return low, high

    def _measure(self, m, out, lanes):
        """Greatest |du| of updates; greatest value (the first of equals) of a decision."""
        deciding = out.mode == Mode.DECIDE
        updating = (out.mode == Mode.RELAX) | (out.mode == Mode.ASSIGN)
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
        m.d.sync += [best.eq(pairs[0][0]), unit.eq(out.unit + pairs[0][1]),
                     decides.eq(deciding & out.lanes.any()), counts.eq(updating & out.lanes.any()),
                     starts.eq(out.unit == 0)]
        record = Signal(17)
        with m.If(decides & (starts | (best > record))):
            m.d.sync += [record.eq(best), self.winner.eq(unit)]
        with m.If(self.clear_moved):
            m.d.sync += self.moved.eq(0)
        with m.Elif(counts & (best > self.moved)):
            m.d.sync += self.moved.eq(best)
        return decides | counts
