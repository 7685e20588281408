"""Feedforward initialization of stochastic machines (paper 1): Gibbs sampling from the sweep.

The machine has three binary hidden layers.  Given the second one the others are independent, so
its stationary means are sums over all states of that layer: nothing is estimated but the means of
the chains.
"""

from __future__ import annotations

import itertools

import numpy as np

from ..executors.float.executor import FloatExecutor
from ..learning.data import load
from ..network.boltzmann import binarize, boltzmann, hidden
from ..program import STATE
from ..references.gradients import logistic
from ..systems.feedforward_machine import gibbs, learn_layers
from . import Figure, Row

SYSTEM = "feedforward-init"
SOURCE = "arXiv 1606.01651"
SIZES = (64, 32, 10, 24)
#: Test images, chains of each, steps, and the distance that counts as arrived.
IMAGES, CHAINS, STEPS, NEAR = 25, 500, 15, 0.05
STARTS = ("sweep", "zero", "random")


def stationary_means(weights, images):
    """Means of all hidden units given each image, by summing over the states of layer 2.

    Returns
    -------
    ndarray of shape (images, units of h1, h2 and h3), float64
    """
    w = {name: np.asarray(values, np.float64) for name, values in weights.items()}
    states = np.array(list(itertools.product((0, 1), repeat=w["W2"].shape[1])), np.float64)
    first, third = states @ w["W2"].T, states @ w["W3"] + w["bh3"]
    means = []
    for field in images @ w["W1"] + w["bh1"]:
        weight = (np.logaddexp(0, field + first).sum(axis=1) + states @ w["bh2"][0]
                  + np.logaddexp(0, third).sum(axis=1))
        weight = np.exp(weight - weight.max())
        weight /= weight.sum()
        means.append(np.concatenate([weight @ logistic(field + first), weight @ states,
                                     weight @ logistic(third)]))
    return np.array(means)


def distances(network, weights, images, means, seed):
    """Root mean square distance of the means of the chains from the stationary ones, by step.

    Returns
    -------
    dict of str to ndarray of shape (STEPS + 1,)
        By start.
    """
    many, found = np.repeat(images, CHAINS, axis=0), {}
    rng = np.random.default_rng([seed, 9])
    for number, start in enumerate(STARTS):
        path, states = [], {}
        if start == "random":
            states = {name: rng.integers(0, 2, (len(many), network.population(name).size))
                      for name in hidden(network)}

        def watch(where, n, vectors, path=path):
            now = np.concatenate([vectors[name, STATE].reshape(len(images), CHAINS, -1)
                                  .mean(axis=1, dtype=np.float64) for name in hidden(network)],
                                 axis=1)
            path.append(np.sqrt(np.square(now - means).mean()))

        FloatExecutor(network, weights).run(
            gibbs(network, "keep" if states else start, STEPS), {"x": many}, states,
            on_step=watch, collect=False, seed=len(STARTS) * seed + number)
        found[start] = np.array(path)
    return found


def arrived(path):
    """First step at which a path is near; the number of steps, where it never is."""
    near = np.flatnonzero(path <= NEAR)
    return int(near[0]) if len(near) else len(path)


def stochastic_initialization(seed):
    """A trained machine reaches its stationary means sooner from the sweep."""
    data, network = load("digits"), boltzmann(SIZES)
    weights = learn_layers(SIZES, binarize(data.train), seed)
    chosen = np.random.default_rng([seed, 8]).permutation(len(data.test))[:IMAGES]
    images = binarize(data.test[chosen])
    paths = distances(network, weights, images, stationary_means(weights, images), seed)
    taken = {start: arrived(path) for start, path in paths.items()}
    for other in STARTS[1:]:
        yield Row(SYSTEM, f"binary machine {'-'.join(map(str, SIZES))}, {CHAINS} chains: Gibbs "
                  f"steps to within {NEAR} of the stationary means, sweep over {other} start "
                  f"({taken['sweep']} / {taken[other]})", taken["sweep"] / taken[other], "<= 0.5",
                  SOURCE, "claim: feedforward computation initializes stochastic inference near "
                  "its result; at most half of the steps is required here",
                  "stochastic-initialization")
    yield Row(SYSTEM, "binary machine: distance of the sweep from the stationary means, over that "
              "of the random start", paths["sweep"][0] / paths["random"][0], "< 0.5", SOURCE)
    yield Row(SYSTEM, "binary machine: greatest distance after the last step (that of the finite "
              "number of chains)", max(path[-1] for path in paths.values()), f"< {NEAR}", SOURCE)
    yield Figure("feedforward-init-machine", "Gibbs sampling of a binary machine", "step",
                 "distance from the stationary means",
                 {f"from {start}": (np.arange(STEPS + 1), path) for start, path in paths.items()},
                 log_y=True)
