"""Compiled executor: operations on states, decoded from the table of instructions.

Every function takes a row of the table, which :mod:`apical.golden.executors.compiled.executor`
writes; the columns are named here.  The arithmetic is that of :mod:`apical.golden.executors.rows`.
"""

from __future__ import annotations

import numpy as np

from ...numbers.addressed import draw_key
from .. import rows
from ..rows import DRAWS, PREDICTION

#: Columns of everything that writes a vector: its place, size and number, what clips it, and place
#: and number of the rate that follows from it (place -1: none).
INTO, SIZE, NUMBER, LOW, HIGH, RATE, RATE_NUMBER = range(1, 8)
#: Further columns of `Update`; places are -1 where there is nothing, noise without draws as well.
CURRENT, LEAK, DROP, TARGET, PULLED, PULL, DRAWN, HELD, GATE, NOISE = range(8, 18)
#: Of `Sample`, and of `FlowRate` and `Residual`, after CURRENT.
MODE = STATE = 9
SHARE = 10
#: Of copies and differences: places of the operands.
FIRST, SECOND = 8, 9


def _vector(state, at, size):
    """A vector of the flat state; empty where its place is -1."""
    return state[at:at + (size if at >= 0 else 0)]


def _finish(op, state, values, wanted, tables, numbers, key, count):
    """Write the vector of an operation and its rate; returns the largest move."""
    size = op[SIZE]
    moved = rows.write(values, wanted, op[LOW], op[HIGH], key, op[NUMBER], count)
    if op[RATE] >= 0:
        rows.rates(wanted, values, tables, numbers)
        rows.write(_vector(state, op[RATE], size), wanted, numbers.low, numbers.high, key,
                   op[RATE_NUMBER], count)
    return moved


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


def update(op, state, sums, beta, tables, numbers, key, count, scratch, words):
    """`Update`; returns the largest move."""
    size, wanted = op[SIZE], scratch[:op[SIZE]]
    pull = op[PULL] * beta if op[DRAWN] else op[PULL]
    values = state[op[INTO]:op[INTO] + size]
    rows.update(wanted, values, sums[op[CURRENT]:op[CURRENT] + size],
                _vector(state, op[HELD], size), _vector(state, op[TARGET], size),
                _vector(state, op[PULLED], size), pull, op[GATE], op[LEAK], op[DROP], tables,
                numbers)
    if op[NOISE] >= 0:
        rows.add_noise(wanted, op[NOISE], draw_key(key, count[DRAWS]), words)
        count[DRAWS] += 1
    return _finish(op, state, values, wanted, tables, numbers, key, count)


def sample(op, state, sums, tables, numbers, key, count, scratch, words):
    """`Sample`; returns the largest move."""
    size, wanted = op[SIZE], scratch[:op[SIZE]]
    rows.sample(wanted, sums[op[CURRENT]:op[CURRENT] + size], op[MODE],
                draw_key(key, count[DRAWS]), words, tables, numbers)
    count[DRAWS] += op[MODE] == rows.SAMPLE
    return _finish(op, state, state[op[INTO]:op[INTO] + size], wanted, tables, numbers, key, count)


def flow_rate(op, state, sums, tables, numbers, key, count, scratch):
    """`FlowRate`."""
    size, wanted = op[SIZE], scratch[:op[SIZE]]
    rows.flow_rate(wanted, _vector(state, op[STATE], size),
                   sums[op[CURRENT]:op[CURRENT] + size], tables, numbers)
    _finish(op, state, state[op[INTO]:op[INTO] + size], wanted, tables, numbers, key, count)


def residual(op, state, sums, tables, numbers, key, count, scratch):
    """`Residual`."""
    size, wanted = op[SIZE], scratch[:op[SIZE]]
    rows.residuals(wanted, _vector(state, op[STATE], size),
                   sums[op[CURRENT]:op[CURRENT] + size], op[SHARE], numbers)
    _finish(op, state, state[op[INTO]:op[INTO] + size], wanted, tables, numbers, key, count)


def move(op, state, tables, numbers, key, count, scratch):
    """Clear, copy or subtract: ``into = a - b``; the place of an absent operand is -1."""
    size, wanted = op[SIZE], scratch[:op[SIZE]]
    rows.difference(wanted, _vector(state, op[FIRST], size), _vector(state, op[SECOND], size))
    _finish(op, state, state[op[INTO]:op[INTO] + size], wanted, tables, numbers, key, count)


def decide(op, state, count):
    """`Decide`: first and size in the first columns."""
    first, size = op[1], op[2]
    best = 0
    for i in range(1, size):
        if state[first + i] > state[first + best]:
            best = i
    count[PREDICTION] = best
