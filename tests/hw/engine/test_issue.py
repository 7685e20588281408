"""The issue of projections by itself: beats in order, addresses, operands, first beat and pace."""

import numpy as np
import pytest
from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import connect
from component_bench import packed, put, simulate

from apical.hw.engine.issue import ProjectionIssue
from apical.hw.engine.scan import WordScan
from apical.hw.interface.config import EngineConfig
from apical.hw.interface.isa import Kind


class ScannedIssue(wiring.Component):
    """The issue, and the scan of the one tile."""

    def __init__(self, config):
        self.issue, self.scan = ProjectionIssue(config), WordScan(config)
        super().__init__({})

    def elaborate(self, platform):
        m = Module()
        m.submodules.issue, m.submodules.scan = self.issue, self.scan
        connect(m, self.issue.items.scan, self.scan.scan)
        connect(m, self.scan.item, self.issue.items.item)
        return m


def run(config, states=None, events=(), **operation):
    """Run one operation over memories of these contents.

    Returns
    -------
    list of tuple
        (cycle after `start`, weight word, value or state word, first, last, accumulator, lane,
        useful lanes) of each beat.
    """
    both, beats = ScannedIssue(config), []
    issue, scan = both.issue, both.scan
    quick = config.update_lanes
    states = np.zeros((config.state_depth, config.lanes), int) if states is None else states

    async def memories(ctx):
        """Latency 1, of events that of the configuration."""
        flags = chunk = event = late_event = 0
        while True:
            word = ctx.get(scan.flags.address)
            flags = packed(states[word] != 0, 1)
            word, number = ctx.get(scan.rates.address), ctx.get(scan.rates.number)
            chunk = packed(states[word][number * quick:(number + 1) * quick], 16)
            late_event, place = event, ctx.get(issue.events.address)
            event = events[place] if place < len(events) else 0
            await ctx.tick()
            put(ctx, scan.flags, data=flags)
            put(ctx, scan.rates, data=chunk)
            put(ctx, issue.events, data=event if config.event_latency == 1 else late_event)

    async def bench(ctx):
        put(ctx, issue.operation, start=1, **operation)
        await ctx.tick()
        put(ctx, issue.operation, **dict.fromkeys(("start", *operation), 0))
        for cycle in range(1, 400):
            beat = issue.operand.beat
            if ctx.get(beat.valid):
                second = (ctx.get(issue.dot.address) if ctx.get(beat.dot)
                          else ctx.get(issue.operand.value))
                beats.append((cycle, ctx.get(issue.weight_address), second, ctx.get(beat.first),
                              ctx.get(beat.last), ctx.get(beat.into), ctx.get(beat.lane),
                              ctx.get(issue.useful)))
            elif not ctx.get(issue.issuing):
                return
            await ctx.tick()
        raise AssertionError("the issue does not end")

    simulate(both, bench, background=[memories])
    return beats


def test_a_constant_is_one_beat_a_block():
    beats = run(EngineConfig(lanes=4, update_lanes=2), kind=Kind.CONSTANT, source=4096, matrix=9,
                rows=1, blocks=3, tail=2, into=5)
    assert beats == [(2 + i, 9 + i, 4096, 1, 1, 5 + i, 0, 2 if i == 2 else 4) for i in range(3)]


@pytest.mark.parametrize("latency", [1, 2])
def test_events_are_streamed_once_a_block(latency):
    config = EngineConfig(lanes=4, update_lanes=2, event_latency=latency)
    listed = [(0, 11), (3, 22), (8, 33)]
    events = [0] * 6 + [v | i << 16 | (i == 8) << 31 for i, v in listed] + [77 | 1 << 16] * 4
    beats = run(config, events=events, kind=Kind.EVENT, source=6, matrix=20, rows=10, blocks=2,
                tail=1, into=2)
    wanted = [(20 + 10 * block + i, v, i == 0, i == 8, 2 + block, 0, 1 if block else 4)
              for block in range(2) for i, v in listed]
    assert [beat[1:] for beat in beats] == wanted
    assert beats[0][0] == 2 + latency
    assert [beat[0] - beats[0][0] for beat in beats[:3]] == [0, 1, 2]


