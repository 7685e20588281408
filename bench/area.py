"""Cost of the optional units of a board's engine: cells with and without them.

``python -m bench.record area-BOARD python -m bench.area --board BOARD`` keeps the record that
docs/results.md shows.  Each engine is synthesized and packed, not placed: cells are exact, and
those of an engine too large for the device are reported too.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from apical.boards.build.build import synthesize_board, tools_for
from apical.boards.build.catalog import BOARDS, board
from apical.boards.build.routing import place_and_route
from apical.cli.common import write_json
from apical.hw.interface.presets import preset

#: Optional units by name -> what they change in a configuration without any.
UNITS = {
    "none": {},
    "learning": {"learning": True},
    "tables": {"smooth": True},
    "noise": {"noise": True},
    "all": {"learning": True, "smooth": True, "noise": True},
}


def area(name: str, say=lambda text: None) -> dict:
    """Cells of a board's top level with each optional unit.

    Parameters
    ----------
    name : str
        Board; its preset says everything else, the kind of learning unit included.
    """
    place = board(name)
    base = preset(place.preset).replace(learning=False, smooth=False, noise=False)
    tools, rows = tools_for(place), []
    for units, changes in UNITS.items():
        config = base.replace(**changes)
        with tempfile.TemporaryDirectory() as folder:
            work = Path(folder)
            synthesize_board(place, config, work)
            figures = place_and_route(place, work, 1, tool=tools[place.device.family.router],
                                      pack_only=True)
        del figures["fmax_mhz"], figures["worst_paths"]
        device = place.device
        lacking = [f"{figures[key] - have} {what}" for key, have, what in (
            ("luts", device.luts, "logic cells"), ("dsps", device.multipliers, "multipliers"),
            ("rams", device.rams, "block RAM"), ("spram", device.spram, "SPRAM"))
            if figures[key] > have]
        rows.append({"units": units, "config_hash": config.hash, **figures, "lacking": lacking})
        say(f"{name}, {units}: {figures['luts']} logic cells")
    return {"board": name, "preset": place.preset, "device": place.device.name,
            "lanes": base.lanes, "learn_unit": base.learn_unit, "device_luts": place.device.luts,
            "device_multipliers": place.device.multipliers, "device_rams": place.device.rams,
            "engines": rows, "tools": ", ".join(tool.version for tool in tools.values())}


def main():
    """Measure the board that the arguments name."""
    parser = argparse.ArgumentParser(prog="python -m bench.area", description=__doc__)
    parser.add_argument("--board", choices=sorted(BOARDS), required=True)
    parser.add_argument("--json", metavar="FILE")
    args = parser.parse_args()
    report = area(args.board, say=lambda text: print(text, file=sys.stderr))
    if args.json:
        write_json(args.json, report)
    for row in report["engines"]:
        print(f"{row['units']}: {row['luts']} logic cells, {row['ffs']} flip-flops, {row['dsps']} "
              f"multipliers" + (f"; lacks {', '.join(row['lacking'])}" if row["lacking"] else ""))


if __name__ == "__main__":
    main()
