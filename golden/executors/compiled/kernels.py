"""Compiled road: one function that interprets a table of instructions.

The table is written by :mod:`apical.golden.executors.compiled.executor`.  Everything is integers;
loops run over whole rows so that the compiler vectorizes them.  Numba is imported with this module,
which is imported on first use.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np

from . import mixing as online_mixing
from . import states as online_states
from . import weights as online_learning
from .kept import njit_kept
from .mixing import DRAWS, STEPS
from .states import decide, flow_rate, move, project, residual, sample, update
from .weights import learn

#: Operation numbers of the table.
(PROJECT, UPDATE, SAMPLE, FLOW_RATE, RESIDUAL, MOVE, DECIDE, RESEED, BEGIN, END,
 LEARN) = range(11)

_PARTS = (online_learning, online_mixing, online_states)


def _digest():
    """Number of the sources of all parts: a changed part must not meet code that was kept."""
    sources = b"".join(Path(part.__file__).read_bytes() for part in _PARTS)
    return int.from_bytes(hashlib.sha256(sources).digest()[:6], "little")


def _compiled(sources):
    # Numba keeps compiled code by this file and by what the function closes over, not by the
    # other files it calls; hence the number.
    @njit_kept
    def run_images(code, terms, numbers, tables, start, state, sums, weights, inputs, inputs_at,
                   keys, counts, kept, places, scratch, totals):
        """Run a program on images, one after the other, each with the weights the last one left.

        Parameters
        ----------
        code : ndarray of shape (instructions, columns), int64
        terms : ndarray of shape (terms, 5), int64
            Of weight updates: row factor, column factor, scaled factor, its vector number, sign.
        numbers : ndarray of int64
            As named in :mod:`apical.golden.executors.compiled.states`.
        tables : ndarray of shape (3, samples), int32
        start : ndarray of int32
            State of all vectors before an image, without inputs.
        state, sums, weights : ndarray of int32, int64, int32
            Working storage; `weights` are changed by learning.
        inputs : ndarray of shape (images, n), int32
        inputs_at : ndarray of shape (n,), int64
            Place of each input value in `state`.
        keys : ndarray of shape (images,), int64
            Image keys.
        counts : ndarray of shape (images, 7), int64
            Results, see the column names of :mod:`apical.golden.executors.compiled.mixing`.
        kept : ndarray of shape (images or 0, len(state)), int32
            Takes the last states of each image, when it has rows.
        places, scratch, totals : ndarray
            Scratch of as many columns n as the widest matrix or population: int64, (4, n) uint32,
            (7, n) int64.
        """
        left, moved = np.zeros(8, np.int64), np.int64(sources) * 0
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
                    project(op, state, sums, weights)
                elif kind == UPDATE:
                    moved = max(moved, update(op, state, sums, beta, tables, numbers, key, count,
                                              scratch, totals))
                elif kind == SAMPLE:
                    moved = max(moved, sample(op, state, sums, tables, numbers, key, count,
                                              scratch))
                elif kind == FLOW_RATE:
                    flow_rate(op, state, sums, tables, numbers, key, count)
                elif kind == RESIDUAL:
                    residual(op, state, sums, tables, numbers, key, count)
                elif kind == MOVE:
                    move(op, state, tables, numbers, key, count)
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
                    learn(op, terms, state, weights, beta, key, count, places, scratch, totals)
            if len(kept):
                for i in range(len(start)):
                    kept[image, i] = state[i]

    return run_images


run_images = _compiled(_digest())
