"""Operations on the units of one image: loops that map :mod:`.arithmetic` over a vector.

An operation puts what it would write into a row of ``int64`` (`wanted`); :func:`write` clips,
counts, signs and stores it.  The batched executor calls both for each image of a batch, the
compiled one from its interpreter.  Vectors of states and currents may be any type that holds
integers exactly; an optional vector that is absent has no elements.

Loops run over whole rows, with what does not change outside, so that the compiler vectorizes them.
"""

from __future__ import annotations

import numpy as np

from ..numbers import tables as tables_of_functions
from ..numbers.addressed import draw_row, mix_key, signature
from ..numbers.formats import clip, round_shift
from ..numbers.tables import look_up
from ..program import SAMPLE_MODES
from .arithmetic import above, drawn, field, flow, gated, noise, residual, scaled

#: Columns of the counts of an image.
PREDICTION, STEPS, OPERATIONS, WRITES, SATURATIONS, SIGNATURE, DRAWS = COUNTS = range(7)
#: Rows of the tables.
LOGISTIC, SLOPE, HALF_EXPONENTIAL = (tables_of_functions.NAMES.index(name) for name in (
    tables_of_functions.LOGISTIC, tables_of_functions.SLOPE, tables_of_functions.HALF_EXPONENTIAL))
#: Modes of `Sample`, by number.
SAMPLE, MEAN, THRESHOLD = (SAMPLE_MODES.index(mode) for mode in ("sample", "mean", "threshold"))


def write(values, wanted, low, high, key, number, count):
    """Clip, count, sign and store a vector.

    Parameters
    ----------
    values : ndarray of shape (n,)
        The vector; takes the clipped values.
    wanted : ndarray of shape (n,), int64
        What is written; clipped in place.
    low, high : int
    key : int
        Image key.
    number : int
        Number of the vector.
    count : ndarray of int64
        Counts of the image, with columns as named in this module.

    Returns
    -------
    int
        The largest move of a value.
    """
    moved, saturated = np.int64(0), np.int64(0)
    for i in range(len(values)):
        new = clip(wanted[i], low, high)
        saturated += new != wanted[i]
        moved = max(moved, abs(new - np.int64(values[i])))
        wanted[i] = new
        values[i] = new
    word = mix_key(key, count[OPERATIONS] << 8 | number)
    count[SIGNATURE] = count[SIGNATURE] + signature(word, wanted) & 0xFFFFFFFF
    count[OPERATIONS] += 1
    count[WRITES] += len(values)
    count[SATURATIONS] += saturated
    return moved


def update(wanted, values, current, held, target, pulled, pull, gate, leak, drop, tables, numbers):
    """`Update` without its noise.

    Parameters
    ----------
    wanted, values, current : ndarray of shape (n,)
    held, target : ndarray of shape (n,) or (0,)
        Held current; what the nudge pulls to.
    pulled : ndarray of shape (n,)
        What the nudge pulls.
    pull : int
        Factor of the nudge, its shift included.
    gate, leak : bool
    drop : int
        Bits that the force loses.
    tables : ndarray of shape (tables, samples), int64
    numbers : Numbers
    """
    scale = numbers.weight_frac
    for i in range(len(wanted)):
        wanted[i] = np.int64(current[i])
    if len(held):
        for i in range(len(wanted)):
            wanted[i] -= np.int64(held[i]) << scale
    if gate:
        for i in range(len(wanted)):
            wanted[i] = gated(tables[SLOPE], np.int64(values[i]), wanted[i], numbers)
    if len(target):
        for i in range(len(wanted)):
            wanted[i] += pull * (np.int64(target[i]) - np.int64(pulled[i]))
    if leak:
        for i in range(len(wanted)):
            u = np.int64(values[i])
            wanted[i] = u + round_shift(wanted[i] - (u << scale), drop)
    else:
        for i in range(len(wanted)):
            wanted[i] = round_shift(wanted[i], drop)


def add_noise(wanted, multiplier, key, words):
    """Noise of `Update`, by a draw key; `words` is scratch of shape (2, columns), int64."""
    x, y = words[0, :len(wanted)], words[1, :len(wanted)]
    draw_row(x, y, key)
    for i in range(len(wanted)):
        wanted[i] += noise(multiplier, x[i], y[i])


def sample(wanted, current, mode, key, words, tables, numbers):
    """`Sample`; only mode `SAMPLE` uses the draw key and the scratch `words`."""
    if mode == THRESHOLD:
        for i in range(len(wanted)):
            wanted[i] = above(np.int64(current[i]), numbers)
        return
    for i in range(len(wanted)):
        z = field(np.int64(current[i]), numbers.weight_frac, numbers)
        wanted[i] = look_up(tables[LOGISTIC], z, numbers.frac)
    if mode == SAMPLE:
        x, y = words[0, :len(wanted)], words[1, :len(wanted)]
        draw_row(x, y, key)
        for i in range(len(wanted)):
            wanted[i] = drawn(wanted[i], y[i], numbers)


def flow_rate(wanted, states, current, tables, numbers):
    """`FlowRate`."""
    for i in range(len(wanted)):
        wanted[i] = flow(tables[HALF_EXPONENTIAL], np.int64(states[i]), np.int64(current[i]),
                         numbers)


def residuals(wanted, states, current, share, numbers):
    """`Residual`."""
    for i in range(len(wanted)):
        wanted[i] = residual(np.int64(states[i]), np.int64(current[i]), share, numbers)


def rates(wanted, states, tables, numbers):
    """Stored rates of logistic units."""
    for i in range(len(wanted)):
        wanted[i] = look_up(tables[LOGISTIC], np.int64(states[i]), numbers.frac)


def scale(wanted, factors, multiplier):
    """Scaled column factors of `Learn`."""
    for i in range(len(wanted)):
        wanted[i] = scaled(multiplier, np.int64(factors[i]))


def difference(wanted, first, second):
    """``first - second``, each a vector or absent: what copies, clears and differences write."""
    for i in range(len(wanted)):
        wanted[i] = np.int64(first[i]) if len(first) else np.int64(0)
    if len(second):
        for i in range(len(wanted)):
            wanted[i] -= np.int64(second[i])
