"""Delta rule: one layer of hard-sigmoid units that learns from the error of its output.

The example of a system of another package: tests copy this one file into a temporary package.
"""

from apical.golden.program import STATE, Difference, Learn, Outer, Program
from apical.golden.program.layered import drive, sweep
from apical.golden.systems.problems import layered_problem
from apical.golden.systems.system import System


def training(network):
    """One image: the sweep, the error of the output, one product for each matrix."""
    return Program("delta-rule", (
        *drive(network), *sweep(network), Difference("y", "error", ("d", STATE), STATE),
        Learn("W1", (Outer(("x", STATE), ("y", "error")),)),
        Learn("b1", (Outer(("one", STATE), ("y", "error")),))))


def rates(network, config):
    return {m.name: config.rates[0] for m in network.matrices}


DELTA = System(
    name="delta-rule", summary="one layer that learns from its error",
    program=lambda network, config: training(network), rates=rates,
    layers={"digits": (64, 10)},
    defaults={("float", "digits", 1): {"epochs": 5, "rates": (0.5,)},
              ("fixed", "digits", 1): {"epochs": 3, "rates": (0.05,)}},
    case=lambda rng: layered_problem(rng, (12, 5), training, lambda network: {
        m.name: 0.1 for m in network.matrices}))

#: Without defaults and without a case.
BARE = System(name="delta-bare", summary="the same without defaults",
              program=lambda network, config: training(network), rates=rates,
              layers={"digits": (64, 10)})
NOT_ONE = 3
