"""STDP-compatible learning (paper 4): weight change = presynaptic rate times rate of change of the
postsynaptic state, while the nudge moves it.

Bengio, Mesnard, Fischer, Zhang and Wu (2017, Neural Computation 29:555, arXiv 1509.05936); Scellier
and Bengio (2017), equations 11 to 14.  Rules of a nudge step t to t + 1 (j below, i above):

* one-way: ``Delta W_ij = eta r_j(t) (r_i(t+1) - r_i(t))``;
* tied (integrated): adds ``eta r_i(t+1) (r_j(t+1) - r_j(t))``, so that the sum over the steps
  telescopes to the contrast ``r_i r_j`` of both phases exactly, as long as weights stand still;
* contrast: the end states alone, :func:`~apical.golden.systems.equilibrium.training`.

The last part of the file simulates spikes: the spike-timing curve that the one-way rule draws,
and the pair rule that goes back from the curve to the rate rule.
"""  # noqa: D205

from __future__ import annotations

import numpy as np

from ..errors import MisuseError
from ..network import Network
from ..program import STATE, Difference, Learn, Outer, Program, Relax, Snapshot
from ..program.layered import EPS_SHIFT, drive, nudged, start_state, step
from . import equilibrium
from .problems import layered_problem
from .system import System

RULES = ("contrast", "integrated", "one-way")
#: Slots: the state before a step, and what the step changed.
LAST, MOVE = "last", "move"


def _couplings(network):
    """(matrix, population below, population above) of every use upwards."""
    return [(p.matrix, p.source, p.target) for p in network.projections if not p.transpose]


def step_rule(network: Network, rule):
    """Differences and learning operations after one nudge step.

    Parameters
    ----------
    rule : str
        ``"integrated"`` or ``"one-way"``.
    """
    for population in network.free:
        if population.rate == "logistic":
            raise MisuseError("the rules of every step multiply states, which are rates of hard "
                              f"units only; population '{population.name}' is logistic")
    ops = [Difference(p.name, MOVE, STATE, LAST) for p in network.free]
    for matrix, below, above in _couplings(network):
        if network.population(below).fixed_rate:
            terms = (Outer((below, STATE), (above, MOVE)),)
        else:
            terms = (Outer((below, LAST), (above, MOVE)),)
            if rule == "integrated":
                terms += (Outer((below, MOVE), (above, STATE)),)
        ops.append(Learn(matrix, terms, by_sign=True))
    return ops


def training(network: Network, rule="integrated", steps=equilibrium.FREE_STEPS,
             nudge_steps=equilibrium.NUDGE_STEPS, beta_shift=equilibrium.BETA_SHIFT,
             start="sweep", shift=EPS_SHIFT, output="y", target="d") -> Program:
    """One training image (or batch) by one of `RULES`.

    The free state is left in slot ``"free"``, so that the next run can start from it
    (``start="keep"``).  Rates: :func:`~apical.golden.systems.equilibrium.learning_rates`.

    Parameters
    ----------
    rule : str
    steps, nudge_steps, beta_shift, start, shift, output, target
        As for :func:`~apical.golden.systems.equilibrium.training`.
    """
    if rule not in RULES:
        raise MisuseError(f"unknown rule '{rule}'; known: {', '.join(RULES)}")
    if rule == "contrast":
        return equilibrium.training(network, steps, nudge_steps, beta_shift, start, shift,
                                    output=output, target=target)
    for name, count in (("steps", steps), ("nudge_steps", nudge_steps)):
        if count < (name == "nudge_steps"):
            raise MisuseError(f"{name} is {count}; the nudged phase needs a step at least")
    nudges = nudged(target, output, beta_shift, random_sign=True)
    ops = drive(network) + start_state(network, start)
    ops.append(Relax(steps, step(network, shift)))
    ops += [Snapshot(p.name, equilibrium.FREE) for p in network.free]
    before = tuple(Snapshot(p.name, LAST) for p in network.free)
    ops.append(Relax(nudge_steps, (*before, *step(network, shift, nudges),
                                   *step_rule(network, rule))))
    program = Program(f"stdp-{rule}-{start}-{steps}-{nudge_steps}", tuple(ops))
    program.check(network)
    return program


# Records -----------------------------------------------------------------------------------------


def _record(rule, summary, sizes, rates, more=()):
    def program(network, config):
        return training(network, rule, config.steps, config.nudge_steps, config.beta_shift,
                        shift=EPS_SHIFT if config.shift is None else config.shift)

    return System(
        name=f"stdp-{rule}", summary=summary, program=program, rates=equilibrium.rates_of,
        # The change of a step is what equilibrium propagation sums up, so its settings serve.
        defaults=equilibrium.FLOAT_DEFAULTS | equilibrium.FIXED_DEFAULTS | dict(more),
        case=lambda rng: layered_problem(
            rng, sizes, lambda network: training(network, rule),
            lambda network: equilibrium.learning_rates(network, rates)))


CONTRAST = _record("contrast", "STDP-compatible rule, contrast of both phases", (20, 14, 8, 4),
                   (0.1, 0.1, 0.05))
