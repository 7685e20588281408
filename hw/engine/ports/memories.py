"""Ports of memories."""

from __future__ import annotations

from amaranth.lib.wiring import In, Out, Signature


class ReadSignature(Signature):
    """Read port of a memory: `data` follows `address` after the latency of the memory."""

    def __init__(self, address: int, word: int):
        super().__init__({"address": Out(address), "data": In(word)})


class WriteSignature(Signature):
    """Write port of a memory: one enable, or one a lane."""

    def __init__(self, address: int, word: int, enables=1):
        super().__init__({"enable": Out(enables), "address": Out(address), "data": Out(word)})


class ChunkReadSignature(Signature):
    """Read port for a chunk, some neighbouring lanes of a word."""

    def __init__(self, address: int, number: int, chunk: int):
        super().__init__({"address": Out(address), "number": Out(number), "data": In(chunk)})


class ChunkWriteSignature(Signature):
    """Write port for the lanes of a chunk."""

    def __init__(self, address: int, number: int, chunk: int, lanes: int):
        super().__init__({"enable": Out(lanes), "address": Out(address), "number": Out(number),
                          "data": Out(chunk)})


class ChunkSelectSignature(Signature):
    """Selects a chunk of the word that a read port asks for; `data` follows 2 cycles later.

    While `wanted` is high, the data of the read port are undefined.
    """

    def __init__(self, number: int, chunk: int):
        super().__init__({"wanted": Out(1), "number": Out(number), "data": In(chunk)})
