"""Loops that run by changes: sums follow the states they were made of.

A relaxation step projects all rates anew, though few units have changed.  Sums are exact integers,
so a sum that is kept and takes what changed, ``W (r' - r)``, is the same number.  In such a loop

* each `Update` puts its changes into the queue (:mod:`apical.hw.engine.changes`), and the
  projection of its population takes them from there: no state is read again, and projections and
  updates run side by side;
* a sum for which there are no weights in the direction of the queue is made anew at the end of
  the body;
* the sums are complete when the loop begins: they are projected before it, or known to be there.

Nothing that is written differs from what the program says: an unchanged state is written (and
counted and signed) as any other, and accumulators are no writes.  So executors know nothing of it.
"""

from __future__ import annotations

from dataclasses import dataclass

from ...golden.numbers.bounds import state_limits
from ...golden.program import STATE, Clear, Project, Update, stored_rates, walk
from ..interface.isa import WORD
from .order import sunk


@dataclass(frozen=True)
class Followed:
    """A loop that runs by changes.

    Attributes
    ----------
    sums : dict of (population, name) to list of Project
        The sums of the body and what makes them, in order.
    anew : list of Project
        Those of sums that are made anew in each step.
    updates : list of Update
    consumers : list of Project or None
        For each update the projection that takes its changes.
    """

    sums: dict
    anew: list
    updates: list
    consumers: list


def followed_loops(network, program, config, broadcasts) -> dict:
    """Loops of a program that can run by changes, by their place in it: dict of int to `Followed`.

    Parameters
    ----------
    broadcasts : callable
        Whether there are, or can be, weights for the broadcast direction of a projection.
    """
    found = {}
    for place, op in enumerate(program.ops):
        loop = op.loop()
        if loop is not None and config.change_depth and loop[0] > 1:
            plan = _plan(network, program, place, loop[1], config, broadcasts)
            if plan is not None:
                found[place] = plan
    return found


def _plan(network, program, place, body, config, broadcasts):
    projects = [op for op in body if isinstance(op, Project)]
    updates = {op.population: op for op in body if isinstance(op, Update) and op.slot == STATE}
    if list(body) != [*projects, *updates.values()]:
        return None
    sums, takers = {}, {}
    for op in projects:
        projection = network.projection(op.projection)
        made = sums.setdefault((projection.target, op.into), [])
        if made and op.start != op.into or not made and op.start == op.into:
            return None
        made.append(op)
        takers.setdefault(projection.source, []).append(op)
    starts = {(target, op.start) for (target, _), made in sums.items() for op in made[:1]}
    if starts & set(sums) or not all(_stays(network, program, place, pair) for pair in sums):
        return None

    def follows(op):
        """Whether a projection adds nothing to its sum, or can take what its source changes."""
        projection = network.projection(op.projection)
        name = projection.source
        return name not in updates or (
            len(takers[name]) == 1 and plain(network, updates[name])
            and _in_range(network, program, name, config) and broadcasts(projection))

    anew = [op for made in sums.values() if not all(map(follows, made)) for op in made]
    consumers = [next((op for op in takers.get(name, ()) if op not in anew), None)
                 for name in updates]
    chunks = sum(chunks_of(network.population(name).size, config)
                 for name, op in zip(updates, consumers, strict=True) if op is not None)
    if not any(consumers) or chunks > config.change_depth:
        return None
    return Followed(sums, anew, list(updates.values()), consumers)


def plain(network, op):
    """Whether an update is one instruction that moves several units a cycle."""
    return (op.slot == STATE and not op.noise and op.population not in stored_rates(network)
            and (op.nudge is None or not op.nudge.of_rate))


def _in_range(network, program, name, config):
    """Whether every change of a state is a 16-bit value."""
    low, high = state_limits(network.population(name), config.state)
    writers = [op for op in walk(program.ops) if (name, STATE) in op.writes()]
    return high - low < 1 << WORD - 1 and all(
        isinstance(op, Clear) or isinstance(op, Update) and op.slot == STATE for op in writers)


def _stays(network, program, place, pair):
    """Whether nobody reads a sum after the loop: it belongs to states that are newer by a step."""
    for op in walk(program.ops[place + 1:]):
        for one in op.sums():
            target = network.projection(one.projection).target
            if (target, one.start) == pair:
                return False
            if (target, one.into) == pair:
                return True
        if pair in op.currents():
            return False
    return True


def chunks_of(size, config) -> int:
    """Chunks of Q units in which a population of that size is walked."""
    whole, rest = divmod(size, config.width)
    most = -(-config.lanes // config.update_lanes)
    return whole * most + min(most, -(-rest // config.update_lanes))


def laid_out(network, ops, loops) -> list:
    """(place, operation) in the order of the instructions.

    Before a loop by changes come the projections that its sums begin with, where these are not
    known to be there.
    """
    known, steps = KnownSums(network), []
    for place, op in sunk(network, ops):
        plan = loops.get(place)
        if plan is None:
            steps.append((place, op))
            known.follow(op)
            continue
        for pair, made in plan.sums.items():
            if known.made_by(pair, made) != known.sums.get(pair):
                steps += [(None, one) for one in made]
        steps.append((place, op))
        for one in plan.updates:
            known.forget(one)
        for pair, made in plan.sums.items():
            known.sums[pair] = known.made_by(pair, made)
    return steps


def direct_consumers(network, config, steps, broadcasts) -> dict:
    """Updates outside of loops whose values one projection takes from the queue, as they come.

    Returns
    -------
    dict of int to int
        Numbers of steps: of the update, of the projection.
    """
    found = {}
    for number, (_, op) in enumerate(steps):
        if not config.change_depth or not isinstance(op, Update) or not plain(network, op):
            continue
        waiting = [first for first, last in found.items() if last > number]
        chunks = sum(chunks_of(network.population(steps[i][1].population).size, config)
                     for i in (*waiting, number))
        for following, (_, other) in enumerate(steps[number + 1:], number + 1):
            if isinstance(other, Project):
                projection = network.projection(other.projection)
                if projection.source == op.population:
                    # First in, first out.
                    if (chunks <= config.change_depth and broadcasts(projection)
                            and all(last < following for last in found.values())):
                        found[number] = following
                    break
            elif not isinstance(other, Update) or other.population == op.population:
                break
    return found


class KnownSums:
    """What accumulators hold, as far as a walk along a program can tell."""

    def __init__(self, network):
        self.network, self.sums = network, {}

    def made_by(self, pair, projects):
        """What a list of projections into one sum would leave there."""
        found = None
        for op in projects:
            found = self._after(op, found if op.start == pair[1] and found is not None else None)
        return found

    def _after(self, op, begun=None):
        if begun is None:
            target = self.network.projection(op.projection).target
            begun = () if op.start is None else self.sums.get((target, op.start), (object(),))
        return (*begun, (op.projection, op.shift))

    def follow(self, op):
        """Take note of an operation of the program outside of loops by changes."""
        inner = list(walk((op,)))
        for one in inner:
            for project in one.sums():
                pair = self.network.projection(project.projection).target, project.into
                if op.loop() is None:
                    self.sums[pair] = self._after(project)
                else:
                    self.sums.pop(pair, None)
            self.forget(one)

    def forget(self, op):
        """Sums of states and weights that an operation changes."""
        populations = {name for name, slot in op.writes() if slot == STATE}
        matrices = {learn.matrix for learn in op.learns()}
        for pair, made in list(self.sums.items()):
            used = [self.network.projection(part[0]) for part in made if isinstance(part, tuple)]
            if any(p.source in populations or p.matrix in matrices for p in used):
                del self.sums[pair]
