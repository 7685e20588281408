"""Every operation of the fixed executor a second time: Python integers, unit by unit.

Written from the docstrings of `apical.golden.program`; it shares with the package the shape of
networks and programs, the limits of populations and nothing of the arithmetic.
"""

import math

import mixing_reference as mixing

from apical.golden.program import (
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
)


def half_up(value, shift):
    return (2 * value + 2 ** shift) // 2 ** (shift + 1) if shift >= 0 else value * 2 ** -shift


def clip(value, low, high):
    return min(max(value, low), high)


FUNCTIONS = {"logistic": lambda z: 1 / (1 + math.exp(-z)),
             "slope": lambda z: 1 / (1 + math.exp(-z)) * (1 - 1 / (1 + math.exp(-z))),
             "half": lambda z: math.exp(z) / 2}


class Machine:
    """A network with its weights, run image by image; weights change.

    Parameters
    ----------
    rates : dict of str to int
        Multipliers by matrix.
    """

    def __init__(self, network, weights, state, weight, update_frac=6, rates=None):
        self.network, self.state, self.weight = network, state, weight
        self.drop, self.rates = state.frac + update_frac, rates or {}
        self.weights = {name: values.tolist() for name, values in weights.items()}
        self.one = min(2 ** state.frac, state.max)
        self.tables = {}

    def limits(self, name, slot):
        limits = self.network.population(name).limits
        if slot != "state" or limits is None:
            return self.state.min, self.state.max
        # 1.0 may lie outside of the format.
        unit = 2 ** self.state.frac
        return (max(int(limits[0] * unit), self.state.min),
                min(int(limits[1] * unit), self.state.max))

    def soft(self, name):
        population = self.network.population(name)
        return population.rate == "logistic" and not population.clamped

    def read(self, pair):
        name, slot = pair
        return self.vectors[name, "state" if slot == "rate" and not self.soft(name) else slot]

    def sat(self, value):
        return clip(value, self.state.min, self.state.max)

    def table(self, name, z):
        one = 2 ** self.state.frac
        if name not in self.tables:
            self.tables[name] = [self.sat(math.floor(FUNCTIONS[name](i / 16 - 8) * one + 0.5))
                                 for i in range(257)]
        samples = self.tables[name]
        place = clip(z, -8 * one, 8 * one - 1) + 8 * one
        i, rest = divmod(place * 16, one)
        if one <= 16:
            return samples[i]
        step = one // 16
        return samples[i] + half_up((samples[i + 1] - samples[i]) * (rest // 16),
                                    step.bit_length() - 1)

    def number_vectors(self, program):
        found = [(p.name, "state") for p in self.network.populations]
        scaled = []

        def name(*pairs):
            found.extend(pair for pair in dict.fromkeys(map(tuple, pairs))
                         if pair[1] != "rate" and pair not in found)

        def follow(ops):
            for op in ops:
                name(*NAMED[type(op)](op))
                if isinstance(op, Learn):
                    scaled.extend((t.cols[0], f"scaled{i}") for i, t in enumerate(op.terms))
                elif isinstance(op, Relax):
                    follow(op.body)

        follow(program.ops)
        name(*scaled)
        found += [(p.name, "rate") for p in self.network.populations if self.soft(p.name)]
        return {vector: i for i, vector in enumerate(found)}

    def image(self, program, image, seed=0, number=0):
        """Run one image; the results are attributes."""
        self.numbers = self.number_vectors(program)
        self.vectors = {vector: [0] * self.network.population(vector[0]).size
                        for vector in self.numbers}
        for population in self.network.populations:
            if population.constant:
                self.vectors[population.name, "state"] = [self.one]
            elif population.name in image:
                self.vectors[population.name, "state"] = list(map(int, image[population.name]))
        self.key, self.sums, self.drawn = mixing.key_of(seed, number), {}, 0
        self.sign = -1 if self.key >= 2 ** 31 else 1
        self.writes, self.weight_writes, self.prediction = [], [], None
        self.steps = self.operations = self.clipped = self.signature = 0
        self.block(program.ops)
        return self

    def block(self, ops):
        """Run operations; returns the largest move."""
        most = 0
        for op in ops:
            moved = self.handlers[type(op)](self, op)
            if isinstance(op, Update | Sample) or isinstance(op, Relax) and op.settled is None:
                most = max(most, moved)
        return most

    def write(self, vector, values):
        low, high = self.limits(*vector)
        kept = [clip(v, low, high) for v in values]
        key = mixing.key_of(self.key, self.operations * 256 + self.numbers[vector])
        self.signature += sum(mixing.element(key, i, v) for i, v in enumerate(kept))
        self.signature %= 2 ** 32
        self.clipped += sum(a != b for a, b in zip(kept, values, strict=True))
        self.operations += 1
        self.writes.append((vector, kept))
        moved = max(abs(a - b) for a, b in zip(kept, self.vectors[vector], strict=True))
        self.vectors[vector] = kept
        if vector[1] == "state" and self.soft(vector[0]):
            self.write((vector[0], "rate"), [self.table("logistic", u) for u in kept])
        return moved

    def draw(self, size):
        key = mixing.key_of(self.key, self.drawn * 256 + 255)
        self.drawn += 1
        words = []
        for unit in range(size):
            column = mixing.key_of(key, 65536 + unit)
            words.append(mixing.cross(key // 65536, key % 65536, column // 65536,
                                      column % 65536))
        return words

    def project(self, op):
        p = self.network.projection(op.projection)
        matrix = self.weights[p.matrix]
        rates = [r // 2 ** op.shift for r in self.read((p.source, "rate"))]
        size = self.network.population(p.target).size
        start = self.sums[p.target, op.start] if op.start else [0] * size
        self.sums[p.target, op.into] = [
            start[j] + p.sign * sum(r * (matrix[j][i] if p.transpose else matrix[i][j])
                                    for i, r in enumerate(rates)) for j in range(size)]

    def update(self, op):
        one, unit = 2 ** self.state.frac, 2 ** self.weight.frac
        u = self.vectors[op.population, op.slot]
        force = list(self.sums[op.population, op.current])
        if op.held:
            force = [f - c * unit for f, c in zip(force, self.vectors[op.population, op.held])]
        if op.gate and op.leak and self.soft(op.population):
            currents = [self.sat(half_up(f, self.weight.frac)) for f in force]
            force = [half_up(self.table("slope", x) * a, self.state.frac) * unit
                     for x, a in zip(u, currents)]
        if op.leak:
            force = [f - x * unit for f, x in zip(force, u)]
        if op.nudge:
            sign = op.nudge.sign * (self.sign if op.nudge.random_sign else 1)
            pulled = self.read((op.population, "rate")) if op.nudge.of_rate else u
            force = [f + sign * (d - x) * unit // 2 ** op.nudge.shift for f, x, d in zip(
                force, pulled, self.vectors[op.nudge.target, "state"])]
        values = [half_up(f, self.weight.frac + op.shift) for f in force]
        if op.leak:
            values = [x + v for x, v in zip(u, values)]
        if op.noise:
            strength = op.noise * math.sqrt(2 / 2 ** op.shift) * one * 1024
            m = math.floor(strength / math.sqrt(4 * (256 ** 2 - 1) / 12) + 0.5)
            for i, (x, y) in enumerate(self.draw(len(u))):
                four = x // 256 + x % 256 + y // 256 + y % 256
                values[i] += half_up(m * (four - 510), 10)
        return self.write((op.population, op.slot), values)

    def sample(self, op):
        fields = [self.sat(half_up(a, self.weight.frac))
                  for a in self.sums[op.population, op.current]]
        if op.mode == "threshold":
            values = [self.one if z > 0 else 0 for z in fields]
        else:
            values = [self.table("logistic", z) for z in fields]
        if op.mode == "sample":
            values = [self.one if y * 2 ** self.state.frac // 65536 < p else 0
                      for p, (_, y) in zip(values, self.draw(len(values)))]
        return self.write((op.population, "state"), values)

    def flowrate(self, op):
        values = []
        for s, a in zip(self.vectors[op.population, "state"],
                        self.sums[op.population, op.current]):
            sign = 1 if s == self.one else -1
            e = self.sat(half_up(-sign * a, self.weight.frac + 1))
            six = 6 * 2 ** self.state.frac
            values.append(sign * self.table("half", clip(e, -six, six)))
        self.write((op.population, op.into), values)

    def residual(self, op):
        unit = 2 ** self.weight.frac // 2 ** op.share
        self.write((op.population, op.into), [
            -half_up(a - u * unit, self.weight.frac) for a, u in zip(
                self.sums[op.population, op.current], self.vectors[op.population, "state"])])

    def clear(self, op):
        self.write((op.population, op.slot), [0] * len(self.vectors[op.population, op.slot]))

    def snapshot(self, op):
        self.write((op.population, op.into), self.read((op.population, op.source)))

    def difference(self, op):
        a, b = (self.read(pair) for pair in op.operands)
        self.write((op.population, op.into), [x - y for x, y in zip(a, b, strict=True)])

    def decide(self, op):
        values = self.vectors[op.population, "state"]
        self.prediction = values.index(max(values))

    def reseed(self, op):
        self.drawn = op.count

    def relax(self, op):
        most = 0
        for _ in range(op.steps):
            moved = self.block(op.body)
            self.steps += 1
            most = max(most, moved)
            if op.settled is not None and moved <= math.floor(op.settled * 2 ** self.state.frac):
                break
        return most

    def learn(self, op):
        m = self.rates[op.matrix] * (self.sign if op.by_sign else 1)
        scaled = []
        for i, term in enumerate(op.terms):
            self.write((term.cols[0], f"scaled{i}"), [half_up(m * v, 10)
                                                      for v in self.read(term.cols)])
        scaled = [self.vectors[t.cols[0], f"scaled{i}"] for i, t in enumerate(op.terms)]
        rows = [self.read(term.rows) for term in op.terms]
        names = [matrix.name for matrix in self.network.matrices]
        key = mixing.key_of(self.key, self.operations * 256 + 128 + names.index(op.matrix))
        self.operations += 1
        for i, row in enumerate(self.weights[op.matrix]):
            for j, old in enumerate(row):
                pairs = [(r[i], v[j], t.sign) for t, r, v in zip(op.terms, rows, scaled)]
                if not any(r and v for r, v, _ in pairs):
                    continue
                x, y = mixing.weight(key, i, j)
                total = sum(s * r * v for r, v, s in pairs)
                wanted = old + (total + mixing.addend(y, self.drop)) // 2 ** self.drop
                row[j] = clip(wanted, self.weight.min, self.weight.max)
                self.clipped += row[j] != wanted
                self.signature = (self.signature + mixing.written(x, y, row[j])) % 2 ** 32
                self.weight_writes.append((op.matrix, i, j, row[j]))

    #: What runs each operation.
    handlers = {Project: project, Update: update, Sample: sample, FlowRate: flowrate,
                Residual: residual, Clear: clear, Snapshot: snapshot, Difference: difference,
                Decide: decide, Reseed: reseed, Relax: relax, Learn: learn}


def into(op):
    return (op.population, op.into),


#: Slots that each operation names, in the order that numbers them.
NAMED = {Project: lambda op: (), Decide: lambda op: (), Reseed: lambda op: (),
         Relax: lambda op: (), Sample: lambda op: (), FlowRate: into, Residual: into,
         Clear: lambda op: ((op.population, op.slot),),
         Update: lambda op: ((op.population, op.slot),
                             *(((op.population, op.held),) if op.held else ())),
         Snapshot: lambda op: (*into(op), (op.population, op.source)),
         Difference: lambda op: (*into(op), *op.operands),
         Learn: lambda op: tuple(pair for t in op.terms for pair in (t.rows, t.cols))}
