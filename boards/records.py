"""The boards: one small record each.  Nothing here needs Amaranth or a tool.

A new board is a record (and a platform class, if amaranth-boards has none).
"""

from __future__ import annotations

from dataclasses import dataclass

from ..golden.errors import MisuseError


@dataclass(frozen=True)
class Device:
    """What an FPGA has.

    Attributes
    ----------
    name, family : str
        `family` is that of the primitives.
    nextpnr : tuple of str
        Options that name device and package.
    luts, multipliers, rams, spram : int
        Logic cells, multipliers, small and large block RAMs.
    """

    name: str
    family: str
    nextpnr: tuple
    luts: int
    multipliers: int
    rams: int
    spram: int = 0


UP5K = Device("iCE40UP5K", "ice40", ("--up5k", "--package", "sg48"), 5280, 8, 30, 4)
ECP5_25 = Device("LFE5U-25F", "ecp5", ("--25k", "--package", "CABGA381", "--speed", "6"),
                 24288, 28, 56)
#: The 12F is the die of the 25F under another identity code.
ECP5_12 = Device("LFE5U-12F", "ecp5", ("--12k", "--package", "CABGA381", "--speed", "6"),
                 24288, 28, 56)


@dataclass(frozen=True)
class Board:
    """One board.

    Attributes
    ----------
    name, title : str
    platform : str
        ``module:class`` of its platform.
    device : Device
    preset : str
        Engine configuration that is built for it.
    clock_in, clock : int
        Oscillator and engine clock, Hz.
    leds : dict of str to (str, int)
        Resource of ``alive``, ``busy`` and ``error``; without ``busy``, ``alive`` blinks faster.
    baud : int
        Bits per second of the serial port.
    uart : (str, int)
        Resource of the serial port.
    high : tuple of (str, int)
        Output pins that must be high, for example an enable of the serial port.
    sram, flash : tuple of str or None
        Programmer command, to which the bitstream is appended: until power off, and for good.
    connect : str
        How the board is found by the host, for the line that says it is not there.
    """

    name: str
    title: str
    platform: str
    device: Device
    preset: str
    clock_in: int
    clock: int
    leds: dict
    baud: int = 1_000_000
    uart: tuple = ("uart", 0)
    high: tuple = ()
    sram: tuple | None = None
    flash: tuple | None = None
    connect: str = "connect it by USB"

    @property
    def divisor(self) -> int:
        """Clock cycles of a bit on the serial port."""
        return round(self.clock / self.baud)


_ULX3S = {
    "clock_in": 25_000_000, "clock": 100_000_000, "baud": 2_000_000,
    "leds": {"alive": ("led", 0), "busy": ("led", 1), "error": ("led", 2)},
    "sram": ("openFPGALoader", "-b", "ulx3s", "-m"),
    "flash": ("openFPGALoader", "-b", "ulx3s", "-f"),
    "connect": "connect its USB port US1",
}

_BOARDS = (
    Board("icebreaker", "iCEBreaker 1.0", "amaranth_boards.icebreaker:ICEBreakerPlatform", UP5K,
          "icebreaker", 12_000_000, 24_000_000,
          leds={"alive": ("led_g", 0), "error": ("led_r", 0)}, baud=3_000_000,
          sram=("iceprog", "-S"), flash=("iceprog",)),
    Board("ulx3s-12f", "ULX3S with LFE5U-12F", "amaranth_boards.ulx3s:ULX3S_12F_Platform", ECP5_12,
          "ulx3s-25f", **_ULX3S),
    Board("ulx3s-25f", "ULX3S with LFE5U-25F", "amaranth_boards.ulx3s:ULX3S_25F_Platform", ECP5_25,
          "ulx3s-25f", **_ULX3S),
)

BOARDS = {board.name: board for board in _BOARDS}


def board(name: str) -> Board:
    """The board of that name; `MisuseError` lists the known ones."""
    if name not in BOARDS:
        raise MisuseError(f"unknown board '{name}'; known: {', '.join(BOARDS)}")
    return BOARDS[name]
