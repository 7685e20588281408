"""The host port, and what it reaches."""

from __future__ import annotations

from amaranth.lib.wiring import In, Out, Signature

from ...interface.isa import ADDRESS_BITS, INDEX, LANE_BITS, SPACE_LOW


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


class LaneAccessSignature(Signature):
    """A lane of a word, as the host port reads and writes it.

    Parameters
    ----------
    written, read : int
        Bits that are written, bits from which the host port selects the lane.
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
