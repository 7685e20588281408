"""Learning with ghost units (paper 2): modes, depths, feedback weights of their own, Dale's law."""

from __future__ import annotations

import numpy as np

from ..executors.float.executor import FloatExecutor
from ..learning.data import load, one_hot
from ..learning.float import train
from ..network.dale import SIGNED, dale_network, dale_weights, excite_only
from ..network.ghosts import hidden
from ..program import STATE, Program
from ..references.gradients import backprop, cosine, layers_of
from ..systems.ghost_phases import free_phase, inference
from ..systems.ghost_units import learning_rates, training
from ..systems.registry import trainer
from . import Figure, Row

SYSTEM = "ghost-units"
SOURCE = "arXiv 1911.08585"
#: Two and three hidden layers, with the epochs that backpropagation needs.
DEPTHS = {(64, 40, 30, 10): 30, (64, 40, 30, 20, 10): 45}
MODES = {"duplicate": "ghost", "learned": "ghost-learned", "online": "ghost-online"}
#: Settings of all runs on digits, the same for backpropagation.
DIGITS = {"rates": (4.0,), "decay": 0.95, "gain": 1.5, "batch": 20}
#: Network for MNIST; every run has the defaults of its rule, which are those of backpropagation
#: but for the free steps of learned ghosts.
MNIST_SIZES = (784, 300, 100, 10)


def trained_error(rule, data, sizes, seed, last=3, **settings):
    """Test error of a run, mean over its last epochs."""
    system = trainer(rule)
    config = system.config("float", data.name, sizes, seed=seed, **settings)
    return float(np.mean(train(system.network(sizes), data, config).test_errors[-last:]))


def modes(seed):
    """All three modes learn digits with two and three hidden layers, against backpropagation."""
    data = load("digits")
    for sizes, epochs in DEPTHS.items():
        name, settings = "-".join(map(str, sizes)), {**DIGITS, "epochs": epochs}
        reference = trained_error("backprop", data, sizes, seed, **settings)
        yield Row(SYSTEM, f"digits {name}, {epochs} epochs, backpropagation: test error, mean of "
                  "the last 3 epochs", reference, "< 0.1", SOURCE)
        for mode, rule in MODES.items():
            error = trained_error(rule, data, sizes, seed, **settings)
            yield Row(SYSTEM, f"digits {name}, {epochs} epochs, {mode}: test error less that of "
                      "backpropagation, mean of the last 3 epochs", error - reference,
                      "< 0.1", SOURCE, name="ghost-modes-digits")


def alignment(rule, seed, sizes=(64, 40, 30, 10), epochs=30):
    """Cosine of feedback weights and transposed forward weights after learning, by layer."""
    system, data = trainer(rule), load("digits")
    config = system.config("float", "digits", sizes, seed=seed, epochs=epochs, **DIGITS)
    result = train(system.network(sizes), data, config)
    return (float(np.mean(result.test_errors[-3:])),
            [cosine(result.weights[f"F{k}"], result.weights[f"W{k}"].T)
             for k in range(2, len(sizes))])


def random_feedback(seed):
    """Feedback needs no transposed weights: random ones serve, and ones that learn align."""
    data, sizes, epochs = load("digits"), (64, 40, 30, 10), 30
    tied = trained_error("ghost", data, sizes, seed, epochs=epochs, **DIGITS)
    for rule, what, least in (("ghost-random-feedback", "random weights that stay", "> 0"),
                              ("ghost-learned-feedback", "weights that learn", "> 0.5")):
        error, aligned = alignment(rule, seed, sizes, epochs)
        yield Row(SYSTEM, f"digits {'-'.join(map(str, sizes))}, {epochs} epochs, feedback through "
                  f"{what}: test error, mean of the last 3 epochs", error, "< 0.15", SOURCE,
                  name="ghost-random-feedback")
        yield Row(SYSTEM, f"feedback through {what}: test error less that with transposed weights",
                  error - tied, "< 0.15", SOURCE, name="ghost-random-feedback")
        yield Row(SYSTEM, f"feedback through {what}: cosine with the transposed forward weights "
                  "after learning, layers 2 3", aligned, least, SOURCE)


def _pass_of(network, weights, x):
    """Free states after 60 steps from the feedforward pass, and that pass."""
    executor, found = FloatExecutor(network, weights, np.float64), []
    for steps in (0, 60):
        found.append(executor.run(Program("free", tuple(free_phase(
            network, "duplicate", steps))), {"x": x}).states)
    return max(np.abs(found[0][name, STATE] - found[1][name, STATE]).max()
               for name in (*hidden(network), "y"))


