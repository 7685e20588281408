"""Assembler: a network and a program become instructions, descriptors and memory images."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from ...golden.errors import DoesNotFitError
from ...golden.network import Network
from ...golden.program import Program
from ..interface.config import EngineConfig, most_words
from ..interface.isa import Opcode, encode
from .capability import units_needed
from .hazards import mark_waits
from .placement import Placement, place
from .writer import Writer


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
    try:
        return _assembled(network, program, config, density)
    except DoesNotFitError as error:
        error.problem = network, program
        raise


def _assembled(network, program, config, density):
    placement = place(network, program, config, density)
    writer = Writer(network, config, placement)
    writer.emit(Opcode.IMAGE)
    writer.program(program.ops)
    writer.emit(Opcode.DONE)
    writer.announce()
    mark_waits(writer.instructions, 4 + config.update_latency)
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
    # Samples of the serial table unit are beside the weights.
    serial = fields.get("table_unit") == "serial" and fields["smooth"]
    words = most_words(lanes * fields.get("tiles", 1)) - (serial << 11)
    wide = EngineConfig(lanes=lanes, weight_depth=words, state_depth=1 << 12,
                        accumulator_depth=1 << 12, event_depth=1 << 14,
                        program_depth=1 << 12, descriptor_depth=256, **fields)
    made = assemble(network, program, wide, density)
    least = {"weight_depth": 64, "state_depth": 16, "accumulator_depth": 16, "event_depth": 64}
    depths = {name: max(least[name], 1 << max(0, used - 1).bit_length())
              for name, used in made.placement.used.items()}
    depths["program_depth"] = max(64, 1 << (len(made.instructions) - 1).bit_length())
    depths["descriptor_depth"] = max(32, 1 << (len(made.descriptors) - 1).bit_length())
    return wide.replace(**depths)
