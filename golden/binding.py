"""Programs bound to buffers: each operation as a function without arguments.

This is the inside of the float executor (:mod:`apical.golden.floating`): everything that can be
decided before the numbers are known is decided here, once for a program and a batch size.
"""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np

from .errors import MisuseError
from .kernels import mover
from .program import (
    STATE,
    Clear,
    Decide,
    Difference,
    Learn,
    Project,
    Relax,
    Snapshot,
    Update,
    accumulators,
    describe,
    vectors,
    walk,
)

#: State vectors (batch times units) of this size and more are moved by compiled code; below it two
#: plain passes are also faster than one call of np.clip.
LARGE = 8192


class Bound:
    """A program bound to the buffers of one batch size.

    Parameters
    ----------
    executor : FloatExecutor
    program : Program
    rows : int
        Images.
    whole : Bound or None
        The larger batch that these images were taken from, while others have settled.
    images : ndarray of int64 or None
        Their numbers in it.
    """

    def __init__(self, executor, program, rows, whole=None, images=None):
        self.executor, self.network, self.program = executor, executor.network, program
        self.rows, self.whole, self.images = rows, whole, images
        dtype, size = executor.dtype, {p.name: p.size for p in self.network.populations}
        self.vectors = {key: np.zeros((rows, size[key[0]]), dtype)
                        for key in vectors(self.network, program)}
        self.sums = {key: np.zeros((rows, size[key[0]]), dtype)
                     for key in accumulators(self.network, program)}
        ops = list(walk(program.ops))
        self.predictions = (np.zeros(rows, np.int64)
                            if any(isinstance(op, Decide) for op in ops) else None)
        self.steps = {}  # of each loop, filled while binding
        self.moved = np.zeros(rows, dtype)  # greatest |du| of the step that runs
        self.needed = program.inputs(self.network)
        self.learned = [op.matrix for op in ops if isinstance(op, Learn)]
        #: What changes from run to run, shared with the bound programs of parts of the batch.
        self.call = whole.call if whole else SimpleNamespace(rates={}, sign=1, on_step=None)
        self.images_in_batch = whole.images_in_batch if whole else rows
        self.scratch = {}
        #: Rates of populations whose rate is not their state, and which of them are out of date.
        self.rate = {p.name: np.zeros((rows, p.size), dtype)
                     for p in self.network.populations if p.rate == "logistic"}
        self.stale = set(self.rate)

    def reset(self):
        """Zero all vectors; the constant 1 stays."""
        for (name, slot), values in self.vectors.items():
            values.fill(self.network.population(name).constant and slot == STATE)
        for taken in self.steps.values():
            taken.fill(0)
        self.stale.update(self.rate)

    def bind(self, ops, position=(), monitor=False):
        """Turn operations into argument-free functions over the buffers.

        Parameters
        ----------
        ops : sequence of operations
        position : tuple of int
            Position of the loop that holds them.
        monitor : bool
            Keep the greatest |du| of each image in `moved`.
        """
        actions = []
        for number, op in enumerate(ops):
            handler = self._HANDLERS.get(type(op))
            if handler is None:
                raise MisuseError(f"the float executor has no operation {describe(op)}")
            actions += handler(self, op, (*position, number), monitor)
        return actions

    def buffer(self, name, shape):
        """A scratch buffer; operations follow each other, so equal names may share it."""
        key = name, shape
        if key not in self.scratch:
            self.scratch[key] = np.zeros(shape, self.executor.dtype)
        return self.scratch[key]

    def _rates(self, population):
        """(rate buffer, function that brings it up to date or None)."""
        state = self.vectors[population, STATE]
        if population not in self.rate:
            return state, None
        rate, stale = self.rate[population], self.stale

        def refresh():
            if population in stale:
                # The logistic function as a tanh never overflows.
                np.multiply(state, 0.5, out=rate)
                np.tanh(rate, out=rate)
                np.add(rate, 1, out=rate)
                np.multiply(rate, 0.5, out=rate)
                stale.discard(population)
        return rate, refresh

    def _project(self, op, position, monitor):
        network, executor = self.network, self.executor
        projection = network.projection(op.projection)
        weights = executor.weights[projection.matrix]
        into = self.sums[projection.target, op.into]
        start = None if op.start is None else self.sums[projection.target, op.start]
        source = network.population(projection.source)
        combine = np.add if projection.sign > 0 else np.subtract
        if source.constant and source.size == 1:
            row = weights[:, 0] if projection.transpose else weights[0]
            share, origin = 2.0 ** -op.shift, 0.0 if start is None else start
            scaled = self.buffer("row", row.shape)

            def bias():
                np.multiply(row, share, out=scaled)
                combine(origin, scaled, out=into)
            return [bias]
        if projection.transpose:
            weights = executor.transposed[projection.matrix]
        rates, refresh = self._rates(projection.source)
        actions = [refresh] if refresh else []
        if start is None and projection.sign > 0:
            return [*actions, lambda: np.matmul(rates, weights, out=into)]
        product = self.buffer("product", into.shape) if start is into else into
        origin = 0.0 if start is None else start

        def project():
            np.matmul(rates, weights, out=product)
            combine(origin, product, out=into)
        return [*actions, project]

    def _update(self, op, position, monitor):
        population = self.network.population(op.population)
        u, current = self.vectors[op.population, STATE], self.sums[op.population, op.current]
        clip, nudge, call = _clipper(u, population.limits), op.nudge, self.call
        eps = 2.0 ** -op.shift
        rate, refresh = self._rates(op.population)
        gated = self.buffer("gated", u.shape) if op.gate and op.leak and refresh else None
        if nudge is not None:
            target, beta = self.vectors[nudge.target, STATE], nudge.sign * 2.0 ** -nudge.shift
            pull = self.buffer("pull", u.shape)
        before = self.buffer("before", u.shape) if monitor else None
        moved = self.moved
        actions = [refresh] if gated is not None else []

        def plain():
            # u + eps (A - u + beta (d - u)) = eps (A + beta d + keep u)
            keep = 1 / eps - 1 if op.leak else 0.0
            if nudge is not None:
                strength = beta * call.sign if nudge.random_sign else beta
                np.multiply(target, strength, out=pull)
                keep -= strength
            force = current
            if gated is not None:  # rho' = r (1 - r)
                np.subtract(1, rate, out=gated)
                np.multiply(gated, rate, out=gated)
                np.multiply(gated, current, out=gated)
                force = gated
            if keep == 0:
                np.copyto(u, force)
            else:
                if keep != 1:
                    np.multiply(u, keep, out=u)
                np.add(u, force, out=u)
            if nudge is not None:
                np.add(u, pull, out=u)
            if eps != 1:
                np.multiply(u, eps, out=u)
            clip()

        move = None
        if (u.size >= LARGE and op.leak and gated is nudge is None and population.limits
                and u.dtype.name in ("float32", "float64")):
            move = mover(u.dtype.name)
            scalars = [u.dtype.type(v) for v in (1 / eps - 1, eps, *population.limits)]

        def update():
            if before is not None:
                np.copyto(before, u)
            if move is not None:
                move(u, current, *scalars)
            else:
                plain()
            if before is not None:
                np.subtract(u, before, out=before)
                np.abs(before, out=before)
                np.maximum(moved, before.max(axis=1), out=moved)
        return [*actions, update, *self._spoil(op.population, STATE)]

    def _spoil(self, population, slot):
        """Actions that mark rates as out of date after a state was written."""
        if slot != STATE or population not in self.rate:
            return []
        return [lambda: self.stale.add(population)]

    def _clear(self, op, position, monitor):
        vector = self.vectors[op.population, op.slot]
        return [lambda: vector.fill(0), *self._spoil(op.population, op.slot)]

    def _snapshot(self, op, position, monitor):
        into, source = self.vectors[op.population, op.into], self.vectors[op.population, op.source]
        return [lambda: np.copyto(into, source), *self._spoil(op.population, op.into)]

    def _difference(self, op, position, monitor):
        into, (a, b) = self.vectors[op.population, op.into], map(self.vectors.get, op.operands)
        return [lambda: np.subtract(a, b, out=into), *self._spoil(op.population, op.into)]

    def _decide(self, op, position, monitor):
        state, predictions = self.vectors[op.population, STATE], self.predictions
        return [lambda: np.argmax(state, axis=1, out=predictions)]

    def _learn(self, op, position, monitor):
        executor, call, images = self.executor, self.call, self.images_in_batch
        weights = executor.weights[op.matrix]
        change = self.buffer("change", weights.shape)
        terms = [(self.vectors[t.rows].T, self.vectors[t.cols], t.sign,
                  self.buffer("scaled", self.vectors[t.cols].shape)) for t in op.terms]

        def learn():
            rate = call.rates[op.matrix] / images
            if op.by_sign:
                rate *= call.sign
            for rows, cols, sign, scaled in terms:
                # The rate goes onto the small factor, not onto the product.
                np.multiply(cols, sign * rate, out=scaled)
                np.matmul(rows, scaled, out=change)
                np.add(weights, change, out=weights)
            executor.refresh(op.matrix)
        return [learn]

    def _relax(self, op, position, monitor):
        steps = self.steps.setdefault(position, np.zeros(self.rows, np.int64))
        if op.settled is not None:
            body = self.bind(op.body, position, monitor=True)
            return [lambda: self._until_settled(op, body, position)]
        body, call = self.bind(op.body, position, monitor), self.call

        def relax():
            if call.on_step is not None:
                self.report(position, 0)
            for step in range(op.steps):
                for action in body:
                    action()
                if call.on_step is not None:
                    self.report(position, step + 1)
            np.add(steps, op.steps, out=steps)
        return [relax]

    def _until_settled(self, op, body, position):
        """Early stop: images that have settled freeze, the others go on as a smaller batch."""
        outer = self.moved.copy()
        active, part, call = np.arange(self.rows), self, self.call
        if call.on_step is not None:
            self.report(position, 0)
        for step in range(op.steps):
            if not active.size:
                break
            part.moved.fill(0)
            for action in body:
                action()
            part.steps[position] += 1
            if call.on_step is not None:
                part.report(position, step + 1)
            going = part.moved > op.settled
            if going.all():
                continue
            part.put_back()
            active = active[going]
            part = self._take(active)
            body = part.bind(op.body, position, monitor=True)
        part.put_back()
        self.moved[:] = outer

    def _take(self, images):
        part = Bound(self.executor, self.program, len(images), self, images)
        for mine, theirs in self._shared(part):
            theirs[...] = mine[images]
        for position, taken in self.steps.items():
            part.steps[position] = taken[images]
        return part

    def put_back(self):
        """Write a part of a batch back to where it was taken from."""
        if self.whole is not None:
            for theirs, mine in self.whole._shared(self):
                theirs[self.images] = mine
            for position, taken in self.steps.items():
                self.whole.steps[position][self.images] = taken
            self.whole.stale.update(self.rate)

    def _shared(self, other):
        """Pairs of corresponding arrays of a batch and a part of it."""
        for name in ("vectors", "sums"):
            for key, values in getattr(self, name).items():
                yield values, getattr(other, name)[key]
        if self.predictions is not None:
            yield self.predictions, other.predictions

    def report(self, position, step):
        """Hand the states of the whole batch to the observer."""
        if self.whole is not None:
            self.put_back()
            self.whole.report(position, step)
        else:
            self.call.on_step(position, step, self.vectors)

    _HANDLERS = {Project: _project, Update: _update, Clear: _clear, Snapshot: _snapshot,
                 Difference: _difference, Decide: _decide, Learn: _learn, Relax: _relax}


def _clipper(u, limits):
    """Function that clips a state vector into its range, in place."""
    if limits is None:
        return lambda: None
    low, high = limits
    if u.size >= LARGE:
        return lambda: np.clip(u, low, high, out=u)

    def clip():
        np.maximum(u, low, out=u)
        np.minimum(u, high, out=u)
    return clip
