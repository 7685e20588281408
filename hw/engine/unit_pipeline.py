"""Elementwise operations on Q units a cycle: relaxation update, sweep, copies, decision.

Stages::

    0  words of state a, state b and sums asked (block counter)
    1  words arrive, cut to the chunk of Q lanes
    2  chunk: leak, nudge aligned
    3  force T
    4  T shifted, added, rounded, clipped: one to four cycles, as the configuration says
    W  new value: written, traced; W is 5 to 8
    ..  |du| (or the value) of each unit, the greatest of the chunk by pairs
"""

from __future__ import annotations

from amaranth.hdl import Cat, Const, Module, Mux, Signal, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

from ..interface.config import EngineConfig
from ..interface.isa import Limits, Mode, Post
from ..primitives.portable import delayed
from .memory import address_bits
from .product import ProductSum
from .random_words import DRAW_LATENCY
from .tables import LATE_STAGE, TableUnit
from .unit_lane import update_lane
from .unit_measure import measure

#: Stage of what is added to a state.
MOVE_STAGE = 4

#: What is one for all chunks of an operation, by the stage that looks at it.
_CONTROLS = {
    2: {"relax": 1, "subtract": 1, "nudge": 1, "nudge_negative": 1, "nudge_shift": 4},
    3: {"nudge_shift": 4, "moves": 1, "zero": 1},
    4: {"shift": 3},
    "clip": {"limits": 2},
    "write": {"writes": 1, "counts": 1, "decides": 1, "updates": 1, "number": 8},
}
#: The same of what only some engines do: adding a vector as it is, multiplying, tables.
_PLAIN = {2: {"plain": 1}, 4: {"negate": 1}}
_SCALES = {2: {"factor": 16, "noisy": 1}, 3: {"scale": 1, "noisy": 1}}
_SERIAL = {2: {"factor_negative": 1}}
_SMOOTH = {2: {"flow": 1}, "write": {"post": 3}}


