"""Orientation of matrices: which side of each takes the lanes, by counting cycles."""

from __future__ import annotations

from ...golden.network import Network
from ...golden.program import STATE, Program, stored, walk
from ..interface.config import EngineConfig

#: Share of non-zero rates assumed where none was measured.
DEFAULT_DENSITY = 0.25


def blocks_of(size: int, lanes: int) -> int:
    """Words of `lanes` values that hold `size` values."""
    return -(-size // lanes)


def tail_of(size: int, lanes: int) -> int:
    """Values in the last of those words."""
    return size - (blocks_of(size, lanes) - 1) * lanes


def trips(ops, factor=1):
    """(operation, how often it runs at most) for all operations but loops."""
    for op in ops:
        loop = op.loop()
        if loop is None:
            yield op, factor
        else:
            steps, body = loop
            yield from trips(body, factor * steps)


def projection_cycles(network, projection, lanes_are_cols, lanes, density) -> float:
    """Issue cycles of one use of a projection, by arithmetic (see `Project`)."""
    source, target = network.population(projection.source), network.population(projection.target)
    if lanes_are_cols != projection.transpose:
        share = 1.0 if source.constant else density.get(source.name, DEFAULT_DENSITY)
        return blocks_of(target.size, lanes) * max(1.0, share * source.size)
    return blocks_of(source.size, lanes) * target.size


def update_cycles(network, learn, lanes_are_cols, lanes, density) -> float:
    """Issue cycles of one weight update, by arithmetic (see `Learn`)."""
    found = 0.0
    for term in learn.terms:
        sides = (term.rows, term.cols) if lanes_are_cols else (term.cols, term.rows)
        scalar, lane = (network.population(name) for name, _ in sides)
        share = 1.0
        if len(learn.terms) == 1 and not scalar.constant:
            share = density.get(scalar.name, DEFAULT_DENSITY)
        found += blocks_of(lane.size, lanes) * (max(1.0, share * scalar.size) + lanes)
    return found


def matrix_words(matrix, lanes_are_cols, lanes) -> int:
    """Words a matrix takes in one orientation."""
    side, other = (matrix.cols, matrix.rows) if lanes_are_cols else (matrix.rows, matrix.cols)
    return blocks_of(side, lanes) * other


def choose_orientations(network: Network, program: Program, config: EngineConfig, density=None):
    """Orientation of each matrix with the fewest expected cycles that fits weight memory.

    Parameters
    ----------
    density : dict of str to float, optional
        Share of non-zero rates by population; `DEFAULT_DENSITY` where missing.

    Returns
    -------
    dict of str to bool
        Whether the lane side is the columns.
    """
    density = density or {}
    cycles = {m.name: {True: 0.0, False: 0.0} for m in network.matrices}
    for op, times in trips(program.ops):
        for side in (True, False):
            for one in op.sums():
                projection = network.projection(one.projection)
                cycles[projection.matrix][side] += times * projection_cycles(
                    network, projection, side, config.width, density)
            for learn in op.learns():
                cycles[learn.matrix][side] += times * update_cycles(
                    network, learn, side, config.width, density)
    words = {m.name: {side: matrix_words(m, side, config.width) for side in (True, False)}
             for m in network.matrices}
    fixed = {name: max(sides) for name, sides in wanted_sides(network, program).items()}
    chosen = {}
    for name, cost in cycles.items():
        chosen[name] = fixed.get(
            name, (cost[True], words[name][True]) <= (cost[False], words[name][False]))
    # Turn matrices round while they do not fit, the cheapest cycles per word saved first.
    while sum(words[name][side] for name, side in chosen.items()) > config.weight_depth:
        savings = {name: words[name][side] - words[name][not side] for name, side in chosen.items()}
        better = [name for name, saved in savings.items() if saved > 0 and name not in fixed]
        if not better:
            break
        turn = min(better, key=lambda n: (cycles[n][not chosen[n]] - cycles[n][chosen[n]])
                   / savings[n])
        chosen[turn] = not chosen[turn]
    return chosen


def wanted_sides(network, program) -> dict:
    """Orientations that matrices must have, whatever they cost: dict of str to set of bool.

    The constant 1, which is stored in no memory, is their source; or the constant or a clamped
    population, which is stored in banks, is a factor of their rows (columns come from the vectors
    of scaled factors).  With both orientations in a set no engine can hold the matrix.
    """
    wanted = {}
    for p in from_constant(network, program):
        wanted.setdefault(p.matrix, set()).add(not p.transpose)
    for learn in (learn for op in walk(program.ops) for learn in op.learns()):
        rows = [stored(network, term.rows) for term in learn.terms]
        if any(network.population(name).fixed_rate and slot == STATE for name, slot in rows):
            wanted.setdefault(learn.matrix, set()).add(True)
    return wanted


def from_constant(network, program):
    """Projections of a program whose source is the constant 1."""
    uses = (network.projection(one.projection) for op in walk(program.ops) for one in op.sums())
    return [p for p in uses if network.population(p.source).constant]
