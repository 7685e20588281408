"""What raw integers cannot do: every refusal that depends on number formats or on stored rates."""

from __future__ import annotations

import math

from ...errors import MisuseError
from ...network import Network
from ...numbers.addressed import BYTE_SUM_VARIANCE
from ...numbers.bounds import accumulator_bounds, force_bound
from ...numbers.formats import Format
from ...numbers.tables import LOGISTIC, samples
from ...program import (
    RATE,
    RATE_SHIFT,
    STATE,
    Difference,
    FlowRate,
    Learn,
    Program,
    Project,
    Relax,
    Residual,
    Sample,
    Snapshot,
    Update,
    describe,
    stored_rates,
    walk,
    written_vector,
)
from .weights import check_learning

#: Sums must stay below this for float64 to hold them (and their rounding addend) exactly.
EXACT = 1 << 52
#: Greatest multiplier of noise: a positive 16-bit word.
NOISE_MAX = 32767


def check_fixed(network: Network, program: Program, state: Format, weight: Format,
                update_frac: int):
    """Raise `MisuseError` for the first thing of a checked program that raw integers cannot do."""
    check_learning(network, program, state, update_frac)
    _check_rates(network, program)
    if stored_rates(network):
        samples(LOGISTIC, state)
    for op in walk(program.ops):
        check_operation(op, network, state, weight)
    bounds = accumulator_bounds(network, program, state, weight)
    forces = {(op.population, op.current): force_bound(op, 0, state, weight)
              for op in walk(program.ops) if isinstance(op, Update)}
    least = force_bound(Update(""), 0, state, weight)
    for key, bound in bounds.items():
        if bound + max(forces.get(key, 0), least) >= EXACT:
            raise MisuseError(f"accumulator '{key[1]}' of '{key[0]}' can reach {bound}, beyond "
                              "the exact range 2**52 of float64; use fewer weight or state bits")


def check_operation(op, network: Network, state: Format, weight: Format):
    """Raise `MisuseError` for an operation that these formats cannot do."""
    where = describe(op)
    if isinstance(op, Project) and op.shift > state.frac:
        raise MisuseError(f"{where}: shift {op.shift} leaves nothing of 1.0 in {state}")
    if isinstance(op, Residual) and op.share > weight.frac:
        raise MisuseError(f"{where}: share {op.share} is more than the {weight.frac} fraction "
                          "bits of the weights")
    if isinstance(op, Sample | FlowRate):
        try:
            samples(LOGISTIC, state)
        except MisuseError as error:
            raise MisuseError(f"{where}: {error}") from None
    if isinstance(op, FlowRate) and not state.signed:
        raise MisuseError(f"{where}: flow rates have both signs, states {state} have none")
    if isinstance(op, Update):
        _check_update(op, network, state, weight, where)


def _check_update(op, network, state, weight, where):
    if op.held is not None and op.nudge is not None:
        raise MisuseError(f"{where}: a held current and a nudge need two operands, an update has "
                          "one; nudge another population or hold no current")
    if op.gate and op.leak and op.slot != STATE and op.population in stored_rates(network):
        raise MisuseError(f"{where}: the gate of slot '{op.slot}' needs the state as well, which "
                          "runs in floating point only; use gate=False")
    if op.nudge is not None and op.nudge.shift > weight.frac:
        raise MisuseError(f"{where}: nudge shift {op.nudge.shift} is more than the {weight.frac} "
                          "fraction bits of the weights")
    if op.noise:
        noise_multiplier(op, state)


def noise_multiplier(op: Update, state: Format) -> int:
    """Multiplier m of the noise of an update, see :class:`~apical.golden.program.Update`.

    Raises
    ------
    MisuseError
        For noise too strong for a 16-bit multiplier.
    """
    deviation = op.noise * math.sqrt(2 * 2.0 ** -op.shift)
    scale = 2.0 ** (state.frac + RATE_SHIFT) / math.sqrt(BYTE_SUM_VARIANCE)
    multiplier = math.floor(deviation * scale + 0.5)
    if multiplier > NOISE_MAX:
        raise MisuseError(f"{describe(op)}: noise {op.noise:g} needs the multiplier {multiplier}, "
                          f"the greatest is {NOISE_MAX} (noise "
                          f"{NOISE_MAX / scale / math.sqrt(2 * 2.0 ** -op.shift):.3g}); use less "
                          "noise or fewer state fraction bits")
    return multiplier


def rates_read(op, network: Network):
    """Names of the populations whose rate an operation reads, in its order."""
    if isinstance(op, Project):
        return [network.projection(op.projection).source]
    if isinstance(op, Update) and op.nudge is not None and op.nudge.of_rate:
        return [op.population]
    if isinstance(op, Snapshot):
        pairs = [(op.population, op.source)]
    elif isinstance(op, Difference):
        pairs = op.operands
    elif isinstance(op, Learn):
        pairs = [pair for term in op.terms for pair in (term.rows, term.cols)]
    else:
        pairs = []
    return [name for name, slot in pairs if slot == RATE]


def _check_rates(network, program):
    """Rates must have been written before they are read."""
    missing = set(stored_rates(network))

    def follow(ops):
        for op in ops:
            where = f"program '{program.name}', {describe(op)}"
            for name in rates_read(op, network):
                population = network.population(name)
                if population.clamped and population.rate == "logistic":
                    raise MisuseError(f"{where}: '{name}' is clamped and logistic, its rate is not "
                                      "stored; give it the rates themselves as a hard population")
                if name in missing:
                    raise MisuseError(f"{where}: the rate of '{name}' is read before its state is "
                                      "written; begin with Clear or a sweep")
            if isinstance(op, Relax):
                before = set(missing)
                follow(op.body)
                if not op.steps:
                    missing.update(before)
            vector = written_vector(op)
            if vector is not None and vector[1] == STATE:
                missing.discard(vector[0])

    follow(program.ops)
