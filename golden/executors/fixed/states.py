"""Operations on states in raw integers, a batch of images at a time.

Handlers take ``(executor, operation, run, path)`` of :mod:`apical.golden.executors.fixed.executor`.
Arrays are float64 arrays of integers, except where tables and random words need integers.
"""

from __future__ import annotations

import numpy as np

from ...numbers.addressed import WORD_BITS, byte_sum, draw_key, draw_words
from ...numbers.formats import round_shift
from ...numbers.tables import HALF_EXPONENTIAL, LOGISTIC, SLOPE, look_up
from ...program import (
    FLOW_LIMIT,
    RATE,
    RATE_SHIFT,
    STATE,
    Clear,
    Decide,
    Difference,
    FlowRate,
    Project,
    Reseed,
    Residual,
    Sample,
    Snapshot,
    Update,
    stored,
)
from .check import noise_multiplier


def _sat(executor, values):
    return np.clip(values, executor.state.min, executor.state.max)


def _read(executor, run, pair):
    """A vector of the images that run; not to be written."""
    return run.states[stored(executor.network, pair)][run.rows]


def _current(op, run):
    return run.accumulators[op.population, op.current][run.rows]


def draw(run, size):
    """Random words (x, y) of the units of the images that run; raises their draw count."""
    keys = draw_key(run.keys[run.rows], run.draws[run.rows])
    run.draws[run.rows] += 1
    return draw_words(keys[:, None], np.arange(size))


def project(executor, op, run, path):
    """`Project`."""
    projection = executor.network.projection(op.projection)
    matrix = (executor._transposed if projection.transpose
              else executor._weights)[projection.matrix]
    rates = _read(executor, run, (projection.source, RATE))
    if op.shift:
        rates = np.floor(rates * 2.0 ** -op.shift)
    total = rates @ matrix
    if projection.sign < 0:
        np.negative(total, out=total)
    if op.start is not None:
        total += run.accumulators[projection.target, op.start][run.rows]
    key = projection.target, op.into
    if isinstance(run.rows, slice):
        run.accumulators[key] = total
    else:
        run.accumulators.setdefault(key, np.zeros((run.batch, total.shape[1])))
        run.accumulators[key][run.rows] = total


def update(executor, op, run, path):
    """`Update`."""
    vector = op.population, op.slot
    old, force, scale = run.states[vector][run.rows], _current(op, run), executor.weight.frac
    if op.held is not None:
        force = force - run.states[op.population, op.held][run.rows] * 2.0 ** scale
    if op.gate and op.leak and executor.network.population(op.population).rate == "logistic":
        slope = look_up(SLOPE, old, executor.state)
        current = _sat(executor, round_shift(force, scale))
        force = round_shift(slope * current, executor.state.frac) * 2.0 ** scale
    if op.leak:
        force = force - old * 2.0 ** scale
    nudge = op.nudge
    if nudge is not None:
        pulled = _read(executor, run, (op.population, RATE)) if nudge.of_rate else old
        pull = run.states[nudge.target, STATE][run.rows] - pulled
        if nudge.random_sign:
            pull *= run.signs
        force = force + pull * float(nudge.sign << scale - nudge.shift)
    values = round_shift(force, scale + op.shift)
    if op.leak:
        values = values + old
    if op.noise:
        total = byte_sum(*draw(run, old.shape[1]))
        values = values + round_shift(noise_multiplier(op, executor.state) * total, RATE_SHIFT)
    executor.write(op, run, path, vector, values)


def sample(executor, op, run, path):
    """`Sample`."""
    state = executor.state
    z = _sat(executor, round_shift(_current(op, run), executor.weight.frac))
    if op.mode == "threshold":
        values = np.where(z > 0, state.one, 0)
    else:
        values = look_up(LOGISTIC, z, state)
        if op.mode == "sample":
            y = draw(run, z.shape[1])[1] >> WORD_BITS - state.frac
            values = np.where(y < values, state.one, 0)
    executor.write(op, run, path, (op.population, STATE), values)


def flow_rate(executor, op, run, path):
    """`FlowRate`."""
    state, limit = executor.state, FLOW_LIMIT << executor.state.frac
    one = run.states[op.population, STATE][run.rows] == state.one
    current = _current(op, run)
    exponent = _sat(executor, round_shift(np.where(one, -current, current),
                                          executor.weight.frac + 1))
    size = look_up(HALF_EXPONENTIAL, np.clip(exponent, -limit, limit), state)
    executor.write(op, run, path, (op.population, op.into), np.where(one, size, -size))


def residual(executor, op, run, path):
    """`Residual`."""
    scale = executor.weight.frac
    share = run.states[op.population, STATE][run.rows] * 2.0 ** (scale - op.share)
    executor.write(op, run, path, (op.population, op.into),
                    -round_shift(_current(op, run) - share, scale))


def clear(executor, op, run, path):
    """`Clear`."""
    vector = op.population, op.slot
    executor.write(op, run, path, vector, np.zeros_like(run.states[vector][run.rows]))


def snapshot(executor, op, run, path):
    """`Snapshot`."""
    executor.write(op, run, path, (op.population, op.into),
                    _read(executor, run, (op.population, op.source)))


def difference(executor, op, run, path):
    """`Difference`."""
    a, b = (_read(executor, run, pair) for pair in op.operands)
    executor.write(op, run, path, (op.population, op.into), a - b)


def decide(executor, op, run, path):
    """`Decide`."""
    result = run.result
    if result.predictions is None:
        result.predictions = np.zeros(run.batch, np.int64)
    result.predictions[run.rows] = run.states[op.population, STATE][run.rows].argmax(axis=1)


def reseed(executor, op, run, path):
    """`Reseed`."""
    run.draws[run.rows] = op.count


HANDLERS = {Project: project, Update: update, Sample: sample, FlowRate: flow_rate,
            Residual: residual, Clear: clear, Snapshot: snapshot, Difference: difference,
            Decide: decide, Reseed: reseed}
