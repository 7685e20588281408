"""Checks of equilibrium propagation, which the systems have in common (Scellier and Bengio 2017).

The reference table has no section for it; tolerances follow from the theory.  The contrast tends to
the gradient as beta goes to 0, with an error of first order in beta if it is one-sided and of
second order if it is centred (Laborieux et al. 2021).  A truncated nudged phase computes the
truncated gradient through time (Ernoult et al. 2019).
"""

from __future__ import annotations

import numpy as np

from ..executors.float.executor import FloatExecutor
from ..learning.data import load, one_hot
from ..learning.float import TrainingConfig, starting_weights
from ..learning.sweep import sweep
from ..network import glorot, layered
from ..network.energy import energy, total_energy
from ..program import STATE, Program, Relax
from ..program.layered import drive, inference, nudged, start_state, step
from ..references.gradients import cosine, finite_differences, layers_of, through_time
from ..systems import equilibrium
from . import Figure, Row, equilibrium_rules

SYSTEM = "equilibrium-propagation"
SOURCE = "Frontiers in Computational Neuroscience 11:24"
SIZES = (12, 10, 8, 4)
#: Estimators that learn digits; a nudge away from the target alone loses whole classes.
LEARNING = ("random-sign", "one-sided", "centred")


#: Reasons of bounds that are claims.
TENDS = "claim: the contrast tends to the gradient as beta goes to 0"
FALLS = "claim: a step lowers the energy, up to rounding of float64"


def _row(check, value, tolerance, source=SOURCE, reason=""):
    return Row(SYSTEM, check, value, tolerance, source, reason)


def _problem(seed):
    rng = np.random.default_rng(seed)
    network = layered(SIZES, "logistic")
    weights = {name: 2 * values for name, values in glorot(network, seed).items()}
    return network, weights, rng.normal(size=(3, SIZES[0])), rng.random((3, SIZES[-1]))


def _update(problem, estimator, beta_shift, nudge_steps, sign=1):
    """The change of W1, W2, W3 at learning rate 1, from a settled free phase."""
    network, weights, x, d = problem
    executor = FloatExecutor(network, weights, np.float64)
    rate = 1e-6  # too small to affect the run itself
    executor.run(equilibrium.training(network, 600, nudge_steps, beta_shift, estimator=estimator),
                 {"x": x, "d": d}, collect=False, beta_sign=sign,
                 rates=equilibrium.learning_rates(network, rate, beta_shift, estimator))
    return [(executor.weights[f"W{k}"] - weights[f"W{k}"]) / rate for k in (1, 2, 3)]


def _miss(found, true):
    """Relative distance of updates from the descent direction."""
    whole = np.concatenate([g.ravel() for g in true])
    return float(np.linalg.norm(np.concatenate([f.ravel() for f in found]) - whole)
                 / np.linalg.norm(whole))


def gradients(seed):
    """Every estimator against finite differences, and its order in beta."""
    problem = _problem(seed)
    network, weights, x, d = problem
    true = [-g for g, _ in finite_differences(layers_of(weights), x, d, "logistic")]
    for estimator in equilibrium.ESTIMATORS:
        found = _update(problem, estimator, 10, 300)
        yield _row(f"{estimator}, beta 2**-10: cosine with finite differences, layers 1 2 3",
                   [cosine(f, g) for f, g in zip(found, true, strict=True)], "> 0.9999",
                   reason=TENDS)
    shifts, curves = (0, 1, 2, 3, 4), {}
    for name, estimator, signs in (("one-sided", "one-sided", (1,)),
                                   ("mean of both signs", "random-sign", (1, -1)),
                                   ("centred", "centred", (1,))):
        misses = []
        for shift in shifts:
            both = [_update(problem, estimator, shift, 300, sign) for sign in signs]
            misses.append(_miss([np.mean(layer, axis=0) for layer in zip(*both, strict=True)],
                                true))
        curves[name] = misses
        order = np.log2(misses[-2] / misses[-1])
        yield _row(f"{name}: order in beta of the distance from the gradient", order,
                   "0.7 .. 1.3" if name == "one-sided" else "1.7 .. 2.3",
                   "Laborieux et al. 2021", "claim: errors of first order in beta, and of second")
    yield _row("centred over one-sided distance at beta 1/4", curves["centred"][2]
               / curves["one-sided"][2], "< 0.5", "Laborieux et al. 2021")
    still = _update(problem, "one-sided", 10, 1)
    yield _row("control, one nudged step (the signal reaches no hidden layer): change of W1",
               np.abs(still[0]).max(), "< 1e-6",
               reason="claim: a signal needs a step for each layer")
    yield Figure("equilibrium-propagation-order", "Distance from the gradient", "beta",
                 "relative distance", {name: ([2.0 ** -s for s in shifts], values)
                                       for name, values in curves.items()}, log_x=True, log_y=True)


