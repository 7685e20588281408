"""Place and route by nextpnr: one run, its figures, and when it is given up."""

from __future__ import annotations

import json
import re
from pathlib import Path

from ...hw.export.synthesis import find_tool, run_tool
from .catalog import Board

#: nextpnr's names of cells, by family -> key of the report.
CELLS = {
    "ice40": {"luts": "ICESTORM_LC", "dsps": "ICESTORM_DSP", "rams": "ICESTORM_RAM",
              "spram": "ICESTORM_SPRAM"},
    "ecp5": {"luts": "TRELLIS_COMB", "ffs": "TRELLIS_FF", "dsps": "MULT18X18D", "rams": "DP16KD"},
}

LOG = "nextpnr.log"
#: Rounds of the router without a new least number of overused wires, after which it will not end:
#: three runs that ended (85F) had at most 9, the others went on, with ever more such wires.
PATIENCE = 20


def place_and_route(board: Board, folder: Path, seed: int, native=False, tool=None,
                    *, detailed=False, pack_only=False) -> dict:
    """Run nextpnr on ``top.json`` in a folder; returns figures (`read_report`).

    A detailed report has the arrival times of all endpoints; one of packing only has no fmax, but
    how many cells of the device are used, even if it has not so many.

    Raises
    ------
    StoppedError
        When the router no longer comes nearer to an end (`stalled`); another seed may.
    """
    family = board.device.family
    tool = tool or find_tool(f"nextpnr-{family}", native)
    constraints, output = (("--pcf", "top.pcf"), ("--asc", "top.asc")) if family == "ice40" else \
        (("--lpf", "top.lpf"), ("--textcfg", "top.config"))
    (folder / LOG).unlink(missing_ok=True)  # of the seed before
    run_tool(tool, [*board.device.nextpnr, "--json", "top.json", *constraints,
                    *(["--pack-only"] if pack_only else output),
                    *(["--detailed-timing-report"] if detailed else []),
                    "--seed", str(seed), "--freq", f"{board.clock / 1e6:g}", "--report",
                    "report.json", "--timing-allow-fail", "--log", LOG, "-q"],
             folder, "nextpnr.out", watch=lambda: stalled(folder / LOG))
    return read_report(folder, family)


def stalled(log: Path):
    """Why the router will not end, by nextpnr's log so far; None while it may.

    The router that works in rounds (router2) tells after each how many wires more than one net
    wants; it ends when there are none, and has no limit of its own short of 1,000 rounds.
    """
    if not log.is_file():
        return None
    overused = [int(count) for count in
                re.findall(r" iter=\d+ .*? overused=(\d+)", log.read_text(errors="replace"))]
    if not overused:
        return None
    rounds = len(overused) - 1 - overused.index(min(overused))
    if rounds < PATIENCE:
        return None
    return (f"routing does not end, {overused[-1]} wires are wanted by several nets, "
            f"{min(overused)} were {rounds} rounds before")


def read_report(folder: Path, family: str) -> dict:
    """Figures of a placed and routed design: fmax_mhz, luts, ffs, dsps, rams, spram."""
    report = json.loads((folder / "report.json").read_text())
    used = {name: cell["used"] for name, cell in report["utilization"].items()}
    clocks = {name: clock["achieved"] for name, clock in report["fmax"].items()}
    # The engine's clock is the one of the PLL; where several are told, the slowest counts.
    figures = {"fmax_mhz": round(min(clocks.values()), 2) if clocks else None, "spram": 0}
    figures |= {key: used.get(cell, 0) for key, cell in CELLS[family].items()}
    if "ffs" not in figures:
        figures["ffs"] = flip_flops(folder / "top.json")
    return figures


def flip_flops(path: Path) -> int:
    """Flip-flops of a synthesized design (nextpnr packs those of the iCE40 into logic cells)."""
    return len(re.findall(r'"type": "SB_DFF', path.read_text()))


