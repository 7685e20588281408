"""Quantization study: test error against the bits of states and weights, learning included.

Every point is a training run in raw integers from the same float starting weights, so it says what
an engine of these formats learns, not what rounding does to a network trained elsewhere.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace

from ..errors import MisuseError
from ..numbers.formats import Format
from ..numbers.tables import MOST_FRAC
from ..systems.registry import system as find
from .data import Dataset
from .fixed import FACTOR_FRAC, train_fixed


@dataclass(frozen=True)
class SweepRow:
    """One pair of formats (and strength of the nudge).

    Attributes
    ----------
    state, weight : Format
    beta_shift : int
        The nudge is ``2**-beta_shift``; 0 where nothing is nudged.
    update_frac : int
    test_errors : list of float
        One a seed, 0..1.
    saturated_weights : float
        Largest share of weights at an end of the format, over the seeds.
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


def sweep(layers: Sequence[int], dataset: Dataset, states: Sequence[int], weights: Sequence[int],
          beta_shifts: Sequence[int] = (1,), seeds: Sequence[int] = (0,), system="ep",
          integer=None, **changes) -> Iterator[SweepRow]:
    """Train with every pair of widths that can.

    Left out are formats whose scaled factors, words of the state format, have no multiplier for
    the first rates, and states so fine that the tables of logistic units do not hold them.

    Parameters
    ----------
    layers : sequence of int
    dataset : Dataset
    states, weights : sequence of int
        Bits.
    beta_shifts : sequence of int
        Strengths of the nudge, of systems that nudge.  The rates are those of the default
        settings: the contrast is divided by beta in any case.
    seeds : sequence of int
    system : str
        What learns, as :func:`~apical.golden.systems.registry.system` takes it.
    integer : int, optional
        Weights reach ``2**integer``; by default as the record of the system says.
    **changes
        Of the settings.

    Yields
    ------
    SweepRow
        By beta, state bits, weight bits.
    """
    _check_bits(states, weights)
    record = find(system)
    record.check("fixed")
    network = record.network(layers)
    for shift in beta_shifts if "beta_shift" in _fields(record) else (0,):
        nudge = {"beta_shift": shift} if "beta_shift" in _fields(record) else {}
        for state_bits in states:
            for weight_bits in weights:
                state, weight = record.formats(state_bits, weight_bits, integer)
                config = _settings(record, network, dataset, layers, state, weight, nudge, changes)
                if config is None:
                    continue
                runs = [train_fixed(network, dataset, replace(config, seed=seed))
                        for seed in seeds]
                yield SweepRow(state, weight, shift, config.update_frac,
                               [run.test_error for run in runs],
                               max(run.saturated_weights for run in runs))


def _fields(record):
    return {f.name for f in fields(record.settings)}


def _settings(record, network, dataset, layers, state, weight, nudge, changes):
    """Settings of one point, or None where these formats cannot learn."""
    if state.frac > MOST_FRAC and any(p.rate == "logistic" for p in network.populations):
        return None
    if record.update_frac is None:
        if weight.frac > state.width + FACTOR_FRAC:
            return None
        bits = None
    else:
        rates = record.rates(network, record.config("fixed", dataset.name, layers, **nudge))
        bits = record.update_frac(state, weight, max(rates.values()))
        if bits < 0:
            return None
    return record.config("fixed", dataset.name, layers, state=state, weight=weight,
                         update_frac=bits, **nudge, **changes)


def _check_bits(states, weights):
    for what, widths in (("state", states), ("weight", weights)):
        for bits in widths:
            if not 4 <= bits <= 16:
                raise MisuseError(f"{bits} {what} bits are outside 4..16")
