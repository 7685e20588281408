"""Random networks and programs for the engine: every operation, every direction, odd shapes."""

from __future__ import annotations

import math

import numpy as np

from ...golden.errors import MisuseError
from ...golden.executors.fixed.weights import MULTIPLIER_MAX
from ...golden.network import Matrix, Network, Population, Projection
from ...golden.numbers.bounds import accumulator_bounds, bits_for, force_bound, state_limits
from ...golden.numbers.formats import Format
from ...golden.program import (
    RATE_SHIFT,
    Program,
    Update,
    accumulators,
    matrices_used,
    vectors,
    walk,
)
from ...hw.assembler.assembler import config_for
from ...hw.assembler.placement import place
from ...hw.interface.config import MOST_LANES, MOST_SERIAL_DROP, EngineConfig
from .program import Programs

FORMATS = [(Format(16, 12), Format(16, 12)), (Format(12, 8), Format(10, 7)),
           (Format(8, 6), Format(10, 7)), (Format(8, 6), Format(8, 7)),
           (Format(16, 14), Format(16, 15)), (Format(4, 2), Format(3, 2)),
           (Format(16, 4), Format(16, 2)), (Format(12, 10), Format(16, 14))]
RATES = ("hard-sigmoid", "hard-sigmoid", "hard-tanh")
#: Images of a case.
IMAGES = 3
#: Optional units of an engine, as its configuration calls them.
UNITS = ("learning", "smooth", "noise")


class Draw:
    """A random generator with the few questions that drawing a case asks."""

    def __init__(self, *seed):
        self.rng = np.random.default_rng(list(seed))

    def below(self, n) -> int:
        """A number from 0 to n - 1."""
        return int(self.rng.integers(n))

    def choice(self, items):
        """One of some items."""
        return items[self.below(len(items))]

    def chance(self, p) -> bool:
        """Whether something of probability `p` happens."""
        return bool(self.rng.random() < p)


