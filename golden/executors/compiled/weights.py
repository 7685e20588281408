"""Compiled inside of the online road: weight updates."""

from __future__ import annotations

import numpy as np
from numba import njit, uint32

from .mixing import OPERATIONS, SATURATIONS, SIGNATURE, WRITES, cross, mix_key, retire

#: As in :mod:`apical.golden.program`.
RATE_SHIFT = 10


@njit
def _scale(op, terms, state, beta, key, count):
    """Scaled column factors of all terms of a weight update."""
    cols, multiplier, by_sign, first, last = op[3], op[5], op[6], op[7], op[8]
    low, high = op[9], op[10]
    if by_sign:
        multiplier = multiplier * beta
    for t in range(first, last):
        factor, into, number = terms[t, 1], terms[t, 2], terms[t, 3]
        values, saturated = state[into:into + cols], np.int64(0)
        for j in range(cols):
            wanted = multiplier * np.int64(state[factor + j]) + (1 << RATE_SHIFT - 1) >> RATE_SHIFT
            new = min(max(wanted, low), high)
            saturated += new != wanted
            values[j] = new
        retire(key, number, values, saturated, count)


# Loops over the columns of one row of a matrix, each simple enough for the compiler to vectorize.


@njit
def _add(total, touched, factors, rate):
    for k in range(len(total)):
        total[k] += rate * factors[k]
        touched[k] |= factors[k]


@njit
def _words(x, y, highs, lows, row):
    """Random words of a row, from its word and those of its columns."""
    high, low = uint32(row >> 16 & 0xFFFF), uint32(row & 0xFFFF)
    for k in range(len(highs)):
        x[k], y[k] = cross(high, low, highs[k], lows[k])


@njit
def _round_stochastically(y, total, touched, values, low, high, drop):
    """Add totals to weights in place; returns (weights written, those of them clipped)."""
    written, saturated = np.int64(0), np.int64(0)
    up, down = max(drop - 16, 0), max(16 - drop, 0)
    for k in range(len(values)):
        random = np.int64(y[k] >> down) << up
        wanted = values[k] + ((total[k] + random) >> drop)
        value = min(max(wanted, low), high)
        # Where nothing is written the total is 0: the weight stays, which is in its range.
        written += touched[k] != 0
        saturated += value != wanted
        values[k] = value
    return written, saturated


@njit
def _sign(x, y, touched, values):
    """Sum of the mixed written weights."""
    found = uint32(0)
    for k in range(len(values)):
        h = uint32(uint32(values[k]) + x[k]) & uint32(0xFFFF)
        word = h ^ y[k] ^ (uint32(h << 3) & uint32(h << 7) & uint32(0xFFFF))
        found = uint32(found + (word if touched[k] != 0 else uint32(0)))
    return np.int64(found)


@njit
def learn(op, terms, state, weights, beta, key, count, places, scratch, totals):
    """`Learn`; its columns are those of the first lines."""
    at, rows, cols, number, first, last = op[1], op[2], op[3], op[4], op[7], op[8]
    low, high, drop = op[11], op[12], op[13]
    _scale(op, terms, state, beta, key, count)
    word = mix_key(key, count[OPERATIONS] << 8 | number)
    count[OPERATIONS] += 1
    # Columns in which a factor is not 0, gathered: the others are never touched.
    active = 0
    for j in range(cols):
        for t in range(first, last):
            if state[terms[t, 2] + j] != 0:
                places[active] = j
                active += 1
                break
    place, total, old, touched = places[:active], totals[0, :active], totals[1, :active], \
        totals[2, :active]
    x, y, highs, lows = (scratch[0, :active], scratch[1, :active], scratch[2, :active],
                         scratch[3, :active])
    for k in range(active):
        column = mix_key(word, 1 << 16 | place[k])
        highs[k], lows[k] = uint32(column >> 16), uint32(column & 0xFFFF)
        for t in range(first, last):
            totals[3 + t - first, k] = state[terms[t, 2] + place[k]]
    signed = np.int64(0)
    for i in range(rows):
        some = False
        for t in range(first, last):
            some |= state[terms[t, 0] + i] != 0
        if not some:
            continue
        row = weights[at + i * cols:at + (i + 1) * cols]
        for k in range(active):
            total[k], touched[k], old[k] = 0, 0, row[place[k]]
        for t in range(first, last):
            rate = terms[t, 4] * np.int64(state[terms[t, 0] + i])
            if rate:
                _add(total, touched, totals[3 + t - first, :active], rate)
        _words(x, y, highs, lows, mix_key(word, i))
        written, saturated = _round_stochastically(y, total, touched, old, low, high, drop)
        for k in range(active):
            row[place[k]] = old[k]
        signed += _sign(x, y, touched, old)
        count[WRITES] += written
        count[SATURATIONS] += saturated
    count[SIGNATURE] = (count[SIGNATURE] + signed) & 0xFFFFFFFF
