"""Issue of elementwise operations: walks the words of a vector, a chunk (or a unit) a cycle."""

from __future__ import annotations

from amaranth.hdl import Const, Module, Mux, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

from ..interface.config import EngineConfig
from ..interface.isa import LANE_BITS, Mode, Post
from .ports import UnitSignature, Widths
from .random_words import DRAW_LATENCY


def one_at_a_time(config: EngineConfig) -> bool:
    """Whether some operations issue one unit a cycle: table look-ups, random words."""
    return (config.smooth or config.noise) and not config.one_at_a_time


def stage_layout(config: EngineConfig):
    """What travels with a chunk: lanes with a unit, first chunk of all, last chunk of its word.

    Where units may come one at a time, `valid` says that there is a chunk, and `step` that its
    last unit passes.
    """
    more = {"valid": 1, "step": 1} if one_at_a_time(config) else {}
    return data.StructLayout({"lanes": config.update_lanes, "first": 1, "turn": 1, **more})


def occupied(config: EngineConfig, stage):
    """Whether a stage holds a chunk."""
    return stage.valid if one_at_a_time(config) else stage.lanes[0]


class UnitIssue(wiring.Component):
    """Walks blocks and chunks of an operation.

    Latency: 1 cycle from `start` to the first chunk; an operation that draws random words waits
    until they come.  Throughput: one chunk a cycle, or one unit.

    Members
    -------
    operation : In(UnitSignature)
    issuing : Out(1)
        Chunks are left.
    stage : Out(`stage_layout`)
        The chunk that is issued.
    number, a, b, c : Out
        Its number in the word; words of state a, of state b and of sums.
    slow : Out(1)
        With the serial table unit only: the operation is one of its.  Then a chunk is issued with
        `token`, and `advance` goes on to the next one.
    token, advance : In(1)
    """

    def __init__(self, config: EngineConfig):
        self.config = config
        widths = Widths(config)
        super().__init__({
            "operation": In(UnitSignature(config)), "issuing": Out(1),
            "stage": Out(stage_layout(config)), "number": Out(LANE_BITS),
            "a": Out(widths.states), "b": Out(widths.states), "c": Out(widths.sums),
            "slow": Out(1), "token": In(1), "advance": In(1)})

    def elaborate(self, platform):
        m = Module()
        config, operation, issued = self.config, self.operation, self.stage
        lanes, quick = config.lanes, config.update_lanes
        left, tail, limit = Signal(10), Signal(7), Signal(7)
        chunk, first = self.number, Signal()
        unit = chunk << ceil_log2(quick)
        walking = Signal()
        going, one, sub = walking, Const(0), Const(0, 1)
        if config.serial_learning:
            # Its multiplier adds up: every other cycle clears it.
            slow, pause = Signal(), Signal()
            m.d.sync += pause.eq(slow & walking & ~pause)
            with m.If(operation.start):
                m.d.sync += slow.eq(operation.mode == Mode.SCALE)
            going = walking & ~pause
        advance = going
        if config.one_at_a_time:
            alone = Signal()
            with m.If(operation.start):
                m.d.sync += alone.eq((operation.post != Post.NONE) | operation.draws)
            m.d.comb += self.slow.eq(alone & walking)
            going, advance = (Mux(alone, walking & pulse, going)
                              for pulse in (self.token, self.advance))
        end = unit + quick
        if one_at_a_time(config):
            # One unit a cycle: for the table unit, and where every unit draws a word.
            one, wait, sub = Signal(), Signal(range(DRAW_LATENCY)), Signal(range(max(2, quick)))
            going = advance = going & (wait == 0)
            end = Mux(one, unit + sub + 1, unit + quick)
            with m.If(operation.start):
                m.d.sync += [one.eq((operation.post != Post.NONE) | operation.draws),
                             wait.eq(Mux(operation.draws, DRAW_LATENCY - 3, 0)), sub.eq(0)]
            with m.Elif(wait != 0):
                m.d.sync += wait.eq(wait - 1)
            with m.Elif(going):
                m.d.sync += sub.eq(Mux(issued.step, 0, sub + 1))
            m.d.comb += [issued.valid.eq(going),
                         issued.step.eq(~one | issued.turn | (sub == quick - 1))]
        if config.pipelined_learning:
            # Found with the block: a device so full has no time to find it out here.
            with m.If(operation.start):
                m.d.sync += limit.eq(Mux(operation.blocks == 1, operation.tail, lanes))
            with m.Elif(going & issued.turn):
                m.d.sync += limit.eq(Mux(left == 2, tail, lanes))
        else:
            m.d.comb += limit.eq(Mux(left == 1, tail, lanes))
        m.d.comb += [self.issuing.eq(walking), issued.first.eq(first & going),
                     issued.turn.eq(end >= limit)]
        for lane in range(quick):
            m.d.comb += issued.lanes[lane].eq(going & (unit + lane < limit)
                                              & (~one | (sub == lane)))
        with m.If(operation.start):
            m.d.sync += [left.eq(operation.blocks), walking.eq(1), tail.eq(operation.tail),
                         chunk.eq(0), first.eq(1), self.a.eq(operation.a),
                         self.b.eq(operation.b), self.c.eq(operation.c)]
        with m.Elif(advance):
            m.d.sync += first.eq(0)
            with m.If(issued.turn):
                m.d.sync += [chunk.eq(0), left.eq(left - 1), walking.eq(left != 1),
                             self.a.eq(self.a + 1), self.b.eq(self.b + 1), self.c.eq(self.c + 1)]
            with m.Elif(issued.step if one_at_a_time(config) else Const(1)):
                m.d.sync += chunk.eq(chunk + 1)
        return m
