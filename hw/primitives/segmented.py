"""Memories of device families with block RAM of 18 Kb and LUT RAM of 16 words.

A word memory is cut into segments of block RAM shapes so that the fewest are used: 2,560 words of
352 bits are 20 + 20 columns of 1,024 x 18 and 10 of 512 x 36, 50 block RAMs.  Lane memories are LUT
RAM (16 words x 4 bits a cell), which Yosys maps from the portable form: block RAM would take
``ceil(P * width / 36)`` however few words there are.
"""

from __future__ import annotations

import functools

from amaranth.hdl import Cat, Const, Signal, unsigned
from amaranth.lib import data
from amaranth.lib.memory import Memory
from amaranth.utils import ceil_log2

from . import portable
from .portable import delayed

#: Words -> bits of a block RAM.
SHAPES = {16384: 1, 8192: 2, 4096: 4, 2048: 9, 1024: 18, 512: 36}
#: Memories of so few words are LUT RAM.
LUT_WORDS = 32


@functools.cache
def segments(width: int, depth: int) -> tuple:
    """Words of the segments that hold `depth` words of `width` bits in the fewest block RAMs.

    Among equals the fewest segments, which are one multiplexer input a bit each.
    """
    if depth <= 0:
        return ()
    choices = []
    for words in SHAPES:
        # A segment longer than the rest is only of use as the last one.
        choices.append((words, *segments(width, depth - words)))
        if words >= 2 * depth and words > 512:
            choices.pop()
    return min(choices, key=lambda chosen: (block_rams(width, chosen), len(chosen)))


def block_rams(width: int, chosen) -> int:
    """Block RAMs of these segments."""
    return sum(-(-width // SHAPES[words]) for words in chosen)


def word_memory(m, memory, block, registered):
    """Block RAM by segments, or LUT RAM where it is shallow.

    Parameters
    ----------
    block : callable
        Makes a block RAM of a family: (words, registered, write, write address, value, read
        address, output) -> instance.
    registered : bool
        Use the output register of the block RAM where there is time for it.
    """
    if memory.depth <= LUT_WORDS:
        portable.word_memory(m, memory, attrs={"ram_style": "distributed"})
        return
    registered = registered and memory.latency >= 2
    # Where there is time, the read address is registered before it goes to all block RAMs.
    ahead = int(memory.latency >= 4)
    read_address = delayed(m, memory.read.address, ahead, "asked")
    outputs, base = [], 0
    # Largest first, so that segments start at multiples of their length.
    chosen = sorted(segments(memory.width, memory.depth), reverse=True)
    for number, words in enumerate(chosen):
        index, bits = base // words, ceil_log2(words)
        assert base % words == 0
        mine = memory.write.address[bits:] == index if len(chosen) > 1 else Const(1)
        columns = []
        for low in range(0, memory.width, SHAPES[words]):
            part = memory.write.data[low:low + SHAPES[words]]
            output = Signal(len(part), name=f"output{number}_{low}")
            m.submodules[f"ebr{number}_{low}"] = block(
                words, registered, memory.write.enable & mine, memory.write.address[:bits], part,
                read_address[:bits], output)
            columns.append(output)
        outputs.append((base, words, Cat(*columns)))
        base += words
    cycles = 2 if registered else 1
    word = outputs[0][2]
    if len(outputs) > 1:
        terms = []
        for base, words, output in outputs:
            here = Signal(name=f"here{base}")
            m.d.comb += here.eq(read_address >> ceil_log2(words) == base // words)
            terms.append(output & delayed(m, here, cycles, f"chosen{base}_").replicate(len(output)))
        word = functools.reduce(lambda left, right: left | right, terms)
    m.d.comb += memory.read.data.eq(delayed(m, word, memory.latency - cycles - ahead, "late"))


def lane_memory(m, memory):
    """LUT RAM; of a chunk, the registers of the other lanes are cleared and all are or-ed."""
    if memory.chunk_lanes is None:
        portable.lane_memory(m, memory, attrs={"ram_style": "distributed"})
        return
    size = memory.width * memory.chunk_lanes
    word = _lut_ram(m, memory, memory.write.enable, memory.write.data)
    parts = _cleared(m, word, memory.chunk.wanted, memory.chunk.number, size)
    m.d.comb += [memory.read.data.eq(Cat(*parts)),
                 memory.chunk.data.eq(delayed(m, _either(parts), 1, "chunk"))]


def chunk_memory(m, memory):
    """LUT RAM, whole words; the chunk is selected after it by clearing the others."""
    lanes, chunk = range(memory.lanes), memory.chunk_lanes
    enables = Cat(*(memory.write.enable[lane % chunk] & (memory.write.number == lane // chunk)
                    for lane in lanes))
    data = Cat(*(memory.write.data.word_select(lane % chunk, memory.width) for lane in lanes))
    word = _lut_ram(m, memory, enables, data)
    parts = _cleared(m, word, 1, memory.read.number, memory.width * chunk)
    m.d.comb += memory.read.data.eq(_either(parts))


def _lut_ram(m, memory, enables, value):
    """The word at the read address, in the same cycle."""
    shape = data.ArrayLayout(unsigned(memory.width), memory.lanes)
    m.submodules.cells = cells = Memory(shape=shape, depth=memory.depth, init=[],
                                        attrs={"ram_style": "distributed"})
    write, read = cells.write_port(granularity=1), cells.read_port(domain="comb")
    m.d.comb += [write.addr.eq(memory.write.address), write.en.eq(enables),
                 write.data.as_value().eq(value), read.addr.eq(memory.read.address)]
    return read.data.as_value()


def _cleared(m, word, chunking, wanted, size):
    """Registered chunks of a word, 0 where another one is wanted."""
    parts = []
    for number, low in enumerate(range(0, len(word), size)):
        part = Signal(min(size, len(word) - low), name=f"part{number}", reset_less=True)
        m.d.sync += part.eq(word[low:low + size])
        with m.If(chunking & (wanted != number)):
            m.d.sync += part.eq(0)
        parts.append(part)
    return parts


def _either(parts):
    return functools.reduce(lambda left, right: left | right, parts)
