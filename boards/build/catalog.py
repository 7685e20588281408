"""The boards: one small record each.  Nothing here needs Amaranth or a tool.

A new board is a record (and a platform class, if amaranth-boards has none).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from ...golden.errors import MisuseError
from ...hw.interface.config import preset


@dataclass(frozen=True)
class Device:
    """What an FPGA has.

    Attributes
    ----------
    name, family : str
        `family` is that of the primitives.
    nextpnr : tuple of str
        Options that name device and package, and how cells are placed.
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

def _ecp5(name, size, luts, multipliers, rams, package="CABGA381", speed="6", options=()):
    return Device(name, "ecp5", (f"--{size}", "--package", package, "--speed", speed, *options),
                  luts, multipliers, rams)


#: On the 85F this placer leaves a seventh less wire than the usual one (wirelen in nextpnr's log),
#: and this router ends, if it does (it depends on the seed), in minutes.
LARGE = ("--placer", "static", "--router", "router2")

ECP5_25 = _ecp5("LFE5U-25F", "25k", 24288, 28, 56)
#: The 12F is the die of the 25F under another identity code.
ECP5_12 = _ecp5("LFE5U-12F", "12k", 24288, 28, 56)
ECP5_45 = _ecp5("LFE5U-45F", "45k", 43848, 72, 108)
ECP5_85 = _ecp5("LFE5U-85F", "85k", 83640, 156, 208, options=LARGE)
#: In the OrangeCrab.
ECP5_25_285 = _ecp5("LFE5U-25F", "25k", 24288, 28, 56, "CSFBGA285", "8")
ECP5_85_285 = _ecp5("LFE5U-85F", "85k", 83640, 156, 208, "CSFBGA285", "8", LARGE)


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
    clock_in, fastest : int
        Oscillator, and clock of engines that need none lower (`SLOWER`), Hz.
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
    fastest: int
    leds: dict
    baud: int = 1_000_000
    uart: tuple = ("uart", 0)
    high: tuple = ()
    sram: tuple | None = None
    flash: tuple | None = None
    connect: str = "connect it by USB"

    @property
    def clock(self) -> int:
        """Clock of the engine, Hz."""
        return min(self.fastest, SLOWER.get(self.preset, self.fastest))

    @property
    def seed(self) -> int:
        """Seed of the placer that a build begins with."""
        return SEEDS.get((self.name, self.preset), 1)

    @property
    def divisor(self) -> int:
        """Clock cycles of a bit on the serial port."""
        return round(self.clock / self.baud)


#: Engines that run at a lower clock than their board could have, Hz.
SLOWER = {"ulx3s-45f": 80_000_000, "ulx3s-85f": 40_000_000}

#: (board, engine) -> recorded seed of the placer, where the first one misses the clock, or routing
#: does not end with it.
SEEDS = {("ulx3s-25f", "ulx3s-25f-learning"): 2, ("ulx3s-85f", "ulx3s-85f"): 4,
         ("orangecrab-85f", "ulx3s-85f"): 2}

_ULX3S = {
    "clock_in": 25_000_000, "fastest": 100_000_000, "baud": 2_000_000,
    "leds": {"alive": ("led", 0), "busy": ("led", 1), "error": ("led", 2)},
    "sram": ("openFPGALoader", "-b", "ulx3s", "-m"),
    "flash": ("openFPGALoader", "-b", "ulx3s", "-f"),
    "connect": "connect its USB port US1",
}

_ORANGECRAB = {
    "clock_in": 48_000_000, "fastest": 72_000_000,
    "leds": {"alive": ("led", 0), "busy": ("led", 1), "error": ("led", 2)},
    "flash": ("dfu-util", "-d", "1209:5af0", "-a", "0", "-D"),
    "connect": "connect it by USB with its button held down, and the serial adapter",
}

_BOARDS = (
    Board("icebreaker", "iCEBreaker 1.0", "amaranth_boards.icebreaker:ICEBreakerPlatform", UP5K,
          "icebreaker-learning", 12_000_000, 24_000_000,
          leds={"alive": ("led_g", 0), "error": ("led_r", 0)}, baud=3_000_000,
          sram=("iceprog", "-S"), flash=("iceprog",)),
    *(Board(f"ulx3s-{size}f", f"ULX3S with LFE5U-{size}F",
            f"amaranth_boards.ulx3s:ULX3S_{size}F_Platform", device, preset,
            **_ULX3S)
      for size, device, preset in ((12, ECP5_12, "ulx3s-25f"), (25, ECP5_25, "ulx3s-25f"),
                                   (45, ECP5_45, "ulx3s-45f"), (85, ECP5_85, "ulx3s-85f"))),
    *(Board(f"orangecrab-{size}f", f"OrangeCrab r0.2 with LFE5U-{size}F",
            f"apical.boards.build.platforms:OrangeCrab{size}F", device, preset,
            **_ORANGECRAB)
      for size, device, preset in ((25, ECP5_25_285, "ulx3s-25f"),
                                   (85, ECP5_85_285, "ulx3s-85f"))),
    Board("colorlight-i5", "Colorlight i5 v7.0 with extension board",
          "apical.boards.build.platforms:ColorlightI5", ECP5_25, "ulx3s-25f", 25_000_000,
          80_000_000,
          leds={"alive": ("led", 0)}, baud=460_800,
          sram=("openFPGALoader", "-b", "colorlight-i5", "-m"),
          flash=("openFPGALoader", "-b", "colorlight-i5", "-f"),
          connect="connect the USB port of the extension board"),
)

BOARDS = {board.name: board for board in _BOARDS}


def board(name: str, engine: str | None = None) -> Board:
    """The board of that name; `MisuseError` lists the known ones.

    Parameters
    ----------
    engine : str, optional
        Another preset than the board's own, of the same family.
    """
    if name not in BOARDS:
        raise MisuseError(f"unknown board '{name}'; known: {', '.join(BOARDS)}")
    chosen = BOARDS[name]
    if engine is None:
        return chosen
    family = preset(engine).primitives
    if family not in ("portable", chosen.device.family):
        raise MisuseError(f"preset '{engine}' is made of {family} cells, board '{name}' has "
                          f"{chosen.device.family}")
    return replace(chosen, preset=engine)
