"""The lanes by themselves: both directions against NumPy, cycles of the stages by equality."""

import numpy as np
import pytest
from amaranth.hdl import Module
from amaranth.lib import wiring
from component_bench import packed, put, simulate, unpacked

from apical.hw.engine.lanes import InFlight, Lanes
from apical.hw.engine.stages import tree_stages
from apical.hw.interface.config import EngineConfig

SHAPES = [
    # lanes, weight latency, multiplier latency
    (1, 1, 1), (4, 2, 2), (5, 4, 3), (8, 1, 2)]


class OneTile(wiring.Component):
    """Lanes whose partial sum is the whole one, and what the root knows of them."""

    def __init__(self, config):
        self.lanes, self.flight = Lanes(config), InFlight(config)
        super().__init__({})

    def elaborate(self, platform):
        m = Module()
        m.submodules.lanes, m.submodules.flight = lanes, flight = self.lanes, self.flight
        m.d.comb += [lanes.across.total.eq(lanes.across.partial),
                     flight.beat.eq(lanes.operand.beat)]
        return m


def play(config, beats):
    """Feed (beat fields, value, weights, rates, sums) a cycle; the writes as (cycle, lanes, word,
    values)."""
    tile, width = OneTile(config), config.accumulator_width
    lanes, writes, busy = tile.lanes, [], []
    stage = config.weight_latency + config.multiplier_latency

    async def bench(ctx):
        for cycle in range(len(beats) + 20):
            beat, value, _, _ = beats[cycle] if cycle < len(beats) else ({}, 0, None, None)
            put(ctx, lanes.operand.beat, **dict.fromkeys(("valid", "first", "last", "dot"), 0))
            put(ctx, lanes.operand.beat, **beat)
            put(ctx, lanes.operand, value=value)
            meet = cycle - config.weight_latency
            if 0 <= meet < len(beats):
                put(ctx, lanes, weights=packed(beats[meet][2], 16),
                    rates=packed(beats[meet][3], 16))
            enable = ctx.get(lanes.write.enable)
            if enable:
                writes.append((cycle, enable, ctx.get(lanes.write.address), np.array(unpacked(
                    ctx.get(lanes.write.data), width, config.lanes, signed=True))))
            busy.append(ctx.get(tile.flight.busy))
            await ctx.tick()

    simulate(tile, bench)
    # Beats are on their way until the cycle in which the last sum is written.
    assert np.flatnonzero(busy)[-1] == writes[-1][0]
    return writes, stage


def values(rng, lanes):
    return rng.integers(-1 << 15, 1 << 15, lanes)


@pytest.mark.parametrize(("lanes", "weights", "multiplier"), SHAPES)
@pytest.mark.parametrize("negative", [0, 1])
def test_broadcast_sums_every_lane(lanes, weights, multiplier, negative):
    rng = np.random.default_rng(lanes)
    config = EngineConfig(lanes=lanes, update_lanes=1, weight_latency=weights,
                          multiplier_latency=multiplier)
    beats, expected = [], np.zeros(lanes, np.int64)
    for i in range(6):
        value, word = int(rng.integers(-1 << 15, 1 << 15)), values(rng, lanes)
        beats.append(({"valid": 1, "first": i == 0, "last": i == 5, "negative": negative,
                       "into": 3}, value, word, values(rng, lanes)))
        expected += (-1) ** negative * value * word
    writes, stage = play(config, beats)
    (cycle, enable, word, totals), = writes
    assert (cycle, enable, word) == (5 + stage + 1, (1 << lanes) - 1, 3)
    np.testing.assert_array_equal(totals, expected)


@pytest.mark.parametrize(("lanes", "weights", "multiplier"), SHAPES)
def test_dot_sums_over_the_lanes_into_one(lanes, weights, multiplier):
    rng = np.random.default_rng(lanes)
    config = EngineConfig(lanes=lanes, update_lanes=1, weight_latency=weights,
                          multiplier_latency=multiplier)
    beats, expected = [], []
    for unit in range(3):
        total = 0
        for i in range(2):
            word, rates = values(rng, lanes), values(rng, lanes)
            beats.append(({"valid": 1, "dot": 1, "first": i == 0, "last": i == 1,
                           "negative": 0, "lane": unit % lanes, "into": unit}, 99, word, rates))
            total += int(word @ rates)
        expected.append(total)
    writes, stage = play(config, beats)
    assert len(writes) == 3
    for unit, (cycle, enable, word, totals) in enumerate(writes):
        assert cycle == 2 * unit + 1 + stage + tree_stages(lanes) + 1
        assert (enable, word) == (1 << unit % lanes, unit)
        assert totals[unit % lanes] == expected[unit]


def test_a_sum_starts_from_its_accumulator():
    """The word is asked so that it arrives at the first product: a memory of latency 1."""
    config = EngineConfig(lanes=2, update_lanes=1)
    lanes = Lanes(config)

    async def bench(ctx):
        put(ctx, lanes.operand.beat, valid=1, first=1, last=1, started=1, start=5, into=6)
        put(ctx, lanes.operand, value=3)
        put(ctx, lanes, weights=packed((10, 20), 16))
        asked = []
        for _ in range(config.weight_latency + config.multiplier_latency):
            asked.append(ctx.get(lanes.sums.address))
            await ctx.tick()
            put(ctx, lanes.operand.beat, valid=0, started=0, start=0)
            ctx.set(lanes.sums.data, packed((1000 + asked[-1], -7), config.accumulator_width))
        await ctx.tick()
        assert asked[-1] == 5 and ctx.get(lanes.write.enable) == 3
        assert unpacked(ctx.get(lanes.write.data), config.accumulator_width, 2,
                        signed=True) == [1005 + 30, -7 + 60]

    simulate(lanes, bench)
