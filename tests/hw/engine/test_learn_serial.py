"""The serial learning unit by itself: sums that leave 32 bits, and how long a weight takes."""

import numpy as np
import pytest
from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import Out
from amaranth.sim import Simulator

from apical.golden.errors import MisuseError
from apical.golden.numbers.formats import Format
from apical.hw.engine.learn_serial import SerialLearnUnit
from apical.hw.engine.product import ProductSum
from apical.hw.interface.config import EngineConfig


class Bench(wiring.Component):
    """The unit with its multiplier; an item always stands, of factors by term."""

    def __init__(self, config):
        self.unit = SerialLearnUnit(config)
        self.a, self.b = ([Signal(16) for _ in range(2)] for _ in range(2))
        super().__init__({"new": Out(16)})

    def elaborate(self, platform):
        m = Module()
        unit = self.unit
        m.submodules.unit, m.submodules.product = unit, ProductSum()
        product = m.submodules.product
        port, walk = unit.product, unit.walk
        m.d.comb += [port.a.eq(Mux(walk.second, self.a[1], self.a[0])),
                     walk.item.value.eq(Mux(walk.second, self.b[1], self.b[0])),
                     product.a.eq(port.a), product.b.eq(port.value), product.add.eq(port.add),
                     product.subtract.eq(port.subtract), product.load.eq(port.load),
                     product.begin.eq(port.begin), port.total.eq(product.total),
                     walk.issuing.eq(1), walk.item.valid.eq(1), walk.item.last.eq(1),
                     walk.final.eq(1), unit.operation.tail.eq(self.unit.config.lanes),
                     self.new.eq(unit.lanes.new)]
        return m


def simulate(bench, script):
    simulator = Simulator(bench)
    simulator.add_clock(1e-6)
    simulator.add_testbench(script)
    simulator.run()


LEAST, MOST = -0x8000, 0x7FFF


@pytest.mark.parametrize("update_frac", [0, 2, 6, 15])
def test_sums_are_exact_where_they_leave_32_bits(update_frac):
    config = EngineConfig(lanes=1, update_lanes=1, learning=True, learn_unit="serial",
                          state=Format(16, 14), weight=Format(16, 14), accumulator_width=48,
                          update_frac=update_frac)
    drop, bench = config.drop, Bench(config)
    rng = np.random.default_rng(update_frac)
    pairs = [(LEAST, LEAST), (LEAST, MOST), (MOST, MOST), (LEAST, LEAST + 1), (0, 5), (-1, 1)]
    cases = [(first, second, negative, word, old)
             for first in pairs for second in pairs for negative in range(4)
             for word, old in ((0xFFFF, MOST), (0, LEAST), tuple(rng.integers([0, LEAST],
                                                                              [0x10000, 0x8000])))]

    async def script(ctx):
        unit = bench.unit
        ctx.set(unit.operation.two, 1)
        ctx.set(unit.operation.start, 1)
        for first, second, negative, word, old in cases:
            for i, (a, b) in enumerate((first, second)):
                ctx.set(bench.a[i], a)
                ctx.set(bench.b[i], b)
            ctx.set(unit.operation.negative, negative)
            ctx.set(unit.cross.y, int(word))
            ctx.set(unit.lanes.old, int(old))
            await ctx.tick().until(unit.lanes.shift)
            products = [a * b * (-1) ** (negative >> i & 1)
                        for i, (a, b) in enumerate((first, second))]
            addend = int(word) << drop - 16 if drop >= 16 else int(word) >> 16 - drop
            exact = int(old) + (sum(products) + addend >> drop)
            expected = min(max(exact, config.weight.min), config.weight.max)
            told = ctx.get(bench.new)
            assert told == expected & 0xFFFF, (first, second, negative, word, old)

    simulate(bench, script)


@pytest.mark.parametrize(("lanes", "two", "cycles"), [(1, 0, 31), (4, 0, 79), (4, 1, 95),
                                                      (5, 1, 115)])
def test_cycles_of_a_word(lanes, two, cycles):
    bench = Bench(EngineConfig(lanes=lanes, update_lanes=1, learning=True, learn_unit="serial"))
    times = []

    async def script(ctx):
        ctx.set(bench.unit.operation.two, two)
        ctx.set(bench.unit.operation.start, 1)
        for time in range(3 * cycles + 20):
            if ctx.get(bench.unit.store):
                times.append(time)
            await ctx.tick()

    simulate(bench, script)
    assert set(np.diff(times)) == {cycles}


@pytest.mark.parametrize(("fields", "reason"), [
    ({"update_lanes": 2}, "^the serial learning unit needs 1 update lane, not 2: set update_lanes"),
    ({"update_frac": 18}, "^30 bits of rounding are too many for the serial learning unit"),
    ({"learn_unit": "quick"}, "^unknown learning unit 'quick'; known: pipelined, serial$")])
def test_what_the_serial_unit_cannot_do_is_refused(fields, reason):
    fields = {"update_lanes": 1, "learning": True, "learn_unit": "serial",
              "accumulator_width": 48, **fields}
    with pytest.raises(MisuseError, match=reason):
        EngineConfig(**fields)