class UnitPipeline(wiring.Component):
    """Issue and pipeline of UNIT instructions.

    Latency: a chunk is written 4 + `update_latency` cycles after it is issued; the first is issued
    1 cycle after `start`.  Throughput: Q units a cycle.

    Members
    -------
    start : In(1)
        Takes the decoded operands.
    issuing, busy : Out(1)
    take_key : Out(1)
        The first write of an operation comes in the next cycle.
    chunk : Out(6)
        Chunk wanted of the words that are asked for.
    state_a, state_b, sums : In
        Chunks of Q lanes, registered (stage 2).
    a_address, b_address, sum_address : Out
        Stage 0.
    write_valid : Out(Q)
        Lanes that are written, with `write_word`, `write_chunk`, `write_values`, `write_unit`
        (first unit) and `write_number` (vector).
    write_counted : Out(Q)
        Those that count, are signed and traced: all but silent ones.
    taken : Out(1)
        The write port may be in use in this cycle.
    clipped : Out(range(Q + 1))
        How many of them were clipped.
    moved : Out(16), clear_moved : In(1)
        Greatest |du| since it was cleared.
    measuring : Out(1)
        These two are not final yet.
    winner : Out(16)
        Unit of the greatest value of the last DECIDE.
    factor_negative : In(1)
        Scale by minus the factor.  This and the following: serial learning unit only.
    learning : In(1), learn_load, learn_add, learn_subtract : In(1), learn_value : In(16),
    learn_begin : In(32), total : Out(32)
        While a weight update runs, it has the multiplier of scaled factors: products of `state_a`
        and `learn_value`, see :class:`~apical.hw.engine.product.ProductSum`.
    """

    def __init__(self, config: EngineConfig):
        self.config = config
        states, sums = address_bits(config.state_depth), address_bits(config.accumulator_depth)
        quick, words = config.update_lanes, max(states, sums)
        super().__init__({
            "start": In(1), "mode": In(3), "nudge": In(1), "nudge_negative": In(1),
            "plain": In(1), "negate": In(1), "silent": In(1), "factor": In(16),
            "post": In(3), "draws": In(1), "noisy": In(1), "random": In(32),
            "factor_negative": In(1), "learning": In(1), "learn_load": In(1), "learn_add": In(1),
            "learn_subtract": In(1), "learn_value": In(16), "learn_begin": In(32),
            "total": Out(32), "sum_write": Out(quick), "sum_value": Out(signed(17)),
            "shift": In(3), "nudge_shift": In(4), "limits": In(2), "number": In(8),
            "a": In(states), "b": In(states), "c": In(sums), "t": In(words),
            "blocks": In(10), "tail": In(7), "take_key": Out(1), "taken": Out(1),
            "issuing": Out(1), "busy": Out(1), "issue": Out(1), "chunk": Out(6),
            "a_address": Out(states), "b_address": Out(states), "sum_address": Out(sums),
            "state_a": In(16 * quick), "state_b": In(16 * quick),
            "sums": In(config.accumulator_width * quick),
            "write_valid": Out(quick), "write_counted": Out(quick), "write_word": Out(words),
            "write_chunk": Out(6),
            "write_values": Out(16 * quick), "write_unit": Out(16), "write_number": Out(8),
            "clipped": Out(range(quick + 1)),
            "measuring": Out(1), "moved": Out(16), "clear_moved": In(1), "winner": Out(16)})

    def elaborate(self, platform):
        m = Module()
        quick = self.config.update_lanes
        config = self.config
        self.serial = config.smooth or config.noise
        more = {"valid": 1, "step": 1} if self.serial else {}
        layout = data.StructLayout({"lanes": quick, "first": 1, "turn": 1, **more})
        issued, chunk = self._issue(m, layout)
        stages = [issued]
        late_stage = self.write_stage - 5 + LATE_STAGE
        for i in range(1, (late_stage if config.smooth else self.write_stage) + 1):
            late = Signal(layout, name=f"stage{i}")
            m.d.sync += late.eq(stages[-1])
            stages.append(late)
        m.d.comb += self.chunk.eq(chunk)
        self._controls(m, stages)
        before, out = stages[self.write_stage - 1], stages[self.write_stage]
        late = Const(0)
        if config.smooth:
            # Operations of the table unit are alone in the pipeline.
            late = Signal()
            with m.If(self.start):
                m.d.sync += late.eq(self.post != Post.NONE)
            before, out = (self._either(m, late, stages[late_stage - 1 + i], here)
                           for i, here in enumerate((before, out)))
        m.d.comb += [self.issue.eq(self.there(issued)), self.taken.eq(self.there(out)),
                     self.take_key.eq(before.first)]
        lanes = [update_lane(m, self, lane, stages) for lane in range(quick)]
        self._walk(m, before, out)
        values = Cat(*(value.as_unsigned() for value, _, _, _ in lanes))
        if config.smooth:
            finished = self._tables(m, stages, lanes)
            values = Mux(late, finished.replicate(quick), values)
            gate = self.at["write"]["post"] == Post.GATE
            m.d.comb += self.sum_write.eq(out.lanes & (late & gate).replicate(quick))
        m.d.comb += [self.write_valid.eq(out.lanes & self.at["write"]["writes"].replicate(quick)),
                     self.write_counted.eq(out.lanes & self.at["write"]["counts"].replicate(quick)),
                     self.write_number.eq(self.at["write"]["number"]),
                     self.write_values.eq(values)]
        clips = [clip & self.write_counted[lane] & ~late
                 for lane, (_, _, clip, _) in enumerate(lanes)]
        m.d.comb += self.clipped.eq(sum(clips[1:], clips[0]))
        measure(m, self, out, lanes)
        # Told one stage before, to be registered.
        m.d.sync += self.busy.eq(
            Cat(self.issuing, *(self.there(stage) for stage in stages[:-1])).any())
        return m

    def there(self, stage):
        """Whether a stage holds a chunk."""
        return stage.valid if self.serial else stage.lanes[0]

    @staticmethod
    def _either(m, late, second, first):
        """One of two stages."""
        chosen = Signal.like(first)
        m.d.comb += chosen.as_value().eq(Mux(late, second.as_value(), first.as_value()))
        return chosen

    def _tables(self, m, stages, lanes):
        """The table unit behind stage 5, on the one lane that is in use; returns its values."""
        m.submodules.table = table = TableUnit(self.config.state)
        active = stages[self.write_stage].lanes

        def one(values):
            """The value of the lane in use."""
            masked = [value & active[lane].replicate(16) for lane, value in enumerate(values)]
            found = masked[0]
            for value in masked[1:]:
                found = found | value
            return found

        drawn = self.random[16:]  # stage 2
        m.d.comb += [table.post.eq(self.at["write"]["post"]),
                     table.z.eq(one([new.as_unsigned() for new, _, _, _ in lanes])),
                     table.state.eq(one([old.as_unsigned() for _, _, _, old in lanes])),
                     table.word.eq(delayed(m, drawn, self.write_stage + 2, "drawn")),
                     self.sum_value.eq(table.gated)]
        return table.value

    @property
    def write_stage(self):
        """Cycles from the issue of a chunk to its write."""
        return MOVE_STAGE + self.config.update_latency

    @property
    def scales(self):
        """Whether every update lane has a multiplier of its own."""
        return self.config.pipelined_learning or self.config.noise

    def _controls(self, m, stages):
        """`at[stage]`: what the operation there is, taken over with its first chunk.

        The last one that started is the one whose first chunk comes to a stage: its key waits for
        the first write of the one before.
        """
        mode = self.mode
        told = {name: getattr(self, name) for name in (
            "nudge", "nudge_negative", "nudge_shift", "shift", "limits", "number", "plain",
            "factor", "negate", "noisy", "post", "factor_negative")}
        none = self.post == Post.NONE if self.config.smooth else Const(1)
        gate = self.post == Post.GATE if self.config.smooth else Const(0)
        told |= {"relax": mode == Mode.RELAX, "subtract": mode == Mode.SUBTRACT,
                 "moves": (mode == Mode.RELAX) | (mode == Mode.ASSIGN),
                 "zero": (mode == Mode.ASSIGN) | (mode == Mode.CLEAR) | (mode == Mode.SCALE),
                 "writes": (mode != Mode.DECIDE) & ~gate, "decides": mode == Mode.DECIDE,
                 "counts": (mode != Mode.DECIDE) & ~self.silent, "scale": mode == Mode.SCALE,
                 # Branch errors, the only ones that are negated, are no movement of a state.
                 "updates": ((mode == Mode.RELAX) | (mode == Mode.ASSIGN)) & none & ~self.negate,
                 "limits": Mux(none, self.limits, Limits.FORMAT),
                 "flow": self.post == Post.FLOW}
        self.at, self.word = {}, Signal.like(self.t)
        with m.If(self.start):
            m.d.sync += self.word.eq(self.t)
        places = {"clip": MOVE_STAGE + min(self.config.update_latency - 1, 2),
                  "write": self.write_stage}
        for stage, widths in _CONTROLS.items():
            self.at[stage], place = {}, places.get(stage, stage)
            for there, more in ((self.config.plain, _PLAIN),
                                (self.config.learning or self.config.noise, _SCALES),
                                (self.config.serial_learning, _SERIAL),
                                (self.config.smooth, _SMOOTH)):
                if there:
                    widths = widths | more.get(stage, {})
            for name, width in widths.items():
                newest = Signal(width, name=f"new{stage}_{name}", reset_less=True)
                with m.If(self.start):
                    m.d.sync += newest.eq(told[name])
                self.at[stage][name] = newest
                if stage == 2:  # the last chunk before a start has passed it
                    continue
                here = Signal(width, name=f"at{stage}_{name}", reset_less=True)
                with m.If(stages[place - 1].first):
                    m.d.sync += here.eq(newest)
                self.at[stage][name] = here

    def _issue(self, m, layout):
        """Walk blocks and chunks."""
        lanes, quick = self.config.lanes, self.config.update_lanes
        left, tail, limit = Signal(10), Signal(7), Signal(7)
        a, b, c = (Signal.like(port) for port in (self.a, self.b, self.c))
        chunk, first = Signal(6), Signal()
        issued = Signal(layout)
        unit = chunk << ceil_log2(quick)
        walking = Signal()
        going, one, sub = walking, Const(0), Const(0, 1)
        if self.config.serial_learning:
            # Its multiplier adds up: every other cycle clears it.
            slow, pause = Signal(), Signal()
            m.d.sync += pause.eq(slow & walking & ~pause)
            with m.If(self.start):
                m.d.sync += slow.eq(self.mode == Mode.SCALE)
            going = walking & ~pause
        end = unit + quick
        if self.serial:
            # One unit a cycle: for the table unit, and where every unit draws a word.
            one, wait, sub = Signal(), Signal(range(DRAW_LATENCY)), Signal(range(max(2, quick)))
            going = going & (wait == 0)
            end = Mux(one, unit + sub + 1, unit + quick)
            with m.If(self.start):
                m.d.sync += [one.eq((self.post != Post.NONE) | self.draws),
                             wait.eq(Mux(self.draws, DRAW_LATENCY - 3, 0)), sub.eq(0)]
            with m.Elif(wait != 0):
                m.d.sync += wait.eq(wait - 1)
            with m.Elif(going):
                m.d.sync += sub.eq(Mux(issued.step, 0, sub + 1))
            m.d.comb += [issued.valid.eq(going),
                         issued.step.eq(~one | issued.turn | (sub == quick - 1))]
        if self.config.pipelined_learning:
            # Told with the block, as a device so full has no time to find it out.
            with m.If(self.start):
                m.d.sync += limit.eq(Mux(self.blocks == 1, self.tail, lanes))
            with m.Elif(going & issued.turn):
                m.d.sync += limit.eq(Mux(left == 2, tail, lanes))
        else:
            m.d.comb += limit.eq(Mux(left == 1, tail, lanes))
        m.d.comb += [self.issuing.eq(walking),
                     self.a_address.eq(a), self.b_address.eq(b), self.sum_address.eq(c),
                     issued.first.eq(first & going), issued.turn.eq(end >= limit)]
        for lane in range(quick):
            m.d.comb += issued.lanes[lane].eq(going & (unit + lane < limit)
                                              & (~one | (sub == lane)))
        with m.If(self.start):
            m.d.sync += [left.eq(self.blocks), walking.eq(1), tail.eq(self.tail), chunk.eq(0),
                         first.eq(1),
                         a.eq(self.a), b.eq(self.b), c.eq(self.c)]
        with m.Elif(going):
            m.d.sync += first.eq(0)
            with m.If(issued.turn):
                m.d.sync += [chunk.eq(0), left.eq(left - 1), walking.eq(left != 1), a.eq(a + 1),
                             b.eq(b + 1), c.eq(c + 1)]
            with m.Elif(issued.step if self.serial else Const(1)):
                m.d.sync += chunk.eq(chunk + 1)
        return issued, chunk

    def _walk(self, m, before, out):
        """Word, chunk and unit that are written: walked again rather than carried along."""
        lanes, quick = self.config.lanes, self.config.update_lanes
        chunk = Signal(range(max(2, -(-lanes // quick))))
        # No vector has more units than the states, no population more than the sums.
        depth = max(self.config.state_depth, self.config.accumulator_depth)
        self.number_here = number = Signal(min(16, (depth * lanes - 1).bit_length()))
        m.d.comb += self.write_unit.eq(number)
        last_step = lanes - (-(-lanes // quick) - 1) * quick
        m.d.comb += self.write_chunk.eq(chunk)
        with m.If(before.first):
            m.d.sync += [self.write_word.eq(self.word), chunk.eq(0), number.eq(0)]
        with m.Elif(self.there(out) & (out.step if self.serial else Const(1))):
            m.d.sync += [chunk.eq(Mux(out.turn, 0, chunk + 1)),
                         self.write_word.eq(self.write_word + out.turn),
                         number.eq(number + Mux(out.turn, last_step, quick))]

    def serial_product(self, m, stage, a, at):
        """The multiplier that scaled factors and weight updates take turns at."""
        m.submodules.product = unit = ProductSum(self.config.primitives)
        there, learning = self.there(stage), self.learning
        m.d.comb += [unit.a.eq(a), unit.b.eq(Mux(learning, self.learn_value, at["factor"])),
                     unit.subtract.eq(Mux(learning, self.learn_subtract, at["factor_negative"])),
                     unit.load.eq(Mux(learning, self.learn_load, ~there)),
                     unit.add.eq(Mux(learning, self.learn_add, there)),
                     unit.begin.eq(Mux(learning, self.learn_begin, 0)),
                     self.total.eq(unit.total)]
        return unit.total
