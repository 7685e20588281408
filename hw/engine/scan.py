"""Scan of state words for rates: one item a cycle, lanes that are zero are skipped."""

from __future__ import annotations

from amaranth.hdl import Cat, Const, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

from ..interface.config import EngineConfig
from ..interface.isa import LANE_BITS, WORD
from ..primitives.portable import select_chunk
from .ports import (
    ChunkReadSignature,
    ItemSignature,
    ReadSignature,
    ScanSignature,
    Widths,
)

#: With more lanes than that, the lane picked is registered on its way to the address.
NEAR = 8


class WordScan(wiring.Component):
    """Fetches flags of state words, picks the lowest lane, reads its value; all words once a block.

    A pass that finds nothing gives one item of value 0, so that every sum is written.

    A tile scans its own lanes.

    Latency: 5 cycles from `start` to the first item, 6 with more than 8 lanes.
    Throughput: one item a cycle; a word takes at least 2.

    Parameters
    ----------
    config : EngineConfig
    number : int
        Which tile.

    Members
    -------
    scan : In(ScanSignature)
    mine : In(1), passed : Out(1)
        With several tiles: the turn to give items comes, and is handed on with the last one of a
        pass.  Tile 0, which has units if any has, comes last.
    flags : Out(ReadSignature), rates : Out(ChunkReadSignature)
        Which lanes of a word are not zero, and state chunks; latency 1.
    item : Out(ItemSignature)
        `other` is the value of the cycle before.
    """

    def __init__(self, config: EngineConfig, number=0):
        self.config, self.first = config, number * config.lanes
        widths = Widths(config)
        super().__init__({
            "scan": In(ScanSignature(config)),
            "flags": Out(ReadSignature(widths.states, config.lanes)),
            "rates": Out(ChunkReadSignature(widths.states, LANE_BITS, widths.chunk)),
            "item": Out(ItemSignature()), "mine": In(1), "passed": Out(1)})

    def elaborate(self, platform):
        m = Module()
        config = self.config
        lanes = config.lanes
        valid, last, word = Signal(), Signal(), Signal(len(self.flags.address))
        row = Signal(Widths(config).weights)
        mask, low, more = Signal(lanes), Signal(lanes), Signal()
        go = self.scan.go
        if config.serial_learning:
            # Goes on by itself where there is no item.
            go = go | ~(valid & (low.any() | last))
        take = Signal()
        ahead, ahead_mask, ahead_last, ahead_word = self._fetch(m, take)
        nothing, closes = ~(valid & (low.any() | last)), Const(1)
        if config.tiles > 1:
            turn, had = Signal(), Signal()
            closes = Const(int(self.first == 0))
            m.d.comb += [turn.eq(had | self.mine),
                         self.passed.eq(go & turn & valid & last & ~more)]
            m.d.sync += had.eq(turn & ~self.passed)
            with m.If(self.scan.start):
                m.d.sync += had.eq(int(self.first == config.width - config.lanes))
            there, go = valid & (low.any() | (last & closes)) & go & turn, go & (turn | nothing)
        # Pick side: one lane a cycle, the lowest first; `low` is the lowest one of `mask`.
        rest, coming = Signal(lanes), Signal(lanes)
        m.d.comb += rest.eq(mask & ~low)
        done = ~valid | ~more
        m.d.comb += [take.eq(ahead & done & go),
                     coming.eq(Mux(done, ahead_mask & ahead.replicate(lanes), rest))]
        with m.If(go):
            m.d.sync += [mask.eq(coming), low.eq(coming & ~(coming - 1)),
                         more.eq((coming & (coming - 1)).any())]
        with m.If(done & go):
            m.d.sync += valid.eq(0)
        with m.If(take):
            m.d.sync += [valid.eq(1), last.eq(ahead_last), word.eq(ahead_word),
                         row.eq(Mux(last, self.first, row + config.width))]
        with m.If(self.scan.start):
            m.d.sync += [last.eq(1), valid.eq(0)]
        # A pass without any rate gives one item of value 0: that of its lane 0.
        chosen = [Cat(*(low[lane] for lane in range(lanes) if lane >> bit & 1)).any()
                  for bit in range(max(1, ceil_log2(lanes)))]
        if config.tiles == 1:
            there = valid & (low.any() | last)
            if not config.serial_learning:
                there = there & go
        self._read(m, Cat(*chosen), there, last & ~more & closes, word, row)
        return m

    def _fetch(self, m, take):
        """The memory shows flags until they are in `ahead`, which waits until `take`.

        Returns (whether there are some, flags, whether they are the last of the pass, word).
        """
        scan, bits = self.scan, self.flags.address.shape()
        counted = max(self.config.state_depth, self.config.accumulator_depth).bit_length()
        fetching, arrived, fetch, next_last = (Signal(name=name) for name in (
            "fetching", "arrived", "fetch", "next_last"))
        passes, number, last_word = (Signal(counted, name=name) for name in (
            "passes", "number", "last_word"))
        tail, source = Signal(LANE_BITS + 1), Signal(bits)
        ahead, ahead_mask = Signal(), Signal(self.config.lanes)
        ahead_last, ahead_word = Signal(), Signal(bits)
        here = Signal(bits)
        m.d.comb += [here.eq(source + number), next_last.eq(number == last_word)]
        # Of two terms the flags of both words are read, one after the other.
        half, first = Signal(), Signal(self.config.lanes)
        both = Const(0) if not self.config.learning else scan.either & ~half
        m.d.comb += self.flags.address.eq(here)
        if self.config.learning:
            with m.If(half):
                m.d.comb += self.flags.address.eq(here + scan.apart)
            with m.If(arrived & both):
                m.d.sync += [half.eq(1), first.eq(self.flags.data)]
            with m.If(fetch | scan.start):
                m.d.sync += [half.eq(0), first.eq(0)]
        for lane in range(self.config.lanes):
            full = self.flags.data[lane] | first[lane]
            with m.If(fetch):
                m.d.sync += ahead_mask[lane].eq(full & (~next_last | (tail > self.first + lane)))
        m.d.comb += fetch.eq(arrived & fetching & ~both & (~ahead | take))
        m.d.sync += [arrived.eq(fetching & ~fetch & ~(arrived & both)),
                     ahead.eq(fetch | (ahead & ~take))]
        with m.If(fetch):
            m.d.sync += [ahead_last.eq(next_last), ahead_word.eq(here)]
            m.d.sync += number.eq(number + 1)
            with m.If(next_last):
                m.d.sync += [number.eq(0), passes.eq(passes - 1)]
                with m.If(passes == 1):
                    m.d.sync += fetching.eq(0)
        with m.If(scan.start):
            m.d.sync += [fetching.eq(scan.wanted), passes.eq(scan.blocks), number.eq(0),
                         source.eq(scan.source), last_word.eq(scan.source_blocks - 1),
                         tail.eq(scan.source_tail), arrived.eq(0), ahead.eq(0)]
        return ahead, ahead_mask, ahead_last, ahead_word

    def _read(self, m, lane, there, last, word, row):
        """Value of the lane picked, with its number in the vector."""
        second, item = self.scan.second, self.item
        if self.config.lanes > NEAR:  # far from the flags to the address otherwise
            lane, there, last, word, row_here, second = (
                _late(m, value, f"picked{i}") for i, value in
                enumerate((lane, there, last, word, row, second)))
        else:
            row_here = row
        places = ceil_log2(self.config.update_lanes)
        # Of two terms the second is read in the cycle before.
        m.d.comb += [self.rates.address.eq(word + Mux(second, self.scan.apart, 0)),
                     self.rates.number.eq(lane[places:])]
        value = select_chunk(self.rates.data, _late(m, lane[:places], "place"), WORD)
        m.d.comb += [item.value.eq(value), item.other.eq(_late(m, value, "other")),
                     item.index.eq(_late(m, (row_here + lane)[:len(row)], "index")),
                     item.valid.eq(_late(m, there, "valid_late")),
                     item.last.eq(_late(m, last, "last_late"))]


def _late(m, value, name):
    late = Signal(len(value), name=name)
    m.d.sync += late.eq(value)
    return late
