"""Platforms that amaranth-boards lacks, or has without a serial line."""

from __future__ import annotations

from amaranth.build import Attrs, Clock, Pins, Resource
from amaranth.vendor import LatticeECP5Platform
from amaranth_boards.orangecrab_r0_2 import (
    OrangeCrabR0_2_25FPlatform,
    OrangeCrabR0_2_85FPlatform,
)
from amaranth_boards.resources import LEDResources, UARTResource

_LVCMOS33 = Attrs(IO_TYPE="LVCMOS33")

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
