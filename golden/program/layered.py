"""Programs of layered energy networks: drive, bottom-up sweep, relaxation, inference.

Paper 1 (Bengio et al. 2016, arXiv 1606.01651): one bottom-up sweep
``u_k = g_k (W_k rho(u_{k-1}) + b_k / g_k)``, with ``g_k`` the number of input groups (2 for
a hidden layer, 1 for the output), lands near the fixed point of the relaxation
``u_k += eps (rho'(u_k) (W_k r_{k-1} + W_{k+1}^T r_{k+1} + b_k) - u_k)``.
"""

from __future__ import annotations

from ..network import Network
from . import Clear, Decide, Nudge, Program, Project, Relax, Update

#: Default step of a relaxation: eps = 1/2.
EPS_SHIFT = 1


def _split(network: Network, population: str):
    """Projections into a population: (clamped sources, biases, settling sources)."""
    clamped, bias, settling = [], [], []
    for projection in network.into(population):
        source = network.population(projection.source)
        group = bias if source.constant else clamped if source.clamped else settling
        group.append(projection)
    return clamped, bias, settling


def _accumulate(projections, into, start=None, shift=0):
    """Operations that sum projections into one accumulator."""
    ops = []
    for projection in projections:
        ops.append(Project(projection.name, into, start, shift))
        start = into
    return ops


def drive(network: Network):
    """Accumulate what never changes while an image runs, into ``"drive"``.

    These are clamped sources (kept apart as ``"input"`` for the sweep) and biases.
    """
    ops = []
    for population in network.free:
        clamped, bias, _ = _split(network, population.name)
        if clamped and bias:
            ops += _accumulate(clamped, "input")
            ops += _accumulate(bias, "drive", "input")
        else:
            ops += _accumulate(clamped + bias, "drive")
    return ops


def sweep(network: Network):
    """One bottom-up sweep in population order (operations after :func:`drive`).

    The gain of a population is the number of groups its settling and clamped inputs form,
    1 or 2; groups that come later in the order are not ready yet and are replaced by a copy of
    the present one.
    """
    ops, ready = [], set()
    for population in network.free:
        clamped, bias, settling = _split(network, population.name)
        present = [p for p in settling if p.source in ready]
        gain = 1 if len(present) == len(settling) else 2
        if gain == 1:
            start = "drive" if clamped or bias else None
        elif clamped and bias:
            ops += _accumulate(bias, "current", "input", shift=1)
            start = "current"
        elif bias:
            ops += _accumulate(bias, "current", shift=1)
            start = "current"
        else:
            start = "drive" if clamped else None
        ops += _accumulate(present, "current", start)
        current = "current" if present or (gain == 2 and bias) else "drive"
        ops.append(Update(population.name, current, shift=1 - gain, leak=False))
        ready.add(population.name)
    return ops


def step(network: Network, shift=EPS_SHIFT, nudges=None):
    """One synchronous relaxation step: all populations read the old state.

    Parameters
    ----------
    shift : int
        eps = 2**-shift.
    nudges : dict of str to Nudge, optional
        By population.
    """
    nudges = nudges or {}
    projections, updates = [], []
    for population in network.free:
        clamped, bias, settling = _split(network, population.name)
        start = "drive" if clamped or bias else None
        projections += _accumulate(settling, "current", start)
        updates.append(Update(population.name, "current" if settling else "drive", shift,
                              nudge=nudges.get(population.name)))
    return tuple(projections + updates)


def start_state(network: Network, start="sweep"):
    """Operations that give every settling population its first state.

    Parameters
    ----------
    start : str
        ``"sweep"``, ``"zero"``, or ``"keep"`` (states persist from the run before).
    """
    if start == "sweep":
        return sweep(network)
    if start == "zero":
        return [Clear(p.name) for p in network.free]
    if start == "keep":
        return []
    raise ValueError(f"unknown start '{start}'")


def inference(network: Network, steps=6, start="sweep", settled=None, shift=EPS_SHIFT,
              output="y") -> Program:
    """Free phase and prediction: drive, sweep, relaxation, arg max of the output.

    Parameters
    ----------
    steps : int
        Relaxation steps (at most, when `settled` is given).
    settled : float or None
        Early stop of the relaxation, see :class:`~apical.golden.program.Relax`.
    """
    ops = drive(network) + start_state(network, start)
    ops.append(Relax(steps, step(network, shift), settled))
    ops.append(Decide(output))
    program = Program(f"inference-{start}-{steps}", tuple(ops))
    program.check(network)
    return program


def nudged(target="d", output="y", shift=1, sign=1, random_sign=False):
    """The nudge of the output towards the target, as `step` takes it; beta = 2**-shift."""
    return {output: Nudge(target, shift, sign, random_sign)}
