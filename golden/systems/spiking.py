"""Equilibrium propagation with spikes: neighbours see Bernoulli samples of rates.

Every unit is 0 or 1 at every step, 1 with the probability ``sigma(field)``, its rate; layers are
drawn in turn, so the states are Gibbs samples of ``p(s) ~ exp(-E(s))`` with
``E = -sum W s s - sum b s``.  The stochastic form of equilibrium propagation (Scellier 2021,
thesis, arXiv 2103.09985, section 5.3) contrasts expectations instead of fixed points,

.. math:: \\Delta W_{ij} = \\frac{\\eta}{\\beta}
          (\\langle s_i s_j \\rangle_\\beta - \\langle s_i s_j \\rangle_0).

At every beta that is exactly ``-eta dJ/dW`` with ``J = -log <exp(-beta C)> / beta`` (both sides are
derivatives of log partition functions), and J tends to the expected cost ``<C>`` as beta goes to 0.
``C = 1/2 |d - s_y|**2`` of binary units is linear, so a weak nudge would drive rare classes to
silence; J of a strong one is nearly the log-likelihood of the target.

``beta C`` being linear, the nudge is a current ``beta (d - 1/2)``: two more projections, through
matrices that do not learn.  Weights change at every step, by the product of two spikes: down in the
free phase, up in the nudged one.
"""

from __future__ import annotations

import numpy as np

from ..errors import MisuseError
from ..network import Matrix, Network, Projection, layered
from ..program import STATE, Clear, Decide, Learn, Outer, Program, Project, Relax, Sample
from . import equilibrium
from .problems import Problem, pairs, raw, seed_of
from .settings import TrainingConfig
from .system import System, glorot_weights

#: Strength beta of the nudge, and steps before learning and while it learns in each phase.
NUDGE, BURN_IN, STEPS = 4.0, 5, 10


def spiking_network(sizes) -> Network:
    """A layered network of binary units, with the projections of the nudge.

    As :func:`~apical.golden.network.layered`; matrices ``N`` (diagonal, beta) and ``n`` (-beta/2)
    nudge the output towards ``d``.
    """
    plain = layered(sizes, "binary")
    size = plain.population("y").size
    nudge = (Projection("toward", "d", "y", "N"), Projection("middle", "one", "y", "n"))
    return Network(f"{plain.name}-spikes", plain.populations,
                   (*plain.matrices, Matrix("N", size, size), Matrix("n", 1, size)),
                   (*plain.projections, *nudge))


def nudge_weights(network: Network, beta=NUDGE) -> dict:
    """The fixed weights of a nudge."""
    size = network.population("y").size
    return {"N": beta * np.eye(size), "n": np.full((1, size), -beta / 2)}


def _learned(network):
    return [p for p in network.projections if not p.transpose and p.matrix not in ("N", "n")]


def draw(network: Network, nudged=False, mode="sample"):
    """One step: every second layer, then the others, drawn from their fields.

    Parameters
    ----------
    nudged : bool
        With the nudge of the output.
    mode : str
        Of `Sample`; ``"mean"`` is a step of mean field.
    """
    names, ops = [p.name for p in network.free], []
    for name in (*names[::2], *names[1::2]):
        start = None
        for p in network.into(name):
            if nudged or p.matrix not in ("N", "n"):
                ops.append(Project(p.name, "field", start))
                start = "field"
        ops.append(Sample(name, "field", mode))
    return tuple(ops)


def _silence(network):
    """No unit spikes: an engine keeps the states of the image before."""
    return [Clear(p.name) for p in network.free]


def training(network: Network, burn_in=BURN_IN, steps=STEPS) -> Program:
    """One training image (or batch): free steps, then nudged ones; after a burn-in they learn.

    Parameters
    ----------
    burn_in : int
        Steps before a phase learns.
    steps : int
        Steps that learn in each phase.
    """
    if burn_in < 0 or steps < 1:
        raise MisuseError(f"burn_in is {burn_in} and steps {steps}; spikes need a step at least "
                          "to learn from")
    ops = _silence(network)
    for nudged, sign in ((False, -1), (True, 1)):
        step = draw(network, nudged)
        learn = tuple(Learn(p.matrix, (Outer((p.source, STATE), (p.target, STATE), sign),))
                      for p in _learned(network))
        ops += [Relax(burn_in, step), Relax(steps, step + learn)]
    program = Program(f"spiking-{burn_in}-{steps}", tuple(ops))
    program.check(network)
    return program


def inference(network: Network, steps=STEPS) -> Program:
    """Mean field of the free network and prediction."""
    settle = Relax(steps, draw(network, mode="mean"))
    program = Program(f"mean-field-{steps}", (*_silence(network), settle, Decide("y")))
    program.check(network)
    return program


def learning_rates(network: Network, rates, steps=STEPS, beta=NUDGE) -> dict:
    """Rates by matrix with ``1/(beta steps)`` folded in; the nudge has none.

    Parameters
    ----------
    rates : float or sequence of float
        Of the layers, see :func:`~apical.golden.systems.equilibrium.learning_rates`.
    """
    learned = [p.matrix for p in _learned(network)]
    plain = Network(network.name, network.populations,
                    tuple(m for m in network.matrices if m.name in learned),
                    tuple(p for p in network.projections if p.matrix in learned))
    found = equilibrium.learning_rates(plain, rates, 0)
    return {name: rate / (beta * steps) for name, rate in found.items()}


# The record --------------------------------------------------------------------------------------


def first_weights(network: Network, config: TrainingConfig, images=None) -> dict:
    """Glorot weights of the seed, and those of the nudge."""
    return glorot_weights(network, config) | nudge_weights(network)


def _case(rng):
    network = spiking_network((18, 14, 5))
    config = TrainingConfig(seed=seed_of(rng), gain=1.0, hidden_bias=0.0)
    weights = raw(first_weights(network, config))
    return Problem(network, training(network, 2, 4), weights, pairs(rng, 30, 18, 5),
                   learning_rates(network, (0.8, 0.8), 4), 3)


_DIGITS = {"steps": BURN_IN, "nudge_steps": STEPS, "inference_steps": 10, "gain": 3.0,
           "hidden_bias": 0.0}
SPIKING = System(
    name="ep-spiking", summary="equilibrium propagation with Bernoulli spikes",
    network=spiking_network, weights=first_weights,
    program=lambda network, config: training(network, config.steps, config.nudge_steps),
    rates=lambda network, config: learning_rates(network, config.one_or_all, config.nudge_steps),
    inference=lambda network, config: inference(network, config.inference_steps),
    defaults={("float", "digits", 2): {**_DIGITS, "epochs": 20, "batch": 10, "rates": (4.0, 4.0),
                                       "decay": 0.9},
              ("fixed", "digits", 2): {**_DIGITS, "epochs": 10, "rates": (0.4, 0.4),
                                       "decay": 0.85}},
    case=_case)
