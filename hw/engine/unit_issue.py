"""Issue of elementwise operations: walks the words of a vector, a chunk (or a unit) a cycle.

All tiles work on the same chunk of their lanes at once.
"""

from __future__ import annotations

from amaranth.hdl import Cat, Const, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out, connect, flipped
from amaranth.utils import ceil_log2

from ..interface.config import EngineConfig
from ..interface.isa import Mode, Post
from .ports import ChunkSignature, UnitSignature, occupied, one_at_a_time
from .random_words import DRAW_LATENCY
from .stages import Stages


class UnitIssue(wiring.Component):
    """Walks blocks and chunks of an operation.

    Latency: 1 cycle from `start` to the first chunk; an operation that draws random words waits
    until they come.  Throughput: one chunk a cycle, or one unit.

    Members
    -------
    operation : In(UnitSignature)
    pause : In(1)
        The memories are another's in this cycle: nothing is issued.
    issuing : Out(1)
        Chunks are left.
    chunk : Out(ChunkSignature)
    slow : Out(1)
        With the serial table unit only: the operation is one of its.  Then a chunk is issued with
        `token`, and `advance` goes on to the next one.
    token, advance : In(1)
    """

    def __init__(self, config: EngineConfig):
        self.config = config
        super().__init__({"operation": In(UnitSignature(config)), "pause": In(1),
                          "issuing": Out(1), "chunk": Out(ChunkSignature(config)),
                          "slow": Out(1), "token": In(1), "advance": In(1)})

    def elaborate(self, platform):
        m = Module()
        config, operation, issued = self.config, self.operation, self.chunk.stage
        lanes, quick = config.width, config.update_lanes
        left, tail, limit = Signal(10), Signal(7), Signal(7)
        chunk, first = self.chunk.number, Signal()
        unit = chunk << ceil_log2(quick)
        walking = Signal()
        going, one, sub = walking & ~self.pause, Const(0), Const(0, 1)
        if config.serial_learning:
            # Its multiplier adds up: every other cycle clears it.
            slow, pause = Signal(), Signal()
            m.d.sync += pause.eq(slow & going & ~pause)
            with m.If(operation.start):
                m.d.sync += slow.eq(operation.mode == Mode.SCALE)
            going = going & ~pause
        advance = reads = going
        if config.serial_table_unit:
            alone = Signal()
            with m.If(operation.start):
                m.d.sync += alone.eq((operation.post != Post.NONE) | operation.draws)
            m.d.comb += self.slow.eq(alone & walking)
            going, advance = (Mux(alone, walking & pulse, going)
                              for pulse in (self.token, self.advance))
            reads = Mux(alone, walking & ~self.pause, going)
        end = unit + quick
        if one_at_a_time(config):
            # One unit a cycle: for the table unit, and where every unit draws a word.
            one, wait, sub = Signal(), Signal(range(DRAW_LATENCY)), Signal(range(max(2, quick)))
            going = advance = reads = going & (wait == 0)
            end = Mux(one, unit + sub + 1, unit + quick)
            with m.If(operation.start):
                m.d.sync += [one.eq((operation.post != Post.NONE) | operation.draws),
                             wait.eq(Mux(operation.draws, DRAW_LATENCY - 3, 0)), sub.eq(0)]
            with m.Elif(wait != 0):
                m.d.sync += wait.eq(wait - 1)
            with m.Elif(going):
                m.d.sync += sub.eq(Mux(issued.step, 0, sub + 1))
            m.d.comb += issued.step.eq(~one | issued.turn | (sub == quick - 1))
        if config.pipelined_learning:
            # Found with the block: a device so full has no time to find it out here.
            with m.If(operation.start):
                m.d.sync += limit.eq(Mux(operation.blocks == 1, operation.tail, lanes))
            with m.Elif(going & issued.turn):
                m.d.sync += limit.eq(Mux(left == 2, tail, lanes))
        else:
            m.d.comb += limit.eq(Mux(left == 1, tail, lanes))
        if config.change_depth:
            m.d.comb += issued.end.eq(going & issued.turn & (left == 1))
        m.d.comb += [self.issuing.eq(walking), self.chunk.issuing.eq(reads),
                     issued.first.eq(first & going),
                     issued.turn.eq(end >= limit)]
        if config.tiles > 1:
            # Tile 0 has as many units of a word as any.
            m.d.comb += issued.turn.eq((end >= limit) | (end >= config.lanes))
        if "valid" in dict(issued.shape()):
            m.d.comb += issued.valid.eq(going)
        for lane in range(config.tiles * quick):
            tile, place = divmod(lane, quick)
            there = going & (unit + (tile * config.lanes + place) < limit)
            if config.tiles > 1:
                there = there & (unit + place < config.lanes)
            goal = issued.lanes[lane] if tile == 0 else self.chunk.others[lane - quick]
            m.d.comb += goal.eq(there & (~one | (sub == place)))
        with m.If(operation.start):
            m.d.sync += [left.eq(operation.blocks), walking.eq(1), tail.eq(operation.tail),
                         chunk.eq(0), first.eq(1), self.chunk.a.eq(operation.a),
                         self.chunk.b.eq(operation.b), self.chunk.c.eq(operation.c)]
        with m.Elif(advance):
            m.d.sync += first.eq(0)
            with m.If(issued.turn):
                m.d.sync += [chunk.eq(0), left.eq(left - 1), walking.eq(left != 1),
                             *(place.eq(place + 1) for place in (
                                 self.chunk.a, self.chunk.b, self.chunk.c))]
            with m.Elif(issued.step if one_at_a_time(config) else Const(1)):
                m.d.sync += chunk.eq(chunk + 1)
        return m


