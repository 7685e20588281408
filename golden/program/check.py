"""What a program may say: every refusal that does not depend on number formats."""

from __future__ import annotations

from ..errors import MisuseError
from ..network import Network
from .operations import (
    RATE,
    SAMPLE_MODES,
    STATE,
    Clear,
    Decide,
    Difference,
    FlowRate,
    Learn,
    Project,
    Relax,
    Reseed,
    Residual,
    Sample,
    Snapshot,
    Update,
    describe,
    draws,
    walk,
    written_vector,
)

#: Loops inside loops.
MAX_DEPTH = 4


def check_operations(name, ops, network: Network):
    """Raise `MisuseError` for the first operation of program `name` that cannot run."""
    _Check(name, network).block(ops, set(), 0)


class _Check:
    """Follows the operations and remembers which accumulators are filled."""

    def __init__(self, name, network):
        self.name, self.network = name, network

    def block(self, ops, filled, depth):
        if depth > MAX_DEPTH:
            raise MisuseError(f"program '{self.name}' nests loops deeper than {MAX_DEPTH}")
        for op in ops:
            where = f"program '{self.name}', {describe(op)}"
            handler = self._HANDLERS.get(type(op))
            if handler is None:
                raise MisuseError(f"{where}: not an operation")
            self._written(op, where)
            handler(self, op, where, filled)
            if isinstance(op, Relax):
                # A loop without steps leaves nothing behind.
                self.block(op.body, filled if op.steps else set(filled), depth + 1)

    def _written(self, op, where):
        vector = written_vector(op)
        if vector is None:
            return
        if vector[1] == RATE:
            raise MisuseError(f"{where}: the rate follows from the state and is never written")
        if self.network.population(vector[0]).fixed_rate and vector[1] == STATE:
            raise MisuseError(f"{where}: '{vector[0]}' is clamped or constant")

    def _project(self, op, where, filled):
        projection = self.network.projection(op.projection)
        if op.start is not None and (projection.target, op.start) not in filled:
            raise MisuseError(f"{where}: accumulator '{op.start}' of '{projection.target}' is "
                              "used before it is filled")
        if not 0 <= op.shift <= 15:
            raise MisuseError(f"{where}: shift {op.shift} is outside 0..15")
        if op.shift and not self.network.population(projection.source).constant:
            raise MisuseError(f"{where}: only rates of the constant population can be shifted")
        filled.add((projection.target, op.into))

    def _from_current(self, op, where, filled):
        if (op.population, op.current) not in filled:
            raise MisuseError(f"{where}: accumulator '{op.current}' is used before it is filled")
        if isinstance(op, Sample) and op.mode not in SAMPLE_MODES:
            raise MisuseError(f"{where}: unknown mode '{op.mode}'; known: "
                              f"{', '.join(SAMPLE_MODES)}")
        if isinstance(op, Residual) and not 0 <= op.share <= 3:
            raise MisuseError(f"{where}: share {op.share} is outside 0..3")
        if not isinstance(op, Update):
            return
        if not -1 <= op.shift <= 6:
            raise MisuseError(f"{where}: shift {op.shift} is outside -1..6 (eps is 2**-shift)")
        if not 0 <= op.noise < 16:
            raise MisuseError(f"{where}: noise {op.noise} is outside 0..16")
        if op.slot != STATE and (op.nudge is not None or op.noise):
            raise MisuseError(f"{where}: only states are nudged or get noise, not '{op.slot}'")
        if op.nudge is not None:
            self._nudge(op, where)

    def _nudge(self, op, where):
        target = self.network.population(op.nudge.target)
        size = self.network.population(op.population).size
        if not target.clamped or target.size != size:
            raise MisuseError(f"{where}: the target of a nudge must be a clamped population of "
                              f"{size} units, '{target.name}' is not")
        if not 0 <= op.nudge.shift <= 15:
            raise MisuseError(f"{where}: nudge shift {op.nudge.shift} is outside 0..15 "
                              "(beta is 2**-shift)")
        if op.nudge.sign not in (1, -1):
            raise MisuseError(f"{where}: nudge sign {op.nudge.sign}; use 1 or -1")

    def _copy(self, op, where, filled):
        size = self.network.population(op.population).size
        for name, _ in op.operands if isinstance(op, Difference) else ():
            other = self.network.population(name).size
            if other != size:
                raise MisuseError(f"{where}: '{name}' has {other} units, '{op.population}' {size}")

    def _reseed(self, op, where, filled):
        if not 0 <= op.count <= 65535:
            raise MisuseError(f"{where}: count {op.count} is outside 0..65535")

    def _relax(self, op, where, filled):
        if op.steps < 0:
            raise MisuseError(f"{where}: {op.steps} steps")
        if op.settled is None:
            return
        if not op.settled >= 0:
            raise MisuseError(f"{where}: settled threshold {op.settled} is negative")
        for inner in walk(op.body):
            if isinstance(inner, Relax) and inner.settled is not None:
                raise MisuseError(f"{where}: a loop until settled cannot hold another one")
            if draws(inner):
                raise MisuseError(f"{where}: noise never settles; give a fixed number of steps")

    def _decide(self, op, where, filled):
        self.network.population(op.population)

    def _learn(self, op, where, filled):
        shape = self.network.matrix(op.matrix).shape
        for term in op.terms:
            got = (self.network.population(term.rows[0]).size,
                   self.network.population(term.cols[0]).size)
            if got != shape:
                raise MisuseError(f"{where}: a term of {got[0]} x {got[1]} cannot update a matrix "
                                  f"of {shape[0]} x {shape[1]}")

    _HANDLERS = {Project: _project, Update: _from_current, Sample: _from_current,
                 FlowRate: _from_current, Residual: _from_current, Clear: _copy, Snapshot: _copy,
                 Difference: _copy, Reseed: _reseed, Relax: _relax, Decide: _decide,
                 Learn: _learn}
