"""Platforms that amaranth-boards lacks, or has without a serial line."""

from __future__ import annotations

from amaranth.build import Attrs, Clock, Pins, Resource
from amaranth.vendor import GowinPlatform, LatticeECP5Platform, LatticeICE40Platform
from amaranth_boards.icesugar_pro import ICESugarProPlatform
from amaranth_boards.orangecrab_r0_2 import (
    OrangeCrabR0_2_25FPlatform,
    OrangeCrabR0_2_85FPlatform,
)
from amaranth_boards.resources import LEDResources, UARTResource
from amaranth_boards.upduino_v3 import UpduinoV3Platform

_LVCMOS33 = Attrs(IO_TYPE="LVCMOS33")
_SB_LVCMOS = Attrs(IO_STANDARD="SB_LVCMOS")

#: The OrangeCrab has no serial port of its own: an adapter goes to pins 0 (receive) and 1
#: (transmit) of its connector.  Its three-coloured light is used as three: green, blue, red.
_ORANGECRAB = [
    UARTResource(0, rx="0", tx="1", conn=("io", 0), attrs=_LVCMOS33),
    *LEDResources(pins="M3 J3 K4", invert=True, attrs=_LVCMOS33),
]


class OrangeCrab25F(OrangeCrabR0_2_25FPlatform):
    """OrangeCrab r0.2 with LFE5U-25F and a serial adapter at its connector."""

    resources = OrangeCrabR0_2_25FPlatform.resources + _ORANGECRAB


class OrangeCrab85F(OrangeCrabR0_2_85FPlatform):
    """OrangeCrab r0.2 with LFE5U-85F and a serial adapter at its connector."""

    resources = OrangeCrabR0_2_85FPlatform.resources + _ORANGECRAB


class ColorlightI5(LatticeECP5Platform):
    """Colorlight i5 v7.0 in its extension board, whose USB port has the serial line."""

    device      = "LFE5U-25F"
    package     = "BG381"
    speed       = "6"
    default_clk = "clk25"
    resources   = [
        Resource("clk25", 0, Pins("P3", dir="i"), Clock(25e6), _LVCMOS33),
        *LEDResources(pins="U16", invert=True, attrs=_LVCMOS33),
        UARTResource(0, rx="H18", tx="J17", attrs=_LVCMOS33),
    ]
    connectors  = []


class ICESugarPro(ICESugarProPlatform):
    """iCESugar-pro; its three-coloured light is used as three, whatever their colours."""

    resources = [*ICESugarProPlatform.resources,
                 *LEDResources(pins="A12 B11 A11", invert=True, attrs=_LVCMOS33)]


class UPduinoV3(UpduinoV3Platform):
    """UPduino 3.x with its oscillator joined and a serial adapter at its left row of pins."""

    default_clk = "clk12"
    resources   = [
        *UpduinoV3Platform.resources,
        *LEDResources(pins="39 40 41", invert=True, attrs=_SB_LVCMOS),
        # The last two pins of the row: 28, 38.
        UARTResource(0, rx="20", tx="19", conn=("j", 0),
                     attrs=Attrs(IO_STANDARD="SB_LVCMOS", PULLUP=1)),
    ]


class PicoIce(LatticeICE40Platform):
    """The pico-ice, whose RP2040 gives the clock and forwards the serial line."""

    device      = "iCE40UP5K"
    package     = "SG48"
    default_clk = "clk12"
    resources   = [
        Resource("clk12", 0, Pins("35", dir="i"), Clock(12e6),
                 Attrs(GLOBAL=True, IO_STANDARD="SB_LVCMOS")),
        # Green, blue, red.
        *LEDResources(pins="39 40 41", invert=True, attrs=_SB_LVCMOS),
        UARTResource(0, rx="27", tx="25", attrs=Attrs(IO_STANDARD="SB_LVCMOS", PULLUP=1)),
    ]
    connectors  = []


class TangNano9K(GowinPlatform):
    """Tang Nano 9K; the LEDs are in a bank of 1.8 V."""

    part        = "GW1NR-LV9QN88PC6/I5"
    family      = "GW1NR-9C"
    default_clk = "clk27"
    resources   = [
        Resource("clk27", 0, Pins("52", dir="i"), Clock(27e6), _LVCMOS33),
        *LEDResources(pins="10 11 13 14 15 16", invert=True, attrs=Attrs(IO_TYPE="LVCMOS18")),
        UARTResource(0, rx="18", tx="17", attrs=Attrs(IO_TYPE="LVCMOS33", PULL_MODE="UP")),
    ]
    connectors  = []


class TangNano20K(GowinPlatform):
    """Tang Nano 20K."""

    part        = "GW2AR-LV18QN88C8/I7"
    family      = "GW2AR-18C"
    default_clk = "clk27"
    resources   = [
        Resource("clk27", 0, Pins("4", dir="i"), Clock(27e6), _LVCMOS33),
        *LEDResources(pins="15 16 17 18 19 20", invert=True, attrs=_LVCMOS33),
        UARTResource(0, rx="70", tx="69", attrs=Attrs(IO_TYPE="LVCMOS33", PULL_MODE="UP")),
    ]
    connectors  = []
