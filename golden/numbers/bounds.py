"""Proven bounds of accumulators: what they may reach for any weights and states of the formats.

They decide the accumulator width an engine needs and license the exact float64 BLAS path
(integers below 2**53) of the fixed executor.
"""

from __future__ import annotations

from ..errors import MisuseError
from ..network import Network, Population
from ..program import Operation, Program, describe
from .formats import Format


def state_limits(population: Population, state: Format):
    """Raw (lowest, highest) state of a population: its clip limits in the state format.

    Examples
    --------
    >>> state_limits(Population("h", 4), Format(16, 12))
    (0, 4096)
    """
    if population.limits is None:
        return state.min, state.max
    low, high = population.limits
    return max(int(low * 2 ** state.frac), state.min), min(int(high * 2 ** state.frac), state.max)


def rate_magnitude(population: Population, state: Format) -> int:
    """Largest absolute raw rate a population can have."""
    if population.rate == "logistic":
        return state.one
    return max(map(abs, state_limits(population, state)))


def accumulator_bounds(network: Network, program: Program, state: Format, weight: Format):
    """Largest absolute raw value of every accumulator of a program.

    Returns
    -------
    dict of (population, accumulator) to int

    Raises
    ------
    MisuseError
        For a loop whose accumulator grows with every step and so has no bound.
    """
    now, most = {}, {}
    _scan(program.ops, network, program, state, weight, now, most)
    return most


def _scan(ops, network, program, state, weight, now, most):
    """Follow the operations: `now` is what an accumulator may hold here, `most` what ever."""
    for op in ops:
        for one in op.sums():
            projection = network.projection(one.projection)
            source = network.population(projection.source)
            added = source.size * (rate_magnitude(source, state) >> one.shift) * weight.magnitude
            key = projection.target, one.into
            now[key] = added + (now[projection.target, one.start] if one.start is not None else 0)
            most[key] = max(most.get(key, 0), now[key])
        loop = op.loop()
        if loop is not None:
            body = loop[1]
            _scan(body, network, program, state, weight, now, most)
            # What one step leaves may start the next one; that must come to an end.
            for _ in range(sum(1 + len(inner.sums()) for inner in body) + 1):
                before = dict(now)
                _scan(body, network, program, state, weight, now, most)
                if now == before:
                    break
            else:
                grown = next(key for key in now if now[key] != before.get(key))
                raise MisuseError(f"program '{program.name}', {describe(op)}: accumulator "
                                  f"'{grown[1]}' of '{grown[0]}' grows with every step; "
                                  "start it from 0 or from a held accumulator")


def force_bound(op: Operation, current: int, state: Format, weight: Format) -> int:
    """Largest absolute raw sum that an operation makes of a current of at most `current`."""
    return current + (op.state_terms() * state.magnitude << weight.frac)


def bits_for(magnitude: int) -> int:
    """Bits of a two's-complement word that holds -magnitude..magnitude."""
    return magnitude.bit_length() + 1
