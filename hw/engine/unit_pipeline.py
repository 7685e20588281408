"""Elementwise operations on Q units a cycle: relaxation update, sweep, copies, decision.

Each tile has a pipeline, :class:`~apical.hw.engine.unit_issue.UnitControl` of the root feeds all of
them.  Stages (:class:`apical.hw.engine.stages.Stages`)::

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
from amaranth.lib.wiring import In, Out

from ..interface.config import EngineConfig
from ..interface.isa import INDEX, LANE_BITS, WORD, Limits, Mode, Post
from ..primitives.portable import delayed
from .ports import (
    ChangeSignature,
    ChunkReadSignature,
    ChunkSignature,
    GateSignature,
    ProductSignature,
    StateWriteSignature,
    TableSignature,
    UnitReadSignature,
    UnitSignature,
    Widths,
    occupied,
    one_at_a_time,
    stage_layout,
)
from .product import ProductSum
from .stages import Stages
from .tables import TableUnit
from .unit_lane import UpdateLane, byte_total, clip_stage, lane_controls
from .unit_measure import Measure

#: What the pipeline itself looks at, at the stage of writes.
_WRITE_CONTROLS = {"writes": 1, "counts": 1, "decides": 1, "updates": 1, "number": 8}


class UnitPipeline(wiring.Component):
    """Pipeline of UNIT instructions in one tile.

    Latency: a chunk is written 4 + `update_latency` cycles after it is issued.  Throughput: Q units
    a cycle.

    Parameters
    ----------
    config : EngineConfig
    number : int
        Which tile.

    Members
    -------
    operation : In(UnitSignature), chunk : In(ChunkSignature)
        What starts, and the chunk that is issued.
    states : Out(UnitReadSignature), sums : Out(ChunkReadSignature)
        Words asked at stage 0, chunks registered at stage 2.
    random : In(32)
        Random words of the unit at stage 2.
    write : Out(StateWriteSignature)
    changes : Out(ChangeSignature)
        With a queue of changes only.
    gate : Out(GateSignature)
        With tables only: currents that take the place of accumulators.
    clipped : Out(range(Q + 1))
        How many of the units written were clipped.
    moved : Out(16), clear_moved : In(1)
        Largest |du| since it was cleared.
    measuring : Out(1)
        `moved` and `winner` are not final yet.
    winner : Out(16), score : Out(17)
        Unit of the largest value of the last DECIDE, and that value as it was compared.
    product : In(ProductSignature)
        Serial learning unit only: while a weight update runs, it has the multiplier.
    table : In(TableSignature), table_sample : In(16)
        Serial table unit only; the sample comes from the host's side of the tile.
    """

    def __init__(self, config: EngineConfig, number=0):
        self.config, self.first = config, number * config.lanes
        self.stages = Stages(config)
        widths = Widths(config)
        super().__init__({
            "operation": In(UnitSignature(config)), "chunk": In(ChunkSignature(config)),
            "states": Out(UnitReadSignature(config)),
            "sums": Out(ChunkReadSignature(widths.sums, LANE_BITS, widths.sum_chunk)),
            "random": In(32), "write": Out(StateWriteSignature(config)),
            "gate": Out(GateSignature(config)),
            "clipped": Out(range(config.update_lanes + 1)), "moved": Out(WORD),
            "clear_moved": In(1), "measuring": Out(1), "winner": Out(INDEX),
            "score": Out(WORD + 1), "changes": Out(ChangeSignature(config)),
            "product": In(ProductSignature()),
            **({"table": In(TableSignature(config)), "table_sample": In(WORD)}
               if config.serial_table_unit else {})})

    def elaborate(self, platform):
        m = Module()
        config, write, chunk, table = self.config, self.write, self.chunk, self.stages
        quick = config.update_lanes
        m.d.comb += [
            self.states.issuing.eq(chunk.issuing), self.states.number.eq(chunk.number),
            self.states.a_address.eq(chunk.a), self.states.b_address.eq(chunk.b),
            self.sums.address.eq(chunk.c), self.sums.number.eq(chunk.number)]
        stages = [self._mine(m)]
        for i in range(1, (table.late if config.pipelined_tables else table.write) + 1):
            late = Signal(stage_layout(config), name=f"stage{i}")
            m.d.sync += late.eq(stages[-1])
            stages.append(late)
        self._controls(m, stages)
        before, out = stages[table.write - 1], stages[table.write]
        late = Const(0)
        if config.serial_tables:
            late = self.table.busy
        elif config.smooth:
            # Operations of the table unit are alone in the pipeline.
            late = Signal()
            with m.If(self.operation.start):
                m.d.sync += late.eq(self.operation.post != Post.NONE)
            before, out = (self._either(m, late, stages[table.late - 1 + i], here)
                           for i, here in enumerate((before, out)))
        m.d.comb += write.taken.eq(occupied(out))
        lanes = self._lanes(m, stages[2])
        number = self._walk(m, before, out)
        values = Cat(*(lane.new for lane in lanes))
        if config.smooth:
            finished = self.table.value if config.serial_tables else \
                self._tables(m, stages, lanes)
            values = Mux(late, finished.replicate(quick), values)
        if config.pipelined_tables:
            gate = self.written["post"] == Post.GATE
            m.d.comb += self.gate.enable.eq(out.lanes & (late & gate).replicate(quick))
        m.d.comb += [write.enable.eq(out.lanes & self.written["writes"].replicate(quick)),
                     write.counted.eq(out.lanes & self.written["counts"].replicate(quick)),
                     write.vector.eq(self.written["number"]), write.data.eq(values)]
        clips = [lane.clipped & write.counted[i] & ~late for i, lane in enumerate(lanes)]
        m.d.comb += self.clipped.eq(sum(clips[1:], clips[0]))
        self._measure(m, out, lanes, number)
        if config.change_depth:
            shown = self.written["changes"]
            m.d.comb += [
                self.changes.enable.eq(out.lanes & shown.replicate(quick)),
                self.changes.end.eq(out.end & shown), self.changes.unit.eq(number),
                self.changes.new.eq(Cat(*(lane.new for lane in lanes))),
                self.changes.old.eq(Cat(*(lane.old for lane in lanes))
                                    & (~self.written["whole"]).replicate(WORD * quick))]
        return m

    def _mine(self, m):
        """The chunk as it is in this tile."""
        stage = self.chunk.stage
        if self.first:
            stage = Signal.like(stage, name="stage0")
            quick, tile = self.config.update_lanes, self.first // self.config.lanes
            m.d.comb += [stage.eq(self.chunk.stage),
                         stage.lanes.eq(self.chunk.others.word_select(tile - 1, quick))]
        return stage

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
            self._product(m, arriving, lanes[0])
        return lanes

    def _product(self, m, arriving, lane):
        """The multiplier of the one lane, and whoever else has it."""
        config, a = self.config, self.states.a
        m.submodules.product = unit = ProductSum(config.primitives)
        there, learn, at = occupied(arriving), self.product, self.controls.leak
        factor = at.factor if config.learning or config.noise else Const(0)
        negative = at.factor_negative if config.serial_learning else Const(0)
        first = Mux(at.noisy, byte_total(self.random), a) if config.serial_draws else a
        values = [first, factor, negative, ~there, there, Const(0)]
        if config.serial_learning:
            m.d.comb += [learn.total.eq(unit.total), learn.a.eq(a)]
            values = [Mux(learn.busy, its, value) for its, value in zip((
                a, learn.value, learn.subtract, learn.load, learn.add, learn.begin), values,
                strict=True)]
        if config.serial_table_unit:
            table = self.table
            m.d.comb += [table.total.eq(unit.total), table.z.eq(lane.new), table.state.eq(lane.old),
                         table.unit.eq(self.write.unit), table.address.eq(self.write.address),
                         table.lane.eq(self.write.number), table.sample.eq(self.table_sample),
                         table.random.eq(self.random)]
            values = [Mux(table.busy, its, value) for its, value in zip((
                table.a, table.b, table.subtract, table.load, table.add, table.begin), values,
                strict=True)]
        ports = unit.a, unit.b, unit.subtract, unit.load, unit.add, unit.begin
        m.d.comb += [port.eq(value) for port, value in zip(ports, values, strict=True)]
        m.d.comb += lane.product.eq(unit.total)

    def _tables(self, m, stages, lanes):
        """The table unit after stage 5, on the one lane that is in use; returns its values."""
        m.submodules.table = table = TableUnit(self.config.state)
        active = stages[self.stages.write].lanes

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
                     table.word.eq(delayed(m, drawn, self.stages.write + 2, "drawn")),
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
            "factor", "negate", "noisy", "post", "factor_negative", "changes",
            "whole")}
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
        stands, self.slow = Signal(), Const(0)
        if self.config.serial_table_unit:
            self.slow = operation.start & ((operation.post != Post.NONE) | operation.draws)
            m.d.sync += stands.eq(self.slow)
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
        places = {"leak": 2, "force": 3, "move": self.stages.move, "clip": clip_stage(self.config)}
        for part, stage in places.items():
            for name, field in getattr(self.controls, part).shape():
                m.d.comb += getattr(self.controls, part)[name].eq(
                    held(field.width, f"{part}.{name}", stage))
        widths = (_WRITE_CONTROLS | ({"post": 3} if self.config.pipelined_tables else {})
                  | ({"changes": 1, "whole": 1} if self.config.change_depth else {}))
        self.written = {name: held(width, f"write.{name}", self.stages.write)
                        for name, width in widths.items()}

    def _walk(self, m, before, out):
        """Word, chunk and unit that are written: walked again rather than carried along."""
        config, write = self.config, self.write
        lanes, quick = config.lanes, config.update_lanes
        chunk = Signal(range(max(2, -(-lanes // quick))))
        # No vector has more units than the states, no population more than the sums.
        depth = max(config.state_depth, config.accumulator_depth)
        number = Signal(min(INDEX, (depth * config.width - 1).bit_length()))
        last_step = config.width - (-(-lanes // quick) - 1) * quick
        m.d.comb += [write.unit.eq(number), write.number.eq(chunk)]
        # The serial table unit looks at places before it writes them.
        first = Mux(self.slow, self.operation.t, self.word) if config.serial_table_unit \
            else self.word
        with m.If(before.first | self.slow):
            m.d.sync += [write.address.eq(first), chunk.eq(0), number.eq(self.first)]
        with m.Elif(occupied(out) & (out.step if one_at_a_time(config) else Const(1))):
            m.d.sync += [chunk.eq(Mux(out.turn, 0, chunk + 1)),
                         write.address.eq(write.address + out.turn),
                         number.eq(number + Mux(out.turn, last_step, quick))]
        return number

    def _measure(self, m, out, lanes, number):
        m.submodules.measure = measure = Measure(len(lanes), len(number))
        m.d.comb += [
            measure.valid.eq(occupied(out)), measure.first.eq(out.first),
            measure.enable.eq(out.lanes), measure.deciding.eq(self.written["decides"]),
            measure.updating.eq(self.written["updates"]), measure.unit.eq(number),
            measure.values.eq(Cat(*(lane.new for lane in lanes))),
            measure.distances.eq(Cat(*(lane.distance for lane in lanes))),
            measure.clear_moved.eq(self.clear_moved), self.moved.eq(measure.moved),
            self.winner.eq(measure.winner), self.score.eq(measure.score),
            self.measuring.eq(measure.busy)]
