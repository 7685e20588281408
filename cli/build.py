"""``apical build``: a board's bitstream with its manifest."""

from __future__ import annotations

import sys

from .common import argument, check_writable, parse_layers, table, whole_number, write_json

#: Seeds of the placer that are tried.
TRIES = 3

HELP = "synthesize, place and route the bitstream of a board"


def add_arguments(parser):
    """Declare the options."""
    parser.add_argument("--board", required=True, metavar="B",
                        help="board to build for; 'apical boards' lists them")
    parser.add_argument("--preset", metavar="NAME", help="engine (default: that of the board)")
    parser.add_argument("--layers", type=argument(parse_layers), metavar="N-H-M",
                        help="refuse, before synthesis, unless this network fits")
    parser.add_argument("--seed", type=argument(whole_number),
                        help="seed of the placer, this one only (default: "
                        f"the first of {TRIES} from the board's on that reaches the clock)")
    parser.add_argument("--tools", choices=("yowasp", "native"), default="yowasp",
                        help="yowasp: those beside the running Python, else on PATH; "
                             "native: on PATH")
    parser.add_argument("-o", "--output", metavar="DIR", default="build/boards",
                        help="folder for the bitstream and its manifest")
    parser.add_argument("--keep", metavar="DIR", help="keep logs and intermediate files there")
    parser.add_argument("--json", metavar="FILE", help="write the manifest there as well")


def run(args) -> int:
    """Run the command; returns the exit code."""
    from ..boards.build.build import build
    from ..boards.build.catalog import board
    from ..golden.errors import MisuseError
    from ..hw.interface.config import preset

    chosen = board(args.board, args.preset)
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
                 tries=TRIES if args.seed is None else 1, native=args.tools == "native",
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
    print(f"{made['idle_multipliers']} multipliers of the device are idle")
    print(f"configuration {made['config_hash']}: wrote {made['bitstream']}")
    return 0
