"""Fixed executor: a program on raw integers, rounding exactly where the gateware rounds.

This is the reference that gateware, simulation and boards are compared with, bit for bit.  It knows
nothing of them.

Raw integers are held in float64 arrays so that products run in BLAS: every product and partial sum
is an integer below 2**53, proven from the formats by :mod:`apical.golden.numbers.bounds` before a
program runs, so the result does not depend on summation order, blocking or threads.  All other
arithmetic is that of :mod:`apical.golden.executors.arithmetic`, which the compiled executor
(:mod:`apical.golden.executors.compiled.executor`) shares.

A program that learns runs image by image, since the weights change between them; the compiled
executor does the same, to the bit, much faster.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass, field

import numpy as np

from ...errors import MisuseError
from ...network import Network
from ...numbers.addressed import mix_key
from ...numbers.bounds import state_limits
from ...numbers.formats import STATE as STATE_FORMAT
from ...numbers.formats import WEIGHT as WEIGHT_FORMAT
from ...numbers.formats import Format
from ...numbers.tables import all_samples
from ...program import (
    RATE,
    STATE,
    UPDATE_FRAC,
    Learn,
    Program,
    Relax,
    handler_of,
    vectors,
    walk,
)
from ..arithmetic import Numbers
from ..rows import COUNTS, SIGNATURE, STEPS
from ..trace import Trace
from . import states as fixed_states
from .check import check_fixed
from .weights import learn, multipliers


@dataclass
class FixedResult:
    """Results of a run; every array has one entry for each image.

    Attributes
    ----------
    states : dict of (population, slot) to ndarray of shape (batch, n), int64
        Raw values of the state format.
    predictions : ndarray of shape (batch,), int64, or None
        Class by `Decide`; None when the program has none.
    steps : ndarray of shape (batch,), int64
        Relaxation steps taken, all loops together.
    operations : ndarray of shape (batch,), int64
        Operations that write states or weights.
    writes : ndarray of shape (batch,), int64
        Scalar values written, states and weights.
    saturations : ndarray of shape (batch,), int64
        Values that were clipped when written.
    signatures : ndarray of shape (batch,), int64
        Signature of all writes, modulo 2**32.
    trace : Trace or None
        Every write, when recorded.
    """

    states: dict
    predictions: np.ndarray | None
    steps: np.ndarray
    operations: np.ndarray
    writes: np.ndarray
    saturations: np.ndarray
    signatures: np.ndarray
    trace: Trace | None = None


_NOT_WATCHED = np.zeros(0, np.int64)


@dataclass
class _Run:
    """Working storage of one batch."""

    batch: int
    keys: np.ndarray
    vector_number: dict
    states: dict
    result: FixedResult
    #: Counts of each image, with the columns of :mod:`apical.golden.executors.rows`; those of the
    #: result are views of it.
    counts: np.ndarray
    #: Indices of the images that still run.
    rows: np.ndarray
    #: Multiplier of each matrix that is learned.
    multipliers: dict = field(default_factory=dict)
    accumulators: dict = field(default_factory=dict)
    #: Largest move of the step, by image; without elements outside early-stopping loops.
    moved: np.ndarray = field(default_factory=lambda: _NOT_WATCHED)

    @property
    def whole(self) -> bool:
        """Whether all images run."""
        return len(self.rows) == self.batch


class FixedExecutor:
    """Runs programs on raw integers.

    Parameters
    ----------
    network : Network
    weights : dict of str to ndarray of int64
        Raw weights by matrix name.
    state, weight : Format
    update_frac : int
        Fraction bits of a weight's last place that scaled factors keep, see
        :class:`~apical.golden.program.Learn`.

    Raises
    ------
    MisuseError
        For missing weights, wrong shapes, weights outside the format.
    """

    def __init__(self, network: Network, weights, state: Format = STATE_FORMAT,
                 weight: Format = WEIGHT_FORMAT, update_frac: int = UPDATE_FRAC):
        network.check_weights(weights)
        self.network, self.state, self.weight = network, state, weight
        self.update_frac = update_frac
        self.matrix_number = {m.name: i for i, m in enumerate(network.matrices)}
        self.numbers, self.tables = Numbers.of(state, weight), all_samples(state)
        self._weights = {}
        for matrix in network.matrices:
            raw = np.asarray(weights[matrix.name])
            if not np.issubdtype(raw.dtype, np.integer):
                raise MisuseError(f"weights of matrix '{matrix.name}' are {raw.dtype}, not raw "
                                  "integers; quantize them first")
            if raw.min() < weight.min or raw.max() > weight.max:
                worst = int(raw.flat[np.abs(raw).argmax()])
                raise MisuseError(f"raw weight {worst} of matrix '{matrix.name}' is outside format "
                                  f"{weight} ({weight.min}..{weight.max})")
            self._weights[matrix.name] = raw.astype(np.float64)
        # Views: learning changes both at once, and BLAS takes either order.
        self._transposed = {name: w.T for name, w in self._weights.items()}

    @functools.cached_property
    def kernels(self):
        """The compiled functions; Numba is imported on first use."""
        from . import kernels
        return kernels

    @property
    def weights(self) -> dict:
        """Copies of the present raw weights: dict of str to ndarray of int64."""
        return {name: values.astype(np.int64) for name, values in self._weights.items()}

    def run(self, program: Program, inputs, seed=0, first_image=0, record=False,
            rates=None) -> FixedResult:
        """Run a program on a batch of images; one that learns takes them one by one, in order.

        Parameters
        ----------
        program : Program
        inputs : dict of str to ndarray of shape (batch, n), int
            Raw states of the clamped populations the program reads.
        seed : int
            32 bits; enters the signature (and random words).
        first_image : int
            Number of the first image, counted since the start of a session; image ``b`` of the
            batch is number ``first_image + b``.
        record : bool
            Keep every write in ``result.trace``.
        rates : dict of str to float, optional
            Learning rate of each matrix that the program learns.
        """
        self.check(program)
        run = self._prepare(program, inputs, seed, first_image, record)
        run.multipliers = multipliers(program, rates, self.state, self.weight, self.update_frac)
        parts = [run.rows]
        if run.multipliers and run.batch > 1:
            parts = np.split(run.rows, run.batch)
        with np.errstate(all="raise"):
            for part in parts:
                run.rows = part
                self._execute(program.ops, run, ())
        result = run.result
        result.states = {key: value.astype(np.int64) for key, value in run.states.items()}
        result.steps, result.operations, result.writes, result.saturations, result.signatures = \
            run.counts.T[STEPS:SIGNATURE + 1].copy()
        return result

    def check(self, program: Program):
        """Raise `MisuseError` for the first operation that cannot run here."""
        program.check(self.network)
        for op in walk(program.ops):
            handler_of(self.handlers, op, self.table)
        check_fixed(self.network, program, self.state, self.weight, self.update_frac)

    def _given(self, program, inputs):
        """Checked inputs as arrays by population, and the number of images."""
        given = {name: np.asarray(values) for name, values in inputs.items()}
        for name in program.inputs(self.network):
            if name not in given:
                raise MisuseError(f"program '{program.name}' reads population '{name}', "
                                  "for which no input is given")
            self._check_input(name, given[name])
        sizes = {values.shape[0] for values in given.values()} or {1}
        if len(sizes) > 1:
            raise MisuseError(f"inputs have different numbers of images: {sorted(sizes)}")
        return given, sizes.pop()

    def _prepare(self, program, inputs, seed, first_image, record):
        given, batch = self._given(program, inputs)
        needed = program.inputs(self.network)
        numbers = vectors(self.network, program)
        states = {}
        for name, slot in numbers:
            population = self.network.population(name)
            value = np.zeros((batch, population.size))
            if slot == STATE and name in needed:
                value[:] = given[name]
            elif slot == STATE and population.constant:
                value[:] = self.state.one
            states[name, slot] = value
        image = np.arange(first_image, first_image + batch, dtype=np.int64)
        counts = np.zeros((batch, len(COUNTS)), np.int64)
        result = FixedResult({}, None, *counts.T[STEPS:SIGNATURE + 1],
                             Trace(batch) if record else None)
        return _Run(batch, mix_key(np.int64(seed), image), {v: i for i, v in enumerate(numbers)},
                    states, result, counts, np.arange(batch))

    def _check_input(self, name, values):
        population = self.network.population(name)
        if values.ndim != 2 or values.shape[1] != population.size:
            raise MisuseError(f"input of '{name}' has shape {values.shape}, "
                              f"expected (images, {population.size})")
        if not np.issubdtype(values.dtype, np.integer):
            raise MisuseError(f"input of '{name}' is {values.dtype}, not raw integers; "
                              "quantize it first")
        low, high = state_limits(population, self.state)
        if values.size and (values.min() < low or values.max() > high):
            at = np.argwhere((values < low) | (values > high))[0]
            raise MisuseError(f"input of '{name}' has raw value {values[tuple(at)]} in image "
                              f"{at[0]}, unit {at[1]}; its range is {low}..{high}")

    def _execute(self, ops, run, path):
        for position, op in enumerate(ops):
            self.handlers[type(op)](self, op, run, (*path, position))

    def _relax(self, op, run, path):
        if op.settled is None:
            for step in range(op.steps):
                self._execute(op.body, run, (*path, step))
                run.result.steps[run.rows] += 1
            return
        outer_rows, outer_moved = run.rows, run.moved
        threshold = np.floor(op.settled * 2.0 ** self.state.frac)
        for step in range(op.steps):
            if not run.rows.size:
                break
            run.moved = np.zeros(run.batch, np.int64)
            self._execute(op.body, run, (*path, step))
            run.result.steps[run.rows] += 1
            run.rows = run.rows[run.moved[run.rows] > threshold]
        run.rows, run.moved = outer_rows, outer_moved

    def write(self, op, run, path, vector, values):
        """Clip, count, sign and store a vector of the images that run, then its rate.

        Parameters
        ----------
        op, run, path
            As handlers take them.
        vector : (population, slot)
        values : ndarray of shape (images that run, n)
            Integers of any type; an ``int64`` array is clipped in place.
        """
        wanted = np.ascontiguousarray(values, np.int64)
        target, number = run.states[vector], run.vector_number[vector]
        watched = op.moves and vector[1] != RATE
        before = run.result.operations[run.rows] if run.result.trace is not None else None
        self.kernels.write(run.rows, wanted, target, *self._limits(*vector), run.keys, number,
                           run.counts, run.moved if watched else _NOT_WATCHED)
        if run.result.trace is not None:
            run.result.trace.append(path, op, number, vector, run.rows, before, wanted)
        if vector[1] == STATE and (vector[0], RATE) in run.states:
            rates = np.empty_like(wanted)
            self.kernels.rates(rates, wanted, self.tables, self.numbers)
            self.write(op, run, path, (vector[0], RATE), rates)

    def _limits(self, name, slot):
        """Range of a vector: states keep to that of their rate, whoever writes them."""
        if slot == STATE:
            return state_limits(self.network.population(name), self.state)
        return self.state.min, self.state.max

    #: What runs each operation, and its name in errors.
    handlers = {**fixed_states.HANDLERS, Learn: learn, Relax: _relax}
    table = f"fixed executor ({__name__}.HANDLERS)"


#: Handlers of operations, called as ``(executor, operation, run, path)``; a new operation adds its
#: own.
HANDLERS = FixedExecutor.handlers
