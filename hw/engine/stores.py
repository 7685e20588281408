"""Memories of the engine with those who share them: who reads or writes in which cycle.

Cells and latencies are those of :mod:`apical.hw.engine.memory`; the stores add selection, and only
the registers that they name.
"""

from __future__ import annotations

from amaranth.hdl import Cat, Const, Module, Mux, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out, connect, flipped
from amaranth.utils import ceil_log2

from ..interface.config import EngineConfig
from ..interface.isa import LANE_BITS, WORD
from .memory import ChunkMemory, LaneMemory, WordMemory
from .ports import (
    ChunkReadSignature,
    CodeAccessSignature,
    DotSignature,
    GateSignature,
    LaneAccessSignature,
    ReadSignature,
    SideSignature,
    StateWriteSignature,
    UnitReadSignature,
    WeightUpdateSignature,
    Widths,
    WriteSignature,
    address_bits,
)


class CodeStore(wiring.Component):
    """Instructions and descriptors, which are never read in the same cycle: one memory.

    Latency: `code_latency` cycles from an address to `code`.

    Members
    -------
    host : In(CodeAccessSignature)
        The host reads and writes only while no image runs.
    program_address, descriptor_address : In
        Words wanted; `describing` says that it is the descriptor.
    code : Out(64)
    """

    def __init__(self, config: EngineConfig):
        self.config = config
        super().__init__({
            "host": In(CodeAccessSignature()),
            "program_address": In(address_bits(config.program_depth)),
            "descriptor_address": In(address_bits(config.descriptor_depth)),
            "describing": In(1), "code": Out(64)})

    def elaborate(self, platform):
        m = Module()
        config, host = self.config, self.host
        # Descriptors are stored from the other end on.
        bits = ceil_log2(config.program_depth + config.descriptor_depth)
        address = Signal(bits)
        place = host.address[1:bits + 1] ^ host.descriptor.replicate(bits)
        with m.If(host.reading):
            m.d.comb += address.eq(place)
        with m.Elif(self.describing):
            m.d.comb += address.eq(~self._sized(self.descriptor_address, bits))
        with m.Else():
            m.d.comb += address.eq(self.program_address)
        words = []
        for number, name in enumerate(("low", "high")):
            m.submodules[name] = half = WordMemory(
                32, 1 << bits, config.code_latency, config.primitives)
            m.d.comb += [half.read.address.eq(address), half.write.address.eq(place),
                         half.write.enable.eq(host.write & (host.address[0] == number)),
                         half.write.data.eq(host.data)]
            words.append(half.read.data)
        m.d.comb += [self.code.eq(Cat(*words)), host.code.eq(Cat(*words))]
        return m

    @staticmethod
    def _sized(value, bits):
        return Cat(value, Const(0, bits - len(value)))


class WeightStore(wiring.Component):
    """Weights: in memory in their own width, elsewhere in 16 bits.

    Latency: `weight_latency` cycles from an address to `word`.

    Members
    -------
    host : In(LaneAccessSignature)
        Writes whole words, the lane being the last one.
    address : In
        Word of the beat, or of the item, that is issued.
    word : Out(16 * P)
        Weights of whoever has the port.
    update : In(WeightUpdateSignature)
        Used by engines that learn.
    """

    def __init__(self, config: EngineConfig):
        self.config = config
        widths = Widths(config)
        super().__init__({
            "host": In(LaneAccessSignature(widths.word, widths.word)),
            "address": In(widths.weights), "word": Out(widths.word),
            "update": In(WeightUpdateSignature(config))})

    def elaborate(self, platform):
        m = Module()
        config, host, update = self.config, self.host, self.update
        width, lanes = config.weight.width, config.lanes
        m.submodules.memory = memory = WordMemory(
            width * lanes, config.weight_words, config.weight_latency, config.primitives)
        # Of one port there is one address.
        one = config.weight_ports == 1 and not config.pipelined_learning
        hosts = host.reading | host.write if one else host.reading
        m.d.comb += [
            memory.read.address.eq(Mux(hosts, host.address, self.address)),
            memory.write.address.eq(memory.read.address if one else host.address),
            memory.write.enable.eq(host.write)]
        new = host.data
        if config.serial_learning:
            with m.If(update.enable):
                m.d.comb += memory.write.enable.eq(1)
                if not one:
                    m.d.comb += memory.write.address.eq(self.address)
        elif config.learning:
            with m.If(update.busy):
                m.d.comb += memory.read.address.eq(update.read_address)
            with m.If(update.enable):
                m.d.comb += [memory.write.enable.eq(1), memory.write.address.eq(update.address)]
            new = Mux(update.enable, update.data, new)
        for lane in range(lanes):
            m.d.comb += [
                memory.write.data.word_select(lane, width).eq(new.word_select(lane, WORD)),
                self.word.word_select(lane, WORD).eq(
                    memory.read.data.word_select(lane, width).as_signed())]
        m.d.comb += [host.word.eq(self.word), update.word.eq(self.word)]
        return m