def truncated(seed):
    """A nudged phase of n steps computes the gradient through the last n steps."""
    problem = _problem(seed)
    network, weights, x, d = problem
    steps, curves = (3, 4, 6, 10, 20), []
    for n in steps:
        true = [-g for g, _ in through_time(layers_of(weights), x, d, "logistic", n)]
        found = _update(problem, "centred", 10, n)
        curves.append([cosine(f, g) for f, g in zip(found, true, strict=True)])
    yield _row("centred, beta 2**-10, 3 4 6 10 20 nudged steps: smallest cosine with "
               "backpropagation through as many steps", np.min(curves, axis=1), "> 0.9999",
               "Ernoult et al. 2019", "claim: the gradient through as many steps")
    other = [-g for g, _ in through_time(layers_of(weights), x, d, "logistic", 20)]
    yield _row("control, 3 nudged steps against 20 steps through time: relative distance",
               _miss(_update(problem, "centred", 10, 3), other), "> 0.05", "Ernoult et al. 2019")
    yield Figure("equilibrium-propagation-truncated", "Nudged steps against steps through time",
                 "steps", "1 - cosine", {f"layer {k + 1}": (
                     steps, [max(1 - c[k], 1e-17) for c in curves]) for k in range(3)}, log_y=True)


def descent(seed):
    """Each step of a relaxation lowers the energy; of a nudged one, the total energy."""
    network = layered((64, 40, 10))
    weights = starting_weights(network, TrainingConfig(seed=seed))
    data = load("digits")
    inputs = {"x": data.train[:50], "d": one_hot(data.train_labels[:50], 10)}
    ops, curves = [*drive(network), *start_state(network, "zero")], {}
    for name, beta, nudges in (("energy", 0.0, None),
                               ("total energy, beta 1/2", 0.5, nudged(shift=1))):
        seen = []

        def watch(where, n, states, seen=seen, beta=beta):
            values = {**states, ("d", STATE): inputs["d"]}
            seen.append(total_energy(network, weights, values, beta) if beta
                        else energy(network, weights, values))

        FloatExecutor(network, weights, np.float64).run(
            Program(name, (*ops, Relax(40, step(network, nudges=nudges)))), inputs, on_step=watch)
        curves[name] = np.array(seen)
        yield _row(f"{name}: greatest rise in a step, 50 digits", np.diff(seen, axis=0).max(),
                   "< 1e-9", reason=FALLS)
    yield _row("control, the energy without the cost along the nudged run: greatest rise",
               _rise_without_cost(network, weights, inputs, ops), "> 1e-6")
    yield Figure("equilibrium-propagation-energy", "Energy during relaxation", "step", "energy",
                 {name: (np.arange(41), c.mean(axis=1)) for name, c in curves.items()})


def _rise_without_cost(network, weights, inputs, ops):
    seen = []
    FloatExecutor(network, weights, np.float64).run(
        Program("control", (*ops, Relax(40, step(network)),
                            Relax(5, step(network, nudges=nudged(shift=1))))), inputs,
        on_step=lambda where, n, states: seen.append(energy(network, weights, states)))
    return np.diff(seen, axis=0).max()


def digits(seed):
    """All estimators learn digits; wrong targets teach nothing."""
    data, network = load("digits"), layered((64, 32, 10))
    targets, curves, epochs = one_hot(data.train_labels, 10), {}, 20
    for name in (*LEARNING, "control"):
        estimator = "random-sign" if name == "control" else name
        executor = FloatExecutor(network, starting_weights(network, TrainingConfig(seed=seed)))
        program = equilibrium.training(network, 10, 8, 0, estimator=estimator)
        rates = equilibrium.learning_rates(network, (0.2, 0.1), 0, estimator)
        rng, look, errors = np.random.default_rng(seed), inference(network, 10), []
        for _ in range(epochs):
            order = rng.permutation(len(targets))
            for begin in range(0, len(order), 20):
                chosen = order[begin:begin + 20]
                shown = np.roll(chosen, 1) if name == "control" else chosen
                executor.run(program, {"x": data.train[chosen], "d": targets[shown]}, rates=rates,
                             beta_sign=1 if rng.integers(2) else -1, collect=False)
            found = executor.run(look, {"x": data.test}, collect=False).predictions
            errors.append(float((found != data.test_labels).mean()))
        curves[name] = errors
        if name == "control":
            yield _row("control, targets of other images: test error", errors[-1], "> 0.5")
        else:
            yield _row(f"digits 64-32-10, {epochs} epochs, {name}: test error", errors[-1],
                       "< 0.06")
    yield Figure("equilibrium-propagation-digits", "Digits, 64-32-10", "epoch", "test error",
                 {name: (np.arange(1, epochs + 1), e) for name, e in curves.items()}, log_y=True)


def bits(seed):
    """Test error of what raw integers learn, against the bits of states and weights."""
    widths, epochs = (4, 5, 6, 8, 10, 12, 16), 6
    errors = [next(sweep((64, 32, 10), load("digits"), (width,), (width,), seeds=(seed,),
                         epochs=epochs)).test_error for width in widths]
    yield _row(f"digits 64-32-10 learned in raw integers, {epochs} epochs, states and weights of 8 "
               "10 12 16 bits: test error", errors[3:], "< 0.15", "Apical")
    yield _row("control, 4 bits: the same", errors[0], "> 0.15", "Apical")
    yield Figure("bits-against-error", f"Digits learned in raw integers, {epochs} epochs",
                 "bits of states and of weights", "test error", {"64-32-10": (widths, errors)},
                 log_y=True)


GROUPS = gradients, truncated, descent, digits, bits, *equilibrium_rules.GROUPS
FULL = equilibrium_rules.FULL
