"""Shared by the checks in raw integers: conversions, epochs one image at a time, paths."""

from __future__ import annotations

import numpy as np

from ..executors.compiled.executor import CompiledExecutor
from ..executors.fixed.executor import FixedExecutor
from ..numbers.formats import STATE, WEIGHT, dequantize, quantize
from ..program import UPDATE_FRAC


def raw_states(real, state=STATE):
    """Real values as raw states."""
    return quantize(real, state)[0]


def raw_weights(weights, weight=WEIGHT):
    """Real weights, rounded and saturated: dict of int64."""
    return {name: quantize(values, weight, name)[0] for name, values in weights.items()}


def real_weights(weights, weight=WEIGHT):
    """Raw weights as real numbers: dict of float64."""
    return {name: dequantize(values, weight) for name, values in weights.items()}


def real_states(states, state=STATE):
    """States of a result as real numbers."""
    return {key: dequantize(values, state) for key, values in states.items()}


def run(network, weights, program, inputs, seed=0, first_image=0, state=STATE, weight=WEIGHT,
        record=False):
    """Run a program that does not learn on raw weights and inputs, a batch at once."""
    return FixedExecutor(network, weights, state, weight).run(program, inputs, seed, first_image,
                                                              record)


def steps_of(network, weights, program, inputs, state=STATE, weight=WEIGHT):
    """Real states after the last write of every step of the last loop of a program.

    Yields
    ------
    dict of (str, str) to ndarray of shape (batch, n)
        The states before the loop come first.  Images must not stop early.
    """
    result = run(network, weights, program, inputs, 0, 0, state, weight, record=True)
    now = {(name, "state"): dequantize(values, state) for name, values in inputs.items()}
    for population in network.populations:
        if population.constant:
            now[population.name, "state"] = np.ones((len(next(iter(inputs.values()))), 1))
    loop, step = len(program.ops) - 1, 0
    for entry in result.trace.entries:
        if entry.path[0] == loop and entry.path[1] != step - 1:
            yield dict(now)
            step = entry.path[1] + 1
        now[entry.vector] = dequantize(entry.values, state)
    yield now


class Learner:
    """A network that learns in raw integers, one image at a time, in random order.

    Parameters
    ----------
    network : Network
    weights : dict of str to ndarray
        Real starting weights.
    seed : int
        Decides the order of images and the random words.
    state, weight : Format
    update_frac : int
    """

    def __init__(self, network, weights, seed=0, state=STATE, weight=WEIGHT,
                 update_frac=UPDATE_FRAC):
        self.network, self.seed, self.state, self.weight = network, seed, state, weight
        self.executor = CompiledExecutor(network, raw_weights(weights, weight), state, weight,
                                       update_frac)
        self.rng, self.images = np.random.default_rng(seed), 0

    def epoch(self, program, inputs, rates, count=None):
        """Run a program on all images in a new order, or on `count` of them."""
        order = self.rng.permutation(len(next(iter(inputs.values()))))[:count]
        self.executor.run(program, {name: values[order] for name, values in inputs.items()},
                          self.seed, self.images, rates=rates, collect=False)
        self.images += len(order)

    @property
    def raw(self):
        """The current raw weights."""
        return self.executor.weights

    @property
    def weights(self):
        """The current weights as real numbers."""
        return real_weights(self.executor.weights, self.weight)


def error_of(network, weights, program, images, labels, state=STATE, weight=WEIGHT):
    """Share of raw images that a program, run on raw weights, puts in a wrong class."""
    found = run(network, weights, program, {"x": images}, 0, 0, state, weight).predictions
    return float((found != labels).mean())