class Case(Draw):
    """Network, program, engine, weights, inputs and rates drawn from one seed.

    Parameters
    ----------
    seed : int
    largest : int
        Units of the largest population.
    config : EngineConfig, optional
        Engine whose formats and units are to be used; without it one that just holds the case is
        made.
    attempt : int
        Another case of the same seed.

    Attributes
    ----------
    network, program, config : Network, Program, EngineConfig
    weights, inputs : dict of str to ndarray
    density : dict of str to float
        What the assembler takes them to be; not the truth.
    passes : list of (int, dict of str to float)
        Images of each pass and the learning rates of its matrices.
    """

    def __init__(self, seed, largest=24, config=None, attempt=0):
        super().__init__(seed, attempt)
        self.seed, self.largest = (seed, attempt), largest
        if config is None:
            self.state, self.weight = self.choice(FORMATS)
            self.units = {name: self.chance(0.8) for name in UNITS}
            self.units["learning"] &= self.weight.frac >= 4
            most = min(32, 47 - self.weight.width) - self.state.frac
            self.update_frac = self.below(most + 1)
        else:
            self.state, self.weight = config.state, config.weight
            self.update_frac = config.update_frac
            self.units = {name: getattr(config, name) for name in UNITS}
        while True:
            self.network = self._network()
            ops = Programs(self, self.network, self.state, self.weight, self.units).ops()
            self.program = Program("random", tuple(ops))
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
        first = self.choice([IMAGES, IMAGES, 1, 2])
        self.passes = [(count, self._rates()) for count in (first, IMAGES - first) if count]

    @property
    def work(self) -> int:
        """Weights that are visited in one image, at most."""
        return self._work(self.program.ops)

    def _work(self, ops):
        found = 0
        for op in ops:
            loop = op.loop()
            if loop is not None:
                steps, body = loop
                found += steps * self._work(body)
            found += sum(math.prod(self.network.matrix(name).shape)
                         for name in matrices_used(op, self.network))
        return found

    def _config(self, bounds):
        lanes = int(self.choice([1, 2, 3, 4, 5, 7, 8, 11, 1, 2, 3, 4, 5, 7, 8, 16, 22, 64]))
        quick = 1 << self.below(min(lanes, 16).bit_length())
        force = force_bound(Update("x"), 0, self.state, self.weight)
        # Just wide enough, as a tuned engine would be.
        width = max(24, *(bits_for(b) for b in bounds.values()),
                    *(bits_for(b + 3 * force) - 2 for b in bounds.values()))
        if self.units["learning"]:
            drop = self.state.frac + self.update_frac
            width = max(width, self.weight.width + drop + 1,
                        33 + max(0, self.weight.frac - RATE_SHIFT))
        latencies = {"weight_latency": 1 + self.below(4), "multiplier_latency": 1 + self.below(4),
                     "weight_ports": 1 + self.below(2), "update_latency": 1 + self.below(4)}
        unit = learn_unit(self, self.units["learning"], quick, self.state.frac + self.update_frac)
        unit |= table_unit(Draw(*self.seed, 0x8), self.units, self.state, self.weight,
                           self.state.frac + self.update_frac)
        tiles = tiled(Draw(*self.seed, 0x7), unit.get("learn_unit", "pipelined"))
        while lanes * tiles.get("tiles", 1) > MOST_LANES:
            tiles["tiles"] -= 1
        if tiles.get("tiles", 1) == 1:
            # The queue of changes is for one tile.
            latencies["change_depth"] = Draw(*self.seed, 0xC).choice([0, 4, 16, 64])
        config = config_for(self.network, self.program, lanes, self.density, state=self.state,
                            weight=self.weight, accumulator_width=width,
                            update_frac=self.update_frac, **latencies, **self.units, **unit,
                            **tiles)
        if self.chance(0.5):
            # So few words that slots must share them.
            made = place(self.network, self.program, config, self.density)
            config = config.replace(state_depth=max(2, made.least_states))
        return config

    def _network(self):
        rates = (*RATES, *(("logistic", "logistic") if self.units["smooth"] else ()))
        clamped = [Population(f"x{i}", 1 + self.below(self.largest), self.choice(RATES), True)
                   for i in range(1 + self.below(3))]
        free = [Population(f"h{i}", 1 + self.below(self.largest), self.choice(rates))
                for i in range(1 + self.below(4))]
        if self.chance(0.3):
            free.append(Population("twin", free[0].size, free[0].rate))
        targets = [Population(f"d{p.name}", p.size,
                              p.rate if p.rate in RATES else "hard-sigmoid", True)
                   for p in free if self.chance(0.3)]
        one = Population("one", 1, "constant")
        populations = [*clamped, *free, *targets, one]
        matrices, projections = {}, []
        for population in free:
            sources = [self.choice(clamped + free) for _ in range(1 + self.below(4))]
            if self.chance(0.7):
                sources.append(one)
            for source in sources:
                self._connect(source, population, matrices, projections)
        self.rng.shuffle(populations)
        return Network("random", tuple(populations), tuple(matrices.values()), tuple(projections))

    def _connect(self, source, target, matrices, projections):
        shape = source.size, target.size
        transpose = self.chance(0.4)
        known = [m for m in matrices.values() if m.shape == (shape[::-1] if transpose else shape)]
        if known and self.chance(0.5):
            matrix = self.choice(known)
        else:
            matrix = Matrix(f"m{len(matrices)}", *(shape[::-1] if transpose else shape))
            matrices[matrix.name] = matrix
        projections.append(Projection(f"p{len(projections)}", source.name, target.name, matrix.name,
                                      transpose, self.choice([1, 1, -1])))

    def _weights(self, shape):
        low, high = self.weight.min, self.weight.max
        kind = self.below(7)
        if kind == 0:
            return np.full(shape, self.choice([low, low, high, 0]))
        reach = [high, high, max(1, high // 8), max(1, high // 16), max(1, high // 4),
                 max(1, high // 64)][kind - 1]
        values = self.rng.integers(-reach - 1, reach + 1, shape)
        return values * (self.rng.random(shape) < self.choice([1.0, 0.5]))

    def _inputs(self, name):
        low, high = state_limits(self.network.population(name), self.state)
        shape = IMAGES, self.network.population(name).size
        values = self.choice([self.rng.integers(low, high + 1, shape), np.full(shape, low),
                              np.full(shape, high), self.rng.choice([low, high], shape)])
        return values * (self.rng.random(shape) < self.choice([0.0, 0.1, 0.5, 1.0]))

    def _rates(self):
        """A rate for each matrix: any multiplier, evenly by its number of bits."""
        shift = RATE_SHIFT + self.update_frac + self.weight.frac - self.state.frac
        found = {}
        for learn in (learn for op in walk(self.program.ops) for learn in op.learns()):
            multiplier = int(2 ** (15 * self.rng.random()))
            multiplier = self.choice([multiplier, multiplier, multiplier, MULTIPLIER_MAX, 0])
            found[learn.matrix] = math.ldexp(multiplier, -shift)
        return found

    def __str__(self):
        return (f"{[(p.name, p.size) for p in self.network.populations]}, "
                f"{len(vectors(self.network, self.program))} vectors, "
                f"{len(accumulators(self.network, self.program))} accumulators, {self.config}")


def learn_unit(draw: Draw, learns: bool, quick: int, drop: int) -> dict:
    """Which learning unit an engine has, and the update lanes that go with it."""
    if draw.chance(0.4) and learns and drop <= MOST_SERIAL_DROP:
        return {"learn_unit": "serial", "update_lanes": 1}
    return {"update_lanes": quick}


def table_unit(draw: Draw, units: dict, state: Format, weight: Format, drop: int,
               often=0.4) -> dict:
    """Fields of an engine with the serial table unit, where it can have one; else none."""
    can = ((units["smooth"] or units["noise"])
           and (weight.width >= state.width or not units["smooth"])
           and (drop <= MOST_SERIAL_DROP or not units["learning"]))
    if can and draw.chance(often):
        return {"table_unit": "serial", "learn_unit": "serial", "update_lanes": 1,
                "key_ahead": True}
    return {}
def tiled(draw: Draw, learn_unit: str) -> dict:
    """How many tiles an engine has, and how far they are apart; the serial unit works in one."""
    if learn_unit == "serial":
        return {}
    return {"tiles": draw.choice([1, 2, 2, 3, 4]), "hop": draw.choice([1, 1, 2, 3])}


def random_engine(number) -> EngineConfig:
    """Engine `number` of a campaign: tiles, lanes, formats, depths, latencies and units at random.

    Always the same one, so that its simulator is built once.
    """
    draw = Draw(number, 0xE)
    few = [2, 3, 4, 5, 6, 7]
    lanes = draw.choice(few if number < 3 else [1, *few, 8, 9, 11, 13, 16, 22])
    while True:
        state, weight = draw.choice(FORMATS)
        units = {name: number == 0 or draw.chance(0.75) for name in UNITS}
        units["learning"] &= weight.frac >= 4
        units["noise"] |= number == 2  # few engines are drawn most times: one has all units serial
        if number >= 3 or units["learning"]:
            break
    update_frac = draw.below(min(32, 47 - weight.width) - state.frac + 1)
    if number == 0:
        state, weight, update_frac = Format(16, 12), Format(16, 12), 6
    needed = max(weight.width + state.frac + update_frac + 1,
                 33 + max(0, weight.frac - RATE_SHIFT), state.width + weight.width + 8)
    quick = 1 << draw.below(min(lanes, 16).bit_length())
    fields = dict(
        lanes=lanes, state=state, weight=weight, accumulator_width=min(48, needed + draw.below(4)),
        weight_depth=draw.choice([3000, 4096, 8192]),
        state_depth=draw.choice([200, 256, 512] if lanes < 8 else [40, 80, 256]),
        accumulator_depth=draw.choice([128, 200, 256]), event_depth=draw.choice([300, 512]),
        program_depth=draw.choice([500, 1024]), descriptor_depth=draw.choice([200, 256]),
        input_banks=draw.choice([1, 2, 2]), weight_latency=1 + draw.below(4),
        event_latency=1 + draw.below(2), code_latency=1 + draw.below(2),
        multiplier_latency=1 + draw.below(4), key_ahead=draw.chance(0.5),
        weight_ports=1 + draw.below(2), update_latency=1 + draw.below(4),
        loop_counters=draw.choice([3, 4]), update_frac=update_frac, **units,
        **learn_unit(draw, units["learning"], quick, state.frac + update_frac))
    # Drawn by themselves: the rest of an engine is what it was without tiles and serial tables.
    if number:
        fields |= table_unit(Draw(number, 0x8), units, state, weight, state.frac + update_frac,
                             1 if number == 2 else 0.4)
    config = EngineConfig(**fields)
    tiles = tiled(Draw(number, 0x7), config.learn_unit)
    if number < 3 and tiles:  # quickly built, as many lanes in all
        lanes = max(2, -(-lanes // tiles["tiles"]))
        tiles |= {"lanes": lanes, "update_lanes": min(quick, 1 << lanes.bit_length() - 1)}
    return config.replace(**tiles)
