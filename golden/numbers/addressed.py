"""Addressed mixing: small keyed bijections behind signatures and random words.

Keys are mixed by rounds of the Speck cipher on a 32-bit block of two 16-bit halves (fewer rounds
than the cipher; it is a mixer here, not a cipher), a few cycles for each operation.  Elements are
too many for that: a key and an element meet in :func:`cross`, two 16-bit adders and about a
hundred logic functions in gateware (``hw/engine/mixing.py``, proven equal by tests).  The additions
and the products of bits make both non-linear, which a signature needs (swapped values must show)
and random words need too (a purely linear hash of row and column turns rounding noise into a
rank-one pattern).

Each function is defined here once, on integers: it runs on Python integers and on NumPy arrays of
``int64``, and compiled (:mod:`apical.golden.executors.compiling`) inside the executors.  All take
and return words of 16 or 32 bits, never negative.
"""

from __future__ import annotations

import numpy as np

#: Rounds that turn (seed, count) into the key of one operation; spent while it is decoded.
KEY_ROUNDS = 8
#: Rotations of the two non-linear functions of :func:`cross`, and of its second sum.
CROSS_ROTATIONS = ((9, 7, 3), 3, (5, 11, 2))
#: Shifts of the product of bits in :func:`mix_written`.
WRITTEN_SHIFTS = (3, 7)
#: Bits of the random word of a weight or a unit.
WORD_BITS = 16
#: What tells the word of a column (or unit) from that of a row.
COLUMN = 1 << 16
#: Where keys of operations have the number of what is written: keys of draws.
DRAW = 255
#: Mean of the sum of four uniform bytes, and its variance: four times (256**2 - 1) / 12.
BYTE_SUM_MEAN, BYTE_SUM_VARIANCE = 510, 21845

_M16 = 0xFFFF
_M32 = 0xFFFFFFFF


def mix_round(x, y, k):
    """One round on halves ``x`` and ``y`` with round key ``k`` (all 16 bits)."""
    x = ((((x >> 7) | (x << 9)) & _M16) + y & _M16) ^ k
    y = ((y << 2) | (y >> 14)) & _M16 ^ x
    return x, y


def round_key(high, low, i):
    """Key of round i, of the halves of a 32-bit key."""
    return (low if i & 1 else high) ^ i


def mix_key(key, word):
    """Absorb a 32-bit word into a 32-bit key: ``KEY_ROUNDS`` rounds, round number as a constant.

    Keys are chained: image key = ``mix_key(seed, image)``, operation key =
    ``mix_key(image key, operation count << 8 | vector number)``.
    """
    x, y = halves(key ^ word)
    high, low = halves(key)
    for i in range(KEY_ROUNDS):
        x, y = mix_round(x, y, round_key(high, low, i))
    return x << 16 | y


def _left(word, count):
    """Rotate 16 bits left."""
    return (word << count | word >> 16 - count) & _M16


def _product(x, rotations):
    """``rotl(x, s) ^ (rotl(x, t) & rotl(x, u))`` for rotations (s, t, u)."""
    s, t, u = rotations
    return _left(x, s) ^ (_left(x, t) & _left(x, u))


def cross(a, b, c, d):
    """Where a key word (a, b) and an element word (c, d) meet: two 16-bit words.

    For each (a, b) a bijection of (c, d), and the other way round::

        x = a + c;  y = b ^ d
        y ^= rotl(x, 9) ^ (rotl(x, 7) & rotl(x, 3))
        x += rotl(y, 3)
        y ^= rotl(x, 5) ^ (rotl(x, 11) & rotl(x, 2))

    Parameters
    ----------
    a, b, c, d : int or ndarray
        16 bits each.

    Returns
    -------
    x, y : int or ndarray
    """
    first, turn, second = CROSS_ROTATIONS
    x, y = a + c & _M16, b ^ d
    y = y ^ _product(x, first)
    x = x + _left(y, turn) & _M16
    return x, y ^ _product(x, second)


def halves(word):
    """(high, low) 16 bits of a 32-bit word."""
    return word >> 16 & _M16, word & _M16


