"""Contrastive Hebbian learning: outputs clamped to the target instead of nudged towards it.

Movellan (1991, Connectionist Models, 10-17); Xie and Seung (2003, Neural Computation 15:441).
The free fixed point is contrasted with the fixed point u+ of the hidden units while the outputs are
held at the target,

.. math:: \\Delta W_{ij} = \\eta (\\rho(u_i^+) \\rho(u_j^+) - \\rho(u_i^0) \\rho(u_j^0)),

which descends ``J = min E(outputs clamped) - min E(free)``.  It is equilibrium propagation in the
limit of a strong nudge: the contrast is not divided by beta, and does not follow the gradient of
the output error.
"""

from __future__ import annotations

from ..errors import MisuseError
from ..network import Network
from ..program import STATE, Clear, Difference, Program, Project, Relax, Update
from ..program.layered import EPS_SHIFT, drive, start_state, step
from . import equilibrium
from .problems import layered_problem
from .system import System


def clamped_step(network: Network, shift=EPS_SHIFT, output="y"):
    """One relaxation step of all settling populations but the output, which is held."""
    held = {p.name for p in network.into(output)}
    return tuple(op for op in step(network, shift)
                 if not (isinstance(op, Update) and op.population == output
                         or isinstance(op, Project) and op.projection in held))


def training(network: Network, steps=equilibrium.FREE_STEPS, clamped_steps=6, start="sweep",
             shift=EPS_SHIFT, output="y", target="d") -> Program:
    """One training image (or batch): free phase, clamped phase, contrast.

    Parameters
    ----------
    steps, clamped_steps : int
        Relaxation steps of both phases.
    start, shift, output, target
        As for :func:`~apical.golden.systems.equilibrium.training`.
    """
    if steps < 0 or clamped_steps < 1:
        raise MisuseError(f"steps is {steps} and clamped_steps {clamped_steps}; the clamped phase "
                          "needs a step at least")
    ops = drive(network) + start_state(network, start)
    ops.append(Relax(steps, step(network, shift)))
    ops += equilibrium.remember(network)
    ops += [Clear(output, "zero"), Difference(output, STATE, (target, STATE), "zero")]
    ops.append(Relax(clamped_steps, clamped_step(network, shift, output)))
    ops += equilibrium.contrast(network, by_sign=False)
    program = Program(f"contrastive-hebbian-{start}-{steps}-{clamped_steps}", tuple(ops))
    program.check(network)
    return program


def learning_rates(network: Network, rates) -> dict:
    """Rates by matrix from those of the layers; there is no beta to divide by."""
    return equilibrium.learning_rates(network, rates, 0)


# The record --------------------------------------------------------------------------------------


def _program(network, config):
    return training(network, config.steps, config.nudge_steps,
                    shift=EPS_SHIFT if config.shift is None else config.shift)


HEBBIAN = System(
    name="contrastive-hebbian", summary="contrastive Hebbian learning, outputs clamped",
    program=_program,
    rates=lambda network, config: learning_rates(network, config.one_or_all),
    defaults=equilibrium.FLOAT_DEFAULTS | equilibrium.FIXED_DEFAULTS,
    case=lambda rng: layered_problem(rng, (22, 16, 5), training,
                                     lambda network: learning_rates(network, (0.1, 0.05))))
