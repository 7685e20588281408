"""Feedforward initialization at the size of MNIST: the auto-encoder, free and clamped."""

from __future__ import annotations

import numpy as np

from ..executors.float.executor import FloatExecutor
from ..learning.data import load
from ..network import glorot, layered
from ..network.energy import projected_force
from ..program import STATE, Program, Relax
from ..program.layered import drive, start_state, step
from ..systems.feedforward_init import learn_branches
from . import Row
from .feedforward_init_positive import CLAIM, GAIN, SHIFT, SOURCE, SYSTEM, hidden_force, mirrored

#: Layers with a free output and with one clamped to the mirror image; scale of inputs.
SIZES, CLAMPED_SIZES, SCALE = (784, 256, 128), (784, 256, 256, 784), 0.4
#: Images to learn from and to look at, and epochs.
IMAGES, SHOWN, EPOCHS, BATCH = 10000, 200, 10, 50
LEVELS = (0.3, 0.1)


def _images():
    images = load("mnist").train[:IMAGES].astype(np.float64)
    return np.clip(SCALE * (images - images.mean(axis=0)), -1, 1)


def _weights(sizes, images, seed, **options):
    first = {name: GAIN * values for name, values in glorot(layered(sizes), seed).items()}
    return learn_branches(sizes, first, images, seed, EPOCHS, BATCH, **options)


def _path(network, weights, images, start, steps):
    """Mean force by step, and all states after the sweep (step 0) and at the end."""
    forces, states = [], []

    def watch(where, n, vectors):
        parts = list(projected_force(network, weights, vectors).values())
        forces.append(np.linalg.norm(np.concatenate(parts, axis=1), axis=1).mean())
        states.append([vectors[p.name, STATE].copy() for p in network.free])

    FloatExecutor(network, weights, np.float64).run(
        Program(start, (*drive(network), *start_state(network, start),
                        Relax(steps, step(network, SHIFT)))), {"x": images}, on_step=watch)
    return np.array(forces), states[0], states[-1]


def auto_encoder_mnist(seed, steps=300):
    """Branch prediction on MNIST: the sweep comes near the fixed point and saves most steps."""
    images, network = _images(), layered(SIZES, "hard-tanh")
    weights = _weights(SIZES, images, seed)
    paths = {start: _path(network, weights, images[:SHOWN], start, steps)
             for start in ("sweep", "zero")}
    force, first, last = paths["sweep"]
    name = f"MNIST {'-'.join(map(str, SIZES))}, {EPOCHS} epochs of {IMAGES} images"
    yield Row(SYSTEM, f"{name}: relative distance of the sweep from the fixed point, h1 y",
              [(np.linalg.norm(a - b, axis=1) / np.linalg.norm(b, axis=1)).mean()
               for a, b in zip(first, last, strict=True)], "< 0.3", SOURCE,
              name="auto-encoder-mnist")
    yield Row(SYSTEM, f"{name}: force at the start, sweep over zero",
              force[0] / paths["zero"][0][0], "< 0.5", SOURCE, name="auto-encoder-mnist")
    for level in LEVELS:
        swept, zero = (int((paths[start][0] >= level).sum()) for start in ("sweep", "zero"))
        yield Row(SYSTEM, f"{name}: steps to a mean force below {level}, sweep over zero ({swept} "
                  f"/ {zero})", swept / zero, "<= 0.5", SOURCE, CLAIM.replace(
                      "with the output clamped, ", ""), "auto-encoder-mnist")
    yield Row(SYSTEM, f"{name}: greatest difference of the fixed points from sweep and zero",
              max(np.abs(a - b).max() for a, b in zip(last, paths["zero"][2], strict=True)),
              "< 1e-3", SOURCE, name="attractors")


def positive_phase_mnist(seed):
    """The positive phase at the size of MNIST, output clamped to the mirror image."""
    images = _images()
    outputs = mirrored(images)
    weights = _weights(CLAMPED_SIZES, images, seed, outputs=outputs)
    paths = {start: hidden_force(CLAMPED_SIZES, weights, images[:SHOWN], outputs[:SHOWN], start)
             for start in ("sweep", "zero")}
    for level in LEVELS:
        swept, zero = (int((paths[start] >= level).sum()) for start in ("sweep", "zero"))
        yield Row(SYSTEM, f"MNIST {'-'.join(map(str, CLAMPED_SIZES))}, output clamped to the "
                  f"mirror image: steps to a mean force of hidden units below {level}, sweep over "
                  f"zero ({swept} / {zero})", swept / zero, "<= 0.5", SOURCE, CLAIM,
                  "positive-phase")
