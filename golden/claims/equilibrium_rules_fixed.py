"""The rules that are kin to equilibrium propagation, in raw integers: their changes, and digits."""

from __future__ import annotations

import numpy as np

from ..executors.compiled.executor import CompiledExecutor
from ..executors.float.executor import FloatExecutor
from ..learning.data import load
from ..learning.fixed import default_fixed_config, train_fixed
from ..network import glorot
from ..numbers.formats import STATE, Format
from ..references.gradients import cosine, layers_of
from ..references.stochastic import expected_contrast
from ..systems import (
    contrastive_hebbian,
    equilibrium,
    feedback_alignment,
    four_point,
    spiking,
    vector_field,
)
from ..systems.registry import trainer
from . import Row
from .equilibrium_rules import AGREES, LABORIEUX, SOURCES, SYSTEM
from .raw import raw_states, raw_weights, real_weights

#: So many fraction bits that changes at a very small rate are not lost in rounding.
FINE, RATE, IMAGES, EPOCHS = Format(24, 20), 2.0 ** -12, 60, 8


def _row(check, value, tolerance, source, name=""):
    return Row(SYSTEM, check, value, tolerance, source, name=name)


def _raw_change(network, first, program, inputs, rates, seed, alone=True):
    """What a program adds to raw weights, image by image, all of them from the same weights.

    Parameters
    ----------
    alone : bool
        If not, weights go on from image to image, which is faster.
    """
    total = {name: np.zeros_like(first[name]) for name in rates}
    images = len(inputs["x"])
    for begin in range(0, images, 1 if alone else images):
        part = {name: values[begin:begin + 1] if alone else values
                for name, values in inputs.items()}
        executor = CompiledExecutor(network, first, STATE, FINE, 4)
        executor.run(program, part, seed, begin, rates=rates, collect=False)
        now = executor.weights
        for name, change in total.items():
            change += now[name] - first[name]
    return total


def _real_change(network, first, program, inputs, rates, seed):
    """The same in floating point, of one batch."""
    executor = FloatExecutor(network, first, np.float64)
    executor.run(program, inputs, rates=rates, collect=False, seed=seed)
    return {name: executor.weights[name] - first[name] for name in rates}


#: Rule -> (source, program, rates), both of the network.
RULES = {
    "ep-symmetric": (
        LABORIEUX, lambda n: equilibrium.training(n, 40, 20, 1, estimator="centred"),
        lambda n: equilibrium.learning_rates(n, RATE, 1, "centred")),
    "ep-negative": (
        LABORIEUX, lambda n: equilibrium.training(n, 40, 20, 2, estimator="negative"),
        lambda n: equilibrium.learning_rates(n, RATE, 2, "negative")),
    "ep-four-point": (
        SOURCES["four-point"], lambda n: four_point.training(n, 40, 20, 2),
        lambda n: four_point.learning_rates(n, 4 * RATE, 2)),
    "contrastive-hebbian": (
        SOURCES["hebbian"], lambda n: contrastive_hebbian.training(n, 40, 20),
        lambda n: contrastive_hebbian.learning_rates(n, RATE)),
    "vector-field": (
        SOURCES["vector-field"],
        lambda n: vector_field.training(n, 40, 20, 1, random_sign=False),
        lambda n: equilibrium.learning_rates(n, RATE, 1)),
    "feedback-alignment": (
        SOURCES["alignment"], feedback_alignment.training,
        lambda n: feedback_alignment.learning_rates(n, RATE)),
}


def changes(seed):
    """Raw integers change weights as floating point does, for each rule."""
    rng = np.random.default_rng(seed)
    x, d = rng.random((IMAGES, 12)), rng.random((IMAGES, 4))
    for name, (source, program, rates) in RULES.items():
        network = trainer(name).network((12, 10, 8, 4))
        weights = {key: 0.5 * values for key, values in glorot(network, seed).items()}
        for key in weights:
            if key[0] == "b":
                weights[key] = np.full_like(weights[key], 0.3)
        first = raw_weights(weights, FINE)
        made, scale, real = program(network), rates(network), real_weights(first, FINE)
        true = _real_change(network, real, made, {"x": x, "d": d}, scale, seed)
        inputs = {"x": raw_states(x), "d": raw_states(d)}
        found = _raw_change(network, first, made, inputs, scale, seed)
        yield _row(f"raw integers, weights s24.20, 12-10-8-4, {IMAGES} images, {name}: cosine of "
                   "its changes with those of floating point, layers 1 2 3",
                   [cosine(found[k], true[k]) for k in ("W1", "W2", "W3")], AGREES, source, name)


def spikes(seed):
    """Raw spikes against expectations over every state of 6-5-3."""
    rng, copies, steps = np.random.default_rng(seed), 2000, 100
    network = spiking.spiking_network((6, 5, 3))
    weights = {name: 2 * values for name, values in glorot(network, seed).items()}
    first = raw_weights(weights | spiking.nudge_weights(network, 2.0), FINE)
    x, d = rng.random((3, 6)), np.eye(3)
    exact = expected_contrast(layers_of(real_weights(first, FINE)), x, d, 2.0)
    rates = spiking.learning_rates(network, 2.0 ** -13, steps, 2.0)
    found = _raw_change(network, first, spiking.training(network, 20, steps),
                        {"x": raw_states(np.tile(x, (copies, 1))),
                         "d": raw_states(np.tile(d, (copies, 1)))}, rates, seed, alone=False)
    yield _row(f"raw integers, weights s24.20, spikes, 6-5-3, {steps} steps of {3 * copies} runs: "
               "cosine with the exact contrast, layers 1 2",
               [cosine(found[f"W{k}"], exact[k - 1][0]) for k in (1, 2)], AGREES,
               SOURCES["spiking"], "ep-spiking")


def kin_digits(seed):
    """Every rule learns digits in raw integers."""
    data, sizes = load("digits"), (64, 32, 10)
    for name in (*RULES, "ep-spiking"):
        record = trainer(name)
        if not record.learns:
            continue
        config = default_fixed_config("digits", sizes, name, seed=seed, epochs=EPOCHS)
        result = train_fixed(record.network(sizes), data, config)
        yield _row(f"raw integers, digits 64-32-10, {EPOCHS} epochs one image at a time, {name}: "
                   "test error", result.test_error, "< 0.25" if name == "ep-spiking" else "< 0.06",
                   SOURCES["spiking"] if name == "ep-spiking" else RULES[name][0], name)


GROUPS = changes, spikes, kin_digits