class StateStore(wiring.Component):
    """States in two copies, one read by words and one by chunks, and which of them are not 0.

    Latency: 1 cycle, of the chunks of the unit pipeline 2.

    Members
    -------
    host : In(LaneAccessSignature)
        Reads while no image runs; writes one lane where the unit pipeline does not write.
    units : In(UnitReadSignature), write : In(StateWriteSignature)
    flags : In(ReadSignature)
        Which lanes of a word are not 0.
    rates : In(ChunkReadSignature)
        Values of single lanes, while no elementwise operation issues.
    dot : In(DotSignature), side : In(SideSignature)
        Words of dot projections, and of a learning unit.
    word : Out(16 * lanes)
        The word that either asked for.
    """

    def __init__(self, config: EngineConfig):
        self.config = config
        widths = Widths(config)
        super().__init__({
            "host": In(LaneAccessSignature(WORD, widths.chunk)),
            "units": In(UnitReadSignature(config)), "write": In(StateWriteSignature(config)),
            "flags": In(ReadSignature(widths.states, config.lanes)),
            "rates": In(ChunkReadSignature(widths.states, LANE_BITS, widths.chunk)),
            "dot": In(DotSignature(config)), "side": In(SideSignature(config)),
            "word": Out(widths.word)})

    def elaborate(self, platform):
        m = Module()
        config = self.config
        lanes, quick, depth, family = (config.lanes, config.update_lanes, config.state_depth,
                                       config.primitives)
        m.submodules.words = words = LaneMemory(lanes, WORD, depth, family, quick)
        m.submodules.flags = flags = LaneMemory(lanes, 1, depth, family)
        m.submodules.chunks = chunks = ChunkMemory(lanes, quick, WORD, depth, family)
        connect(m, flipped(self.flags), flags.read)
        self._read_chunks(m, chunks)
        self._read_words(m, words)
        self._write(m, words, flags, chunks)
        return m

    def _read_chunks(self, m, chunks):
        """State b, rates of single lanes, and the host's reads."""
        host, units, rates, read = self.host, self.units, self.rates, chunks.read
        with m.If(host.reading):
            m.d.comb += [read.address.eq(host.address),
                         read.number.eq(host.lane >> ceil_log2(self.config.update_lanes))]
        with m.Elif(units.issuing):
            m.d.comb += [read.address.eq(units.b_address), read.number.eq(units.number)]
        with m.Else():
            m.d.comb += [read.address.eq(rates.address), read.number.eq(rates.number)]
        # Kept as its complement, which the subtraction after it wants.
        not_b = Signal(len(read.data), reset_less=True)
        m.d.sync += not_b.eq(~read.data)
        m.d.comb += [units.b.eq(~not_b), host.word.eq(read.data), rates.data.eq(read.data)]

    def _read_words(self, m, words):
        """State a, words of dot projections, lane sides of weight updates."""
        units, side, dot = self.units, self.side, self.dot
        address, chunk, wanted = (Mux(dot.wanted, dot.address, units.a_address), units.number,
                                  units.issuing)
        if self.config.learning:
            learning = Signal()
            m.d.sync += learning.eq(side.busy)
            address = Mux(learning, side.address, address)
            if self.config.serial_learning:
                chunk, wanted = Mux(learning, side.lane, chunk), wanted | learning
        m.d.comb += [
            words.read.address.eq(address), words.chunk.number.eq(chunk),
            words.chunk.wanted.eq(wanted), units.a.eq(words.chunk.data),
            self.word.eq(words.read.data)]

    def _write(self, m, words, flags, chunks):
        """Lanes of one chunk are written at a time, by the host one lane."""
        host, write, quick = self.host, chunks.write, self.config.update_lanes
        with m.If(self.write.taken):
            m.d.comb += [write.address.eq(self.write.address), write.number.eq(self.write.number),
                         write.enable.eq(self.write.enable), write.data.eq(self.write.data)]
        with m.Else():
            place = host.lane & (quick - 1)
            m.d.comb += [write.address.eq(host.address),
                         write.number.eq(host.lane >> ceil_log2(quick)),
                         write.enable.eq(host.write << place),
                         write.data.eq(host.data.replicate(quick))]
        full = [write.data.word_select(lane, WORD).any() for lane in range(quick)]
        m.d.comb += [words.write.address.eq(write.address), flags.write.address.eq(write.address),
                     flags.write.enable.eq(words.write.enable)]
        for lane in range(self.config.lanes):
            m.d.comb += [
                words.write.enable[lane].eq(write.enable[lane % quick]
                                            & (write.number == lane // quick)),
                words.write.data.word_select(lane, WORD).eq(
                    write.data.word_select(lane % quick, WORD)),
                flags.write.data[lane].eq(full[lane % quick])]


class SumStore(wiring.Component):
    """Accumulators, read by words (lanes) and by chunks (unit pipeline).

    Latency: 1 cycle, of chunks 2.

    Members
    -------
    lanes : In(ReadSignature), lanes_write : In(WriteSignature)
    units : In(ChunkReadSignature), units_issuing : In(1)
        The unit pipeline has the port while it issues.
    states : In(StateWriteSignature), gate : In(GateSignature)
        With the pipelined table unit only: the place that is written, and the currents that come
        there.
    """

    def __init__(self, config: EngineConfig):
        self.config = config
        widths = Widths(config)
        super().__init__({
            "lanes": In(ReadSignature(widths.sums, widths.sum_word)),
            "lanes_write": In(WriteSignature(widths.sums, widths.sum_word, config.lanes)),
            "units": In(ChunkReadSignature(widths.sums, LANE_BITS, widths.sum_chunk)),
            "units_issuing": In(1), "states": In(StateWriteSignature(config)),
            "gate": In(GateSignature(config))})

    def elaborate(self, platform):
        m = Module()
        config, units, states = self.config, self.units, self.states
        m.submodules.memory = memory = LaneMemory(
            config.lanes, config.accumulator_width, config.accumulator_depth, config.primitives,
            config.update_lanes)
        write = memory.write
        m.d.comb += [
            memory.read.address.eq(Mux(self.units_issuing, units.address, self.lanes.address)),
            memory.chunk.number.eq(units.number), memory.chunk.wanted.eq(self.units_issuing),
            self.lanes.data.eq(memory.read.data), units.data.eq(memory.chunk.data),
            write.enable.eq(self.lanes_write.enable),
            write.address.eq(self.lanes_write.address), write.data.eq(self.lanes_write.data)]
        if config.smooth and not config.serial_tables:
            quick = config.update_lanes
            # A slice of a shorter value would not be extended by its sign.
            gated = Signal(signed(config.accumulator_width))
            m.d.comb += gated.eq(self.gate.value << config.weight.frac)
            with m.If(self.gate.enable.any()):
                m.d.comb += [write.address.eq(states.address),
                             write.data.eq(gated.replicate(config.lanes))]
                for lane in range(config.lanes):
                    m.d.comb += write.enable[lane].eq(self.gate.enable[lane % quick]
                                                      & (states.number == lane // quick))
        return m
