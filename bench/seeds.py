"""fmax of a board over several place-and-route seeds: one synthesis, one nextpnr run a seed.

``python -m bench.record timing-BOARD python -m bench.seeds --board BOARD`` keeps the record that
docs/results.md shows.  fmax is nextpnr's estimate after routing, never a measurement on a board.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import sys
import tempfile
from pathlib import Path

from apical.boards.build.build import board_files, tools_for
from apical.boards.build.catalog import BOARDS, board
from apical.boards.build.routing import place_and_route
from apical.cli.common import write_json
from apical.hw.export.synthesis import synthesize
from apical.hw.interface.config import preset


def seeds(name: str, count: int, preset_name=None, keep=None, say=lambda text: None) -> dict:
    """Place and route a board's engine with the seeds 1..count.

    Parameters
    ----------
    name : str
        Board.
    preset_name : str, optional
        Another engine than the board's own.
    keep : path, optional
        Keep netlist, logs and the arrival times of all endpoints here, in one folder a seed.
    """
    place = board(name, preset_name)
    config = preset(place.preset)
    tools = tools_for(place)
    family = place.device.family
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        rtlil, constraints = board_files(place, config)
        (work / f"top.{'pcf' if family == 'ice40' else 'lpf'}").write_text(constraints)
        synthesize(rtlil, "top", family, work)
        runs = []
        for seed in range(1, count + 1):
            runs.append(place_and_route(place, work, seed, tool=tools[f"nextpnr-{family}"],
                                        detailed=keep is not None))
            if keep is not None:
                shutil.copytree(work, Path(keep) / f"seed{seed}", dirs_exist_ok=True)
            say(f"{name}, seed {seed}: {runs[-1]['fmax_mhz']} MHz")
    reached = [run["fmax_mhz"] for run in runs]
    return {
        "board": name, "preset": place.preset, "device": place.device.name,
        "config_hash": config.hash, "lanes": config.lanes, "clock_mhz": place.clock / 1e6,
        "seeds": count, "fmax_mhz": reached, "fmax_min": min(reached),
        "fmax_median": statistics.median(reached), "fmax_max": max(reached),
        "below_clock": sum(fmax < place.clock / 1e6 for fmax in reached),
        "luts": runs[0]["luts"], "device_luts": place.device.luts, "ffs": runs[0]["ffs"],
        "rams": runs[0]["rams"], "dsps": runs[0]["dsps"],
        "idle_multipliers": place.device.multipliers - runs[0]["dsps"],
        "tools": ", ".join(tool.version for tool in tools.values())}


def main():
    """Run the seeds that the arguments name."""
    parser = argparse.ArgumentParser(prog="python -m bench.seeds", description=__doc__)
    parser.add_argument("--board", choices=sorted(BOARDS), required=True)
    parser.add_argument("--preset", help="another engine than the board's own")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--keep", metavar="FOLDER",
                        help="keep netlists, logs and all arrival times here")
    parser.add_argument("--json", metavar="FILE")
    args = parser.parse_args()
    report = seeds(args.board, args.seeds, args.preset, args.keep,
                   say=lambda text: print(text, file=sys.stderr))
    if args.json:
        write_json(args.json, report)
    print(f"{report['board']}: fmax {report['fmax_min']} / {report['fmax_median']} / "
          f"{report['fmax_max']} MHz over {report['seeds']} seeds, clock {report['clock_mhz']:g}")


if __name__ == "__main__":
    main()
