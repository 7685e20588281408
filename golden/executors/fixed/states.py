"""Fixed executor: operations on states in raw integers, a batch of images at a time.

Handlers take ``(executor, operation, run, path)`` of :mod:`apical.golden.executors.fixed.executor`.
`Project` is a product of float64 arrays of integers; the other arithmetic is that of
:mod:`apical.golden.executors.arithmetic`, compiled.
"""

from __future__ import annotations

import numpy as np

from ...program import (
    RATE,
    SAMPLE_MODES,
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
    noise_multiplier,
    stored,
)
from ..rows import DRAWS


def _vector(executor, run, pair):
    """A vector of all images; not to be written."""
    return run.states[stored(executor.network, pair)]


def _read(executor, run, pair):
    """A vector of the images that run; not to be written."""
    values = _vector(executor, run, pair)
    return values if run.whole else values[run.rows]


def _wanted(run, values):
    """Room for what is written, of the shape of a vector for the images that run."""
    return np.empty((len(run.rows), values.shape[1]), np.int64)


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
        start = run.accumulators[projection.target, op.start]
        total += start if run.whole else start[run.rows]
    key = projection.target, op.into
    if run.whole:
        run.accumulators[key] = total
    else:
        run.accumulators.setdefault(key, np.zeros((run.batch, total.shape[1])))
        run.accumulators[key][run.rows] = total


def update(executor, op, run, path):
    """`Update`."""
    vector, scale, nudge = (op.population, op.slot), executor.weight.frac, op.nudge
    values, none = run.states[vector], np.zeros((run.batch, 0))
    held = none if op.held is None else run.states[op.population, op.held]
    target, pulled, pull = none, values, 0
    if nudge is not None:
        target, pull = run.states[nudge.target, STATE], nudge.sign << scale - nudge.shift
        if nudge.of_rate:
            pulled = _vector(executor, run, (op.population, RATE))
    gate = op.gate and op.leak and executor.network.population(op.population).rate == "logistic"
    wanted = _wanted(run, values)
    executor.kernels.update(
        run.rows, wanted, values, run.accumulators[op.population, op.current], held, target,
        pulled, pull, nudge is not None and nudge.random_sign, gate, op.leak, scale + op.shift,
        noise_multiplier(op, executor.state) if op.noise else -1, run.keys, run.counts,
        executor.tables, executor.numbers)
    executor.write(op, run, path, vector, wanted)


def sample(executor, op, run, path):
    """`Sample`."""
    current = run.accumulators[op.population, op.current]
    wanted = _wanted(run, current)
    executor.kernels.sample(run.rows, wanted, current, SAMPLE_MODES.index(op.mode), run.keys,
                            run.counts, executor.tables, executor.numbers)
    executor.write(op, run, path, (op.population, STATE), wanted)


def flow_rate(executor, op, run, path):
    """`FlowRate`."""
    current = run.accumulators[op.population, op.current]
    wanted = _wanted(run, current)
    executor.kernels.flow_rate(run.rows, wanted, run.states[op.population, STATE], current,
                               executor.tables, executor.numbers)
    executor.write(op, run, path, (op.population, op.into), wanted)


def residual(executor, op, run, path):
    """`Residual`."""
    current = run.accumulators[op.population, op.current]
    wanted = _wanted(run, current)
    executor.kernels.residual(run.rows, wanted, run.states[op.population, STATE], current,
                              op.share, executor.numbers)
    executor.write(op, run, path, (op.population, op.into), wanted)


def clear(executor, op, run, path):
    """`Clear`."""
    vector = op.population, op.slot
    wanted = np.zeros((len(run.rows), run.states[vector].shape[1]), np.int64)
    executor.write(op, run, path, vector, wanted)


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
    run.counts[run.rows, DRAWS] = op.count


HANDLERS = {Project: project, Update: update, Sample: sample, FlowRate: flow_rate,
            Residual: residual, Clear: clear, Snapshot: snapshot, Difference: difference,
            Decide: decide, Reseed: reseed}
