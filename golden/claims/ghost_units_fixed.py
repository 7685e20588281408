"""Ghost units in raw integers: cancellation, gradients, ghost learning, digits.

States and weights are s16.12.  Networks learn one image at a time.  Rates of ghosts are fixed
powers of two; floating point divides instead (``bench/ghost_rates.py``).
"""

from __future__ import annotations

import numpy as np

from ..learning.data import load, one_hot
from ..network.ghosts import ghost_network, ghost_weights, hidden
from ..program import RATE, STATE, Program, Snapshot
from ..references.gradients import backprop, cosine, layers_of
from ..systems.ghost_learning import ghost_learning, ghost_program
from ..systems.ghost_phases import free_phase, inference
from ..systems.ghost_units import learning_rates, training
from . import Figure, Row
from .ghost_units import SHIFT, SIZES, SOURCE, SYSTEM, _batch, _learned_weights
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

#: Rates of ghosts: V and v, B.
GHOST, CANCEL = 2.0 ** -3, 2.0 ** -5
#: Learning rate of digits, the 4 of floating point over its batch of 20.
RATE_OF_DIGITS = 0.2


def _row(check, value, tolerance):
    return Row(SYSTEM, check, value, tolerance, SOURCE)


def cancellation(seed):
    """Without a target, cancelled feedback leaves the feedforward pass, up to last places."""
    x, steps, paths = raw_states(_batch(seed)[0]), 160, {}
    # A step of 1/4 rounds away forces below two last places, and layers add up the rest.
    for mode, tolerance in (("duplicate", "<= 16"), ("online", "<= 16"), ("none", "> 2048")):
        network = ghost_network(SIZES, mode)
        weights, names = raw_weights(ghost_weights(network, seed)), [*hidden(network), "y"]
        passed = run(network, weights, Program("pass", tuple(free_phase(network, mode, 0))),
                     {"x": x}).states
        program, far = Program("free", tuple(free_phase(network, mode, steps, "zero", SHIFT))), []
        for states in steps_of(network, weights, program, {"x": x}):
            far.append(max(np.abs(states[n, STATE] * 4096 - passed[n, STATE]).max()
                           for n in names))
        paths[mode] = np.arange(steps + 1), np.maximum(far, 0.5)
        name = "control without ghosts" if mode == "none" else f"mode {mode}"
        yield _row(f"raw integers, {name}: greatest difference of the free state after {steps} "
                   "steps from zero and the feedforward pass, in last places", far[-1], tolerance)
    yield Figure("ghost-units-cancellation-fixed", "Free phase from the zero state, raw integers",
                 "step", "greatest difference (last places)", paths, log_y=True)


def gradients(seed):
    """The rate form of raw states against backpropagation through the feedforward network."""
    x, d = _batch(seed, 400)
    inputs, names = {"x": raw_states(x), "d": raw_states(d)}, ["x", "h1", "h2", "y"]
    kept = 0.0
    for mode, steps, shift, tolerance in (("duplicate", 6, 1, "> 0.98"),
                                          ("duplicate", 200, 1, "> 0.98"),
                                          ("duplicate", 200, 0, "> 0.96"),
                                          ("online", 200, 0, "> 0.96"),
                                          ("none", 200, 0, None)):
        network = ghost_network(SIZES, mode)
        weights = raw_weights(ghost_weights(network, seed))
        true = [-g for g, _ in backprop(layers_of(real_weights(weights)), inputs["x"] / 4096, d)]
        program = training(network, mode, 300 if mode == "none" else 0, steps, shift, shift=SHIFT)
        still = Program("rate-form", tuple(op for op in program.ops if not op.learns()))
        states = real_states(run(network, weights, still, inputs).states)
        found = []
        for below, above in zip(names, names[1:], strict=False):
            rows = states[below, STATE if below == "x" else "free"]
            found.append(rows.T @ states[above, "delta"])
        cosines = np.array([cosine(f, t) for f, t in zip(found, true, strict=True)])
        if tolerance is None:
            yield _row("raw integers, control without ghosts, beta 1: cosine that ghosts gain, "
                       "layers 1 2 3", kept - cosines, "> 0")
            continue
        if mode == "duplicate":
            kept = cosines
        yield _row(f"raw integers, {mode}, beta {2.0 ** -shift:g}, {steps} nudged steps, 400 "
                   "images: cosine of the rate form and -dC/dW, layers 1 2 3", cosines, tolerance)


def _residual(network, weights, x):
    """Share of the feedback that ghosts leave, at the feedforward state in raw integers."""
    ops = list(free_phase(network, "learned", 0))
    ops += [Snapshot(name, "seen", RATE) for name in ("h2", "y", "g1", "g2")]
    states = real_states(run(network, weights, Program("look", tuple(ops)), {"x": x}).states)
    real, left, whole = real_weights(weights), 0.0, 0.0
    for k, above in ((1, "h2"), (2, "y")):
        feedback = states[above, "seen"] @ real[f"W{k + 1}"].T
        left += np.square(feedback - states[f"g{k}", "seen"] @ real[f"B{k}"]).sum()
        whole += np.square(feedback).sum()
    return float(np.sqrt(left / whole))


