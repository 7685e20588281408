"""Functions by table: raw integers look up exp and the logistic function.

A table samples its function f at ``z_i = -8 + i / 16``, i = 0 .. 256, ``T[i] = sat(f(z_i))`` in
the state format, rounded half up.  Between two samples it is linear:

    z is clipped to ``-8 .. 8 - 2**-fs``; ``a = z + 8`` in raw integers is
    ``i 2**(fs - 4) + r`` with ``r`` below ``2**(fs - 4)``;
    ``f(z) = T[i] + rnd((T[i + 1] - T[i]) r, fs - 4)``.

With fewer than 4 fraction bits ``i = a 2**(4 - fs)`` and nothing is interpolated.  A value lies
between two samples, so nothing saturates here; exp does where T does.
"""

from __future__ import annotations

import functools

import numpy as np

from ..errors import MisuseError
from .formats import Format, clip, quantize, round_shift

#: Distance of samples ``2**-STEP_BITS``, and the range -REACH .. REACH they cover.
STEP_BITS, REACH = 4, 8
SAMPLES = (2 * REACH << STEP_BITS) + 1
#: More fraction bits leave the state format too little range for fields, and random words too few
#: bits for probabilities.
MOST_FRAC = 14
#: Names of the functions, in the order that numbers them.
LOGISTIC, SLOPE, HALF_EXPONENTIAL = "logistic", "slope", "half-exponential"
NAMES = (LOGISTIC, SLOPE, HALF_EXPONENTIAL)


def function(name, z):
    """The function that a table samples, on real numbers.

    ``"logistic"`` 1 / (1 + exp(-z)), ``"slope"`` its derivative r (1 - r), ``"half-exponential"``
    exp(z) / 2.
    """
    z = np.asarray(z, np.float64)
    if name == HALF_EXPONENTIAL:
        return 0.5 * np.exp(z)
    rate = 1 / (1 + np.exp(-z))
    return rate * (1 - rate) if name == SLOPE else rate


@functools.cache
def samples(name, state: Format):
    """The samples T of a function: ndarray of shape (SAMPLES,), int64, not to be written.

    Raises
    ------
    MisuseError
        For a state format of more than `MOST_FRAC` fraction bits.
    """
    if state.frac > MOST_FRAC:
        raise MisuseError(f"tables need states of at most {MOST_FRAC} fraction bits, {state} has "
                          f"{state.frac}")
    if name not in NAMES:
        raise MisuseError(f"no table of '{name}'; known: {', '.join(NAMES)}")
    z = np.arange(SAMPLES) / 2 ** STEP_BITS - REACH
    found = quantize(function(name, z), state)[0]
    found.setflags(write=False)
    return found


def all_samples(state: Format):
    """The samples of all functions: ndarray of shape (functions, SAMPLES), int64.

    The rows are in the order of `NAMES`; they are 0 for a format that has no tables.
    """
    if state.frac > MOST_FRAC:
        return np.zeros((len(NAMES), SAMPLES), np.int64)
    return np.stack([samples(name, state) for name in NAMES])


def look_up(table, z, frac):
    """Value of a table at one raw state, as the formula at the top of this module says.

    Parameters
    ----------
    table : ndarray of shape (SAMPLES,), int64
        By :func:`samples`.
    z : int
        Raw state.
    frac : int
        Fraction bits of the state format.

    Returns
    -------
    int
    """
    end, fine = REACH << frac, frac - STEP_BITS
    a = clip(z, -end, end - 1) + end
    if fine < 0:
        return table[a << -fine]
    i = a >> fine
    low = table[i]
    return low + round_shift((table[i + 1] - low) * (a & (1 << fine) - 1), fine)
