"""Wide counters and sums; on the iCE40 they are in multipliers that no lane uses."""

from __future__ import annotations

from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ..primitives import family


class Accumulator(wiring.Component):
    """A 32-bit register to which something is added in every cycle, modulo 2**32.

    Latency: 1 cycle.

    Parameters
    ----------
    primitives : str
        Family of the cells: with ``"ice40"`` one SB_MAC16 instead of 32 logic cells or more.

    Members
    -------
    amount : In(32)
    load : In(1), data : In(32)
        Sets the value instead.
    value : Out(32)
    """

    def __init__(self, primitives="portable"):
        self.primitives = primitives
        super().__init__({"amount": In(32), "load": In(1), "data": In(32), "value": Out(32)})

    def elaborate(self, platform):
        m = Module()
        family(self.primitives).accumulator(m, self)
        return m
