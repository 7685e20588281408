"""What a trained Boltzmann machine is asked: samples, reconstructions, its flow, its free energy.

Each call runs a program of :mod:`apical.golden.systems.machine_programs` on the float executor.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..errors import MisuseError
from ..executors.float.executor import FloatExecutor
from ..network import Network
from ..network.boltzmann import check_machine, hidden, join, split, visible
from ..program import STATE
from ..systems import machine_programs, probability_flow, repair

#: Images that run at a time.
_BATCH = 500


@dataclass(frozen=True, eq=False)
class Samples:
    """Last states of a set of Gibbs chains; chain by chain.

    Attributes
    ----------
    images : ndarray of shape (chains, width), float32
        Visible states, 0 or 1.
    probabilities : ndarray of shape (chains, width), float32
        Chance of each visible unit to be 1, given the states of the others when it was drawn.
    hidden : dict of str to ndarray of shape (chains, n), float32
        States of the hidden populations; handed back as `start`, the chains go on.
    """

    images: np.ndarray
    probabilities: np.ndarray
    hidden: dict


def sample(network: Network, weights, count=100, steps=1000, seed=0, start=None) -> Samples:
    """Draw samples of a Boltzmann machine by block Gibbs chains.

    Parameters
    ----------
    network : Network
        As :func:`~apical.golden.network.boltzmann.boltzmann` makes it.
    weights : dict of str to ndarray
    count : int
        Chains, each giving a sample.
    steps : int
        Steps of each chain; a step draws every free population once.
    seed : int
        Equal seeds give equal samples; chain ``c`` has the noise of image ``c``.
    start : ndarray of shape (count, width), or Samples, optional
        First visible states (0 or 1), or chains that go on (then with another seed, or the noise
        repeats); by default visible units begin as independent fair coins.

    Raises
    ------
    MisuseError
        For counts below 1, starts of another shape, and networks that are no machines.
    """
    check_machine(network)
    if count < 1:
        raise MisuseError(f"count is {count}; draw a sample at least")
    program = machine_programs.gibbs(network, steps)
    if isinstance(start, Samples):
        states = {**split(network, start.images, clamped=False), **start.hidden}
    else:
        if start is None:
            width = sum(network.population(x).size for x, _ in visible(network))
            start = np.random.default_rng(seed).integers(0, 2, (count, width))
        states = split(network, start, clamped=False)
    if len(next(iter(states.values()))) != count:
        raise MisuseError(f"{count} chains are requested, but the start has "
                          f"{len(next(iter(states.values())))}")
    result = FloatExecutor(network, weights).run(program, {}, states, seed=seed)
    return Samples(join(network, result.states, machine_programs.DRAWN),
                   join(network, result.states),
                   {name: result.states[name, STATE] for name in hidden(network)})


def reconstruct(network: Network, weights, images, sweeps=machine_programs.SWEEPS, executor=None):
    """Chances of the visible units after a mean-field pass from (corrupted) images.

    Parameters
    ----------
    network : Network
    weights : dict of str to ndarray
    images : ndarray of shape (images, width)
        In 0..1.
    sweeps : int
        Mean-field sweeps of hidden units that are coupled to each other.
    executor : FloatExecutor, optional
        One that already holds the weights.

    Returns
    -------
    ndarray of shape (images, width), float32
        Above 1/2 means 1.
    """
    program = machine_programs.reconstruction(network, sweeps)
    executor = executor or FloatExecutor(network, weights)
    found = [join(network, executor.run(program, inputs).states)
             for inputs in images_by_part(network, images)]
    return np.concatenate(found)


def mend(network: Network, weights, corrupted, share, sweeps=repair.SWEEPS):
    """Chances of the visible units after a repair, see :mod:`apical.golden.systems.repair`.

    Parameters
    ----------
    network : Network
        The machine, without evidence.
    weights : dict of str to ndarray
    corrupted : ndarray of shape (images, width)
        Binary.
    share : float
        Share of pixels that were flipped, above 0 and below 1/2.
    sweeps : int

    Returns
    -------
    ndarray of shape (images, width), float32
        Above 1/2 means 1.
    """
    whole = repair.evidence_network(network)
    executor = FloatExecutor(whole, {**weights, **repair.evidence_weights(network, share, 1)})
    program = repair.repair(whole, 1, sweeps)
    return np.concatenate([join(network, executor.run(program, inputs).states)
                           for inputs in images_by_part(network, corrupted)])


def reconstruction_error(network: Network, weights, images, corrupted,
                         sweeps=machine_programs.SWEEPS, executor=None) -> float:
    """Share of pixels, 0..1, that a mean-field pass from `corrupted` leaves unlike `images`.

    Parameters
    ----------
    images, corrupted : ndarray of shape (images, width)
        Binary.
    """
    found = reconstruct(network, weights, corrupted, sweeps, executor)
    return float(np.mean((found > 0.5) != (np.asarray(images) > 0.5)))


def flow(network: Network, weights, images, flips="visible", seed=0,
         sweeps=machine_programs.SWEEPS, dtype=np.float32) -> float:
    """The flow objective K: mean over images of the summed flip rates out of completed states.

    Parameters
    ----------
    flips : str or sequence of str
        Whose flips count, see :func:`~apical.golden.systems.probability_flow.flipping`.
    seed : int
        Of the E-step.
    """
    program = probability_flow.objective(network, flips, sweeps)
    groups = probability_flow.flipping(network, flips)
    executor, total, first = FloatExecutor(network, weights, dtype), 0.0, 0
    for inputs in images_by_part(network, images):
        states = executor.run(program, inputs, seed=seed, first_image=first).states
        # |q| = Gamma / 2
        total += sum(2 * float(np.abs(states[g, probability_flow.FLOW]).sum(dtype=np.float64))
                     for g in groups)
        first += len(next(iter(inputs.values())))
    return total / max(first, 1)


def free_energy(network: Network, weights, images):
    """Free energy of a restricted machine, ``F(x) = -log sum_z exp(-E(x, z))``.

    Parameters
    ----------
    images : ndarray of shape (images, width)

    Returns
    -------
    ndarray of shape (images,), float64
    """
    W, b, c = restricted(network, weights)
    x = np.asarray(images, np.float64)
    return -(x @ b) - np.logaddexp(0, x @ W + c).sum(axis=1)


def is_restricted(network: Network) -> bool:
    """Whether a machine has one visible and one hidden group and one matrix between them."""
    return {m.name for m in network.matrices} - {"cv"} == {"W1", "bv", "bh1"}


def restricted(network: Network, weights):
    """(couplings (visible, hidden), visible biases, hidden biases) of a restricted machine.

    Raises
    ------
    MisuseError
        For a machine with other couplings.
    """
    if not is_restricted(network):
        raise MisuseError(f"network '{network.name}' is not a restricted machine with one visible "
                          "and one hidden group")
    return tuple(np.asarray(values, np.float64)
                 for values in (weights["W1"], weights["bv"][0], weights["bh1"][0]))


def images_by_part(network: Network, images):
    """Inputs of runs over images, `_BATCH` at a time: a list of dicts, see ``boltzmann.split``."""
    images = np.asarray(images)
    if not len(images):
        raise MisuseError("there are no images")
    return [split(network, images[i:i + _BATCH]) for i in range(0, len(images), _BATCH)]