def _ghost_rates(network):
    return {m.name: CANCEL if m.name[0] == "B" else GHOST for m in network.matrices}


def ghost_learning_from_random(seed):
    """Random ghosts learn to cancel the feedback, by their local rules."""
    data, network = load("digits"), ghost_network(SIZES, "learned")
    learner = Learner(network, _learned_weights(network, seed), seed)
    program, rates = ghost_learning(network, 0, SHIFT, normalized=False), _ghost_rates(network)
    x, found, done = raw_states(data.train), [], 0
    for count in (0, 50, 4200):
        while done < count:
            learner.epoch(program, {"x": x}, rates, min(count - done, len(x)))
            done += min(count - done, len(x))
        found.append(_residual(network, learner.raw, x[:400]))
    yield _row("raw integers, ghost learning from random weights: residual over whole feedback "
               "after 0, 50, 4200 images", found, "decreasing and last < 0.1")


def digits(seed):
    """Learning digits with ghosts in raw integers."""
    data, epochs = load("digits"), 30
    inputs = {"x": raw_states(data.train), "d": raw_states(one_hot(data.train_labels, 10))}
    test = raw_states(data.test)
    for mode in ("duplicate", "online"):
        network = ghost_network(SIZES, mode)
        learner = Learner(network, ghost_weights(network, seed), seed)
        program = training(network, mode, nudge_steps=8, beta_shift=1, shift=SHIFT)
        look, errors = inference(network, mode), []
        for epoch in range(epochs):
            rates = learning_rates(network, RATE_OF_DIGITS, 1)
            learner.epoch(program, inputs, rates)
            if epoch >= epochs - 3:
                errors.append(error_of(network, learner.raw, look, test, data.test_labels))
        yield _row(f"raw integers, digits 64-40-30-10, {epochs} epochs one image at a time, "
                   f"{mode}: test error, mean of the last 3 epochs", float(np.mean(errors)),
                   "< 0.03")


def learned_ghosts(seed):
    """Ghosts that learn at fixed rates train the network against a twin run."""
    data, network, epochs = load("digits"), ghost_network(SIZES, "learned"), 24
    inputs = {"x": raw_states(data.train), "d": raw_states(one_hot(data.train_labels, 10))}
    learner = Learner(network, _learned_weights(network, seed), seed)
    teach, rates = ghost_learning(network, 0, SHIFT, normalized=False), _ghost_rates(network)
    for _ in range(3):
        learner.epoch(teach, inputs, rates)
    program = ghost_program(network, 6)
    for epoch in range(epochs):
        learner.epoch(program, inputs, {**rates, **learning_rates(
            network, RATE_OF_DIGITS * 0.88 ** epoch, 1)})
    look = inference(network, "learned", 20)
    yield _row(f"raw integers, learned ghosts at fixed rates, difference against a twin run, "
               f"{epochs} epochs: test error",
               error_of(network, learner.raw, look, raw_states(data.test), data.test_labels),
               "< 0.05")
    yield _row("the same: residual over whole feedback",
               _residual(network, learner.raw, inputs["x"][:400]), "< 0.1")


def separate_feedback(seed, epochs=30):
    """Feedback weights of their own, random or learned, in raw integers."""
    data = load("digits")
    inputs = {"x": raw_states(data.train), "d": raw_states(one_hot(data.train_labels, 10))}
    test = raw_states(data.test)
    for mode, what in (("random-feedback", "random weights that stay"),
                       ("learned-feedback", "weights that learn")):
        network = ghost_network(SIZES, mode)
        learner = Learner(network, ghost_weights(network, seed), seed)
        program = training(network, mode, nudge_steps=8, beta_shift=1, shift=SHIFT)
        for _ in range(epochs):
            learner.epoch(program, inputs, learning_rates(network, RATE_OF_DIGITS, 1))
        look = inference(network, mode)
        yield _row(f"raw integers, digits 64-40-30-10, {epochs} epochs one image at a time, "
                   f"feedback through {what}: test error",
                   error_of(network, learner.raw, look, test, data.test_labels), "< 0.2")
        if mode == "learned-feedback":
            real = real_weights(learner.raw)
            yield _row("raw integers, the same: cosine with the transposed forward weights, "
                       "layers 2 3", [cosine(real[f"F{k}"], real[f"W{k}"].T) for k in (2, 3)],
                       "> 0.1")


GROUPS = (cancellation, gradients, ghost_learning_from_random, digits, learned_ghosts,
          separate_feedback)
