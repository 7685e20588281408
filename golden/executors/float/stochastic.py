"""Binary units of the float executor: sampling and flow rates (primitives P9 and P10).

Handlers take ``(bound, operation, position, monitor)``, see
:mod:`apical.golden.executors.float.binding`, and return functions without arguments.
"""

from __future__ import annotations

import numpy as np

from ...program import FLOW_LIMIT, STATE


def bind_sample(bound, op, position, monitor):
    """`Sample`: draws, means or thresholds of binary units."""
    s, field = bound.vectors[op.population, STATE], bound.sums[op.population, op.current]
    chance, call, moved = bound.buffer("chance", s.shape), bound.call, bound.moved
    before = bound.buffer("before", s.shape) if monitor else None

    def mean(out):
        # The logistic function as a tanh never overflows.
        np.multiply(field, 0.5, out=out)
        np.tanh(out, out=out)
        np.add(out, 1, out=out)
        np.multiply(out, 0.5, out=out)

    def sample():
        if before is not None:
            np.copyto(before, s)
        if op.mode == "sample":
            mean(chance)
            np.less(call.noise.uniform(s.shape), chance, out=s)
        elif op.mode == "mean":
            mean(s)
        else:
            np.greater(field, 0, out=s)
        if before is not None:
            np.subtract(s, before, out=before)
            np.abs(before, out=before)
            np.maximum(moved, before.max(axis=1), out=moved)
    return [sample, *bound.spoil(op.population, STATE)]


def bind_flow_rate(bound, op, position, monitor):
    """`FlowRate`: ``q = (s - 1/2) exp((1/2 - s) A)``, the exponent clipped to +-6."""
    s, field = bound.vectors[op.population, STATE], bound.sums[op.population, op.current]
    q, half = bound.vectors[op.population, op.into], bound.buffer("half", s.shape)

    def flow_rate():
        np.subtract(s, 0.5, out=half)
        np.multiply(half, field, out=q)
        np.negative(q, out=q)
        np.maximum(q, -FLOW_LIMIT, out=q)
        np.minimum(q, FLOW_LIMIT, out=q)
        np.exp(q, out=q)
        np.multiply(q, half, out=q)
    return [flow_rate, *bound.spoil(op.population, op.into)]
