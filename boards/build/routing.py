"""Place and route by nextpnr: one run, its figures, and when to give up."""

from __future__ import annotations

import json
import re
from pathlib import Path

from ...hw.export.families import Family
from ...hw.export.synthesis import find_tool, run_tool
from .catalog import Board
from .timing import slowest_paths

LOG = "nextpnr.log"
#: Rounds of the router without fewer overused wires than before, after which it will not end:
#: three runs that ended (85F) had at most 9 such rounds, the others used more and more wires twice.
PATIENCE = 20


def place_and_route(board: Board, folder: Path, seed: int, native=False, tool=None,
                    *, detailed=False, pack_only=False, stop=lambda: None) -> dict:
    """Run nextpnr on ``top.json`` in a folder; returns figures (`read_report`).

    Parameters
    ----------
    detailed : bool
        Have the arrival times of all endpoints in the report.
    pack_only : bool
        Stop after packing: no fmax, but how many cells are used, even if the device has fewer.
    stop : callable
        Returns the reason to end nextpnr, or None.

    Raises
    ------
    StoppedError
        When the router makes no more progress (`stalled`), which another seed may, or `stop` said
        so.
    """
    family = board.device.family
    tool = tool or find_tool(family.router, native)
    log = folder / LOG
    log.unlink(missing_ok=True)
    run_tool(tool, [*board.device.nextpnr, "--json", "top.json", *family.constraints_arguments,
                    *(["--pack-only"] if pack_only else family.routed),
                    *(["--detailed-timing-report"] if detailed else []),
                    "--seed", str(seed), "--freq", f"{board.clock / 1e6:g}", "--report",
                    "report.json", "--timing-allow-fail", "--log", LOG, "-q"],
             folder, "nextpnr.out", watch=lambda: stop() or stalled(log))
    return read_report(folder, family)


def stalled(log: Path):
    """Reason why the router will not end, from nextpnr's log so far; None while it may.

    The router that works in rounds (router2) reports after each how many wires are overused, that
    is, used by more than one net. It ends when there are none, or after 1,000 rounds.
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


def read_report(folder: Path, family: Family) -> dict:
    """Figures of a placed and routed design.

    Returns
    -------
    dict
        ``fmax_mhz``, of the slowest clock (None after packing only); ``luts``, ``ffs``, ``dsps``,
        ``rams`` and ``spram``, cells; ``worst_paths``, see
        :func:`apical.boards.build.timing.slowest_paths`.
    """
    report = json.loads((folder / "report.json").read_text())
    used = {name: cell["used"] for name, cell in report["utilization"].items()}
    clocks = [clock["achieved"] for clock in report["fmax"].values()]
    # The engine's clock is the one of the PLL; where several are reported, the slowest counts.
    figures = {"fmax_mhz": round(min(clocks), 2) if clocks else None, "spram": 0}
    figures |= {key: sum(used.get(cell, 0) for cell in cells.split())
                for key, cells in family.cells.items()}
    if family.flip_flops is not None:
        # Packed into logic cells: only the netlist shows how many.
        text = (folder / "top.json").read_text()
        figures["ffs"] = len(re.findall(rf'"type": "{family.flip_flops}', text))
    return figures | {"worst_paths": slowest_paths(report)}
