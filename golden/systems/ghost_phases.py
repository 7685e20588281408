"""Phases of ghost networks (paper 2): feedforward pass, relaxation step, free phase, inference.

The equations are those of :mod:`apical.golden.systems.ghost_units`.
"""

from __future__ import annotations

from ..errors import MisuseError
from ..network import Network
from ..network.ghosts import check_mode, ghosts, hidden, interneurons
from ..program import Clear, Decide, Program, Project, Relax, Update
from ..program.layered import drive

#: Default step of the relaxation, eps = 2**-SHIFT.
SHIFT = 1


def settling(network: Network) -> list[str]:
    """Names of the layers that settle, from the first hidden one to the output."""
    return [*hidden(network), "y"]


def _settled(network, name, sources=None):
    """Operations that sum what drives a population, and the accumulator that then holds it.

    Parameters
    ----------
    sources : collection of str, optional
        Of settling populations, only these.
    """
    ops, start = [], None
    if any(network.population(p.source).fixed_rate for p in network.into(name)):
        start = "drive"
    for p in network.into(name):
        if not network.population(p.source).fixed_rate and (sources is None
                                                            or p.source in sources):
            ops.append(Project(p.name, "current", start))
            start = "current"
    return ops, start


def _upwards(network):
    """Populations in the order of a feedforward pass, ghosts last."""
    between = interneurons(network)
    order = [name for name in between if name[0] == "j"]
    for k, name in enumerate(settling(network), 1):
        order += [f"i{k}", name] if f"i{k}" in between else [name]
    return order + ghosts(network)


def feedforward(network: Network, track=False):
    """The feedforward pass, upwards and once (operations after the drive).

    With duplicated weights this is the free fixed point; ghosts (or held currents) then cancel the
    feedback from the first step on.

    Parameters
    ----------
    track : bool
        Let held currents take the feedback of the state that is reached (mode online).
    """
    ops, ready = [], set()
    for name in _upwards(network):
        sums, current = _settled(network, name, ready)
        ops += [*sums, Update(name, current, shift=0, leak=False)]
        ready.add(name)
    if track:
        for k, name in enumerate(hidden(network), 1):
            ops += [Project(f"down{k + 1}", "feedback"),
                    Update(name, "feedback", shift=0, leak=False, gate=False, slot="held")]
    return ops


def step(network: Network, mode, shift=SHIFT, nudge=None, track=False, hold_shift=None):
    """One synchronous relaxation step.

    Parameters
    ----------
    mode : str
    shift : int
        eps = 2**-shift; interneurons take whole steps.
    nudge : Nudge or None
        Of the output.
    track : bool
        Held currents follow the feedback (mode online, free phase).
    hold_shift : int or None
        They move by ``2**-hold_shift`` of the way; by default `shift`.
    """
    projects, updates = [], []
    for k, name in enumerate(settling(network), 1):
        sums, current = _settled(network, name)
        projects += sums
        if mode == "online" and track and name != "y":
            projects.append(Project(f"down{k + 1}", "feedback"))
        updates.append(Update(
            name, current, shift, gate=False, nudge=nudge if name == "y" else None,
            held="held" if mode == "online" and name != "y" else None))
    if mode == "online" and track:
        updates += [Update(name, "feedback", shift if hold_shift is None else hold_shift,
                           gate=False, slot="held") for name in hidden(network)]
    for name in (*ghosts(network), *interneurons(network)):
        sums, current = _settled(network, name)
        projects += sums
        updates.append(Update(name, current, 0 if name[0] in "ij" else shift, gate=False))
    return tuple(projects + updates)


def free_phase(network: Network, mode, steps, start="feedforward", shift=SHIFT):
    """Drive, first state and relaxation without a target.

    Parameters
    ----------
    steps : int
    start : str
        ``"feedforward"`` or ``"zero"``.
    """
    check_mode(mode)
    ops = list(drive(network))
    if start == "feedforward":
        ops += feedforward(network, track=mode == "online")
    elif start == "zero":
        ops += [Clear(p.name) for p in network.free]
        ops += [Clear(name, "held") for name in hidden(network) if mode == "online"]
    else:
        raise MisuseError(f"unknown start '{start}'; known: feedforward, zero")
    if steps:
        ops.append(Relax(steps, step(network, mode, shift, track=True)))
    return ops


def inference(network: Network, mode="duplicate", steps=0, start="feedforward", shift=SHIFT):
    """Free phase and decision, as a program."""
    program = Program(f"ghost-inference-{mode}-{start}-{steps}",
                      (*free_phase(network, mode, steps, start, shift), Decide("y")))
    program.check(network)
    return program
