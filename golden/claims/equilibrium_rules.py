"""Checks of the rules that are kin to equilibrium propagation, each against its own reference.

The references are plain NumPy (:mod:`apical.golden.references.contrastive`) or counts of all states
(:mod:`apical.golden.references.stochastic`).  Problems are those of
:mod:`apical.golden.claims.equilibrium_propagation`: smooth rates, 12-10-8-4.
"""

from __future__ import annotations

import numpy as np

from ..executors.float.executor import FloatExecutor
from ..learning.data import load
from ..learning.float import default_config, train
from ..network import glorot, layered
from ..references import contrastive
from ..references.gradients import cosine, finite_differences, layers_of
from ..references.stochastic import expected_contrast, free_energy_cost
from ..systems import (
    contrastive_hebbian,
    equilibrium,
    feedback_alignment,
    four_point,
    spiking,
    vector_field,
)
from ..systems.registry import trainer
from . import Figure, Row

SYSTEM = "equilibrium-propagation"
SIZES, LAYERS = (12, 10, 8, 4), (1, 2, 3)
#: Smaller, where every weight is moved and two fixed points are found for each.
SMALL = (8, 6, 5, 3)
#: A learning rate too small to affect the run itself.
TINY = 1e-6
#: Cosine with its own reference that every rule has.
AGREES = "> 0.99"
LABORIEUX = "Laborieux et al. 2021"
#: Source of the rule -> where it is stated.
SOURCES = {"four-point": "Laborieux and Zenke 2022", "hebbian": "Movellan 1991",
           "vector-field": "arXiv 1808.04873", "alignment": "Nature Communications 7:13276",
           "spiking": "arXiv 2103.09985"}
EPOCHS = 12


def _row(check, value, tolerance, source, name="", reason=""):
    return Row(SYSTEM, check, value, tolerance, source, reason, name)


def smooth_problem(seed, network=None, sizes=SIZES):
    """A network of logistic units with weights, images and targets."""
    rng = np.random.default_rng(seed)
    network = network or layered(sizes, "logistic")
    weights = {name: 2 * values for name, values in glorot(network, seed).items()}
    return network, weights, rng.normal(size=(3, sizes[0])), rng.random((3, sizes[-1]))


def changes(problem, program, rates, sign=1, names=None):
    """What a program adds to the weights, at learning rates of 1 in ``rates(TINY)``."""
    network, weights, x, d = problem
    executor = FloatExecutor(network, weights, np.float64)
    executor.run(program, {"x": x, "d": d}, collect=False, beta_sign=sign, rates=rates(TINY))
    return [(executor.weights[name] - weights[name]) / TINY
            for name in names or [f"W{k}" for k in LAYERS]]


def _cosines(found, true):
    return [cosine(f, t) for f, t in zip(found, true, strict=True)]


def _miss(found, true):
    whole = np.concatenate([g.ravel() for g in true])
    return float(np.linalg.norm(np.concatenate([f.ravel() for f in found]) - whole)
                 / np.linalg.norm(whole))


def _first(pairs):
    """Weights without biases of a list of pairs."""
    return [pair[0] for pair in pairs]


def learned_error(seed, rule, sizes=(64, 32, 10), epochs=EPOCHS, data="digits", **changes_):
    """(test error, weights) of a rule with its defaults."""
    dataset, record = load(data), trainer(rule)
    config = default_config(data, sizes, rule, seed=seed, epochs=epochs, **changes_)
    result = train(record.network(sizes), dataset, config)
    return result.test_error, result.weights


def symmetric(seed):
    """Nudges of one and of both signs against their contrasts, and against the gradient."""
    problem = smooth_problem(seed)
    network, weights, x, d = problem
    real, beta, shift = layers_of(weights), 0.25, 2
    gradient = [-g for g in _first(finite_differences(real, x, d, "logistic"))]
    for estimator, terms, name in (
            ("centred", {beta: 0.5 / beta, -beta: -0.5 / beta}, "ep-symmetric"),
            ("negative", {0.0: 1 / beta, -beta: -1 / beta}, "ep-negative")):
        found = changes(problem, equilibrium.training(network, 600, 300, shift,
                                                      estimator=estimator),
                        lambda rate, e=estimator: equilibrium.learning_rates(network, rate, shift,
                                                                             e))
        own = _first(contrastive.weighted_contrast(real, x, d, "logistic", terms))
        yield _row(f"{name}, smooth rates, 12-10-8-4, beta 1/4: cosine with its own contrast of "
                   "fixed points, layers 1 2 3", _cosines(found, own), AGREES, LABORIEUX, name)
        yield _row(f"{name}: distance from that contrast over its length", _miss(found, own),
                   "< 0.01", LABORIEUX)
        yield _row(f"{name}: cosine with finite differences of -dJ/dW", _cosines(found, gradient),
                   "> 0.9", LABORIEUX)
    error, _ = learned_error(seed, "ep-symmetric")
    yield _row(f"ep-symmetric, digits 64-32-10, {EPOCHS} epochs: test error", error, "< 0.06",
               LABORIEUX)


