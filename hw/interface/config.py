"""Engine configurations: everything that is fixed when gateware is generated.

Networks, weights and programs are *not* here; they are loaded through the host port.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from dataclasses import dataclass, field

from ...golden.errors import MisuseError
from ...golden.numbers.formats import STATE, WEIGHT, Format
from ...golden.numbers.tables import MOST_FRAC, NAMES, SAMPLES
from ...golden.program import RATE_SHIFT, UPDATE_FRAC
from ..export.families import FAMILIES, one_port
from .isa import SPACE_LOW, WORD, lane_bits

#: Part of the configuration hash: raise it with every change of encoding, map or arithmetic.
ENGINE_VERSION = 2

PRIMITIVES = ("portable", *FAMILIES)
LEARN_UNITS = TABLE_UNITS = ("pipelined", "serial")
#: Bits of rounding below which the sum of a random word and two products leaves 32 bits in one
#: direction only, by less than a quarter of their range (`hw.engine.learn_serial`).
MOST_SERIAL_DROP = 29
#: Lanes of all tiles: what counts of lanes in descriptors hold.
MOST_LANES = 127
#: Values from one table of the serial table unit to the next, a power of two.
TABLE_STRIDE = 1 << SAMPLES.bit_length()


def most_words(lanes: int) -> int:
    """Words of so many lanes that host addresses reach."""
    return 1 << SPACE_LOW - lane_bits(lanes)


def _later(default):
    """A field that engines before it did not have, see `EngineConfig.hash`."""
    return field(default=default, metadata={"later": True})


@dataclass(frozen=True)
class EngineConfig:
    """Parameters of one engine.

    Parameters
    ----------
    lanes : int
        1..64: multipliers of a tile, and weights in its part of a word of the weight memory.
    update_lanes : int
        Q, a power of two, 1..lanes: units updated in one cycle by a tile.
    tiles : int
        1..8: parts of the device that hold `lanes` lanes each.  Lane l of a word is in tile
        ``l // lanes``; a word has P = tiles * lanes values, at most 127 (`width`).
    hop : int
        1..4: registers of everything that goes from the root to the tiles, and of everything that
        comes back.  One tile has none.
    state, weight : Format
        At most 16 bits each; the weight format needs at least 2 fraction bits.
    accumulator_width : int
        Bits of an accumulator, at most 48.
    weight_depth, state_depth, accumulator_depth : int
        Words of P values.
    event_depth : int
        Events of one input bank.
    input_banks : int
        2: the next image loads while one runs.  1: writes of inputs wait until it is done.
    program_depth, descriptor_depth : int
        Instructions; descriptors (at most 256).
    weight_ports : int
        2: weights can be read and written in one cycle.  1 (SPRAM): updates take turns.
    weight_latency, event_latency, code_latency, multiplier_latency : int
        Cycles of a read of weights, of events, of instructions, and of a product; what the
        primitives declare.
    update_latency : int
        Cycles of shift, sum and clip in the unit pipeline: 1 to 4, for a faster clock.
    change_depth : int
        Chunks of Q units in the queue of changes, by which loops of projections and updates run
        (:mod:`apical.hw.assembler.changes`); a power of two, or 0: there is no queue.
    key_ahead : bool
        Whether the key of a unit operation is mixed while the one before still waits for its first
        write: about 10 cycles less between short operations, for 32 registers.
    loop_counters : int
        Loops that may be nested, 1..4.
    diagnostics : bool
        Whether there are counters of multiplications and of all cycles, and instructions and
        descriptors can be read back (else they read 0; with its trace port an engine always
        counts).
    learning : bool
        Whether there is a learning unit: scaled factors, weight updates, random sign of beta.
    learn_unit : str
        Which one: ``"pipelined"`` updates a word of weights a cycle, ``"serial"`` one weight in
        about 20 cycles, for the smallest devices; it needs one update lane.
    update_frac : int
        Fraction bits of a weight's last place that scaled factors keep, see
        :class:`~apical.golden.program.Learn`.
    smooth : bool
        Whether there is a table unit: logistic rates and their slopes, probabilities, flow rates.
    noise : bool
        Whether there are random words of states: Langevin noise and (with `smooth`) sampling.
    table_unit : str
        Which table unit, and which source of random words of states: ``"pipelined"`` takes one unit
        a cycle, ``"serial"`` one in about 15 cycles, for the smallest devices.  The serial one
        keeps its samples in words of the weight memory beyond `weight_depth`; it needs one update
        lane, `key_ahead`, and where the engine learns the serial learning unit.
    gate : bool
        Serial table unit only: whether it multiplies currents by the slope of a logistic rate, for
        about 90 logic cells.
    primitives : str
        ``"portable"`` or the family whose cells are instanced.

    Raises
    ------
    MisuseError
        For a value outside its range.
    """

    lanes: int = 16
    update_lanes: int = 4
    state: Format = field(default=STATE)
    weight: Format = field(default=WEIGHT)
    accumulator_width: int = 40
    weight_depth: int = 1024
    state_depth: int = 32
    accumulator_depth: int = 32
    event_depth: int = 1024
    input_banks: int = 2
    program_depth: int = 128
    descriptor_depth: int = 64
    weight_ports: int = 2
    weight_latency: int = 2
    event_latency: int = 2
    code_latency: int = 2
    multiplier_latency: int = 2
    update_latency: int = 4
    change_depth: int = _later(0)
    key_ahead: bool = True
    loop_counters: int = 4
    diagnostics: bool = True
    learning: bool = False
    learn_unit: str = "pipelined"
    update_frac: int = UPDATE_FRAC
    smooth: bool = False
    noise: bool = False
    primitives: str = "portable"
    table_unit: str = _later("pipelined")
    gate: bool = _later(True)
    tiles: int = _later(1)
    hop: int = _later(1)

    def __post_init__(self):
        ranges = {"lanes": (1, 64), "update_lanes": (1, self.lanes),
                  "accumulator_width": (24, 48), "weight_depth": (2, most_words(self.width)),
                  "state_depth": (2, 1 << 12), "accumulator_depth": (2, 1 << 12),
                  "event_depth": (2, 1 << 14), "input_banks": (1, 2),
                  "program_depth": (2, 1 << 12),
                  "descriptor_depth": (2, 256), "weight_ports": (1, 2), "weight_latency": (1, 4),
                  "event_latency": (1, 2), "code_latency": (1, 2), "multiplier_latency": (1, 4),
                  "update_latency": (1, 4), "loop_counters": (1, 4), "tiles": (1, 8), "hop": (1, 4),
                  "change_depth": (0, 256)}
        for name, (low, high) in ranges.items():
            value = getattr(self, name)
            if not low <= value <= high:
                raise MisuseError(f"{name.replace('_', ' ')} is {value}; "
                                  f"it goes from {low} to {high}")
        if self.width > MOST_LANES:
            raise MisuseError(f"{self.tiles} tiles of {self.lanes} lanes are {self.width} lanes; "
                              f"an engine has {MOST_LANES} at most")
        if self.update_lanes & self.update_lanes - 1:
            raise MisuseError(f"update lanes is {self.update_lanes}; it must be a power of two")
        if self.change_depth & self.change_depth - 1:
            raise MisuseError(f"change depth is {self.change_depth}; it must be a power of two, "
                              "or 0")
        if self.change_depth and self.tiles > 1:
            raise MisuseError(f"the queue of changes works in one tile, not in {self.tiles}: set "
                              "change_depth to 0 or tiles to 1")
        for name in ("state", "weight"):
            fmt = getattr(self, name)
            if fmt.width > WORD or not fmt.signed:
                raise MisuseError(f"{name} format {fmt} is not a signed one of at most {WORD} "
                                  "bits")
        if not 2 <= self.weight.frac <= 15:
            raise MisuseError(f"weight format {self.weight} needs 2..15 fraction bits")
        if self.state.frac > self.state.width - 2:
            raise MisuseError(f"state format {self.state} cannot hold 1.0; "
                              f"use at most {self.state.width - 2} fraction bits")
        # The old weight and the random word share an accumulator, one above the other.
        needed = max(self.weight.width + self.drop, 32 + max(0, self.weight.frac - RATE_SHIFT)) + 1
        if self.learning and not 1 <= self.drop <= 32:
            raise MisuseError(f"update frac {self.update_frac} and {self.state.frac} state "
                              f"fraction bits make {self.drop} bits of rounding; it goes from 1 "
                              "to 32")
        if self.learning and self.weight.frac < 4:
            raise MisuseError(f"weight format {self.weight} is too coarse to learn; use 4 fraction "
                              "bits or an engine without learning")
        if self.learning and self.accumulator_width < needed:
            raise MisuseError(f"accumulator width {self.accumulator_width} is too little to learn; "
                              f"use {needed} bits or an engine without learning")
        if self.learn_unit not in LEARN_UNITS:
            raise MisuseError(f"unknown learning unit '{self.learn_unit}'; "
                              f"known: {', '.join(LEARN_UNITS)}")
        if self.serial_learning and self.update_lanes > 1:
            raise MisuseError(f"the serial learning unit needs 1 update lane, not "
                              f"{self.update_lanes}: set update_lanes to 1 or learn_unit to "
                              "pipelined")
        if self.serial_learning and self.tiles > 1:
            raise MisuseError(f"the serial learning unit works in one tile, not in {self.tiles}: "
                              "set tiles to 1 or learn_unit to pipelined")
        if self.serial_learning and self.drop > MOST_SERIAL_DROP:
            raise MisuseError(f"{self.drop} bits of rounding are too many for the serial learning "
                              f"unit, which adds up 32 bits; it takes {MOST_SERIAL_DROP} at most")
        if (self.learning and self.weight_ports == 2
                and one_port(self.primitives, self.weight_depth)):
            raise MisuseError(f"{self.weight_depth} words of weights are in SPRAM, which has one "
                              "port: set weight_ports to 1")
        if self.smooth and self.state.frac > MOST_FRAC:
            raise MisuseError(f"tables need states of at most {MOST_FRAC} fraction bits, "
                              f"{self.state} has {self.state.frac}; use an engine that is not "
                              "smooth")
        self._check_table_unit()
        if self.primitives not in PRIMITIVES:
            raise MisuseError(f"unknown primitives '{self.primitives}'; "
                              f"known: {', '.join(PRIMITIVES)}")

    def _check_table_unit(self):
        """Raise `MisuseError` for a table unit that this engine cannot have."""
        if self.table_unit not in TABLE_UNITS:
            raise MisuseError(f"unknown table unit '{self.table_unit}'; "
                              f"known: {', '.join(TABLE_UNITS)}")
        if not (self.gate or self.serial_tables):
            raise MisuseError("an engine without gate needs the serial table unit; set gate to "
                              "True or table_unit to serial")
        if not (self.serial_tables or self.serial_draws):
            return
        wanted = [f"{what}, not {has}" for what, has, holds in (
            ("1 update lane", self.update_lanes, self.update_lanes == 1),
            ("1 tile", self.tiles, self.tiles == 1),
            ("key_ahead", self.key_ahead, self.key_ahead),
            ("the serial learning unit", self.learn_unit, not self.pipelined_learning),
            (f"weights of the {self.state.width} bits of a state or more", self.weight,
             not self.smooth or self.weight.width >= self.state.width)) if not holds]
        most = most_words(self.width)
        if self.weight_words > most:
            wanted.append(f"{self.weight_words - self.weight_depth} words of weights for its "
                          f"samples, not {self.weight_depth} of {most} for others")
        if wanted:
            raise MisuseError(f"the serial table unit needs {wanted[0]}; or set table_unit to "
                              "pipelined")

    def to_dict(self) -> dict:
        """Plain values by field name, formats as text."""
        plain = {}
        for item in dataclasses.fields(self):
            value = getattr(self, item.name)
            plain[item.name] = str(value) if isinstance(value, Format) else value
        return plain

    @classmethod
    def from_dict(cls, plain: dict) -> EngineConfig:
        """The configuration that :meth:`to_dict` described."""
        known = {item.name for item in dataclasses.fields(cls)}
        foreign = sorted(set(plain) - known)
        if foreign:
            raise MisuseError(f"unknown engine parameter '{foreign[0]}'")
        values = dict(plain)
        for name in ("state", "weight"):
            if name in values:
                values[name] = Format.parse(values[name])
        return cls(**values)

    @property
    def width(self) -> int:
        """P: lanes of all tiles, and values in a word."""
        return self.tiles * self.lanes

    @property
    def hops(self) -> int:
        """Registers between the root and a tile, each way."""
        return self.hop if self.tiles > 1 else 0

    @property
    def plain(self) -> bool:
        """Whether a vector can be added to a force as it is: held currents, branch errors."""
        return self.learning or self.smooth

    @property
    def serial_learning(self) -> bool:
        """Whether weights are updated one at a time."""
        return self.learning and self.learn_unit == "serial"

    @property
    def pipelined_learning(self) -> bool:
        """Whether weights are updated by words, in the lanes."""
        return self.learning and not self.serial_learning

    @property
    def serial_tables(self) -> bool:
        """Whether functions are looked up for one unit at a time, with parts of other units."""
        return self.smooth and self.table_unit == "serial"

    @property
    def pipelined_tables(self) -> bool:
        """Whether functions are looked up for one unit a cycle."""
        return self.smooth and not self.serial_tables

    @property
    def serial_draws(self) -> bool:
        """Whether random words of states are made one at a time, with parts of other units."""
        return self.noise and self.table_unit == "serial"

    @property
    def serial_table_unit(self) -> bool:
        """Whether the unit pipeline stands still for each unit of an operation of the table unit.

        Such engines, and those with the serial learning unit, have one shared multiplier with its
        sum (:class:`apical.hw.engine.product.ProductSum`).
        """
        return self.serial_tables or self.serial_draws

    @property
    def shared_product(self) -> bool:
        """Whether there is a multiplier with its sum that serial units share."""
        return self.serial_learning or self.serial_table_unit

    @property
    def table_lanes(self) -> int:
        """Lanes of a weight word that hold samples of the serial table unit, a power of two."""
        return 1 << self.lanes.bit_length() - 1

    @property
    def table_base(self) -> int:
        """First word of the weight memory that holds samples of the serial table unit."""
        unit = (1 << (len(NAMES) * TABLE_STRIDE - 1).bit_length()) // self.table_lanes
        return -(-self.weight_depth // unit) * unit

    @property
    def weight_words(self) -> int:
        """Words of the weight memory: weights, then samples of the serial table unit."""
        if not self.serial_tables:
            return self.weight_depth
        return self.table_base + len(NAMES) * TABLE_STRIDE // self.table_lanes

    @property
    def drop(self) -> int:
        """Bits that a weight update rounds away."""
        return self.state.frac + self.update_frac

    @property
    def hash(self) -> str:
        """Eight hexadecimal digits that name configuration and engine version.

        Fields that came later (`_later`) count where they are not at their default, so that engines
        without what they add keep their names.
        """
        plain = self.to_dict()
        for item in dataclasses.fields(self):
            if item.metadata.get("later") and getattr(self, item.name) == item.default:
                del plain[item.name]
        text = json.dumps({"engine": ENGINE_VERSION, **plain}, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:8]

    def replace(self, **changes) -> EngineConfig:
        """A copy with some fields changed."""
        return dataclasses.replace(self, **changes)


def __getattr__(name):
    """`PRESETS`, `preset` and `FINE`, which :mod:`.presets` has, by the names they had here."""
    if name in ("FINE", "PRESETS", "preset"):
        from . import presets

        return getattr(presets, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
