"""Compiled inside of the online road: one function that interprets a table of instructions.

The table is written by :mod:`apical.golden.online`; the columns of each instruction are named
there too.  Everything is integers; loops run over whole rows so that the compiler vectorizes them.
Numba is imported with this module, which is imported on first use.
"""

from __future__ import annotations

import os

import numpy as np
from numba import njit, uint32

#: Operation numbers of the table.
PROJECT, UPDATE, MOVE, DECIDE, BEGIN, END, LEARN = range(7)
#: Columns of the counts of an image.
PREDICTION, STEPS, OPERATIONS, WRITES, SATURATIONS, SIGNATURE = range(6)
#: Numbers of the mixing functions that this file has; compiled in, so they are compared with
#: `golden.mix` before use.
MIXING = {"KEY_ROUNDS": 8, "CROSS_ROTATIONS": ((9, 7, 3), 3, (5, 11, 2)), "WRITTEN_SHIFTS": (3, 7),
          "WORD_BITS": 16, "COLUMN": 1 << 16}

#: As in :mod:`apical.golden.program`.
RATE_SHIFT = 10

_FOLDER = os.path.dirname(os.path.abspath(__file__))
# Compiled code is kept beside Python's own where that can be written, and nowhere else.
_kept = njit(cache=os.access(_FOLDER, os.W_OK))


@njit
def _round(x, y, k):
    x = uint32(uint32((uint32(x >> 7) | uint32(x << 9)) & 0xFFFF) + y) & 0xFFFF ^ k
    y = uint32((uint32(y << 2) | uint32(y >> 14)) & 0xFFFF) ^ x
    return uint32(x), uint32(y)


@njit
def mix_key(key, word):
    """As :func:`apical.golden.mix.mix_key`, on int64."""
    x, y = uint32((key ^ word) >> 16 & 0xFFFF), uint32((key ^ word) & 0xFFFF)
    high, low = uint32(key >> 16 & 0xFFFF), uint32(key & 0xFFFF)
    for i in range(8):
        x, y = _round(x, y, uint32((low if i & 1 else high) ^ i))
    return np.int64(x) << 16 | np.int64(y)


@njit
def _left(word, count):
    return uint32(uint32(word << count) | uint32(word >> 16 - count)) & uint32(0xFFFF)


@njit
def _cross(a, b, c, d):
    """As :func:`apical.golden.mix.cross`, on uint32."""
    x, y = uint32(a + c) & uint32(0xFFFF), b ^ d
    y ^= _left(x, 9) ^ (_left(x, 7) & _left(x, 3))
    x = uint32(x + _left(y, 3)) & uint32(0xFFFF)
    y ^= _left(x, 5) ^ (_left(x, 11) & _left(x, 2))
    return x, y


@njit
def _signature(key, values):
    """Sum of the mixed elements of one written vector."""
    high, low = uint32(key >> 16 & 0xFFFF), uint32(key & 0xFFFF)
    total = uint32(0)
    for unit in range(len(values)):
        x, y = _cross(high, low, uint32(values[unit]) & uint32(0xFFFF), uint32(unit))
        total = uint32(total + uint32(uint32(y << 16) | x))
    return np.int64(total)


@njit
def _retire(key, number, values, saturated, count):
    """Count and sign the write of a vector."""
    word = mix_key(key, count[OPERATIONS] << 8 | number)
    count[SIGNATURE] = (count[SIGNATURE] + _signature(word, values)) & 0xFFFFFFFF
    count[OPERATIONS] += 1
    count[WRITES] += len(values)
    count[SATURATIONS] += saturated


@njit
def _project(op, state, sums, weights):
    first, size, into, targets, start = op[1], op[2], op[3], op[4], op[5]
    shift, sign, at, transpose = op[6], op[7], op[8], op[9]
    total, rates = sums[into:into + targets], state[first:first + size]
    # Plain loops: assignments of slices take seconds to compile.
    if start != into:
        for j in range(targets):
            total[j] = sums[start + j] if start >= 0 else 0
    if transpose:
        for i in range(targets):
            row = weights[at + i * size:at + (i + 1) * size]
            more = np.int64(0)
            for j in range(size):
                more += (np.int64(rates[j]) >> shift) * np.int64(row[j])
            total[i] += sign * more
        return
    for i in range(size):
        rate = sign * (np.int64(rates[i]) >> shift)
        if rate:
            row = weights[at + i * targets:at + (i + 1) * targets]
            for j in range(targets):
                total[j] += rate * np.int64(row[j])


