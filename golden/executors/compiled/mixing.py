"""Compiled mixing functions, those of :mod:`apical.golden.numbers.addressed`.

Loops run over whole rows, so that the compiler vectorizes them.
"""

from __future__ import annotations

import numpy as np
from numba import njit, uint32

#: Numbers that this file has; compiled in, so they are compared with `golden.mix` before use.
CONSTANTS = {"KEY_ROUNDS": 8, "CROSS_ROTATIONS": ((9, 7, 3), 3, (5, 11, 2)),
             "WRITTEN_SHIFTS": (3, 7), "WORD_BITS": 16, "COLUMN": 1 << 16, "DRAW": 255}

#: Columns of the counts of an image.
PREDICTION, STEPS, OPERATIONS, WRITES, SATURATIONS, SIGNATURE, DRAWS = range(7)


@njit
def _round(x, y, k):
    x = uint32(uint32((uint32(x >> 7) | uint32(x << 9)) & 0xFFFF) + y) & 0xFFFF ^ k
    y = uint32((uint32(y << 2) | uint32(y >> 14)) & 0xFFFF) ^ x
    return uint32(x), uint32(y)


@njit
def mix_key(key, word):
    """As :func:`apical.golden.numbers.addressed.mix_key`, on int64."""
    x, y = uint32((key ^ word) >> 16 & 0xFFFF), uint32((key ^ word) & 0xFFFF)
    high, low = uint32(key >> 16 & 0xFFFF), uint32(key & 0xFFFF)
    for i in range(8):
        x, y = _round(x, y, uint32((low if i & 1 else high) ^ i))
    return np.int64(x) << 16 | np.int64(y)


@njit
def _left(word, count):
    return uint32(uint32(word << count) | uint32(word >> 16 - count)) & uint32(0xFFFF)


@njit
def cross(a, b, c, d):
    """As :func:`apical.golden.numbers.addressed.cross`, on uint32."""
    x, y = uint32(a + c) & uint32(0xFFFF), b ^ d
    y ^= _left(x, 9) ^ (_left(x, 7) & _left(x, 3))
    x = uint32(x + _left(y, 3)) & uint32(0xFFFF)
    y ^= _left(x, 5) ^ (_left(x, 11) & _left(x, 2))
    return x, y


@njit
def signature(key, values):
    """Sum of the mixed elements of one written vector."""
    high, low = uint32(key >> 16 & 0xFFFF), uint32(key & 0xFFFF)
    total = uint32(0)
    for unit in range(len(values)):
        x, y = cross(high, low, uint32(values[unit]) & uint32(0xFFFF), uint32(unit))
        total = uint32(total + uint32(uint32(y << 16) | x))
    return np.int64(total)


@njit
def draw(x, y, key, count):
    """Random words of units: :func:`apical.golden.numbers.addressed.draw_words`."""
    word = mix_key(key, count << 8 | 255)
    high, low = uint32(word >> 16), uint32(word & 0xFFFF)
    for unit in range(len(x)):
        column = mix_key(word, 1 << 16 | unit)
        x[unit], y[unit] = cross(high, low, uint32(column >> 16), uint32(column & 0xFFFF))


@njit
def retire(key, number, values, saturated, count):
    """Count and sign the write of a vector; `count` has the columns of an image's counts."""
    word = mix_key(key, count[OPERATIONS] << 8 | number)
    count[SIGNATURE] = (count[SIGNATURE] + signature(word, values)) & 0xFFFFFFFF
    count[OPERATIONS] += 1
    count[WRITES] += len(values)
    count[SATURATIONS] += saturated
