"""``apical build``: a board's bitstream with its manifest."""

from __future__ import annotations

import sys

from ..golden.errors import MisuseError
from .common import argument, check_writable, parse_layers, table, whole, write_json

HELP = "synthesize, place and route the bitstream of a board"


def add_arguments(parser):
    """Declare the options."""
    parser.add_argument("--board", required=True, metavar="B",
                        help="board to build for; 'apical boards' lists them")
    parser.add_argument("--preset", metavar="NAME", help="engine (default: that of the board)")
    parser.add_argument("--for", metavar="SYSTEM", dest="system", help="engine that runs this "
                        "system, see 'apical boards --systems'")
    parser.add_argument("--layers", type=argument(parse_layers), metavar="N-H-M",
                        help="refuse, before synthesis, unless this network fits")
    parser.add_argument("--seed", metavar="N", type=argument(whole("seed", 0, 1 << 30)),
                        help="seed of the placer, this one only, or the first of --seeds "
                             "(default: from the board's on, the first of three that reaches the "
                             "clock)")
    parser.add_argument("--seeds", metavar="N", type=argument(whole("seeds", 1, 1000)),
                        help="try N seeds, record the fmax of each and keep the best")
    parser.add_argument("--jobs", metavar="J", type=argument(whole("jobs", 1, 256)),
                        help="run J of the --seeds at the same time (default: 1)")
    parser.add_argument("--tools", choices=("yowasp", "native"), default="yowasp",
                        help="yowasp: those beside the running Python, else on PATH; "
                             "native: on PATH")
    parser.add_argument("-o", "--output", metavar="DIR", default="build/boards",
                        help="folder for the bitstream and its manifest")
    parser.add_argument("--keep", metavar="DIR", help="keep logs and intermediate files there")
    parser.add_argument("--json", metavar="FILE", help="write the manifest there as well")


def run(args) -> int:
    """Run the command; returns the exit code."""
    from ..boards.build.build import TRIES, build
    from ..boards.build.catalog import board
    from ..boards.build.timing import describe
    from ..hw.interface.presets import preset

    if args.jobs is not None and args.seeds is None:
        raise MisuseError("--jobs is for --seeds: name how many seeds to try")
    if args.system is not None and args.preset is not None:
        raise MisuseError("--for and --preset exclude each other: --for picks the preset")
    chosen = board(args.board, args.preset)
    if args.system is not None:
        from ..boards.build.fit import preset_for

        chosen = board(args.board, preset_for(chosen, args.system))
    config = preset(chosen.preset)
    if args.layers is not None:
        from ..boards.build.fit import fits, suggestion

        why = fits(args.layers, config)
        if why:
            raise MisuseError(f"{'-'.join(map(str, args.layers))} does not fit {chosen.name}: "
                              f"{'; '.join(why)}; {suggestion(args.layers, config)}")
    if args.json is not None:
        check_writable(args.json)
    made = build(chosen, args.output, seed=chosen.seed if args.seed is None else args.seed,
                 tries=args.seeds or (TRIES if args.seed is None else 1),
                 every=args.seeds is not None, jobs=args.jobs or 1, native=args.tools == "native",
                 keep=args.keep, say=lambda text: print(text, file=sys.stderr, flush=True))
    if args.json is not None:
        write_json(args.json, made)
    device = chosen.device
    print(table(("figure", "value", "of"), [
        ("fmax, MHz (nextpnr's estimate)", made["fmax_mhz"], None),
        ("clock, MHz", made["clock_mhz"], None),
        ("logic cells", made["luts"], device.luts), ("flip-flops", made["ffs"], None),
        ("multipliers", made["dsps"], device.multipliers),
        ("block RAM", made["rams"], device.rams), ("SPRAM", made["spram"], device.spram)]))
    for path in made["worst_paths"]:
        print(f"slowest path of {path['clock']}: {describe(path)}")
    if args.seeds is not None:
        print("fmax by seed: " + ", ".join(_seed(made, *one)
                                           for one in made["fmax_by_seed"].items()))
    print(f"{made['idle_multipliers']} multipliers of the device are idle")
    print(f"configuration {made['config_hash']}: wrote {made['bitstream']}")
    return 0


def _seed(made, seed, fmax):
    reached = "not routed" if fmax is None else f"{fmax} MHz"
    return f"{seed}: {reached}{' (kept)' if int(seed) == made['seed'] else ''}"
