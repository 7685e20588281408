"""Feedback alignment: errors come back through fixed random weights.

Lillicrap, Cownden, Tweed and Akerman (2016, Nature Communications 7:13276).  A feedforward network
of hard-sigmoid units; populations ``ey``, ``eh1`` .. hold errors,

.. math:: e_L = d - u_L, \\qquad e_k = \\mathrm{clip}(a_k + B_{k+1} e_{k+1}) - \\mathrm{clip}(a_k),
          \\qquad \\Delta W_k = \\eta \\, u_{k-1} e_k,

with the currents ``a_k``, the states ``u_k = clip(a_k)``, and matrices B that never learn.  The
difference of the two clipped states is the fed back error where a unit is inside its range and 0
where it is not: the slope of the unit, without a product.  Nothing settles: two sweeps make an
update.
"""

from __future__ import annotations

from ..network import Matrix, Network, Population, Projection
from ..network.description import layer_names, layer_sizes
from ..program import STATE, Decide, Difference, Learn, Outer, Program, Project, Snapshot, Update
from . import equilibrium
from .problems import Problem, pairs, positive_weights
from .system import System, glorot_weights

#: Slot of the state before the error arrives.
FORWARD = "forward"
#: Factor on the first feedback weights: errors must be small beside the range of a unit.
FEEDBACK_GAIN = 0.5


def alignment_network(sizes) -> Network:
    """Feedforward layers, and a population of errors for each, with fixed feedback.

    Populations ``x``, ``h1`` .., ``y``, ``d``, ``one`` and ``eh1`` .., ``ey``; matrices ``W1`` ..,
    ``b1`` .. upwards, and ``B2`` .. of shape (n_k, n_{k-1}) from the errors of layer k to the units
    of layer k - 1.
    """
    sizes = layer_sizes(sizes)
    names = layer_names(len(sizes))
    populations = [Population("x", sizes[0], clamped=True)]
    populations += [Population(n, s) for n, s in zip(names[1:], sizes[1:])]
    populations += [Population(f"e{n}", s, "hard-tanh") for n, s in zip(names[2:], sizes[2:])]
    populations += [Population("d", sizes[-1], clamped=True), Population("one", 1, "constant")]
    matrices, projections = [], []
    for k in range(1, len(sizes)):
        below, above = names[k - 1], names[k]
        matrices += [Matrix(f"W{k}", sizes[k - 1], sizes[k]), Matrix(f"b{k}", 1, sizes[k])]
        projections += [Projection(f"up{k}", below, above, f"W{k}"),
                        Projection(f"bias{k}", "one", above, f"b{k}")]
        if k > 1:
            matrices.append(Matrix(f"B{k}", sizes[k], sizes[k - 1]))
            projections.append(Projection(f"back{k}", f"e{above}", below, f"B{k}"))
    return Network("-".join(map(str, sizes)) + "-alignment", tuple(populations), tuple(matrices),
                   tuple(projections))


def _layers(network):
    return [p.name for p in network.free if p.name[0] != "e"]


def forward(network: Network):
    """Operations of the feedforward pass; currents stay in accumulator ``"current"``."""
    ops = []
    for k, name in enumerate(_layers(network), 1):
        ops += [Project(f"bias{k}", "current"), Project(f"up{k}", "current", "current"),
                Update(name, "current", shift=0, leak=False)]
    return ops


def training(network: Network) -> Program:
    """One training image (or batch): forward pass, errors downwards, weights."""
    names = _layers(network)
    ops = forward(network)
    ops.append(Difference("ey" if len(names) > 1 else "y",
                          STATE if len(names) > 1 else equilibrium.DELTA,
                          ("d", STATE), ("y", STATE)))
    for k in range(len(names) - 1, 0, -1):
        name = names[k - 1]
        ops += [Snapshot(name, FORWARD),
                Project(f"back{k + 1}", "current", "current"),
                Update(name, "current", shift=0, leak=False),
                Difference(name, equilibrium.DELTA, STATE, FORWARD)]
        if k > 1:
            ops.append(Difference(f"e{name}", STATE, (name, STATE), (name, FORWARD)))
    if len(names) > 1:
        ops.append(Difference("y", equilibrium.DELTA, ("d", STATE), ("y", STATE)))
    for k, name in enumerate(names, 1):
        below = ("x", STATE) if k == 1 else (names[k - 2], FORWARD)
        change = (name, equilibrium.DELTA)
        ops += [Learn(f"W{k}", (Outer(below, change),)),
                Learn(f"b{k}", (Outer(("one", STATE), change),))]
    program = Program("feedback-alignment", tuple(ops))
    program.check(network)
    return program


def inference(network: Network) -> Program:
    """Forward pass and prediction."""
    program = Program("feedforward", (*forward(network), Decide("y")))
    program.check(network)
    return program


def learning_rates(network: Network, rates) -> dict:
    """Rates by matrix from those of the layers; feedback has none."""
    found = equilibrium.learning_rates(network, rates, 0)
    return {name: rate for name, rate in found.items() if name[0] != "B"}


# The record --------------------------------------------------------------------------------------


def first_weights(network: Network, config, images=None) -> dict:
    """Glorot weights of the seed; feedback weights of both signs, of the same spread."""
    weights = glorot_weights(network, config)
    for name in weights:
        if name[0] == "B":
            weights[name] *= FEEDBACK_GAIN / config.gain
    return weights


def _case(rng):
    network = alignment_network((20, 15, 12, 5))
    # Strong feedback, so that every unit gets an error above the last place.
    weights = positive_weights(network, rng, 0.5, 0.35)
    return Problem(network, training(network), weights, pairs(rng, 30, 20, 5),
                   learning_rates(network, (0.2, 0.2, 0.1)), 4)


ALIGNMENT = System(
    name="feedback-alignment", summary="feedback alignment, fixed random feedback",
    network=alignment_network, weights=first_weights,
    program=lambda network, config: training(network),
    rates=lambda network, config: learning_rates(network, config.one_or_all),
    inference=lambda network, config: inference(network),
    defaults={("float", "digits", 2): {"epochs": 40, "batch": 10, "rates": (0.2, 0.1),
                                       "decay": 0.97},
              ("fixed", "digits", 2): {"epochs": 12, "rates": (0.06, 0.03), "decay": 0.9}},
    case=_case)

