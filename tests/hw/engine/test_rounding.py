"""Rounding and clipping in gateware against their definition, over all values of small formats."""

import numpy as np
import pytest
from amaranth.hdl import Module, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from amaranth.sim import Simulator

from apical.golden.numbers import formats
from apical.hw.engine.rounding import round_shift, round_shift_by, saturate


def evaluate(build, width, values, shifts=(0,)):
    """Results of ``build(m, value, shift)`` for all pairs, as a (shifts, values) array."""
    class Top(wiring.Component):
        def __init__(self):
            super().__init__({"value": In(signed(width)), "shift": In(4),
                              "result": Out(signed(width + 8))})

        def elaborate(self, platform):
            m = Module()
            m.d.comb += self.result.eq(build(m, self.value, self.shift))
            m.d.sync += Signal().eq(0)
            return m

    top, got = Top(), []

    async def bench(ctx):
        for shift in shifts:
            ctx.set(top.shift, int(shift))
            row = []
            for value in values:
                ctx.set(top.value, int(value))
                row.append(ctx.get(top.result))
            got.append(row)

    simulator = Simulator(top)
    simulator.add_testbench(bench)
    simulator.run()
    return np.array(got)


ALL = np.arange(-128, 128)


@pytest.mark.parametrize("shift", range(-2, 9))
def test_round_shift_by_a_fixed_amount(shift):
    got = evaluate(lambda m, value, _: round_shift(value, shift), 8, ALL)[0]
    np.testing.assert_array_equal(got, formats.round_shift(ALL, shift))


@pytest.mark.parametrize(("least", "greatest"), [(0, 3), (1, 5), (-1, 2), (3, 9)])
def test_round_shift_by_a_running_amount(least, greatest):
    amounts = range(greatest - least + 1)
    got = evaluate(lambda m, value, shift: round_shift_by(m, value, shift, least, greatest), 8,
                   ALL, amounts)
    np.testing.assert_array_equal(
        got, [formats.round_shift(ALL, least + amount) for amount in amounts])


def test_wide_values_round_alike():
    rng = np.random.default_rng(1)
    values = np.concatenate([rng.integers(-1 << 41, 1 << 41, 300), [-1 << 41, (1 << 41) - 1, 0]])
    got = evaluate(lambda m, value, shift: round_shift_by(m, value, shift, 11, 18), 42, values,
                   range(8))
    np.testing.assert_array_equal(got, [formats.round_shift(values, 11 + s) for s in range(8)])


@pytest.mark.parametrize(("low", "high"), [(0, 64), (-64, 64), (-128, 127), (-16, 15)])
def test_saturate(low, high):
    got = evaluate(lambda m, value, _: saturate(value, low, high)[0], 8, ALL)[0]
    flags = evaluate(lambda m, value, _: saturate(value, low, high)[1], 8, ALL)[0]
    np.testing.assert_array_equal(got, np.clip(ALL, low, high))
    np.testing.assert_array_equal(flags, (low > ALL) | (high < ALL))
    assert flags.sum() == formats.saturate(ALL, low, high)[1]
