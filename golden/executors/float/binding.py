"""Programs bound to buffers: each operation as a function without arguments.

This is the inside of the float executor (:mod:`apical.golden.executors.float.executor`): everything
that can be decided before the numbers are known is decided here, once for a program and a batch
size.
"""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np

from ...numbers.noise import Noise
from ...program import (
    RATE,
    STATE,
    FlowRate,
    Relax,
    Sample,
    accumulators,
    handler_of,
    vectors,
    walk,
)
from . import states as binding_states
from . import weights as binding_weights
from .stochastic import bind_flow_rate, bind_sample


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
        # Stored rates are those of `rate` below.
        self.vectors = {key: np.zeros((rows, size[key[0]]), dtype)
                        for key in vectors(self.network, program) if key[1] != RATE}
        self.sums = {key: np.zeros((rows, size[key[0]]), dtype)
                     for key in accumulators(self.network, program)}
        ops = list(walk(program.ops))
        self.predictions = (np.zeros(rows, np.int64)
                            if any(op.decides for op in ops) else None)
        self.steps = {}  # of each loop, filled while binding
        self.moved = np.zeros(rows, dtype)  # greatest |du| of the step that runs
        self.needed = program.inputs(self.network)
        self.learned = program.learned()
        #: What changes from run to run, shared with the bound programs of parts of the batch.
        self.call = whole.call if whole else SimpleNamespace(
            rates={}, sign=1, on_step=None, noise=Noise(dtype=dtype))
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
            handler = handler_of(HANDLERS, op, f"float executor ({__name__}.HANDLERS)")
            actions += handler(self, op, (*position, number), monitor)
        return actions

    def buffer(self, name, shape):
        """A scratch buffer; operations follow each other, so equal names may share it."""
        key = name, shape
        if key not in self.scratch:
            self.scratch[key] = np.zeros(shape, self.executor.dtype)
        return self.scratch[key]

    def rates(self, population):
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

    def operand(self, population, slot):
        """A vector that an operation reads: (buffer, list of actions that come before)."""
        if slot != RATE:
            return self.vectors[population, slot], []
        rate, refresh = self.rates(population)
        return rate, [refresh] if refresh else []

    def spoil(self, population, slot):
        """Actions that mark rates as out of date after a state was written."""
        if slot != STATE or population not in self.rate:
            return []
        return [lambda: self.stale.add(population)]

    def relax(self, op, position, monitor):
        """A loop as one action."""
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


def _relax(bound, op, position, monitor):
    return bound.relax(op, position, monitor)


#: What binds each operation: called as ``(bound, operation, position, monitor)``, returns functions
#: without arguments.  A new operation adds its own.
HANDLERS = {**binding_states.HANDLERS, **binding_weights.HANDLERS, Relax: _relax,
            Sample: bind_sample, FlowRate: bind_flow_rate}
