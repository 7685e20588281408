"""Small problems for the cases of systems: images, first weights and networks drawn at random."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..network import Network, glorot, layered
from ..numbers.formats import STATE, WEIGHT, quantize
from ..program import Program


@dataclass(frozen=True, eq=False)
class Problem:
    """What a system's ``case(rng)`` returns.

    Attributes
    ----------
    network : Network
    program : Program
    weights, inputs : dict of str to ndarray of int64
        Raw, in the default formats.
    rates : dict of str to float
        By matrix.
    passes : int
        Times that the images run, one after the other.
    """

    network: Network
    program: Program
    weights: dict
    inputs: dict
    rates: dict
    passes: int = 1


def raw(weights) -> dict:
    """Raw weights of real ones."""
    return {name: quantize(values, WEIGHT, name)[0] for name, values in weights.items()}


def seed_of(rng) -> int:
    """A seed drawn from a generator."""
    return int(rng.integers(2 ** 31))


def prototypes(rng, images, units, classes, noise=0.15, density=0.6):
    """Noisy copies of random sparse patterns in 0..1, and their classes."""
    patterns = rng.random((classes, units)) * (rng.random((classes, units)) < density)
    labels = rng.permutation(np.arange(images) % classes)
    values = patterns[labels] + noise * rng.normal(size=(images, units))
    return np.clip(values, 0, 1), labels


def pairs(rng, images, units, classes) -> dict:
    """Raw inputs and one-hot targets."""
    x, labels = prototypes(rng, images, units, classes)
    return {"x": quantize(x, STATE)[0], "d": STATE.one * np.eye(classes, dtype=np.int64)[labels]}


def positive_weights(network, rng, gain=1.0, bias=0.0) -> dict:
    """Raw Glorot weights with a positive bias, so that hard units stay inside of their range."""
    weights = glorot(network, seed_of(rng))
    return raw({name: gain * values + (bias if values.shape[0] == 1 else 0.0)
                for name, values in weights.items()})


def layered_problem(rng, sizes, program, rates, images=30, passes=4, make=layered) -> Problem:
    """A problem of a layered network of hard-sigmoid units with labelled images.

    Parameters
    ----------
    rng : numpy.random.Generator
    sizes : sequence of int
    program, rates : callable
        Of the network: the program that learns, and the rates by matrix.
    make : callable
        ``make(sizes)``: the network.
    """
    network = make(sizes)
    weights = positive_weights(network, rng, 0.5, 0.35)
    inputs = pairs(rng, images, sizes[0], sizes[-1])
    return Problem(network, program(network), weights, inputs, rates(network), passes)
