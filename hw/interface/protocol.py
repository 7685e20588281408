"""Byte protocol of a board: the only definition of its numbers.

The gateware endpoint (:mod:`apical.hw.link.endpoint`), the Python side
(:mod:`apical.boards.host.frames`) and ``docs/protocol.md`` all read this file.  No Amaranth here:
the host side needs it too.
"""

from __future__ import annotations

from enum import IntEnum, IntFlag

from ..export.families import short_of_cells
from .isa import REGISTERS, SPACE_LOW, Space, lane_bits

#: Raised with every change of the frames; part of every answer (4 bits).
PROTOCOL_VERSION = 2

#: Begins a frame, wherever it comes; nothing else on the line has this value.
FLAG = 0x7E
#: The byte after it is exclusive-ored with `TURN`.
ESCAPE, TURN = 0x7D, 0x20

#: CRC-16 of everything between the flag and the CRC, most significant bit and byte first:
#: the keywords of :class:`amaranth.lib.crc.Algorithm`.
CRC = {"crc_width": 16, "polynomial": 0x1021, "initial_crc": 0xFFFF, "reflect_input": False,
       "reflect_output": False, "xor_output": 0}
CRC_BYTES = CRC["crc_width"] // 8

#: Bytes of a request before its payload: tag, operation, length - 1, address (low byte first).
HEADER = 6
#: Bytes of an answer before its data: tag, version and status, refusals.
ANSWER_HEADER = 3
#: Most bytes of payload or data in one frame.
PAYLOAD = 256
#: A tag is a session number (high half) and a sequence number (low half).
SEQUENCE_BITS = 4


class Part(IntFlag):
    """Bits of the operation byte."""

    WRITE = 1
    READ = 2
    WIDE = 4
    RUN = 8
    OPEN = 16
    STOP = 32


class Operation(IntEnum):
    """Operations that exist; any other byte is refused.  WIDE: words of 4 bytes instead of 2."""

    OPEN = Part.OPEN
    STOP = Part.STOP
    READ = Part.READ
    READ_WIDE = Part.READ | Part.WIDE
    WRITE = Part.WRITE
    WRITE_WIDE = Part.WRITE | Part.WIDE
    RUN = Part.WRITE | Part.RUN
    RUN_WIDE = Part.WRITE | Part.RUN | Part.WIDE


class Status(IntEnum):
    """What became of a request."""

    DONE = 0
    AGAIN = 1
    CRC = 2
    OPERATION = 3
    LENGTH = 4
    SEQUENCE = 5
    ABORTED = 6


#: What a person reads of each status.
MEANING = {
    Status.DONE: "carried out",
    Status.AGAIN: "had been carried out already; not done twice",
    Status.CRC: "refused: its checksum is wrong",
    Status.OPERATION: "refused: there is no such operation",
    Status.LENGTH: "refused: its length is no whole number of words",
    Status.SEQUENCE: "refused: it is not the next one of this session",
    Status.ABORTED: "given up: the next frame came while it was carried out",
}

#: Addresses that do not reach the host port: bytes of a packed image, and what they are scaled by.
PACKED, SCALE = 6 << SPACE_LOW, 7 << SPACE_LOW
#: Bits of the scale, and those of them after the point.
SCALE_BITS, SCALE_FRAC = 16, 8
assert PACKED >> SPACE_LOW not in list(Space) and SCALE >> SPACE_LOW not in list(Space)

#: Spaces whose addresses go on with lane 0 of the next word after the last lane; their words have
#: 2 bytes on the line, all others 4.
LANE_SPACES = (Space.STATE, Space.WEIGHTS, PACKED >> SPACE_LOW, SCALE >> SPACE_LOW)
assert all(space >> 2 == (space in LANE_SPACES) for space in range(8))
#: Registers whose values a RUN answers, in order of their numbers.
RESULTS = ("done", "prediction", "image_cycles", "image_steps", "signature", "writes",
           "saturations")
assert [REGISTERS[name].number for name in RESULTS] == list(
    range(REGISTERS[RESULTS[0]].number, REGISTERS[RESULTS[-1]].number + 1))


def next_addresses(address, lanes: int):
    """The address after one (or after each of an array), as a burst counts."""
    low = (1 << lane_bits(lanes)) - 1
    # The spaces made of lanes are the ones with the highest bit.
    turns = (address >> SPACE_LOW + 2 & 1) * ((address & low) == lanes - 1)
    return (address | turns * low) + 1 & (1 << SPACE_LOW + 3) - 1


def unpacks(config) -> bool:
    """Whether boards with this engine take packed images: those whose device has the room."""
    return not short_of_cells(config.primitives)
