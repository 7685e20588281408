"""The program itself, and what it makes of a network: vectors, accumulators, inputs."""

from __future__ import annotations

from dataclasses import dataclass

from ..network import Network
from .check import check_operations
from .operations import (
    RATE,
    SCALED,
    STATE,
    Decide,
    Difference,
    FlowRate,
    Learn,
    Project,
    Residual,
    Snapshot,
    Update,
    walk,
    written_vector,
)


@dataclass(frozen=True)
class Program:
    """An algorithm over a network, run once an image (or batch).

    Parameters
    ----------
    name : str
    ops : tuple of operations

    Raises
    ------
    MisuseError
        From :meth:`check`, for operations that do not match the network.
    """

    name: str
    ops: tuple

    def check(self, network: Network):
        """Raise `MisuseError` for the first operation that cannot run on this network."""
        check_operations(self.name, self.ops, network)

    def inputs(self, network: Network):
        """Names of the clamped populations whose states the program reads, in network order."""
        read = set()
        for op in walk(self.ops):
            if isinstance(op, Project):
                read.add(network.projection(op.projection).source)
            elif isinstance(op, Update) and op.nudge is not None:
                read.add(op.nudge.target)
            elif isinstance(op, Snapshot | Decide | FlowRate | Residual):
                read.add(op.population)
            elif isinstance(op, Difference):
                read.update(name for name, _ in op.operands)
            elif isinstance(op, Learn):
                read.update(name for t in op.terms for name in (t.rows[0], t.cols[0]))
        return [p.name for p in network.clamped if p.name in read]


def vectors(network: Network, program: Program):
    """All state vectors, in the order that numbers them (the number enters the signature).

    Returns
    -------
    list of (str, str)
        (population, slot): the states of all populations in network order, then further slots in
        the order the program first names them, then the scaled factors of weight updates, then
        the rates of `stored_rates`.
    """
    found = [(p.name, STATE) for p in network.populations]
    for op in walk(program.ops):
        named = [written_vector(op)]
        if isinstance(op, Snapshot):
            named.append((op.population, op.source))
        elif isinstance(op, Difference):
            named += op.operands
        elif isinstance(op, Update) and op.held is not None:
            named.append((op.population, op.held))
        elif isinstance(op, Learn):
            named += [pair for t in op.terms for pair in (t.rows, t.cols)]
        for pair in named:
            if pair is not None and pair[1] != RATE and pair not in found:
                found.append(pair)
    for op in walk(program.ops):
        if isinstance(op, Learn):
            scaled = [(term.cols[0], slot) for term, slot in zip(op.terms, SCALED)]
            found += [pair for pair in scaled if pair not in found]
    return found + [(name, RATE) for name in stored_rates(network)]


def stored_rates(network: Network):
    """Names of the populations whose rate is a vector of its own: the free logistic ones."""
    return [p.name for p in network.free if p.rate == "logistic"]


def stored(network: Network, pair):
    """The vector (population, slot) that is read for a pair: rates that are states are states."""
    if pair[1] == RATE and pair[0] not in stored_rates(network):
        return pair[0], STATE
    return tuple(pair)


def accumulators(network: Network, program: Program):
    """All accumulators (population, name), in the order the program first names them."""
    found = []
    for op in walk(program.ops):
        if isinstance(op, Project):
            pair = network.projection(op.projection).target, op.into
            if pair not in found:
                found.append(pair)
    return found
