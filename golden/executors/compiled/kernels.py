"""Compiled executor: one function that interprets a table of instructions.

The table is written by :mod:`apical.golden.executors.compiled.executor`.  Everything is integers.
Numba is imported with this module, which is imported on first use.
"""

from __future__ import annotations

import numpy as np

from ...numbers.compiling import compiled
from .. import arithmetic, rows
from ..arithmetic import beta_sign
from ..rows import DRAWS, STEPS
from . import states, weights
from .states import decide, flow_rate, move, project, residual, sample, update
from .weights import learn

#: Operation numbers of the table.
(PROJECT, UPDATE, SAMPLE, FLOW_RATE, RESIDUAL, MOVE, DECIDE, RESEED, BEGIN, END,
 LEARN) = range(11)


@compiled(arithmetic, rows, states, weights)
def run_images(code, terms, numbers, tables, start, state, sums, weights, inputs, inputs_at,
               keys, counts, kept, scratch):
    """Run a program on images, one after the other, each with the weights the last one left.

    Parameters
    ----------
    code : ndarray of shape (instructions, columns), int64
    terms : ndarray of shape (terms, 5), int64
        Of weight updates, see :mod:`apical.golden.executors.compiled.weights`.
    numbers : Numbers
    tables : ndarray of shape (tables, samples), int64
    start : ndarray of int32
        State of all vectors before an image, without inputs.
    state, sums, weights : ndarray of int32, int64, int32
        Working storage; `weights` are changed by learning.
    inputs : ndarray of shape (images, n), int32
    inputs_at : ndarray of shape (n,), int64
        Place of each input value in `state`.
    keys : ndarray of shape (images,), int64
        Image keys.
    counts : ndarray of shape (images, columns), int64
        Results, see the column names of :mod:`apical.golden.executors.rows`.
    kept : ndarray of shape (images or 0, len(state)), int32
        Takes the last states of each image, when it has rows.
    scratch : ndarray of shape (7 + terms, n), int64
        Of as many columns n as the widest matrix or population.
    """
    left, moved = np.zeros(8, np.int64), np.int64(0)
    for image in range(len(keys)):
        key, count = keys[image], counts[image]
        beta, row, words = beta_sign(key), scratch[0], scratch[1:3]
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
                project(op, state, sums, weights)
            elif kind == UPDATE:
                moved = max(moved, update(op, state, sums, beta, tables, numbers, key, count,
                                          row, words))
            elif kind == SAMPLE:
                moved = max(moved, sample(op, state, sums, tables, numbers, key, count, row,
                                          words))
            elif kind == FLOW_RATE:
                flow_rate(op, state, sums, tables, numbers, key, count, row)
            elif kind == RESIDUAL:
                residual(op, state, sums, tables, numbers, key, count, row)
            elif kind == MOVE:
                move(op, state, tables, numbers, key, count, row)
            elif kind == DECIDE:
                decide(op, state, count)
            elif kind == RESEED:
                count[DRAWS] = op[1]
            elif kind == BEGIN:
                left[op[1]] = op[2]
                if op[4]:
                    moved = np.int64(0)
                if op[2] == 0:
                    at = op[3]
            elif kind == END:
                count[STEPS] += 1
                left[op[1]] -= 1
                # A loop until settled goes on while a step moved something by more than that.
                if left[op[1]] > 0 and not (op[4] and moved <= op[3]):
                    at = op[2]
                if op[4]:
                    moved = np.int64(0)
            elif kind == LEARN:
                learn(op, terms, state, weights, beta, key, count, scratch)
        if len(kept):
            for i in range(len(start)):
                kept[image, i] = state[i]
