"""Attractors of trained networks (paper 1): do the sweep and the zero state settle in the same one?

In an auto-encoder they do, so the sweep only saves steps.  In classifiers trained by equilibrium
propagation, which always began at the sweep, some images have two fixed points.  From zero they end
in one that training never saw: it has the lower energy and is wrong more often.  There the sweep
decides the answer, and no number of further steps from zero makes up for it.
"""

from __future__ import annotations

import numpy as np

from ..executors.float.executor import FloatExecutor
from ..learning.data import load
from ..learning.float import default_config, train
from ..learning.pretrained import trained_model
from ..network import layered
from ..network.energy import energy
from ..program import STATE
from ..program.layered import inference
from . import Row

SYSTEM = "feedforward-init"
SOURCE = "arXiv 1606.01651"
#: Classifier of digits and how it learns; classifier of MNIST, which has the defaults.
SIZES, FULL_SIZES = (64, 40, 30, 10), (784, 500, 500, 10)
TRAINING = {"epochs": 20, "rates": (0.2, 0.05, 0.02), "beta_shift": 0}
#: A fixed point is reached where no state moves by more; two are the same, if no state is further.
RESTS, SAME = 1e-7, 1e-3
NAME = "attractors"


def ends(network, weights, images, steps=5000):
    """Where both starts settle: {start: (states (images, units), predictions, energies)}."""
    found = {}
    for start in ("sweep", "zero"):
        result = FloatExecutor(network, weights, np.float64).run(
            inference(network, steps, start, RESTS), {"x": images})
        found[start] = (np.concatenate([result.states[p.name, STATE] for p in network.free],
                                       axis=1),
                        result.predictions, energy(network, weights, result.states))
    return found


def attractor_rows(name, network, weights, images, labels):
    """Rows about a trained classifier."""
    found = ends(network, weights, images)
    (swept, said, low), (zero, other, also) = found["sweep"], found["zero"]
    same = np.abs(swept - zero).max(axis=1) <= SAME
    wrong = [float((answer != labels).mean()) for answer in (said, other)]
    yield Row(SYSTEM, f"{name}: share of test images whose starts at the sweep and at zero end in "
              "the same fixed point", same.mean(), "> 0.5", SOURCE, name=NAME)
    yield Row(SYSTEM, f"{name}: test error of the fixed points, from the sweep and from zero",
              wrong, "< 0.5", SOURCE, name=NAME)
    yield Row(SYSTEM, f"{name}: errors more from zero than from the sweep", wrong[1] - wrong[0],
              "> -0.05", SOURCE, name=NAME)
    # Without two attractors nothing is said of them.
    lower = float((also < low)[~same].mean()) if (~same).any() else 1.0
    yield Row(SYSTEM, f"{name}: of the images with two fixed points, share whose one from zero has "
              "the lower energy", lower, "> 0.3", SOURCE, name=NAME)


def attractors(seed):
    """A classifier of digits: where two attractors exist, and which of them is right."""
    data, network = load("digits"), layered(SIZES)
    weights = train(network, data, default_config("digits", SIZES, seed=seed,
                                                  **TRAINING)).weights
    yield from attractor_rows(f"equilibrium propagation, digits {'-'.join(map(str, SIZES))}",
                              network, weights, data.test, data.test_labels)


def attractors_mnist(seed):
    """The same for MNIST, first 2000 test images."""
    data, network = load("mnist"), layered(FULL_SIZES)
    weights = trained_model(FULL_SIZES, data, seed).weights
    yield from attractor_rows(
        f"equilibrium propagation, MNIST {'-'.join(map(str, FULL_SIZES))}", network, weights,
        data.test[:2000], data.test_labels[:2000])
