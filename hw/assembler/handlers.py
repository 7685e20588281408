"""How the assembler treats each operation: one handler an operation.

The order of instructions is that of the writes of the fixed executor.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

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
    Project,
    Relax,
    Reseed,
    Residual,
    Sample,
    Snapshot,
    Update,
    handler_of,
    noise_multiplier,
    stored,
    stored_rates,
    walk,
)
from ..interface.isa import VECTOR, Kind, Mode, Opcode, Post
from .changes import plain

#: Slot of the pull of a target on rates, an operand that only the engine has.
PULL = "(pull)"
#: Accumulator that takes a current after its gate.
GATED = "(gated)"


def _nothing(network, op):
    return ()


@dataclass(frozen=True)
class Handler:
    """How the assembler treats one kind of operation, beyond what the operation declares.

    Parameters
    ----------
    emit : callable
        Called as ``emit(writer, op)``; writes the instructions
        (:class:`~apical.hw.assembler.writer.Writer`).
    cannot : callable
        ``cannot(network, op)`` gives reasons why an engine with all units cannot run it.
    vectors : callable
        ``vectors(network, op)`` gives vectors (population, slot) that only the engine has, written
        and read by the instructions of this operation.
    accumulators : callable
        ``accumulators(network, op)`` gives such accumulators; all of a program share one place.
    measured : bool
        Whether the engine measures by how much it moves a state, for loops until settled.
    """

    emit: Callable
    cannot: Callable = _nothing
    vectors: Callable = _nothing
    accumulators: Callable = _nothing
    measured: bool = True


def handler(op) -> Handler:
    """The handler of an operation; `MisuseError` where `HANDLERS` has none."""
    return handler_of(HANDLERS, op, f"assembler ({__name__}.HANDLERS)")


def project(writer, op):
    """`Project`: one instruction, in the direction that the placement gives."""
    projection = writer.network.projection(op.projection)
    place = writer.placement.matrices[projection.matrix]
    dot = place.lanes_are_cols == projection.transpose
    target = projection.target
    fields = {"dot": dot, "negative": projection.sign < 0, "started": op.start is not None,
              "a": writer.source(projection.source, op.shift),
              "b": writer.matrix(place, projection.matrix),
              "t": writer.accumulator(target, op.into)}
    reads = [writer.stored((projection.source, RATE))]
    if op.start is not None:
        fields["c"] = writer.accumulator(target, op.start)
        reads.append(summed(target, op.start))
    span = (place.rows - 1) * place.blocks if dot else place.blocks - 1
    writer.emit(Opcode.PROJECT, op, tuple(reads), summed(target, op.into), span, **fields)


def project_changes(writer, op, held=False, start=None):
    """`Project` of what is in the queue of changes.

    In a loop by changes it is added to the sum that is there, elsewhere to `start`.
    """
    projection = writer.network.projection(op.projection)
    place = writer.placement.matrices[projection.matrix]
    if place.lanes_are_cols == projection.transpose:
        place = writer.placement.twins[projection.matrix]
    fields = {"negative": projection.sign < 0, "held": held, "started": start is not None,
              "a": writer.describe(VECTOR, kind=Kind.CHANGES),
              "b": writer.matrix(place, projection.matrix),
              "t": writer.accumulator(projection.target, op.into)}
    reads = ()
    if start is not None:
        fields["c"] = writer.accumulator(projection.target, start)
        reads = (summed(projection.target, start),)
    writer.emit(Opcode.PROJECT, op, reads, summed(projection.target, op.into), place.blocks - 1,
                **fields)
    writer.instructions[-1].queued = True


def summed(population, name):
    """An accumulator, as the analysis of hazards names it."""
    return "sum", population, name


def update(writer, op):
    """`Update`: gate and pull on a rate first, where they need instructions of their own."""
    moved, nudge, frac = (op.population, op.slot), op.nudge, writer.config.weight.frac
    rates = stored_rates(writer.network)
    current = writer.accumulator(op.population, op.current)
    fields = {"mode": Mode.RELAX if op.leak else Mode.ASSIGN, "a": writer.vector(*moved),
              "t": writer.vector(*moved), "c": current, "shift": op.shift + 1}
    reads = [moved, summed(op.population, op.current)]
    if op.gate and op.leak and op.population in rates:
        # The current itself stays: other operations may read it.
        gated = writer.accumulator(op.population, GATED)
        writer.emit(Opcode.UNIT, op, tuple(reads), summed(op.population, GATED), mode=Mode.ASSIGN,
                    a=writer.vector(*moved), c=current, t=gated, shift=1, post=Post.GATE, silent=1)
        fields.update(c=gated)
        reads.append(summed(op.population, GATED))
    if nudge is not None:
        fields.update(nudge=1, nudge_negative=nudge.sign < 0, by_sign=nudge.random_sign,
                      nudge_shift=frac - nudge.shift)
        target = nudge.target, STATE
        if nudge.of_rate and op.population in rates:
            # The pull on the rate is an operand of its own.
            pull = op.population, PULL
            writer.emit(Opcode.UNIT, op, (target, (op.population, RATE)), pull,
                        mode=Mode.SUBTRACT, a=writer.vector(*target),
                        b=writer.vector(op.population, RATE), t=writer.vector(*pull), silent=1)
            target = pull
            fields.update(plain=1)
        fields.update(b=writer.vector(*target))
        reads.append(target)
    if op.held is not None:
        held = op.population, op.held
        fields.update(nudge=1, nudge_negative=1, plain=1, nudge_shift=frac,
                      b=writer.vector(*held))
        reads.append(held)
    if op.noise:
        writer.emit(Opcode.FACTOR, op, operand=noise_multiplier(op, writer.config.state))
        fields.update(draws=1, noisy=1)
    writer.emit(Opcode.UNIT, op, tuple(reads), moved, **fields)
    writer.rate(op, moved)


def sample(writer, op):
    """`Sample`."""
    state = op.population, STATE
    post = {"sample": Post.DRAW, "mean": Post.LOGISTIC, "threshold": Post.THRESHOLD}[op.mode]
    writer.emit(Opcode.UNIT, op, (summed(op.population, op.current),), state,
                mode=Mode.ASSIGN, a=writer.vector(*state), t=writer.vector(*state),
                c=writer.accumulator(op.population, op.current), shift=1, post=post,
                draws=op.mode == "sample")
    writer.rate(op, state)


def flow_rate(writer, op):
    """`FlowRate`."""
    state, into = (op.population, STATE), (op.population, op.into)
    writer.emit(Opcode.UNIT, op, (state, summed(op.population, op.current)), into,
                mode=Mode.ASSIGN, a=writer.vector(*state), t=writer.vector(*into),
                c=writer.accumulator(op.population, op.current), shift=2, post=Post.FLOW)


def reseed(writer, op):
    """`Reseed`."""
    writer.emit(Opcode.RESEED, op, operand=op.count)


def residual(writer, op):
    """`Residual`: an assignment with the state as a plain nudge, negated."""
    state, into = (op.population, STATE), (op.population, op.into)
    writer.emit(Opcode.UNIT, op, (state, summed(op.population, op.current)), into,
                mode=Mode.ASSIGN, a=writer.vector(*state), b=writer.vector(*state),
                t=writer.vector(*into), c=writer.accumulator(op.population, op.current), shift=1,
                nudge=1, nudge_negative=1, plain=1, negate=1,
                nudge_shift=writer.config.weight.frac - op.share)


def learn(writer, op):
    """`Learn`: scaled factors, then the weights."""
    places = writer.placement.matrices[op.matrix], writer.placement.twins.get(op.matrix)
    shift = max(RATE_SHIFT, writer.config.weight.frac) - writer.config.weight.frac + 1
    terms = []
    for term, slot in zip(op.terms, SCALED, strict=False):
        cols, into = writer.stored(term.cols), (term.cols[0], slot)
        writer.emit(Opcode.UNIT, op, (cols,), into, mode=Mode.SCALE, a=writer.vector(*cols),
                    b=writer.factor(op.matrix), t=writer.vector(*into), by_sign=op.by_sign,
                    shift=shift)
        terms.append((writer.stored(term.rows), into, term.sign < 0))
    for place in places:
        if place is not None:
            # What the second place takes is no write: the first one has been counted and signed.
            _learn(writer, op, place, terms, silent=place is not places[0])


def _learn(writer, op, place, terms, silent):
    """The weights in one of their places."""
    terms = [(*(pair if place.lanes_are_cols else pair[::-1]), negative)
             for *pair, negative in terms]
    # A banked vector goes first: the base of the other scalar side is not banked.
    terms.sort(key=lambda t: not writer.banked(t[0]))
    (scalar, lane, _), (other, second, _) = terms[0], terms[-1]
    fields = {"a": writer.side(scalar), "c": writer.vector(*lane), "t": writer.vector(*second),
              "b": writer.matrix(place, op.matrix), "turned": not place.lanes_are_cols,
              "two": len(terms) > 1, "silent": silent,
              "negative": sum(negative << i for i, (_, _, negative) in enumerate(terms))}
    if not writer.network.population(other[0]).constant:
        fields["other"] = writer.placement.vectors[other].base
    writer.emit(Opcode.LEARN, op, (), None, **fields)


def clear(writer, op):
    """`Clear`."""
    written = op.population, op.slot
    writer.emit(Opcode.UNIT, op, (), written, mode=Mode.CLEAR, a=writer.vector(*written),
                t=writer.vector(*written))
    writer.rate(op, written)


def snapshot(writer, op):
    """`Snapshot`."""
    source, into = writer.stored((op.population, op.source)), (op.population, op.into)
    writer.emit(Opcode.UNIT, op, (source,), into, mode=Mode.COPY, a=writer.vector(*source),
                t=writer.vector(*into))
    writer.rate(op, into)


def difference(writer, op):
    """`Difference`."""
    (a, b), into = map(writer.stored, op.operands), (op.population, op.into)
    writer.emit(Opcode.UNIT, op, (a, b), into, mode=Mode.SUBTRACT, a=writer.vector(*a),
                b=writer.vector(*b), t=writer.vector(*into))
    writer.rate(op, into)


def decide(writer, op):
    """`Decide`."""
    state = op.population, STATE
    writer.emit(Opcode.UNIT, op, (state,), None, mode=Mode.DECIDE, a=writer.vector(*state),
                t=writer.vector(*state))


def relax(writer, op):
    """`Relax`: nothing at all for no steps."""
    if op.steps == 0:
        return
    loop, plan = writer.depth, writer.plan(op)
    writer.depth += 1
    writer.deepest = max(writer.deepest, writer.depth)
    fields = {"loop": loop, "until": op.settled is not None}
    writer.emit(Opcode.REPEAT, op, operand=op.steps, **fields)
    body = len(writer.instructions)
    if plan is None:
        writer.block(op.body)
    else:
        _by_changes(writer, plan)
    if op.settled is not None:
        fields["threshold"] = int(min(op.settled * 2 ** writer.config.state.frac, 0xFFFF))
    writer.emit(Opcode.LOOP, op, operand=body, **fields)
    writer.depth -= 1


def _by_changes(writer, plan):
    """Body of a loop by changes: updates, and projections behind the last reader of their sum.

    Of two updates the changes of the first one go to the sum that the second one reads: there the
    projection begins in between, and is held at its last item.
    """
    network, waiting, count = writer.network, [], len(plan.updates)
    for number, (op, consumer) in enumerate(zip(plan.updates, plan.consumers, strict=True)):
        handler(op).emit(writer, op)
        if consumer is not None:
            writer.instructions[-1].fields["changes"] = 1
            waiting.append(consumer)
        if number == count - 1:
            for one in plan.anew:
                project(writer, one)
        while waiting:
            target = network.projection(waiting[0].projection).target
            readers = [i for i, other in enumerate(plan.updates)
                       if (target, waiting[0].into) in other.currents()]
            held = (number == 0 and count == 2 and readers == [1]
                    and plain(network, plan.updates[1])
                    and writer.placement.accumulators[target, waiting[0].into].blocks == 1)
            if max(readers, default=0) > number and not held:
                break
            following = waiting.pop(0)
            project_changes(writer, following, held, following.into)


def _pulled(network, op):
    """The pull on a stored rate."""
    if op.nudge is not None and op.nudge.of_rate and op.population in stored_rates(network):
        yield op.population, PULL


def _gated(network, op):
    """The current of a logistic population."""
    if op.gate and op.leak and op.population in stored_rates(network):
        yield op.population, GATED


def _cannot_update(network, op):
    if op.gate and op.held is not None and op.population in stored_rates(network):
        yield "the gate of a logistic rate takes no held current in an engine; use gate=False"


def _cannot_learn(network, op):
    if len(op.terms) > 2:
        yield f"{len(op.terms)} terms, the engine adds up 2 at most"
        return
    scalars = [stored(network, t.rows) for t in op.terms]
    if len({network.population(name).constant for name, _ in scalars}) > 1:
        yield "one term has the constant as factor, the other lacks it"
    if any(network.population(stored(network, t.cols)[0]).constant for t in op.terms):
        yield "the constant can be a factor of rows only"
    clamped = [name for name, slot in scalars
               if network.population(name).clamped and slot == STATE]
    if len(clamped) > 1:
        yield "both terms have a clamped population as factor of rows"


def _cannot_relax(network, op):
    if op.settled is not None and any(inner.moves and not handler(inner).measured
                                      for inner in walk(op.body)):
        yield ("an engine measures the movement of updates only, not of probabilities; relax a "
               "number of steps")


#: Handlers of operations; a new operation adds its own.
HANDLERS = {
    Project: Handler(project),
    Update: Handler(update, _cannot_update, _pulled, _gated),
    Sample: Handler(sample, measured=False),
    FlowRate: Handler(flow_rate),
    Residual: Handler(residual),
    Reseed: Handler(reseed),
    Clear: Handler(clear),
    Snapshot: Handler(snapshot),
    Difference: Handler(difference),
    Decide: Handler(decide),
    Learn: Handler(learn, _cannot_learn),
    Relax: Handler(relax, _cannot_relax),
}
