"""Where the memories of an engine hold a network and a program.

Chooses the orientation of each matrix, gives every vector, accumulator and matrix its words, and
says in words what does not fit.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from ...golden.errors import DoesNotFitError
from ...golden.network import Network
from ...golden.program import (
    RATE,
    STATE,
    Program,
    accumulators,
    matrices_used,
    stored,
    vectors,
    walk,
)
from ..interface.config import EngineConfig
from ..interface.isa import Kind
from .capability import too_deep, unsupported
from .changes import followed_loops
from .handlers import handler
from .liveness import lives, overwritten, share
from .orientation import blocks_of, choose_orientations, tail_of, wanted_sides


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
    twins : dict of str to MatrixPlace
        Matrices that are stored in the other orientation as well: loops by changes use both.
    loops : dict of int to Followed
        Loops by changes, by their place in the program.
    used : dict of str to int
        Words (events) used of each memory depth of the configuration.
    overwritten : frozenset of (population, slot)
        Slots whose words hold others at the end of an image.
    least_states : int
        Words of states that would do, if all slots that can share words did.
    """

    vectors: dict
    accumulators: dict
    matrices: dict
    used: dict
    overwritten: frozenset = frozenset()
    least_states: int = 0
    twins: dict = field(default_factory=dict)
    loops: dict = field(default_factory=dict)


def _needs_words(network, program, orientation):
    """Clamped populations that state memory must hold as words, not as events."""
    needed, pairs = set(), []
    for op in walk(program.ops):
        for one in op.sums():
            projection = network.projection(one.projection)
            if orientation[projection.matrix] == projection.transpose:
                needed.add(projection.source)
        pairs += op.reads()
        for learn in op.learns():
            # Column factors are read by units; the rows of two terms are read together.
            pairs += [term.cols for term in learn.terms]
            pairs += [term.rows for term in learn.terms] if len(learn.terms) > 1 else []
    read = (stored(network, pair) for pair in pairs)
    return needed | {name for name, slot in read if slot == STATE}


def place(network: Network, program: Program, config: EngineConfig, density=None) -> Placement:
    """Place a network and a program.

    Raises
    ------
    DoesNotFitError
        With every reason found.
    """
    program.check(network)
    reasons = unsupported(network, program, config)
    orientation = choose_orientations(network, program, config, density)
    matrices, weight_words = {}, 0
    used_matrices = {name for op in walk(program.ops) for name in matrices_used(op, network)}
    for matrix in network.matrices:
        if matrix.name not in used_matrices:
            continue
        place = _matrix_place(matrix, orientation[matrix.name], weight_words, config)
        matrices[matrix.name] = place
        weight_words += place.blocks * place.rows
    twins, loops, weight_words = _twins(network, program, config, matrices, weight_words)
    states = _place_vectors(network, program, config, orientation)
    places, state_words, events, gone, least = states
    sums, sum_words = {}, 0
    for name, slot in accumulators(network, program):
        size = network.population(name).size
        blocks = blocks_of(size, config.width)
        sums[name, slot] = Words(sum_words, blocks, tail_of(size, config.width))
        sum_words += blocks
    own = _engine_only(network, program, "accumulators")
    for name, slot in own:
        size = network.population(name).size
        sums[name, slot] = Words(sum_words, blocks_of(size, config.width),
                                 tail_of(size, config.width))
    sum_words += max((sums[pair].blocks for pair in own), default=0)
    used = {"weight_depth": weight_words, "state_depth": state_words,
            "accumulator_depth": sum_words, "event_depth": events}
    reasons += too_deep(config, used)
    if reasons:
        raise DoesNotFitError(f"network '{network.name}' does not fit the engine", reasons)
    return Placement(places, sums, matrices, used, gone, least, twins, loops)


def _matrix_place(matrix, cols, base, config):
    """A matrix with that orientation from a word on."""
    side, other = (matrix.cols, matrix.rows) if cols else (matrix.rows, matrix.cols)
    return MatrixPlace(base, blocks_of(side, config.width), tail_of(side, config.width), cols,
                       other)


def _twins(network, program, config, matrices, end):
    """(twins, loops by changes, words): weights in a second direction where they fit.

    What learns has no twin, which would have to be updated as well.
    """
    fixed = wanted_sides(network, program)
    learned = {learn.matrix for op in walk(program.ops) for learn in op.learns()}

    def turned(projection):
        return matrices[projection.matrix].lanes_are_cols == projection.transpose

    def loops(possible):
        return followed_loops(network, program, config,
                              lambda p: not turned(p) or possible(p.matrix))

    def wanted(found):
        taken = (network.projection(op.projection) for loop in found.values()
                 for op in loop.consumers if op is not None)
        return dict.fromkeys(p.matrix for p in taken if turned(p))

    twins = {}
    for name in wanted(loops(lambda name: name not in fixed and name not in learned)):
        place = _matrix_place(network.matrix(name), not matrices[name].lanes_are_cols, end, config)
        if end + place.blocks * place.rows <= config.weight_depth:
            twins[name], end = place, end + place.blocks * place.rows
    return twins, loops(twins.__contains__), end


def _engine_only(network, program, what):
    """Vectors or accumulators of handlers, which only the engine has, by first use."""
    return list(dict.fromkeys(pair for op in walk(program.ops)
                              for pair in getattr(handler(op), what)(network, op)))


def _place_vectors(network, program, config, orientation):
    """(places, words, events, slots that are overwritten, least words).

    States come first.  Slots have words of their own where there are enough, else they share them.
    """
    in_words = _needs_words(network, program, orientation)
    read = set(program.inputs(network))
    places, words, events, slots = {}, 0, 0, {}
    for number, (name, slot) in enumerate(vectors(network, program)):
        population = network.population(name)
        if population.constant or (population.clamped and slot == STATE and name not in read):
            continue
        size, kept = population.size, slot in (STATE, RATE)
        blocks, tail = blocks_of(size, config.width), tail_of(size, config.width)
        clamped = population.clamped and slot == STATE
        if clamped and name not in in_words:
            places[name, slot] = VectorPlace(events, blocks, tail, Kind.EVENT, True, size, number)
            events += size
        elif kept:
            places[name, slot] = VectorPlace(words, blocks, tail, Kind.STATE, clamped, size, number)
            words += blocks * (config.input_banks if clamped else 1)
        else:
            slots[name, slot] = number
    living = lives(network, program)
    slots |= dict.fromkeys(_engine_only(network, program, "vectors"), 0)
    blocks = {pair: blocks_of(network.population(pair[0]).size, config.width) for pair in slots}
    end, bases = words, {}
    for pair, count in blocks.items():
        bases[pair], end = end, end + count
    shared, least = share(blocks, living, words)
    if end > config.state_depth:
        bases, end = shared, least
    for pair, number in slots.items():
        size = network.population(pair[0]).size
        places[pair] = VectorPlace(bases[pair], blocks[pair], tail_of(size, config.width),
                                   Kind.STATE, False, size, number)
    return places, end, events, overwritten(blocks, living, bases), least
