"""Keys of operations by themselves, against their definition."""

import pytest
from component_bench import put, simulate

from apical.golden.numbers.addressed import KEY_ROUNDS, draw_key, mix_key
from apical.hw.engine.keys import OperationKeys
from apical.hw.interface.config import EngineConfig
from apical.hw.interface.isa import MATRIX, PROJECT, UNIT, VECTOR, Mode, Opcode

SEED, IMAGE = 0xDEADBEEF, 41
IMAGE_KEY = mix_key(SEED, IMAGE)


async def pulse(ctx, keys, *names):
    put(ctx, keys, **dict.fromkeys(names, 1))
    await ctx.tick()
    put(ctx, keys, **dict.fromkeys(names, 0))


async def wait(ctx, keys):
    """Cycles until the key is ready."""
    for cycle in range(100):
        if ctx.get(keys.ready):
            return cycle
        await ctx.tick()
    raise AssertionError("no key")


async def begin(ctx, keys):
    put(ctx, keys, seed=SEED, image=IMAGE)
    await pulse(ctx, keys, "begin")


@pytest.mark.parametrize("ahead", [False, True])
def test_keys_of_elementwise_operations(ahead):
    keys = OperationKeys(EngineConfig(key_ahead=ahead))

    async def bench(ctx):
        await begin(ctx, keys)
        for count, number in enumerate((3, 200, 3)):
            put(ctx, keys, flags=UNIT.encode(opcode=Opcode.UNIT, mode=Mode.RELAX),
                t=VECTOR.encode(number=number))
            await pulse(ctx, keys, "unit_decoded")
            waited = await wait(ctx, keys)
            # The first one waits for the key of the image, mixed before.
            assert waited == (2 * KEY_ROUNDS + 3 if count == 0 else KEY_ROUNDS + 2)
            await pulse(ctx, keys, "start_unit")
            await pulse(ctx, keys, "take_key")
            assert ctx.get(keys.key) == mix_key(IMAGE_KEY, count << 8 | number)
            assert ctx.get(keys.count) == count

    simulate(keys, bench)


def test_silent_operations_and_decisions_do_not_count():
    keys = OperationKeys(EngineConfig())

    async def bench(ctx):
        await begin(ctx, keys)
        counts = []
        for fields in ({"mode": Mode.RELAX}, {"mode": Mode.RELAX, "silent": 1},
                       {"mode": Mode.DECIDE}, {"mode": Mode.RELAX}):
            put(ctx, keys, flags=UNIT.encode(opcode=Opcode.UNIT, **fields))
            await pulse(ctx, keys, "unit_decoded")
            await wait(ctx, keys)
            await pulse(ctx, keys, "start_unit")
            await pulse(ctx, keys, "take_key")
            counts.append(ctx.get(keys.count))
        assert counts == [0, 1, 1, 1]

    simulate(keys, bench)


def test_weight_updates_take_the_number_of_their_matrix_and_the_sign_is_the_top_bit():
    keys = OperationKeys(EngineConfig(learning=True))

    async def bench(ctx):
        await begin(ctx, keys)
        put(ctx, keys, flags=int(Opcode.LEARN) & 31, b=MATRIX.encode(number=130),
            t=VECTOR.encode(number=7))
        await pulse(ctx, keys, "learn_decoded")
        await wait(ctx, keys)
        assert ctx.get(keys.sign) == IMAGE_KEY >> 31
        await pulse(ctx, keys, "start_learn")
        assert ctx.get(keys.key) == mix_key(IMAGE_KEY, 130) and ctx.get(keys.count) == 0

    simulate(keys, bench)


def test_draws_have_keys_of_their_own():
    keys = OperationKeys(EngineConfig(noise=True))

    async def bench(ctx):
        await begin(ctx, keys)
        for count in range(3):
            put(ctx, keys, flags=UNIT.encode(opcode=Opcode.UNIT, mode=Mode.RELAX, draws=1))
            await pulse(ctx, keys, "unit_decoded")
            await wait(ctx, keys)
            await pulse(ctx, keys, "start_unit")
            assert ctx.get(keys.start_draws)
            assert ctx.get(keys.draw_key) == draw_key(IMAGE_KEY, count)
            await pulse(ctx, keys, "take_key")

    simulate(keys, bench)


@pytest.mark.parametrize("announced", [9, 8])
def test_a_key_that_was_announced_is_there_unless_something_else_comes(announced):
    keys = OperationKeys(EngineConfig())

    async def bench(ctx):
        await begin(ctx, keys)
        for count in range(2):
            put(ctx, keys, flags=PROJECT.encode(opcode=Opcode.PROJECT, ahead=1, next=announced))
            await pulse(ctx, keys, "ahead_decoded")
            for _ in range(2 * KEY_ROUNDS + 4):
                await ctx.tick()
            put(ctx, keys, flags=UNIT.encode(opcode=Opcode.UNIT), t=VECTOR.encode(number=9))
            await pulse(ctx, keys, "unit_decoded")
            assert not ctx.get(keys.ready), "the descriptor is not there yet"
            await ctx.tick()
            assert await wait(ctx, keys) == (0 if announced == 9 else KEY_ROUNDS + 2)
            await pulse(ctx, keys, "start_unit")
            for _ in range(3):
                assert not ctx.get(keys.ready), "one operation at most waits for its first write"
                await ctx.tick()
            await pulse(ctx, keys, "take_key")
            assert ctx.get(keys.key) == mix_key(IMAGE_KEY, count << 8 | 9)

    simulate(keys, bench)
