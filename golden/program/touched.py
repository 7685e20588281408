"""What the operations of a program touch, in one network: made of their declarations."""

from __future__ import annotations

from .operation import RATE, SCALED, STATE


def walk(ops):
    """All operations of a list, loop bodies included, in program order."""
    for op in ops:
        yield op
        loop = op.loop()
        if loop is not None:
            yield from walk(loop[1])


def draws(op):
    """Whether an operation draws random words for its units."""
    return op.draws()


def written_vector(op):
    """(population, slot) that an operation writes first, or None."""
    return next(iter(op.writes()), None)


def scaled_factors(op):
    """Vectors of scaled factors that the weight updates of an operation write."""
    return [(term.cols[0], slot) for learn in op.learns()
            for term, slot in zip(learn.terms, SCALED)]


def vectors_read(op, network):
    """Vectors (population, slot) that an operation reads, as it names them; see `stored`."""
    return [*((network.projection(one.projection).source, RATE) for one in op.sums()),
            *op.reads(),
            *(pair for learn in op.learns() for term in learn.terms
              for pair in (term.rows, term.cols))]


def vectors_written(op, network):
    """Vectors that an operation writes, with the stored rates that follow from states."""
    rates = stored_rates(network)
    return [pair for name, slot in op.writes()
            for pair in ((name, slot), (name, RATE))[:1 + (slot == STATE and name in rates)]]


def rates_read(op, network):
    """Names of the populations whose rate an operation reads, in its order."""
    return [name for name, slot in vectors_read(op, network) if slot == RATE]


def matrices_used(op, network):
    """Names of the matrices that an operation reads or changes."""
    return [*(network.projection(one.projection).matrix for one in op.sums()),
            *(learn.matrix for learn in op.learns())]


def stored_rates(network):
    """Names of the populations whose rate is a vector of its own: the free logistic ones."""
    return [p.name for p in network.free if p.rate == "logistic"]


def stored(network, pair):
    """The vector (population, slot) that is read for a pair: rates that are states are states."""
    if pair[1] == RATE and pair[0] not in stored_rates(network):
        return pair[0], STATE
    return tuple(pair)
