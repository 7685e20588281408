"""Cells of Gowin's GW1N and GW2A: SDPB and SDPX9B, MULT18X18 with its registers.

The output registers of block RAM are left alone: some of these devices need flip-flops in their
place, which is what `apical.hw.primitives.segmented` adds.

Cells: memories as in :mod:`apical.hw.primitives.segmented`, but for `lane_memory`; a multiplier
takes one MULT18X18, and so does a sum of products.
"""

from __future__ import annotations

from amaranth.hdl import Cat, ClockSignal, Const, Instance, Mux, ResetSignal, Signal
from amaranth.utils import ceil_log2

from . import portable, segmented
from .portable import delayed
from .segmented import LUT_WORDS, SHAPES, chunk_memory

__all__ = ["accumulator", "chunk_memory", "lane_memory", "multiplier", "product_sum", "register",
           "select", "word_memory"]


def word_memory(m, memory):
    """Block RAM by segments, or LUT RAM where it is shallow."""
    segmented.word_memory(m, memory, _block, registered=False)


def lane_memory(m, memory):
    """LUT RAM, which is scarce; deep memories without chunks are block RAM with byte enables."""
    if memory.chunk_lanes is None and memory.depth > LUT_WORDS:
        portable.lane_memory(m, memory, attrs={"ram_style": "block"})
    else:
        segmented.lane_memory(m, memory)


def _sized(value, bits):
    return Cat(value, Const(0, bits - len(value))) if len(value) < bits else value


def _block(words, registered, write, write_address, value, read_address, output):
    """A block RAM with one write port (A) and one read port (B)."""
    width = SHAPES[words]
    shift = 14 - ceil_log2(words)
    # The lowest bits of a wide write address are byte enables.
    low = {36: Const(15, 5), 18: Const(3, 4)}.get(width, Const(0, shift))
    cell, bits = ("SDPX9B", 36) if width >= 9 else ("SDPB", 32)
    unused = Signal(bits - len(output), name="unused")
    return Instance(
        cell, p_READ_MODE=Const(0, 1), p_BIT_WIDTH_0=width, p_BIT_WIDTH_1=width,
        p_BLK_SEL_0=Const(0, 3), p_BLK_SEL_1=Const(0, 3), p_RESET_MODE="SYNC",
        i_CLKA=ClockSignal(), i_CEA=write, i_RESETA=Const(0), i_BLKSELA=Const(0, 3),
        i_ADA=_sized(Cat(low, write_address), 14), i_DI=_sized(value, bits),
        i_CLKB=ClockSignal(), i_CEB=Const(1), i_RESETB=Const(0), i_BLKSELB=Const(0, 3),
        i_ADB=_sized(Cat(Const(0, shift), read_address), 14), i_OCE=Const(1),
        o_DO=Cat(output, unused))


def _product(a, b, registers=0):
    """36 bits and MULT18X18; registers: 1 at the output, 2 and of the operands, 3 and inside."""
    product = Signal(36)
    operand, middle = int(registers >= 2), int(registers >= 3)
    signs = [Cat(value, value[-1].replicate(18 - len(value))) for value in (a, b)]
    return product, Instance(
        "MULT18X18", p_AREG=Const(operand, 1), p_BREG=Const(operand, 1),
        p_PIPE_REG=Const(middle, 1), p_OUT_REG=Const(int(registers >= 1), 1),
        p_ASIGN_REG=Const(0, 1), p_BSIGN_REG=Const(0, 1), p_SOA_REG=Const(0, 1),
        p_MULT_RESET_MODE="SYNC", i_A=signs[0], i_B=signs[1], i_SIA=Const(0, 18),
        i_SIB=Const(0, 18), i_ASIGN=Const(1), i_BSIGN=Const(1), i_ASEL=Const(0), i_BSEL=Const(0),
        i_CLK=ClockSignal(), i_CE=Const(1), i_RESET=Const(0), o_DOUT=product)


def multiplier(m, multiplier):
    """Latency 1: output register; 2: and operand registers; 3: and pipeline register."""
    registers = min(multiplier.latency, 3)
    product, m.submodules.mult = _product(multiplier.a, multiplier.b, registers)
    late = delayed(m, product[:32], multiplier.latency - registers, "late")
    m.d.comb += multiplier.product.eq(late.as_signed())


def accumulator(m, accumulator):
    """Logic cells: there are enough of them."""
    portable.accumulator(m, accumulator)


def product_sum(m, product):
    """MULT18X18 without registers before an adder."""
    term, m.submodules.mult = _product(product.a, product.b)
    with m.If(product.load):
        m.d.sync += product.total.eq(product.begin)
    with m.Elif(product.add):
        m.d.sync += product.total.eq(Mux(product.subtract, product.total - term[:32],
                                         product.total + term[:32]))


def select(m, word, select, size, name):
    """As the portable form."""
    return portable.select(m, word, select, size, name)


def register(m, value, late, clears=False):
    """Flip-flops that stay apart from others of the same value: Yosys merges what it may."""
    for i, bit in enumerate(value):
        clear = {"i_RESET": ResetSignal()} if clears else {}
        m.submodules += Instance("DFFR" if clears else "DFF", i_CLK=ClockSignal(), i_D=bit,
                                 o_Q=late[i], **clear)
