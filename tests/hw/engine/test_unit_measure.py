"""The largest movement and the decision of the unit pipeline, against NumPy."""

import numpy as np
import pytest
from component_bench import packed, put, simulate

from apical.hw.engine.unit_measure import Measure, measure_latency


def feed(ctx, measure, chunk, deciding, first):
    values, distances, enable, unit = chunk
    put(ctx, measure, valid=1, first=first, deciding=deciding, updating=not deciding,
        enable=packed(enable, 1), unit=unit, values=packed(values, 16),
        distances=packed(distances, 16))


@pytest.mark.parametrize("lanes", [1, 2, 4, 8])
def test_largest_movement(lanes):
    rng, measure = np.random.default_rng(lanes), Measure(lanes)
    latency = measure_latency(lanes)

    async def bench(ctx):
        largest, history = 0, []
        for cycle in range(40):
            enable = rng.integers(0, 2, lanes)
            distances = rng.integers(0, 1 << rng.integers(1, 17), lanes)
            feed(ctx, measure, (np.zeros(lanes, int), distances, enable, 0), 0, cycle == 0)
            largest = max(largest, int((distances * enable).max()))
            history.append(largest)
            if cycle >= latency:
                assert ctx.get(measure.moved) == history[cycle - latency]
                assert ctx.get(measure.busy)
            await ctx.tick()
        put(ctx, measure, valid=0)
        await ctx.tick().repeat(latency)
        assert ctx.get(measure.moved) == largest and not ctx.get(measure.busy)
        put(ctx, measure, clear_moved=1)
        await ctx.tick()
        assert ctx.get(measure.moved) == 0

    simulate(measure, bench)


@pytest.mark.parametrize("lanes", [1, 2, 4])
def test_the_first_of_the_largest_values_wins(lanes):
    rng, measure = np.random.default_rng(lanes), Measure(lanes)

    async def bench(ctx):
        for case in range(20):
            units = int(rng.integers(1, 6 * lanes))
            reach = 2 if case % 2 else 1 << 15  # many equals, or all values
            values = rng.integers(-reach, reach, units)
            for first in range(0, units, lanes):
                part = np.zeros(lanes, int)
                count = min(lanes, units - first)
                part[:count] = values[first:first + count]
                # Lanes without a unit hold what they like.
                part[count:] = (1 << 15) - 1
                feed(ctx, measure, (part, np.zeros(lanes, int), np.arange(lanes) < count, first),
                     1, first == 0)
                await ctx.tick()
            put(ctx, measure, valid=0)
            assert ctx.get(measure.busy)
            await ctx.tick().repeat(measure_latency(lanes) - 1)
            assert not ctx.get(measure.busy)
            assert ctx.get(measure.winner) == np.argmax(values)

    simulate(measure, bench)
