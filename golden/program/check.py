"""What a program may say: every refusal that does not depend on number formats."""

from __future__ import annotations

from ..errors import MisuseError
from ..network import Network
from .operation import RATE, STATE, Operation, describe

#: Loops inside loops.
MAX_DEPTH = 4


def check_operations(name, ops, network: Network):
    """Raise `MisuseError` for the first operation of program `name` that cannot run."""
    _check_kinds(name, ops)
    _Check(name, network).block(ops, set(), 0)


def _check_kinds(name, ops):
    for op in ops:
        if not isinstance(op, Operation):
            raise MisuseError(f"program '{name}', {describe(op)}: not an operation")
        loop = op.loop()
        if loop is not None:
            _check_kinds(name, loop[1])


class _Check:
    """Follows the operations and remembers which accumulators are filled."""

    def __init__(self, name, network):
        self.name, self.network = name, network

    def block(self, ops, filled, depth):
        if depth > MAX_DEPTH:
            raise MisuseError(f"program '{self.name}' nests loops deeper than {MAX_DEPTH}")
        for op in ops:
            where = f"program '{self.name}', {describe(op)}"
            self._written(op, where)
            self._accumulators(op, where, filled)
            for complaint in op.complaints(self.network):
                raise MisuseError(f"{where}: {complaint}")
            for population, _ in op.reads():
                self.network.population(population)
            loop = op.loop()
            if loop is not None:
                times, body = loop
                # A loop without steps fills nothing.
                self.block(body, filled if times else set(filled), depth + 1)

    def _written(self, op, where):
        for name, slot in op.writes():
            if slot == RATE:
                raise MisuseError(f"{where}: the rate follows from the state and is never written")
            if self.network.population(name).fixed_rate and slot == STATE:
                raise MisuseError(f"{where}: '{name}' is clamped or constant")

    def _accumulators(self, op, where, filled):
        for one in op.sums():
            target = self.network.projection(one.projection).target
            if one.start is not None and (target, one.start) not in filled:
                raise MisuseError(f"{where}: accumulator '{one.start}' of '{target}' is used "
                                  "before it is filled")
            filled.add((target, one.into))
        for pair in op.currents():
            if pair not in filled:
                raise MisuseError(f"{where}: accumulator '{pair[1]}' is used before it is filled")
