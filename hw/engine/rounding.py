"""Amaranth forms of the two rounding operations of :mod:`apical.golden.numbers.formats`.

Both are combinational; a test compares them with the NumPy functions over all inputs of small
formats and random inputs of large ones.
"""

from __future__ import annotations

from amaranth.hdl import Cat, Const, Mux, Signal


def round_shift(value, shift: int):
    """``floor(value * 2**-shift + 1/2)`` of a signed value, `shift` fixed at generation."""
    if shift <= 0:
        return value << -shift
    return (value >> shift - 1) + 1 >> 1


def halves_shift_by(m, value, shift, least: int, largest: int, name="shifted"):
    """``floor(value * 2**-(least + shift) * 2)`` by a run-time amount: the shift before rounding.

    ``round_shift`` is this plus 1, halved; an adder after it takes the 1 as its carry.

    Parameters
    ----------
    m : Module
    value : signed Value
    shift : unsigned Value
        0..largest - least; no more bits than these numbers have.
    least, largest : int
        Range of the whole amount; `least` of it costs nothing.

    Returns
    -------
    signed Signal, combinational
    """
    kept = value >> least - 1 if least >= 1 else value << 1 - least
    halves = Signal.like(kept, name=f"{name}_halves")
    for i, bit in enumerate(shift):
        kept = Mux(bit, kept >> (1 << i), kept)
    m.d.comb += halves.eq(kept)
    return halves


def round_shift_by(m, value, shift, least: int, largest: int, name="shifted"):
    """``round_shift`` by a run-time amount ``least + shift``; see `halves_shift_by`."""
    halves = halves_shift_by(m, value, shift, least, largest, name)
    rounded = Signal.like(halves, name=name)
    m.d.comb += rounded.eq(halves + 1 >> 1)
    return rounded


def saturate(value, low, high):
    """(clipped value, whether it was clipped) of a signed value."""
    below, above = value < low, value > high
    return Mux(below, low, Mux(above, high, value)), below | above


def exceeds(a, b):
    """``a > b`` of unsigned values, `b` no wider: the carry of ``a + ~b``.

    Where `b` is kept as its complement this takes no inverters, which a comparison of the language
    takes: a carry chain has inputs that are not inverted.
    """
    return (a + ~_sized(b, len(a)))[len(a)]


def reaches(a, b):
    """``a >= b`` of unsigned values, `b` no wider, as `exceeds`."""
    return (Cat(1, a) + Cat(1, ~_sized(b, len(a))))[len(a) + 1]


def _sized(value, bits):
    return Cat(value, Const(0, bits - len(value)))
