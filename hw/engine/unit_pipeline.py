"""Elementwise operations on Q units a cycle: relaxation update, sweep, copies, decision.

Stages::

    0  words of state a, state b and sums asked (block counter)
    1  words arrive, cut to the chunk of Q lanes
    2  chunk: leak, nudge aligned
    3  force T
    4  T shifted, added, rounded, clipped: one to four cycles, as the configuration says
    W  new value: written, traced; W is 5 to 8
    ..  |du| (or the value) of each unit, the largest of the chunk by pairs
"""

from __future__ import annotations

from amaranth.hdl import Cat, Const, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from ..interface.config import EngineConfig
from ..interface.isa import INDEX, LANE_BITS, WORD, Limits, Mode, Post
from ..primitives.portable import delayed
from .ports import (
    ChunkReadSignature,
    DrawSignature,
    GateSignature,
    ProductSignature,
    SampleSignature,
    StateWriteSignature,
    UnitReadSignature,
    UnitSignature,
    Widths,
)
from .product import ProductSum
from .tables import LATE_STAGE, TableUnit
from .tables_serial import SerialTableUnit
from .unit_issue import UnitIssue, occupied, one_at_a_time, stage_layout
from .unit_lane import UpdateLane, byte_total, clip_stage, lane_controls
from .unit_measure import Measure

#: Stage of what is added to a state.
MOVE_STAGE = 4

#: What the pipeline itself looks at, at the stage of writes.
_WRITE_CONTROLS = {"writes": 1, "counts": 1, "decides": 1, "updates": 1, "number": 8}


