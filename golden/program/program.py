"""The program itself, and what it makes of a network: vectors, accumulators, inputs."""

from __future__ import annotations

from dataclasses import dataclass

from ..network import Network
from .check import check_operations
from .operation import RATE, STATE
from .touched import scaled_factors, stored_rates, vectors_read, walk


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
        read = {name for op in walk(self.ops) for name, _ in vectors_read(op, network)}
        return [p.name for p in network.clamped if p.name in read]

    def learned(self):
        """Names of the matrices that the program changes, in program order."""
        return list(dict.fromkeys(learn.matrix for op in walk(self.ops) for learn in op.learns()))


def vectors(network: Network, program: Program):
    """All state vectors, in the order that numbers them (the number enters the signature).

    Returns
    -------
    list of (str, str)
        (population, slot): the states of all populations in network order, then further slots in
        the order the program first names them (an operation names what it writes, then what it
        reads), then the scaled factors of weight updates, then the rates of `stored_rates`.
    """
    ops = list(walk(program.ops))
    named = [(p.name, STATE) for p in network.populations]
    for op in ops:
        named += [pair for pair in (*op.writes(), *vectors_read(op, network)) if pair[1] != RATE]
    for op in ops:
        named += scaled_factors(op)
    return [*dict.fromkeys(map(tuple, named)), *((name, RATE) for name in stored_rates(network))]


def accumulators(network: Network, program: Program):
    """All accumulators (population, name), in the order the program first names them."""
    return list(dict.fromkeys((network.projection(one.projection).target, one.into)
                              for op in walk(program.ops) for one in op.sums()))
