"""Equilibrium propagation in raw integers: descent up to rounding, and digits by all estimators."""

from __future__ import annotations

import numpy as np

from ..learning.data import load, one_hot
from ..learning.float import TrainingConfig, starting_weights
from ..network import layered
from ..network.energy import energy
from ..program import Program, Relax
from ..program.layered import drive, inference, start_state, step
from ..references.gradients import cosine, finite_differences, layers_of
from ..systems import equilibrium
from . import Row, equilibrium_rules_fixed
from .equilibrium_propagation import LEARNING, SOURCE, SYSTEM
from .raw import (
    Learner,
    error_of,
    raw_states,
    raw_weights,
    real_states,
    real_weights,
    run,
    steps_of,
)


def _row(check, value, tolerance, reason=""):
    return Row(SYSTEM, check, value, tolerance, SOURCE, reason)


def descent(seed):
    """Each step of a relaxation lowers the energy, up to rounding."""
    network = layered((64, 40, 10))
    weights = raw_weights(starting_weights(network, TrainingConfig(seed=seed)))
    inputs = {"x": raw_states(load("digits").train[:50])}
    program = Program("descent", (*drive(network), *start_state(network, "zero"),
                                  Relax(40, step(network))))
    real, seen = real_weights(weights), []
    for states in steps_of(network, weights, program, inputs):
        seen.append(energy(network, real, states))
    rise = np.diff(seen, axis=0).max()
    # Each of 50 units may be wrong by half a last place along a force of a last place or two.
    yield _row("raw integers: greatest rise of the energy in a step, 50 digits, in squared last "
               "places a unit", rise * 4096 ** 2 / 50, "< 4",
               "claim: rounding to half a last place, along forces of one or two")
    yield _row("the same: fall of the energy over the run", float(np.mean(seen[0] - seen[-1])),
               "> 0.1")


def gradient(seed):
    """The contrast in raw integers is along the gradient of the cost."""
    rng = np.random.default_rng(seed)
    network = layered((12, 10, 8, 4))
    weights = {name: 0.5 * values for name, values in starting_weights(
        network, TrainingConfig(seed=seed)).items()}
    for name in weights:
        if name[0] == "b":
            weights[name] = np.full_like(weights[name], 0.3)
    raw = raw_weights(weights)
    x, d = raw_states(rng.random((60, 12))), raw_states(rng.random((60, 4)))
    true = [-g for g, _ in finite_differences(layers_of(real_weights(raw)), x / 4096, d / 4096,
                                              "hard-sigmoid")]
    program = equilibrium.training(network, 60, 40, 1, estimator="centred")
    still = Program("centred", tuple(op for op in program.ops if not op.learns()))
    states = real_states(run(network, raw, still, {"x": x, "d": d}).states)
    names, found = ["x", "h1", "h2", "y"], []
    for below, above in zip(names, names[1:], strict=False):
        rows = states[below, "state"]
        other = rows if below == "x" else states[below, "away"]
        found.append(rows.T @ states[above, "state"] - other.T @ states[above, "away"])
    # The rest comes from units that are clipped in one of the phases, not from rounding.
    yield _row("raw integers, hard rates, 12-10-8-4, centred, beta 1/2: cosine of the contrast "
               "with finite differences of -dJ/dW, layers 1 2 3",
               [cosine(f, t) for f, t in zip(found, true, strict=True)], "> 0.9")


def digits(seed):
    """All estimators learn digits in raw integers; wrong targets teach nothing."""
    data, network = load("digits"), layered((64, 32, 10))
    x, test = raw_states(data.train), raw_states(data.test)
    targets, epochs = raw_states(one_hot(data.train_labels, 10)), 12
    shuffled = np.random.default_rng(seed).permutation(len(targets))
    first = starting_weights(network, TrainingConfig(seed=seed))
    for name in (*LEARNING, "control"):
        estimator = "random-sign" if name == "control" else name
        learner = Learner(network, first, seed)
        # One-sided contrasts include what an unsettled free phase still moves, so 10 steps and beta
        # 1, as in floating point.  With 6 + 3 steps and beta 1/2 they end at 64 % (the others at
        # 2).
        program = equilibrium.training(network, 10, 8, 0, estimator=estimator)
        rates = equilibrium.learning_rates(network, (0.06, 0.03), 0, estimator)
        d = targets[shuffled] if name == "control" else targets
        for epoch in range(epochs):
            learner.epoch(program, {"x": x, "d": d},
                          {key: rate * 0.9 ** epoch for key, rate in rates.items()})
        error = error_of(network, learner.raw, inference(network, 10), test, data.test_labels)
        if name == "control":
            yield _row("control in raw integers, targets of other images: test error", error,
                       "> 0.5")
        else:
            yield _row(f"raw integers, digits 64-32-10, {epochs} epochs one image at a time, "
                       f"{name}: test error", error, "< 0.06")


GROUPS = descent, gradient, digits, *equilibrium_rules_fixed.GROUPS
