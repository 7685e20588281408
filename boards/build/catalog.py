"""The boards: one record each.  Nothing here needs Amaranth or a tool.

A new board is one more record (and a platform class, if amaranth-boards has none).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from ...golden.errors import MisuseError
from ...hw.export.families import ECP5, ICE40, Family
from ...hw.interface.presets import preset


@dataclass(frozen=True)
class Device:
    """An FPGA and its resources.

    Attributes
    ----------
    name : str
    family : Family
        How the tools build for it.
    nextpnr : tuple of str
        Options that name device and package, and how cells are placed.
    luts, multipliers, rams, spram : int
        Logic cells, multipliers, small and large block RAMs.
    """

    name: str
    family: Family
    nextpnr: tuple
    luts: int
    multipliers: int
    rams: int
    spram: int = 0


UP5K = Device("iCE40UP5K", ICE40, ("--up5k", "--package", "sg48"), 5280, 8, 30, 4)


def _ecp5(name, size, luts, multipliers, rams, package="CABGA381", speed="6", options=()):
    return Device(name, ECP5, (f"--{size}", "--package", package, "--speed", speed, *options),
                  luts, multipliers, rams)


#: On the 85F this placer uses a seventh less wire than the default one (wirelen in nextpnr's log),
#: and this router ends in minutes, if it ends (that depends on the seed).
LARGE = ("--placer", "static", "--router", "router2")

ECP5_25 = _ecp5("LFE5U-25F", "25k", 24288, 28, 56)
#: The 12F is the die of the 25F with another identity code.
ECP5_12 = _ecp5("LFE5U-12F", "12k", 24288, 28, 56)
ECP5_45 = _ecp5("LFE5U-45F", "45k", 43848, 72, 108)
ECP5_85 = _ecp5("LFE5U-85F", "85k", 83640, 156, 208, options=LARGE)
#: In the OrangeCrab.
ECP5_25_285 = _ecp5("LFE5U-25F", "25k", 24288, 28, 56, "CSFBGA285", "8")
ECP5_85_285 = _ecp5("LFE5U-85F", "85k", 83640, 156, 208, "CSFBGA285", "8", LARGE)


@dataclass(frozen=True)
class Target:
    """How an engine is built for a board.

    Attributes
    ----------
    clock : int
        Clock of the engine, Hz.
    seed : int
        Seed of the placer that a build begins with: the recorded one, where the first one misses
        the clock or routing does not end with it.
    """

    clock: int
    seed: int = 1


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
        Oscillator, and the highest clock of an engine, Hz.
    targets : dict of str to Target
        Engines that were built for it, by preset, the board's own among them.
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
        How to connect it to the host, for the message that it is not there.
    """

    name: str
    title: str
    platform: str
    device: Device
    preset: str
    clock_in: int
    fastest: int
    targets: dict
    leds: dict
    baud: int = 1_000_000
    uart: tuple = ("uart", 0)
    high: tuple = ()
    sram: tuple | None = None
    flash: tuple | None = None
    connect: str = "connect it by USB"

    @property
    def target(self) -> Target:
        """How its engine is built: as recorded, else at the highest clock of any board for it."""
        if self.preset in self.targets:
            return self.targets[self.preset]
        known = [board.targets[self.preset].clock for board in _BOARDS
                 if self.preset in board.targets]
        return Target(min(self.fastest, max(known, default=self.fastest)))

    @property
    def clock(self) -> int:
        """Clock of the engine, Hz."""
        return self.target.clock

    @property
    def seed(self) -> int:
        """Seed of the placer that a build begins with."""
        return self.target.seed

    @property
    def divisor(self) -> int:
        """Clock cycles of a bit on the serial port."""
        return round(self.clock / self.baud)


def _ulx3s(size, device, preset, targets):
    return Board(f"ulx3s-{size}f", f"ULX3S with LFE5U-{size}F",
                 f"amaranth_boards.ulx3s:ULX3S_{size}F_Platform", device, preset,
                 clock_in=25_000_000, fastest=100_000_000, targets=targets,
                 leds={"alive": ("led", 0), "busy": ("led", 1), "error": ("led", 2)},
                 baud=2_000_000, sram=("openFPGALoader", "-b", "ulx3s", "-m"),
                 flash=("openFPGALoader", "-b", "ulx3s", "-f"), connect="connect its USB port US1")


def _orangecrab(size, device, preset, targets):
    return Board(f"orangecrab-{size}f", f"OrangeCrab r0.2 with LFE5U-{size}F",
                 f"apical.boards.build.platforms:OrangeCrab{size}F", device, preset,
                 clock_in=48_000_000, fastest=72_000_000, targets=targets,
                 leds={"alive": ("led", 0), "busy": ("led", 1), "error": ("led", 2)},
                 flash=("dfu-util", "-d", "1209:5af0", "-a", "0", "-D"),
                 connect="connect it by USB with its button held down, and the serial adapter")


_BOARDS = (
    Board("icebreaker", "iCEBreaker 1.0", "amaranth_boards.icebreaker:ICEBreakerPlatform", UP5K,
          "icebreaker-learning", clock_in=12_000_000, fastest=24_000_000,
          targets={"icebreaker-learning": Target(24_000_000), "icebreaker": Target(24_000_000),
                   "icebreaker-ghosts": Target(18_000_000),
                   "icebreaker-sampling": Target(18_000_000),
                   "icebreaker-langevin": Target(18_000_000)},
          leds={"alive": ("led_g", 0), "error": ("led_r", 0)}, baud=3_000_000,
          sram=("iceprog", "-S"), flash=("iceprog",)),
    _ulx3s(12, ECP5_12, "ulx3s-25f", {"ulx3s-25f": Target(100_000_000)}),
    _ulx3s(25, ECP5_25, "ulx3s-25f", {"ulx3s-25f": Target(100_000_000),
                                      "ulx3s-25f-learning": Target(100_000_000, seed=2),
                                      "ulx3s-25f-full": Target(80_000_000)}),
    _ulx3s(45, ECP5_45, "ulx3s-45f", {"ulx3s-45f": Target(80_000_000)}),
    _ulx3s(85, ECP5_85, "ulx3s-85f", {"ulx3s-85f": Target(40_000_000, seed=4)}),
    _orangecrab(25, ECP5_25_285, "ulx3s-25f", {"ulx3s-25f": Target(72_000_000)}),
    _orangecrab(85, ECP5_85_285, "ulx3s-85f", {"ulx3s-85f": Target(40_000_000, seed=2)}),
    Board("colorlight-i5", "Colorlight i5 v7.0 with extension board",
          "apical.boards.build.platforms:ColorlightI5", ECP5_25, "ulx3s-25f",
          clock_in=25_000_000, fastest=80_000_000, targets={"ulx3s-25f": Target(80_000_000)},
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
    if family not in ("portable", chosen.device.family.name):
        raise MisuseError(f"preset '{engine}' is made of {family} cells, board '{name}' has "
                          f"{chosen.device.family.name}")
    return replace(chosen, preset=engine)
