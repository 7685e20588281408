"""The boards: one record each.  Nothing here needs Amaranth or a tool.

A new board is one more record (and a platform class, if amaranth-boards has none).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from ...golden.errors import MisuseError
from ...hw.export.families import ECP5, GOWIN, ICE40, Family, function_of
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
    packer : tuple of str
        Options of the packer that name the device.
    """

    name: str
    family: Family
    nextpnr: tuple
    luts: int
    multipliers: int
    rams: int
    spram: int = 0
    packer: tuple = ()


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
#: In the iCESugar-pro and the Icepi Zero.
ECP5_25_256 = _ecp5("LFE5U-25F", "25k", 24288, 28, 56, "CABGA256")


def _gowin(name, part, chip, luts, multipliers, rams):
    return Device(name, GOWIN, ("--device", part, "--vopt", f"family={chip}"), luts, multipliers,
                  rams, packer=("-d", chip))


GW1NR_9 = _gowin("GW1NR-9", "GW1NR-LV9QN88PC6/I5", "GW1N-9C", 8640, 20, 26)
GW2AR_18 = _gowin("GW2AR-18", "GW2AR-LV18QN88C8/I7", "GW2A-18C", 20736, 48, 46)


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
    adapter : str or None
        Where a 3.3 V serial adapter goes, for boards without a serial port of their own.
    prepare : str or None
        What the board needs before its first use.
    pll : str or None
        ``module:function`` that makes the clock, where it is not that of the family.
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
    adapter: str | None = None
    prepare: str | None = None
    pll: str | None = None

    def make_pll(self):
        """The function that makes the clock, see :mod:`apical.hw.primitives.pll`."""
        return function_of(self.pll or self.device.family.pll)

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
                 connect="connect it by USB with its button held down, and the serial adapter",
                 adapter="pin 0 (receive) and pin 1 (transmit) of the connector")


def _up5k(name, title, platform, **options):
    """A board with the UP5K and an oscillator of 12 MHz."""
    return Board(name, title, platform, UP5K, "icebreaker-learning", clock_in=12_000_000,
                 fastest=24_000_000, targets={
                     "icebreaker-learning": Target(24_000_000), "icebreaker": Target(24_000_000),
                     "icebreaker-ghosts": Target(18_000_000),
                     "icebreaker-sampling": Target(18_000_000),
                     "icebreaker-langevin": Target(18_000_000)}, **options)


def _tang_nano(name, title, platform, device, preset, targets):
    return Board(name, title, platform, device, preset, clock_in=27_000_000,
                 fastest=max(target.clock for target in targets.values()), targets=targets,
                 leds={"alive": ("led", 0), "busy": ("led", 1), "error": ("led", 2)}, baud=115_200,
                 sram=("openFPGALoader", "-b", name.replace("-", ""), "-m"),
                 flash=("openFPGALoader", "-b", name.replace("-", ""), "-f"))


_BOARDS = (
    _up5k("icebreaker", "iCEBreaker 1.0", "amaranth_boards.icebreaker:ICEBreakerPlatform",
          leds={"alive": ("led_g", 0), "error": ("led_r", 0)}, baud=3_000_000,
          sram=("iceprog", "-S"), flash=("iceprog",)),
    # Pins: amaranth-boards, the same as in wuxx/icesugar, src/common/io.pcf; the debugger on the
    # board gives the clock and has the serial port.
    _up5k("icesugar", "iCESugar", "amaranth_boards.icesugar:ICESugarPlatform",
          leds={"alive": ("led_g", 0), "busy": ("led_b", 0), "error": ("led_r", 0)}, baud=115_200,
          flash=("icesprog",)),
    # Pins: amaranth-boards.  Its FT232H is busy with the flash memory and cannot be a serial port.
    # The oscillator is not at the pad of the PLL (tinyvision-ai-inc/UPduino-v3.0, issue 29).
    _up5k("upduino-v3", "UPduino 3.x", "apical.boards.build.platforms:UPduinoV3",
          leds={"alive": ("led", 0), "busy": ("led", 1), "error": ("led", 2)},
          flash=("iceprog",), connect="connect it by USB, and the serial adapter",
          adapter="gpio_28 (receive) and gpio_38 (transmit)",
          prepare="join the two pads of the jumper OSC (R16), which brings 12 MHz to gpio_20",
          pll="apical.hw.primitives.pll:ice40_pll_core"),
    # Pins: tinyvision-ai-inc/pico-ice-sdk, rtl/pico_ice.pcf and examples/ice_apio_uart_echo; the
    # RP2040 with its default firmware (tinyvision-ai-inc/pico-ice, Firmware/pico-ice-default) gives
    # 12 MHz, forwards a serial port and loads bitstreams.
    _up5k("pico-ice", "pico-ice", "apical.boards.build.platforms:PicoIce",
          leds={"alive": ("led", 0), "busy": ("led", 1), "error": ("led", 2)}, baud=115_200,
          sram=("dfu-util", "-d", "1209:b1c0", "-a", "1", "-D"),
          flash=("dfu-util", "-d", "1209:b1c0", "-a", "0", "-R", "-D"),
          connect="connect it by USB; of its serial ports the second is the one",
          prepare="keep the default firmware on its microcontroller, 1.5 or later"),
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
    # Pins: wuxx/icesugar-pro, README.md; serial port: amaranth-boards and litex-boards.
    Board("icesugar-pro", "iCESugar-pro 1.3", "apical.boards.build.platforms:ICESugarPro",
          ECP5_25_256, "ulx3s-25f", clock_in=25_000_000, fastest=80_000_000,
          targets={"ulx3s-25f": Target(80_000_000)},
          leds={"alive": ("led", 0), "busy": ("led", 1), "error": ("led", 2)}, baud=115_200,
          flash=("icesprog",)),
    # Pins: amaranth-boards, the same as in litex-boards; the serial adapter is a FT231X.
    Board("icepi-zero", "Icepi Zero 1.3", "amaranth_boards.icepi_zero:IcepiZero1_3Platform",
          ECP5_25_256, "ulx3s-25f", clock_in=50_000_000, fastest=100_000_000,
          targets={"ulx3s-25f": Target(100_000_000)},
          leds={"alive": ("led", 0), "busy": ("led", 1), "error": ("led", 2)}, baud=2_000_000,
          sram=("openFPGALoader", "-b", "icepi-zero", "-m"),
          flash=("openFPGALoader", "-b", "icepi-zero", "-f"),
          connect="connect the USB port that has the serial adapter"),
    # Pins: sipeed/TangNano-9K-example and sipeed/TangNano-20K-example, uart/src/top.cst and the led
    # projects; the same in litex-boards.
    _tang_nano("tang-nano-9k", "Tang Nano 9K", "apical.boards.build.platforms:TangNano9K", GW1NR_9,
               "tang-nano-9k", {"tang-nano-9k": Target(27_000_000)}),
    _tang_nano("tang-nano-20k", "Tang Nano 20K", "apical.boards.build.platforms:TangNano20K",
               GW2AR_18, "tang-nano-20k", {"tang-nano-20k": Target(27_000_000)}),
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
