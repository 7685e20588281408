"""Equilibrium propagation from four nudges: an estimate of fourth order in beta.

Holomorphic equilibrium propagation (Laborieux and Zenke 2022, NeurIPS 35) takes the gradient from
nudges around a circle in the complex plane; with real states only, a longer difference formula does
the same.  With c(beta) the product of the rates at the fixed point of nudge beta,

.. math:: \\Delta W = \\frac{\\eta}{12 \\beta}
          (8 (c(\\beta) - c(-\\beta)) - (c(2 \\beta) - c(-2 \\beta))),

whose error is of order beta**4 (that of nudges of both signs is beta**2).

A product of rates cannot be weighted by 8 in the state format, but a change can, for it is small:
``c(+) - c(-) = (S D' + D S') / 2`` with the sum S and the difference D of both states.
"""

from __future__ import annotations

from ..errors import MisuseError
from ..network import Network
from ..program import STATE, Clear, Difference, Learn, Outer, Program, Relax, Snapshot
from ..program.layered import EPS_SHIFT, drive, nudged, start_state, step
from . import equilibrium
from .problems import layered_problem
from .system import System, glorot_weights

#: Slots of the rates after the four nudges: (slot, share of the strength as a shift, sign).
NUDGES = (("near+", 0, 1), ("near-", 0, -1), ("far+", -1, 1), ("far-", -1, -1))


def _eightfold(population):
    """Operations that leave 8 (near+ - near-) in slot ``"change8"``.

    There is no product with a constant, but ``a - (-a)`` doubles.
    """
    ops = [Difference(population, "change1", "near+", "near-"),
           Difference(population, "back1", "near-", "near+")]
    for n in (1, 2, 4):
        ops.append(Difference(population, f"change{2 * n}", f"change{n}", f"back{n}"))
        if n < 4:
            ops.append(Difference(population, f"back{2 * n}", f"back{n}", f"change{n}"))
    return ops


def _sums(population):
    """Operations that leave near+ + near- and far+ + far- in slots ``"near"`` and ``"far"``."""
    ops = [Clear(population, "zero")]
    for name in ("near", "far"):
        ops += [Difference(population, f"less {name}", "zero", f"{name}-"),
                Difference(population, name, f"{name}+", f"less {name}")]
    return ops


def contrast(network: Network):
    """Differences and learning operations of the four nudged states in the slots of `NUDGES`."""
    ops, learned, summed = [], [], []
    for p in network.free:
        ops += [*_eightfold(p.name), Difference(p.name, "far change", "far+", "far-"),
                Difference(p.name, "whole", "change8", "far change")]
    for projection in network.projections:
        if projection.transpose:
            continue  # the same matrix, downwards
        rows, cols, sign = projection.source, projection.target, projection.sign
        if network.population(rows).fixed_rate:
            slot = equilibrium.rate_slot(network, rows)
            products = [(Outer((rows, slot), (cols, "whole"), sign),)]
        else:
            summed += [name for name in (rows, cols) if name not in summed]
            # Two updates of two products each: an engine adds up no more at a time.
            products = [(Outer((rows, total), (cols, change), side * sign),
                         Outer((rows, change), (cols, total), side * sign))
                        for total, change, side in (("near", "change8", 1),
                                                    ("far", "far change", -1))]
        learned += [Learn(projection.matrix, terms) for terms in products]
    for name in summed:
        ops += _sums(name)
    return ops + learned


def training(network: Network, steps=equilibrium.FREE_STEPS, nudge_steps=equilibrium.NUDGE_STEPS,
             beta_shift=2, start="sweep", shift=EPS_SHIFT, output="y", target="d") -> Program:
    """One training image (or batch): free phase, four nudged phases from its end, contrast.

    Parameters
    ----------
    beta_shift : int
        The weaker nudges are ``2**-beta_shift``, the stronger ones twice that; 1 or more.
    steps, nudge_steps, start, shift, output, target
        As for :func:`~apical.golden.systems.equilibrium.training`.

    Raises
    ------
    MisuseError
        For nudges that a program cannot have.
    """
    if beta_shift < 1:
        raise MisuseError(f"beta_shift is {beta_shift}; the stronger nudges have twice the "
                          "strength, at most 1, so it must be at least 1")
    if steps < 0 or nudge_steps < 1:
        raise MisuseError(f"steps is {steps} and nudge_steps {nudge_steps}; the nudged phases need "
                          "a step at least")
    ops = drive(network) + start_state(network, start)
    ops.append(Relax(steps, step(network, shift)))
    ops += [Snapshot(p.name, equilibrium.FREE) for p in network.free]
    for number, (slot, share, sign) in enumerate(NUDGES):
        if number:
            ops += [Snapshot(p.name, STATE, equilibrium.FREE) for p in network.free]
        nudges = nudged(target, output, beta_shift + share, sign)
        ops.append(Relax(nudge_steps, step(network, shift, nudges)))
        ops += equilibrium.remember(network, slot)
    ops += contrast(network)
    program = Program(f"equilibrium-four-point-{start}-{steps}-{nudge_steps}", tuple(ops))
    program.check(network)
    return program


def learning_rates(network: Network, rates, beta_shift=2) -> dict:
    """Rates by matrix with ``1/(12 beta)`` folded in; half of that for couplings, see above.

    Parameters
    ----------
    rates : float or sequence of float
        Of the layers, see :func:`~apical.golden.systems.equilibrium.learning_rates`.
    """
    found = equilibrium.learning_rates(network, rates, beta_shift)
    for projection in network.projections:
        if not projection.transpose:
            fixed = network.population(projection.source).fixed_rate
            found[projection.matrix] /= 12 if fixed else 24
    return found


# The record --------------------------------------------------------------------------------------


def first_weights(network: Network, config, images=None) -> dict:
    """Glorot weights of the seed; biases of the outputs start as those of hidden units do.

    An output below its range that only the stronger nudges reach learns backwards, for they enter
    with a minus sign; so outputs must start inside.
    """
    weights = glorot_weights(network, config)
    for projection in network.projections:
        if network.population(projection.source).constant:
            weights[projection.matrix][...] = config.hidden_bias
    return weights


def _program(network, config):
    return training(network, config.steps, config.nudge_steps, config.beta_shift,
                    shift=EPS_SHIFT if config.shift is None else config.shift)


#: As of equilibrium propagation, with nudges of 1/2 and 1: weaker ones lose classes of the digits.
_DEFAULTS = {key: {**values, "beta_shift": 1} for key, values in (
    equilibrium.FLOAT_DEFAULTS | equilibrium.FIXED_DEFAULTS).items()}

FOUR_POINT = System(
    name="ep-four-point", summary="equilibrium propagation, four nudges, fourth order in beta",
    program=_program, weights=first_weights,
    rates=lambda network, config: learning_rates(network, config.one_or_all, config.beta_shift),
    defaults=_DEFAULTS,
    case=lambda rng: layered_problem(rng, (16, 12, 5), training,
                                     lambda network: learning_rates(network, (0.1, 0.05))))
