"""Random networks and programs of every operation, for executors that must agree."""

import numpy as np

from apical.golden.network import Matrix, Network, Population, Projection
from apical.golden.numbers.formats import Format
from apical.golden.program import (
    RATE,
    STATE,
    Clear,
    Decide,
    Difference,
    FlowRate,
    Learn,
    Nudge,
    Outer,
    Program,
    Project,
    Relax,
    Reseed,
    Residual,
    Sample,
    Snapshot,
    Update,
)

#: State, weight and update bits.
FORMATS = [(Format(16, 12), Format(16, 12), 6), (Format(16, 12), Format(16, 14), 4),
           (Format(10, 8), Format(8, 6), 8), (Format(8, 6), Format(8, 7), 1),
           (Format(16, 12), Format(8, 6), 20), (Format(12, 9), Format(16, 12), 0),
           (Format(16, 10), Format(16, 8), 6), (Format(8, 3), Format(10, 7), 5),
           (Format(12, 4), Format(12, 9), 7)]
FREE_RATES = ("hard-sigmoid", "hard-tanh", "logistic", "logistic", "binary")


def network_of(rng, rates=FREE_RATES):
    """Two to five populations; lateral, tied and negative projections."""
    def size():
        return int(rng.integers(1, 14))

    def rate(clamped=False):
        return str(rng.choice([r for r in rates if not clamped or r != "logistic"]))
    last = size()
    populations = [Population("x", size(), rate(True), clamped=True)]
    populations += [Population(f"h{k}", size(), rate()) for k in range(rng.integers(0, 3))]
    populations += [Population("y", last, rate()),
                    Population("d", last, rate(True), clamped=True),
                    Population("one", 1, "constant")]
    matrices, projections = [], []
    for source in populations:
        for target in populations:
            if target.fixed_rate or source.name == "d" or rng.random() < 0.3:
                continue
            name = f"{source.name}-{target.name}"
            matrices.append(Matrix(name, source.size, target.size))
            sign = int(rng.choice([1, 1, -1]))
            projections.append(Projection(name, source.name, target.name, name, sign=sign))
            if not source.fixed_rate and rng.random() < 0.5:
                projections.append(Projection(f"{name}-back", target.name, source.name, name,
                                              True, int(rng.choice([1, -1]))))
    if not projections:
        matrices.append(Matrix("m", populations[0].size, last))
        projections.append(Projection("p", "x", "y", "m"))
    return Network("random", tuple(populations), tuple(matrices), tuple(projections))


class _Programs:
    """Makes the parts of a random program over one network."""

    def __init__(self, rng, network, quiet=False):
        self.rng, self.network, self.quiet = rng, network, quiet
        self.free = [p.name for p in network.free]
        self.targets = {p.target for p in network.projections}

    def chance(self, share):
        return self.rng.random() < share

    def project(self, into):
        ops, targets = [], set()
        for p in self.network.projections:
            shift = int(self.rng.integers(0, 4)) if p.source == "one" else 0
            ops.append(Project(p.name, into, into if p.target in targets else None, shift))
            targets.add(p.target)
        return ops

    def update(self, name, noise):
        rng, slot, population = self.rng, STATE, self.network.population(name)
        nudge = held = None
        if self.chance(0.25):
            slot = "held"
        elif population.size == self.network.population("d").size and self.chance(0.5):
            nudge = Nudge("d", int(rng.integers(0, 4)), int(rng.choice([1, -1])), self.chance(0.5),
                          self.chance(0.5))
        if nudge is None and self.chance(0.4):
            held = str(rng.choice(["held", "kept"]))
        gate = self.chance(0.7) and not (slot != STATE and population.rate == "logistic")
        strength = float(rng.choice([1e-4, 0.02, 0.2])) if noise and slot == STATE and \
            self.chance(0.4) else 0.0
        return Update(name, "current", int(rng.integers(-1, 7)), self.chance(0.75), gate, nudge,
                      slot, held, strength)

    def states(self, noise=True):
        """Operations that take the currents of all driven populations."""
        for name in sorted(self.targets):
            kind = self.rng.integers(10)
            if kind < 6:
                yield self.update(name, noise)
            elif kind < 8:
                modes = ("sample", "mean", "threshold") if noise else ("mean", "threshold")
                yield Sample(name, "current", str(self.rng.choice(modes)))
            elif kind == 8:
                yield FlowRate(name, str(self.rng.choice(["flow", "delta"])))
            else:
                yield Residual(name, "error", "current", int(self.rng.integers(0, 4)))

    def slot(self, name):
        slots = [STATE, RATE]
        if not self.network.population(name).fixed_rate:
            slots += ["kept", "delta"]
        return str(self.rng.choice(slots))

    def learning(self):
        for p in self.network.projections:
            if self.chance(0.5):
                pair = (p.target, p.source) if p.transpose else (p.source, p.target)
                names = pair * int(self.rng.integers(1, 4))
                factors = [(name, self.slot(name)) for name in names]
                yield Learn(p.matrix, tuple(
                    Outer(a, b, int(self.rng.choice([1, -1])))
                    for a, b in zip(factors[::2], factors[1::2], strict=True)), self.chance(0.5))

    def make(self):
        rng, free = self.rng, self.free
        settled = None if self.chance(0.5) else float(rng.choice([0.0, 0.01, 0.1]))
        noise = settled is None
        body = [*self.project("current"), *self.states(noise)]
        if not self.quiet and self.chance(0.3):
            body += self.learning()
        if self.chance(0.3):
            body.append(Relax(2, tuple(self.states(noise))))
        if noise and self.chance(0.3):
            body.append(Reseed(int(rng.integers(0, 3))))
        copies = [Snapshot(n, "kept", str(rng.choice([STATE, RATE]))) for n in free]
        ops = [*(Clear(n) for n in free), *self.project("current"), *self.states(), *copies,
               Relax(int(rng.integers(0, 6)), tuple(body), settled),
               *(Difference(n, "delta", str(rng.choice([STATE, RATE])), "kept") for n in free),
               Difference("y", "error", ("d", STATE), str(rng.choice([STATE, RATE]))),
               *(() if self.quiet else self.learning()),
               Reseed(int(rng.integers(0, 2 ** 16))), Clear(free[0], "kept"),
               Snapshot(free[-1], STATE, "kept"), Difference(free[-1], STATE, "delta", "kept"),
               Clear(free[-1]), Decide("y"), *self.states()]
        return Program("random", tuple(ops))