class UnitPipeline(wiring.Component):
    """Issue and pipeline of UNIT instructions.

    Latency: a chunk is written 4 + `update_latency` cycles after it is issued; the first is issued
    1 cycle after `start`.  Throughput: Q units a cycle.

    Members
    -------
    operation : In(UnitSignature)
    states : Out(UnitReadSignature), sums : Out(ChunkReadSignature)
        Words asked at stage 0, chunks registered at stage 2.
    random : In(32)
        Random words of the unit at stage 2.
    write : Out(StateWriteSignature)
    gate : Out(GateSignature)
        With tables only: currents that take the place of accumulators (with the serial table unit,
        `enable` says that the value will come when a dot beat of this cycle meets its accumulator).
    gating : Out(1)
        Serial table unit only: an operation makes such currents.
    busy, issue : Out(1)
        Chunks are in the pipeline; one is issued.
    take_key : Out(1)
        The first write of an operation comes in the next cycle.
    clipped : Out(range(Q + 1))
        How many of the units written were clipped.
    moved : Out(16), clear_moved : In(1)
        Largest |du| since it was cleared.
    measuring : Out(1)
        `moved` and `winner` are not final yet.
    winner : Out(16)
        Unit of the largest value of the last DECIDE.
    product : In(ProductSignature)
        Serial learning unit only: while a weight update runs, it has the multiplier.
    samples : Out(SampleSignature), draw : Out(DrawSignature)
        Serial table unit only.
    crossing : Out(1)
        Serial table unit only: the crossing of the signature makes random words.
    """

    def __init__(self, config: EngineConfig):
        self.config = config
        widths = Widths(config)
        super().__init__({
            "operation": In(UnitSignature(config)), "states": Out(UnitReadSignature(config)),
            "sums": Out(ChunkReadSignature(widths.sums, LANE_BITS, widths.sum_chunk)),
            "random": In(32), "write": Out(StateWriteSignature(config)),
            "gate": Out(GateSignature(config)),
            "busy": Out(1), "issue": Out(1), "take_key": Out(1),
            "clipped": Out(range(config.update_lanes + 1)), "moved": Out(WORD),
            "clear_moved": In(1), "measuring": Out(1), "winner": Out(INDEX),
            "product": In(ProductSignature()), "samples": Out(SampleSignature(config)),
            "draw": Out(DrawSignature()), "crossing": Out(1), "gating": Out(1)})

    @property
    def write_stage(self):
        """Cycles from the issue of a chunk to its write."""
        return MOVE_STAGE + self.config.update_latency

    def elaborate(self, platform):
        m = Module()
        config, write = self.config, self.write
        quick, late_stage = config.update_lanes, self.write_stage - 5 + LATE_STAGE
        m.submodules.issue = issue = UnitIssue(config)
        connect(m, flipped(self.operation), issue.operation)
        m.d.comb += [
            self.states.issuing.eq(issue.issuing), self.states.number.eq(issue.number),
            self.states.a_address.eq(issue.a), self.states.b_address.eq(issue.b),
            self.sums.address.eq(issue.c), self.sums.number.eq(issue.number)]
        stages = [issue.stage]
        pipelined = config.smooth and not config.serial_tables
        for i in range(1, (late_stage if pipelined else self.write_stage) + 1):
            late = Signal(stage_layout(config), name=f"stage{i}")
            m.d.sync += late.eq(stages[-1])
            stages.append(late)
        self._controls(m, stages)
        before, out = stages[self.write_stage - 1], stages[self.write_stage]
        late = Const(0)
        if config.one_at_a_time:
            post = Signal(3)
            with m.If(self.operation.start):
                m.d.sync += post.eq(self.operation.post)
            late = post != Post.NONE
        elif config.smooth:
            # Operations of the table unit are alone in the pipeline.
            late = Signal()
            with m.If(self.operation.start):
                m.d.sync += late.eq(self.operation.post != Post.NONE)
            before, out = (self._either(m, late, stages[late_stage - 1 + i], here)
                           for i, here in enumerate((before, out)))
        m.d.comb += [self.issue.eq(occupied(config, issue.stage)),
                     write.taken.eq(occupied(config, out)), self.take_key.eq(before.first)]
        if config.one_at_a_time:
            self._serial(m, issue, post)
        lanes = self._lanes(m, stages[2])
        number = self._walk(m, before, out)
        values = Cat(*(lane.new for lane in lanes))
        if config.smooth:
            finished = self._serial_tables(m, lanes[0]) if config.serial_tables else \
                self._tables(m, stages, lanes)
            values = Mux(late, finished.replicate(quick), values)
            if config.serial_tables:
                m.d.comb += [self.gating.eq(post == Post.GATE),
                             self.gate.enable.eq(self.serial.gate)]
            else:
                gate = self.written["post"] == Post.GATE
                m.d.comb += self.gate.enable.eq(out.lanes & (late & gate).replicate(quick))
        m.d.comb += [write.enable.eq(out.lanes & self.written["writes"].replicate(quick)),
                     write.counted.eq(out.lanes & self.written["counts"].replicate(quick)),
                     write.vector.eq(self.written["number"]), write.data.eq(values)]
        clips = [lane.clipped & write.counted[i] & ~late for i, lane in enumerate(lanes)]
        m.d.comb += self.clipped.eq(sum(clips[1:], clips[0]))
        self._measure(m, out, lanes, number)
        # One stage before, to be registered.
        m.d.sync += self.busy.eq(
            Cat(issue.issuing, *(occupied(config, stage) for stage in stages[:-1])).any())
        return m

    @staticmethod
    def _either(m, late, second, first):
        """One of two stages."""
        chosen = Signal.like(first)
        m.d.comb += chosen.as_value().eq(Mux(late, second.as_value(), first.as_value()))
        return chosen

    def _lanes(self, m, arriving):
        """The update lanes, and the multiplier that they share with weight updates."""
        config, operands = self.config, self.states
        lanes = []
        for number in range(config.update_lanes):
            m.submodules[f"lane{number}"] = lane = UpdateLane(config)
            m.d.comb += [
                lane.a.eq(operands.a.word_select(number, WORD)),
                lane.b.eq(operands.b.word_select(number, WORD)),
                lane.sum.eq(self.sums.data.word_select(number, config.accumulator_width)),
                lane.random.eq(self.random), lane.controls.eq(self.controls)]
            lanes.append(lane)
        if config.shared_product:
            m.submodules.product = unit = ProductSum(config.primitives)
            there, learn, at = occupied(config, arriving), self.product, self.controls.leak
            a, users = operands.a, []
            if config.noise and config.one_at_a_time:
                a = Mux(at.noisy, byte_total(self.random), a)
            if config.serial_learning:
                users.append((learn.busy, [operands.a, learn.value, learn.subtract, learn.load,
                                           learn.add, learn.begin]))
                m.d.comb += [learn.total.eq(unit.total), learn.a.eq(operands.a)]
            if config.serial_tables:
                table = self.serial
                users.append((table.taken, [table.a, table.b, table.subtract, table.load,
                                            table.add, table.begin]))
                m.d.comb += table.total.eq(unit.total)
            factor = at.factor if config.learning or config.noise else Const(0)
            negative = at.factor_negative if config.serial_learning else Const(0)
            ports = unit.a, unit.b, unit.subtract, unit.load, unit.add, unit.begin
            for number, port in enumerate(ports):
                value = [a, factor, negative, ~there, there, 0][number]
                for busy, values in users:
                    value = Mux(busy, values[number], value)
                m.d.comb += port.eq(value)
            m.d.comb += lanes[0].product.eq(unit.total)
        return lanes

    def _serial(self, m, issue, post):
        """The serial table unit: it says when a chunk is issued, and when the next one is taken."""
        m.submodules.serial = table = self.serial = SerialTableUnit(self.config)
        draws = Signal()
        with m.If(self.operation.start):
            m.d.sync += draws.eq(self.operation.draws)
        m.d.comb += [table.start.eq(self.operation.start), table.slow.eq(issue.slow),
                     table.post.eq(post), table.draws.eq(draws), issue.token.eq(table.token),
                     issue.advance.eq(table.advance), self.crossing.eq(table.crossing)]
        connect(m, table.draw, flipped(self.draw))
        connect(m, table.samples, flipped(self.samples))

    def _serial_tables(self, m, lane):
        """What the serial table unit finds; returns its values."""
        table = self.serial
        m.d.comb += [table.z.eq(lane.new), table.state.eq(lane.old),
                     table.word.eq(self.random[WORD:]), self.gate.value.eq(table.gated)]
        return table.value

    def _tables(self, m, stages, lanes):
        """The table unit after stage 5, on the one lane that is in use; returns its values."""
        m.submodules.table = table = TableUnit(self.config.state)
        active = stages[self.write_stage].lanes

        def one(values):
            """The value of the lane in use."""
            masked = [value & active[lane].replicate(WORD) for lane, value in enumerate(values)]
            found = masked[0]
            for value in masked[1:]:
                found = found | value
            return found

        drawn = self.random[WORD:]  # stage 2
        m.d.comb += [table.post.eq(self.written["post"]),
                     table.z.eq(one([lane.new.as_unsigned() for lane in lanes])),
                     table.state.eq(one([lane.old.as_unsigned() for lane in lanes])),
                     table.word.eq(delayed(m, drawn, self.write_stage + 2, "drawn")),
                     self.gate.value.eq(table.gated)]
        return table.value

    def _controls(self, m, stages):
        """What the operation at a stage is, taken over with its first chunk.

        The last one that started is the one whose first chunk comes to a stage: its key waits for
        the first write of the one before.
        """
        operation, smooth = self.operation, self.config.smooth
        mode = operation.mode
        asked = {name: getattr(operation, name) for name in (
            "nudge", "nudge_negative", "nudge_shift", "shift", "limits", "number", "plain",
            "factor", "negate", "noisy", "post", "factor_negative")}
        none = operation.post == Post.NONE if smooth else Const(1)
        gate = operation.post == Post.GATE if smooth else Const(0)
        asked |= {
            "relax": mode == Mode.RELAX, "subtract": mode == Mode.SUBTRACT,
            "moves": (mode == Mode.RELAX) | (mode == Mode.ASSIGN),
            "zero": (mode == Mode.ASSIGN) | (mode == Mode.CLEAR) | (mode == Mode.SCALE),
            "writes": (mode != Mode.DECIDE) & ~gate, "decides": mode == Mode.DECIDE,
            "counts": (mode != Mode.DECIDE) & ~operation.silent, "scale": mode == Mode.SCALE,
            # Branch errors, the only ones that are negated, are no movement of a state.
            "updates": (((mode == Mode.RELAX) | (mode == Mode.ASSIGN)) & none
                        & ~operation.negate),
            "limits": Mux(none, operation.limits, Limits.FORMAT),
            "flow": operation.post == Post.FLOW}
        # While the serial table unit works, values stand before a chunk passes.
        stands = Signal()
        if self.config.one_at_a_time:
            m.d.sync += stands.eq(operation.start & ~self._none_drawn(operation))
        self.word = Signal.like(operation.t)
        with m.If(operation.start):
            m.d.sync += self.word.eq(operation.t)

        def held(width, name, stage):
            newest = Signal(width, name=f"new_{name}", reset_less=True)
            with m.If(operation.start):
                m.d.sync += newest.eq(asked[name.rpartition(".")[2]])
            if stage == 2:  # the last chunk before a start has passed it
                return newest
            here = Signal(width, name=f"at_{name}", reset_less=True)
            with m.If(stages[stage - 1].first | stands):
                m.d.sync += here.eq(newest)
            return here

        self.controls = Signal(lane_controls(self.config))
        places = {"leak": 2, "force": 3, "move": MOVE_STAGE, "clip": clip_stage(self.config)}
        for part, stage in places.items():
            for name, field in getattr(self.controls, part).shape():
                m.d.comb += getattr(self.controls, part)[name].eq(
                    held(field.width, f"{part}.{name}", stage))
        pipelined = smooth and not self.config.serial_tables
        widths = _WRITE_CONTROLS | ({"post": 3} if pipelined else {})
        self.written = {name: held(width, f"write.{name}", self.write_stage)
                        for name, width in widths.items()}

    @staticmethod
    def _none_drawn(operation):
        """Whether an operation has neither a function nor random words."""
        return (operation.post == Post.NONE) & ~operation.draws

    def _walk(self, m, before, out):
        """Word, chunk and unit that are written: walked again rather than carried along."""
        config, write = self.config, self.write
        lanes, quick = config.lanes, config.update_lanes
        chunk = Signal(range(max(2, -(-lanes // quick))))
        # No vector has more units than the states, no population more than the sums.
        depth = max(config.state_depth, config.accumulator_depth)
        number = Signal(min(INDEX, (depth * lanes - 1).bit_length()))
        last_step = lanes - (-(-lanes // quick) - 1) * quick
        m.d.comb += [write.unit.eq(number), write.number.eq(chunk)]
        begins = before.first
        if config.one_at_a_time:
            # The serial table unit numbers units before it writes them.
            operation = self.operation
            begins = begins | (operation.start & ~self._none_drawn(operation))
            m.d.comb += self.serial.unit.eq(number)
        with m.If(begins):
            m.d.sync += [write.address.eq(self.word), chunk.eq(0), number.eq(0)]
        with m.Elif(occupied(config, out) & (out.step if one_at_a_time(config) else Const(1))):
            m.d.sync += [chunk.eq(Mux(out.turn, 0, chunk + 1)),
                         write.address.eq(write.address + out.turn),
                         number.eq(number + Mux(out.turn, last_step, quick))]
        return number

    def _measure(self, m, out, lanes, number):
        m.submodules.measure = measure = Measure(len(lanes), len(number))
        m.d.comb += [
            measure.valid.eq(occupied(self.config, out)), measure.first.eq(out.first),
            measure.enable.eq(out.lanes), measure.deciding.eq(self.written["decides"]),
            measure.updating.eq(self.written["updates"]), measure.unit.eq(number),
            measure.values.eq(Cat(*(lane.new for lane in lanes))),
            measure.distances.eq(Cat(*(lane.distance for lane in lanes))),
            measure.clear_moved.eq(self.clear_moved), self.moved.eq(measure.moved),
            self.winner.eq(measure.winner), self.measuring.eq(measure.busy)]
