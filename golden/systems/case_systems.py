"""The systems of :mod:`apical.golden.systems.cases`, each a small problem from a random generator.

Every function takes the generator and returns ``(network, program, raw weights, raw inputs, rates,
passes)``.  Rates are powers of two where the papers divide (learned ghosts), found by
``bench/ghost_rates.py``.
"""

from __future__ import annotations

import numpy as np

from ..network import boltzmann as machines
from ..network import glorot, layered
from ..numbers.formats import STATE, WEIGHT, quantize
from ..program import Program
from . import equilibrium, feedforward_init, ghost_units, probability_flow, stdp
from .early_inference import early_change


def _raw(weights):
    return {name: quantize(values, WEIGHT, name)[0] for name, values in weights.items()}


def _seed(rng):
    return int(rng.integers(2 ** 31))


def prototypes(rng, images, units, classes, noise=0.15, density=0.6):
    """Noisy copies of random sparse patterns in 0..1, and their classes."""
    patterns = rng.random((classes, units)) * (rng.random((classes, units)) < density)
    labels = rng.permutation(np.arange(images) % classes)
    values = patterns[labels] + noise * rng.normal(size=(images, units))
    return np.clip(values, 0, 1), labels


def _pairs(rng, images, units, classes):
    """Raw inputs and one-hot targets."""
    x, labels = prototypes(rng, images, units, classes)
    return {"x": quantize(x, STATE)[0], "d": STATE.one * np.eye(classes, dtype=np.int64)[labels]}


def _positive(network, rng, gain=1.0, bias=0.0):
    """Glorot weights with a positive part, so that hard units are inside of their range."""
    weights = glorot(network, _seed(rng))
    return _raw({name: gain * values + (bias if values.shape[0] == 1 else 0.0)
                 for name, values in weights.items()})


def _layered(rng, sizes, program, rates, images=30, passes=4):
    network = layered(sizes)
    weights = _positive(network, rng, 0.5, 0.35)
    return (network, program(network), weights, _pairs(rng, images, sizes[0], sizes[-1]),
            equilibrium.learning_rates(network, rates), passes)


def _equilibrium(rng):
    return _layered(rng, (24, 16, 5), equilibrium.training, (0.1, 0.05))


def _stdp(rule, sizes, rates):
    def make(rng):
        return _layered(rng, sizes, lambda n: stdp.training(n, rule), rates)
    return make


def _feedforward_init(rng):
    sizes, images = (24, 18, 12, 8), 30
    network = feedforward_init.branch_network(sizes)
    x, _ = prototypes(rng, images, sizes[0], 8, density=1.0)
    inputs = {"x": quantize(0.8 * 2 * (x - x.mean(axis=0)), STATE)[0]}
    weights = _raw({name: 0.5 * values for name, values in glorot(network, _seed(rng)).items()})
    return (network, feedforward_init.branch_prediction(sizes), weights,
            {"x": np.clip(inputs["x"], -STATE.one, STATE.one)},
            {m.name: 0.02 for m in network.matrices}, 4)


#: Rates of learned ghosts by first letter of the matrix: ghosts (V, v) and cancelling (B).  What
#: is left of the feedback hardly depends on them (docs/results-fixed.md).
GHOST_RATES = {"V": 2.0 ** -3, "v": 2.0 ** -3, "B": 2.0 ** -5}


def ghost_program(network, steps=6):
    """Learned ghosts: both ghost rules in the free state, then the rate form against a twin run."""
    return Program("ghost-learned", (
        *ghost_units.ghost_learning(network, steps, normalized=False).ops,
        *ghost_units.training(network, "learned", steps, 6, twin=True).ops))


def _ghost(mode):
    def make(rng):
        sizes = (20, 14, 10, 5)
        network = ghost_units.ghost_network(sizes, mode)
        weights = _raw(ghost_units.ghost_weights(network, _seed(rng), 1.0))
        rates = ghost_units.learning_rates(network, 0.2)
        if mode == "learned":
            rates |= {m.name: GHOST_RATES[m.name[0]] for m in network.matrices
                      if m.name[0] in GHOST_RATES}
            program = ghost_program(network)
        else:
            program = ghost_units.training(network, mode, 2, 6)
        return network, program, weights, _pairs(rng, 30, sizes[0], sizes[-1]), rates, 2
    return make


def _early_inference(rng):
    network = layered((20, 16, 12, 6))
    return (network, early_change(network, 40, 4, beta_shift=1, sigma=0.03),
            _positive(network, rng, 0.5, 0.2), _pairs(rng, 30, 20, 6), {}, 1)


def _flow(sizes, colours=None, symmetric=True):
    def make(rng):
        network = machines.boltzmann(sizes, colours, symmetric)
        x, _ = prototypes(rng, 30, sizes[0], 6, noise=0.3)
        images = machines.binarize(x)
        weights = machines.starting_weights(network, images, _seed(rng), 0.1)
        raw = {name: np.clip(values, -STATE.max, STATE.max)
               for name, values in _raw(weights).items()}
        inputs = {name: quantize(part, STATE)[0]
                  for name, part in machines.split(network, images).items()}
        return (network, probability_flow.training(network), raw, inputs,
                machines.learning_rates(network, 0.05), 4)
    return make


SYSTEMS = {
    "ep": _equilibrium,
    "feedforward-init": _feedforward_init,
    "ghost-duplicate": _ghost("duplicate"),
    "ghost-learned": _ghost("learned"),
    "ghost-online": _ghost("online"),
    "stdp-contrast": _stdp("contrast", (20, 14, 8, 4), (0.1, 0.1, 0.05)),
    "stdp-integrated": _stdp("integrated", (22, 14, 5), (0.1, 0.05)),
    "stdp-one-way": _stdp("one-way", (18, 15, 6), (0.1, 0.05)),
    "early-inference": _early_inference,
    "flow-visible": _flow((16,), (4,)),
    "flow-rbm": _flow((24, 16)),
    "flow-dbm": _flow((20, 14, 10)),
    "flow-dbm-lateral": _flow((20, 12, 9), (1, 2, 3)),
    "flow-asymmetric": _flow((16,), (4,), False),
}
