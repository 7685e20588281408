"""Compiled inside of the online road: operations on states.

Every function takes a row of the table of instructions, which
:mod:`apical.golden.executors.compiled.executor` writes; the columns are named here.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from .mixing import DRAWS, PREDICTION, draw, retire

#: As in :mod:`apical.golden.program`, `tables` and `fixed_states`; compared before use.
CONSTANTS = {"RATE_SHIFT": 10, "STEP_BITS": 4, "REACH": 8, "FLOW_LIMIT": 6}
#: Modes of `Sample`, and rows of the tables, by number.
MODES = ("sample", "mean", "threshold")
TABLES = ("logistic", "slope", "half-exponential")
#: Numbers of a program that all operations share.
STATE_FRAC, STATE_MIN, STATE_MAX, STATE_ONE, WEIGHT_FRAC = range(5)

#: Columns of all that write a vector: its place, size and number, what clips it, and place and
#: number of the rate that follows from it (place -1: none).
INTO, SIZE, NUMBER, LOW, HIGH, RATE, RATE_NUMBER = range(1, 8)
#: Further columns of `Update`; places are -1 where there is nothing, noise without draws as well.
CURRENT, LEAK, DROP, TARGET, PULLED, ALIGN, SIGN, DRAWN, HELD, GATE, NOISE = range(8, 19)
#: Of `Sample`, and of `FlowRate` and `Residual`, after CURRENT.
MODE = STATE = 9
SHARE = 10
#: Of copies and differences: places of the operands.
FIRST, SECOND = 8, 9


@njit
def _rounded(value, shift):
    return value + (np.int64(1) << shift - 1) >> shift if shift > 0 else value << -shift


@njit
def _look_up(table, z, frac):
    """As :func:`apical.golden.numbers.tables.look_up`, for one value."""
    end = np.int64(8) << frac
    a, fine = min(max(z, -end), end - 1) + end, frac - 4
    if fine < 0:
        return np.int64(table[a << -fine])
    i = a >> fine
    low = np.int64(table[i])
    return low + _rounded((np.int64(table[i + 1]) - low) * (a & (np.int64(1) << fine) - 1), fine)


@njit
def _field(value, shift, numbers):
    """Sum of currents as a raw state: rounded, saturated."""
    return min(max(_rounded(value, shift), numbers[STATE_MIN]), numbers[STATE_MAX])


@njit
def _finish(op, state, saturated, tables, numbers, key, count):
    """Count and sign the vector just written, and write the rate that follows from it."""
    values = state[op[INTO]:op[INTO] + op[SIZE]]
    retire(key, op[NUMBER], values, saturated, count)
    if op[RATE] >= 0:
        rates = state[op[RATE]:op[RATE] + op[SIZE]]
        for i in range(len(values)):
            rates[i] = _look_up(tables[0], np.int64(values[i]), numbers[STATE_FRAC])
        retire(key, op[RATE_NUMBER], rates, 0, count)


@njit
def project(op, state, sums, weights):
    """`Project`; its columns are those of the first line."""
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
def update(op, state, sums, beta, tables, numbers, key, count, scratch, totals):
    """`Update`; returns the greatest move."""
    size, scale = op[SIZE], numbers[WEIGHT_FRAC]
    values, force = state[op[INTO]:op[INTO] + size], totals[0, :size]
    for i in range(size):
        force[i] = sums[op[CURRENT] + i]
    if op[HELD] >= 0:
        for i in range(size):
            force[i] -= np.int64(state[op[HELD] + i]) << scale
    if op[GATE]:
        for i in range(size):
            slope = _look_up(tables[1], np.int64(values[i]), numbers[STATE_FRAC])
            force[i] = _rounded(slope * _field(force[i], scale, numbers),
                                numbers[STATE_FRAC]) << scale
    if op[TARGET] >= 0:
        sign = op[SIGN] * beta if op[DRAWN] else op[SIGN]
        for i in range(size):
            force[i] += sign * ((np.int64(state[op[TARGET] + i])
                                 - np.int64(state[op[PULLED] + i])) << op[ALIGN])
    noise = totals[1, :size]
    if op[NOISE] >= 0:
        x, y = scratch[0, :size], scratch[1, :size]
        draw(x, y, key, count[DRAWS])
        count[DRAWS] += 1
        for i in range(size):
            total = np.int64((x[i] >> 8) + (x[i] & 0xFF) + (y[i] >> 8) + (y[i] & 0xFF)) - 510
            noise[i] = _rounded(op[NOISE] * total, 10)
    else:
        for i in range(size):
            noise[i] = 0
    moved, saturated = np.int64(0), np.int64(0)
    leak, drop, low, high = op[LEAK], op[DROP], op[LOW], op[HIGH]
    half = np.int64(1) << drop - 1 if drop > 0 else np.int64(0)
    for i in range(size):
        old = np.int64(values[i])
        total = force[i] - (old << scale) if leak else force[i]
        move = total + half >> drop if drop > 0 else total << -drop
        wanted = (old + move if leak else move) + noise[i]
        new = min(max(wanted, low), high)
        saturated += new != wanted
        moved = max(moved, abs(new - old))
        values[i] = new
    _finish(op, state, saturated, tables, numbers, key, count)
    return moved


@njit
def sample(op, state, sums, tables, numbers, key, count, scratch):
    """`Sample`; returns the greatest move."""
    size, mode, frac, one = op[SIZE], op[MODE], numbers[STATE_FRAC], numbers[STATE_ONE]
    values = state[op[INTO]:op[INTO] + size]
    x, y = scratch[0, :size], scratch[1, :size]
    if mode == 0:
        draw(x, y, key, count[DRAWS])
        count[DRAWS] += 1
    moved, saturated = np.int64(0), np.int64(0)
    for i in range(size):
        z = _field(sums[op[CURRENT] + i], numbers[WEIGHT_FRAC], numbers)
        if mode == 2:
            wanted = one if z > 0 else np.int64(0)
        else:
            wanted = _look_up(tables[0], z, frac)
            if mode == 0:
                wanted = one if np.int64(y[i] >> 16 - frac) < wanted else np.int64(0)
        new = min(max(wanted, op[LOW]), op[HIGH])
        saturated += new != wanted
        moved = max(moved, abs(new - np.int64(values[i])))
        values[i] = new
    _finish(op, state, saturated, tables, numbers, key, count)
    return moved


@njit
def flow_rate(op, state, sums, tables, numbers, key, count):
    """`FlowRate`."""
    size, frac = op[SIZE], numbers[STATE_FRAC]
    limit, saturated = np.int64(6) << frac, np.int64(0)
    for i in range(size):
        one = state[op[STATE] + i] == numbers[STATE_ONE]
        current = sums[op[CURRENT] + i]
        exponent = _field(-current if one else current, numbers[WEIGHT_FRAC] + 1, numbers)
        wanted = _look_up(tables[2], min(max(exponent, -limit), limit), frac)
        wanted = wanted if one else -wanted
        new = min(max(wanted, op[LOW]), op[HIGH])
        saturated += new != wanted
        state[op[INTO] + i] = new
    _finish(op, state, saturated, tables, numbers, key, count)


@njit
def residual(op, state, sums, tables, numbers, key, count):
    """`Residual`."""
    saturated, scale = np.int64(0), numbers[WEIGHT_FRAC]
    for i in range(op[SIZE]):
        share = np.int64(state[op[STATE] + i]) << scale - op[SHARE]
        wanted = -_rounded(sums[op[CURRENT] + i] - share, scale)
        new = min(max(wanted, op[LOW]), op[HIGH])
        saturated += new != wanted
        state[op[INTO] + i] = new
    _finish(op, state, saturated, tables, numbers, key, count)


@njit
def move(op, state, tables, numbers, key, count):
    """Clear, copy or subtract: ``into = a - b``, an operand below 0 being nothing."""
    saturated = np.int64(0)
    for i in range(op[SIZE]):
        wanted = np.int64(state[op[FIRST] + i]) if op[FIRST] >= 0 else np.int64(0)
        if op[SECOND] >= 0:
            wanted -= np.int64(state[op[SECOND] + i])
        new = min(max(wanted, op[LOW]), op[HIGH])
        saturated += new != wanted
        state[op[INTO] + i] = new
    _finish(op, state, saturated, tables, numbers, key, count)


@njit
def decide(op, state, count):
    """`Decide`: first and size in the first columns."""
    first, size = op[1], op[2]
    best = 0
    for i in range(1, size):
        if state[first + i] > state[first + best]:
            best = i
    count[PREDICTION] = best
