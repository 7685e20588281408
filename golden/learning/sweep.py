"""Quantization study: test error against the bits of states and weights, learning included.

Every point is a training run in raw integers from the same float starting weights, so it says what
an engine of these formats learns, not what rounding does to a network trained elsewhere.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from ..errors import MisuseError
from ..executors.compiled.executor import OnlineExecutor
from ..executors.fixed.executor import FixedExecutor
from ..network import layered
from ..numbers.formats import Format, quantize
from ..numbers.tables import MOST_FRAC
from ..systems.ghost_units import ghost_network, ghost_weights, inference, learning_rates, training
from .data import Dataset, one_hot
from .fixed import FACTOR_FRAC, default_fixed_config, raw_values, train_fixed

#: Systems that the study knows.
SYSTEMS = ("ep", "ghost-duplicate")
#: Ghost units: states and weights reach 8 and 4; learning rate of one image, its decay by epoch,
#: and epochs.
GHOST_REACH, GHOST_RATE, GHOST_DECAY, GHOST_EPOCHS = (3, 2), 0.2, 0.9, 12


@dataclass(frozen=True)
class SweepRow:
    """One pair of formats (and strength of the nudge).

    Attributes
    ----------
    state, weight : Format
    beta_shift : int
        The nudge is ``2**-beta_shift``.
    update_frac : int
    test_errors : list of float
        One a seed, 0..1.
    saturated_weights : float
        Greatest share of weights at an end of the format, over the seeds.
    """

    state: Format
    weight: Format
    beta_shift: int
    update_frac: int
    test_errors: list
    saturated_weights: float

    @property
    def test_error(self) -> float:
        """Mean over the seeds."""
        return statistics.fmean(self.test_errors)


def state_format(bits: int) -> Format:
    """States from -2 to 2: room for the difference of two rates, with a bit to spare."""
    return Format(bits, bits - 2)


def weight_format(bits: int, integer=0) -> Format:
    """Weights from ``-2**integer`` to ``2**integer``."""
    return Format(bits, bits - 1 - integer)


def sweep(layers: Sequence[int], dataset: Dataset, states: Sequence[int], weights: Sequence[int],
          beta_shifts: Sequence[int] = (1,), seeds: Sequence[int] = (0,),
          integer=0, **changes) -> Iterator[SweepRow]:
    """Train with every pair of widths that can.

    Left out are weights whose last place is finer than that of the scaled factors, which are words
    of the state format (see `FACTOR_FRAC`): such rates have no multiplier.

    Parameters
    ----------
    layers : sequence of int
    dataset : Dataset
    states, weights : sequence of int
        Bits.
    beta_shifts : sequence of int
        Strengths of the nudge.  The rates are those of the default configuration: the contrast is
        divided by beta in any case.
    seeds : sequence of int
    integer : int
        Weights reach ``2**integer``.
    **changes
        Of the training configuration.

    Yields
    ------
    SweepRow
        By beta, state bits, weight bits.
    """
    _check_bits(states, weights)
    network = layered(layers)
    for shift in beta_shifts:
        for state in map(state_format, states):
            for weight in (weight_format(bits, integer) for bits in weights):
                if weight.frac > state.width + FACTOR_FRAC:
                    continue
                runs = [train_fixed(network, dataset, default_fixed_config(
                    dataset.name, layers, state=state, weight=weight, beta_shift=shift,
                    seed=seed, **changes)) for seed in seeds]
                yield SweepRow(state, weight, shift, runs[0].config.update_frac,
                               [run.test_error for run in runs],
                               max(run.saturated_weights for run in runs))


def _check_bits(states, weights):
    for what, widths in (("state", states), ("weight", weights)):
        for bits in widths:
            if not 4 <= bits <= 16:
                raise MisuseError(f"{bits} {what} bits are outside 4..16")


def sweep_ghosts(layers: Sequence[int], dataset: Dataset, states: Sequence[int],
                 weights: Sequence[int], beta_shifts: Sequence[int] = (1,),
                 seeds: Sequence[int] = (0,), epochs=None) -> Iterator[SweepRow]:
    """Train ghost units (paper 2, duplicated weights) with every pair of widths that can.

    Their units are logistic, so potentials need a range: states reach 8, weights 4.  Left out are
    weights so much finer than states that the rate has no multiplier.

    Parameters
    ----------
    layers, dataset, states, weights, beta_shifts, seeds
        As for :func:`sweep`.
    epochs : int or None

    Yields
    ------
    SweepRow
        By beta, state bits, weight bits.
    """
    _check_bits(states, weights)
    network, epochs = ghost_network(layers, "duplicate"), GHOST_EPOCHS if epochs is None else epochs
    for shift in beta_shifts:
        # The greatest shift whose multiplier of the first rate is a word.
        scale = 5 - int(np.ceil(np.log2(GHOST_RATE * 2 ** shift)))
        for state in (Format(bits, max(bits - 1 - GHOST_REACH[0], 0)) for bits in states):
            for weight in (weight_format(bits, GHOST_REACH[1]) for bits in weights):
                update_frac = min(scale + state.frac - weight.frac, 32 - state.frac)
                if update_frac < 0 or state.frac > MOST_FRAC:
                    continue
                runs = [_train_ghosts(network, dataset, state, weight, update_frac, shift, seed,
                                      epochs) for seed in seeds]
                yield SweepRow(state, weight, shift, update_frac, [error for error, _ in runs],
                               max(share for _, share in runs))


def _train_ghosts(network, dataset, state, weight, update_frac, beta_shift, seed, epochs):
    """(test error, share of saturated weights) of one run."""
    first = {name: quantize(w, weight)[0] for name, w in ghost_weights(network, seed).items()}
    executor = OnlineExecutor(network, first, state, weight, update_frac)
    program = training(network, "duplicate", nudge_steps=8, beta_shift=beta_shift, shift=2)
    inputs = {"x": raw_values(dataset.train, state),
              "d": raw_values(one_hot(dataset.train_labels, dataset.classes), state)}
    rng, count = np.random.default_rng(seed), len(dataset.train)
    for epoch in range(epochs):
        order = rng.permutation(count)
        executor.run(program, {name: values[order] for name, values in inputs.items()}, seed,
                     epoch * count, collect=False, rates=learning_rates(
                         network, GHOST_RATE * GHOST_DECAY ** epoch, beta_shift))
    final = executor.weights
    found = FixedExecutor(network, final, state, weight).run(
        inference(network), {"x": raw_values(dataset.test, state)}).predictions
    ends = sum(int(np.isin(w, (weight.min, weight.max)).sum()) for w in final.values())
    return (float((found != dataset.test_labels).mean()),
            ends / sum(w.size for w in final.values()))
