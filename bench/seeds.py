"""fmax of a board over several place-and-route seeds: one synthesis, one nextpnr run a seed.

``python -m bench.record timing-BOARD python -m bench.seeds --board BOARD`` keeps the record that
docs/results.md shows.  It is ``apical build --seeds`` without a bitstream, so seeds that all miss
the clock are recorded too.  fmax is nextpnr's estimate after routing, never a measurement on a
board.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import sys
import tempfile
from pathlib import Path

from apical.boards.build.build import synthesize_board, tools_for
from apical.boards.build.catalog import BOARDS, board
from apical.boards.build.seeds import best, try_seeds
from apical.boards.build.timing import describe
from apical.cli.common import write_json
from apical.hw.interface.presets import preset


def seeds(name: str, count: int, preset_name=None, keep=None, say=lambda text: None,
          jobs=1) -> dict:
    """Place and route a board's engine with the seeds 1..count.

    Parameters
    ----------
    name : str
        Board.
    preset_name : str, optional
        Another engine than the board's own.
    keep : path, optional
        Keep netlist, logs and the arrival times of all endpoints here, those of a seed in
        ``seed-N``.
    jobs : int
        Seeds at the same time.
    """
    place = board(name, preset_name)
    config = preset(place.preset)
    tools = tools_for(place)
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        synthesize_board(place, config, work)
        runs = try_seeds(place, work, range(1, count + 1), tools[place.device.family.router],
                         jobs=jobs, lanes=config.width, detailed=keep is not None, say=say)
        if keep is not None:
            shutil.copytree(work, keep, dirs_exist_ok=True)
    routed = [run for run in runs if run.fmax is not None]
    if not routed:
        raise SystemExit(f"{name}: routing ended with none of {count} seeds")
    reached, clock = [run.fmax for run in routed], place.clock / 1e6
    figures = best(runs).figures
    return {
        "board": name, "preset": place.preset, "device": place.device.name,
        "config_hash": config.hash, "lanes": config.lanes, "clock_mhz": clock,
        "seeds": count, "fmax_mhz": [run.fmax for run in runs], "fmax_min": min(reached),
        "fmax_median": statistics.median(reached), "fmax_max": max(reached),
        "below_clock": sum(run.fmax is None or run.fmax < clock for run in runs),
        "luts": figures["luts"], "device_luts": place.device.luts, "ffs": figures["ffs"],
        "rams": figures["rams"], "dsps": figures["dsps"],
        "idle_multipliers": place.device.multipliers - figures["dsps"],
        "worst_paths": {str(run.seed): run.figures["worst_paths"] for run in routed},
        "tools": ", ".join(tool.version for tool in tools.values())}


def main():
    """Run the seeds that the arguments name."""
    parser = argparse.ArgumentParser(prog="python -m bench.seeds", description=__doc__)
    parser.add_argument("--board", choices=sorted(BOARDS), required=True)
    parser.add_argument("--preset", help="another engine than the board's own")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--jobs", type=int, default=1, help="seeds at the same time")
    parser.add_argument("--keep", metavar="FOLDER",
                        help="keep netlist, logs and all arrival times here")
    parser.add_argument("--json", metavar="FILE")
    args = parser.parse_args()
    report = seeds(args.board, args.seeds, args.preset, args.keep,
                   say=lambda text: print(text, file=sys.stderr), jobs=args.jobs)
    if args.json:
        write_json(args.json, report)
    for seed, paths in report["worst_paths"].items():
        for path in paths:
            print(f"seed {seed}, slowest path of {path['clock']}: {describe(path)}")
    print(f"{report['board']}: fmax {report['fmax_min']} / {report['fmax_median']} / "
          f"{report['fmax_max']} MHz over {report['seeds']} seeds, clock {report['clock_mhz']:g}")


if __name__ == "__main__":
    main()
