"""Float executor: a program on real numbers, a batch of images at a time.

It says what the papers say: the operations of :mod:`apical.golden.program` without any rounding.
A program is bound once to the buffers of a batch size and then runs without allocating; the drive
of clamped populations is a product that the program itself does only once an image.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...errors import MisuseError
from ...network import Network
from ...program import STATE, Program
from .binding import Bound

#: Bound programs kept by an executor; each holds the buffers of one (program, batch size).
_KEPT = 8
#: Matrices with fewer columns keep a transposed copy: products over so few terms are twice as
#: fast on rows that lie together.
_NARROW = 64


@dataclass
class FloatResult:
    """What a run left behind; every array has one entry an image.

    Attributes
    ----------
    states : dict of (population, slot) to ndarray of shape (batch, n)
        Final vectors; empty when they were not collected.
    predictions : ndarray of shape (batch,), int64, or None
        Class by `Decide`; None when the program has none.
    steps : ndarray of shape (batch,), int64
        Relaxation steps taken, all loops together.
    loop_steps : dict of tuple to ndarray of shape (batch,), int64
        Steps of each `Relax`, by its position in the program: ``(3,)`` is operation 3,
        ``(3, 0)`` the first operation of its body.
    """

    states: dict
    predictions: np.ndarray | None
    steps: np.ndarray
    loop_steps: dict


class FloatExecutor:
    """Runs programs in floating point.

    Parameters
    ----------
    network : Network
    weights : dict of str to ndarray
        Real weights by matrix name; copied.
    dtype : dtype
        float32, or float64 where derivatives are compared.

    Attributes
    ----------
    weights : dict of str to ndarray of `dtype`
        The present weights; `Learn` changes them in place.

    Raises
    ------
    MisuseError
        For weights that are missing, of a wrong shape or not finite.
    """

    def __init__(self, network: Network, weights, dtype=np.float32):
        self.network, self.dtype = network, np.dtype(dtype)
        if self.dtype.kind != "f":
            raise MisuseError(f"the float executor cannot run in {self.dtype}; "
                              "use float32 or float64")
        self.weights = {m.name: np.zeros(m.shape, self.dtype) for m in network.matrices}
        self.transposed = {p.matrix: self.weights[p.matrix].T
                           for p in network.projections if p.transpose}
        for name, view in self.transposed.items():
            if len(view) <= _NARROW:
                self.transposed[name] = np.ascontiguousarray(view)
        self.load(weights)
        self._bound = {}

    def load(self, weights):
        """Replace the weights (copied, converted to the dtype of the executor)."""
        self.network.check_weights(weights)
        for name, own in self.weights.items():
            own[...] = weights[name]
            self.refresh(name)

    def refresh(self, matrix):
        """Bring the transposed copy of a matrix up to date after its weights were changed."""
        copy = self.transposed.get(matrix)
        if copy is not None and not np.may_share_memory(copy, self.weights[matrix]):
            copy[...] = self.weights[matrix].T

    def run(self, program: Program, inputs, states=None, rates=None, beta_sign=1, on_step=None,
            collect=True, seed=0, first_image=0) -> FloatResult:
        """Run a program on a batch of images.

        Parameters
        ----------
        program : Program
        inputs : dict of str to ndarray of shape (batch, n)
            States of the clamped populations the program reads.
        states : dict, optional
            First states of settling populations (``start="keep"``) of shape (batch, n), by
            population or by (population, slot), so that `FloatResult.states` can be handed back;
            entries of clamped populations are ignored.  Vectors not given start from 0.
        rates : dict of str to float, optional
            Learning rate of each matrix that the program learns.
        beta_sign : int
            Sign of beta in nudges with ``random_sign``.
        on_step : callable, optional
            Called as ``on_step(position, step, states)`` before the first step of each `Relax`
            (step 0) and after each step (1, 2, ..); `states` is live, copy what is to be kept.
        collect : bool
            Copy the final vectors into the result.
        seed, first_image : int
            Address of the noise, see :class:`~apical.golden.numbers.noise.Noise`: equal addresses
            give equal noise, so a run that is to differ from the last needs others.

        Raises
        ------
        MisuseError
            For inputs or states that are missing, of a wrong shape, not finite or out of range,
            and for missing learning rates.
        """
        if beta_sign not in (1, -1):
            raise MisuseError(f"beta_sign is {beta_sign}; use 1 or -1")
        given = {name: np.asarray(values) for name, values in inputs.items()}
        first = _first_states(self.network, states or {})
        batch = self._batch(given, first)
        bound = self._bind(program, batch)
        for name in bound.needed:
            if name not in given:
                raise MisuseError(f"program '{program.name}' reads population '{name}', "
                                  "for which no input is given")
        for name in bound.learned:
            if rates is None or name not in rates:
                raise MisuseError(f"program '{program.name}' learns matrix '{name}', "
                                  "for which no rate is given")
        bound.reset()
        for name, values in given.items():
            self._fill(bound, f"input of '{name}'", (name, STATE), values)
        for key, values in first.items():
            self._fill(bound, f"state of '{key[0]}'", key, values)
        call = bound.call
        call.rates, call.sign, call.on_step = rates or {}, beta_sign, on_step
        call.noise.start(seed, first_image)
        for action in bound.actions:
            action()
        call.on_step = None
        return FloatResult(
            {key: value.copy() for key, value in bound.vectors.items()} if collect else {},
            None if bound.predictions is None else bound.predictions.copy(),
            sum(bound.steps.values(), np.zeros(batch, np.int64)),
            {position: taken.copy() for position, taken in bound.steps.items()})

    def _batch(self, given, first):
        for name in given:
            if not self.network.population(name).clamped:
                raise MisuseError(f"an input is given for '{name}', which is not clamped; "
                                  "first states go into states=")
        arrays = {**{f"'{n}'": v for n, v in given.items()},
                  **{f"'{k[0]}'.{k[1]}": v for k, v in first.items()}}
        for name, values in arrays.items():
            if values.ndim != 2:
                raise MisuseError(f"values of {name} have shape {values.shape}, "
                                  "expected (images, units)")
        sizes = {name: len(values) for name, values in arrays.items()}
        if len(set(sizes.values())) > 1:
            raise MisuseError("inputs have different numbers of images: " + ", ".join(
                f"{name} {size}" for name, size in sizes.items()))
        return next(iter(sizes.values()), 1)

    def _bind(self, program, batch):
        key = id(program), batch
        bound = self._bound.pop(key, None)
        if bound is None:
            program.check(self.network)
            bound = Bound(self, program, batch)
            bound.actions = bound.bind(program.ops)
            while len(self._bound) >= _KEPT:
                del self._bound[next(iter(self._bound))]
        self._bound[key] = bound  # put last: the one used longest ago is dropped first
        return bound

    def _fill(self, bound, what, key, values):
        """Copy values into a vector after checking them."""
        population = self.network.population(key[0])
        if values.shape[1] != population.size:
            raise MisuseError(f"{what} has shape {values.shape}, "
                              f"expected (images, {population.size})")
        if values.dtype.kind not in "fiub":
            raise MisuseError(f"{what} has type {values.dtype}; give numbers")
        own = bound.vectors.get(key)
        if own is None or not values.size:
            return
        own[...] = values
        # The range of a state, not of a difference.
        limits = population.limits if key[1] == STATE else None
        low, high = limits or (-np.finfo(self.dtype).max, np.finfo(self.dtype).max)
        # NaN passes no comparison, so this refuses it too.
        if not (values.min() >= low and values.max() <= high):
            image, unit = np.argwhere(~((values >= low) & (values <= high)))[0]
            told = f"{low:g}..{high:g}" if limits else "the finite numbers"
            raise MisuseError(f"{what} is {values[image, unit]:g} in image {image}, unit {unit}; "
                              f"its range is {told}")


def _first_states(network, states):
    """Given first states of settling populations, by (population, slot)."""
    first = {}
    for key, values in states.items():
        key = (key, STATE) if isinstance(key, str) else tuple(key)
        if not network.population(key[0]).fixed_rate:
            first[key] = np.asarray(values)
    return first
