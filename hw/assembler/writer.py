"""Writer of instructions and descriptors, on which the handlers of operations work."""

from __future__ import annotations

from dataclasses import dataclass, field

from ...golden.executors.fixed.weights import MATRIX_NUMBER
from ...golden.network import Network
from ...golden.numbers.bounds import state_limits
from ...golden.program import RATE, STATE, stored, stored_rates
from ..interface.config import EngineConfig
from ..interface.isa import ACCUMULATOR, MATRIX, VECTOR, Kind, Limits, Mode, Opcode, Post
from .changes import chunks_of, direct_consumers, laid_out
from .handlers import handler, project_changes, summed
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
    #: Place in the program of the operation that is written.
    place: int = 0

    def emit(self, opcode, origin=None, reads=(), writes=None, span=0, **fields):
        """Add an instruction.

        Parameters
        ----------
        reads, writes : tuple, object
            Vectors and accumulators that it touches, for the analysis of hazards; the currents
            that an elementwise operation declares need not be named.
        """
        if opcode == Opcode.UNIT:
            reads = (*reads, *(named for current in origin.currents()
                               if (named := summed(*current)) not in reads))
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
        steps = laid_out(self.network, ops, self.placement.loops)
        direct = direct_consumers(self.network, self.config, steps, self.broadcasts)
        for number, (self.place, op) in enumerate(steps):
            if number in direct.values():
                project_changes(self, op, start=op.start)
            else:
                handler(op).emit(self, op)
            if number in direct:
                self.instructions[-1].fields.update(changes=1, whole=1)

    def block(self, ops):
        """Operations inside a loop."""
        for op in ops:
            handler(op).emit(self, op)

    def plan(self, op):
        """How a loop runs by changes, or None."""
        return self.placement.loops.get(self.place) if self.depth == 0 else None

    def broadcasts(self, projection):
        """Whether there are weights for the broadcast direction of a projection."""
        place = self.placement.matrices[projection.matrix]
        return (place.lanes_are_cols != projection.transpose
                or projection.matrix in self.placement.twins)

    def announce(self):
        """Tell projections which vector the next elementwise operation writes: its key is mixed."""
        described = list(self.descriptors)
        for number, instruction in enumerate(self.instructions):
            if instruction.opcode == Opcode.PROJECT:
                following = self._next_unit(number + 1)
                if following is not None and not following.fields.get("draws"):
                    word = described[following.fields["t"]]
                    instruction.fields.update(ahead=1, next=VECTOR.decode(word)["number"])

    def _next_unit(self, at):
        """The elementwise operation that follows a place, if no other kind of write comes first."""
        turned = False
        while True:
            instruction = self.instructions[at]
            at += 1
            if instruction.opcode == Opcode.UNIT:
                return instruction
            if instruction.opcode == Opcode.LOOP and not turned:
                at, turned = instruction.fields["operand"], True
            elif instruction.opcode not in (Opcode.PROJECT, Opcode.REPEAT, Opcode.FACTOR,
                                            Opcode.LOOP):
                return None

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
