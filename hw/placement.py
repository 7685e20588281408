"""Where a network and a program lie in the memories of an engine.

Chooses the orientation of each matrix, gives every vector, accumulator and matrix its words, and
says in words what does not fit.
"""

from __future__ import annotations

from dataclasses import dataclass

from ..golden.bounds import accumulator_bounds, bits_for, force_bound
from ..golden.errors import DoesNotFitError, MisuseError
from ..golden.fixed_learning import check_learning, factor
from ..golden.network import Network
from ..golden.program import (
    STATE,
    Clear,
    Decide,
    Difference,
    Learn,
    Program,
    Project,
    Relax,
    Residual,
    Snapshot,
    Update,
    accumulators,
    describe,
    vectors,
    walk,
    written_vector,
)
from .config import EngineConfig
from .isa import CONTROL, VECTOR, Kind

#: Share of non-zero rates assumed where none was measured.
DEFAULT_DENSITY = 0.25


def blocks_of(size: int, lanes: int) -> int:
    """Words of `lanes` values that hold `size` values."""
    return -(-size // lanes)


def tail_of(size: int, lanes: int) -> int:
    """Values in the last of those words."""
    return size - (blocks_of(size, lanes) - 1) * lanes


@dataclass(frozen=True)
class Words:
    """A run of words of P values.

    Attributes
    ----------
    base, blocks : int
        First word and number of words.
    tail : int
        Values in the last word.
    """

    base: int
    blocks: int
    tail: int


@dataclass(frozen=True)
class VectorPlace(Words):
    """A state vector: in state memory, or as events (then `base` counts events)."""

    kind: Kind = Kind.STATE
    banked: bool = False
    size: int = 0
    number: int = 0


@dataclass(frozen=True)
class MatrixPlace(Words):
    """A matrix in weight memory.

    Word ``base + b * rows + i`` holds the weights from (or to) scalar unit ``i`` and the lane-side
    units of block ``b``; `blocks` and `tail` describe the lane side.

    Attributes
    ----------
    lanes_are_cols : bool
        Whether the lane side is the columns (targets of the untransposed use).
    rows : int
        Size of the scalar side.
    """

    lanes_are_cols: bool = True
    rows: int = 0


@dataclass(frozen=True)
class Placement:
    """Everything placed.

    Attributes
    ----------
    vectors : dict of (population, slot) to VectorPlace
    accumulators : dict of (population, name) to Words
    matrices : dict of str to MatrixPlace
    used : dict of str to int
        Words (events) used of each memory depth of the configuration.
    """

    vectors: dict
    accumulators: dict
    matrices: dict
    used: dict


def trips(ops, factor=1):
    """(operation, how often it runs at most) for all operations but loops."""
    for op in ops:
        if isinstance(op, Relax):
            yield from trips(op.body, factor * op.steps)
        else:
            yield op, factor


def projection_cycles(network, projection, lanes_are_cols, lanes, density) -> float:
    """Issue cycles of one use of a projection, by arithmetic (see `Project`)."""
    source, target = network.population(projection.source), network.population(projection.target)
    if lanes_are_cols != projection.transpose:
        share = 1.0 if source.constant else density.get(source.name, DEFAULT_DENSITY)
        return blocks_of(target.size, lanes) * max(1.0, share * source.size)
    return blocks_of(source.size, lanes) * target.size


def update_cycles(network, op, lanes_are_cols, lanes, density) -> float:
    """Issue cycles of one weight update, by arithmetic (see `Learn`)."""
    found = 0.0
    for term in op.terms:
        sides = (term.rows, term.cols) if lanes_are_cols else (term.cols, term.rows)
        scalar, lane = (network.population(name) for name, _ in sides)
        share = 1.0
        if len(op.terms) == 1 and not scalar.constant:
            share = density.get(scalar.name, DEFAULT_DENSITY)
        found += blocks_of(lane.size, lanes) * (max(1.0, share * scalar.size) + lanes)
    return found


def matrix_words(matrix, lanes_are_cols, lanes) -> int:
    """Words a matrix takes in one orientation."""
    side, other = (matrix.cols, matrix.rows) if lanes_are_cols else (matrix.rows, matrix.cols)
    return blocks_of(side, lanes) * other


def choose_orientations(network: Network, program: Program, config: EngineConfig, density=None):
    """Orientation of each matrix with the fewest expected cycles that fits weight memory.

    Parameters
    ----------
    density : dict of str to float, optional
        Share of non-zero rates by population; `DEFAULT_DENSITY` where missing.

    Returns
    -------
    dict of str to bool
        Whether the lane side is the columns.
    """
    density = density or {}
    cycles = {m.name: {True: 0.0, False: 0.0} for m in network.matrices}
    for op, times in trips(program.ops):
        if isinstance(op, Project):
            projection = network.projection(op.projection)
            for side in (True, False):
                cycles[projection.matrix][side] += times * projection_cycles(
                    network, projection, side, config.lanes, density)
        elif isinstance(op, Learn):
            for side in (True, False):
                cycles[op.matrix][side] += times * update_cycles(network, op, side, config.lanes,
                                                                 density)
    words = {m.name: {side: matrix_words(m, side, config.lanes) for side in (True, False)}
             for m in network.matrices}
    fixed = _broadcast_only(network, program)
    chosen = {}
    for name, cost in cycles.items():
        chosen[name] = fixed.get(
            name, (cost[True], words[name][True]) <= (cost[False], words[name][False]))
    # Turn matrices round while they do not fit, the cheapest cycles per word saved first.
    while sum(words[name][side] for name, side in chosen.items()) > config.weight_depth:
        savings = {name: words[name][side] - words[name][not side] for name, side in chosen.items()}
        better = [name for name, saved in savings.items() if saved > 0 and name not in fixed]
        if not better:
            break
        turn = min(better, key=lambda n: (cycles[n][not chosen[n]] - cycles[n][chosen[n]])
                   / savings[n])
        chosen[turn] = not chosen[turn]
    return chosen


def _broadcast_only(network, program):
    """Orientation of matrices that have none to choose.

    The constant 1, which lies in no memory, is their source; or a clamped population is a factor of
    their update.
    """
    fixed = {p.matrix: not p.transpose for p in _from_constant(network, program)}
    for op in walk(program.ops):
        if isinstance(op, Learn):
            # The constant and what lies in banks can only be on the scalar side.
            for side in (True, False):
                if any(network.population(name).fixed_rate and slot == STATE
                       for name, slot in (factor(t.rows if side else t.cols) for t in op.terms)):
                    fixed.setdefault(op.matrix, side)
    return fixed


def _from_constant(network, program):
    uses = (network.projection(op.projection) for op in walk(program.ops)
            if isinstance(op, Project))
    return [p for p in uses if network.population(p.source).constant]


def _needs_words(network, program, orientation):
    """Clamped populations that must lie in state memory as words, not as events."""
    needed = set()
    for op in walk(program.ops):
        if isinstance(op, Project):
            projection = network.projection(op.projection)
            if orientation[projection.matrix] == projection.transpose:
                needed.add(projection.source)
        elif isinstance(op, Update) and op.nudge is not None:
            needed.add(op.nudge.target)
        elif isinstance(op, Difference):
            needed.update(name for name, _ in op.operands)
        elif isinstance(op, Learn):
            # Scaled factors are read by units; two scalar sides are walked together.
            needed.update(name for t in op.terms for name, slot in (t.cols,) if slot == STATE)
            if len(op.terms) > 1:
                needed.update(name for t in op.terms for name, slot in (t.rows,) if slot == STATE)
        elif isinstance(op, Snapshot | Clear | Decide | Residual):
            needed.add(op.population)
    return needed


def place(network: Network, program: Program, config: EngineConfig, density=None) -> Placement:
    """Place a network and a program.

    Raises
    ------
    DoesNotFitError
        With every reason found.
    """
    program.check(network)
    reasons = _unsupported(network, program, config)
    orientation = choose_orientations(network, program, config, density)
    matrices, weight_words = {}, 0
    used_matrices = {network.projection(op.projection).matrix if isinstance(op, Project)
                     else op.matrix for op in walk(program.ops) if isinstance(op, Project | Learn)}
    for matrix in network.matrices:
        if matrix.name not in used_matrices:
            continue
        cols = orientation[matrix.name]
        side, other = (matrix.cols, matrix.rows) if cols else (matrix.rows, matrix.cols)
        blocks = blocks_of(side, config.lanes)
        matrices[matrix.name] = MatrixPlace(weight_words, blocks, tail_of(side, config.lanes),
                                            cols, other)
        weight_words += blocks * other
    places, state_words, events = _place_vectors(network, program, config, orientation)
    sums, sum_words = {}, 0
    for name, slot in accumulators(network, program):
        size = network.population(name).size
        blocks = blocks_of(size, config.lanes)
        sums[name, slot] = Words(sum_words, blocks, tail_of(size, config.lanes))
        sum_words += blocks
    used = {"weight_depth": weight_words, "state_depth": state_words,
            "accumulator_depth": sum_words, "event_depth": events}
    reasons += _too_deep(config, used)
    if reasons:
        raise DoesNotFitError(f"network '{network.name}' does not fit the engine", reasons)
    return Placement(places, sums, matrices, used)


def _place_vectors(network, program, config, orientation):
    in_words = _needs_words(network, program, orientation)
    read = set(program.inputs(network))
    places, words, events = {}, 0, 0
    for number, (name, slot) in enumerate(vectors(network, program)):
        population = network.population(name)
        blocks = blocks_of(population.size, config.lanes)
        tail = tail_of(population.size, config.lanes)
        if population.constant or (population.clamped and slot == STATE and name not in read):
            continue
        clamped = population.clamped and slot == STATE
        if clamped and name not in in_words:
            places[name, slot] = VectorPlace(events, blocks, tail, Kind.EVENT, True,
                                             population.size, number)
            events += population.size
        else:
            places[name, slot] = VectorPlace(words, blocks, tail, Kind.STATE, clamped,
                                             population.size, number)
            words += blocks * (config.input_banks if clamped else 1)
    return places, words, events


def _unsupported(network, program, config):
    reasons = []
    for op in walk(program.ops):
        if isinstance(op, Update) and op.nudge is not None:
            if op.nudge.shift > config.weight.frac:
                reasons.append(f"{describe(op)}: nudge shift {op.nudge.shift} is more than the "
                               f"{config.weight.frac} fraction bits of the weights")
            if op.nudge.random_sign and not config.learning:
                reasons.append(f"{describe(op)}: a random sign of beta needs the learning unit, "
                               "which this engine has not")
            if op.nudge.of_rate:
                reasons.append(f"{describe(op)}: a nudge of rates needs the table unit, which this "
                               "engine has not")
        if isinstance(op, Update) and (op.slot != STATE or op.held is not None or op.noise):
            reasons.append(f"{describe(op)}: held currents and noise need units that this engine "
                           "has not")
        if isinstance(op, Learn):
            reasons += _cannot_learn(network, op, config)
        elif not isinstance(op, Project | Update | Clear | Snapshot | Difference | Decide | Relax
                            | Residual):
            reasons.append(f"{describe(op)}: this engine has no unit for it")
    for projection in _from_constant(network, program):
        if _broadcast_only(network, program)[projection.matrix] == projection.transpose:
            reasons.append(f"matrix '{projection.matrix}' is used from the constant both as it is "
                           "and transposed: use two matrices")
    try:
        check_learning(network, program, config.state, config.update_frac)
    except MisuseError as error:
        reasons.append(str(error))
    reasons += _unread(network, program) + _uncountable(network, program, config)
    for population in network.populations:
        if population.rate == "logistic":
            reasons.append(f"population '{population.name}' has a logistic rate, which needs the "
                           "table unit, which this engine has not")
    try:
        bounds = accumulator_bounds(network, program, config.state, config.weight)
    except MisuseError as error:
        return [*reasons, str(error)]
    force = force_bound(Update(""), 0, config.state, config.weight)
    for (name, slot), bound in bounds.items():
        # The force of an update adds the leak and the nudge; it has two bits more in the engine.
        if bits_for(bound) > config.accumulator_width:
            reasons.append(f"accumulator '{slot}' of '{name}' needs {bits_for(bound)} bits, the "
                           f"engine has {config.accumulator_width}: raise --accumulator-width or "
                           "use fewer weight or state bits")
        elif bits_for(bound + 3 * force) > config.accumulator_width + 2:
            reasons.append(f"the force on '{name}' needs {bits_for(bound + 3 * force) - 2} "
                           f"accumulator bits, the engine has {config.accumulator_width}")
    return reasons


def _cannot_learn(network, op, config):
    """Why an engine cannot make a weight update."""
    if not config.learning:
        return [f"{describe(op)}: a weight update needs the learning unit, which this engine has "
                "not"]
    if len(op.terms) > 2:
        return [f"{describe(op)}: {len(op.terms)} terms, the engine adds up 2 at most"]
    reasons, scalars = [], [factor(t.rows) for t in op.terms]
    if len({network.population(name).constant for name, _ in scalars}) > 1:
        reasons.append(f"{describe(op)}: one term has the constant as factor, the other has not")
    if any(network.population(factor(t.cols)[0]).constant for t in op.terms):
        reasons.append(f"{describe(op)}: the constant can be a factor of rows only")
    clamped = [(name, slot) for name, slot in scalars
               if network.population(name).clamped and slot == STATE]
    if len(op.terms) > 1 and len(clamped) > 1:
        reasons.append(f"{describe(op)}: both terms have a clamped population as factor of rows")
    if any(network.population(name).clamped and slot == STATE
           for name, slot in (factor(t.cols) for t in op.terms)) and clamped:
        reasons.append(f"{describe(op)}: clamped populations on both sides")
    return reasons


def _vectors_read(op):
    """Vectors that an operation of the engine reads, but rates of projections."""
    state = getattr(op, "population", None), STATE
    if isinstance(op, Update):
        return ([state] if op.leak or op.nudge is not None else []) + (
            [(op.nudge.target, STATE)] if op.nudge is not None else [])
    if isinstance(op, Snapshot):
        return [(op.population, op.source)]
    if isinstance(op, Difference):
        return list(op.operands)
    if isinstance(op, Learn):
        return [factor(pair) for t in op.terms for pair in (t.rows, t.cols)]
    return [state] if isinstance(op, Decide | Residual) else []


def _unread(network, program):
    """Vectors read before anything is written to them: the engine keeps what was there."""
    written, reasons = {(p.name, STATE) for p in network.populations if p.fixed_rate}, []

    def scan(ops):
        for op in ops:
            if isinstance(op, Relax):
                scan(op.body if op.steps else ())
                continue
            read = _vectors_read(op)
            for name, _ in read:
                if network.population(name).constant and not isinstance(op, Learn):
                    reasons.append(f"{describe(op)}: the constant '{name}' lies in no memory")
            if isinstance(op, Project):
                read = [(network.projection(op.projection).source, STATE)]
            for name, slot in read:
                if (name, slot) not in written:
                    what = "states" if slot == STATE else f"slot '{slot}'"
                    reasons.append(f"{describe(op)}: {what} of '{name}' are read before the "
                                   "program writes them, and an engine keeps what was there; "
                                   "begin with a sweep or Clear")
                    written.add((name, slot))
            target = written_vector(op)
            if target is not None:
                if network.population(target[0]).constant:
                    reasons.append(f"{describe(op)}: the constant '{target[0]}' lies in no memory")
                written.add(target)

    scan(program.ops)
    return reasons


def _uncountable(network, program, config):
    """Counts that the encoding and the counters of the engine do not hold."""
    reasons = []
    for name in sorted({name for name, _ in vectors(network, program)}):
        blocks = blocks_of(network.population(name).size, config.lanes)
        if blocks >= 1 << VECTOR.fields["blocks"].width:
            reasons.append(f"population '{name}' takes {blocks} words of {config.lanes}, the "
                           f"engine counts to {(1 << VECTOR.fields['blocks'].width) - 1}: use "
                           "more lanes")
    number = len(vectors(network, program))
    if number > 1 << VECTOR.fields["number"].width:
        reasons.append(f"the program has {number} state vectors, the engine numbers "
                       f"{1 << VECTOR.fields['number'].width}")
    for op in walk(program.ops):
        if isinstance(op, Relax) and op.steps >= 1 << CONTROL.fields["operand"].width:
            reasons.append(f"{describe(op)}: the engine repeats "
                           f"{(1 << CONTROL.fields['operand'].width) - 1} times at most")
    writes = sum(times * (len(op.terms) + 1 if isinstance(op, Learn) else 1)
                 for op, times in trips(program.ops)
                 if isinstance(op, Learn) or written_vector(op) is not None)
    if writes > 1 << 16:
        reasons.append(f"the program makes up to {writes} state-writing operations an image, the "
                       "engine counts 65536: use fewer steps")
    return reasons


def _too_deep(config, used):
    words = {"weight_depth": f"weight words of {config.lanes}",
             "state_depth": f"state words of {config.lanes}",
             "accumulator_depth": f"accumulator words of {config.lanes}",
             "event_depth": "input events an image"}
    return [f"needs {used[key]} {what}, the engine has {getattr(config, key)}"
            for key, what in words.items() if used[key] > getattr(config, key)]
