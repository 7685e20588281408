"""Presets: engine configurations sized for the devices of boards."""

from __future__ import annotations

from ...golden.errors import MisuseError
from ...golden.numbers.formats import Format
from .config import EngineConfig
from .isa import WORD

#: Weights of boards: fine enough to learn, which small weights of 12 fraction bits do worse.
FINE = Format(WORD, 14)

# 4 lanes of 16 bits are exactly the four SPRAM of the UP5K.  Block RAM: sums 10, events 8, code 4,
# states 4 + 2; a second input bank would take 8 more of the 30.  38 bits are what 784 inputs need.
_ICEBREAKER = EngineConfig(
    lanes=4, update_lanes=1, accumulator_width=38, weight=FINE, weight_depth=16384,
    state_depth=128, accumulator_depth=128, event_depth=1024, input_banks=1, program_depth=128,
    descriptor_depth=64, weight_ports=1, weight_latency=1, event_latency=1, code_latency=1,
    multiplier_latency=1, update_latency=1, key_ahead=False, loop_counters=2, diagnostics=False,
    primitives="ice40")
# One weight at a time leaves room for the keys.
_LEARNING = _ICEBREAKER.replace(learning=True, learn_unit="serial", key_ahead=True)
# Samples of the tables are weights.  Instructions and descriptors share 256 words.
_SERIAL = _LEARNING.replace(table_unit="serial", weight_depth=15872, program_depth=172,
                            descriptor_depth=84)
# 22 lanes: 64 hidden units are 3 blocks, and 2,560 words are 50 of the 56 block RAMs; events take
# 4, code 2.  A cell of LUT RAM has 16 words.
_ULX3S_25F = EngineConfig(
    lanes=22, update_lanes=4, accumulator_width=38, weight=FINE, weight_depth=2560,
    state_depth=16, accumulator_depth=16, event_depth=1024, program_depth=128,
    descriptor_depth=64, change_depth=32, loop_counters=2, diagnostics=False, primitives="ecp5")
# Weight updates keep snapshots: 16 words of states hold those of 64 hidden units because they share
# them, and because targets have one bank.  32 words would take 1,900 logic cells more, and a line
# brings images a hundred times more slowly than they are run.
_ULX3S_LEARNING = _ULX3S_25F.replace(input_banks=1, learning=True)

#: Configurations sized for devices, by board name.
PRESETS = {
    "icebreaker": _ICEBREAKER,
    "icebreaker-learning": _LEARNING,
    # Ghosts that learn take 179 instructions, and 74 descriptors.  Their rates, up to 1/2, leave
    # scaled factors 4 bits of fraction.
    "icebreaker-ghosts": _SERIAL.replace(smooth=True, update_frac=4, program_depth=180,
                                         descriptor_depth=76),
    # The gate of currents, which no system has need of, does not fit beside random words.
    "icebreaker-sampling": _SERIAL.replace(smooth=True, noise=True, update_frac=4, gate=False),
    "icebreaker-langevin": _SERIAL.replace(noise=True),
    "ulx3s-25f": _ULX3S_25F,
    "ulx3s-25f-learning": _ULX3S_LEARNING,
    # Every unit: 13 lanes leave it cells, and 64 hidden units are 5 blocks.
    "ulx3s-25f-full": _ULX3S_LEARNING.replace(
        lanes=13, weight_depth=4096, state_depth=32, accumulator_depth=32, program_depth=256,
        descriptor_depth=128, loop_counters=4, update_frac=4, smooth=True, noise=True),
    # Two tiles of the 25F: 132 hidden units are 3 blocks of 44 lanes, and the 2,560 words of both
    # tiles are 100 of the 108 block RAMs.
    "ulx3s-45f": _ULX3S_LEARNING.replace(tiles=2, change_depth=0, loop_counters=4),
    # Four of them: 256 hidden units are 3 blocks of 88 lanes, and the words are 200 of the 208
    # block RAMs.
    "ulx3s-85f": _ULX3S_LEARNING.replace(tiles=4, change_depth=0, loop_counters=4),
}

# The GW1NR-9 has 26 block RAMs: 16 of weights, events 2, code 2, the endpoint 1.  Its LUT RAM is
# 270 cells of 16 words of 4 bits; lanes of 32 words would take so much of it that the rest is hard
# to place.
_TANG_NANO_9K = _ULX3S_25F.replace(
    lanes=4, update_lanes=1, weight_depth=4096, input_banks=1, change_depth=0, learning=True,
    learn_unit="serial", primitives="gowin")
# The GW2AR-18 has 46 block RAMs: 32 of weights, events 2, code 2, the endpoint 1.
_TANG_NANO_20K = _ULX3S_LEARNING.replace(lanes=8, weight_depth=4096, state_depth=32,
                                         accumulator_depth=32, change_depth=0,
                                         primitives="gowin")
PRESETS |= {"tang-nano-9k": _TANG_NANO_9K, "tang-nano-20k": _TANG_NANO_20K}


def preset(name: str) -> EngineConfig:
    """The preset of that name; `MisuseError` lists the known ones."""
    if name not in PRESETS:
        raise MisuseError(f"unknown preset '{name}'; known: {', '.join(PRESETS)}")
    return PRESETS[name]
