"""Random programs: every operation the units of an engine can do, in any order that makes sense."""

from __future__ import annotations

from dataclasses import replace

from ...golden.program import (
    RATE,
    STATE,
    Clear,
    Decide,
    Difference,
    FlowRate,
    Learn,
    Nudge,
    Outer,
    Project,
    Relax,
    Reseed,
    Residual,
    Sample,
    Snapshot,
    Update,
)

#: Slots of snapshots, differences, errors and held currents.
SLOTS = ("a", "b", "c")


class Programs:
    """Draws the operations of one program.

    Parameters
    ----------
    draw : apical.sim.random.case.Draw
    network : Network
    state, weight : Format
    units : dict of str to bool
        Optional units of the engine: ``learning``, ``smooth``, ``noise``.
    """

    def __init__(self, draw, network, state, weight, units):
        self.draw, self.network, self.state, self.weight = draw, network, state, weight
        self.learning, self.smooth, self.noise = (units.get(name, False) for name in (
            "learning", "smooth", "noise"))
        #: Accumulators that are filled; vectors beside states that are written.
        self.filled, self.slots = set(), set()
        #: Inside a loop until settled, where nothing may be drawn.
        self.settling = False

    def ops(self) -> list:
        """A whole program: all states begin at 0, one population decides."""
        draw, ops = self.draw, []
        for population in self.network.free:
            ops += [Clear(population.name)]
        for population in self.network.free:
            ops += self._currents(population.name, "drive")
        for population in self.network.free:
            if draw.chance(0.5):
                ops += self._currents(population.name, "current")
                ops.append(self._update(population, leak=False))
        for population in self.network.free:
            if draw.chance(0.4):
                ops.append(Snapshot(population.name, "a"))
                self.slots.add((population.name, "a"))
        ops += self._block(2 + draw.below(5), depth=0)
        if self.learning:
            ops += [op for _ in range(1 + draw.below(3)) for op in self._learn()]
        held = [p.name for p in self.network.populations if not p.constant]
        ops.append(Decide(draw.choice(held)))
        return ops

    def _currents(self, name, into):
        """A chain of projections into one accumulator, in any order."""
        draw, into_it = self.draw, list(self.network.into(name))
        draw.rng.shuffle(into_it)
        starts = [None, *sorted(slot for n, slot in self.filled if n == name and slot != into)]
        start, ops = draw.choice(starts), []
        for projection in into_it[:1 + draw.below(len(into_it))]:
            constant = self.network.population(projection.source).constant
            shift = draw.below(min(3, self.state.frac + 1)) if constant else 0
            ops.append(Project(projection.name, into, start, shift))
            start = into
        self.filled.add((name, into))
        return ops

    def _current(self, name):
        return self.draw.choice(sorted(slot for n, slot in self.filled if n == name))

    def _held(self, name):
        """A slot of the population that was written, or None."""
        slots = sorted(slot for n, slot in self.slots if n == name)
        return self.draw.choice(slots) if slots else None

    def _update(self, population, leak):
        draw, name = self.draw, population.name
        nudge, held, noise = None, None, 0.0
        target = f"d{name}"
        if leak and draw.chance(0.6) and any(p.name == target for p in self.network.populations):
            nudge = Nudge(target, draw.below(min(4, self.weight.frac + 1)), draw.choice([1, -1]),
                          self.learning and draw.chance(0.5),
                          self.smooth and draw.chance(0.3))
        elif self.smooth and draw.chance(0.3):
            held = self._held(name)
        if self.noise and not self.settling and draw.chance(0.25):
            noise = float(draw.choice([0.001, 0.02, 0.1]))
        return Update(name, self._current(name), draw.below(8) - 1, leak,
                      gate=draw.chance(0.7), nudge=nudge, held=held, noise=noise)

    def _block(self, count, depth):
        ops, kinds = [], ["loop", "loop", "relax", "relax", "relax", "copy", "move", "steps"]
        kinds += ["learn"] if self.learning else []
        kinds += ["extra", "extra"] if self.learning or self.smooth or self.noise else []
        for _ in range(count):
            ops += getattr(self, f"_{self.draw.choice(kinds)}")(depth)
        return ops or [Clear(self.network.free[0].name)]

    def _loop(self, depth):
        draw = self.draw
        if depth >= 3:
            return []
        settled = draw.choice([None, None, 0.0, 0.05, 0.5])
        before, self.settling = self.settling, self.settling or settled is not None
        body = self._block(1 + draw.below(3), depth + 1)
        if settled is not None and any(op.loop() for op in body):
            settled = None
        self.settling = before
        return [Relax(1 + draw.below(4), tuple(body), settled)]

    def _relax(self, depth):
        draw = self.draw
        chosen = ([p for p in self.network.free if draw.chance(0.7)]
                  or [draw.choice(self.network.free)])
        ops = []
        for one in chosen:
            ops += self._currents(one.name, draw.choice(["current", "current", "extra"]))
        return ops + [self._update(one, draw.chance(0.8)) for one in chosen]

    def _steps(self, depth):
        """A loop of projections and updates that engines may run by changes."""
        draw, used, ops, updates = self.draw, set(), [], []
        for one in self.network.free:
            start, into_it = draw.choice([None, "drive"]), list(self.network.into(one.name))
            draw.rng.shuffle(into_it)
            for projection in into_it:
                if projection.source in used and draw.chance(0.9) or draw.chance(0.2):
                    continue
                used.add(projection.source)
                ops.append(Project(projection.name, "step", start))
                start = "step"
            if start == "step":
                updates.append(replace(self._update(one, draw.chance(0.8)), current="step",
                                       noise=0.0))
        steps = 1 + draw.below(5)
        settled = draw.choice([None, None, 0.05]) if not self.settling else None
        return [Relax(steps, (*ops, *updates), settled)] if updates and depth < 3 else []

    def _copy(self, depth):
        source = self.draw.choice([p for p in self.network.populations if not p.constant])
        slot = self.draw.choice(["a", "b"])
        self.slots.add((source.name, slot))
        return [Snapshot(source.name, slot)]

    def _move(self, depth):
        draw = self.draw
        if not self.slots:
            return []
        name, slot = draw.choice(sorted(self.slots))
        free = not self.network.population(name).fixed_rate
        into = draw.choice(["a", "c", STATE] if free else ["a", "c"])
        op = draw.choice([Difference(name, into, STATE, slot), Difference(name, into, slot, STATE),
                          Snapshot(name, into, slot), Clear(name, slot)])
        self.slots.update(pair for pair in op.writes() if pair[1] != STATE)
        return [op]

    def _extra(self, depth):
        """What only some engines have a unit for."""
        draw, population = self.draw, self.draw.choice(self.network.free)
        name, slot, ops = population.name, self.draw.choice(SLOTS), []
        kinds = ["residual"] if self.smooth or self.learning else []
        kinds += ["flow", "mean", "threshold", "slot"] if self.smooth else []
        kinds += ["sample", "sample"] if self.smooth and self.noise and not self.settling else []
        kinds += ["reseed"] if self.noise and not self.settling else []
        kind = draw.choice(kinds or ["reseed"])
        if kind == "reseed":
            return [Reseed(draw.below(3))] if self.noise else []
        ops += self._currents(name, "current") if draw.chance(0.5) else []
        current = self._current(name)
        if kind == "residual":
            ops.append(Residual(name, slot, current, draw.below(min(3, self.weight.frac) + 1)))
        elif kind == "flow":
            ops.append(FlowRate(name, slot, current))
        elif kind == "slot":
            if (name, slot) not in self.slots:
                ops.append(Clear(name, slot))
            ops.append(Update(name, current, draw.below(8) - 1, gate=False, slot=slot))
        else:
            return [*ops, Sample(name, current, kind)]
        self.slots.add((name, slot))
        return ops

    def _readable(self, size, constant):
        """Vectors of a size that may be a factor of a weight update."""
        found = [(p.name, STATE) for p in self.network.populations
                 if p.size == size and (constant or not p.constant)]
        found += [(p.name, RATE) for p in self.network.free if p.size == size]
        return found + sorted((name, slot) for name, slot in self.slots
                              if self.network.population(name).size == size)

    def _learn(self, depth=0):
        """A weight update of one or two terms; engines refuse some of them."""
        draw = self.draw
        matrix, terms = draw.choice(self.network.matrices), []
        for _ in range(draw.choice([1, 1, 2])):
            sides = self._readable(matrix.rows, True), self._readable(matrix.cols, False)
            if not all(sides):
                return []
            terms.append(Outer(*map(draw.choice, sides), draw.choice([1, 1, -1])))
        return [Learn(matrix.name, tuple(terms), draw.chance(0.5))]
