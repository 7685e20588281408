"""New weights of the pipelined learning unit by themselves, against NumPy; stages by equality."""

import numpy as np
import pytest
from component_bench import packed, put, simulate, unpacked

from apical.golden.numbers.addressed import cross, halves, mix_written, rounding_addend
from apical.hw.engine.learn_write import WeightWriter, random_ahead
from apical.hw.engine.mixing import CROSS_LATENCY
from apical.hw.interface.config import EngineConfig

LANES = 3


def word(rng, config, reach=None):
    """One weight word: mix, lane mixes, old weights, sums of products, flags."""
    least, most = config.weight.min, config.weight.max
    return {"mix": int(rng.integers(0, 1 << 32)), "lanes": rng.integers(0, 1 << 32, LANES),
            "old": rng.integers(least, most + 1, LANES) if reach is None else np.full(LANES, reach),
            "sums": rng.integers(-1 << 30, 1 << 30, LANES),
            "scalars": int(rng.integers(1, 4)), "full": rng.integers(0, 2, (2, LANES)),
            "inside": np.array([1, 1, rng.integers(0, 2)])}


@pytest.mark.parametrize("reach", [None, 32767, -32768])
@pytest.mark.parametrize(("weights", "multiplier"), [(1, 1), (2, 2), (4, 3)])
def test_a_word_from_its_beat_to_the_write(weights, multiplier, reach):
    config = EngineConfig(lanes=LANES, update_lanes=1, learning=True, weight_latency=weights,
                          multiplier_latency=multiplier)
    writer, rng, drop = WeightWriter(config), np.random.default_rng(7), config.drop
    stage, width = weights + multiplier, config.accumulator_width
    ahead = random_ahead(config)

    async def bench(ctx):
        for case in range(12):
            made = word(rng, config, reach)
            x, y = np.array([cross(*halves(made["mix"]), *halves(int(lane)))
                             for lane in made["lanes"]]).T
            begin = (made["old"] << drop) + rounding_addend(y, drop)
            total = begin + made["sums"]
            new = np.clip(total >> drop, config.weight.min, config.weight.max) * made["inside"]
            clipped = (total >> drop) != np.clip(total >> drop, config.weight.min,
                                                 config.weight.max)
            flags = [made["scalars"] >> term & 1 for term in range(2)]
            mask = (flags[0] & made["full"][0]) | (flags[1] & made["full"][1])
            put(ctx, writer, busy=1, place=case, scalar=50 + case, first=6, turned=case & 1,
                lane_mix=packed(made["lanes"], 32), inside=packed(made["inside"], 1),
                full=packed([packed(row, 1) for row in made["full"]], LANES))
            # Stage 0 is now; each input comes in the cycle of its stage.
            for cycle in range(stage + 3):
                put(ctx, writer, mix=made["mix"] if cycle == stage - CROSS_LATENCY - ahead else 0)
                put(ctx, writer.weights, word=packed(made["old"], 16) if cycle == stage else 0)
                put(ctx, writer.sum, complete=cycle == stage + 1, scalars=made["scalars"],
                    totals=packed(total, width))
                if cycle == 1:
                    put(ctx, writer, place=0, scalar=0)
                await ctx.delay(1e-8)
                if cycle == multiplier:
                    assert ctx.get(writer.weights.read_address) == case
                if cycle == stage:
                    assert unpacked(ctx.get(writer.sum.begin), width, LANES,
                                    signed=True) == begin.tolist()
                assert ctx.get(writer.weights.enable) == (cycle == stage + 2)
                if cycle < stage + 2:
                    await ctx.tick()
            assert ctx.get(writer.weights.address) == case
            assert unpacked(ctx.get(writer.weights.data), 16, LANES, signed=True) == new.tolist()
            writes = writer.writes
            assert [ctx.get(port) for port in (writes.valid, writes.mask, writes.scalar,
                                               writes.first, writes.turned)] == [
                mask.any(), packed(mask, 1), 50 + case, 6, case & 1]
            await ctx.tick().repeat(2)
            assert ctx.get(writer.counts.written) == mask.sum()
            assert ctx.get(writer.counts.clipped) == (clipped & mask.astype(bool)).sum()
            await ctx.tick()  # 1 + ceil(log2(3)) after the write
            expected = sum(int(mix_written(int(x[i]), int(y[i]), int(new[i]))) * int(mask[i])
                           for i in range(LANES))
            assert ctx.get(writer.mixed) == expected
            await ctx.tick().repeat(4)
            assert ctx.get(writer.mixed) == 0 and not ctx.get(writer.signing)

    simulate(writer, bench)
