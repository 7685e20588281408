"""Integer arithmetic of the operations, one unit or one weight at a time.

Each formula of :mod:`apical.golden.program.operations` is defined here once, on integers, with
rounding and clipping by :mod:`~apical.golden.numbers.formats`, functions by
:mod:`~apical.golden.numbers.tables` and random words by :mod:`~apical.golden.numbers.addressed`.
:mod:`.rows` maps them over the units of an image; the batched and the compiled executor run those
rows compiled (:mod:`.compiling`).  The functions are plain Python, so that tests can run them
without a compiler.
"""

from __future__ import annotations

from typing import NamedTuple

from ..numbers.addressed import WORD_BITS, byte_sum, rounding_addend
from ..numbers.formats import Format, clip, round_shift
from ..numbers.tables import look_up
from ..program import FLOW_LIMIT, RATE_SHIFT


class Numbers(NamedTuple):
    """What the arithmetic needs of a state and a weight format.

    Attributes
    ----------
    frac, low, high, one : int
        Fraction bits, range and raw 1.0 of states.
    weight_frac : int
        Fraction bits of weights.
    """

    frac: int
    low: int
    high: int
    one: int
    weight_frac: int

    @classmethod
    def of(cls, state: Format, weight: Format) -> Numbers:
        """The numbers of two formats."""
        return cls(state.frac, state.min, state.max, state.one, weight.frac)


def beta_sign(key):
    """Sign of beta, +1 or -1, that an image key draws (its bit 31 means -1)."""
    return 1 - 2 * (key >> 31 & 1)


def field(current, shift, numbers):
    """A current as a raw state: ``sat(rnd(current, shift))``."""
    return clip(round_shift(current, shift), numbers.low, numbers.high)


def gated(slopes, u, current, numbers):
    """`Update`: a current times the slope of the logistic function at u, as a current."""
    slope = look_up(slopes, u, numbers.frac)
    gated_field = slope * field(current, numbers.weight_frac, numbers)
    return round_shift(gated_field, numbers.frac) << numbers.weight_frac


def noise(multiplier, x, y):
    """`Update`: noise of a unit from its random words, before it is added to the state."""
    return round_shift(multiplier * byte_sum(x, y), RATE_SHIFT)


def drawn(probability, y, numbers):
    """`Sample`: one with a raw probability, else 0, by the random word y of the unit."""
    return numbers.one if y >> WORD_BITS - numbers.frac < probability else 0


def above(current, numbers):
    """`Sample`: one where the field is above 0, else 0."""
    return numbers.one if field(current, numbers.weight_frac, numbers) > 0 else 0


def flow(half_exponential, s, current, numbers):
    """`FlowRate` of a unit in state s."""
    sign = 1 if s == numbers.one else -1
    limit = FLOW_LIMIT << numbers.frac
    exponent = clip(field(-sign * current, numbers.weight_frac + 1, numbers), -limit, limit)
    return sign * look_up(half_exponential, exponent, numbers.frac)


def residual(u, current, share, numbers):
    """`Residual` of a unit in state u."""
    scale = numbers.weight_frac
    return -round_shift(current - (u << scale - share), scale)


def scaled(multiplier, factor):
    """`Learn`: a column factor times the multiplier of the rate."""
    return round_shift(multiplier * factor, RATE_SHIFT)


def rounded_weight(old, total, y, drop):
    """`Learn`: a weight plus its total, rounded stochastically by the random word y."""
    return old + (total + rounding_addend(y, drop) >> drop)
