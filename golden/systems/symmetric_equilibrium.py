"""Equilibrium propagation away from the target, and with nudges of both signs.

Laborieux et al. (2021, Frontiers in Neuroscience 15:633674): a nudge of strength beta estimates the
gradient with an error of first order in beta, and so does one of strength -beta, with the opposite
sign.  The contrast of both nudged states, from the same free state,

.. math:: \\Delta W_{ij} = \\frac{\\eta}{2 \\beta}
          (\\rho(u_i^\\beta) \\rho(u_j^\\beta) - \\rho(u_i^{-\\beta}) \\rho(u_j^{-\\beta})),

leaves an error of second order.  The programs are those of
:mod:`~apical.golden.systems.equilibrium` with another estimator.
"""

from __future__ import annotations

from . import equilibrium
from .problems import layered_problem
from .system import System


def _record(name, summary, estimator, sizes, **more):
    def program(network, config):
        return equilibrium.training(
            network, config.steps, config.nudge_steps, config.beta_shift,
            shift=equilibrium.EPS_SHIFT if config.shift is None else config.shift,
            estimator=estimator)

    def rates(network, config):
        return equilibrium.learning_rates(network, config.one_or_all, config.beta_shift, estimator)

    return System(
        name=name, summary=summary, program=program, rates=rates,
        defaults=equilibrium.FLOAT_DEFAULTS | equilibrium.FIXED_DEFAULTS,
        case=lambda rng: layered_problem(
            rng, sizes, lambda network: equilibrium.training(network, estimator=estimator),
            lambda network: equilibrium.learning_rates(network, (0.1, 0.05),
                                                       estimator=estimator)), **more)


SYMMETRIC = _record("ep-symmetric", "equilibrium propagation, nudges of both signs", "centred",
                    (20, 14, 6))
# Digits were tried: outputs that are driven to a limit stay there, and whole classes are lost.
NEGATIVE = _record("ep-negative", "equilibrium propagation, nudged away from the target",
                   "negative", (18, 15, 5), data=None,
                   why="a nudge away from the target never brings back an output that rests on a "
                       "limit of its range")
