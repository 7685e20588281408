"""Registers by themselves: what counts, what is shown (2 cycles later), what is written."""

import pytest
from component_bench import put, simulate

from apical.hw.engine.registers import Registers
from apical.hw.interface.config import EngineConfig
from apical.hw.interface.isa import IDENTITY, REGISTERS

CONFIG = EngineConfig(lanes=4, update_lanes=2)


async def read(ctx, registers, name):
    put(ctx, registers.bus, number=REGISTERS[name].number)
    await ctx.tick().repeat(2)
    return ctx.get(registers.bus.value)


async def write(ctx, registers, name, value):
    put(ctx, registers.bus, number=REGISTERS[name].number, write=1, data=value)
    await ctx.tick()
    put(ctx, registers.bus, write=0)


def test_what_is_fixed_and_what_is_passed_on():
    registers = Registers(CONFIG, "1234abcd", True)

    async def bench(ctx):
        put(ctx, registers, prediction=7, total=0xFEDC)
        put(ctx, registers.run, active=1, bank=0, ready=2)
        for name, value in {"identity": IDENTITY, "config_hash": 0x1234ABCD, "shape": 4 | 2 << 8,
                            "status": 0b1001, "prediction": 7, "signature": 0xFEDC}.items():
            assert await read(ctx, registers, name) == value, name

    simulate(registers, bench)


@pytest.mark.parametrize("learning", [False, True])
def test_counters(learning):
    registers = Registers(CONFIG.replace(learning=learning), "0", True)

    async def bench(ctx):
        run = registers.run
        put(ctx, run, begin=1)
        await ctx.tick()
        put(ctx, run, begin=0, active=1)
        put(ctx, registers.states, written=2, clipped=1)
        put(ctx, registers, beat=1, useful=3)
        await ctx.tick()
        put(ctx, registers.states, written=0, clipped=0)
        put(ctx, registers.weights, written=4, clipped=2)
        put(ctx, registers, beat=0)
        put(ctx, run, stepped=1)
        await ctx.tick()
        put(ctx, registers.weights, written=0, clipped=0)
        put(ctx, registers, unit_issue=1)
        put(ctx, run, stepped=0)
        await ctx.tick()
        put(ctx, run, active=0, finish=1)
        await ctx.tick()
        put(ctx, run, finish=0)
        put(ctx, registers, unit_issue=0)
        await ctx.tick().repeat(3)
        for name, value in {"writes": 2 + 4 * learning, "saturations": 1 + 2 * learning,
                            "image_cycles": 3, "cycles": 3, "image_steps": 1, "done": 1,
                            "image": 1, "mac_useful": 3, "mac_cycles": 2}.items():
            assert await read(ctx, registers, name) == value, name
        for name in ("writes", "image"):
            await write(ctx, registers, name, 50)
            assert await read(ctx, registers, name) == (50 if name == "image" else 0)
        await write(ctx, registers, "seed", 99)
        assert ctx.get(run.seed) == 99

    simulate(registers, bench)


@pytest.mark.parametrize("name", ["start", "commit", "signature"])
def test_strobes_last_as_long_as_the_write(name):
    registers = Registers(CONFIG, "0", False)
    strobes = {"start": registers.run.start, "commit": registers.run.commit,
               "signature": registers.clear_signature}

    async def bench(ctx):
        put(ctx, registers.bus, number=REGISTERS[name].number, write=1, data=5)
        await ctx.delay(1e-7)
        assert {n for n, strobe in strobes.items() if ctx.get(strobe)} == {name}
        assert ctx.get(registers.run.images) == 5
        put(ctx, registers.bus, write=0)
        await ctx.delay(1e-7)
        assert not any(ctx.get(strobe) for strobe in strobes.values())

    simulate(registers, bench)


def test_without_diagnostics_there_are_no_counters_of_multiplications():
    registers = Registers(CONFIG, "0", False)

    async def bench(ctx):
        put(ctx, registers, beat=1, useful=3)
        await ctx.tick().repeat(4)
        assert await read(ctx, registers, "mac_useful") == 0

    simulate(registers, bench)