def _dale_gradient(network, weights, x, d):
    """Cosines by layer of the rate form with backpropagation through what layers receive."""
    executor, count = FloatExecutor(network, weights, np.float64), len(hidden(network)) + 1
    executor.run(training(network, "duplicate", 0, 60, 10), {"x": x, "d": d},
                 rates=learning_rates(network, 1e-6, 10), collect=False)
    # Layer k receives W_k less the strength of its inhibition, the same for all pairs of units.
    plain = {name: np.array(values) for name, values in weights.items() if name[0] in "Wb"}
    for k in range(1, count + 1):
        plain[f"W{k}"] -= weights[f"P{k}"] @ weights[f"N{k}"]
    true = [-g for g, _ in backprop(layers_of(plain), x, d)]
    return [cosine(executor.weights[f"W{k}"] - weights[f"W{k}"], g)
            for k, g in enumerate(true, 1)]


def dale(seed, sizes=(64, 40, 30, 10), epochs=30, batch=20):
    """Every population excites or inhibits only; weights are projected after each update."""
    data, network = load("digits"), dale_network(sizes)
    weights, rng = dale_weights(network, seed), np.random.default_rng(seed)
    targets = one_hot(data.train_labels, 10)
    shown = data.train[:20].astype(np.float64)
    yield Row(SYSTEM, "signs constrained: greatest change of the feedforward pass by 60 free steps",
              _pass_of(network, weights, shown), "< 1e-6", SOURCE,
              "claim: ghosts cancel the feedback; numbers are of float64")
    yield Row(SYSTEM, "signs constrained, beta 2**-10: cosine of the rate form and "
              "backpropagation, layers 1 2 3",
              _dale_gradient(network, weights, shown, targets[:20].astype(np.float64)), "> 0.98",
              SOURCE)
    executor = FloatExecutor(network, weights)
    program, look = training(network, nudge_steps=8), inference(network)
    rate, errors = DIGITS["rates"][0], []
    for epoch in range(epochs):
        rates = learning_rates(network, rate * DIGITS["decay"] ** epoch, 1)
        order = rng.permutation(len(targets))
        for begin in range(0, len(order), batch):
            chosen = order[begin:begin + batch]
            executor.run(program, {"x": data.train[chosen], "d": targets[chosen]}, rates=rates,
                         collect=False)
            for name in excite_only(executor.weights):
                executor.refresh(name)
        result = executor.run(look, {"x": data.test}, collect=False)
        errors.append(float((result.predictions != data.test_labels).mean()))
    yield Row(SYSTEM, f"digits {'-'.join(map(str, sizes))}, {epochs} epochs, every population "
              "excites or inhibits only: test error, mean of the last 3 epochs",
              np.mean(errors[-3:]), "< 0.15", SOURCE, name="ghost-dale")
    least = min(executor.weights[m.name].min() for m in network.matrices if m.name[0] in SIGNED)
    yield Row(SYSTEM, "signs constrained: smallest weight of any population after learning",
              least, ">= 0", SOURCE, "claim: no population excites and inhibits", "ghost-dale")
    free = trained_error("ghost", data, sizes, seed, epochs=epochs, **DIGITS)
    yield Row(SYSTEM, "signs constrained: test error less that of ghosts without constraint",
              np.mean(errors[-3:]) - free, "< 0.1", SOURCE, name="ghost-dale")
    yield Figure("ghost-units-dale", "Digits, every population excites or inhibits only", "epoch",
                 "test error", {"signs constrained": (np.arange(1, epochs + 1), errors)},
                 log_y=True)


def modes_mnist(seed):
    """The three modes on MNIST against backpropagation on the same network."""
    data, name = load("mnist"), "-".join(map(str, MNIST_SIZES))
    reference = trained_error("backprop", data, MNIST_SIZES, seed, 1)
    yield Row(SYSTEM, f"MNIST {name}, backpropagation: test error", reference, "< 0.025", SOURCE)
    for mode, rule in MODES.items():
        error = trained_error(rule, data, MNIST_SIZES, seed, 1)
        yield Row(SYSTEM, f"MNIST {name}, {mode}: test error less that of backpropagation",
                  error - reference, "< 0.003", SOURCE, "claim: good classification; within .3 "
                  "points of backpropagation is required here", "ghost-modes-mnist")
