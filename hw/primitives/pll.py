"""The clock of an engine, made by the PLL of a device from the oscillator of its board.

A function of a family takes the module, the port of the oscillator and both frequencies in Hz; it
adds the PLL and returns the clock and the signal that says it is stable.
"""

from __future__ import annotations

from amaranth.hdl import Const, Instance, Signal
from amaranth.lib import io


def ice40_pll(m, pad, clock_in, clock):
    """SB_PLL40_PAD: the clock pin of the board is the pad of the PLL."""
    return _ice40_pll(m, "SB_PLL40_PAD", {"i_PACKAGEPIN": pad.io}, clock_in, clock)


def ice40_pll_core(m, pad, clock_in, clock):
    """SB_PLL40_CORE, for boards whose oscillator is at another pin than the pad of the PLL."""
    m.submodules.clock_pin = pin = io.Buffer("i", pad)
    return _ice40_pll(m, "SB_PLL40_CORE", {"i_REFERENCECLK": pin.i}, clock_in, clock)


def _ice40_pll(m, cell, source, clock_in, clock):
    divf, divq = ice40_divisors(clock_in, clock)
    locked, made = Signal(), Signal(name="pll_clock")
    m.submodules.pll = Instance(
        cell, p_FEEDBACK_PATH="SIMPLE", p_PLLOUT_SELECT="GENCLK",
        p_DIVR=Const(0, 4), p_DIVF=Const(divf, 7), p_DIVQ=Const(divq, 3),
        p_FILTER_RANGE=Const(1, 3), **source, i_RESETB=Const(1), i_BYPASS=Const(0),
        o_PLLOUTGLOBAL=made, o_LOCK=locked)
    return made, locked


def ice40_divisors(clock_in: int, clock: int) -> tuple:
    """(DIVF, DIVQ) of the PLL: clock = clock_in * (DIVF + 1) / 2**DIVQ, its oscillator in range."""
    for divq in range(1, 7):
        oscillator = clock << divq
        if 533_000_000 <= oscillator <= 1_066_000_000 and oscillator % clock_in == 0:
            return oscillator // clock_in - 1, divq
    raise ValueError(f"no PLL setting from {clock_in} to {clock} Hz")


def ecp5_pll(m, pad, clock_in, clock):
    """EHXPLLL, output fed back."""
    divide, feed, out = ecp5_divisors(clock_in, clock)
    m.submodules.clock_pin = pin = io.Buffer("i", pad)
    locked, made = Signal(), Signal(name="pll_clock")
    m.submodules.pll = Instance(
        "EHXPLLL", a_ICP_CURRENT="12", a_LPF_RESISTOR="8", a_MFG_ENABLE_FILTEROPAMP="1",
        a_MFG_GMCREF_SEL="2", p_PLLRST_ENA="DISABLED", p_INTFB_WAKE="DISABLED",
        p_STDBY_ENABLE="DISABLED", p_DPHASE_SOURCE="DISABLED", p_OUTDIVIDER_MUXA="DIVA",
        p_CLKOP_ENABLE="ENABLED", p_CLKI_DIV=divide, p_CLKFB_DIV=feed, p_CLKOP_DIV=out,
        p_CLKOP_CPHASE=out // 2, p_CLKOP_FPHASE=0, p_FEEDBK_PATH="CLKOP",
        i_RST=Const(0), i_STDBY=Const(0), i_CLKI=pin.i, i_CLKFB=made, i_PHASESEL0=Const(0),
        i_PHASESEL1=Const(0), i_PHASEDIR=Const(1), i_PHASESTEP=Const(1), i_PHASELOADREG=Const(1),
        i_PLLWAKESYNC=Const(0), i_ENCLKOP=Const(0), o_CLKOP=made, o_LOCK=locked)
    return made, locked


def ecp5_divisors(clock_in: int, clock: int) -> tuple:
    """(CLKI_DIV, CLKFB_DIV, CLKOP_DIV): clock = clock_in * CLKFB_DIV / CLKI_DIV, 400..800 MHz."""
    for divide in range(1, 9):
        if clock * divide % clock_in == 0 and clock_in // divide >= 3_125_000:
            for out in range(1, 129):
                if 550_000_000 <= clock * out <= 800_000_000:
                    return divide, clock * divide // clock_in, out
    raise ValueError(f"no PLL setting from {clock_in} to {clock} Hz")


def gowin_pll(m, pad, clock_in, clock):
    """The rPLL of GW1N and GW2A, fed back inside."""
    divide, feed, out = gowin_divisors(clock_in, clock)
    m.submodules.clock_pin = pin = io.Buffer("i", pad)
    locked, made = Signal(), Signal(name="pll_clock")
    m.submodules.pll = Instance(
        "rPLL", p_FCLKIN=f"{clock_in / 1e6:g}", p_IDIV_SEL=divide - 1, p_FBDIV_SEL=feed - 1,
        p_ODIV_SEL=out, p_DYN_IDIV_SEL="false", p_DYN_FBDIV_SEL="false", p_DYN_ODIV_SEL="false",
        p_CLKFB_SEL="internal", p_CLKOUT_BYPASS="false", i_CLKIN=pin.i, i_CLKFB=Const(0),
        i_RESET=Const(0), i_RESET_P=Const(0), i_FBDSEL=Const(0, 6), i_IDSEL=Const(0, 6),
        i_ODSEL=Const(0, 6), i_DUTYDA=Const(0, 4), i_PSDA=Const(0, 4), i_FDLY=Const(0, 4),
        o_CLKOUT=made, o_LOCK=locked)
    return made, locked


def gowin_divisors(clock_in: int, clock: int) -> tuple:
    """(IDIV, FBDIV, ODIV): clock = clock_in * FBDIV / IDIV, its oscillator in 500..1,200 MHz.

    These limits hold for both the GW1N-9 and the GW2A-18 of the boards.
    """
    for divide in range(1, 10):
        if clock * divide % clock_in == 0 and clock_in // divide >= 3_000_000:
            for out in (2, 4, 8, 16, 32, 48, 64, 80, 96, 112, 128):
                if 500_000_000 <= clock * out <= 1_200_000_000:
                    return divide, clock * divide // clock_in, out
    raise ValueError(f"no PLL setting from {clock_in} to {clock} Hz")