@pytest.mark.parametrize(("lanes", "quick"), [(1, 1), (4, 2), (5, 4), (16, 4)])
@pytest.mark.parametrize("density", [0.0, 0.3, 1.0])
def test_state_words_give_a_beat_for_each_rate_that_is_not_zero(lanes, quick, density):
    rng = np.random.default_rng(lanes)
    config = EngineConfig(lanes=lanes, update_lanes=quick, state_depth=8)
    words, tail = 3, max(1, lanes - 2)
    states = rng.integers(1, 1 << 16, (8, lanes)) * (rng.random((8, lanes)) < density)
    states[5:] = 1  # not of the vector
    size = (words - 1) * lanes + tail
    vector = states[2:2 + words].reshape(-1)[:size]
    beats = run(config, states, kind=Kind.STATE, source=2, source_blocks=words, source_tail=tail,
                matrix=40, rows=size, blocks=2, tail=1, into=1)
    units = np.flatnonzero(vector)
    for block in range(2):
        mine = [beat for beat in beats if beat[5] == 1 + block]
        found = [(address - 40 - block * size, value) for _, address, value, *_ in mine if value]
        assert found == [(unit, vector[unit]) for unit in units]
        # A pass without a rate at its end closes with one of value 0.
        assert [beat[4] for beat in mine] == [0] * (len(mine) - 1) + [1]
        assert mine[0][3] == 1 and len(mine) <= len(units) + 1
    assert beats[0][0] >= 6 + (lanes > 8)
    if density == 1.0:
        assert beats[0][0] == 6 + (lanes > 8)


def test_dot_direction_walks_rows_then_lanes():
    config = EngineConfig(lanes=2, update_lanes=1, weight_latency=1)
    beats = run(config, kind=Kind.STATE, source=3, matrix=50, rows=3, blocks=2, tail=1, into=7,
                dot=1)
    assert beats == [(2 + 2 * row + block, 50 + row + 3 * block, 3 + block, block == 0, block == 1,
                      7 + row // 2, row % 2, 1 if block else 2)
                     for row in range(3) for block in range(2)]

def changes_of(items, updating=(), **operation):
    """Beats (cycle after `start`, weight word, value, first, last, started, into, start) of items
    (index, value, last) that are all there from the beginning; `updating` are cycles in which an
    elementwise operation starts or issues."""
    issue, beats = ProjectionIssue(EngineConfig(lanes=4, update_lanes=2, change_depth=8)), []

    async def bench(ctx):
        put(ctx, issue.operation, start=1, kind=Kind.CHANGES, **operation)
        left = list(items)
        for cycle in range(60):
            ctx.set(issue.unit_started, int(cycle in updating[:1]))
            ctx.set(issue.unit_issuing, int(cycle in updating[1:]))
            index, value, last = left[0] if left else (0, 0, 0)
            put(ctx, issue.changes, valid=bool(left), index=index, value=value, last=last)
            beat = issue.operand.beat
            if ctx.get(beat.valid):
                beats.append((cycle, ctx.get(issue.weight_address), ctx.get(issue.operand.value),
                              *(ctx.get(getattr(beat, name)) for name in (
                                  "first", "last", "started", "into", "start"))))
            if ctx.get(issue.take_change):
                left.pop(0)
            await ctx.tick()
            put(ctx, issue.operation, start=0)
        assert not left and not ctx.get(issue.issuing)

    simulate(issue, bench)
    return beats


ITEMS = [(5, 11, 0), (7, 22, 0), (8, 33, 1)]


def test_changes_of_one_block_stay_in_the_lanes():
    operation = {"matrix": 20, "rows": 10, "blocks": 1, "tail": 3, "into": 6, "begin": 2,
                 "started": 1}
    assert changes_of(ITEMS, **operation) == [
        (2, 25, 11, 1, 0, 1, 6, 2), (3, 27, 22, 0, 0, 1, 6, 6), (4, 28, 33, 0, 1, 1, 6, 6)]
    assert changes_of([(0, 0, 1)], **operation) == [(2, 20, 0, 1, 1, 1, 6, 2)], "the sum is copied"
    assert changes_of([(0, 0, 1)], **operation | {"begin": 6}) == [], "the sum is there"
    assert changes_of([(3, 9, 0), (0, 0, 1)], **operation | {"begin": 6}) == [
        (2, 23, 9, 1, 0, 1, 6, 6), (3, 20, 0, 0, 1, 1, 6, 6)]


@pytest.mark.parametrize(("blocks", "apart"), [(2, 3), (3, 3), (4, 4)])
def test_a_change_goes_to_all_blocks_before_the_next_one(blocks, apart):
    beats = changes_of(ITEMS, matrix=20, rows=10, blocks=blocks, tail=3, into=6, begin=1, started=0)
    wanted = [(2 + apart * number + block, 20 + index + 10 * block, value, 1, 1, int(number > 0),
               6 + block, (6 if number else 1) + block)
              for number, (index, value, _) in enumerate(ITEMS) for block in range(blocks)]
    assert beats == wanted
    assert changes_of([(0, 0, 1)], matrix=20, rows=10, blocks=blocks, tail=3, into=6, begin=6,
                      started=1) == []


def test_the_last_change_is_held_until_the_next_operation_has_been_issued():
    beats = changes_of(ITEMS, updating=(6, 7, 8, 9), matrix=20, rows=10, blocks=1, tail=3, into=6,
                       begin=6, started=1, held=1)
    assert [beat[0] for beat in beats] == [2, 3, 11]
