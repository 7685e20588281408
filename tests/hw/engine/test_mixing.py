"""Mixing in gateware against `golden.mix`: values, latency, and nothing lost on the way."""

import numpy as np
import pytest
from amaranth.sim import Simulator

from apical.golden.numbers import addressed as mix
from apical.hw.engine.mixing import (
    CROSS_LATENCY,
    CrossUnit,
    KeyEngine,
    SignatureUnit,
    signature_latency,
)

RNG = np.random.default_rng(6)


def run(component, bench):
    simulator = Simulator(component)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()


def test_key_engine():
    """The result is there `KEY_ROUNDS` cycles after the start, and stays."""
    engine = KeyEngine()
    words = [(0, 0), (0xFFFFFFFF, 0xFFFFFFFF), (1, 1 << 31),
             *RNG.integers(0, 2**32, (40, 2)).tolist()]

    async def bench(ctx):
        assert ctx.get(engine.ready)
        for key, word in words:
            ctx.set(engine.key, key)
            ctx.set(engine.word, word)
            ctx.set(engine.start, 1)
            await ctx.tick()
            ctx.set(engine.start, 0)
            ctx.set(engine.word, 0x5555)  # taken with the start only
            for _ in range(mix.KEY_ROUNDS):
                assert not ctx.get(engine.ready)
                await ctx.tick()
            for _ in range(2):
                assert ctx.get(engine.ready)
                assert ctx.get(engine.result) == mix.mix_key(key, word)
                await ctx.tick()

    run(engine, bench)


def test_cross_unit():
    """A pair of words a cycle, out again `CROSS_LATENCY` cycles later."""
    unit, told = CrossUnit(), []

    async def bench(ctx):
        for cycle in range(300):
            words = [int(x) for x in RNG.integers(0, 2**16, 4)]
            if cycle < 6:
                words = [0xFFFF if cycle >> i & 1 else 0 for i in range(4)]
            for name, word in zip("abcd", words, strict=True):
                ctx.set(getattr(unit, name), word)
            told.append(mix.cross(*words))
            if cycle >= CROSS_LATENCY:
                assert (ctx.get(unit.x), ctx.get(unit.y)) == told[cycle - CROSS_LATENCY]
            await ctx.tick()

    run(unit, bench)


@pytest.mark.parametrize("lanes", [1, 2, 3, 4, 7])
def test_signature_unit(lanes):
    """One write a cycle, any lanes of it; the sum follows `signature_latency` cycles later."""
    unit, sums, total = SignatureUnit(lanes), [], 0
    latency = signature_latency(lanes)

    async def bench(ctx):
        nonlocal total
        for cycle in range(60):
            valid = RNG.integers(0, 2, lanes) * int(cycle < 50) * (cycle % 3 > 0)
            key, address = (int(x) for x in RNG.integers(0, (2**32, 2**16 - 8)))
            values = RNG.integers(-2**15, 2**15, lanes)
            for lane in np.flatnonzero(valid):
                total += mix.mix_element(key, address + int(lane), int(values[lane]))
            sums.append(total & 0xFFFFFFFF)
            ctx.set(unit.valid, sum(int(v) << i for i, v in enumerate(valid)))
            ctx.set(unit.key, key)
            ctx.set(unit.address, address)
            ctx.set(unit.values, sum((int(v) & 0xFFFF) << 16 * i for i, v in enumerate(values)))
            if cycle >= latency:
                shown = ctx.get(unit.total)
                assert shown == sums[cycle - latency]
                assert shown == sums[cycle] or ctx.get(unit.busy), "more is on its way"
            await ctx.tick()
        assert not ctx.get(unit.busy)
        ctx.set(unit.valid, 0)
        assert ctx.get(unit.total) == sums[-1] > 0
        ctx.set(unit.clear, 1)
        await ctx.tick()
        assert ctx.get(unit.total) == 0

    run(unit, bench)
