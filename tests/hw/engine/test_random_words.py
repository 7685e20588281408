"""Random words of states against their definition: one a cycle, from the latency on."""

import numpy as np
from component_bench import put, simulate

from apical.golden.numbers.addressed import draw_words
from apical.hw.engine.random_words import DRAW_LATENCY, DrawUnit


def test_words_of_units_in_order():
    unit, rng = DrawUnit(), np.random.default_rng(4)

    async def bench(ctx):
        for key in (0, 0xFFFFFFFF, *rng.integers(0, 1 << 32, 3).tolist()):
            put(ctx, unit, start=1, key=key)
            await ctx.tick()
            put(ctx, unit, start=0, key=0x12345678)  # taken with the start only
            await ctx.tick().repeat(DRAW_LATENCY - 1)
            for number in range(30):
                assert (ctx.get(unit.x), ctx.get(unit.y)) == draw_words(key, number)
                await ctx.tick()

    simulate(unit, bench)
