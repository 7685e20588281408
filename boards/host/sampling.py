"""What a trained Boltzmann machine on a device is asked: samples, and repaired images.

Each image is one run of a program, after which the visible units are read back.  The fixed executor
finds the same integers from the same inputs and seed.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...golden.network import Network
from ...golden.network.boltzmann import join, split, visible
from ...golden.numbers.formats import dequantize, quantize
from ...golden.program import STATE, Program
from ...golden.systems import machine_programs, repair
from .device import Device


@dataclass(frozen=True, eq=False)
class Visible:
    """Visible units after each image.

    Attributes
    ----------
    images : ndarray of shape (images, width), float32
        0 or 1.
    probabilities : ndarray of shape (images, width), float64
        Chance of each unit to be 1.
    signature : int
        Of all that was written.
    """

    images: np.ndarray
    probabilities: np.ndarray
    signature: int


def starts(network: Network, count, seed) -> dict:
    """First images of chains: independent fair coins, real, by clamped population."""
    width = sum(network.population(x).size for x, _ in visible(network))
    return split(network, np.random.default_rng(seed).integers(0, 2, (count, width)))


def draw(device: Device, network: Network, weights, count, steps, seed=0,
         progress=None) -> Visible:
    """Draw samples by block Gibbs chains, see :func:`apical.golden.learning.sampling.sample`.

    Parameters
    ----------
    network : Network
    weights : dict of str to ndarray of int64
        Raw.
    count, steps, seed : int
        Chains, steps of each, and where they begin.
    progress : callable, optional
        As of :meth:`~apical.boards.host.device.Device.run`.
    """
    return _run(device, network, machine_programs.gibbs(network, steps, from_image=True), weights,
                starts(network, count, seed), seed, machine_programs.DRAWN, progress)


def mend(device: Device, network: Network, weights, corrupted, share, seed=0,
         sweeps=repair.SWEEPS, progress=None) -> Visible:
    """Repair corrupted images, see :mod:`apical.golden.systems.repair`.

    Parameters
    ----------
    network : Network
        The machine, without evidence.
    weights : dict of str to ndarray of int64
        Raw.
    corrupted : ndarray of shape (images, width)
        Binary.
    share : float
        Share of pixels that were flipped.
    seed, sweeps : int
    progress : callable, optional
    """
    whole, program, evidence = repair_of(network, share, sweeps, device.config.weight)
    return _run(device, whole, program, {**weights, **evidence}, split(network, corrupted), seed,
                None, progress)


def repair_of(network: Network, share, sweeps, weight):
    """(network with evidence, program, raw weights of the evidence) in a weight format."""
    count = repair.parts(share, weight)
    whole = repair.evidence_network(network)
    evidence = {name: quantize(values, weight, name)[0] for name, values in
                repair.evidence_weights(network, share, count).items()}
    return whole, repair.repair(whole, count, sweeps), evidence


def _run(device, network, program: Program, weights, images, seed, drawn, progress) -> Visible:
    state = device.config.state
    inputs = {name: quantize(part, state)[0] for name, part in images.items()}
    slots = [STATE] if drawn is None else [STATE, drawn]
    device.load(network, program, weights, seed=seed)
    found = device.run(inputs, progress, [(v, slot) for _, v in visible(network)
                                          for slot in slots])
    chances = dequantize(join(network, found.states), state)
    binary = chances > 0.5 if drawn is None else join(network, found.states, drawn) > 0
    return Visible(binary.astype(np.float32), chances, found.signature)
