"""Compiled executor: weight updates, with the arithmetic of :mod:`apical.golden.executors`."""

from __future__ import annotations

import numpy as np

from ...numbers.addressed import column_word, meet, mix_key, mix_written
from ...numbers.formats import clip
from .. import rows
from ..arithmetic import rounded_weight
from ..rows import OPERATIONS, SATURATIONS, SIGNATURE, WRITES

#: Columns of the instruction `Learn`: place, size and number of the matrix, multiplier of the rate
#: and whether the sign of beta counts, range of its terms, limits of factors and of weights, bits
#: that rounding discards.
(AT, ROWS, COLS, NUMBER, MULTIPLIER, BY_SIGN, FIRST, LAST, LOW, HIGH, WEIGHT_LOW, WEIGHT_HIGH,
 DROP) = range(1, 14)
#: Columns of a term: places of the row factor, the column factor and the scaled factor, number of
#: the vector of the last, sign.
ROW, COL, SCALED, SCALED_NUMBER, SIGN = range(5)


def _scale(op, terms, state, beta, key, count, scratch):
    """Scaled column factors of all terms of a weight update."""
    cols, multiplier = op[COLS], op[MULTIPLIER]
    if op[BY_SIGN]:
        multiplier = multiplier * beta
    wanted = scratch[:cols]
    for t in range(op[FIRST], op[LAST]):
        rows.scale(wanted, state[terms[t, COL]:terms[t, COL] + cols], multiplier)
        rows.write(state[terms[t, SCALED]:terms[t, SCALED] + cols], wanted, op[LOW], op[HIGH], key,
                   terms[t, SCALED_NUMBER], count)


# Loops over the columns of one row of a matrix, each simple enough for the compiler to vectorize.


def _add(total, touched, factors, rate):
    for k in range(len(total)):
        total[k] += rate * factors[k]
        touched[k] |= factors[k]


def _words(x, y, columns, row):
    """Random words of a row, from its word and those of its columns."""
    for k in range(len(columns)):
        x[k], y[k] = meet(row, columns[k])


def _round_stochastically(y, total, touched, values, low, high, drop):
    """Add totals to weights in place; returns (weights written, those of them clipped)."""
    written, saturated = np.int64(0), np.int64(0)
    for k in range(len(values)):
        wanted = rounded_weight(values[k], total[k], y[k], drop)
        value = clip(wanted, low, high)
        # Where nothing is written the total is 0: the weight stays, which is in its range.
        written += touched[k] != 0
        saturated += value != wanted
        values[k] = value
    return written, saturated


def _sign(x, y, touched, values):
    """Sum of the mixed written weights."""
    found = np.int64(0)
    for k in range(len(values)):
        found += mix_written(x[k], y[k], values[k]) if touched[k] != 0 else 0
    return found


def learn(op, terms, state, weights, beta, key, count, scratch):
    """`Learn`."""
    at, cols, first, last = op[AT], op[COLS], op[FIRST], op[LAST]
    _scale(op, terms, state, beta, key, count, scratch[0])
    word = mix_key(key, count[OPERATIONS] << 8 | op[NUMBER])
    count[OPERATIONS] += 1
    # Columns in which a factor is not 0, gathered: the others are never touched.
    active, places = 0, scratch[0]
    for j in range(cols):
        for t in range(first, last):
            if state[terms[t, SCALED] + j] != 0:
                places[active] = j
                active += 1
                break
    place, total, old, touched = (places[:active], scratch[1, :active], scratch[2, :active],
                                  scratch[3, :active])
    x, y, columns = scratch[4, :active], scratch[5, :active], scratch[6, :active]
    factors = scratch[7:]
    for k in range(active):
        columns[k] = column_word(word, place[k])
        for t in range(first, last):
            factors[t - first, k] = state[terms[t, SCALED] + place[k]]
    signed = np.int64(0)
    for i in range(op[ROWS]):
        some = False
        for t in range(first, last):
            some |= state[terms[t, ROW] + i] != 0
        if not some:
            continue
        row = weights[at + i * cols:at + (i + 1) * cols]
        for k in range(active):
            total[k], touched[k], old[k] = 0, 0, row[place[k]]
        for t in range(first, last):
            rate = terms[t, SIGN] * np.int64(state[terms[t, ROW] + i])
            if rate:
                _add(total, touched, factors[t - first, :active], rate)
        _words(x, y, columns, mix_key(word, i))
        written, saturated = _round_stochastically(y, total, touched, old, op[WEIGHT_LOW],
                                                   op[WEIGHT_HIGH], op[DROP])
        for k in range(active):
            row[place[k]] = old[k]
        signed += _sign(x, y, touched, old)
        count[WRITES] += written
        count[SATURATIONS] += saturated
    count[SIGNATURE] = count[SIGNATURE] + signed & 0xFFFFFFFF
