"""Sum of products: a multiplier with its accumulator, where the lanes are not used.

On the iCE40 one SB_MAC16 is both, so that a weight update of the serial learning unit and the
scaled factors of the unit pipeline take no logic cell for their products and sums.
"""

from __future__ import annotations

from amaranth.hdl import Module, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ..interface.isa import WORD
from ..primitives import family


class ProductSum(wiring.Component):
    """Products of 16-bit values, added to or subtracted from a sum modulo 2**32.

    Latency: 1 cycle; one product a cycle.

    Parameters
    ----------
    primitives : str
        Family of the cells.

    Members
    -------
    a, b : In(signed(16))
    add : In(1), subtract : In(1)
        Take the product; `subtract` says with which sign.
    load : In(1), begin : In(32)
        Set the sum instead.  Before the first one it is undefined.
    total : Out(32)
    """

    def __init__(self, primitives="portable"):
        self.primitives = primitives
        super().__init__({"a": In(signed(WORD)), "b": In(signed(WORD)), "add": In(1),
                          "subtract": In(1), "load": In(1), "begin": In(32), "total": Out(32)})

    def elaborate(self, platform):
        m = Module()
        family(self.primitives).product_sum(m, self)
        return m
