"""Fixed-point formats: the only definition of width, fraction bits, rounding and overflow.

Raw integers are the interchange type of the whole project. Floats meet them in two functions
only, :func:`quantize` and :func:`dequantize`.  The gateware (``hw/engine/rounding.py``) translates
these objects and never defines its own.

:func:`round_shift` and :func:`clip` are plain integer arithmetic: they run on Python integers and,
compiled (:mod:`apical.golden.executors.compiling`), inside every executor of raw integers.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

from ..errors import MisuseError


@dataclass(frozen=True, order=True)
class Format:
    """A two's-complement fixed-point number format.

    Parameters
    ----------
    width : int
        Bits, sign included; 2..32.
    frac : int
        Fraction bits: a raw value ``r`` stands for ``r * 2**-frac``; 0..width.
    signed : bool
        Two's complement when true.
    """

    width: int
    frac: int
    signed: bool = True

    def __post_init__(self):
        if not 2 <= self.width <= 32:
            raise MisuseError(f"format width {self.width} is outside 2..32 bits")
        if not 0 <= self.frac <= self.width:
            raise MisuseError(f"format fraction {self.frac} is outside 0..{self.width} bits")

    @classmethod
    def parse(cls, text: str) -> Format:
        """Read the form that :meth:`__str__` writes, for example ``s16.12``."""
        match = re.fullmatch(r"([su])([0-9]{1,9})\.([0-9]{1,9})", text)
        if not match:
            raise MisuseError(f"'{text}' is not a number format; write one as s16.12 "
                              "(s or u, width in bits, '.', fraction bits)")
        return cls(int(match[2]), int(match[3]), match[1] == "s")

    def __str__(self):
        return f"{'s' if self.signed else 'u'}{self.width}.{self.frac}"

    @property
    def min(self) -> int:
        """Smallest raw value."""
        return -(1 << self.width - 1) if self.signed else 0

    @property
    def max(self) -> int:
        """Largest raw value."""
        return (1 << self.width - self.signed) - 1

    @property
    def one(self) -> int:
        """Raw value of 1.0, or the largest one where 1.0 is out of range."""
        return min(1 << self.frac, self.max)

    @property
    def lsb(self) -> float:
        """Real value of raw 1."""
        return 2.0 ** -self.frac

    @property
    def magnitude(self) -> int:
        """Largest absolute raw value."""
        return max(-self.min, self.max)


#: Default formats of states (rates) and weights: 16 bits, 12 of them fraction.
STATE = Format(16, 12)
WEIGHT = Format(16, 12)


def round_shift(raw, shift):
    """Divide by ``2**shift`` and round half up: ``floor(raw * 2**-shift + 1/2)``.

    Parameters
    ----------
    raw : int or ndarray of int64
    shift : int
        Negative shifts multiply, exactly.

    Returns
    -------
    int or ndarray of int64
    """
    if shift <= 0:
        return raw << -shift
    return raw + (1 << shift - 1) >> shift


def clip(raw, low, high):
    """One integer, clipped into ``low..high``."""
    return min(max(raw, low), high)


def saturate(raw, low, high):
    """Clip into ``low..high`` and count what was clipped.

    Returns
    -------
    clipped : ndarray of the shape and dtype of `raw`
    count : int
        Number of values that were outside.
    """
    clipped = np.clip(raw, low, high)
    return clipped, int(np.count_nonzero(clipped != raw))


def quantize(real, fmt: Format, what="values"):
    """Turn real values into raw integers, rounding half up and saturating.

    Parameters
    ----------
    real : array_like of float
    fmt : Format
    what : str
        Name of the values, for error messages.

    Returns
    -------
    raw : ndarray of int64
    saturated : int
        Number of values outside the format.

    Raises
    ------
    MisuseError
        For NaN or infinity.
    """
    real = np.asarray(real, np.float64)
    if not np.isfinite(real).all():
        bad = np.argwhere(~np.isfinite(real))[0]
        where = ",".join(map(str, bad))
        raise MisuseError(f"{what}[{where}] is not a finite number; "
                          "check the training run or the file it came from")
    raw, saturated = saturate(np.floor(np.ldexp(real, fmt.frac) + 0.5), fmt.min, fmt.max)
    return raw.astype(np.int64), saturated


def dequantize(raw, fmt: Format):
    """Real values of raw integers: ndarray of float64."""
    return np.ldexp(np.asarray(raw, np.float64), -fmt.frac)
