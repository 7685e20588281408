"""Memories of the engine, one component each; a device family may give them cells of its own.

Rule: a word is never read in the cycle in which it is written (the assembler and the sequencer keep
to that), so no collision logic is needed.
"""

from __future__ import annotations

from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In
from amaranth.utils import ceil_log2

from ..primitives import family
from .ports import (
    ChunkReadSignature,
    ChunkSelectSignature,
    ChunkWriteSignature,
    ReadSignature,
    WriteSignature,
    address_bits,
)


class LaneMemory(wiring.Component):
    """Words of P lanes, each lane with its own write enable.

    Read latency: 1 cycle.

    Parameters
    ----------
    lanes, width, depth : int
    primitives : str
        Family of the cells.
    chunk_lanes : int, optional
        Also read a chunk of that many neighbours of a word.

    Members
    -------
    write : In(WriteSignature)
        One enable a lane.
    read : In(ReadSignature)
    chunk : In(ChunkSelectSignature)
        Only with `chunk_lanes`: selects among the lanes of the word that `read` asks for.
    """

    def __init__(self, lanes, width, depth, primitives="portable", chunk_lanes=None):
        self.lanes, self.width, self.depth, self.chunk_lanes = lanes, width, depth, chunk_lanes
        self.primitives = primitives
        bits, word = address_bits(depth), lanes * width
        members = {"write": In(WriteSignature(bits, word, lanes)),
                   "read": In(ReadSignature(bits, word))}
        if chunk_lanes is not None:
            members["chunk"] = In(ChunkSelectSignature(ceil_log2(-(-lanes // chunk_lanes)),
                                                       chunk_lanes * width))
        super().__init__(members)

    def elaborate(self, platform):
        m = Module()
        family(self.primitives).lane_memory(m, self)
        return m


class ChunkMemory(wiring.Component):
    """Words of P lanes of which Q neighbours, a chunk, are written and read at a time.

    Read latency: 1 cycle.

    Parameters
    ----------
    lanes, chunk_lanes, width, depth : int
        P, Q, bits of a lane, words.
    primitives : str
        Family of the cells.

    Members
    -------
    write : In(ChunkWriteSignature)
        One enable a lane of the chunk.
    read : In(ChunkReadSignature)
    """

    def __init__(self, lanes, chunk_lanes, width, depth, primitives="portable"):
        self.lanes, self.chunk_lanes, self.width, self.depth = lanes, chunk_lanes, width, depth
        self.primitives = primitives
        self.chunk_bits, bits = ceil_log2(-(-lanes // chunk_lanes)), address_bits(depth)
        chunk = chunk_lanes * width
        super().__init__({
            "write": In(ChunkWriteSignature(bits, self.chunk_bits, chunk, chunk_lanes)),
            "read": In(ChunkReadSignature(bits, self.chunk_bits, chunk))})

    def elaborate(self, platform):
        m = Module()
        family(self.primitives).chunk_memory(m, self)
        return m


class WordMemory(wiring.Component):
    """Whole words, one write and one read port: weights, events, instructions with descriptors.

    Read latency: `latency` cycles.  The weights are never read in a cycle in which any of them is
    written: on the iCE40 they are in SPRAM, which has one port.

    Members
    -------
    write : In(WriteSignature)
    read : In(ReadSignature)
    """

    def __init__(self, width, depth, latency=1, primitives="portable"):
        self.width, self.depth, self.latency = width, depth, latency
        self.primitives = primitives
        bits = address_bits(depth)
        super().__init__({"write": In(WriteSignature(bits, width)),
                          "read": In(ReadSignature(bits, width))})

    def elaborate(self, platform):
        m = Module()
        family(self.primitives).word_memory(m, self)
        return m
