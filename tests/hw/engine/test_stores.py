"""Memories with those who share them: everyone gets the word asked for, in the cycle stated."""

import numpy as np
import pytest
from component_bench import packed, put, simulate, unpacked

from apical.golden.numbers.formats import Format
from apical.hw.engine.stores import CodeStore, StateStore, SumStore, WeightStore
from apical.hw.interface.config import EngineConfig


@pytest.mark.parametrize("latency", [1, 2])
def test_code_of_program_and_descriptors(latency):
    config = EngineConfig(program_depth=20, descriptor_depth=10, code_latency=latency)
    store, rng = CodeStore(config), np.random.default_rng(1)
    words = {(kind, place): int(rng.integers(0, 1 << 62)) for kind, depth in ((0, 20), (1, 10))
             for place in range(depth)}

    async def bench(ctx):
        for (kind, place), word in words.items():
            for half in range(2):
                put(ctx, store.host, write=1, descriptor=kind, address=place << 1 | half,
                    data=word >> 32 * half & 0xFFFFFFFF)
                await ctx.tick()
        put(ctx, store.host, write=0)
        for (kind, place), word in words.items():
            put(ctx, store, program_address=place, descriptor_address=place % 10, describing=kind)
            await ctx.tick().repeat(latency)
            assert ctx.get(store.code) == word
            put(ctx, store.host, reading=1, address=place << 1, descriptor=kind)
            put(ctx, store, describing=1 - kind, program_address=0, descriptor_address=0)
            await ctx.tick().repeat(latency)
            assert ctx.get(store.host.code) == word
            put(ctx, store.host, reading=0)

    simulate(store, bench)


@pytest.mark.parametrize("ports", [1, 2])
@pytest.mark.parametrize("learning", [False, True])
def test_weights_of_host_beats_and_updates(ports, learning):
    config = EngineConfig(lanes=3, weight=Format(12, 10), weight_depth=30, weight_ports=ports,
                          weight_latency=2, learning=learning, update_lanes=1)
    store, rng = WeightStore(config), np.random.default_rng(2)
    words = rng.integers(-1 << 11, 1 << 11, (30, 3))

    async def reads(ctx, place, who):
        await ctx.tick().repeat(config.weight_latency)
        assert unpacked(ctx.get(who), 16, 3, signed=True) == words[place].tolist()

    async def bench(ctx):
        for place, word in enumerate(words):
            put(ctx, store.host, write=1, address=place, data=packed(word, 16))
            await ctx.tick()
        put(ctx, store.host, write=0)
        for place in range(30):
            put(ctx, store.host, reading=1, address=place)
            put(ctx, store, address=(place + 1) % 30)
            await reads(ctx, place, store.host.word)
            put(ctx, store.host, reading=0)
            await reads(ctx, (place + 1) % 30, store.word)
        if learning:
            put(ctx, store.update, busy=1, read_address=4, address=9, enable=1,
                data=packed((-5, 6, 7), 16))
            await ctx.tick()
            put(ctx, store.update, enable=0)
            words[9] = (-5, 6, 7)
            await reads(ctx, 4, store.update.word)
            put(ctx, store.update, read_address=9)
            await reads(ctx, 9, store.update.word)

    simulate(store, bench)


@pytest.mark.parametrize(("lanes", "quick"), [(1, 1), (4, 2), (5, 4), (6, 1)])
def test_states_by_words_chunks_and_flags(lanes, quick):
    config = EngineConfig(lanes=lanes, update_lanes=quick, state_depth=6)
    store, rng = StateStore(config), np.random.default_rng(3)
    states = np.zeros((6, lanes), int)
    chunks = -(-lanes // quick)

    async def look(ctx, word, number):
        """Every reader at one place, one after the other."""
        low = number * quick
        chunk = packed(states[word, low:low + quick], 16)
        mask = (1 << 16 * len(states[word, low:low + quick])) - 1
        put(ctx, store.flags, address=word)
        put(ctx, store.rates, address=word, number=number)
        put(ctx, store.dot, wanted=1, address=word)
        await ctx.tick()
        assert ctx.get(store.flags.data) == packed(states[word] != 0, 1)
        assert ctx.get(store.rates.data) & mask == chunk
        assert ctx.get(store.word) == packed(states[word], 16)
        put(ctx, store.dot, wanted=0)
        put(ctx, store.units, issuing=1, number=number, a_address=word, b_address=word)
        await ctx.tick()
        put(ctx, store.units, issuing=0, a_address=0, number=0)
        await ctx.tick()
        assert ctx.get(store.units.a) & mask == chunk and ctx.get(store.units.b) & mask == chunk
        put(ctx, store.host, reading=1, address=word, lane=low)
        await ctx.tick()
        assert ctx.get(store.host.word) & mask == chunk
        put(ctx, store.host, reading=0)

    async def bench(ctx):
        for word, lane in np.ndindex(states.shape):
            states[word, lane] = rng.integers(0, 3) * rng.integers(0, 1 << 15)
            put(ctx, store.host, write=1, address=word, lane=lane, data=states[word, lane])
            await ctx.tick()
        for _ in range(10):
            word, number = int(rng.integers(0, 6)), int(rng.integers(0, chunks))
            width = min(quick, lanes - number * quick)
            enable, data = rng.integers(0, 2, width), rng.integers(0, 1 << 16, width)
            # The unit pipeline goes before the host.
            put(ctx, store.host, write=1, address=0, lane=0, data=4321)
            put(ctx, store.write, taken=1, enable=packed(enable, 1), address=word, number=number,
                data=packed(data, 16))
            await ctx.tick()
            put(ctx, store.write, taken=0)
            put(ctx, store.host, write=0)
            part = states[word, number * quick:number * quick + width]
            part[enable == 1] = data[enable == 1]
            await look(ctx, word, number)

    simulate(store, bench)


def test_sums_of_lanes_units_and_gates():
    config = EngineConfig(lanes=5, update_lanes=2, accumulator_depth=4, smooth=True)
    store, width, rng = SumStore(config), config.accumulator_width, np.random.default_rng(4)
    sums = rng.integers(-1 << 38, 1 << 38, (4, 5))

    async def look(ctx, word):
        put(ctx, store.lanes, address=word)
        await ctx.tick()
        assert unpacked(ctx.get(store.lanes.data), width, 5, signed=True) == sums[word].tolist()
        for number in range(3):
            put(ctx, store, units_issuing=1)
            put(ctx, store.units, address=word, number=number)
            await ctx.tick()
            put(ctx, store, units_issuing=0)
            await ctx.tick()
            chunk = sums[word, 2 * number:2 * number + 2].tolist()
            assert unpacked(ctx.get(store.units.data), width, len(chunk), signed=True) == chunk

    async def bench(ctx):
        for word, values in enumerate(sums):
            put(ctx, store.lanes_write, enable=31, address=word, data=packed(values, width))
            await ctx.tick()
        put(ctx, store.lanes_write, enable=0)
        for word in range(4):
            await look(ctx, word)
        put(ctx, store.gate, enable=2, value=-300)
        put(ctx, store.states, address=1, number=1)
        await ctx.tick()
        put(ctx, store.gate, enable=0)
        sums[1, 3] = -300 << config.weight.frac
        await look(ctx, 1)

    simulate(store, bench)