class UnitControl(wiring.Component):
    """What the root does of elementwise operations: issue, and where their chunks are.

    Latency: as :class:`UnitIssue`; chunks are followed through the stages of
    :class:`~apical.hw.engine.unit_pipeline.UnitPipeline` without asking the tiles.

    Members
    -------
    operation : In(UnitSignature)
    pause : In(1)
        The memories are another's in this cycle: nothing is issued.
    chunk : Out(ChunkSignature)
    issuing, issue : Out(1)
        Chunks are left; one is issued.
    busy, near : Out(1)
        Chunks are in the pipeline; some will not have been written by the time that an operation
        that starts now reads them.
    taken : Out(1)
        A state may be written in this cycle.
    take_key : Out(1)
        The first write of an operation comes in the next cycle.
    slow : Out(1), token, advance : In(1)
        As of :class:`UnitIssue`.
    """

    def __init__(self, config: EngineConfig):
        self.config = config
        super().__init__({
            "operation": In(UnitSignature(config)), "pause": In(1),
            "chunk": Out(ChunkSignature(config)), "issuing": Out(1), "issue": Out(1),
            "busy": Out(1), "near": Out(1), "taken": Out(1), "take_key": Out(1),
            "slow": Out(1), "token": In(1), "advance": In(1)})

    def elaborate(self, platform):
        m = Module()
        config, table = self.config, Stages(self.config)
        m.submodules.issue = issue = UnitIssue(config)
        connect(m, flipped(self.operation), issue.operation)
        connect(m, issue.chunk, flipped(self.chunk))
        m.d.comb += [issue.pause.eq(self.pause), self.issuing.eq(issue.issuing),
                     self.slow.eq(issue.slow), issue.token.eq(self.token),
                     issue.advance.eq(self.advance)]
        there, first = [occupied(issue.chunk.stage)], [issue.chunk.stage.first]
        for i in range(1, (table.late if config.pipelined_tables else table.write) + 1):
            late = Signal(2, name=f"stage{i}")
            m.d.sync += late.eq(Cat(there[-1], first[-1]))
            there.append(late[0])
            first.append(late[1])
        taken, take_key = there[table.write], first[table.write - 1]
        if config.pipelined_tables:
            # Operations of the table unit are alone in the pipeline.
            late = Signal()
            with m.If(self.operation.start):
                m.d.sync += late.eq(self.operation.post != Post.NONE)
            taken = Mux(late, there[table.late], taken)
            take_key = Mux(late, first[table.late - 1], take_key)
        m.d.comb += [self.issue.eq(there[0]), self.taken.eq(taken), self.take_key.eq(take_key)]
        # One stage before, to be registered.
        m.d.sync += [self.busy.eq(issue.issuing | Cat(*there[:-1]).any()),
                     self.near.eq(issue.issuing | Cat(*there[:-3]).any())]
        return m