def mix_element(key, address, value):
    """The 32-bit word that one written element of one operation adds to the signature.

    Parameters
    ----------
    key : int or ndarray
        Operation key, 32 bits.
    address : int or ndarray
        Unit number in the vector, 16 bits.
    value : int or ndarray
        Raw value written, taken modulo 2**16.
    """
    x, y = cross(*halves(key), value & _M16, address & _M16)
    return y << 16 | x


def signature(key, values):
    """Sum of the mixed elements of one vector write, modulo 2**32.

    Parameters
    ----------
    key : int
        Operation key.
    values : sequence of int
        Raw values; element i is what was written to unit i.

    Returns
    -------
    int
        To be added to the running signature modulo 2**32.
    """
    total = 0
    for unit in range(len(values)):
        total += mix_element(key, unit, values[unit])
    return total & _M32


def column_word(key, col):
    """The word of a column of a matrix, or of a unit: ``mix_key(key, COLUMN | col)``."""
    return mix_key(key, COLUMN | col)


def meet(key, word):
    """:func:`cross` of a 32-bit key word and a 32-bit element word: two 16-bit words."""
    return cross(*halves(key), *halves(word))


def mix_weight(key, row, col):
    """Two random 16-bit words (x, y) of weight (row, column) of one weight-writing operation.

    The row word ``mix_key(key, row)`` and the column word :func:`column_word` meet in
    :func:`cross`, so that an engine mixes a key once a row and once a column.  Stochastic rounding
    uses y, the signature both.

    Parameters
    ----------
    key : int or ndarray
        Operation key, 32 bits: ``mix_key(image key, operation count << 8 | 128 + matrix number)``.
    row, col : int or ndarray
        Address in the matrix, 16 bits each.
    """
    return meet(mix_key(key, row), column_word(key, col))


def rounding_addend(y, drop):
    """R of stochastic rounding: a 16-bit word at the top of `drop` discarded bits."""
    return y << drop - WORD_BITS if drop >= WORD_BITS else y >> WORD_BITS - drop


def mix_written(x, y, value):
    """The 16-bit word that a written weight adds to the signature.

    Parameters
    ----------
    x, y : int or ndarray
        Words of the weight, by :func:`mix_weight`.
    value : int or ndarray
        New raw value, taken modulo 2**16.
    """
    h = value + x & _M16
    first, second = WRITTEN_SHIFTS
    return h ^ y ^ (h << first & h << second & _M16)


def draw_key(image_key, count):
    """Key of one draw of random words for the units of a population, by the count of draws."""
    return mix_key(image_key, count << 8 | DRAW)


def draw_words(key, units):
    """Two random 16-bit words (x, y) of units.

    The draw key and the :func:`column_word` of the unit meet in :func:`cross`, as the row and the
    column of a matrix do.

    Parameters
    ----------
    key : int or ndarray
        By :func:`draw_key`.
    units : int or ndarray
        Unit numbers.
    """
    return meet(key, column_word(key, units))


def draw_row(x, y, key):
    """:func:`draw_words` of units 0, 1, 2 .. into x and y.

    The loop over units is the inner one: compiled, it takes many units at a time.

    Parameters
    ----------
    x, y : ndarray of shape (units,), any type of 16 bits or more
        Take the words.
    key : int
        By :func:`draw_key`.
    """
    high, low = halves(key)
    for unit in range(len(x)):
        x[unit], y[unit] = halves(key ^ (COLUMN | unit))
    for i in range(KEY_ROUNDS):
        k = round_key(high, low, i)
        for unit in range(len(x)):
            x[unit], y[unit] = mix_round(np.int64(x[unit]), np.int64(y[unit]), k)
    for unit in range(len(x)):
        x[unit], y[unit] = cross(high, low, np.int64(x[unit]), np.int64(y[unit]))


def byte_sum(x, y):
    """Sum of the four bytes of the words of a unit less its mean, -510 .. 510: near normal noise.

    Its variance is `BYTE_SUM_VARIANCE`.
    """
    return (x >> 8) + (x & 0xFF) + (y >> 8) + (y & 0xFF) - BYTE_SUM_MEAN
