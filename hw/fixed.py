"""Amaranth forms of the two rounding operations of :mod:`apical.golden.formats`.

Both are combinational; a test compares them with the NumPy functions over all inputs of small
formats and random inputs of large ones.
"""

from __future__ import annotations

from amaranth.hdl import Mux, Signal


def round_shift(value, shift: int):
    """``floor(value * 2**-shift + 1/2)`` of a signed value, `shift` fixed at generation."""
    if shift <= 0:
        return value << -shift
    return (value >> shift - 1) + 1 >> 1


def round_shift_by(m, value, shift, least: int, greatest: int, name="shifted"):
    """``round_shift`` by a run-time amount ``least + shift``.

    Parameters
    ----------
    m : Module
    value : signed Value
    shift : unsigned Value
        0..greatest - least.
    least, greatest : int
        Range of the whole amount; `least` of it costs nothing.

    Returns
    -------
    signed Signal, combinational
    """
    # Round after the variable part: floor commutes with it, so one adder serves all amounts.
    kept = value >> least - 1 if least >= 1 else value << 1 - least
    floored = Signal.like(kept, name=f"{name}_floored")
    rounded = Signal.like(kept, name=name)
    with m.Switch(shift):
        for amount in range(greatest - least + 1):
            with m.Case(amount):
                m.d.comb += floored.eq(kept >> amount)
    m.d.comb += rounded.eq(floored + 1 >> 1)
    return rounded


def saturate(value, low, high):
    """(clipped value, whether it was clipped) of a signed value."""
    below, above = value < low, value > high
    return Mux(below, low, Mux(above, high, value)), below | above
