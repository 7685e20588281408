"""Tuned cells beside their portable forms, under the same random stimulus, in one simulation.

The bench has the host port of an engine, so that the common player drives it: reads of address i
tell how many cycles pair i disagreed, reads of address 255 how many comparisons there were.
"""

import tempfile
from pathlib import Path

import numpy as np
from amaranth.hdl import Array, Cat, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.utils import ceil_log2

from apical.hw.engine.counter import Accumulator
from apical.hw.engine.engine import HOST_MEMBERS
from apical.hw.engine.lanes import Multiplier
from apical.hw.engine.memory import ChunkMemory, LaneMemory, WordMemory
from apical.hw.engine.product import ProductSum
from apical.sim.bench import commands
from apical.sim.bench.harness import component_ports, component_verilog, harness
from apical.sim.simulators.netlist import with_models
from apical.sim.simulators.runner import build


class Pairs(wiring.Component):
    """`pairs` is a list of functions: family name -> component."""

    def __init__(self, pairs, family):
        self.pairs, self.family = pairs, family
        super().__init__(dict(HOST_MEMBERS))

    def elaborate(self, platform):
        m = Module()
        self.random = Signal(64, init=0x9E3779B97F4A7C15)
        x = self.random
        x = x ^ (x << 13)[:64]
        x = x ^ (x >> 7)
        m.d.sync += self.random.eq(x ^ (x << 17)[:64])
        counts = [Signal(16, name=f"count{i}") for i in range(len(self.pairs))]
        compared = Signal(32)
        total = 0
        for i, make in enumerate(self.pairs):
            tuned, portable = make(self.family), make("portable")
            m.submodules[f"tuned{i}"], m.submodules[f"portable{i}"] = tuned, portable
            stimulate = {Multiplier: self.multiply, Accumulator: self.accumulate,
                         ProductSum: self.sum_up}.get(type(tuned), self.access)
            different, valid = stimulate(m, tuned, portable, i)
            m.d.sync += counts[i].eq(counts[i] + different)
            total = total + valid
        m.d.sync += compared.eq(compared + total)
        pending = Signal()
        m.d.comb += self.host_ready.eq(~pending)
        m.d.sync += [pending.eq(self.host_valid & ~self.host_write & ~pending),
                     self.host_read_valid.eq(pending)]
        address = Signal(8)
        with m.If(self.host_valid & ~pending):
            m.d.sync += address.eq(self.host_address)
        m.d.sync += self.host_read_data.eq(Mux(address == 255, compared, Array(counts)[address]))
        return m

    def multiply(self, m, tuned, portable, i):
        word = self.random.rotate_left(7 * i)
        extreme = Array([-32768, 32767, 0, -1])
        a, b = Signal(16, name=f"a{i}"), Signal(17, name=f"b{i}")
        m.d.comb += [a.eq(Mux(word[40], extreme[word[41:43]], word[:16])),
                     b.eq(Mux(word[43], Mux(word[44], 32768, -32768), word[16:32].as_signed()))]
        for side in (tuned, portable):
            m.d.comb += [side.a.eq(a), side.b.eq(b)]
        return tuned.product != portable.product, 1

    def sum_up(self, m, tuned, portable, i):
        word, loaded = self.random.rotate_left(17 * i), Signal(name=f"summing{i}")
        extreme = Array([-32768, 32767, 0, -1])
        a, b = Signal(16, name=f"term_a{i}"), Signal(16, name=f"term_b{i}")
        m.d.comb += [a.eq(Mux(word[40], extreme[word[41:43]], word[:16])),
                     b.eq(Mux(word[43], extreme[word[44:46]], word[16:32]))]
        load = word[46:50] == 0
        for side in (tuned, portable):
            m.d.comb += [side.a.eq(a), side.b.eq(b), side.add.eq(word[50]),
                         side.subtract.eq(word[51]), side.load.eq(load), side.begin.eq(word[8:40])]
        m.d.sync += loaded.eq(loaded | load)
        return loaded & (tuned.total != portable.total), loaded

    def accumulate(self, m, tuned, portable, i):
        word, loaded = self.random.rotate_left(13 * i), Signal(name=f"loaded{i}")
        load = word[:4] == 0
        for side in (tuned, portable):
            m.d.comb += [side.amount.eq(word[4:36]), side.load.eq(load), side.data.eq(word[32:])]
        m.d.sync += loaded.eq(loaded | load)
        return loaded & (tuned.value != portable.value), loaded

    def access(self, m, tuned, portable, i):
        """Random writes and reads, never of one word in one cycle; unwritten words do not count."""
        word = self.random.rotate_left(11 * i)
        depth, bits = tuned.depth, len(tuned.write.address)
        # Few addresses, spread over the whole depth, so that words are read after they are written.
        spread = [Signal(bits, name=f"at{i}_{k}") for k in range(2)]
        for k, at in enumerate(spread):
            few = word[20 * k:20 * k + 5]
            whole = Cat(few, *[few] * (-(-bits // 5)))[:bits]
            m.d.comb += at.eq(Mux(whole < depth, whole, whole[:max(1, bits - 1)]))
        writing = word[50] & (spread[0] != spread[1])
        data = Cat(*(self.random.rotate_left(5 * j + i) for j in
                     range(-(-len(tuned.write.data) // 64))))[:len(tuned.write.data)]
        latency = getattr(tuned, "latency", 1)
        for side in (tuned, portable):
            m.d.comb += [side.write.address.eq(spread[0]), side.read.address.eq(spread[1]),
                         side.write.data.eq(data)]
        chunks = 1
        if isinstance(tuned, ChunkMemory):
            latency, chunks = 2, -(-tuned.lanes // tuned.chunk_lanes)
            place = [word[i:i + tuned.chunk_bits] for i in (52, 56)]
            place = [Mux(p < chunks, p, 0) for p in place]
            for side in (tuned, portable):
                m.d.comb += [side.write.number.eq(place[0]), side.read.number.eq(place[1])]
        else:
            place = [0, 0]
        group = len(tuned.write.enable)
        enables = Signal(group, name=f"enables{i}")
        chosen = 1 if isinstance(tuned, WordMemory) else word[33:33 + group]
        m.d.comb += enables.eq(Mux(writing, chosen, 0))
        for side in (tuned, portable):
            m.d.comb += side.write.enable.eq(enables)
        # Which lanes of which words were written.
        slots = 1 << ceil_log2(chunks)
        m.submodules[f"known{i}"] = marks = Memory(shape=group, depth=depth * slots, init=[])
        put, get = marks.write_port(granularity=1), marks.read_port()
        m.d.comb += [put.addr.eq(spread[0] * slots + place[0]), put.en.eq(enables),
                     put.data.eq(-1), get.addr.eq(spread[1] * slots + place[1])]
        # SPRAM has one port: a write takes the place of the read.
        single = isinstance(tuned, WordMemory) and self.family == "ice40" and depth >= 4096
        reading = Signal(group, name=f"reading{i}")
        m.d.sync += reading.eq((~(writing & single)).replicate(group))
        known = get.data & reading
        for k in range(latency - 1):
            late = Signal(group, name=f"known{i}_{k}")
            m.d.sync += late.eq(known)
            known = late
        width = len(tuned.read.data) // group
        different = Cat(*(known[lane] & (tuned.read.data.word_select(lane, width)
                                         != portable.read.data.word_select(lane, width))
                          for lane in range(group))).any()
        return different, known.any()


PAIRS = {
    "ice40": [
        *(lambda family, n=n: Multiplier(n, family) for n in (1, 2, 3, 4)),
        Accumulator,
        lambda family: WordMemory(64, 16384, 1, family),
        lambda family: WordMemory(20, 4096, 2, family),
        lambda family: WordMemory(17, 20000, 2, family),
        lambda family: WordMemory(64, 192, 1, family),
        lambda family: WordMemory(27, 512, 2, family),
        lambda family: WordMemory(9, 1000, 1, family),
        lambda family: WordMemory(5, 2048, 1, family),
        lambda family: WordMemory(5, 3000, 3, family),
        lambda family: LaneMemory(4, 40, 256, family),
        lambda family: LaneMemory(3, 16, 16, family),
        lambda family: ChunkMemory(4, 1, 16, 128, family),
        lambda family: ChunkMemory(4, 1, 16, 16, family),
        lambda family: ChunkMemory(6, 2, 16, 64, family),
        ProductSum,
    ],
    "ecp5": [
        *(lambda family, n=n: Multiplier(n, family) for n in (1, 2, 3, 4)),
        lambda family: WordMemory(352, 2560, 2, family),
        lambda family: WordMemory(100, 2560, 1, family),
        lambda family: WordMemory(64, 192, 1, family),
        lambda family: WordMemory(32, 2048, 1, family),
        lambda family: WordMemory(17, 3000, 3, family),
        lambda family: WordMemory(3, 4096, 2, family),
        lambda family: WordMemory(2, 8192, 2, family),
        lambda family: WordMemory(1, 16384, 2, family),
        lambda family: WordMemory(40, 24, 2, family),
        lambda family: LaneMemory(22, 40, 32, family),
        lambda family: ChunkMemory(22, 4, 16, 16, family),
    ],
    "gowin": [
        *(lambda family, n=n: Multiplier(n, family) for n in (1, 2, 3, 4)),
        lambda family: WordMemory(128, 2560, 2, family),
        lambda family: WordMemory(100, 1024, 1, family),
        lambda family: WordMemory(64, 192, 2, family),
        lambda family: WordMemory(17, 3000, 3, family),
        lambda family: WordMemory(3, 4096, 2, family),
        lambda family: WordMemory(2, 8192, 2, family),
        lambda family: WordMemory(1, 16384, 2, family),
        lambda family: WordMemory(40, 24, 2, family),
        lambda family: LaneMemory(8, 40, 32, family),
        lambda family: LaneMemory(1, 16, 128, family),
        lambda family: ChunkMemory(8, 1, 16, 16, family),
        ProductSum,
    ],
}


def disagreements(family, cycles=20000, mutate=lambda text: text, cache=None):
    """(cycles each pair disagreed, comparisons) after so many cycles."""
    pairs = PAIRS[family]
    bench = Pairs(pairs, family)
    text = mutate(with_models(component_verilog(bench), family))
    built = build(harness(text, component_ports(bench)), "bare", cache=cache)
    words = commands.join(commands.reset(), commands.idle(cycles),
                          commands.reads([*range(len(pairs)), 255]))
    with tempfile.TemporaryDirectory(prefix="primitives-") as folder:
        built.play(words, folder=folder, record=False)
        told = np.frombuffer((Path(folder) / "answers.bin").read_bytes(), "<u4").astype(int)
    return told[:-1].tolist(), int(told[-1])
