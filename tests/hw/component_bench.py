"""A component by itself in pysim."""

from amaranth.hdl import Module, Signal
from amaranth.lib import data
from amaranth.sim import Simulator


def simulate(component, *benches, background=()):
    """Run benches (async functions of the simulation context) against a clocked component.

    Those in `background` may run forever.
    """
    # A component without registers has no clock of its own.
    whole, ticks = Module(), Signal()
    whole.submodules.dut = component
    whole.d.sync += ticks.eq(~ticks)
    simulator = Simulator(whole)
    simulator.add_clock(1e-6)
    for bench in background:
        simulator.add_testbench(bench, background=True)
    for bench in benches:
        simulator.add_testbench(bench)
    simulator.run()


def put(ctx, target, **values):
    """Set members of an interface, or fields of a structure, by name."""
    for name, value in values.items():
        member = getattr(target, name)
        ctx.set(member.as_value() if isinstance(member, data.View) else member, int(value))


def packed(values, width):
    """Values side by side in one integer, the first lowest."""
    return sum((int(value) & (1 << width) - 1) << i * width for i, value in enumerate(values))


def unpacked(word, width, count, signed=False):
    """The values of such an integer."""
    values = [word >> i * width & (1 << width) - 1 for i in range(count)]
    return [value - (value >> width - 1 << width) for value in values] if signed else values
