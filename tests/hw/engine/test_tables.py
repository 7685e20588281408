"""The table unit against the tables of the fixed executor, one value a cycle, latency 5."""

import numpy as np
import pytest
from component_bench import put, simulate

from apical.golden.numbers.formats import Format, round_shift
from apical.golden.numbers.tables import HALF_EXPONENTIAL, LOGISTIC, SLOPE, look_up, samples
from apical.golden.program import FLOW_LIMIT
from apical.hw.engine.tables import TableUnit
from apical.hw.interface.isa import Post

LATENCY = 5


def values(name, z, form):
    """Values of a table at raw states."""
    return np.array([look_up(samples(name, form), int(v), form.frac) for v in z])


def expected(post, z, state, word, form):
    """Written values by the fixed executor's tables."""
    if post == Post.LOGISTIC:
        return values(LOGISTIC, z, form)
    if post == Post.DRAW:
        return np.where(word >> 16 - form.frac < values(LOGISTIC, z, form), form.one, 0)
    if post == Post.THRESHOLD:
        return np.where(z > 0, form.one, 0)
    limit = FLOW_LIMIT << form.frac
    size = values(HALF_EXPONENTIAL, np.clip(z, -limit, limit), form)
    return np.where(state == form.one, size, -size)


@pytest.mark.parametrize("form", [Format(16, 12), Format(16, 8), Format(12, 4)])
@pytest.mark.parametrize("post", [Post.LOGISTIC, Post.DRAW, Post.THRESHOLD, Post.FLOW, Post.GATE])
def test_values_and_latency(post, form):
    rng, unit, count = np.random.default_rng(5), TableUnit(form), 120
    z, state = rng.integers(form.min, form.max + 1, (2, count))
    z[:5], state[:40:2] = (0, 1, -1, form.min, form.max), form.one
    word = rng.integers(0, 1 << 16, count)
    name = "gated" if post == Post.GATE else "value"
    wanted = (round_shift(values(SLOPE, state, form) * z, form.frac) if post == Post.GATE
              else expected(post, z, state, word, form) & 0xFFFF)
    got = []

    async def bench(ctx):
        put(ctx, unit, post=post)
        for cycle in range(count + LATENCY):
            i = min(cycle, count - 1)
            put(ctx, unit, z=z[i], state=state[i])
            if cycle >= 4:  # stage 9
                put(ctx, unit, word=word[cycle - 4] if cycle - 4 < count else 0)
            if cycle >= LATENCY:
                got.append(ctx.get(getattr(unit, name)))
            await ctx.tick()

    simulate(unit, bench)
    np.testing.assert_array_equal(got, wanted)
