"""Checks of paper 4, STDP-compatible learning (Bengio et al. 2017, Neural Computation 29:555)."""

from __future__ import annotations

import numpy as np

from ..executors.float.executor import FloatExecutor
from ..learning.data import load, one_hot
from ..learning.float import TrainingConfig, starting_weights
from ..network import glorot, layered
from ..program.layered import inference
from ..references.gradients import cosine, finite_differences, layers_of
from ..systems import equilibrium
from ..systems.stdp import pair_rule_on_ramps, timing_curve, timing_window, training
from . import Figure, Row
from .stdp_network import SOURCE, SYSTEM, network_window

CONTRAST_SIZES = (12, 10, 8, 4)


def _row(check, value, tolerance, reason=""):
    return Row(SYSTEM, check, value, tolerance, SOURCE, reason)


def window(seed):
    """The one-way rule, conditioned on spikes, gives the double-exponential window."""
    lags = np.arange(-80, 81, 5)
    curve, theory = timing_curve(lags, seed=seed), timing_window(lags)
    used = lags != 0
    yield _row("spike-timing curve, lags of 5 to 80 ms: correlation with the double exponential",
               np.corrcoef(curve[used], theory[used])[0, 1], "> 0.95")
    yield _row("spike-timing curve: amplitude over theory",
               curve[used] @ theory[used] / (theory[used] @ theory[used]), "0.9 .. 1.1")
    near = used & (np.abs(lags) <= 30)
    yield _row("spike-timing curve: value times sign of the lag, up to 30 ms (1e-3 a ms)",
               1e3 * curve[near] * np.sign(lags[near]), "> 0")
    yield _row("spike-timing curve: |sum| over sum of |values|",
               abs(curve[used].sum()) / np.abs(curve[used]).sum(), "< 0.15")
    silent = timing_curve(lags, gain=0.0, seed=seed)
    yield _row("control, spikes that do not follow the voltage: amplitude over theory",
               abs(silent[used] @ theory[used]) / (theory[used] @ theory[used]), "< 0.2")
    fine = np.linspace(-80, 80, 321)
    yield Figure("stdp-window", "Weight change of the rate rule by spike timing",
                 "t_post - t_pre (ms)", "mean du/dt (1/ms)",
                 {"theory": (fine, timing_window(fine))}, {"simulated": (lags, curve)})


def pairs(seed):
    """Conversely, the pair rule on ramped Poisson rates measures r_pre dr_post/dt."""
    expected, change = pair_rule_on_ramps(seed=seed)
    slope = expected @ change / (expected @ expected)
    spread = np.square(change - change.mean()).sum()
    # Discrete theory 2 sum of k exp(-k / tau) over lags up to 100 ms is 768; 2 tau^2 is 800.
    yield _row("pair rule on ramps: slope against r_pre dr_post/dt T (ms^2, theory 768)", slope,
               "691 .. 845")
    yield _row("pair rule on ramps: R^2",
               1 - np.square(change - slope * expected).sum() / spread, "> 0.7")
    bare, shifted = pair_rule_on_ramps(trials=100, margin=0, seed=seed)
    yield _row("control, presynaptic spikes up to the ends: slope (half, by the missing pairs)",
               bare @ shifted / (bare @ bare), "< 500")
    yield Figure("stdp-pairs", "Pair rule on ramped rates", "r_pre dr_post/dt T (1/ms^2)",
                 "mean weight change", {"theory": (expected, 768 * expected)},
                 {"simulated": (expected, change)})


def _smooth_problem(seed):
    rng = np.random.default_rng(seed)
    network = layered(CONTRAST_SIZES, "logistic")
    weights = {name: 2 * values for name, values in glorot(network, seed).items()}
    return network, weights, rng.normal(size=(3, CONTRAST_SIZES[0])), rng.random((3, 4))


