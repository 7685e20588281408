"""Addressed mixing: one small keyed permutation behind signatures and random words.

A 32-bit block of two 16-bit halves goes through rounds of add, rotate and exclusive-or (the round
of the Speck cipher with fewer rounds; it is a mixer here, not a cipher).  The additions make it
non-linear, which a signature needs (swapped values must show) and random words need too (a purely
linear hash of row and column turns rounding noise into a rank-one pattern).  One round is one
16-bit adder and 16 exclusive-ors in gateware (``hw/mix.py``, proven equal by tests).

All functions take and return ``uint32``/``uint16`` values in NumPy integer arrays or Python ints.
"""

from __future__ import annotations

import numpy as np

#: Rounds that turn (seed, count) into the key of one operation; spent while it is decoded.
KEY_ROUNDS = 8
#: Rounds spent on each element, paid once a lane: enough for a signature (swapped neighbours
#: that differ in one bit show in all but 5e-6 of the cases), too few for random words.
ELEMENT_ROUNDS = 4
#: Rounds of the random word of one weight, the least number that leaves no correlation between
#: neighbours (five: 0.1 between some rows; four: 0.3 and a matrix of noise of too low a rank).
WEIGHT_ROUNDS = 6
#: Rounds that mix a written weight into its random word, for the signature.
WRITTEN_ROUNDS = 2

_M16 = 0xFFFF
_M32 = 0xFFFFFFFF


def mix_round(x, y, k):
    """One round on halves ``x`` and ``y`` with round key ``k`` (all 16 bits)."""
    x = ((((x >> 7) | (x << 9)) & _M16) + y & _M16) ^ k
    y = ((y << 2) | (y >> 14)) & _M16 ^ x
    return x, y


def mix_key(key, word):
    """Absorb a 32-bit word into a 32-bit key: ``KEY_ROUNDS`` rounds, round number as a constant.

    Keys are chained: image key = ``mix_key(seed, image)``, operation key =
    ``mix_key(image key, operation count << 8 | vector number)``.
    """
    x, y = (key ^ word) >> 16 & _M16, (key ^ word) & _M16
    high, low = key >> 16 & _M16, key & _M16
    for i in range(KEY_ROUNDS):
        x, y = mix_round(x, y, (low if i & 1 else high) ^ i)
    return x << 16 | y


def mix_element(key, address, value):
    """The 32-bit word of one element of one operation.

    Parameters
    ----------
    key : int or ndarray
        Operation key, 32 bits.
    address : int or ndarray
        Unit number in the vector, 16 bits.
    value : int or ndarray
        Raw value written, taken modulo 2**16.
    """
    high, low = key >> 16 & _M16, key & _M16
    x, y = value & _M16 ^ high, address & _M16 ^ low
    for i in range(ELEMENT_ROUNDS):
        x, y = mix_round(x, y, high if i & 1 else low)
    return x << 16 | y


def signature(keys, values):
    """Sum of the mixed elements of one vector write, modulo 2**32.

    Parameters
    ----------
    keys : ndarray of shape (batch,), int64
        Operation key of each image.
    values : ndarray of shape (batch, n), int64 raw values
        Element ``[b, i]`` is what was written to unit ``i``.

    Returns
    -------
    ndarray of shape (batch,), int64
        To be added to the running signature modulo 2**32.
    """
    address = np.arange(values.shape[1], dtype=np.int64)
    words = mix_element(np.asarray(keys, np.int64)[:, None], address, values)
    return words.sum(axis=1) & _M32


def mix_weight(key, row, col):
    """The 32-bit random word of weight (row, column) of one weight-writing operation.

    Parameters
    ----------
    key : int or ndarray
        Operation key, 32 bits: ``mix_key(image key, operation count << 8 | 128 + matrix number)``.
    row, col : int or ndarray
        Address in the matrix, 16 bits each.
    """
    high, low = key >> 16 & _M16, key & _M16
    x, y = row & _M16 ^ high, col & _M16 ^ low
    for i in range(WEIGHT_ROUNDS):
        x, y = mix_round(x, y, high if i & 1 else low)
    return x << 16 | y


def mix_written(key, word, value):
    """What one written weight adds to the signature, modulo 2**32.

    Parameters
    ----------
    key : int or ndarray
        Operation key.
    word : int or ndarray
        Random word of the weight, by :func:`mix_weight`.
    value : int or ndarray
        New raw value, taken modulo 2**16.
    """
    high, low = key >> 16 & _M16, key & _M16
    x, y = (word >> 16 ^ value) & _M16, word & _M16
    for i in range(WEIGHT_ROUNDS, WEIGHT_ROUNDS + WRITTEN_ROUNDS):
        x, y = mix_round(x, y, high if i & 1 else low)
    return x << 16 | y
