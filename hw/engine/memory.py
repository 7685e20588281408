"""Memories of the engine, one component each; a device family may give them cells of its own.

Rule: a word is never read in the cycle in which it is written (the assembler and the sequencer keep
to that), so no collision logic is needed.
"""

from __future__ import annotations

from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

from ..primitives import family


def address_bits(depth: int) -> int:
    """Bits of an address of `depth` words, at least 1."""
    return max(1, ceil_log2(depth))


class LaneMemory(wiring.Component):
    """Words of P lanes, each lane with its own write enable.

    Read latency: 1 cycle.

    Parameters
    ----------
    lanes, width, depth : int
    primitives : str
        Family of the cells.
    chunk : int, optional
        Also read a chunk of that many neighbours of a word.

    Members
    -------
    write_lanes : In(lanes), write_address : In, write_data : In(lanes * width)
    read_address : In, read_data : Out(lanes * width)
    chunking : In(1), read_chunk : In, chunk_data : Out(chunk * width)
        Only with `chunk`: of the word that is asked for, that chunk is wanted, which follows 2
        cycles later; `read_data` is then undefined.
    """

    def __init__(self, lanes, width, depth, primitives="portable", chunk=None):
        self.lanes, self.width, self.depth, self.chunk = lanes, width, depth, chunk
        self.primitives = primitives
        bits = address_bits(depth)
        chunks = {} if chunk is None else {
            "chunking": In(1), "read_chunk": In(ceil_log2(-(-lanes // chunk))),
            "chunk_data": Out(chunk * width)}
        super().__init__({**chunks, "write_lanes": In(lanes), "write_address": In(bits),
                          "write_data": In(lanes * width),
                          "read_address": In(bits), "read_data": Out(lanes * width)})

    def elaborate(self, platform):
        m = Module()
        family(self.primitives).lane_memory(m, self)
        return m


class ChunkMemory(wiring.Component):
    """Words of P lanes of which Q neighbours, a chunk, are written and read at a time.

    Read latency: 1 cycle.

    Parameters
    ----------
    lanes, chunk, width, depth : int
        P, Q, bits of a lane, words.
    primitives : str
        Family of the cells.

    Members
    -------
    write_lanes : In(chunk), write_chunk, write_address : In, write_data : In(chunk * width)
    read_chunk, read_address : In, read_data : Out(chunk * width)
    """

    def __init__(self, lanes, chunk, width, depth, primitives="portable"):
        self.lanes, self.chunk, self.width, self.depth = lanes, chunk, width, depth
        self.primitives = primitives
        self.chunk_bits, bits = ceil_log2(-(-lanes // chunk)), address_bits(depth)
        super().__init__({"write_lanes": In(chunk), "write_chunk": In(self.chunk_bits),
                          "write_address": In(bits), "write_data": In(chunk * width),
                          "read_chunk": In(self.chunk_bits), "read_address": In(bits),
                          "read_data": Out(chunk * width)})

    def elaborate(self, platform):
        m = Module()
        family(self.primitives).chunk_memory(m, self)
        return m


class WordMemory(wiring.Component):
    """Whole words, one write and one read port: weights, events, instructions with descriptors.

    Read latency: `latency` cycles.  The weights are never read in a cycle in which any of them is
    written: on the iCE40 they lie in SPRAM, which has one port.

    Members
    -------
    write : In(1), write_address : In, write_data : In(width)
    read_address : In, read_data : Out(width)
    """

    def __init__(self, width, depth, latency=1, primitives="portable"):
        self.width, self.depth, self.latency = width, depth, latency
        self.primitives = primitives
        bits = address_bits(depth)
        super().__init__({"write": In(1), "write_address": In(bits), "write_data": In(width),
                          "read_address": In(bits), "read_data": Out(width)})

    def elaborate(self, platform):
        m = Module()
        family(self.primitives).word_memory(m, self)
        return m
