"""Feedforward initialization in raw integers: the exact instance, and branch prediction on digits.

States and weights are s16.12.  Networks learn one image at a time.  The rate is that of floating
point divided by its batch, so that an epoch moves the weights as far.
"""

from __future__ import annotations

import numpy as np

from ..network import glorot, layered
from ..network.energy import projected_force
from ..program import STATE, Program, Relax
from ..program.layered import drive, start_state, step, sweep
from ..systems.feedforward_init import (
    branch_errors,
    branch_network,
    branch_prediction,
    exact_weights,
)
from . import Figure, Row
from . import feedforward_init_positive as positive
from .feedforward_init import (
    DEPTHS,
    SHIFT,
    SIZES,
    SOURCE,
    SYSTEM,
    WIDTH,
    _first_weights,
    _inputs,
    _taken,
)
from .raw import Learner, raw_states, raw_weights, real_states, real_weights, run, steps_of

#: Learning rate of one image, epochs, images that are examined, steps of their relaxation.
RATE, EPOCHS, SHOWN, STEPS = 0.02 / 20, 60, 100, 300


def _row(check, value, tolerance, reason="", name=""):
    return Row(SYSTEM, check, value, tolerance, SOURCE, reason, name)


def _forces(network, weights, states):
    return np.concatenate(list(projected_force(network, weights, states).values()), axis=1)


def _swept(network, weights, images):
    """Real states after the sweep alone, from raw weights and images."""
    program = Program("sweep", tuple(drive(network) + sweep(network)))
    return real_states(run(network, weights, program, {"x": images}).states)


def exact_instance(seed):
    """In the perfect auto-encoder, rounding leaves at most one last place for each addend."""
    worst = []
    for depth in DEPTHS:
        network = layered((WIDTH,) * (depth + 1), "hard-tanh")
        weights = raw_weights(exact_weights(depth, WIDTH, seed))
        images = np.clip(0.16 * np.random.default_rng(seed).normal(size=(40, WIDTH)), -1, 1)
        states = _swept(network, weights, raw_states(images))
        force = np.abs(_forces(network, real_weights(weights), states)).max() * 4096
        worst.append(force / (2 * WIDTH + 1))
    name = ", ".join(map(str, DEPTHS))
    yield _row(f"raw integers, exact auto-encoder, depths {name}: greatest force after the sweep "
               "in last places for each addend", worst, "<= 1",
               "claim: only rounding is left, one last place for each addend")


def _paths(network, weights, inputs):
    """Mean projected force by step and last states, from the sweep and from zero."""
    found, real = {}, real_weights(weights)
    for start in ("sweep", "zero"):
        program = Program(start, (*drive(network), *start_state(network, start),
                                  Relax(STEPS, step(network, SHIFT))))
        force = []
        for states in steps_of(network, weights, program, inputs):
            force.append(np.linalg.norm(_forces(network, real, states), axis=1).mean())
        found[start] = np.array(force), states
    return found


def _distance(swept, settled, free):
    return np.array([np.mean(np.linalg.norm(swept[n, STATE] - settled[n, STATE], axis=1)
                             / np.linalg.norm(settled[n, STATE], axis=1)) for n in free])


def trained(seed):
    """Branch prediction in raw integers on digits: the sweep comes near the fixed point."""
    network, images = layered(SIZES, "hard-tanh"), raw_states(_inputs())
    shown, free = images[:SHOWN], [p.name for p in network.free]
    first = _first_weights(seed)
    learner = Learner(branch_network(SIZES), first, seed)
    program, rates = branch_prediction(SIZES), {m.name: RATE for m in network.matrices}
    for _ in range(EPOCHS):
        learner.epoch(program, {"x": images}, rates)
    before, after = raw_weights(first), learner.raw
    paths = {"untrained": _paths(network, before, {"x": shown}),
             "trained": _paths(network, after, {"x": shown})}
    swept = {"untrained": _swept(network, before, shown), "trained": _swept(network, after, shown)}
    far, near = (_distance(swept[w], paths[w]["sweep"][1], free) for w in paths)
    yield _row("raw integers, untrained: relative distance of the sweep from the fixed point, "
               "h1 h2 y", far, "> 0.5")
    yield _row("raw integers, after 60 epochs of branch prediction: the same", near, "< 0.3")
    yield _row("raw integers, trained over untrained distance", near / far, "< 0.5")
    wrong = branch_errors(network, real_weights(before), swept["untrained"])
    yield _row("raw integers, untrained branch error (relative energy) h1 h2", wrong, "> 0.4")
    left = branch_errors(network, real_weights(after), swept["trained"])
    yield _row("raw integers, trained branch error of h1", left[0], "< 0.1")
    yield _row("raw integers, trained branch error of h2", left[1], "< 0.2")
    ratios = {w: p["sweep"][0][0] / p["zero"][0][0] for w, p in paths.items()}
    yield _row("raw integers, trained: projected force at the start, sweep over zero",
               ratios["trained"], "< 0.5")
    yield _row("control untrained in raw integers: the same", ratios["untrained"], "> 0.7")
    for level, tolerance in ((0.1, "< 0.35"), (0.02, "< 0.4")):
        taken = _taken(paths["trained"], level)
        yield _row(f"raw integers, trained: steps to a mean force below {level}, sweep over zero "
                   f"({taken['sweep']} / {taken['zero']})", taken["sweep"] / taken["zero"],
                   tolerance)
    ends = [paths["trained"][start][1] for start in ("sweep", "zero")]
    yield _row("raw integers, trained: greatest difference of the states from sweep and zero "
               f"after {STEPS} steps",
               max(np.abs(ends[0][n, STATE] - ends[1][n, STATE]).max() for n in free), "< 0.02")
    yield Figure("feedforward-init-fixed", "Relaxation in raw integers (trained)", "step",
                 "mean projected force", {f"from {start}": (
                     np.arange(61), paths["trained"][start][0][:61])
                     for start in ("sweep", "zero")}, log_y=True)


def positive_phase(seed):
    """Branch prediction and relaxation in raw integers, input and output clamped."""
    real, _ = positive.centred_digits()
    inputs = {"x": raw_states(real), "y": raw_states(positive.mirrored(real))}
    sizes = positive.SIZES
    first = {name: positive.GAIN * w for name, w in glorot(layered(sizes), seed).items()}
    learner = Learner(branch_network(sizes, clamped=True), first, seed)
    program = branch_prediction(sizes, clamped=True)
    for _ in range(EPOCHS):
        learner.epoch(program, inputs, dict.fromkeys(first, RATE))
    paths = _paths(positive.clamped_network(sizes), learner.raw,
                   {name: values[:SHOWN] for name, values in inputs.items()})
    for level in positive.LEVELS:
        taken = _taken(paths, level)
        yield _row("raw integers, output clamped to the mirror image: steps to a mean force of "
                   f"hidden units below {level}, sweep over zero ({taken['sweep']} / "
                   f"{taken['zero']})", taken["sweep"] / taken["zero"], "<= 0.5", positive.CLAIM,
                   "positive-phase")


GROUPS = exact_instance, trained, positive_phase
