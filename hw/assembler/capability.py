"""What an engine cannot run, in words: units it lacks, number ranges, counts."""

from __future__ import annotations

from ...golden.errors import MisuseError
from ...golden.executors.fixed.check import check_fixed
from ...golden.network import Network
from ...golden.numbers.bounds import accumulator_bounds, bits_for, force_bound
from ...golden.program import (
    LEARNING,
    NOISE,
    PLAIN,
    SMOOTH,
    STATE,
    Program,
    Update,
    describe,
    scaled_factors,
    stored,
    stored_rates,
    vectors,
    vectors_read,
    vectors_written,
    walk,
)
from ..interface.config import EngineConfig
from ..interface.isa import CONTROL, VECTOR
from .handlers import handler
from .orientation import blocks_of, trips, wanted_sides

#: Optional units, as operations name them: field of the configuration, name in words.
UNITS = {LEARNING: ("learning", "learning"), SMOOTH: ("smooth", "table (smooth)"),
         NOISE: ("noise", "noise"), PLAIN: ("plain", "learning or table (smooth)")}


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
        reasons += [f"population '{name}' has a logistic rate, which needs the table "
                    "(smooth) unit, which this engine lacks" for name in stored_rates(network)]
    if config.smooth and not config.gate:
        reasons += [f"{describe(op)}: a gate needs the slope of the table unit, which this engine "
                    "lacks" for op in walk(program.ops)
                    if any(True for _ in handler(op).accumulators(network, op))]
    return reasons + _too_wide(network, program, config)


def units_needed(network: Network, program: Program) -> dict:
    """Optional units that a program needs, as fields of an `EngineConfig`."""
    needed = {unit for op in walk(program.ops) for unit, _ in op.needs()}
    if stored_rates(network):
        needed.add(SMOOTH)
    # Either unit has the path of a plain operand.
    if PLAIN in needed and SMOOTH not in needed:
        needed.add(LEARNING)
    return {unit: unit in needed for unit in (LEARNING, SMOOTH, NOISE)}


def _missing(network, op, config):
    """What an operation needs and this engine lacks."""
    for unit, what in op.needs():
        field, name = UNITS.get(unit, (None, unit))
        if field is None:
            yield f"{what} needs a {name} unit, which no engine has"
        elif not getattr(config, field):
            yield f"{what} needs the {name} unit, which this engine lacks"
    yield from handler(op).cannot(network, op)


def _too_wide(network, program, config):
    """Accumulators and forces that the engine's words do not hold."""
    reasons = []
    try:
        bounds = accumulator_bounds(network, program, config.state, config.weight)
    except MisuseError:
        return []  # reported by `check_fixed`
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


def _unread(network, program):
    """Vectors read before anything is written to them: the engine keeps what was there."""
    written, reasons = {(p.name, STATE) for p in network.populations if p.fixed_rate}, []

    def scan(ops):
        for op in ops:
            loop = op.loop()
            if loop is not None:
                steps, body = loop
                scan(body if steps else ())
                continue
            for pair in vectors_read(op, network):
                name, slot = stored(network, pair)
                if network.population(name).constant and pair in op.reads():
                    reasons.append(f"{describe(op)}: the constant '{name}' is stored in no memory")
                if (name, slot) not in written:
                    what = "states" if slot == STATE else f"slot '{slot}'"
                    reasons.append(f"{describe(op)}: {what} of '{name}' are read before the "
                                   "program writes them, and an engine keeps what was there; "
                                   "begin with a sweep or Clear")
                    written.add((name, slot))
            for name, slot in vectors_written(op, network):
                if network.population(name).constant:
                    reasons.append(f"{describe(op)}: the constant '{name}' is stored in no memory")
                written.add((name, slot))

    scan(program.ops)
    return reasons


def _uncountable(network, program, config):
    """Counts that the encoding and the counters of the engine do not hold."""
    reasons = []
    for name in sorted({name for name, _ in vectors(network, program)}):
        blocks = blocks_of(network.population(name).size, config.width)
        if blocks >= 1 << VECTOR.fields["blocks"].width:
            reasons.append(f"population '{name}' takes {blocks} words of {config.width}, the "
                           f"engine counts to {(1 << VECTOR.fields['blocks'].width) - 1}: use "
                           "more lanes")
    number = len(vectors(network, program))
    if number > 1 << VECTOR.fields["number"].width:
        reasons.append(f"the program has {number} state vectors, the engine numbers "
                       f"{1 << VECTOR.fields['number'].width}")
    for op in walk(program.ops):
        loop = op.loop()
        if loop is not None and loop[0] >= 1 << CONTROL.fields["operand"].width:
            reasons.append(f"{describe(op)}: the engine repeats "
                           f"{(1 << CONTROL.fields['operand'].width) - 1} times at most")
    writes = sum(times * (len(vectors_written(op, network)) + len(scaled_factors(op))
                          + len(op.learns())) for op, times in trips(program.ops))
    if writes > 1 << 16:
        reasons.append(f"the program makes up to {writes} state-writing operations an image, the "
                       "engine counts 65536: use fewer steps")
    return reasons


def too_deep(config, used):
    """Memories that are too shallow for what is used of them, in words."""
    words = {"weight_depth": f"weight words of {config.width}",
             "state_depth": f"state words of {config.width}",
             "accumulator_depth": f"accumulator words of {config.width}",
             "event_depth": "input events an image"}
    return [f"needs {used[key]} {what}, the engine has {getattr(config, key)}"
            for key, what in words.items() if used[key] > getattr(config, key)]