def four(seed):
    """Four nudges: their own formula, fourth order in beta, and digits."""
    problem = smooth_problem(seed)
    network, weights, x, d = problem
    real = layers_of(weights)
    gradient = [-g for g in _first(finite_differences(real, x, d, "logistic", 1e-4))]
    shifts, curves = (1, 2, 3, 4), {"four nudges": [], "two nudges": []}
    for shift in shifts:
        found = changes(problem, four_point.training(network, 800, 600, shift),
                        lambda rate, s=shift: four_point.learning_rates(network, rate, s))
        curves["four nudges"].append(_miss(found, gradient))
        two = changes(problem, equilibrium.training(network, 800, 600, shift,
                                                    estimator="centred"),
                      lambda rate, s=shift: equilibrium.learning_rates(network, rate, s,
                                                                       "centred"))
        curves["two nudges"].append(_miss(two, gradient))
        if shift == 2:
            b = 2.0 ** -shift
            own = _first(contrastive.weighted_contrast(real, x, d, "logistic", {
                b: 8 / (12 * b), -b: -8 / (12 * b), 2 * b: -1 / (12 * b), -2 * b: 1 / (12 * b)}))
            yield _row("four nudges, smooth rates, 12-10-8-4, beta 1/4 and 1/2: cosine with the "
                       "formula on fixed points, layers 1 2 3", _cosines(found, own), AGREES,
                       SOURCES["four-point"])
    # The claim is of small nudges: at beta 1/4 terms of sixth order still count.
    order = np.log2(curves["four nudges"][2] / curves["four nudges"][3])
    yield _row("four nudges: order in beta of the distance from the gradient, beta 1/8 to 1/16",
               order, "3.5 .. 4.5", SOURCES["four-point"], "ep-four-point",
               "claim: errors of order beta**4")
    yield _row("four nudges over two: distance from the gradient at beta 1/4",
               curves["four nudges"][1] / curves["two nudges"][1], "< 0.5",
               SOURCES["four-point"])
    error, _ = learned_error(seed, "ep-four-point")
    yield _row(f"four nudges, digits 64-32-10, {EPOCHS} epochs: test error", error, "< 0.06",
               SOURCES["four-point"])
    yield Figure("equilibrium-propagation-four-point", "Two and four nudges", "beta",
                 "relative distance from the gradient",
                 {name: ([2.0 ** -s for s in shifts], values) for name, values in curves.items()},
                 log_x=True, log_y=True)


def hebbian(seed):
    """Contrastive Hebbian learning descends its own objective, not the output error."""
    problem = smooth_problem(seed, sizes=SMALL)
    network, weights, x, d = problem
    real = layers_of(weights)
    own = contrastive.differences(
        real, lambda w: contrastive.hebbian_objective(w, x, d, "logistic"))
    found = changes(problem, contrastive_hebbian.training(network, 600, 600),
                    lambda rate: contrastive_hebbian.learning_rates(network, rate))
    source = SOURCES["hebbian"]
    yield _row("contrastive Hebbian learning, smooth rates, 8-6-5-3: cosine with finite "
               "differences of the clamped less the free energy, layers 1 2 3",
               _cosines(found, [-g for g in _first(own)]), AGREES, source, "contrastive-hebbian")
    gradient = [-g for g in _first(finite_differences(real, x, d, "logistic"))]
    yield _row("control, finite differences of the output error instead: relative distance",
               _miss(found, gradient), "> 0.05", source)
    error, _ = learned_error(seed, "contrastive-hebbian")
    yield _row(f"contrastive Hebbian learning, digits 64-32-10, {EPOCHS} epochs: test error",
               error, "< 0.08", source)


def vector(seed):
    """Feedback weights of their own: the rule, the gradient where it is one, and digits."""
    source = SOURCES["vector-field"]
    network = vector_field.vector_field_network(SIZES, "logistic")
    problem = smooth_problem(seed, network)
    _, weights, x, d = problem
    shift, names = 10, [*(f"W{k}" for k in LAYERS), "B2", "B3"]
    program = vector_field.training(network, 600, 300, shift, random_sign=False)

    def rates(rate):
        return equilibrium.learning_rates(network, rate, shift)

    up, down = contrastive.vector_field_update(
        layers_of(weights), [weights["B2"], weights["B3"]], x, d, "logistic", 2.0 ** -shift)
    found = changes(problem, program, rates, names=names)
    yield _row("vector field, smooth rates, 12-10-8-4, random feedback, beta 2**-10: cosine with "
               "the rule on fixed points, W1 W2 W3 B2 B3", _cosines(found, up + down), AGREES,
               source, "vector-field")
    tied = {**weights, "B2": weights["W2"].T, "B3": weights["W3"].T}
    found = changes((network, tied, x, d), program, rates, names=names)
    true = [-g for g in _first(finite_differences(layers_of(tied), x, d, "logistic"))]
    # The tied matrix collects what W and B learn.
    both = [found[0], found[1] + found[3].T, found[2] + found[4].T]
    yield _row("vector field, feedback the transpose: cosine of the changes of W and B together "
               "with finite differences of -dJ/dW, layers 1 2 3", _cosines(both, true), "> 0.999",
               source)
    first = trainer("vector-field").weights(
        vector_field.vector_field_network((64, 32, 10)),
        default_config("digits", (64, 32, 10), "vector-field", seed=seed))
    error, learned = learned_error(seed, "vector-field")
    yield _row("vector field, digits 64-32-10: cosine of B2 and the transpose of W2 before and "
               f"after {EPOCHS} epochs",
               [cosine(w["B2"], w["W2"].T) for w in (first, learned)], "increasing", source,
               reason="claim: learning pulls feedback and feedforward weights together")
    yield _row(f"vector field, digits 64-32-10, {EPOCHS} epochs: test error", error, "< 0.08",
               source)


