"""Checks of probability flow from flipped data, and of the likelihoods that are compared.

Rates are chosen on training images that are held out, for each learner on a grid that grows until
its best is not at its edge.  The rows whose name begins with ``flow-vs`` are sentences of the
abstract of paper 3: their bound is the claim, whatever is measured.
"""

from __future__ import annotations

import functools

import numpy as np

from ..executors.float.executor import FloatExecutor
from ..learning.data import load
from ..learning.flow import FlowConfig, epochs
from ..learning.sampling import reconstruction_error
from ..network import boltzmann as machines
from ..network.boltzmann import boltzmann, corrupt, split, starting_weights
from ..program import STATE
from ..references.annealed import estimate_log_z
from ..references.boltzmann import log_likelihood, log_partition
from ..references.divergence import contrastive
from ..systems import flipped_flow
from ..systems.registry import system
from . import Row

SYSTEM, SOURCE = "probability-flow", "arXiv 1711.07732"
#: Shares of flips, images held out, and the decay of rates that both learners have.
FLIPS, HELD, DECAY = (0.0, 0.1, 0.2), 300, 0.93
#: First rates of the grid; it does not grow beyond these ends.
RATES, SMALLEST, LARGEST = (0.2, 0.4), 0.02, 4.0
#: Temperatures on digits, and at MNIST size.
TEMPERATURES, FULL_TEMPERATURES = 4000, 10000
RECONSTRUCTS = ("claim: trained machines reconstruct corrupted images more accurately than those "
                "of contrastive divergence")
LIKELY = "claim: the estimated log-likelihood is high; here, not below that of PCD"
TRUSTED = "claim: an interval of an estimate needs 30 of 100 effective chains"


def _row(check, value, tolerance, reason="", name=""):
    return Row(SYSTEM, check, value, tolerance, SOURCE, reason, name)


@functools.cache
def images(data):
    """Binarized images: (train, test)."""
    whole = load(data)
    return machines.binarize(whole.train), machines.binarize(whole.test)


def update(seed):
    """The update by the program against its formula, from the states that were drawn."""
    network, rng = boltzmann((9, 6), flips=True), np.random.default_rng(seed)
    weights = {m.name: rng.normal(0, 0.7, m.shape) for m in network.matrices}
    weights["cv"][...] = np.log(0.1 / 0.9)
    x = rng.integers(0, 2, (20000, 9)).astype(np.float64)
    executor = FloatExecutor(network, weights, np.float64)
    result = executor.run(flipped_flow.training(network), split(network, x), seed=seed,
                          rates=dict.fromkeys(weights, 1.0))
    flipped = result.states["v", STATE]
    found = {name: executor.weights[name] - values for name, values in weights.items()}
    W, b, c = weights["W1"], weights["bv"], weights["bh1"]

    def logistic(field):
        return 1 / (1 + np.exp(-field))

    hidden = logistic(x @ W + c)
    q_v, q_h = x - logistic(hidden @ W.T + b), hidden - logistic(flipped @ W + c)
    wanted = {"W1": (q_v.T @ hidden + flipped.T @ q_h) / len(x), "bv": q_v.mean(axis=0),
              "bh1": q_h.mean(axis=0), "cv": 0.0}
    yield _row("flow from flipped data: update minus its formula, greatest of all weights",
               max(np.abs(found[name] - values).max() for name, values in wanted.items()),
               "< 1e-12", "claim: the equations of the rule")
    share = (flipped != x).mean(axis=0)
    yield _row("the same: shares of flipped pixels minus 0.1, in standard errors",
               np.abs(share - 0.1) / np.sqrt(0.09 / len(x)), "< 4.5",
               "claim: pixels flip with the probability of the settings")
    # Without flips hidden units have nothing to learn from.
    weights["cv"][...] = -40.0
    executor.load(weights)
    executor.run(flipped_flow.training(network), split(network, x), seed=seed,
                 rates=dict.fromkeys(weights, 1.0))
    yield _row("control, no pixel flips: greatest change of a hidden bias",
               np.abs(executor.weights["bh1"] - weights["bh1"]).max(), "< 1e-12",
               "claim: hidden units learn from flips alone")


def trained(learner, train, hidden, rate, seed, length, batch=20, decay=DECAY, **changes):
    """(network, weights) of ``"flow"``, ``"cd"`` or ``"pcd"``."""
    record = system("cd" if learner == "pcd" else learner)
    network = record.network((train.shape[1], hidden))
    if learner == "pcd":
        first = starting_weights(network, train, seed)
        *_, weights = contrastive(train, first, length, batch, rate, decay, persistent=True,
                                  seed=seed)
        return network, weights
    config = FlowConfig(record.rule, epochs=length, batch=batch, rate=rate, decay=decay, seed=seed,
                        **changes)
    *_, executor = epochs(network, train, config)
    return network, executor.weights


def best_rate(make, merit):
    """The best of a grid of rates that grows until the best is not at its edge.

    Parameters
    ----------
    make : callable
        ``make(rate)``: network and weights, learned without the images held out.
    merit : callable
        Of network and weights; the highest is best.
    """
    found, wanted = {}, set(RATES)
    while wanted:
        for rate in wanted:
            found[rate] = merit(*make(rate))
        best, wanted = max(found, key=found.get), set()
        if best == min(found) and best / 2 >= SMALLEST:
            wanted.add(best / 2)
        if best == max(found) and best * 2 <= LARGEST:
            wanted.add(best * 2)
    return best


