"""What the records of machines share: networks, first weights, small cases."""

from __future__ import annotations

import numpy as np

from ..errors import MisuseError
from ..network import Network
from ..network import boltzmann as machines
from ..numbers.formats import STATE as STATE_FORMAT
from ..numbers.formats import quantize
from .kinds import BINARIZED
from .machine_programs import reconstruction
from .problems import Problem, prototypes, raw, seed_of
from .settings import FlowConfig
from .system import System

#: Layers where none are given, by data.
RESTRICTED = {"digits": (64, 64), "mnist": (784, 500), "fashion-mnist": (784, 500)}
DEEP = {"digits": (64, 40, 20), "mnist": (784, 500, 500), "fashion-mnist": (784, 500, 500)}
#: Probability of a flip where the settings name none.
FLIP = 0.1


def machine(layers, lateral=False, symmetric=True, colours=None, flips=False) -> Network:
    """The machine of a training run: its hidden layers in two colour groups when `lateral`.

    Parameters
    ----------
    layers : sequence of int
        Visible layer, then hidden layers.
    lateral : bool
        Couplings inside hidden layers, between the halves of each.
    symmetric : bool
        One matrix for both directions of a coupling.
    colours : int, optional
        Colour groups of the visible layer; by default 1, and 4 where there is no hidden layer
        that could couple pixels.
    flips : bool
        As for :func:`~apical.golden.network.boltzmann.boltzmann`; a machine without hidden layers
        has none.
    """
    if lateral and len(layers) < 2:
        raise MisuseError("lateral couplings belong to hidden layers; this machine has none")
    flips = flips and len(layers) > 1
    first = colours or (min(4, int(layers[0])) if len(layers) == 1 else 1)
    groups = [first] + [2 if lateral else 1] * (len(layers) - 1)
    name = "-".join(map(str, layers)) + ("-lateral" if lateral else "")
    name += ("" if symmetric else "-both") + ("-flips" if flips else "")
    return machines.boltzmann(layers, groups, symmetric, name, flips)


def first_weights(network: Network, config, images) -> dict:
    """First weights of settings, see :func:`~apical.golden.network.boltzmann.starting_weights`.

    Raises
    ------
    MisuseError
        For a probability of flips where the machine has none.
    """
    if config.flip is not None and not machines.coins(network):
        raise MisuseError(f"machine '{network.name}' has no flips, but flip is {config.flip}; "
                          "leave it out, or make the machine with flips")
    flip = FLIP if config.flip is None else config.flip
    return machines.starting_weights(network, images, config.seed, config.scale,
                                     config.hidden_bias, flip)


def problem(sizes, program, colours=None, symmetric=True, flips=False):
    """``case(rng)`` of a machine: binarized prototypes.

    Parameters
    ----------
    program : callable
        Of the network.
    """
    def make(rng):
        network = machines.boltzmann(sizes, colours, symmetric, flips=flips)
        x, _ = prototypes(rng, 30, sizes[0], 6, noise=0.3)
        images = machines.binarize(x)
        weights = machines.starting_weights(network, images, seed_of(rng), 0.1)
        clipped = {name: np.clip(values, -STATE_FORMAT.max, STATE_FORMAT.max)
                   for name, values in raw(weights).items()}
        inputs = {name: quantize(part, STATE_FORMAT)[0]
                  for name, part in machines.split(network, images).items()}
        return Problem(network, program(network), clipped, inputs,
                       machines.learning_rates(network, 0.05), 4)
    return make


def record(name, rule, summary, program, layers=None, defaults=None, case=None,
           **of_machine) -> System:
    """A record of a rule of machines.

    Parameters
    ----------
    program : callable
        ``program(network, config)``.
    **of_machine
        As for :func:`machine`.
    """
    return System(
        name=name, rule=rule, summary=summary, data=BINARIZED, settings=FlowConfig,
        program=program, rates=lambda network, config: machines.learning_rates(network,
                                                                               config.rate),
        network=lambda sizes: machine(sizes, **of_machine), weights=first_weights,
        inference=lambda network, config: reconstruction(network, config.sweeps),
        layers=layers or RESTRICTED, defaults=defaults or {}, case=case)
