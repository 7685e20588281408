"""Quantization study: test error against the bits of states and weights, learning included.

Every point is a training run in raw integers from the same float starting weights, so it says what
an engine of these formats learns, not what rounding does to a network trained elsewhere.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from .data import Dataset
from .errors import MisuseError
from .formats import Format
from .network import layered
from .training_fixed import FACTOR_FRAC, default_fixed_config, train_fixed


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
    for what, widths in (("state", states), ("weight", weights)):
        for bits in widths:
            if not 4 <= bits <= 16:
                raise MisuseError(f"{bits} {what} bits are outside 4..16")
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
