"""Memories of the engine, one component each; tuned forms of a device family take their place.

Rule of the portable forms: a word is never read in the cycle in which it is written (the assembler
and the sequencer keep to that), so no collision logic is needed.
"""

from __future__ import annotations

from amaranth.hdl import Module, Signal, unsigned
from amaranth.lib import data, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2


def address_bits(depth: int) -> int:
    """Bits of an address of `depth` words, at least 1."""
    return max(1, ceil_log2(depth))


class LaneMemory(wiring.Component):
    """Words of P lanes, each lane with its own write enable.

    Read latency: 1 cycle.

    Parameters
    ----------
    lanes, width, depth : int
    reads : int
        Number of read ports.

    Members
    -------
    write_lanes : In(lanes), write_address : In, write_data : In(lanes * width)
    read_address{i} : In, read_data{i} : Out(lanes * width)
    """

    def __init__(self, lanes, width, depth, reads=1):
        self.lanes, self.width, self.depth, self.reads = lanes, width, depth, reads
        bits = address_bits(depth)
        members = {"write_lanes": In(lanes), "write_address": In(bits),
                   "write_data": In(lanes * width)}
        for i in range(reads):
            members[f"read_address{i}"] = In(bits)
            members[f"read_data{i}"] = Out(lanes * width)
        super().__init__(members)

    def elaborate(self, platform):
        m = Module()
        shape = data.ArrayLayout(unsigned(self.width), self.lanes)
        m.submodules.cells = cells = Memory(shape=shape, depth=self.depth, init=[])
        write = cells.write_port(granularity=1)
        m.d.comb += [write.addr.eq(self.write_address), write.en.eq(self.write_lanes),
                     write.data.as_value().eq(self.write_data)]
        for i in range(self.reads):
            read = cells.read_port()
            m.d.comb += [read.addr.eq(getattr(self, f"read_address{i}")),
                         getattr(self, f"read_data{i}").eq(read.data.as_value())]
        return m


class WordMemory(wiring.Component):
    """Whole words, one write and one read port: weights, events, program, descriptors.

    Read latency: `latency` cycles.

    Members
    -------
    write : In(1), write_address : In, write_data : In(width)
    read_address : In, read_data : Out(width)
    """

    def __init__(self, width, depth, latency=1):
        self.width, self.depth, self.latency = width, depth, latency
        bits = address_bits(depth)
        super().__init__({"write": In(1), "write_address": In(bits), "write_data": In(width),
                          "read_address": In(bits), "read_data": Out(width)})

    def elaborate(self, platform):
        m = Module()
        m.submodules.cells = cells = Memory(shape=unsigned(self.width), depth=self.depth, init=[])
        write, read = cells.write_port(), cells.read_port()
        m.d.comb += [write.addr.eq(self.write_address), write.en.eq(self.write),
                     write.data.eq(self.write_data), read.addr.eq(self.read_address)]
        word = read.data
        for i in range(self.latency - 1):
            delayed = Signal(self.width, name=f"output{i}")
            m.d.sync += delayed.eq(word)
            word = delayed
        m.d.comb += self.read_data.eq(word)
        return m
