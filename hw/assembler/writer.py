"""Writer of instructions and descriptors, on which the handlers of operations work."""

from __future__ import annotations

from dataclasses import dataclass, field

from ...golden.executors.fixed.weights import MATRIX_NUMBER
from ...golden.network import Network
from ...golden.numbers.bounds import state_limits
from ...golden.program import RATE, STATE, stored, stored_rates
from ..interface.config import EngineConfig
from ..interface.isa import ACCUMULATOR, MATRIX, VECTOR, Kind, Limits, Mode, Opcode, Post
from .changes import KnownSums, chunks_of
from .handlers import handler
from .hazards import Instruction
from .placement import Placement


@dataclass
class Writer:
    """Instructions and descriptors of one program as they are written.

    Handlers (:mod:`~apical.hw.assembler.handlers`) call its methods.
    """

    network: Network
    config: EngineConfig
    placement: Placement
    instructions: list = field(default_factory=list)
    #: Descriptor words in order; equal descriptors are shared.
    descriptors: dict = field(default_factory=dict)
    factors: dict = field(default_factory=dict)
    #: Loops around the instruction that is written, and the most of them so far.
    depth: int = 0
    deepest: int = 0
    #: Place in the program of the operation that is written, and what the sums hold.
    place: int = 0
    known: KnownSums | None = None

    def __post_init__(self):
        self.known = KnownSums(self.network)

    def emit(self, opcode, origin=None, reads=(), writes=None, span=0, **fields):
        made = Instruction(opcode, fields, origin, reads, writes, span)
        if opcode == Opcode.UNIT:
            # A vector ends in (population, slot), an accumulator in (population, name).
            name = (reads[0] if writes is None else writes)[-2]
            made.chunks = chunks_of(self.network.population(name).size, self.config)
        self.instructions.append(made)

    def describe(self, layout, **values):
        return self.descriptors.setdefault(layout.encode(**values), len(self.descriptors))

    def factor(self, matrix):
        """Descriptor of the multiplier of a matrix: one of its own, whatever its value."""
        if matrix not in self.factors:
            word = VECTOR.encode(kind=Kind.CONSTANT, number=len(self.factors), blocks=1)
            self.factors[matrix] = self.descriptors.setdefault(word, len(self.descriptors))
        return self.factors[matrix]

    def program(self, ops):
        """All operations of a program."""
        for self.place, op in enumerate(ops):
            handler(op).emit(self, op)
            if self.plan(op) is None:
                self.known.follow(op)

    def block(self, ops):
        """Operations inside a loop."""
        for op in ops:
            handler(op).emit(self, op)

    def plan(self, op):
        """How a loop runs by changes, or None."""
        return self.placement.loops.get(self.place) if self.depth == 0 else None

    def begin_sums(self, plan):
        """Before a loop by changes its sums are complete."""
        for pair, made in plan.sums.items():
            if self.known.made_by(pair, made) != self.known.sums.get(pair):
                for op in made:
                    handler(op).emit(self, op)

    def end_sums(self, plan):
        """They have followed the states."""
        for op in plan.updates:
            self.known.forget(op)
        for pair, made in plan.sums.items():
            self.known.sums[pair] = self.known.made_by(pair, made)

    def vector(self, name, slot=STATE):
        place = self.placement.vectors[name, slot]
        state = self.config.state
        limits = state_limits(self.network.population(name), state)
        code = {(0, state.one): Limits.UNIT, (-state.one, state.one): Limits.SYMMETRIC}.get(
            limits if slot == STATE else None, Limits.FORMAT)
        return self.describe(VECTOR, base=place.base, blocks=place.blocks, tail=place.tail,
                             kind=place.kind, banked=place.banked, limits=code,
                             number=place.number)

    def accumulator(self, name, slot):
        place = self.placement.accumulators[name, slot]
        return self.describe(ACCUMULATOR, base=place.base, blocks=place.blocks, tail=place.tail)

    def source(self, name, shift):
        if self.network.population(name).constant:
            return self.describe(VECTOR, base=self.config.state.one >> shift, blocks=1, tail=1,
                                 kind=Kind.CONSTANT)
        return self.vector(*self.stored((name, RATE)))

    def rate(self, op, written):
        """The stored rate of a state that was written."""
        if written[1] == STATE and written[0] in stored_rates(self.network):
            rate = written[0], RATE
            self.emit(Opcode.UNIT, op, (written,), rate, mode=Mode.COPY, a=self.vector(*written),
                      t=self.vector(*rate), post=Post.LOGISTIC)

    def stored(self, pair):
        """The vector that is stored for a (population, slot) of the program."""
        return stored(self.network, pair)

    def banked(self, vector):
        """Whether a vector has two places, used in turn."""
        place = self.placement.vectors.get(vector)
        return place is not None and place.banked

    def side(self, vector):
        """Descriptor of a scalar side: a vector or the constant."""
        constant = self.network.population(vector[0]).constant
        return self.source(vector[0], 0) if constant else self.vector(*vector)

    def matrix(self, place, name):
        """Descriptor of a matrix."""
        number = MATRIX_NUMBER + [m.name for m in self.network.matrices].index(name)
        return self.describe(MATRIX, base=place.base, blocks=place.blocks, tail=place.tail,
                             rows=place.rows, number=number)
