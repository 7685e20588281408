"""Random networks and programs for the engine: every operation, every direction, odd shapes."""

from __future__ import annotations

import numpy as np

from apical.golden.bounds import accumulator_bounds, bits_for, force_bound, state_limits
from apical.golden.errors import MisuseError
from apical.golden.formats import Format
from apical.golden.network import Matrix, Network, Population, Projection
from apical.golden.program import (
    STATE,
    Clear,
    Decide,
    Difference,
    Nudge,
    Program,
    Project,
    Relax,
    Snapshot,
    Update,
    accumulators,
    vectors,
)
from apical.hw.assembler import config_for

FORMATS = [(Format(16, 12), Format(16, 12)), (Format(12, 8), Format(10, 7)),
           (Format(8, 6), Format(10, 7)), (Format(8, 6), Format(8, 7)),
           (Format(16, 14), Format(16, 15)), (Format(4, 2), Format(3, 2)),
           (Format(16, 4), Format(16, 2))]
RATES = ("hard-sigmoid", "hard-sigmoid", "hard-tanh")


class Case:
    """Network, program, engine, weights and inputs drawn from one seed.

    Parameters
    ----------
    seed : int
    greatest : int
        Units of the largest population.
    config : EngineConfig, optional
        Engine whose formats are to be used; without it one that just holds the case is made.

    Attributes
    ----------
    network, program, config : Network, Program, EngineConfig
    weights, inputs : dict of str to ndarray
    density : dict of str to float
        What the assembler is told; not the truth.
    """

    def __init__(self, seed, greatest=24, config=None):
        self.rng = np.random.default_rng(seed)
        self.greatest = greatest
        self.state, self.weight = self._choice(FORMATS)
        if config is not None:
            self.state, self.weight = config.state, config.weight
        while True:
            self.network = self._network()
            self.program = Program("random", tuple(self._program()))
            try:
                self.program.check(self.network)
                bounds = accumulator_bounds(self.network, self.program, self.state, self.weight)
                break
            except MisuseError as error:
                assert "grows with every step" in str(error), error
        self.density = {p.name: float(self.rng.random()) for p in self.network.populations}
        self.config = config or self._config(bounds)
        self.weights = {m.name: self._weights(m.shape) for m in self.network.matrices}
        self.inputs = {name: self._inputs(name) for name in self.program.inputs(self.network)}
        if not self.inputs:
            self.inputs = {"x0": self._inputs("x0")}

    def _config(self, bounds):
        lanes = int(self._choice([1, 2, 3, 4, 5, 7, 8, 11, 1, 2, 3, 4, 5, 7, 8, 16, 22, 64]))
        quick = 1 << self._below(min(lanes, 16).bit_length())
        force = force_bound(Update("x"), 0, self.state, self.weight)
        # Just wide enough, as a tuned engine would be.
        width = max(24, *(bits_for(b) for b in bounds.values()),
                    *(bits_for(b + 3 * force) - 2 for b in bounds.values()))
        return config_for(self.network, self.program, lanes, self.density, update_lanes=quick,
                          state=self.state, weight=self.weight, accumulator_width=width,
                          weight_latency=1 + self._below(4), multiplier_latency=1 + self._below(4))

    def _below(self, n):
        return int(self.rng.integers(n))

    def _choice(self, items):
        return items[self._below(len(items))]

    def _chance(self, p):
        return bool(self.rng.random() < p)

    def _network(self):
        clamped = [Population(f"x{i}", 1 + self._below(self.greatest), self._choice(RATES), True)
                   for i in range(1 + self._below(3))]
        free = [Population(f"h{i}", 1 + self._below(self.greatest), self._choice(RATES))
                for i in range(1 + self._below(4))]
        if self._chance(0.3):
            free.append(Population("twin", free[0].size, free[0].rate))
        targets = [Population(f"d{p.name}", p.size, p.rate, True)
                   for p in free if self._chance(0.3)]
        one = Population("one", 1, "constant")
        populations = [*clamped, *free, *targets, one]
        matrices, projections = {}, []
        for population in free:
            sources = [self._choice(clamped + free) for _ in range(1 + self._below(4))]
            if self._chance(0.7):
                sources.append(one)
            for source in sources:
                self._connect(source, population, matrices, projections)
        self.rng.shuffle(populations)
        return Network("random", tuple(populations), tuple(matrices.values()), tuple(projections))

    def _connect(self, source, target, matrices, projections):
        shape = source.size, target.size
        transpose = self._chance(0.4)
        known = [m for m in matrices.values() if m.shape == (shape[::-1] if transpose else shape)]
        if known and self._chance(0.5):
            matrix = self._choice(known)
        else:
            matrix = Matrix(f"m{len(matrices)}", *(shape[::-1] if transpose else shape))
            matrices[matrix.name] = matrix
        projections.append(Projection(f"p{len(projections)}", source.name, target.name, matrix.name,
                                      transpose, self._choice([1, 1, -1])))

    # Programs

    def _program(self):
        self.filled, self.slots = set(), set()
        ops = []
        for population in self.network.free:
            ops += [Clear(population.name)]
        for population in self.network.free:
            ops += self._currents(population.name, "drive")
        for population in self.network.free:
            if self._chance(0.5):
                ops += self._currents(population.name, "current")
                ops.append(self._update(population, leak=False))
        for population in self.network.free:
            if self._chance(0.4):
                ops.append(Snapshot(population.name, "a"))
                self.slots.add((population.name, "a"))
        ops += self._ops(1 + self._below(4), depth=0)
        held = [p.name for p in self.network.populations if not p.constant]
        ops.append(Decide(self._choice(held)))
        return ops

    def _currents(self, name, into):
        """A chain of projections into one accumulator, in any order."""
        into_it = list(self.network.into(name))
        self.rng.shuffle(into_it)
        starts = [None, *sorted(slot for n, slot in self.filled if n == name and slot != into)]
        start, ops = self._choice(starts), []
        for projection in into_it[:1 + self._below(len(into_it))]:
            constant = self.network.population(projection.source).constant
            shift = self._below(min(3, self.state.frac + 1)) if constant else 0
            ops.append(Project(projection.name, into, start, shift))
            start = into
        self.filled.add((name, into))
        return ops

    def _update(self, population, leak):
        nudge = None
        target = f"d{population.name}"
        if leak and self._chance(0.6) and any(p.name == target for p in self.network.populations):
            nudge = Nudge(target, self._below(min(4, self.weight.frac + 1)), self._choice([1, -1]))
        current = self._choice(sorted(slot for n, slot in self.filled if n == population.name))
        return Update(population.name, current, self._below(8) - 1, leak, nudge=nudge)

    def _ops(self, count, depth):
        ops = []
        for _ in range(count):
            kind, population = self._below(6), self._choice(self.network.free)
            if kind == 0 and depth < 3:
                settled = self._choice([None, None, 0.0, 0.05, 0.5])
                body = self._ops(1 + self._below(3), depth + 1)
                if settled is not None and any(isinstance(op, Relax) for op in body):
                    settled = None
                ops.append(Relax(1 + self._below(4), tuple(body), settled))
            elif kind <= 3:
                chosen = [p for p in self.network.free if self._chance(0.7)] or [population]
                for one in chosen:
                    ops += self._currents(one.name, self._choice(["current", "current", "extra"]))
                ops += [self._update(one, self._chance(0.8)) for one in chosen]
            elif kind == 4:
                everyone = [p for p in self.network.populations if not p.constant]
                source = self._choice(everyone)
                slot = self._choice(["a", "b"])
                ops.append(Snapshot(source.name, slot))
                self.slots.add((source.name, slot))
            elif self.slots:
                name, slot = self._choice(sorted(self.slots))
                free = not self.network.population(name).fixed_rate
                into = self._choice(["a", "c", STATE] if free else ["a", "c"])
                ops.append(self._choice([Difference(name, into, STATE, slot),
                                         Difference(name, into, slot, STATE),
                                         Snapshot(name, into, slot), Clear(name, slot)]))
                if into != STATE and not isinstance(ops[-1], Clear):
                    self.slots.add((name, into))
        return ops or [Clear(self.network.free[0].name)]

    # Numbers

    def _weights(self, shape):
        low, high = self.weight.min, self.weight.max
        kind = self._below(6)
        if kind == 0:
            return np.full(shape, self._choice([low, high]))
        reach = [high, high, max(1, high // 8), max(1, high // 16), max(1, high // 4)][kind - 1]
        values = self.rng.integers(-reach - 1, reach + 1, shape)
        return values * (self.rng.random(shape) < self._choice([1.0, 0.5]))

    def _inputs(self, name):
        population = self.network.population(name)
        low, high = state_limits(population, self.state)
        shape = 3, population.size
        values = self._choice([self.rng.integers(low, high + 1, shape), np.full(shape, low),
                               np.full(shape, high), self.rng.choice([low, high], shape)])
        return values * (self.rng.random(shape) < self._choice([0.0, 0.1, 0.5, 1.0]))

    def __str__(self):
        return (f"{[(p.name, p.size) for p in self.network.populations]}, "
                f"{len(vectors(self.network, self.program))} vectors, "
                f"{len(accumulators(self.network, self.program))} accumulators, {self.config}")
