"""Functions by table: what raw integers have instead of exp and the logistic function.

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
from .formats import Format, quantize, round_shift

#: Distance of samples ``2**-STEP_BITS``, and the range -REACH .. REACH they cover.
STEP_BITS, REACH = 4, 8
SAMPLES = (2 * REACH << STEP_BITS) + 1
#: More fraction bits leave the state format too little range for fields, and random words too few
#: bits for chances.
MOST_FRAC = 14
#: Names of the functions, in the order that numbers them.
LOGISTIC, SLOPE, HALF_EXPONENTIAL = "logistic", "slope", "half-exponential"
NAMES = (LOGISTIC, SLOPE, HALF_EXPONENTIAL)


def function(name, z):
    """The function behind a table, on real numbers.

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


def look_up(name, z, state: Format):
    """Value of a table at raw states.

    Parameters
    ----------
    name : str
        One of `NAMES`.
    z : ndarray of int64, or of float64 holding integers
    state : Format

    Returns
    -------
    ndarray of the shape of `z`, int64
    """
    table, end = samples(name, state), REACH << state.frac
    a = np.clip(np.asarray(z).astype(np.int64), -end, end - 1) + end
    fine = state.frac - STEP_BITS
    if fine < 0:
        return table[a << -fine]
    i = a >> fine
    return table[i] + round_shift((table[i + 1] - table[i]) * (a & (1 << fine) - 1), fine)
