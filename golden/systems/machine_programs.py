"""Programs that machines share: hidden states of an image, reconstructions, chains.

Learning rules of Boltzmann machines begin with :func:`e_step`, which fills in the hidden states;
evaluations run :func:`reconstruction`, :func:`mean_field` and :func:`gibbs`.
"""

from __future__ import annotations

from ..errors import MisuseError
from ..network import Network
from ..network.boltzmann import check_machine, hidden, visible
from ..program import STATE, Clear, Difference, Program, Project, Relax, Sample, Snapshot

#: Gibbs sweeps of the E-step after the bottom-up one.
SWEEPS = 2
#: Slot of samples that are kept beside their probabilities.
DRAWN = "drawn"


def accumulate(network: Network, target, sources, into, start=None):
    """Operations that sum the currents into a population from the named sources."""
    ops = []
    for projection in network.into(target):
        if projection.source in sources:
            ops.append(Project(projection.name, into, start))
            start = into
    return ops


def drive(network: Network):
    """Currents into hidden groups that stay while an image is clamped: image and bias."""
    images = {"one", *(x for x, _ in visible(network))}
    return [op for name in hidden(network) for op in accumulate(network, name, images, "drive")]


def copy_image(network: Network):
    """Give the free twins the states of the clamped visible units."""
    ops = []
    for x, v in visible(network):
        # A copy between populations is a difference from zero.
        ops += [Clear(v, "zero"), Difference(v, STATE, (x, STATE), (v, "zero"))]
    return ops


def hidden_sweep(network: Network, mode="sample", ready=None):
    """Sample the hidden groups one after the other, after :func:`drive`.

    Parameters
    ----------
    mode : str
        Of :class:`~apical.golden.program.Sample`.
    ready : set of str, optional
        Groups whose states count; grows with the sweep.  By default all.
    """
    ops = []
    ready = set(hidden(network)) if ready is None else ready
    for name in hidden(network):
        field = accumulate(network, name, ready, "field", "drive")
        ops += [*field, Sample(name, "field" if field else "drive", mode)]
        ready.add(name)
    return ops


def e_step(network: Network, sweeps=SWEEPS, mode="sample"):
    """Hidden states given the image: a bottom-up sweep, then Gibbs sweeps.

    Hidden groups that are coupled to visible ones only are drawn exactly by the first sweep; no
    other follows then.
    """
    ops = drive(network) + hidden_sweep(network, mode, set())
    again = hidden_sweep(network, mode)
    if sweeps and any(isinstance(op, Project) for op in again):
        ops.append(Relax(sweeps, tuple(again)))
    return ops


def checked(name, network, ops) -> Program:
    """A program of that name and operations, checked against the network."""
    program = Program(name, tuple(ops))
    program.check(network)
    return program


def reconstruction(network: Network, sweeps=SWEEPS, mode="mean") -> Program:
    """A mean-field pass: probabilities of hidden units given the image, then of the visible ones.

    Parameters
    ----------
    sweeps : int
        Mean-field sweeps of the hidden groups after the bottom-up one, where they are coupled
        with each other.
    mode : str
        What is written to the free visible units: ``"mean"``, ``"threshold"`` or ``"sample"``.
    """
    check_machine(network)
    ops = e_step(network, sweeps, "mean")
    ops += copy_image(network)  # the start of visible groups that see each other
    twins = {v for _, v in visible(network)}
    for _, v in visible(network):
        ops += [*accumulate(network, v, {*hidden(network), *twins, "one"}, "field"),
                Sample(v, "field", mode)]
    return checked(f"reconstruction-{mode}-{sweeps}", network, ops)


def mean_field(network: Network, sweeps=SWEEPS) -> Program:
    """Mean-field probabilities of the hidden groups given the image; they stay in the states.

    Parameters
    ----------
    sweeps : int
        After the bottom-up one; each sets every group to its probabilities given the others'.
    """
    check_machine(network)
    return checked(f"mean-field-{sweeps}", network, e_step(network, sweeps, "mean"))


def gibbs(network: Network, steps, from_image=False) -> Program:
    """Block Gibbs chains of the free machine: each step draws hidden, then visible groups.

    The last visible states stay in slot ``"drawn"``, their probabilities in the states.

    Parameters
    ----------
    steps : int
        1 at least.
    from_image : bool
        Whether the chain begins at the clamped image, its hidden units at 0, or at the states there
        are.
    """
    check_machine(network)
    if steps < 1:
        raise MisuseError(f"steps is {steps}; a chain needs a step at least")
    free, body = {p.name for p in network.free}, []
    twins = [v for _, v in visible(network)]
    for name in [*hidden(network), *twins]:
        body += [*accumulate(network, name, free | {"one"}, "field"), Sample(name, "field")]
    ops = []
    if from_image:
        ops += [*copy_image(network), *(Clear(name) for name in hidden(network))]
    ops.append(Relax(steps, tuple(body)))
    ops += [Snapshot(v, DRAWN) for v in twins]
    ops += [Sample(v, "field", "mean") for v in twins]
    return checked(f"gibbs-{steps}", network, ops)