# Learning at every step of the nudged phase feeds back into it: with the output rate of the
# contrast classes die in the first epoch.
INTEGRATED = _record("integrated", "STDP-compatible rule, every step, tied", (22, 14, 5),
                     (0.1, 0.05), {("float", "mnist", 2): {
                         **equilibrium.FLOAT_DEFAULTS["float", "mnist", 2],
                         "epochs": 15, "rates": (0.2, 0.02)}})
ONE_WAY = _record("one-way", "STDP-compatible rule, every step, upwards only", (18, 15, 6),
                  (0.1, 0.05))


# Spikes ------------------------------------------------------------------------------------------


def ornstein_uhlenbeck(steps, tau=20.0, seed=0):
    """A stationary voltage of unit variance and autocovariance ``exp(-|lag| / tau)``.

    Parameters
    ----------
    steps : int
        Of 1 ms.
    tau : float
        Milliseconds.

    Returns
    -------
    ndarray of shape (steps,), float64
    """
    from scipy.signal import lfilter

    rng, keep = np.random.default_rng(seed), np.exp(-1.0 / tau)
    noise = rng.normal(size=steps) * np.sqrt(1 - keep * keep)
    noise[0] /= np.sqrt(1 - keep * keep)  # start in the stationary distribution
    return lfilter([1.0], [1.0, -keep], noise)


def timing_curve(lags, steps=2_000_000, tau=20.0, gain=0.3, rate=0.02, seed=0):
    """Mean weight change of the one-way rule by spike-time difference.

    The postsynaptic voltage u is an Ornstein-Uhlenbeck process, its spikes come with rate
    ``rate (1 + gain u)``.  A presynaptic spike at t changes the weight by du/dt(t) (centred
    difference); the presynaptic neuron is independent, so every millisecond stands for its spike.

    Parameters
    ----------
    lags : ndarray of shape (n,), int64
        t_post - t_pre in milliseconds.
    steps : int
        Milliseconds simulated.
    tau : float
        Milliseconds.
    gain : float
        Modulation of the rate by the voltage.
    rate : float
        Spikes a millisecond.
    seed : int

    Returns
    -------
    ndarray of shape (n,), float64
        Mean du/dt at the presynaptic time, a millisecond.
    """
    u = ornstein_uhlenbeck(steps, tau, seed)
    probability = np.clip(rate * (1 + gain * u), 0, 1)
    spikes = np.flatnonzero(np.random.default_rng([seed, 1]).random(steps) < probability)
    slope = np.zeros(steps)
    slope[1:-1] = (u[2:] - u[:-2]) / 2
    lags = np.asarray(lags)
    edge = int(np.abs(lags).max()) + 2
    spikes = spikes[(spikes >= edge) & (spikes < steps - edge)]
    return np.array([slope[spikes - lag].mean() for lag in lags])


def timing_window(lags, tau=20.0, gain=0.3):
    """What the curve tends to, ``(gain / tau) sign(lag) exp(-|lag| / tau)`` (derived here)."""
    lags = np.asarray(lags, np.float64)
    return gain / tau * np.sign(lags) * np.exp(-np.abs(lags) / tau)


def pair_rule_on_ramps(slopes=60, trials=400, length=1000, tau=20.0, rate=0.05, reach=100,
                       margin=100, seed=0):
    """Pair rule on Poisson spikes whose postsynaptic rate rises or falls linearly.

    Every pair changes the weight by ``sign(lag) exp(-|lag| / tau)``, lags up to `reach`.  The mean
    change is ``2 tau**2 r_pre (dr_post/dt) T``: the pair rule measures the rate rule.

    Parameters
    ----------
    slopes : int
        Ramps from falling to rising, spread evenly.
    trials : int
        Trials of each ramp, averaged.
    length : int
        Milliseconds of a trial.
    tau : float
    rate : float
        Mean rate of both neurons, spikes a millisecond.
    reach : int
        Longest lag of a pair, milliseconds.
    margin : int
        Presynaptic spikes so close to an end do not count, because their pairs beyond the end are
        missing; with 0 that halves the slope.
    seed : int

    Returns
    -------
    expected : ndarray of shape (slopes,), float64
        ``r_pre (dr_post/dt) T`` with the T that counts.
    change : ndarray of shape (slopes,), float64
    """
    rng = np.random.default_rng(seed)
    # At the steepest ramps the rate just stays within 0..2 rate.
    ramps = np.linspace(-1, 1, slopes) * 2 * rate / length
    time = np.arange(length) - (length - 1) / 2
    half = np.exp(-np.arange(1, reach + 1) / tau)
    # change = sum over pre spikes of sum_lag half[lag] (post(t + lag) - post(t - lag))
    kernel = np.concatenate([half[::-1], [0.0], -half])
    change = np.zeros(slopes)
    for number, ramp in enumerate(ramps):
        post = (rng.random((trials, length), np.float32) < rate + ramp * time).astype(np.float64)
        pre = rng.random((trials, length), np.float32) < rate
        pre[:, :margin] = False
        pre[:, length - margin:] = False
        change[number] = sum(np.convolve(p, kernel, mode="same")[s].sum()
                             for p, s in zip(post, pre, strict=True)) / trials
    return rate * ramps * (length - 2 * margin), change
