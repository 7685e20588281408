"""Annealed importance sampling: the log-likelihood of a restricted machine too large to enumerate.

Salakhutdinov and Murray (2008, "On the quantitative analysis of deep belief networks"), after
Neal (2001).  Chains go from a machine of independent units, whose partition function is known, to
the machine in question through ``p_t(x) ~ exp((1 - t) b_0 x + t b x) prod_j (1 + exp(t (c_j +
x W_j)))``.  The mean of the importance weights estimates ``Z / Z_0`` without bias, but its
logarithm is too low on average: with too few temperatures a log-likelihood comes out too high.  The
interval tells of the spread between chains, not of that.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .errors import MisuseError
from .network import Network
from .references_boltzmann import log_likelihood, log_sum_exp
from .sampling import restricted

#: Share of all temperatures in each of the three parts of the default schedule, and the parts.
_PARTS = ((0.0, 0.5, 0.035), (0.5, 0.9, 0.275), (0.9, 1.0, 0.69))


@dataclass(frozen=True)
class Estimate:
    """An estimate of ``log Z`` and of the mean log-likelihood it gives.

    Attributes
    ----------
    log_z : float
    low, high : float
        95 % interval of ``log Z``: percentiles of the estimate over resampled chains.
    chains, temperatures : int
    effective : float
        ``(sum w)**2 / sum w**2``, the number of equal chains that would be as good.
    """

    log_z: float
    low: float
    high: float
    chains: int
    temperatures: int
    effective: float

    def log_likelihood(self, network: Network, weights, images):
        """(mean log-likelihood, low, high) in nats of images."""
        free = log_likelihood(network, weights, images, 0.0)
        return free - self.log_z, free - self.high, free - self.low


def schedule(temperatures):
    """Inverse temperatures from 0 to 1, densest at the end: ndarray of shape (temperatures,).

    The proportions are those of Salakhutdinov and Murray (2008): 500, 4000 and 10000 of 14500.
    """
    if temperatures < 10:
        raise MisuseError(f"{temperatures} temperatures are too few; use 10 at least")
    counts = [max(1, round(share * (temperatures - 1))) for _, _, share in _PARTS]
    counts[-1] = temperatures - 1 - sum(counts[:-1])
    parts = [np.linspace(low, high, count, endpoint=False)
             for (low, high, _), count in zip(_PARTS, counts)]
    return np.concatenate([*parts, [1.0]])


def estimate_log_z(network: Network, weights, base=None, temperatures=1000, chains=100, seed=0,
                   dtype=np.float32) -> Estimate:
    """Estimate ``log Z`` of a restricted machine.

    Parameters
    ----------
    network : Network
    weights : dict of str to ndarray
    base : ndarray of shape (width,), optional
        Visible biases of the machine that is started from; log odds of the pixels are best, the
        biases of the machine are the default.
    temperatures, chains : int
    seed : int
    dtype : dtype
        Of the chains; the weights are summed in float64.

    Raises
    ------
    MisuseError
        For machines that are not restricted, and for fewer than 2 chains.
    """
    W, b, c = restricted(network, weights)
    if chains < 2:
        raise MisuseError(f"{chains} chains give no interval; use 2 at least")
    base = b if base is None else np.asarray(base, np.float64)
    if base.shape != b.shape or not np.isfinite(base).all():
        raise MisuseError(f"base biases have shape {base.shape}; give {b.size} finite numbers")
    rng = np.random.default_rng(seed)
    # Narrow copies for the chains; the sums of logarithms below are kept in float64.
    w, down, narrow_c = W.astype(dtype), np.ascontiguousarray(W.T.astype(dtype)), c.astype(dtype)
    tilt = (b - base).astype(dtype)
    x = (rng.random((chains, len(b))) < _chance(base)).astype(dtype)
    log_w, betas = np.zeros(chains), schedule(temperatures)
    for before, beta in zip(betas, betas[1:]):
        field = x @ w
        field += narrow_c
        log_w += (beta - before) * (x @ tilt)
        log_w += (_softplus(beta, field) - _softplus(before, field)).sum(axis=1, dtype=np.float64)
        # A Gibbs step that leaves p_beta unchanged.
        field *= dtype(beta)
        h = (rng.random(field.shape, dtype) < _chance(field)).astype(dtype)
        back = h @ down
        back += tilt
        back *= dtype(beta)
        back += base.astype(dtype)
        x = (rng.random(back.shape, dtype) < _chance(back)).astype(dtype)
    start = np.logaddexp(0, base).sum() + len(c) * np.log(2)
    resampled = rng.integers(0, chains, (1000, chains))
    spread = [log_sum_exp(log_w[chosen]) for chosen in resampled]
    low, high = np.percentile(spread, (2.5, 97.5)) - np.log(chains) + start
    equal = np.exp(2 * log_sum_exp(log_w) - log_sum_exp(2 * log_w))
    return Estimate(float(start + log_sum_exp(log_w) - np.log(chains)), float(low), float(high),
                    chains, temperatures, float(equal))


def _chance(field):
    return 0.5 * (1 + np.tanh(0.5 * field))


def _softplus(beta, field):
    """``log(1 + exp(beta field))``."""
    scaled = field * field.dtype.type(beta)
    return np.maximum(scaled, 0) + np.log1p(np.exp(-np.abs(scaled)))
