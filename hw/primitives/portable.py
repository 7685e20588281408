"""Portable forms: plain memories and multiplications that any synthesis tool can map.

Rule of the memories: a word is never read in the cycle in which it is written (the assembler and
the sequencer keep to that), so no collision logic is needed; Amaranth cannot say so,
`hw.export.synthesis` passes it to the tool.
"""

from __future__ import annotations

from amaranth.hdl import Mux, Signal, signed, unsigned
from amaranth.lib import data
from amaranth.lib.memory import Memory


def delayed(m, value, cycles, name):
    """The value `cycles` later; no reset, what passes here is qualified elsewhere."""
    for i in range(cycles):
        late = Signal(len(value), name=f"{name}{i}", reset_less=True)
        m.d.sync += late.eq(value)
        value = late
    return value


def register(m, value, late, clears=False):
    """A register beside others of the same value; synthesis may make one of them.

    `clears` says that the reset matters; without it `late` need not have one.
    """
    m.d.sync += late.eq(value)


def word_memory(m, memory, attrs=None):
    """Memory with one read port and registers after it."""
    m.submodules.cells = cells = Memory(shape=unsigned(memory.width), depth=memory.depth, init=[],
                                        attrs=attrs)
    write, read = cells.write_port(), cells.read_port()
    m.d.comb += [write.addr.eq(memory.write.address), write.en.eq(memory.write.enable),
                 write.data.eq(memory.write.data), read.addr.eq(memory.read.address),
                 memory.read.data.eq(delayed(m, read.data, memory.latency - 1, "output"))]


def lane_memory(m, memory, attrs=None):
    """Memory with a write enable a lane."""
    shape = data.ArrayLayout(unsigned(memory.width), memory.lanes)
    m.submodules.cells = cells = Memory(shape=shape, depth=memory.depth, init=[], attrs=attrs)
    write, read = cells.write_port(granularity=1), cells.read_port()
    m.d.comb += [write.addr.eq(memory.write.address), write.en.eq(memory.write.enable),
                 write.data.as_value().eq(memory.write.data),
                 read.addr.eq(memory.read.address),
                 memory.read.data.eq(read.data.as_value())]
    if memory.chunk_lanes is not None:
        select_late(m, memory, memory.read.data, select)


def select_late(m, memory, word, select):
    """The chunk of a lane memory, selected after the word and registered."""
    number = delayed(m, memory.chunk.number, 1, "select")
    chosen = select(m, word, number, memory.width * memory.chunk_lanes, "chosen")
    m.d.comb += memory.chunk.data.eq(delayed(m, chosen, 1, "chunk")[:len(memory.chunk.data)])


def chunk_memory(m, memory, attrs=None):
    """Whole words are read, then a chunk of each is selected."""
    lanes, chunk = memory.lanes, memory.chunk_lanes
    shape = data.ArrayLayout(unsigned(memory.width), lanes)
    m.submodules.cells = cells = Memory(shape=shape, depth=memory.depth, init=[], attrs=attrs)
    write, read = cells.write_port(granularity=1), cells.read_port()
    m.d.comb += [write.addr.eq(memory.write.address), read.addr.eq(memory.read.address)]
    for lane in range(lanes):
        m.d.comb += [
            write.en[lane].eq(memory.write.enable[lane % chunk]
                              & (memory.write.number == lane // chunk)),
            write.data[lane].eq(memory.write.data.word_select(lane % chunk, memory.width))]
    select = delayed(m, memory.read.number, 1, "select")
    m.d.comb += memory.read.data.eq(
        select_chunk(read.data.as_value(), select, memory.width * chunk))


def select_chunk(word, select, size):
    """The chunk number `select` of `size` bits, the last one maybe shorter.

    A tree of two-way selections: Yosys makes half as much again of a case.
    """
    parts = [word[i:i + size] for i in range(0, len(word), size)]
    for bit in select:
        parts = [Mux(bit, parts[i + 1], parts[i]) if i + 1 < len(parts) else parts[i]
                 for i in range(0, len(parts), 2)]
    return parts[0]


def select(m, word, select, size, name):
    """`select_chunk`, which any tool can map."""
    return select_chunk(word, select, size)


def multiplier(m, multiplier):
    """Registered operands and product."""
    a, b = multiplier.a, multiplier.b
    if multiplier.latency > 1:
        a, b = delayed(m, a, 1, "a").as_signed(), delayed(m, b, 1, "b").as_signed()
    product = Signal(signed(32))
    m.d.comb += product.eq(a * b)
    stages = max(1, multiplier.latency - 1)
    m.d.comb += multiplier.product.eq(delayed(m, product, stages, "product").as_signed())


def accumulator(m, accumulator):
    """Adder and register."""
    with m.If(accumulator.load):
        m.d.sync += accumulator.value.eq(accumulator.data)
    with m.Else():
        m.d.sync += accumulator.value.eq(accumulator.value + accumulator.amount)


def product_sum(m, product):
    """Multiplication, adder and register."""
    term = product.a * product.b
    with m.If(product.load):
        m.d.sync += product.total.eq(product.begin)
    with m.Elif(product.add):
        m.d.sync += product.total.eq(Mux(product.subtract, product.total - term,
                                         product.total + term))
