"""Cells of the ECP5: DP16KD with output register, MULT18X18D with its registers.

Yosys uses neither the output register of a block RAM nor the registers of a multiplier, which caps
the engine below 90 MHz; instanced with them it passes 100.

Cells: memories as in :mod:`apical.hw.primitives.segmented`; a multiplier takes one MULT18X18D.
"""

from __future__ import annotations

from amaranth.hdl import Cat, ClockSignal, Const, Instance, ResetSignal, Signal
from amaranth.utils import ceil_log2

from . import portable, segmented
from .portable import delayed
from .segmented import SHAPES, chunk_memory, lane_memory

__all__ = ["accumulator", "chunk_memory", "lane_memory", "multiplier", "product_sum", "register",
           "select", "word_memory"]


def word_memory(m, memory):
    """Block RAM by segments, or LUT RAM where it is shallow."""
    segmented.word_memory(m, memory, _block, registered=True)


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
