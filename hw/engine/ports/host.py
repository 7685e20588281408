"""The host port, and what it reaches."""

from __future__ import annotations

from amaranth.lib.wiring import In, Out, Signature

from ...interface.config import EngineConfig
from ...interface.isa import ADDRESS_BITS, INDEX, LANE_BITS, SPACE_LOW, WORD


class HostSignature(Signature):
    """Host port, see :mod:`apical.hw.engine.host`: requests, and answers to reads."""

    def __init__(self):
        super().__init__({
            "valid": Out(1), "write": Out(1), "address": Out(ADDRESS_BITS), "write_data": Out(32),
            "ready": In(1), "read_valid": In(1), "read_data": In(32)})


class RegisterSignature(Signature):
    """Registers as the host port reads and writes them; `value` follows 1 cycle later."""

    def __init__(self):
        super().__init__({"number": Out(5), "write": Out(1), "data": Out(32), "value": In(32)})


class CodeAccessSignature(Signature):
    """Instructions and descriptors (`descriptor`), of which the host writes halves.

    Bit 0 of `address` says which half.  While `reading`, the memory is the host's.
    """

    def __init__(self):
        super().__init__({"reading": Out(1), "write": Out(1), "descriptor": Out(1),
                          "address": Out(SPACE_LOW), "data": Out(32), "code": In(64)})


class LaneSignature(Signature):
    """A lane of states or of weights, as the host port reads and writes it.

    Members
    -------
    reading : Out(1)
        The memory is the host's.
    tiles : Out
        Whose lane it is, one bit a tile.
    lane, address : Out
        Lane of that tile, and word.
    write, shift : Out(1), data : Out(16)
        Write it; of weights `shift` takes the lane, and `write` stores the lanes of the tile.
    value : In(16)
        The lane, two cycles after its number.
    """

    def __init__(self, config: EngineConfig):
        super().__init__({"reading": Out(1), "tiles": Out(config.tiles), "lane": Out(LANE_BITS),
                          "address": Out(SPACE_LOW - LANE_BITS), "write": Out(1), "shift": Out(1),
                          "data": Out(WORD), "value": In(WORD)})


class LaneAccessSignature(Signature):
    """A lane of a word, as the memories of a tile see the host.

    Parameters
    ----------
    written, read : int
        Bits that are written, bits from which the lane is selected.
    """

    def __init__(self, written: int, read: int):
        super().__init__({"reading": Out(1), "write": Out(1), "lane": Out(LANE_BITS),
                          "address": Out(SPACE_LOW - LANE_BITS), "data": Out(written),
                          "word": In(read)})


class RunSignature(Signature):
    """What the registers ask of the sequencer, and what it reports.

    Members
    -------
    start : Out(1), images : Out
        Run that many images, each as soon as its input bank is committed.
    commit : Out(1)
        The next input bank is loaded.
    seed, image : Out(32)
        Session seed and number of this image.
    active : In(1)
        An image is running.
    begin, finish : In(1)
        Pulses at start accepted and done.
    bank : In(1), ready : In(2), started : In(1)
        Input bank of the next image, banks committed, whether there are images to run.
    stepped : In(1)
        Pulse: a loop step ended.
    """

    def __init__(self):
        super().__init__({
            "start": Out(1), "images": Out(INDEX), "commit": Out(1), "seed": Out(32),
            "image": Out(32), "active": In(1), "begin": In(1), "finish": In(1), "bank": In(1),
            "ready": In(2), "started": In(1), "stepped": In(1)})


class CountSignature(Signature):
    """How many values are written in a cycle, and how many of them were clipped."""

    def __init__(self):
        super().__init__({"written": Out(LANE_BITS + 1), "clipped": Out(LANE_BITS + 1)})
