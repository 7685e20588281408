"""What raw integers cannot do: every refusal that depends on number formats or on stored rates."""

from __future__ import annotations

from ...errors import MisuseError
from ...network import Network
from ...numbers.bounds import accumulator_bounds, force_bound
from ...numbers.formats import Format
from ...numbers.tables import LOGISTIC, samples
from ...program import (
    RATE,
    Program,
    Update,
    describe,
    rates_read,
    stored_rates,
    vectors_written,
    walk,
)
from .weights import check_learning

#: Sums must stay below this for float64 to hold them (and their rounding addend) exactly.
EXACT = 1 << 52


def check_fixed(network: Network, program: Program, state: Format, weight: Format,
                update_frac: int):
    """Raise `MisuseError` for the first thing of a checked program that raw integers cannot do."""
    check_learning(network, program, state, update_frac)
    _check_rates(network, program)
    if stored_rates(network):
        samples(LOGISTIC, state)
    for op in walk(program.ops):
        for complaint in op.fixed_complaints(network, state, weight):
            raise MisuseError(f"{describe(op)}: {complaint}")
    bounds = accumulator_bounds(network, program, state, weight)
    least = force_bound(Update(""), 0, state, weight)
    forces = {}
    for op in walk(program.ops):
        for key in op.currents():
            forces[key] = max(forces.get(key, least), force_bound(op, 0, state, weight))
    for key, bound in bounds.items():
        if bound + forces.get(key, least) >= EXACT:
            raise MisuseError(f"accumulator '{key[1]}' of '{key[0]}' can reach {bound}, beyond "
                              "the exact range 2**52 of float64; use fewer weight or state bits")


def _check_rates(network, program):
    """Rates must have been written before they are read."""
    missing = set(stored_rates(network))

    def follow(ops):
        for op in ops:
            where = f"program '{program.name}', {describe(op)}"
            for name in rates_read(op, network):
                population = network.population(name)
                if population.clamped and population.rate == "logistic":
                    raise MisuseError(f"{where}: '{name}' is clamped and logistic, its rate is not "
                                      "stored; give it the rates themselves as a hard population")
                if name in missing:
                    raise MisuseError(f"{where}: the rate of '{name}' is read before its state is "
                                      "written; begin with Clear or a sweep")
            loop = op.loop()
            if loop is not None:
                steps, body = loop
                before = set(missing)
                follow(body)
                if not steps:
                    missing.update(before)
            missing.difference_update(
                name for name, slot in vectors_written(op, network) if slot == RATE)

    follow(program.ops)
