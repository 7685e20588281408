"""Counters and the sum of products by themselves."""

import numpy as np
from component_bench import put, simulate

from apical.hw.engine.counter import Accumulator
from apical.hw.engine.product import ProductSum


def test_accumulator_adds_modulo_two_to_the_32():
    total, rng = Accumulator(), np.random.default_rng(1)

    async def bench(ctx):
        expected = 0
        for _ in range(60):
            amount, loads, data = (int(x) for x in rng.integers(0, (1 << 32, 8, 1 << 32)))
            put(ctx, total, amount=amount, load=loads == 0, data=data)
            assert ctx.get(total.value) == expected
            expected = data if loads == 0 else expected + amount & 0xFFFFFFFF
            await ctx.tick()
        assert expected

    simulate(total, bench)


def test_product_sum_takes_products_with_either_sign_or_none():
    product, rng = ProductSum(), np.random.default_rng(2)

    async def bench(ctx):
        put(ctx, product, load=1, begin=5)
        await ctx.tick()
        expected, kinds = 5, set()
        for _ in range(80):
            a, b = (int(x) for x in rng.integers(-1 << 15, 1 << 15, 2))
            add, subtract, load = (int(x) for x in rng.integers(0, (2, 2, 6)))
            put(ctx, product, a=a, b=b, add=add, subtract=subtract, load=load == 0,
                begin=a & 0xFFFF)
            assert ctx.get(product.total) == expected
            if load == 0:
                expected = a & 0xFFFF
            elif add:
                expected = expected + (-a if subtract else a) * b & 0xFFFFFFFF
            kinds.add((add, subtract, load == 0))
            await ctx.tick()
        assert len(kinds) == 8

    simulate(product, bench)
