"""Weight updates of the fixed executor, and the numbers that decide them.

The arithmetic is that of :class:`~apical.golden.program.Learn`; the compiled executor and the host
of an engine take the same multipliers from here.
"""

from __future__ import annotations

import math

import numpy as np

from ...errors import MisuseError
from ...network import Network
from ...numbers.addressed import DRAW, mix_key, mix_weight, mix_written
from ...numbers.formats import Format
from ...program import RATE_SHIFT, SCALED, Program, describe, stored, vectors, walk
from ..arithmetic import beta_sign, rounded_weight, scaled

#: Largest multiplier: a 16-bit word with the sign of beta.
MULTIPLIER_MAX = 32767
#: First number of matrices in operation keys; those of vectors lie below.
MATRIX_NUMBER = 128
#: Most bits that stochastic rounding discards.
DROP_BITS = 32


def _rate_shift(state, weight, update_frac):
    return RATE_SHIFT + update_frac + weight.frac - state.frac


def greatest_rate(state: Format, weight: Format, update_frac: int) -> float:
    """The largest learning rate that has a multiplier."""
    return math.ldexp(MULTIPLIER_MAX, -_rate_shift(state, weight, update_frac))


def rate_multiplier(rate, state: Format, weight: Format, update_frac: int, what="rate") -> int:
    """A learning rate as the multiplier m of `Learn`, rounded half up.

    Raises
    ------
    MisuseError
        For a rate that is negative, not finite or too large.
    """
    shift = _rate_shift(state, weight, update_frac)
    if not (isinstance(rate, int | float | np.number) and 0 <= rate < math.inf):
        raise MisuseError(f"{what} is {rate}; it must be a number of at least 0")
    multiplier = math.floor(math.ldexp(float(rate), shift) + 0.5)
    if multiplier > MULTIPLIER_MAX:
        largest = greatest_rate(state, weight, update_frac)
        raise MisuseError(f"{what} {rate:g} needs the multiplier {multiplier}, the largest is "
                          f"{MULTIPLIER_MAX} (rate {largest:.4g}): use a smaller rate or "
                          "beta_shift, fewer weight fraction bits or a smaller update_frac")
    return multiplier


def multipliers(program: Program, rates, state: Format, weight: Format, update_frac: int) -> dict:
    """Multiplier of each matrix that a program learns, from rates by matrix."""
    found = {}
    for matrix in program.learned():
        if rates is None or matrix not in rates:
            raise MisuseError(f"program '{program.name}' learns matrix '{matrix}', for which no "
                              "rate is given")
        found[matrix] = rate_multiplier(rates[matrix], state, weight, update_frac,
                                        f"rate of matrix '{matrix}'")
    return found


def check_learning(network: Network, program: Program, state: Format, update_frac: int):
    """Raise `MisuseError` for weight updates that raw integers cannot do."""
    for what, count, most in (
            ("vectors", len(vectors(network, program)), MATRIX_NUMBER),
            ("matrices", len(network.matrices), DRAW - MATRIX_NUMBER)):
        if count > most:
            raise MisuseError(f"program '{program.name}' has {count} {what}, at most {most} can "
                              "be numbered")
    learned = [learn for op in walk(program.ops) for learn in op.learns()]
    if not learned:
        return
    bits = state.frac + update_frac
    if update_frac < 0 or not 1 <= bits <= DROP_BITS:
        raise MisuseError(f"update_frac {update_frac} and {state.frac} state fraction bits make "
                          f"{bits} bits of rounding; 1..{DROP_BITS} can be discarded")
    for op in learned:
        where = f"program '{program.name}', {describe(op)}"
        if op.normalize:
            raise MisuseError(f"{where}: normalized rates divide and run in floating point only")
        if len(op.terms) > len(SCALED):
            raise MisuseError(f"{where}: {len(op.terms)} terms, at most {len(SCALED)} have slots")


def learn(executor, op, run, path):
    """Run one `Learn` for the one image of ``run.rows``."""
    image = int(run.rows[0])
    multiplier = run.multipliers[op.matrix]
    if op.by_sign:
        multiplier *= int(beta_sign(run.keys[image]))
    for term, slot in zip(op.terms, SCALED):
        cols = run.states[stored(executor.network, term.cols)][run.rows].astype(np.int64)
        executor.write(op, run, path, (term.cols[0], slot), scaled(multiplier, cols))
    weights = executor._weights[op.matrix]
    rows = [run.states[stored(executor.network, term.rows)][image].astype(np.int64)
            for term in op.terms]
    factors = [run.states[term.cols[0], slot][image].astype(np.int64)
               for term, slot in zip(op.terms, SCALED)]
    active = np.flatnonzero(np.any(rows, axis=0))
    total = np.zeros((len(active), weights.shape[1]), np.int64)
    touched = np.zeros(total.shape, bool)
    for term, row, col in zip(op.terms, rows, factors):
        total += term.sign * row[active, None] * col
        touched |= (row[active, None] != 0) & (col != 0)
    _write_weights(executor, op, run, path, image, active, total, touched)


def _write_weights(executor, op, run, path, image, active, total, touched):
    """Add rounded totals to the weights `touched` of the rows `active` of a matrix."""
    result, weights = run.result, executor._weights[op.matrix]
    number = MATRIX_NUMBER + executor.matrix_number[op.matrix]
    count = int(result.operations[image])
    key = int(mix_key(int(run.keys[image]), count << 8 | number))
    at, cols = np.nonzero(touched)
    rows, total = active[at], total[at, cols]
    x, y = mix_weight(key, rows, cols)
    wanted = rounded_weight(weights[rows, cols].astype(np.int64), total, y,
                            executor.state.frac + executor.update_frac)
    values = np.clip(wanted, executor.weight.min, executor.weight.max)
    weights[rows, cols] = values
    result.operations[image] += 1
    result.writes[image] += len(values)
    result.saturations[image] += np.count_nonzero(values != wanted)
    result.signatures[image] += int(mix_written(x, y, values).sum())
    result.signatures[image] &= 0xFFFFFFFF
    if result.trace is not None:
        result.trace.append_weights(path, op, number, op.matrix, image, count, rows, cols, values)
