"""Equilibrium propagation without an energy: feedback has weights of its own.

Scellier, Goyal, Binas, Mesnard and Bengio (2018, arXiv 1808.04873).  Upward weights W and downward
weights B need not be each other's transposes, so states follow a vector field that is no gradient.
Each weight learns from its presynaptic rate and the change of its postsynaptic rate,

.. math:: \\Delta W_{ij} = \\frac{\\eta}{\\beta} \\rho(u_i^0) (\\rho(u_j^\\beta) - \\rho(u_j^0)),

with i presynaptic.  It is local in time and place, and the gradient only where B is the transpose
of W; learning pulls the two together, because both see the same pairs of units.
"""

from __future__ import annotations

from ..errors import MisuseError
from ..network import Matrix, Network, Population, Projection
from ..network.description import layer_names, layer_sizes
from ..program import Difference, Learn, Outer, Program, Relax
from ..program.layered import EPS_SHIFT, drive, nudged, start_state, step
from . import equilibrium
from .problems import layered_problem
from .system import System


def vector_field_network(sizes, rate="hard-sigmoid") -> Network:
    """A layered network whose feedback has matrices of its own.

    As :func:`~apical.golden.network.layered`, but layer k drives layer k - 1 through matrix
    ``B{k}`` of shape (n_k, n_{k-1}).
    """
    sizes = layer_sizes(sizes)
    names = layer_names(len(sizes))
    populations = [Population("x", sizes[0], rate, clamped=True)]
    populations += [Population(n, s, rate) for n, s in zip(names[1:], sizes[1:])]
    populations += [Population("d", sizes[-1], rate, clamped=True),
                    Population("one", 1, "constant")]
    matrices, projections = [], []
    for k in range(1, len(sizes)):
        below, above = names[k - 1], names[k]
        matrices += [Matrix(f"W{k}", sizes[k - 1], sizes[k]), Matrix(f"b{k}", 1, sizes[k])]
        projections += [Projection(f"up{k}", below, above, f"W{k}"),
                        Projection(f"bias{k}", "one", above, f"b{k}")]
        if k > 1:
            matrices.append(Matrix(f"B{k}", sizes[k], sizes[k - 1]))
            projections.append(Projection(f"down{k}", above, below, f"B{k}"))
    return Network("-".join(map(str, sizes)) + "-feedback", tuple(populations), tuple(matrices),
                   tuple(projections))


def training(network: Network, steps=equilibrium.FREE_STEPS, nudge_steps=equilibrium.NUDGE_STEPS,
             beta_shift=equilibrium.BETA_SHIFT, start="sweep", shift=EPS_SHIFT, output="y",
             target="d", random_sign=True) -> Program:
    """One training image (or batch): free phase, nudged phase, change of every weight.

    Parameters
    ----------
    random_sign : bool
        Nudge with the sign that the run is given; otherwise towards the target.
    steps, nudge_steps, beta_shift, start, shift, output, target
        As for :func:`~apical.golden.systems.equilibrium.training`; so are the rates.
    """
    if steps < 0 or nudge_steps < 1:
        raise MisuseError(f"steps is {steps} and nudge_steps {nudge_steps}; the nudged phase needs "
                          "a step at least")
    ops = drive(network) + start_state(network, start)
    ops.append(Relax(steps, step(network, shift)))
    ops += equilibrium.remember(network)
    nudges = nudged(target, output, beta_shift, random_sign=random_sign)
    ops.append(Relax(nudge_steps, step(network, shift, nudges)))
    ops += [Difference(p.name, equilibrium.DELTA, equilibrium.rate_slot(network, p.name),
                       equilibrium.FREE) for p in network.free]
    for p in network.projections:
        source = network.population(p.source)
        slot = equilibrium.rate_slot(network, p.source) if source.fixed_rate else equilibrium.FREE
        ops.append(Learn(p.matrix, (Outer((p.source, slot), (p.target, equilibrium.DELTA),
                                          p.sign),), random_sign))
    program = Program(f"vector-field-{start}-{steps}-{nudge_steps}", tuple(ops))
    program.check(network)
    return program


# The record --------------------------------------------------------------------------------------


def _program(network, config):
    return training(network, config.steps, config.nudge_steps, config.beta_shift,
                    shift=EPS_SHIFT if config.shift is None else config.shift)


def _case(rng):
    return layered_problem(rng, (20, 14, 6), training,
                           lambda network: equilibrium.learning_rates(network, (0.1, 0.05)),
                           make=vector_field_network)


VECTOR_FIELD = System(
    name="vector-field", summary="equilibrium propagation with feedback weights of its own",
    network=vector_field_network, program=_program, rates=equilibrium.rates_of,
    defaults=equilibrium.FLOAT_DEFAULTS | equilibrium.FIXED_DEFAULTS, case=_case)
