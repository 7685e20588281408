"""Spike-timing curve of paper 4 from the states of a network that settles with Langevin noise.

A step is a millisecond.  Each unit spikes with a probability of its own rate, `PEAK` at most.  A
spike of a presynaptic unit at t changes the weight by du/dt(t) of the postsynaptic one (centred
difference), which is the one-way rule, and the change counts for the lags to all spikes of the
postsynaptic unit: no process but the network makes voltages, rates or spikes.
"""

from __future__ import annotations

import numpy as np

from ..executors.float.executor import FloatExecutor
from ..learning.data import load
from ..learning.float import default_config, train
from ..network import layered
from ..program import STATE, Program, Relax
from ..program.layered import drive, start_state
from ..systems.early_inference import langevin_step
from . import Figure, Row

SYSTEM = "stdp"
SOURCE = "Neural Computation 29:555, arXiv 1509.05936"
#: Network, and how it learns digits before its noise is recorded.
SIZES = (64, 40, 30, 10)
TRAINING = {"epochs": 8, "rates": (0.2, 0.05, 0.02), "beta_shift": 0}
#: eps = 2**-SHIFT, so a unit alone forgets within 32 ms; sqrt of the temperature.
SHIFT, SIGMA = 5, 0.25
#: Spikes a millisecond at rate 1.
PEAK = 0.1
#: Runs, images of each, recorded milliseconds, and those before to reach the stationary state.
RUNS, IMAGES, STEPS, BURN = 2, 60, 3000, 200
#: Populations (before, after): one matrix, upwards and downwards.
PAIRS = (("h1", "h2"), ("h2", "h1"))
LAGS = np.array([lag for lag in range(-60, 61, 5) if lag])


def langevin_states(network, weights, images, steps, seed):
    """States of every settling population by step: dict of ndarray (steps, images, units)."""
    kept = {p.name: [] for p in network.free}

    def watch(where, n, states):
        for name, history in kept.items():
            history.append(states[name, STATE].copy())

    program = Program("langevin", (*drive(network), *start_state(network, "sweep"), Relax(
        BURN + steps, langevin_step(network, SIGMA, SHIFT))))
    FloatExecutor(network, weights).run(program, {"x": images}, seed=seed, on_step=watch)
    return {name: np.array(history[BURN:]) for name, history in kept.items()}


def spikes(states, rng):
    """Whether each unit spikes in each millisecond: bool, of the shape of `states`."""
    return rng.random(states.shape, np.float32) < PEAK * states


def conditioned_slope(pre, post, voltage, lags):
    """Sum of du/dt over presynaptic spikes at t and postsynaptic spikes at t + lag.

    Parameters
    ----------
    pre : ndarray of shape (steps, images, m), bool
    post : ndarray of shape (steps, images, n), bool
    voltage : ndarray of shape (steps, images, n)
        Of the units of `post`.
    lags : sequence of int

    Returns
    -------
    ndarray of shape (lags, 2), float64
        Sum, and number of pairs of spikes.
    """
    count = pre.sum(axis=2, dtype=np.float32)[..., None]
    slope = np.zeros_like(voltage)
    slope[1:-1] = (voltage[2:] - voltage[:-2]) / 2
    change, count = slope * count, np.broadcast_to(count, voltage.shape)
    edge, steps, found = max(map(abs, lags)) + 1, len(voltage), []
    for lag in lags:
        later = post[edge + lag:steps - edge + lag]
        found.append([values[edge:steps - edge][later].sum(dtype=np.float64)
                      for values in (change, count)])
    return np.array(found)


def fitted(lags, curve):
    """Exponential windows fitted to both sides: (fit, amplitudes and constants of each side)."""
    from scipy.optimize import curve_fit

    fit, found = np.zeros(len(lags)), []
    for side in (1, -1):
        here = np.sign(lags) == side
        distance, values = np.abs(lags[here]), side * curve[here]
        (height, tau), _ = curve_fit(lambda t, a, tau: a * np.exp(-t / tau), distance, values,
                                     p0=(np.abs(values).max(), 20.0), maxfev=5000)
        fit[here] = side * height * np.exp(-distance / tau)
        found.append((height, tau))
    return fit, found


def network_window(seed):
    """The rate rule on the network's own states and spikes draws the timing window."""
    data, network = load("digits"), layered(SIZES)
    weights = train(network, data, default_config("digits", SIZES, seed=seed,
                                                  **TRAINING)).weights
    rng = np.random.default_rng([seed, 4])
    order = rng.permutation(len(data.test))
    sums = dict.fromkeys(PAIRS, 0.0)
    control = 0.0
    for run in range(RUNS):
        images = data.test[order[run * IMAGES:(run + 1) * IMAGES]]
        states = langevin_states(network, weights, images, STEPS, RUNS * seed + run)
        fired = {name: spikes(u, rng) for name, u in states.items()}
        for before, after in PAIRS:
            sums[before, after] += conditioned_slope(fired[before], fired[after], states[after],
                                                     LAGS)
        # Postsynaptic spikes of the same rates, but of another image: they follow another voltage.
        before, after = PAIRS[0]
        control += conditioned_slope(fired[before], np.roll(fired[after], 1, axis=1),
                                     states[after], LAGS)
    near, curves = np.abs(LAGS) <= 30, {}
    for (before, after), both in sums.items():
        curve = both[:, 0] / both[:, 1]
        fit, sides = fitted(LAGS, curve)
        curves[f"{before} to {after}"] = curve, fit
        names = f"network's own states, {before} to {after}"
        yield Row(SYSTEM, f"{names}: value of the curve times sign of the lag, 5 to 30 ms (1e-3 a "
                  "ms)", 1e3 * curve[near] * np.sign(LAGS[near]), "> 0", SOURCE,
                  "claim: a weight grows where the postsynaptic spike comes later, and shrinks "
                  "where it comes earlier", name="stdp-curve-network")
        yield Row(SYSTEM, f"{names}: correlation of the curve with exponential windows fitted to "
                  "both sides", np.corrcoef(curve, fit)[0, 1], "> 0.9", SOURCE,
                  "claim: the curve is that of spike-timing dependent plasticity; correlation of "
                  "more than .9 is required here", name="stdp-curve-network")
        yield Row(SYSTEM, f"{names}: time constants of the windows, later and earlier spikes (ms)",
                  [tau for _, tau in sides], "5 .. 60", SOURCE)
    curve, _ = curves[" to ".join(PAIRS[0])]
    shuffled = control[:, 0] / control[:, 1]
    yield Row(SYSTEM, "control, spikes of the network at another image: size of the curve over "
              "that of the true one", np.linalg.norm(shuffled) / np.linalg.norm(curve), "< 0.3",
              SOURCE)
    yield Figure("stdp-network", "Weight change of the rate rule by spike timing (network)",
                 "t_post - t_pre (ms)", "mean du/dt (1/ms)",
                 {f"{name}, fitted": (LAGS, fit) for name, (_, fit) in curves.items()},
                 {name: (LAGS, curve) for name, (curve, _) in curves.items()})