def contrast_gradient(seed):
    """The contrast against finite differences of the cost at the fixed point."""
    network, weights, x, d = _smooth_problem(seed)
    true = [-g for g, _ in finite_differences(layers_of(weights), x, d, "logistic")]
    found = {}
    for shift in (10, 3, 1, 0):
        executor = FloatExecutor(network, weights, np.float64)
        program = equilibrium.training(network, 600, 300, shift, estimator="one-sided")
        executor.run(program, {"x": x, "d": d}, collect=False,
                     rates=equilibrium.learning_rates(network, 1e-6, shift))
        found[shift] = [cosine(executor.weights[f"W{k}"] - weights[f"W{k}"], g)
                        for k, g in enumerate(true, 1)]
    for shift, name, tolerance in ((10, "2**-10", "> 0.9999"), (3, "1/8", "> 0.99"),
                                   (1, "1/2", "> 0.85"), (0, "1", "> 0")):
        yield _row(f"contrast, smooth rates, 12-10-8-4, beta {name}: cosine with finite "
                   "differences of -dJ/dW, layers 1 2 3", found[shift], tolerance)
    executor = FloatExecutor(network, weights, np.float64)
    executor.run(equilibrium.training(network, 600, 1, 10, estimator="one-sided"),
                 {"x": x, "d": d}, collect=False,
                 rates=equilibrium.learning_rates(network, 1e-6, 10))
    early = [cosine(executor.weights[f"W{k}"] - weights[f"W{k}"], true[k - 1]) for k in (1, 2)]
    yield _row("control, one nudged step, which no hidden layer feels: the same cosine, layers "
               "1 2", early, "< 0.1")
    yield Figure("stdp-contrast", "Contrast against finite differences", "beta", "cosine",
                 points={f"layer {k + 1}": ([2.0 ** -s for s in found],
                                            [found[s][k] for s in found]) for k in range(3)},
                 log_x=True)


def _learn(seed, sizes, rule, rates, steps, nudge_steps, beta_shift, epochs=20, batch=20):
    """Test errors on digits by epoch; the states of each image are kept between epochs."""
    data, network = load("digits"), layered(sizes)
    executor = FloatExecutor(network, starting_weights(network, TrainingConfig(seed=seed)))
    targets, rng = one_hot(data.train_labels, 10), np.random.default_rng(seed)
    program = training(network, rule, steps, nudge_steps, beta_shift, start="keep")
    rates = equilibrium.learning_rates(network, rates, beta_shift)
    free = [p.name for p in network.free]
    kept = {p.name: np.zeros((len(targets), p.size), np.float32) for p in network.free}
    look = inference(network, max(steps, 20))
    errors = []
    for _ in range(epochs):
        order = rng.permutation(len(targets))
        for begin in range(0, len(order), batch):
            chosen = order[begin:begin + batch]
            sign = 1 if rng.integers(2) else -1
            states = executor.run(
                program, {"x": data.train[chosen], "d": targets[chosen]},
                {name: kept[name][chosen] for name in free}, rates, sign).states
            for name in free:
                kept[name][chosen] = states[name, equilibrium.FREE]
        result = executor.run(look, {"x": data.test}, collect=False)
        errors.append(float((result.predictions != data.test_labels).mean()))
    return errors


def digits(seed):
    """The three rules learn digits equally well."""
    curves = {rule: _learn(seed, (64, 40, 10), rule, (0.1, 0.05), 20, 4, 1)
              for rule in ("contrast", "integrated", "one-way")}
    for rule, errors in curves.items():
        yield _row(f"digits 64-40-10, persistent states, 20 epochs, {rule}: test error",
                   errors[-1], "< 0.08")
    last = [errors[-1] for errors in curves.values()]
    yield _row("the three rules: greatest less smallest test error", max(last) - min(last),
               "< 0.02")
    deep = _learn(seed, (64, 40, 30, 10), "contrast", (0.4, 0.1, 0.01), 100, 6, 0)
    yield _row("digits 64-40-30-10, 100 + 6 steps, beta 1, 20 epochs, contrast: test error",
               deep[-1], "< 0.15")
    curves["contrast, two hidden layers"] = deep
    epochs = np.arange(1, 21)
    yield Figure("stdp-digits", "Digits, persistent states", "epoch", "test error",
                 {rule: (epochs, errors) for rule, errors in curves.items()}, log_y=True)


def telescoping(seed):
    """While weights do not change, the integrated rule sums to the contrast exactly."""
    network = layered((12, 9, 5))
    weights = starting_weights(network, TrainingConfig(seed=seed))
    rng = np.random.default_rng(seed)
    x, d = rng.random((8, 12)), rng.random((8, 5))
    moved = {}
    for rule in ("contrast", "integrated", "one-way"):
        executor = FloatExecutor(network, weights, np.float64)
        # A rate so small that the weights hardly change while the sum is formed.
        executor.run(training(network, rule, 20, 4), {"x": x, "d": d}, rates=dict.fromkeys(
            executor.weights, 1e-7), collect=False)
        moved[rule] = {name: executor.weights[name] - weights[name] for name in ("W1", "W2")}

    def far(rule):
        return max(np.abs(moved[rule][name] - moved["contrast"][name]).max()
                   / np.abs(moved["contrast"][name]).max() for name in ("W1", "W2"))

    yield _row("integrated rule over 4 steps, standing weights: relative difference from the "
               "contrast", far("integrated"), "< 1e-5",
               "claim: the sum of the steps telescopes to the contrast")
    yield _row("control, the one-way rule: the same", far("one-way"), "> 1e-3")


GROUPS = window, network_window, pairs, contrast_gradient, telescoping, digits
