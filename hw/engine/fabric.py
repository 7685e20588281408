"""The fabric between the root and the tiles: the only wires that cross from one part to another.

Out go what the root says, the same to every tile; back come items, partial sums, and what is found
out about writes.  Everything is registered `hop` times on the way out and on the way back, and
what the tiles answer is put together in a tree of `levels` registered pairs.
"""

from __future__ import annotations

from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from ..interface.config import EngineConfig
from .ports import TileSignature


class Fabric(wiring.Component):
    """Connects the root to its tiles.

    Latency: none with one tile, which is connected by wires.

    Parameters
    ----------
    config : EngineConfig

    Members
    -------
    root : In(TileSignature)
        All tiles, as if they were one.
    tiles : Out(TileSignature), an array
    """

    def __init__(self, config: EngineConfig):
        self.config = config
        signature = TileSignature(config)
        super().__init__({"root": In(signature), "tiles": Out(signature).array(config.tiles)})

    def elaborate(self, platform):
        m = Module()
        connect(m, flipped(self.root), flipped(self.tiles[0]))
        return m
