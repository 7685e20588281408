"""Operations on weights, bound to buffers: projections and weight updates.

Handlers take ``(bound, operation, position, monitor)``, see
:mod:`apical.golden.executors.float.binding`, and return functions without arguments.
"""

from __future__ import annotations

import numpy as np

from ...program import Learn, Project


def _project(bound, op, position, monitor):
    network, executor = bound.network, bound.executor
    projection = network.projection(op.projection)
    weights = executor.weights[projection.matrix]
    into = bound.sums[projection.target, op.into]
    start = None if op.start is None else bound.sums[projection.target, op.start]
    source = network.population(projection.source)
    combine = np.add if projection.sign > 0 else np.subtract
    if source.constant and source.size == 1:
        row = weights[:, 0] if projection.transpose else weights[0]
        share, origin = 2.0 ** -op.shift, 0.0 if start is None else start
        scaled = bound.buffer("row", row.shape)

        def bias():
            np.multiply(row, share, out=scaled)
            combine(origin, scaled, out=into)
        return [bias]
    if projection.transpose:
        weights = executor.transposed[projection.matrix]
    rates, refresh = bound.rates(projection.source)
    actions = [refresh] if refresh else []
    if start is None and projection.sign > 0:
        return [*actions, lambda: np.matmul(rates, weights, out=into)]
    product = bound.buffer("product", into.shape) if start is into else into
    origin = 0.0 if start is None else start

    def project():
        np.matmul(rates, weights, out=product)
        combine(origin, product, out=into)
    return [*actions, project]


def _learn(bound, op, position, monitor):
    executor, call, images = bound.executor, bound.call, bound.images_in_batch
    weights = executor.weights[op.matrix]
    change = bound.buffer("change", weights.shape)
    actions, terms = [], []
    for term in op.terms:
        (rows, first), (cols, second) = bound.operand(*term.rows), bound.operand(*term.cols)
        actions += first + second
        terms.append((rows, cols, term.sign, bound.buffer("scaled", cols.shape)))
    presynaptic = terms[0][0]

    def learn():
        rate = call.rates[op.matrix] / images
        if op.by_sign:
            rate *= call.sign
        if op.normalize:
            length = np.vdot(presynaptic, presynaptic) / images
            rate = rate / length if length else 0.0
        for rows, cols, sign, scaled in terms:
            # The rate goes onto the small factor, not onto the product.
            np.multiply(cols, sign * rate, out=scaled)
            np.matmul(rows.T, scaled, out=change)
            np.add(weights, change, out=weights)
        executor.refresh(op.matrix)
    return [*actions, learn]


HANDLERS = {Project: _project, Learn: _learn}