def wrong(network, weights, test, seed, levels=FLIPS):
    """Share of wrong pixels by share of flips."""
    return np.array([reconstruction_error(network, weights, test, corrupt(test, share, seed + 1))
                     for share in levels])


def reconstruction(seed):
    """64-64 on digits against CD-1, each at its best held-out rate."""
    train, test = images("digits")
    order, errors = np.random.default_rng(seed).permutation(len(train)), {}
    held, part = train[order[:HELD]], train[order[HELD:]]
    for learner, changes in (("flow", {"flip": 0.05}), ("cd", {})):
        def make(rate, data=part, learner=learner, changes=changes):
            return trained(learner, data, 64, rate, seed, 30, **changes)

        rate = best_rate(make, lambda network, weights: -wrong(network, weights, held, seed).mean())
        network, weights = make(rate, train)
        errors[learner] = wrong(network, weights, test, seed)
    yield _row("64-64 on digits: share of wrong pixels after flow minus that after CD-1, from 0, "
               "10, 20 % flips, both at their best held-out rate", errors["flow"] - errors["cd"],
               "<= 0", RECONSTRUCTS, "flow-vs-cd-reconstruction")


def chains(seed):
    """How far the estimate of log Z of 64-64 on digits can be trusted, at the defaults."""
    train, _ = images("digits")
    network, weights = at_defaults("flow", "digits", train, (64, 64), seed)
    yield from _chains(network, weights, train, TEMPERATURES, "64-64 on digits", seed)


def at_defaults(learner, data, train, layers, seed):
    """(network, weights) of a learner at the defaults of its rule, PCD at those of CD-1."""
    record = system("cd" if learner == "pcd" else learner)
    config = record.config("float", data, layers)
    changes = {} if config.flip is None else {"flip": config.flip}
    return trained(learner, train, layers[1], config.rate, seed, config.epochs, config.batch,
                   config.decay, **changes)


def _chains(network, weights, train, temperatures, what, seed):
    base = starting_weights(network, train, 0)["bv"][0]
    found = estimate_log_z(network, weights, base, temperatures, 100, seed, start=train)
    yield _row(f"{what}, flow: effective ones of 100 chains, {temperatures} temperatures",
               found.effective, ">= 30", TRUSTED, "ais-effective-chains")
    yield _row("the same: log Z by chains that go back minus that by chains that go forward, nats",
               found.reverse - found.log_z, "-1 .. 1",
               "claim: both estimate one quantity, from above and from below")


def flipped_likelihood(seed):
    """Exact log-likelihood of 64-12 on digits against PCD, each at its best held-out rate."""
    train, test = images("digits")
    order, found = np.random.default_rng(seed).permutation(len(train)), {}
    held, part = train[order[:HELD]], train[order[HELD:]]
    for learner, changes in (("flow", {"flip": 0.05}), ("pcd", {})):
        def make(rate, data=part, learner=learner, changes=changes):
            return trained(learner, data, 12, rate, seed, 60, **changes)

        rate = best_rate(make, lambda network, weights: log_likelihood(network, weights, held))
        network, weights = make(rate, train)
        exact = log_partition(network, weights)
        found[learner] = log_likelihood(network, weights, test, exact)
        if learner == "flow":
            base = starting_weights(network, train, 0)["bv"][0]
            estimate = estimate_log_z(network, weights, base, 1000, 200, seed, start=train)
            yield _row("64-12, flow: log Z by chains forward and by chains back minus the exact "
                       "one, nats", (estimate.log_z - exact, estimate.reverse - exact),
                       "-0.15 .. 0.15")
    yield _row("64-12 on digits: exact test log-likelihood after flow minus that after PCD, both "
               "at their best held-out rate, nats", found["flow"] - found["pcd"], ">= 0", LIKELY,
               "flow-vs-pcd-likelihood")


def mnist(seed):
    """784-500 on MNIST at the defaults: reconstruction against CD-1, likelihood against PCD."""
    train, test = images("mnist")
    levels, errors, estimates = (0.1, 0.2, 0.3), {}, {}
    for learner in ("flow", "cd", "pcd"):
        network, weights = at_defaults(learner, "mnist", train, (784, 500), seed)
        errors[learner] = wrong(network, weights, test, seed, levels)
        if learner == "flow":
            yield from _chains(network, weights, train, FULL_TEMPERATURES, "784-500 on MNIST", seed)
        if learner != "cd":
            base = starting_weights(network, train, 0)["bv"][0]
            estimate = estimate_log_z(network, weights, base, FULL_TEMPERATURES, 100, seed)
            estimates[learner] = estimate.log_likelihood(network, weights, test)[0]
    yield _row("784-500 on MNIST: share of wrong pixels after flow minus that after CD-1, from 10, "
               "20, 30 % flips", errors["flow"] - errors["cd"], "<= 0", RECONSTRUCTS,
               "flow-vs-cd-reconstruction")
    yield _row("784-500 on MNIST: estimated log-likelihood after flow minus that after PCD, nats",
               estimates["flow"] - estimates["pcd"], ">= 0", LIKELY, "flow-vs-pcd-likelihood")


GROUPS = update, reconstruction, chains, flipped_likelihood
FULL = (mnist,)
