"""Assembler: a network and a program become instructions, descriptors and memory images."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from ...golden.errors import DoesNotFitError
from ...golden.executors.fixed.check import noise_multiplier
from ...golden.executors.fixed.weights import MATRIX_NUMBER
from ...golden.network import Network
from ...golden.numbers.bounds import state_limits
from ...golden.program import (
    RATE,
    RATE_SHIFT,
    SCALED,
    STATE,
    Clear,
    Decide,
    Difference,
    FlowRate,
    Learn,
    Program,
    Project,
    Relax,
    Reseed,
    Residual,
    Sample,
    Snapshot,
    Update,
    stored,
    stored_rates,
)
from ..interface.config import EngineConfig
from ..interface.isa import ACCUMULATOR, MATRIX, VECTOR, Kind, Limits, Mode, Opcode, Post, encode
from .capability import units_needed
from .hazards import Instruction, mark_overlaps
from .liveness import PULL
from .placement import GATED, Placement, place


@dataclass(frozen=True)
class Assembly:
    """What the host loads into an engine.

    Attributes
    ----------
    network : Network
    program : Program
    config : EngineConfig
    placement : Placement
    instructions, descriptors : ndarray of uint64
    origins : list
        Operation (or None) each instruction came from.
    factors : dict of str to int
        Number of the descriptor that holds the multiplier of each matrix that is learned; what it
        says is 0 until a host writes it (:func:`apical.hw.assembler.image.rate_writes`).
    """

    network: Network
    program: Program
    config: EngineConfig
    placement: Placement
    instructions: np.ndarray
    descriptors: np.ndarray
    origins: list
    factors: dict = field(default_factory=dict)


def assemble(network: Network, program: Program, config: EngineConfig, density=None) -> Assembly:
    """Assemble a program for an engine.

    Parameters
    ----------
    density : dict of str to float, optional
        Measured share of non-zero rates by population, for the choice of orientations.

    Raises
    ------
    DoesNotFitError
        When the network, the program or a number range does not fit; ``reasons`` says why.
    """
    placement = place(network, program, config, density)
    writer = _Writer(network, config, placement)
    writer.emit(Opcode.IMAGE)
    writer.block(program.ops)
    writer.emit(Opcode.DONE)
    mark_overlaps(writer.instructions)
    reasons = []
    for what, have, depth in (("instructions", writer.instructions, config.program_depth),
                              ("descriptors", writer.descriptors, config.descriptor_depth),
                              ("nested loops", range(writer.deepest), config.loop_counters)):
        if len(have) > depth:
            reasons.append(f"needs {len(have)} {what}, the engine has {depth}")
    if reasons:
        raise DoesNotFitError(f"program '{program.name}' does not fit the engine", reasons)
    words = [encode(i.opcode, **i.fields) for i in writer.instructions]
    return Assembly(network, program, config, placement, np.array(words, np.uint64),
                    np.array(list(writer.descriptors), np.uint64),
                    [i.origin for i in writer.instructions], writer.factors)


def reasons(network: Network, program: Program, config: EngineConfig, density=None) -> list[str]:
    """Why a network and program do not fit a configuration; empty when they do."""
    try:
        assemble(network, program, config, density)
    except DoesNotFitError as error:
        return error.reasons
    return []


def config_for(network: Network, program: Program, lanes: int, density=None, **fields):
    """The smallest configuration of that many lanes that holds a network and a program.

    Depths are rounded up to powers of two, so that networks of like sizes share an engine; of the
    optional units it has those that the program needs, where the fields do not say otherwise.
    """
    for name, needed in units_needed(network, program).items():
        fields.setdefault(name, needed)
    fields.setdefault("update_lanes", min(4, 1 << max(1, lanes).bit_length() - 1))
    wide = EngineConfig(lanes=lanes, weight_depth=1 << 15, state_depth=1 << 12,
                        accumulator_depth=1 << 12, event_depth=1 << 14,
                        program_depth=1 << 12, descriptor_depth=256, **fields)
    made = assemble(network, program, wide, density)
    least = {"weight_depth": 64, "state_depth": 16, "accumulator_depth": 16, "event_depth": 64}
    depths = {name: max(least[name], 1 << max(0, used - 1).bit_length())
              for name, used in made.placement.used.items()}
    depths["program_depth"] = max(64, 1 << (len(made.instructions) - 1).bit_length())
    depths["descriptor_depth"] = max(32, 1 << (len(made.descriptors) - 1).bit_length())
    return wide.replace(**depths)


@dataclass
class _Writer:
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

    def emit(self, opcode, origin=None, reads=(), writes=None, span=0, **fields):
        self.instructions.append(Instruction(opcode, fields, origin, reads, writes, span))

    def describe(self, layout, **values):
        return self.descriptors.setdefault(layout.encode(**values), len(self.descriptors))

    def factor(self, matrix):
        """Descriptor of the multiplier of a matrix: one of its own, whatever its value."""
        if matrix not in self.factors:
            word = VECTOR.encode(kind=Kind.CONSTANT, number=len(self.factors), blocks=1)
            self.factors[matrix] = self.descriptors.setdefault(word, len(self.descriptors))
        return self.factors[matrix]

    def block(self, ops):
        for op in ops:
            self._EMITTERS[type(op)](self, op)

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

    def project(self, op):
        projection = self.network.projection(op.projection)
        place = self.placement.matrices[projection.matrix]
        dot = place.lanes_are_cols == projection.transpose
        target = projection.target
        fields = {"dot": dot, "negative": projection.sign < 0, "started": op.start is not None,
                  "a": self.source(projection.source, op.shift),
                  "b": self.matrix(place, projection.matrix),
                  "t": self.accumulator(target, op.into)}
        reads = ()
        if op.start is not None:
            fields["c"] = self.accumulator(target, op.start)
            reads = ((target, op.start),)
        span = (place.rows - 1) * place.blocks if dot else place.blocks - 1
        self.emit(Opcode.PROJECT, op, reads, (target, op.into), span, **fields)

    def update(self, op):
        moved, nudge, frac = (op.population, op.slot), op.nudge, self.config.weight.frac
        rates = stored_rates(self.network)
        current = self.accumulator(op.population, op.current)
        fields = {"mode": Mode.RELAX if op.leak else Mode.ASSIGN, "a": self.vector(*moved),
                  "t": self.vector(*moved), "c": current, "shift": op.shift + 1}
        reads = [moved]
        if op.gate and op.leak and op.population in rates:
            # The current itself stays: other operations may read it.
            gated = self.accumulator(op.population, GATED)
            self.emit(Opcode.UNIT, op, (moved,), None, mode=Mode.ASSIGN, a=self.vector(*moved),
                      c=current, t=gated, shift=1, post=Post.GATE, silent=1)
            fields.update(c=gated)
        if nudge is not None:
            fields.update(nudge=1, nudge_negative=nudge.sign < 0, by_sign=nudge.random_sign,
                          nudge_shift=frac - nudge.shift)
            target = nudge.target, STATE
            if nudge.of_rate and op.population in rates:
                # The pull on the rate is an operand of its own.
                pull = op.population, PULL
                self.emit(Opcode.UNIT, op, (target, (op.population, RATE)), pull,
                          mode=Mode.SUBTRACT, a=self.vector(*target),
                          b=self.vector(op.population, RATE), t=self.vector(*pull), silent=1)
                target = pull
                fields.update(plain=1)
            fields.update(b=self.vector(*target))
            reads.append(target)
        if op.held is not None:
            held = op.population, op.held
            fields.update(nudge=1, nudge_negative=1, plain=1, nudge_shift=frac,
                          b=self.vector(*held))
            reads.append(held)
        if op.noise:
            self.emit(Opcode.FACTOR, op, operand=noise_multiplier(op, self.config.state))
            fields.update(draws=1, noisy=1)
        self.emit(Opcode.UNIT, op, tuple(reads), moved, **fields)
        self.rate(op, moved)

    def rate(self, op, written):
        """The stored rate of a state that was written."""
        if written[1] == STATE and written[0] in stored_rates(self.network):
            rate = written[0], RATE
            self.emit(Opcode.UNIT, op, (written,), rate, mode=Mode.COPY, a=self.vector(*written),
                      t=self.vector(*rate), post=Post.LOGISTIC)

    def sample(self, op):
        state = op.population, STATE
        post = {"sample": Post.DRAW, "mean": Post.LOGISTIC, "threshold": Post.THRESHOLD}[op.mode]
        self.emit(Opcode.UNIT, op, (), state, mode=Mode.ASSIGN, a=self.vector(*state),
                  t=self.vector(*state), c=self.accumulator(op.population, op.current), shift=1,
                  post=post, draws=op.mode == "sample")
        self.rate(op, state)

    def flow_rate(self, op):
        state, into = (op.population, STATE), (op.population, op.into)
        self.emit(Opcode.UNIT, op, (state,), into, mode=Mode.ASSIGN, a=self.vector(*state),
                  t=self.vector(*into), c=self.accumulator(op.population, op.current), shift=2,
                  post=Post.FLOW)

    def reseed(self, op):
        self.emit(Opcode.RESEED, op, operand=op.count)

    def residual(self, op):
        """``-rnd(A - u 2**(fw - share), fw)``: an assignment with the state as a plain nudge."""
        state, into = (op.population, STATE), (op.population, op.into)
        self.emit(Opcode.UNIT, op, (state,), into, mode=Mode.ASSIGN, a=self.vector(*state),
                  b=self.vector(*state), t=self.vector(*into), shift=1,
                  c=self.accumulator(op.population, op.current), nudge=1, nudge_negative=1, plain=1,
                  nudge_shift=self.config.weight.frac - op.share, negate=1)

    def learn(self, op):
        place = self.placement.matrices[op.matrix]
        shift = max(RATE_SHIFT, self.config.weight.frac) - self.config.weight.frac + 1
        terms = []
        for term, slot in zip(op.terms, SCALED, strict=False):
            cols, into = self.stored(term.cols), (term.cols[0], slot)
            self.emit(Opcode.UNIT, op, (cols,), into, mode=Mode.SCALE, a=self.vector(*cols),
                      b=self.factor(op.matrix), t=self.vector(*into), by_sign=op.by_sign,
                      shift=shift)
            pair = self.stored(term.rows), into
            scalar, lane = pair if place.lanes_are_cols else pair[::-1]
            terms.append((scalar, lane, term.sign < 0))
        # What lies in banks goes first: the base of the other scalar side is not banked.
        terms.sort(key=lambda t: not self.banked(t[0]))
        (scalar, lane, _), (other, second, _) = terms[0], terms[-1]
        fields = {"a": self.side(scalar), "c": self.vector(*lane), "t": self.vector(*second),
                  "b": self.matrix(place, op.matrix), "turned": not place.lanes_are_cols,
                  "two": len(terms) > 1,
                  "negative": sum(negative << i for i, (_, _, negative) in enumerate(terms))}
        if not self.network.population(other[0]).constant:
            fields["other"] = self.placement.vectors[other].base
        self.emit(Opcode.LEARN, op, (), None, **fields)

    def stored(self, pair):
        """The vector that lies in memory for a (population, slot) of the program."""
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

    def clear(self, op):
        written = op.population, op.slot
        self.emit(Opcode.UNIT, op, (), written, mode=Mode.CLEAR, a=self.vector(*written),
                  t=self.vector(*written))
        self.rate(op, written)

    def snapshot(self, op):
        source, into = self.stored((op.population, op.source)), (op.population, op.into)
        self.emit(Opcode.UNIT, op, (source,), into, mode=Mode.COPY, a=self.vector(*source),
                  t=self.vector(*into))
        self.rate(op, into)

    def difference(self, op):
        (a, b), into = map(self.stored, op.operands), (op.population, op.into)
        self.emit(Opcode.UNIT, op, (a, b), into, mode=Mode.SUBTRACT, a=self.vector(*a),
                  b=self.vector(*b), t=self.vector(*into))
        self.rate(op, into)

    def decide(self, op):
        state = op.population, STATE
        self.emit(Opcode.UNIT, op, (state,), None, mode=Mode.DECIDE, a=self.vector(*state),
                  t=self.vector(*state))

    def relax(self, op):
        if op.steps == 0:
            return
        loop = self.depth
        self.depth += 1
        self.deepest = max(self.deepest, self.depth)
        fields = {"loop": loop, "until": op.settled is not None}
        self.emit(Opcode.REPEAT, op, operand=op.steps, **fields)
        body = len(self.instructions)
        self.block(op.body)
        if op.settled is not None:
            fields["threshold"] = int(min(op.settled * 2 ** self.config.state.frac, 0xFFFF))
        self.emit(Opcode.LOOP, op, operand=body, **fields)
        self.depth -= 1

    _EMITTERS = {Project: project, Update: update, Clear: clear, Snapshot: snapshot,
                 Difference: difference, Decide: decide, Relax: relax, Residual: residual,
                 Learn: learn, Sample: sample, FlowRate: flow_rate, Reseed: reseed}
