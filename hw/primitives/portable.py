"""Portable forms: plain memories and multiplications that any synthesis tool can map.

Rule of the memories: a word is never read in the cycle in which it is written (the assembler and
the sequencer keep to that), so no collision logic is needed; Amaranth cannot say so, `hw.synthesis`
tells the tool.
"""

from __future__ import annotations

from amaranth.hdl import Signal, signed, unsigned
from amaranth.lib import data
from amaranth.lib.memory import Memory


def delayed(m, value, cycles, name):
    """The value `cycles` later; no reset, what passes here is qualified elsewhere."""
    for i in range(cycles):
        late = Signal(len(value), name=f"{name}{i}", reset_less=True)
        m.d.sync += late.eq(value)
        value = late
    return value


def word_memory(m, memory, attrs=None):
    m.submodules.cells = cells = Memory(shape=unsigned(memory.width), depth=memory.depth, init=[],
                                        attrs=attrs)
    write, read = cells.write_port(), cells.read_port()
    m.d.comb += [write.addr.eq(memory.write_address), write.en.eq(memory.write),
                 write.data.eq(memory.write_data), read.addr.eq(memory.read_address),
                 memory.read_data.eq(delayed(m, read.data, memory.latency - 1, "output"))]


def lane_memory(m, memory, attrs=None):
    shape = data.ArrayLayout(unsigned(memory.width), memory.lanes)
    m.submodules.cells = cells = Memory(shape=shape, depth=memory.depth, init=[], attrs=attrs)
    write = cells.write_port(granularity=1)
    m.d.comb += [write.addr.eq(memory.write_address), write.en.eq(memory.write_lanes),
                 write.data.as_value().eq(memory.write_data)]
    for i in range(memory.reads):
        read = cells.read_port()
        m.d.comb += [read.addr.eq(getattr(memory, f"read_address{i}")),
                     getattr(memory, f"read_data{i}").eq(read.data.as_value())]


def multiplier(m, multiplier):
    a, b = multiplier.a, multiplier.b
    if multiplier.latency > 1:
        a, b = delayed(m, a, 1, "a").as_signed(), delayed(m, b, 1, "b").as_signed()
    product = Signal(signed(32))
    m.d.comb += product.eq(a * b)
    stages = max(1, multiplier.latency - 1)
    m.d.comb += multiplier.product.eq(delayed(m, product, stages, "product").as_signed())