@njit
def _update(op, state, sums, beta, key, count):
    first, size, current, leak, scale, drop = op[1], op[2], op[3], op[4], op[5], op[6]
    target, align, sign, drawn, low, high, number = (
        op[7], op[8], op[9], op[10], op[11], op[12], op[13])
    values, total = state[first:first + size], sums[current:current + size]
    if drawn:
        sign *= beta
    moved, saturated = np.int64(0), np.int64(0)
    half = np.int64(1) << drop - 1 if drop > 0 else np.int64(0)
    for i in range(size):
        old = np.int64(values[i])
        force = total[i]
        if leak:
            force -= old << scale
        if target >= 0:
            force += sign * ((np.int64(state[target + i]) - old) << align)
        move = force + half >> drop if drop > 0 else force << -drop
        wanted = old + move if leak else move
        new = min(max(wanted, low), high)
        saturated += new != wanted
        moved = max(moved, abs(new - old))
        values[i] = new
    _retire(key, number, values, saturated, count)
    return moved


@njit
def _move(op, state, key, count):
    """Clear, copy or subtract: ``into = a - b``, an operand below 0 being nothing."""
    into, size, a, b, low, high, number = op[1], op[2], op[3], op[4], op[5], op[6], op[7]
    values, saturated = state[into:into + size], np.int64(0)
    for i in range(size):
        wanted = np.int64(state[a + i]) if a >= 0 else np.int64(0)
        if b >= 0:
            wanted -= np.int64(state[b + i])
        new = min(max(wanted, low), high)
        saturated += new != wanted
        values[i] = new
    _retire(key, number, values, saturated, count)


@njit
def _decide(op, state, count):
    first, size = op[1], op[2]
    best = 0
    for i in range(1, size):
        if state[first + i] > state[first + best]:
            best = i
    count[PREDICTION] = best


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
        _retire(key, number, values, saturated, count)


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
        x[k], y[k] = _cross(high, low, highs[k], lows[k])


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
def _learn(op, terms, state, weights, beta, key, count, places, scratch, totals):
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


@_kept
def run_images(code, terms, start, state, sums, weights, inputs, inputs_at, keys, counts, kept,
               places, scratch, totals):
    """Run a program on images, one after the other, each with the weights the last one left.

    Parameters
    ----------
    code : ndarray of shape (instructions, columns), int64
    terms : ndarray of shape (terms, 5), int64
        Of weight updates: row factor, column factor, scaled factor, its vector number, sign.
    start : ndarray of int32
        State of all vectors before an image, without inputs.
    state, sums, weights : ndarray of int32, int64, int32
        Working storage; `weights` are changed by learning.
    inputs : ndarray of shape (images, n), int32
    inputs_at : ndarray of shape (n,), int64
        Place of each input value in `state`.
    keys : ndarray of shape (images,), int64
        Image keys.
    counts : ndarray of shape (images, 6), int64
        Results, see the column names of this module.
    kept : ndarray of shape (images or 0, len(state)), int32
        Takes the last states of each image, when it has rows.
    places, scratch, totals : ndarray
        Scratch of as many columns n as the widest matrix: int64, (4, n) uint32, (7, n) int64.
    """
    left, moved = np.zeros(8, np.int64), np.int64(0)
    for image in range(len(keys)):
        key, count = keys[image], counts[image]
        beta = np.int64(1) - 2 * (key >> 31 & 1)
        for i in range(len(start)):
            state[i] = start[i]
        for i in range(len(inputs_at)):
            state[inputs_at[i]] = inputs[image, i]
        at = 0
        while at < len(code):
            op = code[at]
            kind = op[0]
            at += 1
            if kind == PROJECT:
                _project(op, state, sums, weights)
            elif kind == UPDATE:
                moved = max(moved, _update(op, state, sums, beta, key, count))
            elif kind == MOVE:
                _move(op, state, key, count)
            elif kind == DECIDE:
                _decide(op, state, count)
            elif kind == BEGIN:
                left[op[1]] = op[2]
                if op[4]:
                    moved = 0
                if op[2] == 0:
                    at = op[3]
            elif kind == END:
                count[STEPS] += 1
                left[op[1]] -= 1
                # A loop until settled goes on while a step moved something by more than that.
                if left[op[1]] > 0 and not (op[4] and moved <= op[3]):
                    at = op[2]
                if op[4]:
                    moved = 0
            elif kind == LEARN:
                _learn(op, terms, state, weights, beta, key, count, places, scratch, totals)
        if len(kept):
            for i in range(len(start)):
                kept[image, i] = state[i]
