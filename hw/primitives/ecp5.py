"""Cells of the ECP5: DP16KD with output register, MULT18X18D with its registers.

Yosys uses neither the output register of a block RAM nor the registers of a multiplier, which caps
the engine below 90 MHz; instanced with them it passes 100.

Cells: a word memory is cut into segments of block RAM shapes so that the fewest are used: 2,560
words of 352 bits are 20 + 20 columns of 1,024 x 18 and 10 of 512 x 36, 50 block RAMs.  Lane
memories are LUT RAM (16 words x 4 bits a cell), which Yosys maps from the portable form: block RAM
would take ``ceil(P * width / 36)`` however few words there are.  A multiplier takes one MULT18X18D.
"""

from __future__ import annotations

import functools

from amaranth.hdl import Cat, ClockSignal, Const, Instance, ResetSignal, Signal, unsigned
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


def word_memory(m, memory):
    """Block RAM by segments, or LUT RAM where it is shallow."""
    if memory.depth <= LUT_WORDS:
        portable.word_memory(m, memory, attrs={"ram_style": "distributed"})
        return
    registered = memory.latency >= 2
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
            m.submodules[f"ebr{number}_{low}"] = _block(
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


def _pins(prefix, value, bits):
    """One port a bit, as these cells have them."""
    padded = Cat(value, Const(0, bits - len(value))) if len(value) < bits else value
    return {f"{prefix}{i}": padded[i] for i in range(bits)}


def _outputs(prefix, value, bits):
    spare = Signal(bits - len(value), name="spare")
    both = Cat(value, spare)
    return {f"{prefix}{i}": both[i] for i in range(bits)}


def _block(words, registered, write, write_address, value, read_address, output):
    """DP16KD as one write and one read port; 36 bits take the data pins of both ports."""
    width = SHAPES[words]
    shift = 14 - ceil_log2(words)
    # The lowest bits of a wide write address are byte enables.
    bytes_on = {36: Cat(write.replicate(4), Const(0, 1)), 18: Const(3, 4)}
    low = bytes_on.get(width, Const(0, shift))[:shift] if shift else Const(0, 0)
    regmode = "OUTREG" if registered else "NOREG"
    first, second = (output, Signal(0)) if width <= 18 else (output[:18], output[18:])
    # Port B reads; of a 36-bit word port A shows the low half.
    reads = _outputs("o_DOB", first, 18) if width <= 18 else {
        **_outputs("o_DOA", first, 18), **_outputs("o_DOB", second, 18)}
    return Instance(
        "DP16KD", p_DATA_WIDTH_A=width, p_DATA_WIDTH_B=width,
        p_REGMODE_A=regmode if width == 36 else "NOREG", p_REGMODE_B=regmode,
        p_RESETMODE="SYNC", p_ASYNC_RESET_RELEASE="SYNC",
        p_CSDECODE_A="0b000", p_CSDECODE_B="0b000", p_WRITEMODE_A="NORMAL",
        p_WRITEMODE_B="NORMAL", p_CLKAMUX="CLKA", p_CLKBMUX="CLKB", p_GSR="DISABLED",
        # CEA stays on: it may gate the output register of port A as well.
        i_CLKA=ClockSignal(), i_CEA=Const(1), i_OCEA=Const(1), i_RSTA=Const(0), i_WEA=write,
        **_pins("i_CSA", Const(0, 3), 3), **_pins("i_ADA", Cat(low, write_address), 14),
        **_pins("i_DIA", value[:18], 18),
        i_CLKB=ClockSignal(), i_CEB=Const(1), i_OCEB=Const(1), i_RSTB=Const(0), i_WEB=Const(0),
        **_pins("i_CSB", Const(0, 3), 3),
        **_pins("i_ADB", Cat(Const(0, shift), read_address), 14),
        **_pins("i_DIB", value[18:], 18), **reads)


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


def multiplier(m, multiplier):
    """Latency 1: output register; 2: and operand registers; 3: and pipeline register."""
    latency = min(multiplier.latency, 3)
    product = Signal(36)
    clock = {True: "CLK0", False: "NONE"}
    operand, middle = clock[latency >= 2], clock[latency >= 3]
    m.submodules.mult = Instance(
        "MULT18X18D", p_REG_INPUTA_CLK=operand, p_REG_INPUTB_CLK=operand,
        p_REG_PIPELINE_CLK=middle, p_REG_OUTPUT_CLK="CLK0", p_GSR="DISABLED",
        p_SOURCEB_MODE="B_SHIFT", p_RESETMODE="SYNC",
        **_pins("i_A", Cat(multiplier.a, multiplier.a[-1].replicate(2)), 18),
        **_pins("i_B", Cat(multiplier.b, multiplier.b[-1]), 18), **_pins("i_C", Const(0, 18), 18),
        i_SIGNEDA=Const(1), i_SIGNEDB=Const(1), i_SOURCEA=Const(0), i_SOURCEB=Const(0),
        i_CLK0=ClockSignal(), i_CLK1=Const(0), i_CLK2=Const(0), i_CLK3=Const(0),
        i_CE0=Const(1), i_CE1=Const(0), i_CE2=Const(0), i_CE3=Const(0),
        i_RST0=Const(0), i_RST1=Const(0), i_RST2=Const(0), i_RST3=Const(0),
        **_outputs("o_P", product, 36))
    late = delayed(m, product[:32], multiplier.latency - latency, "late")
    m.d.comb += multiplier.product.eq(late.as_signed())


def accumulator(m, accumulator):
    """Logic cells: there are enough of them."""
    portable.accumulator(m, accumulator)


def product_sum(m, product):
    """As the portable form, which Yosys gives a multiplier; no preset has a serial unit."""
    portable.product_sum(m, product)


def select(m, word, select, size, name):
    """As the portable form."""
    return portable.select(m, word, select, size, name)


def register(m, value, late, clears=False):
    """Flip-flops that stay apart from others of the same value: Yosys merges what it may."""
    reset = ResetSignal() if clears else Const(0)
    for i, bit in enumerate(value):
        m.submodules += Instance(
            "TRELLIS_FF", p_GSR="DISABLED", p_CEMUX="1", p_CLKMUX="CLK", p_LSRMUX="LSR",
            p_SRMODE="LSR_OVER_CE", p_REGSET="RESET", i_CLK=ClockSignal(), i_LSR=reset,
            i_DI=bit, o_Q=late[i])
