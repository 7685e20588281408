"""What an engine cannot run, in words: units it lacks, number ranges, counts."""

from __future__ import annotations

from ...golden.errors import MisuseError
from ...golden.executors.fixed.check import check_fixed
from ...golden.network import Network
from ...golden.numbers.bounds import accumulator_bounds, bits_for, force_bound
from ...golden.program import (
    RATE,
    STATE,
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
    describe,
    stored,
    stored_rates,
    vectors,
    walk,
    written_vector,
)
from ..interface.config import EngineConfig
from ..interface.isa import CONTROL, VECTOR
from .orientation import blocks_of, trips, wanted_sides


def unsupported(network: Network, program: Program, config: EngineConfig) -> list[str]:
    """Reasons why an engine cannot run a program, whatever its memories hold; empty when it can."""
    reasons = []
    try:
        check_fixed(network, program, config.state, config.weight, config.update_frac)
    except MisuseError as error:
        reasons.append(str(error))
    for op in walk(program.ops):
        reasons += [f"{describe(op)}: {what}" for what in _missing(network, op, config)]
    reasons += [f"matrix '{name}' has the constant or a clamped population on both sides: use two "
                "matrices" for name, sides in wanted_sides(network, program).items()
                if len(sides) > 1]
    reasons += _unread(network, program) + _uncountable(network, program, config)
    if not config.smooth:
        reasons += [f"population '{name}' has a logistic rate, which needs the table unit "
                    "(smooth), which this engine has not" for name in stored_rates(network)]
    return reasons + _too_wide(network, program, config)


def units_needed(network: Network, program: Program) -> dict:
    """Optional units that a program needs, as fields of an `EngineConfig`."""
    needed = {"learning": False, "smooth": bool(stored_rates(network)), "noise": False}
    plain = False
    for op in walk(program.ops):
        if isinstance(op, Update):
            needed["learning"] |= op.nudge is not None and op.nudge.random_sign
            needed["noise"] |= op.noise > 0
            plain |= op.held is not None
        elif isinstance(op, Learn):
            needed["learning"] = True
        elif isinstance(op, Sample | FlowRate):
            needed["smooth"] = True
            needed["noise"] |= isinstance(op, Sample) and op.mode == "sample"
        plain |= isinstance(op, Residual)
        needed["noise"] |= isinstance(op, Reseed)
    needed["learning"] |= plain and not needed["smooth"]
    return needed


def _missing(network, op, config):
    """What an operation needs and this engine has not."""
    def unit(what, name):
        return f"{what} needs the {name} unit, which this engine has not"

    missing = []
    if isinstance(op, Update):
        if op.nudge is not None and op.nudge.random_sign and not config.learning:
            missing.append(unit("a random sign of beta", "learning"))
        if op.held is not None and not config.plain:
            missing.append(unit("a held current", "learning or table (smooth)"))
        if op.noise and not config.noise:
            missing.append(unit("Langevin noise", "noise"))
        if op.gate and op.held is not None and op.population in stored_rates(network):
            missing.append("the gate of a logistic rate takes no held current in an engine; use "
                           "gate=False")
    elif isinstance(op, Learn):
        missing += _cannot_learn(network, op, config)
    elif isinstance(op, Residual) and not config.plain:
        missing.append(unit("a branch error", "learning or table (smooth)"))
    elif isinstance(op, Sample | FlowRate):
        if not config.smooth:
            missing.append(unit("sampling" if isinstance(op, Sample) else "a flow rate",
                                "table (smooth)"))
        if isinstance(op, Sample) and op.mode == "sample" and not config.noise:
            missing.append(unit("sampling", "noise"))
    elif isinstance(op, Reseed) and not config.noise:
        missing.append(unit("a count of draws", "noise"))
    elif isinstance(op, Relax) and op.settled is not None and any(
            isinstance(inner, Sample) for inner in walk(op.body)):
        missing.append("an engine measures the movement of updates only, not of chances; relax a "
                       "number of steps")
    return missing


def _too_wide(network, program, config):
    """Accumulators and forces that the engine's words do not hold."""
    reasons = []
    try:
        bounds = accumulator_bounds(network, program, config.state, config.weight)
    except MisuseError:
        return []  # told by `check_fixed`
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
        return ["a weight update needs the learning unit, which this engine has not"]
    if len(op.terms) > 2:
        return [f"{len(op.terms)} terms, the engine adds up 2 at most"]
    reasons, scalars = [], [stored(network, t.rows) for t in op.terms]
    if len({network.population(name).constant for name, _ in scalars}) > 1:
        reasons.append("one term has the constant as factor, the other has not")
    if any(network.population(stored(network, t.cols)[0]).constant for t in op.terms):
        reasons.append("the constant can be a factor of rows only")
    clamped = [(name, slot) for name, slot in scalars
               if network.population(name).clamped and slot == STATE]
    if len(op.terms) > 1 and len(clamped) > 1:
        reasons.append("both terms have a clamped population as factor of rows")
    return reasons


def vectors_read(op, network):
    """Vectors that an operation reads."""
    state = getattr(op, "population", None), STATE
    pairs = []
    if isinstance(op, Project):
        pairs = [(network.projection(op.projection).source, RATE)]
    elif isinstance(op, Update):
        moved, nudge = (op.population, op.slot), op.nudge
        pairs += [moved] if op.leak or nudge is not None else []
        pairs += [(nudge.target, STATE)] if nudge is not None else []
        pairs += [(op.population, op.held)] if op.held is not None else []
    elif isinstance(op, Snapshot):
        pairs = [(op.population, op.source)]
    elif isinstance(op, Difference):
        pairs = op.operands
    elif isinstance(op, Learn):
        pairs = [pair for t in op.terms for pair in (t.rows, t.cols)]
    elif isinstance(op, Decide | Residual | FlowRate):
        pairs = [state]
    return [stored(network, pair) for pair in pairs]


def _unread(network, program):
    """Vectors read before anything is written to them: the engine keeps what was there."""
    written, reasons = {(p.name, STATE) for p in network.populations if p.fixed_rate}, []

    def scan(ops):
        for op in ops:
            if isinstance(op, Relax):
                scan(op.body if op.steps else ())
                continue
            read = vectors_read(op, network)
            for name, slot in read:
                if network.population(name).constant and not isinstance(op, Learn | Project):
                    reasons.append(f"{describe(op)}: the constant '{name}' lies in no memory")
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
                if target[1] == STATE and target[0] in stored_rates(network):
                    written.add((target[0], RATE))

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
    rates = {(name, STATE) for name in stored_rates(network)}
    writes = sum(times * (len(op.terms) + 1 if isinstance(op, Learn) else
                          (written_vector(op) is not None) + (written_vector(op) in rates))
                 for op, times in trips(program.ops))
    if writes > 1 << 16:
        reasons.append(f"the program makes up to {writes} state-writing operations an image, the "
                       "engine counts 65536: use fewer steps")
    return reasons


def too_deep(config, used):
    """Memories that are too shallow for what is used of them, in words."""
    words = {"weight_depth": f"weight words of {config.lanes}",
             "state_depth": f"state words of {config.lanes}",
             "accumulator_depth": f"accumulator words of {config.lanes}",
             "event_depth": "input events an image"}
    return [f"needs {used[key]} {what}, the engine has {getattr(config, key)}"
            for key, what in words.items() if used[key] > getattr(config, key)]