def alignment(seed):
    """Fixed random feedback: the rule, digits, and weights that align with it."""
    source, rng = SOURCES["alignment"], np.random.default_rng(seed)
    network = feedback_alignment.alignment_network(SIZES)
    weights = {name: 0.5 * values for name, values in glorot(network, seed).items()}
    for name in weights:
        if name[0] == "b":
            weights[name] = np.full_like(weights[name], 0.3)
        if name[0] == "B":  # so weak that units stay on their side of a limit
            weights[name] *= 0.02
    problem = network, weights, rng.random((40, SIZES[0])), rng.random((40, SIZES[-1]))
    found = changes(problem, feedback_alignment.training(network),
                    lambda rate: feedback_alignment.learning_rates(network, rate))
    own = contrastive.alignment_update(layers_of(weights), [weights["B2"], weights["B3"]],
                                       *problem[2:])
    yield _row("feedback alignment, hard rates, 12-10-8-4: cosine with errors times the slope of "
               "the units, layers 1 2 3", _cosines(found, own), AGREES, source,
               "feedback-alignment")
    error, learned = learned_error(seed, "feedback-alignment")
    yield _row(f"feedback alignment, digits 64-32-10, {EPOCHS} epochs: test error", error,
               "< 0.08", source)
    first = trainer("feedback-alignment").weights(
        feedback_alignment.alignment_network((64, 32, 10)),
        default_config("digits", (64, 32, 10), "feedback-alignment", seed=seed))
    yield _row("feedback alignment, digits: cosine of W2 and the transpose of the fixed B2 before "
               "and after", [cosine(w["B2"], w["W2"].T) for w in (first, learned)], "increasing",
               source, reason="claim: forward weights align with fixed feedback")


def spikes(seed):
    """Bernoulli spikes against expectations over every state of 6-5-3."""
    source, rng = SOURCES["spiking"], np.random.default_rng(seed)
    network, beta, copies = spiking.spiking_network((6, 5, 3)), 2.0, 3000
    weights = {name: 2 * values for name, values in glorot(network, seed).items()}
    weights |= spiking.nudge_weights(network, beta)
    x, d, real = rng.random((3, 6)), np.eye(3), layers_of(weights)
    exact = expected_contrast(real, x, d, beta)
    own = contrastive.differences(real, lambda w: free_energy_cost(w, x, d, beta))
    yield _row("spikes, 6-5-3, beta 2: exact contrast against finite differences of the cost, "
               "layers 1 2", _cosines(_first(exact), [-g for g in _first(own)]), "> 0.9999",
               source)
    executor = FloatExecutor(network, weights, np.float64)
    executor.run(spiking.training(network, 20, 100),
                 {"x": np.tile(x, (copies, 1)), "d": np.tile(d, (copies, 1))}, collect=False,
                 rates=spiking.learning_rates(network, TINY, 100, beta), seed=seed)
    found = [(executor.weights[name] - weights[name]) / TINY for name in ("W1", "W2")]
    yield _row(f"spikes, 6-5-3, beta 2, 100 steps of {3 * copies} runs: cosine with the exact "
               "contrast, layers 1 2", _cosines(found, _first(exact)), AGREES, source,
               "ep-spiking")


def kin_mnist(seed):
    """Nudges of both signs, four nudges and clamped outputs on MNIST."""
    for rule, source in (("ep-symmetric", LABORIEUX), ("ep-four-point", SOURCES["four-point"]),
                         ("contrastive-hebbian", SOURCES["hebbian"])):
        error, _ = learned_error(seed, rule, (784, 64, 10), 3, "mnist")
        yield _row(f"MNIST 784-64-10, 3 epochs, {rule}: test error", error, "< 0.06", source, rule)


FULL = (kin_mnist,)
GROUPS = symmetric, four, hebbian, vector, alignment, spikes
