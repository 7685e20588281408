"""Lives of vectors: which may use the same words of the state memory, one after the other.

An engine refuses programs that read a vector before they write it.  So a slot lives from its first
use to its last, and no value goes from one image to the next.  A use inside a loop counts for the
whole of the outermost loop.
"""

from __future__ import annotations

from ...golden.network import Network
from ...golden.program import RATE, STATE, Program, scaled_factors, vectors_read, walk
from .handlers import handler


def lives(network: Network, program: Program) -> dict:
    """First and last use of each slot: {(population, slot): (first, last)}.

    Uses are numbered by the outermost operations.  States and their rates are left out: they stay
    for the host.
    """
    found = {}
    for number, outer in enumerate(program.ops):
        for op in walk((outer,)):
            for pair in (*vectors_read(op, network), *op.writes(), *scaled_factors(op),
                         *handler(op).vectors(network, op)):
                if pair[1] not in (STATE, RATE):
                    first, _ = found.get(pair, (number, number))
                    found[pair] = first, number
    return found


def share(blocks: dict, living: dict, base: int) -> tuple[dict, int]:
    """Give slots their first words so that those that live at the same time are apart.

    Parameters
    ----------
    blocks : dict of (population, slot) to int
        Words that each takes, in the order they are placed.
    living : dict
        See :func:`lives`.
    base : int
        First word that is free.

    Returns
    -------
    places : dict of (population, slot) to int
    end : int
        First word after the last one.
    """
    places = {}
    for pair, size in blocks.items():
        first, last = living[pair]
        taken = sorted((places[other], places[other] + blocks[other]) for other in places
                       if living[other][0] <= last and first <= living[other][1])
        at = base
        for begin, end in taken:
            if begin - at >= size:
                break
            at = max(at, end)
        places[pair] = at
    return places, max((places[pair] + size for pair, size in blocks.items()), default=base)


def overwritten(blocks: dict, living: dict, places: dict) -> frozenset:
    """Slots whose words hold another slot at the end of an image."""
    def meet(a, b):
        return places[a] < places[b] + blocks[b] and places[b] < places[a] + blocks[a]

    return frozenset(a for a in blocks for b in blocks
                     if a != b and meet(a, b) and living[a] < living[b])
