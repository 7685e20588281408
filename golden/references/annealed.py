"""Annealed importance sampling: the log-likelihood of a machine too large to enumerate.

Salakhutdinov and Murray (2008, "On the quantitative analysis of deep belief networks"), after
Neal (2001); for layered machines Salakhutdinov and Hinton (2009, "Deep Boltzmann machines").
Chains go from a machine of independent units, whose partition function is known, to the machine in
question.  At inverse temperature t, couplings and hidden biases are multiplied by t, and a visible
bias is ``(1 - t) b_0 + t b``.  Groups that are not coupled to each other are summed out; the other
groups are the states of the chains.  The mean of the importance weights estimates ``Z / Z_0``
without bias, but its logarithm is too low on average: with too few temperatures, a log-likelihood
comes out too high.  The interval reflects the spread between chains, not this error.

Chains that go back, from the machine to the independent units, err to the other side if they start
from samples of the machine (Burda, Grosse and Salakhutdinov 2015).  Exact samples are not to be
had; chains start from data instead and run for a while.  Data that the forward chains never found
show as a difference of the two estimates.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..errors import MisuseError
from ..executors.float.executor import FloatExecutor
from ..learning.sampling import images_by_part, is_restricted
from ..network import Network
from ..network.boltzmann import check_machine, hidden, split, visible
from ..program import STATE
from ..systems.machine_programs import mean_field
from .boltzmann import log_likelihood, log_sum_exp

#: Share of all temperatures in each of the three parts of the default schedule, and the parts.
_PARTS = ((0.0, 0.5, 0.035), (0.5, 0.9, 0.275), (0.9, 1.0, 0.69))
#: Mean-field sweeps of the lower bound; more would change digits and MNIST by less than 0.1 nats.
BOUND_SWEEPS = 30
#: Gibbs steps from data to the start of the chains that go back.
BURN = 500
#: An interval means something with this share of effective chains, or with forward and backward
#: estimates no farther apart than this, in nats.
LEAST_EFFECTIVE, MOST_APART = 0.3, 1.0


@dataclass(frozen=True)
class Estimate:
    """An estimate of ``log Z``, and the mean log-likelihood that follows from it.

    Attributes
    ----------
    log_z : float
    low, high : float
        95 % interval of ``log Z``: percentiles of the estimate over resampled chains.
    chains, temperatures : int
    effective : float
        ``(sum w)**2 / sum w**2``: as many chains of equal weight would be as good.
    reverse : float or None
        ``log Z`` by chains that go back; None where there were none.
    reverse_effective : float or None
        Effective ones of these.
    """

    log_z: float
    low: float
    high: float
    chains: int
    temperatures: int
    effective: float
    reverse: float | None = None
    reverse_effective: float | None = None

    @property
    def trusted(self) -> bool:
        """Whether the interval means something: enough effective chains, or both ways agree."""
        if self.effective >= LEAST_EFFECTIVE * self.chains:
            return True
        return self.reverse is not None and abs(self.reverse - self.log_z) <= MOST_APART

    def log_likelihood(self, network: Network, weights, images):
        """(mean log-likelihood, low, high) of images in nats.

        For a restricted machine it is exact except for ``log Z``; for others it is a lower bound,
        by :func:`log_probability_bound`.
        """
        if is_restricted(network):
            free = log_likelihood(network, weights, images, 0.0)
        else:
            free = float(log_probability_bound(network, weights, images).mean())
        return free - self.log_z, free - self.high, free - self.low


def schedule(temperatures):
    """Inverse temperatures from 0 to 1, densest at the end: ndarray of shape (temperatures,).

    The proportions are those of Salakhutdinov and Murray (2008): 500, 4000 and 10000 of 14500.
    """
    if temperatures < 10:
        raise MisuseError(f"{temperatures} temperatures are too few; use at least 10")
    counts = [max(1, round(share * (temperatures - 1))) for _, _, share in _PARTS]
    counts[-1] = temperatures - 1 - sum(counts[:-1])
    parts = [np.linspace(low, high, count, endpoint=False)
             for (low, high, _), count in zip(_PARTS, counts)]
    return np.concatenate([*parts, [1.0]])


class _Chains:
    """States of the chains of one machine, with what a step of temperature needs."""

    def __init__(self, network, weights, base, chains, rng, dtype):
        self.rng, self.type, self.count = rng, dtype, chains
        self.first, self.bias, self.couplings = _machine(network, weights, base, dtype)
        self.summed = _independent(self.couplings, self.first)
        self.states = {name: self._draw(np.tile(first, (chains, 1)))
                       for name, first in self.first.items() if name not in self.summed}

    def put(self, images):
        """Put visible groups to images, hidden ones to draws given them."""
        states = {**{name: np.zeros((self.count, first.size), self.type)
                     for name, first in self.first.items()}, **images}
        for name in self.first:
            if name not in images:
                states[name] = self._draw(self._current(name, states))
        self.states = {name: states[name] for name in self.states}

    def log_z(self):
        """``log Z`` of the independent units the chains start from."""
        return sum(np.logaddexp(0, first.astype(np.float64)).sum() for first in self.first.values())

    def along(self, betas):
        """Log weights of a walk through inverse temperatures: ndarray of shape (chains,)."""
        return sum((self.step(before, beta) for before, beta in zip(betas, betas[1:])),
                   np.zeros(self.count))

    def step(self, before, beta):
        """Change of the log weights from one temperature to the next; then a Gibbs step.

        Returns
        -------
        ndarray of shape (chains,), float64
        """
        kept = sum((x * (self.bias[name] - self.first[name])).sum(axis=1, dtype=np.float64)
                   for name, x in self.states.items())
        for name, x in self.states.items():
            for source, matrix in self.couplings[name].items():
                if source in self.states and source < name:  # every pair once
                    kept = kept + ((self.states[source] @ matrix) * x).sum(axis=1,
                                                                           dtype=np.float64)
        change, drawn = (beta - before) * kept, dict(self.states)
        for name in self.summed:
            current = self._current(name, self.states)
            after = self._field(name, current, beta)
            change += (_softplus(after) - _softplus(self._field(name, current, before))).sum(
                axis=1, dtype=np.float64)
            drawn[name] = self._draw(after)
        for name in self.states:
            drawn[name] = self._draw(self._field(name, self._current(name, drawn), beta))
            self.states[name] = drawn[name]
        return change

    def _current(self, name, states):
        """Bias and coupling currents into a group: ndarray of shape (chains, n)."""
        total = np.tile(self.bias[name], (self.count, 1))
        for source, matrix in self.couplings[name].items():
            total += states[source] @ matrix
        return total

    def _field(self, name, current, beta):
        return current * self.type(beta) + self.first[name] * self.type(1 - beta)

    def _draw(self, field):
        probability = 0.5 * (1 + np.tanh(0.5 * field))
        return (self.rng.random(field.shape, self.type) < probability).astype(self.type)


def _machine(network, weights, base, dtype):
    """First biases, biases, and couplings into each group: by name, arrays of `dtype`."""
    names = [v for _, v in visible(network)] + hidden(network)
    first = {name: np.zeros(network.population(name).size, dtype) for name in names}
    bias, couplings, used = {name: first[name] for name in names}, {name: {} for name in names}, {}
    for p in network.projections:
        values = np.asarray(weights[p.matrix])
        if p.target in first and p.source == "one":
            bias[p.target] = values[0].astype(dtype)
        elif p.target in first and p.source in first:
            if used.setdefault(frozenset((p.source, p.target)), p.matrix) != p.matrix:
                raise MisuseError(f"network '{network.name}' has no energy: '{p.source}' and "
                                  f"'{p.target}' have a matrix for each direction; use a "
                                  "symmetric machine")
            couplings[p.target][p.source] = np.ascontiguousarray(
                (values.T if p.transpose else values).astype(dtype))
    sizes = [network.population(v).size for _, v in visible(network)]
    parts = np.split(base.astype(dtype), np.cumsum(sizes)[:-1])
    first.update({v: part for (_, v), part in zip(visible(network), parts)})
    return first, bias, couplings


def _independent(couplings, first):
    """Groups without couplings to each other, largest first: they are summed out."""
    chosen = []
    for name in sorted(first, key=lambda name: -first[name].size):
        if not any(other in couplings[name] for other in chosen):
            chosen.append(name)
    return chosen


def estimate_log_z(network: Network, weights, base=None, temperatures=1000, chains=100, seed=0,
                   dtype=np.float32, start=None) -> Estimate:
    """Estimate ``log Z`` of a machine.

    Parameters
    ----------
    network : Network
        Symmetric, of any layers and colour groups.
    weights : dict of str to ndarray
    base : ndarray of shape (width,), optional
        Visible biases of the machine that chains start from.  Log odds of the pixels are best; the
        default is the biases of the machine.
    temperatures, chains : int
    seed : int
    dtype : dtype
        Of the chains; the weights are summed in float64.
    start : ndarray of shape (images, width), optional
        Data that chains start from that go back, as many as go forward; none go back without.

    Raises
    ------
    MisuseError
        For networks that are not symmetric machines, and for fewer than 2 chains.
    """
    check_machine(network)
    if chains < 2:
        raise MisuseError(f"{chains} chains give no interval; use at least 2")
    own = np.concatenate([np.asarray(weights[f"b{v}"], np.float64)[0] for _, v in visible(network)])
    base = own if base is None else np.asarray(base, np.float64)
    if base.shape != own.shape or not np.isfinite(base).all():
        raise MisuseError(f"base biases have shape {base.shape}; give {own.size} finite numbers")
    rng, betas = np.random.default_rng(seed), schedule(temperatures)
    run = _Chains(network, weights, base, chains, rng, np.dtype(dtype).type)
    log_w, first = run.along(betas), run.log_z()
    resampled = rng.integers(0, chains, (1000, chains))
    spread = [log_sum_exp(log_w[chosen]) for chosen in resampled]
    low, high = np.percentile(spread, (2.5, 97.5)) - np.log(chains) + first
    back = _backward(network, run, betas, start, rng) if start is not None else (None, None)
    return Estimate(float(first + log_sum_exp(log_w) - np.log(chains)), float(low), float(high),
                    chains, temperatures, _effective(log_w), *back)


def _backward(network, run, betas, start, rng):
    """``log Z`` by chains that go back, and how many of them are effective."""
    images = np.asarray(start)[rng.integers(0, len(start), run.count)].astype(run.type)
    run.put(split(network, images, clamped=False))
    for _ in range(BURN):
        run.step(1.0, 1.0)
    log_w = run.along(betas[::-1])
    return float(run.log_z() - log_sum_exp(log_w) + np.log(run.count)), _effective(log_w)


def _effective(log_w):
    return float(np.exp(2 * log_sum_exp(log_w) - log_sum_exp(2 * log_w)))


def log_probability_bound(network: Network, weights, images, sweeps=BOUND_SWEEPS):
    """Lower bound of ``log sum_z exp(-E(x, z))`` by mean-field hidden units.

    ``E_q[-E(x, z)] + H(q)`` with independent hidden units q, each at its conditional mean given the
    means of the others (Salakhutdinov and Hinton 2009).  Exact for restricted machines.

    Parameters
    ----------
    network : Network
    weights : dict of str to ndarray
    images : ndarray of shape (images, width)
        Binary.
    sweeps : int
        Mean-field sweeps after the bottom-up one; any number gives a bound.

    Returns
    -------
    ndarray of shape (images,), float64
    """
    executor, program = FloatExecutor(network, weights), mean_field(network, sweeps)
    twins, total = dict(visible(network)), []
    for inputs in images_by_part(network, images):
        states = executor.run(program, inputs).states
        mean = {name: states[name, STATE].astype(np.float64) for name in hidden(network)}
        bound = np.zeros(len(next(iter(inputs.values()))))
        for q in mean.values():
            q = np.clip(q, 1e-12, 1 - 1e-12)
            bound -= (q * np.log(q) + (1 - q) * np.log1p(-q)).sum(axis=1)
        mean.update({twins[x]: np.asarray(part, np.float64) for x, part in inputs.items()})
        for p in network.projections:
            values = np.asarray(weights[p.matrix], np.float64)
            if p.target in mean and p.source == "one":
                bound += mean[p.target] @ values[0]
            elif p.target in mean and p.source in mean and not p.transpose:
                bound += ((mean[p.source] @ values) * mean[p.target]).sum(axis=1)
        total.append(bound)
    return np.concatenate(total)


def _softplus(field):
    """``log(1 + exp(field))``."""
    return np.maximum(field, 0) + np.log1p(np.exp(-np.abs(field)))
