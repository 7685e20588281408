"""Order of projections: each as late as it can be, beside the elementwise operations before it."""

from __future__ import annotations

from ...golden.program import STATE, Project


def sunk(network, ops) -> list:
    """(place, operation) of a program, projections moved behind operations that do without them.

    A projection writes no state, so its place is free between what it reads and who reads it.
    Behind the issue of an elementwise operation it costs nothing.
    """
    listed = list(enumerate(ops))
    for at in range(len(listed) - 2, -1, -1):
        moved = listed[at][1]
        if not isinstance(moved, Project):
            continue
        goal = at
        for number in range(at + 1, len(listed)):
            other = listed[number][1]
            if not _passes(network, moved, other):
                break
            if not isinstance(other, Project):
                goal = number
        listed.insert(goal, listed.pop(at))
    return listed


def _passes(network, moved, other):
    """Whether a projection may come after an operation that it came before."""
    projection = network.projection(moved.projection)
    into, start = (projection.target, moved.into), (projection.target, moved.start)
    if isinstance(other, Project):
        target = network.projection(other.projection).target
        return (target, other.into) not in (into, start) and (target, other.start) != into
    if other.loop() is not None or other.sums() or other.learns() or not other.writes():
        return False
    written = {name for name, slot in other.writes() if slot == STATE}
    return into not in other.currents() and projection.source not in written
