"""Early inference approximates backpropagation (paper 5), with and without Langevin noise.

Bengio and Fischer (2015, arXiv 1510.02777): at a fixed point, a nudge of the output moves every
hidden population, at the step the signal first arrives, along the backpropagated error,

.. math:: \\Delta u_k = -\\epsilon^{L-k+1} \\beta \\, \\partial C / \\partial u_k, \\qquad
          C = \\tfrac12 |u_L - d|^2

(first order in beta; layer k arrives ``L - k + 1`` steps after the nudge begins).  Later steps mix
in recurrent terms.  With noise the change is read against a twin run: the same saved state, the
same noise (:class:`~apical.golden.program.Reseed`), no nudge.
"""

from __future__ import annotations

import numpy as np

from ..errors import MisuseError
from ..network import Network, layered
from ..program import STATE, Difference, Nudge, Program, Relax, Reseed, Snapshot, Update
from ..program.layered import EPS_SHIFT, drive, nudged, start_state
from ..program.layered import step as quiet_step
from .problems import Problem, pairs, positive_weights
from .system import System

#: Slots: the state the nudge begins from, the end of the nudged run, and their difference.
FREE, NUDGED, EARLY = "free", "nudged", "early"


def langevin_step(network: Network, sigma, shift=EPS_SHIFT, nudges=None):
    """One synchronous step with noise ``sigma sqrt(2 eps) xi`` on every settling population.

    Parameters
    ----------
    sigma : float
        sigma**2 is the temperature.
    shift : int
        eps = 2**-shift.
    nudges : dict of str to Nudge, optional
        By population.
    """
    ops = quiet_step(network, shift, nudges)
    if not sigma:
        return ops
    return tuple(Update(op.population, op.current, op.shift, nudge=op.nudge, noise=sigma)
                 if isinstance(op, Update) else op for op in ops)


def early_change(network: Network, free_steps, steps, beta_shift=10, shift=EPS_SHIFT, sigma=0.0,
                 twin=True, start="sweep", target="d", output="y") -> Program:
    """Free phase, then what `steps` nudged steps change.

    Leaves the free state in slot ``"free"``, the nudged one in ``"nudged"``, and in ``"early"`` the
    nudged state less that of the twin run (with `twin`) or less the free state.

    Parameters
    ----------
    free_steps : int
        At most, without noise; it ends earlier where no state moves any more.
    steps : int
        Of each run.
    beta_shift : int
        beta = 2**-beta_shift.
    shift : int
        eps = 2**-shift.
    sigma : float
        Noise of both runs.
    twin : bool
    start : str
        First state, see :func:`~apical.golden.program.layered.start_state`.
    """
    if steps < 0 or free_steps < 0:
        raise MisuseError(f"free_steps is {free_steps} and steps {steps}; both are 0 at least")
    free = [p.name for p in network.free]
    ops = drive(network) + start_state(network, start)
    ops.append(Relax(free_steps, quiet_step(network, shift), 0.0))
    ops += [Snapshot(name, FREE) for name in free]
    if sigma:
        ops.append(Reseed(0))
    nudges: dict[str, Nudge] = nudged(target, output, beta_shift)
    ops.append(Relax(steps, langevin_step(network, sigma, shift, nudges)))
    ops += [Snapshot(name, NUDGED) for name in free]
    if twin:
        ops += [Snapshot(name, STATE, FREE) for name in free]
        if sigma:
            ops.append(Reseed(0))
        ops.append(Relax(steps, langevin_step(network, sigma, shift)))
    ops += [Difference(name, EARLY, NUDGED, STATE if twin else FREE) for name in free]
    program = Program(f"early-inference-{steps}{'-twin' if twin else ''}", tuple(ops))
    program.check(network)
    return program


def backpropagated(network: Network, weights, states, target):
    """The errors that early changes are compared with, of a layered network at its fixed point.

    ``delta_L = u_L - d`` and ``delta_k = rho'(u_k) W_{k+1}^T (rho'(u_{k+1}) delta_{k+1})``
    (Scellier and Bengio 2017, section 2.3); 0 for units that rest on a limit of their range, which
    cannot move.

    Parameters
    ----------
    states : dict of (str, str) to ndarray of shape (batch, n)
        Free states, in slot ``"free"``.
    target : ndarray of shape (batch, n_L)

    Returns
    -------
    dict of str to ndarray of shape (batch, n), float64
        By population.
    """
    free = [p.name for p in network.free]
    u = {name: np.asarray(states[name, FREE], np.float64) for name in free}
    slopes, inside = {}, {}
    for p in network.free:
        r = 0.5 * (1 + np.tanh(0.5 * u[p.name]))
        slopes[p.name] = r * (1 - r) if p.rate == "logistic" else 1.0
        low, high = p.limits or (-np.inf, np.inf)
        inside[p.name] = (u[p.name] > low) & (u[p.name] < high)
    errors = {free[-1]: (u[free[-1]] - target) * inside[free[-1]]}
    for k in range(len(free) - 2, -1, -1):
        name, above = free[k], free[k + 1]
        back = (slopes[above] * errors[above]) @ np.asarray(weights[f"W{k + 2}"], np.float64).T
        errors[name] = slopes[name] * back * inside[name]
    return {name: errors[name] for name in free}


# The record --------------------------------------------------------------------------------------


def _case(rng):
    network = layered((20, 16, 12, 6))
    return Problem(network, early_change(network, 40, 4, beta_shift=1, sigma=0.03),
                   positive_weights(network, rng, 0.5, 0.2), pairs(rng, 30, 20, 6), {})


EARLY_INFERENCE = System(
    name="early-inference", summary="early inference approximates backpropagation",
    program=lambda network, config: early_change(network, config.steps, config.nudge_steps,
                                                 config.beta_shift),
    rates=lambda network, config: {}, data=None, case=_case,
    why="it compares what a nudge changes with a backpropagated error, and changes no weight")
