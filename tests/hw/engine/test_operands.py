"""Operands of the units: each field of instruction and descriptors comes to its member."""

import pytest
from component_bench import put, simulate

from apical.hw.engine.operands import Operands
from apical.hw.interface.config import EngineConfig
from apical.hw.interface.isa import LEARN, MATRIX, PROJECT, UNIT, VECTOR

CONFIG = EngineConfig(state_depth=1024, accumulator_depth=1024)


def check(config, operation, wanted):
    """Outputs for members of the operation; `wanted` is unit -> member -> value."""
    operands = Operands(config)

    async def bench(ctx):
        put(ctx, operands.operation, **operation)
        await ctx.delay(1e-7)
        for unit, members in wanted.items():
            for name, value in members.items():
                assert ctx.get(getattr(getattr(operands, unit), name)) == value, (unit, name)

    simulate(operands, bench)


def test_projection():
    check(CONFIG, {
        "start_projection": 1, "flags": PROJECT.encode(dot=1, started=1),
        "a": VECTOR.encode(base=100, blocks=5, tail=3, kind=1), "bank_offset": 30,
        "b": MATRIX.encode(base=7, blocks=2, tail=9, rows=77), "c": VECTOR.encode(base=12),
        "t": VECTOR.encode(base=13)},
        {"projection": {"start": 1, "dot": 1, "negative": 0, "started": 1, "kind": 1,
                        "source": 130, "source_blocks": 5, "source_tail": 3, "matrix": 7,
                        "rows": 77, "blocks": 2, "tail": 9, "into": 13, "begin": 12},
         "unit": {"start": 0}, "learn": {"start": 0}})


def test_unit():
    flags = {"mode": 3, "nudge": 1, "nudge_negative": 1, "shift": 6, "nudge_shift": 9, "post": 0}
    check(CONFIG, {
        "start_unit": 1, "flags": UNIT.encode(**flags), "a": VECTOR.encode(base=10),
        "bank_offset": 1, "b": VECTOR.encode(base=20), "bank_offset_b": 2,
        "c": VECTOR.encode(base=30), "t": VECTOR.encode(base=40, blocks=4, tail=5, limits=2,
                                                        number=200)},
        {"unit": {"start": 1, **flags, "a": 11, "b": 22, "c": 30, "t": 40, "blocks": 4, "tail": 5,
                  "limits": 2, "number": 200, "factor": 20}, "projection": {"start": 0}})


@pytest.mark.parametrize("by_sign", [0, 1])
@pytest.mark.parametrize("sign", [0, 1])
@pytest.mark.parametrize("unit", ["pipelined", "serial"])
def test_the_sign_of_beta_turns_nudge_and_factor(by_sign, sign, unit):
    config = CONFIG.replace(learning=True, learn_unit=unit, update_lanes=1)
    turn = by_sign & sign
    check(config, {"flags": UNIT.encode(by_sign=by_sign, nudge_negative=1), "sign": sign,
                   "b": VECTOR.encode(base=500)},
          {"unit": {"nudge_negative": 1 ^ turn, "factor_negative": turn,
                    # The serial unit subtracts the product instead.
                    "factor": (-500 if turn and unit == "pipelined" else 500) & 0xFFFF}})


@pytest.mark.parametrize("noisy", [0, 1])
def test_noise_has_its_own_factor(noisy):
    config = CONFIG.replace(noise=True, learning=True, learn_unit="serial", update_lanes=1)
    check(config, {"flags": UNIT.encode(noisy=noisy, by_sign=1), "noise_factor": 321, "sign": 1,
                   "b": VECTOR.encode(base=9)},
          {"unit": {"noisy": noisy, "factor": 321 if noisy else 9,
                    "factor_negative": not noisy}})


def test_learn():
    check(CONFIG.replace(learning=True), {
        "start_learn": 1, "flags": LEARN.encode(turned=1, two=1, negative=2, other=333),
        "b": MATRIX.encode(base=70, blocks=3, tail=4, rows=88, number=129),
        "c": VECTOR.encode(base=5), "t": VECTOR.encode(base=6)},
        {"learn": {"start": 1, "two": 1, "turned": 1, "negative": 2, "matrix": 70, "rows": 88,
                   "blocks": 3, "tail": 4, "number": 129},
         "projection": {"other": 333}})
