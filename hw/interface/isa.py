"""Instruction encoding, descriptors and register map: the only definition of each.

The assembler, the gateware, the host driver and the documentation all read these tables.
No Amaranth here: the host side needs the map too.

An instruction and a descriptor are 64 bits each.  Operands of instructions are numbers of
descriptors; the assembler writes both, the engine computes no address but by counting.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

#: Bits of a value in the engine: state, weight, rate, factor.
WORD = 16
#: Bits of the number of a unit, of a count of operations and of the base of a vector.
INDEX = 16


@dataclass(frozen=True)
class Field:
    """A bit field of a 64-bit word."""

    name: str
    low: int
    width: int
    meaning: str

    @property
    def high(self) -> int:
        return self.low + self.width - 1


class Layout:
    """Named fields of a 64-bit word: encode, decode, and a table for the documentation.

    Parameters
    ----------
    name : str
    fields : Field ...
    """

    def __init__(self, name, *fields):
        self.name = name
        self.fields = {field.name: field for field in fields}
        used = 0
        for field in fields:
            bits = ((1 << field.width) - 1) << field.low
            assert not used & bits and field.high < 64, f"{name}.{field.name} overlaps"
            used |= bits

    def encode(self, **values) -> int:
        """Pack values; fields not named are 0.

        Raises
        ------
        ValueError
            For an unknown field or a value that does not fit.
        """
        word = 0
        for name, value in values.items():
            if name not in self.fields:
                raise ValueError(f"{self.name} has no field '{name}'")
            field = self.fields[name]
            if not 0 <= int(value) < 1 << field.width:
                raise ValueError(f"{self.name}.{name} = {value} does not fit {field.width} bits")
            word |= int(value) << field.low
        return word

    def decode(self, word: int) -> dict:
        """Values of all fields."""
        return {name: word >> field.low & (1 << field.width) - 1
                for name, field in self.fields.items()}

    def mask(self, **widths) -> int:
        """Bits of all fields, of those named only so many of the lowest."""
        bits = 0
        for name, field in self.fields.items():
            width = min(field.width, widths.get(name, field.width))
            bits |= ((1 << width) - 1) << field.low
        return bits

    def slice(self, word, name):
        """The field of an Amaranth value (or of anything that slices)."""
        field = self.fields[name]
        return word[field.low:field.low + field.width]


class Opcode(IntEnum):
    """Instructions; numbers from 8 on belong to learning."""

    DONE = 0
    IMAGE = 1
    REPEAT = 2
    LOOP = 3
    PROJECT = 4
    UNIT = 5
    LEARN = 8
    RESEED = 9
    FACTOR = 10


class Mode(IntEnum):
    """What a UNIT instruction does with each unit."""

    RELAX = 0
    ASSIGN = 1
    COPY = 2
    CLEAR = 3
    DECIDE = 4
    SUBTRACT = 5
    SCALE = 6


class Post(IntEnum):
    """What becomes of the value z of a UNIT instruction before it is written, one unit a cycle."""

    NONE = 0
    LOGISTIC = 1
    DRAW = 2
    THRESHOLD = 3
    FLOW = 4
    GATE = 5


class Kind(IntEnum):
    """Where a vector lives."""

    STATE = 0
    EVENT = 1
    CONSTANT = 2
    CHANGES = 3


class Limits(IntEnum):
    """Clip range of a vector."""

    UNIT = 0
    SYMMETRIC = 1
    FORMAT = 2


_OPCODE = Field("opcode", 0, 4, "operation, see the table of opcodes")
#: What an instruction waits for, beside the issue of its own unit.
_AFTER = (Field("after_projections", 46, 1, "wait until projections in flight have retired"),
          Field("after_units", 47, 1, "wait until elementwise operations in flight have retired"))

CONTROL = Layout(
    "control", _OPCODE,
    Field("loop", 8, 2, "REPEAT, LOOP: number of the loop counter"),
    Field("until", 10, 1, "LOOP: leave when the step moved nothing by more than the "
                             "threshold; REPEAT: such a loop begins"),
    Field("threshold", 16, 16, "LOOP: largest |du| of a settled step, raw"),
    Field("operand", 48, 16, "REPEAT: times; LOOP: instruction number of the body; RESEED: "
                             "count of draws; FACTOR: of noise"))

PROJECT = Layout(
    "project", _OPCODE, *_AFTER,
    Field("dot", 5, 1, "0 broadcast direction (lanes are targets), 1 dot direction"),
    Field("negative", 6, 1, "subtract instead of add"),
    Field("started", 7, 1, "start from accumulator c instead of 0"),
    Field("a", 8, 8, "vector of rates"),
    Field("b", 16, 8, "matrix"),
    Field("c", 24, 8, "accumulator to start from"),
    Field("t", 32, 8, "accumulator to write"),
    Field("held", 40, 1, "the last item waits until the next elementwise operation is issued"),
    Field("next", 48, 8, "vector number of the next elementwise operation"),
    Field("ahead", 56, 1, "mix its key already"))

UNIT = Layout(
    "unit", _OPCODE, *_AFTER,
    Field("mode", 5, 3, "see the table of modes"),
    Field("a", 8, 8, "vector that is read (the state u)"),
    Field("b", 16, 8, "second vector: target of the nudge, or subtrahend"),
    Field("c", 24, 8, "accumulator"),
    Field("t", 32, 8, "vector that is written"),
    Field("nudge", 40, 1, "add beta (b - a)"),
    Field("nudge_negative", 41, 1, "beta is negative"),
    Field("plain", 42, 1, "the nudge is beta b: a held current, or a share of the state"),
    Field("by_sign", 43, 1, "multiply beta (SCALE: the factor) by the sign drawn for the image"),
    Field("negate", 44, 1, "write minus the rounded value"),
    Field("silent", 45, 1, "an operand in the making: not counted, not signed, not traced"),
    Field("shift", 48, 3, "step: eps = 2**(1 - shift)"),
    Field("nudge_shift", 51, 4, "beta = 2**(nudge_shift - weight fraction bits)"),
    Field("post", 55, 3, "see the table of functions; GATE writes accumulator t"),
    Field("draws", 58, 1, "a random word for each unit"),
    Field("noisy", 59, 1, "add noise"),
    Field("changes", 60, 1, "put what changes into the queue of changes"),
    Field("whole", 61, 1, "put whole values there, as if they had been 0"))

LEARN = Layout(
    "learn", _OPCODE, *_AFTER,
    Field("a", 8, 8, "scalar-side vector of term 0"),
    Field("b", 16, 8, "matrix"),
    Field("c", 24, 8, "lane-side vector of term 0"),
    Field("t", 32, 8, "lane-side vector of term 1"),
    Field("turned", 40, 1, "the lane side are the rows of the matrix"),
    Field("two", 41, 1, "two terms, else one"),
    Field("negative", 42, 2, "subtract term 0 (bit 0), term 1 (bit 1)"),
    Field("silent", 45, 1, "a second place of weights: not counted, not signed, not traced"),
    Field("other", 48, 16, "base of the scalar-side vector of term 1"))

_BASE = Field("base", 0, 16, "first word (EVENT: first event; CONSTANT: the raw value or factor)")
_BLOCKS = Field("blocks", 16, 10, "words of P values")
_TAIL = Field("tail", 26, 7, "values in the last word, 1..P")

VECTOR = Layout(
    "vector", _BASE, _BLOCKS, _TAIL,
    Field("kind", 33, 2, "STATE, EVENT, CONSTANT or CHANGES"),
    Field("banked", 35, 1, "the second input bank is `blocks` words further"),
    Field("limits", 36, 2, "clip range: UNIT, SYMMETRIC or FORMAT"),
    Field("number", 38, 8, "vector number, enters the signature"))

ACCUMULATOR = Layout("accumulator", _BASE, _BLOCKS, _TAIL)

MATRIX = Layout(
    "matrix", _BASE, _BLOCKS, _TAIL,
    Field("rows", 33, 16, "words of one block: size of the scalar side"),
    Field("number", 49, 8, "128 + matrix number, enters random words and the signature"))

EVENT = Layout(
    "event",
    Field("value", 0, 16, "raw rate"),
    Field("index", 16, 15, "unit"),
    Field("last", 31, 1, "last event of the list; an empty list is one event of value 0"))

INSTRUCTIONS = {Opcode.DONE: CONTROL, Opcode.IMAGE: CONTROL, Opcode.REPEAT: CONTROL,
                Opcode.LOOP: CONTROL, Opcode.PROJECT: PROJECT, Opcode.UNIT: UNIT,
                Opcode.LEARN: LEARN, Opcode.RESEED: CONTROL,
                Opcode.FACTOR: CONTROL}


class Space(IntEnum):
    """Address spaces of the host port: bits 23..21 of an address."""

    REGISTERS = 0
    PROGRAM = 1
    DESCRIPTORS = 2
    EVENTS = 3
    STATE = 4
    WEIGHTS = 5


ADDRESS_BITS = 24
SPACE_LOW = 21
LANE_BITS = 6


def lane_bits(lanes: int) -> int:
    """Bits of the lane in the address of a word of that many values."""
    return max(LANE_BITS, (lanes - 1).bit_length())


def address(space: Space, offset: int = 0) -> int:
    """Host address of an offset in a space."""
    return int(space) << SPACE_LOW | offset


def lane_address(space: Space, word: int, lane: int, lanes=1 << LANE_BITS) -> int:
    """Host address of one lane of a word of `lanes` values (STATE, WEIGHTS)."""
    return address(space, word << lane_bits(lanes) | lane)


SPACES = {
    Space.REGISTERS: "register number",
    Space.PROGRAM: "instruction number * 2 + half (0: low 32 bits)",
    Space.DESCRIPTORS: "descriptor number * 2 + half (0: low 32 bits)",
    Space.EVENTS: "bank * event depth + event number; write only",
    Space.STATE: "word * 64 + lane; with more than 64 lanes word * 128 + lane",
    Space.WEIGHTS: "as of states; lanes of a word are written in order, the last one of a tile "
                   "stores those of the tile",
}


@dataclass(frozen=True)
class Register:
    """One 32-bit register of the host port."""

    name: str
    number: int
    access: str
    meaning: str

    @property
    def address(self) -> int:
        return address(Space.REGISTERS, self.number)


_REGISTERS = (
    ("identity", "r", "0x4150494C ('APIL')"),
    ("version", "r", "engine version"),
    ("config_hash", "r", "hash of the configuration"),
    ("shape", "r", "lanes in bits 7..0, update lanes in bits 15..8"),
    ("start", "w", "number of images to run; the engine runs one as soon as its bank is committed"),
    ("commit", "w", "any value: the next input bank is loaded"),
    ("status", "r", "bit 0 busy, bit 1 input bank the next image takes, bits 3..2 banks committed"),
    ("seed", "rw", "seed of signature keys and random words"),
    ("image", "rw", "number of the next image"),
    ("done", "rw", "images finished; any write clears"),
    ("prediction", "r", "class decided last"),
    ("image_cycles", "r", "cycles of the running or the last image, from start accepted to done"),
    ("image_steps", "r", "relaxation steps of the running or the last image"),
    ("signature", "rw", "sum of mixed state writes, modulo 2**32; any write clears"),
    ("writes", "rw", "scalar state values written, modulo 2**32; any write clears"),
    ("saturations", "rw", "values clipped when written, modulo 2**32; any write clears"),
    ("mac_useful", "rw", "lane-cycles with a real weight, modulo 2**32; any write clears"),
    ("mac_cycles", "rw", "cycles from first issue of a projection to the next operation; "
                         "any write clears"),
    ("cycles", "rw", "cycles of all images, modulo 2**32; any write clears"),
)

REGISTERS = {name: Register(name, number, access, meaning)
             for number, (name, access, meaning) in enumerate(_REGISTERS)}

IDENTITY = 0x4150494C


def encode(opcode: Opcode, **values) -> int:
    """One instruction as a 64-bit word."""
    return INSTRUCTIONS[opcode].encode(opcode=opcode, **values)


def decode(word: int):
    """(opcode, field values) of an instruction word.

    Raises
    ------
    ValueError
        For an opcode that does not exist.
    """
    opcode = Opcode(word & 15)
    values = INSTRUCTIONS[opcode].decode(word)
    del values["opcode"]
    return opcode, values


def disassemble(words) -> list[str]:
    """One line an instruction: number, mnemonic, and every field that is not zero."""
    lines = []
    for number, word in enumerate(words):
        opcode, values = decode(int(word))
        if opcode == Opcode.UNIT:
            values["mode"] = Mode(values["mode"]).name.lower()
        shown = " ".join(f"{name}={value}" for name, value in values.items() if value)
        lines.append(f"{number:4}  {opcode.name.lower():8}{shown}".rstrip())
    return lines
