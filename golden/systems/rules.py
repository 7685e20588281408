"""Learning rules as :func:`~apical.golden.learning.float.train` uses them.

A rule says which network the layers make, which program learns, which one decides, which weights
it starts from.  Configurations are :class:`~apical.golden.learning.float.TrainingConfig`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ..errors import MisuseError
from ..network import Network, glorot
from ..network import layered as layered_network
from ..program import layered
from . import equilibrium, ghost_units, stdp


@dataclass(frozen=True)
class Rule:
    """One learning rule.

    Attributes
    ----------
    name : str
    summary : str
        What it is, in a few words.
    network : callable
        ``network(sizes)``.
    program : callable or None
        ``program(network, config)``, which learns one batch; None for backpropagation, which is
        no local rule and no program.
    rates : callable
        ``rates(network, config)``: rate of every matrix at the start, by name.
    weights : callable
        ``weights(network, config)``: first weights.
    inference : callable
        ``inference(network, steps)``.
    """

    name: str
    summary: str
    network: Callable
    program: Callable | None
    rates: Callable
    weights: Callable
    inference: Callable


def starting_weights(network: Network, config) -> dict:
    """Glorot-uniform weights of the seed times `gain`, hidden biases of the configuration."""
    # Biases are 0 here, so the gain changes the weights between populations only.
    weights = {name: config.gain * values for name, values in glorot(network, config.seed).items()}
    for projection in network.projections:
        if network.population(projection.source).constant and projection.target != "y":
            weights[projection.matrix][...] = config.hidden_bias
    return weights


def _one_or_all(config):
    return config.rates[0] if len(config.rates) == 1 else config.rates


def _energy_rule(name, summary, kind):
    def program(network, config):
        if kind == "ep":
            return equilibrium.training(network, config.steps, config.nudge_steps,
                                        config.beta_shift)
        return stdp.training(network, kind, config.steps, config.nudge_steps, config.beta_shift)

    return Rule(name, summary, layered_network, program,
                lambda network, config: equilibrium.learning_rates(
                    network, _one_or_all(config), config.beta_shift),
                starting_weights,
                lambda network, steps: layered.inference(network, steps))


def _ghost_rule(name, summary, mode):
    def program(network, config):
        return ghost_units.training(network, mode, config.steps, config.nudge_steps,
                                    config.beta_shift)

    return Rule(name, summary, lambda sizes: ghost_units.ghost_network(sizes, mode),
                None if name == "backprop" else program,
                lambda network, config: ghost_units.learning_rates(
                    network, _one_or_all(config), 0 if name == "backprop" else config.beta_shift),
                lambda network, config: ghost_units.ghost_weights(
                    network, config.seed, config.gain),
                # The free fixed point is the feedforward pass; relaxation would not change it.
                lambda network, steps: ghost_units.inference(network, mode, 0))


#: Rules by name.
RULES = {rule.name: rule for rule in (
    _energy_rule("ep", "equilibrium propagation", "ep"),
    _energy_rule("stdp-contrast", "STDP-compatible rule, contrast of both phases", "contrast"),
    _energy_rule("stdp-integrated", "STDP-compatible rule, every step, tied", "integrated"),
    _energy_rule("stdp-one-way", "STDP-compatible rule, every step, upwards only", "one-way"),
    _ghost_rule("ghost", "ghost units that duplicate the weights above", "duplicate"),
    _ghost_rule("ghost-online", "ghost currents that replicate the feedback online", "online"),
    _ghost_rule("backprop", "backpropagation on the network of the ghost units (a reference)",
                "duplicate"),
)}


def rule(name) -> Rule:
    """The rule of that name.

    Raises
    ------
    MisuseError
        For an unknown name.
    """
    if name not in RULES:
        raise MisuseError(f"unknown rule '{name}'; known: {', '.join(RULES)}")
    return RULES[name]


def backprop_batch(executor, images, targets, rates):
    """One step of backpropagation on the feedforward part of a ghost network, in place.

    Cost ``1/2 |d - rho(u_L)|**2``, logistic units, mean over the batch: the reference that ghost
    units are compared with.

    Parameters
    ----------
    executor : FloatExecutor
    images, targets : ndarray of shape (batch, n)
    rates : dict of str to float
    """
    weights, passed = executor.weights, [images]
    count = sum(name[0] == "W" for name in weights)
    for k in range(1, count + 1):
        u = passed[-1] @ weights[f"W{k}"] + weights[f"b{k}"]
        passed.append(0.5 * np.tanh(0.5 * u) + 0.5)
    error = (targets - passed[-1]) * passed[-1] * (1 - passed[-1])
    for k in range(count, 0, -1):
        below = passed[k - 1]
        share = error * executor.dtype.type(1 / len(images))
        if k > 1:  # with the weights that made the error
            error = (error @ weights[f"W{k}"].T) * below * (1 - below)
        weights[f"W{k}"] += executor.dtype.type(rates[f"W{k}"]) * (below.T @ share)
        weights[f"b{k}"] += executor.dtype.type(rates[f"b{k}"]) * share.sum(axis=0)
        executor.refresh(f"W{k}")