def program_of(rng, network, quiet=False):
    """A program of every operation; a `quiet` one does not learn."""
    return _Programs(rng, network, quiet).make()


def weights_of(network, rng, weight, scale):
    """Raw weights up to `scale`, the whole range where that is more."""
    most = int(min(weight.max, scale * 2 ** weight.frac))
    return {m.name: rng.integers(-most - (most == weight.max), most + 1, m.shape)
            for m in network.matrices}


def images_of(network, rng, images, state):
    """Raw inputs of all clamped populations, half of them 0, some at the ends of their range."""
    inputs = {}
    for population in network.clamped:
        low = -state.one if population.limits[0] < 0 else 0
        values = rng.integers(low, state.one + 1, (images, population.size))
        values = np.where(rng.random(values.shape) < 0.5, values, 0)
        inputs[population.name] = np.where(rng.random(values.shape) < 0.1, state.one, values)
    return inputs


def case_of(seed, images=5, quiet=False):
    """(network, program, weights, inputs, (state, weight, update_frac), rates) of a seed."""
    rng = np.random.default_rng(seed)
    network = network_of(rng)
    program = program_of(rng, network, quiet)
    state, weight, update_frac = FORMATS[seed % len(FORMATS)]
    weights = weights_of(network, rng, weight, float(rng.choice([0.1, 0.5, 2.0, 100.0])))
    greatest = 32767 * 2.0 ** -(10 + update_frac + weight.frac - state.frac)
    rates = {m.name: greatest * rng.random() ** 2 for m in network.matrices}
    inputs = images_of(network, rng, images, state)
    if seed % 10 == 0:
        inputs = {name: np.zeros_like(values) for name, values in inputs.items()}
    return network, program, weights, inputs, (state, weight, update_frac), rates


def features(op, network):
    """Names of what an operation of a random program uses, options one by one."""
    name, found = type(op).__name__, []
    if isinstance(op, Update):
        logistic = network.population(op.population).rate == "logistic"
        options = {"leak": op.leak, "gate": op.gate and op.leak and logistic, "held": op.held,
                   "other slot": op.slot != STATE, "noise": op.noise, "gain": op.shift < 0}
        if op.nudge is not None:
            options |= {"nudge": True, "random sign": op.nudge.random_sign,
                        "stored rate": op.nudge.of_rate and logistic,
                        "away": op.nudge.sign < 0}
        found = [option for option, used in options.items() if used] or ["sweep"]
    elif isinstance(op, Sample):
        found = [op.mode]
    elif isinstance(op, Project):
        projection = network.projection(op.projection)
        found = ["transposed" if projection.transpose else "plain",
                 "negative" if projection.sign < 0 else "positive",
                 "shifted" if op.shift else "whole", "started" if op.start else "from zero"]
    elif isinstance(op, Residual):
        found = ["shared" if op.share else "whole"]
    elif isinstance(op, Learn):
        found = [f"{len(op.terms)} terms", *["by sign"] * op.by_sign]
    elif isinstance(op, Relax):
        found = ["steps" if op.settled is None else "settled"]
    return [f"{name} {option}" for option in found] or [name]
