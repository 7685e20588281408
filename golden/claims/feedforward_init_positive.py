"""Fast positive phase of paper 1: relaxation with the output clamped as well as the input.

Branches can agree where the output says as much about a layer as the input does.  So the output is
clamped to the mirror image of the input.  A class label says less than the image: there the groups
of inputs cannot agree, and the sweep saves less (rows about labels).
"""

from __future__ import annotations

import numpy as np

from ..executors.float.executor import FloatExecutor
from ..learning.data import load, one_hot
from ..network import glorot, layered
from ..network.energy import projected_force
from ..program import STATE, Program, Relax
from ..program.layered import drive, inference, start_state, step
from ..systems.feedforward_init import clamped_network, exact_weights, learn_branches
from . import Figure, Row

SYSTEM = "feedforward-init"
SOURCE = "arXiv 1606.01651"
#: Layers, scale of inputs (digits without their mean) and of first weights, eps = 2**-SHIFT.
SIZES, SCALE, GAIN, SHIFT = (64, 48, 32, 64), 0.8, 0.35, 2
LABELLED_SIZES = (64, 48, 32, 10)
#: Levels of the mean projected force of hidden units, and images shown.
LEVELS, SHOWN = (0.1, 0.02), 300
CLAIM = ("claim: with the output clamped, the sweep makes inference fast; at most half of the "
         "steps is required here")


def hidden_force(sizes, weights, images, outputs, start, steps=300, shift=SHIFT):
    """Mean length of the projected force on hidden units, by step, with both ends clamped."""
    network, found = clamped_network(sizes), []

    def watch(where, n, states):
        parts = projected_force(network, weights, states).values()
        found.append(np.linalg.norm(np.concatenate(list(parts), axis=1), axis=1).mean())

    program = Program(start, (*drive(network), *start_state(network, start),
                              Relax(steps, step(network, shift))))
    FloatExecutor(network, weights, np.float64).run(program, {"x": images, "y": outputs},
                                                    on_step=watch)
    return np.array(found)


def centred_digits():
    """Training digits without their mean, times `SCALE`, and their labels."""
    data = load("digits")
    images = data.train.astype(np.float64)
    return np.clip(SCALE * (images - images.mean(axis=0)), -1, 1), data.train_labels


def mirrored(images):
    """Square images with left and right exchanged."""
    side = int(np.sqrt(images.shape[1]))
    return images.reshape(-1, side, side)[:, :, ::-1].reshape(images.shape)


def _first(sizes, seed):
    return {name: GAIN * values for name, values in glorot(layered(sizes), seed).items()}


def _steps(sizes, weights, images, outputs):
    """Paths by start, and by level the steps at or above it: {level: {start: steps}}."""
    paths = {start: hidden_force(sizes, weights, images[:SHOWN], outputs[:SHOWN], start)
             for start in ("sweep", "zero")}
    return paths, {level: {start: int((path >= level).sum()) for start, path in paths.items()}
                   for level in LEVELS}


def _rows(name, taken, tolerance, reason="", row=""):
    for level in LEVELS:
        sweep, zero = taken[level]["sweep"], taken[level]["zero"]
        yield Row(SYSTEM, f"output clamped {name}: steps to a mean force of hidden units below "
                  f"{level}, sweep over zero ({sweep} / {zero})", sweep / zero, tolerance, SOURCE,
                  reason, row)


def exact_force(seed, depth, size=24):
    """Greatest force after the sweep and at zero in the perfect auto-encoder, output clamped.

    The output is clamped to what the auto-encoder itself makes of the image.
    """
    sizes, weights = (size,) * (depth + 1), exact_weights(depth, size, seed)
    images = np.clip(0.16 * np.random.default_rng(seed).normal(size=(40, size)), -1, 1)
    free = FloatExecutor(layered(sizes, "hard-tanh"), weights, np.float64).run(
        inference(layered(sizes, "hard-tanh"), 0), {"x": images}).states["y", STATE]
    return [hidden_force(sizes, weights, images, free, start, 0)[0] for start in ("sweep", "zero")]


def positive_phase(seed):
    """With input and output clamped, hidden units start near their fixed point."""
    swept, zero = np.transpose([exact_force(seed, depth) for depth in (2, 3, 4, 6)])
    yield Row(SYSTEM, "exact auto-encoder, output clamped, depths 2, 3, 4, 6: mean force of hidden "
              "units after the sweep", swept, "< 1e-12", SOURCE, "claim: where the groups of "
              "inputs agree, the energy gradient after the sweep is 0", "positive-phase")
    yield Row(SYSTEM, "control without the sweep, output clamped: mean force of the zero state",
              zero, "> 0.1", SOURCE)
    images, labels = centred_digits()
    outputs = mirrored(images)
    first = _first(SIZES, seed)
    weights = learn_branches(SIZES, first, images, seed, outputs=outputs)
    paths, taken = _steps(SIZES, weights, images, outputs)
    yield from _rows("to the mirror image, 60 epochs of branch prediction", taken, "<= 0.5", CLAIM,
                     "positive-phase")
    yield Row(SYSTEM, "output clamped to the mirror image: force on hidden units at the start, "
              "sweep over zero", paths["sweep"][0] / paths["zero"][0], "< 0.5", SOURCE)
    yield from _rows("to the mirror image, control untrained", _steps(
        SIZES, first, images, outputs)[1], "> 0.45")
    # A label is the same for images that differ, so no branch from it can predict a hidden layer.
    marks = one_hot(labels, 10).astype(np.float64)
    weights = learn_branches(LABELLED_SIZES, _first(LABELLED_SIZES, seed), images, seed,
                             steps=4, outputs=marks)
    yield from _rows("to the label, 60 epochs of branch prediction", _steps(
        LABELLED_SIZES, weights, images, marks)[1], "< 1", "claim: the sweep starts nearer than "
        "zero; by how much, depends on what the output says of the layer")
    steps = np.arange(61)
    yield Figure("feedforward-init-positive", "Positive phase: output clamped to the mirror image",
                 "step", "mean force of hidden units", {
                     f"from {start}": (steps, path[:61]) for start, path in paths.items()},
                 log_y=True)
