"""The spike-timing curve, drawn by an executor itself: noise, spikes and the one-way rule.

The rate rule of paper 4 changes a weight by presynaptic spike times rate of change of the
postsynaptic state.  Sorted by when the postsynaptic neuron fires, the mean change is the curve of
spike-timing-dependent plasticity.  Each run is one trial of many independent neurons:

1. a state u wanders by Langevin noise around 0 (an Ornstein-Uhlenbeck process);
2. at one step, the presynaptic spike, ``move`` keeps what that step changes;
3. at several steps before and after, spikes s are drawn with probability sigma(gain u);
4. for each of these lags a matrix of its own learns ``s (x) move``.

Over many trials the diagonal of a matrix sums to the change of the neurons that fired at that lag.
Off the diagonal spikes and moves are of different neurons: a control, 0 in the mean.

For Gaussian u of variance v and steps of eps, Stein's lemma gives the mean of the product
``-+ gain E[sigma'(gain u)] v eps (1 - eps)**m`` for spikes m steps before and after: a curve
``sign(lag) exp(-|lag| / tau)`` with ``tau = -1 / log(1 - eps)``.
"""

from __future__ import annotations

import numpy as np

from ..network import Matrix, Network, Population, Projection
from ..program import (
    STATE,
    Clear,
    Difference,
    Learn,
    Outer,
    Program,
    Project,
    Relax,
    Sample,
    Snapshot,
    Update,
)

#: Steps between the presynaptic step and a spike.
STEPS = (0, 2, 4, 8, 16, 32)
#: eps = 2**-SHIFT; deviation of u; the gain is `PARTS` times a weight of `GAIN`, which every format
#: holds; steps until u has forgotten its start.
SHIFT, SIGMA, PARTS, GAIN, WARM = 4, 0.3, 4, 1.75, 64
LAST, MOVE = "last", "move"


def timing_network(neurons=16) -> Network:
    """Neurons with states ``u`` and spikes ``s``, and a matrix for each lag.

    The clamped ``x`` injects a current, by weights of 0 here.
    """
    matrices = [Matrix("inject", 1, neurons), Matrix("gain", neurons, neurons)]
    matrices += [Matrix(name, neurons, neurons) for name in lag_names()]
    return Network(f"spike-timing-{neurons}", (
        Population("x", 1, clamped=True), Population("u", neurons, "hard-tanh"),
        Population("s", neurons, "binary")), tuple(matrices),
        (Projection("x>u", "x", "u", "inject"), Projection("u>s", "u", "s", "gain")))


def lag_names():
    """Matrices in the order of :func:`lags`: ``before32`` .. ``after32``."""
    return [f"before{m}" for m in reversed(STEPS)] + [f"after{m}" for m in STEPS]


def lags():
    """Time of the spike less that of the middle of the presynaptic step, in steps."""
    after = np.array(STEPS) + 0.5
    return np.concatenate([-after[::-1], after])


def timing_weights(network: Network) -> dict:
    """Real first weights: no change yet."""
    return {m.name: GAIN * np.eye(m.rows) if m.name == "gain" else np.zeros(m.shape)
            for m in network.matrices}


def timing_rates(trials) -> dict:
    """Rates that keep the sums over so many trials well inside the format: powers of two."""
    rate = 2.0 ** -(4 + max(0, int(np.ceil(np.log2(trials / 100)))))
    return dict.fromkeys(lag_names(), rate)


def timing() -> Program:
    """One trial."""
    step = Update("u", "drive", SHIFT, gate=False, noise=SIGMA)

    def wait(steps):
        return [Relax(steps, (step,))] if steps else []

    draw = [Project("u>s", "field", "field" if part else None) for part in range(PARTS)]
    draw.append(Sample("s", "field"))
    ops, left = [Project("x>u", "drive"), Clear("u"), *wait(WARM)], STEPS[-1]
    for m in reversed(STEPS):
        ops += [*wait(left - m), *draw, Snapshot("s", f"before{m}")]
        left = m
    ops += [*wait(left), Snapshot("u", LAST), step, Difference("u", MOVE, STATE, LAST)]
    ops += [Learn(f"before{m}", (Outer(("s", f"before{m}"), ("u", MOVE)),)) for m in STEPS]
    gone = 0
    for m in STEPS:
        ops += [*wait(m - gone), *draw, Learn(f"after{m}", (Outer(("s", STATE), ("u", MOVE)),))]
        gone = m
    return Program("spike-timing", tuple(ops))


def curve(weights, trials, rates):
    """Mean product of spike and move by lag, and that of different neurons.

    Parameters
    ----------
    weights : dict of str to ndarray
        Real.

    Returns
    -------
    own, others : ndarray of shape (lags,), float64
    """
    own, others = [], []
    for name in lag_names():
        values = np.asarray(weights[name], np.float64) / (rates[name] * trials)
        n = len(values)
        own.append(np.trace(values) / n)
        others.append((values.sum() - np.trace(values)) / (n * (n - 1)))
    return np.array(own), np.array(others)


def expected_curve():
    """What the curve tends to: ndarray of shape (lags,), float64."""
    eps = 2.0 ** -SHIFT
    variance = SIGMA ** 2 / (1 - eps / 2)
    nodes, shares = np.polynomial.hermite_e.hermegauss(60)
    p = 1 / (1 + np.exp(-PARTS * GAIN * np.sqrt(variance) * nodes))
    slope = PARTS * GAIN * (shares @ (p * (1 - p))) / shares.sum()
    away = np.array(STEPS)
    after = slope * variance * eps * (1 - eps) ** away
    return np.concatenate([-after[::-1], after])
