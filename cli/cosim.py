"""``apical cosim``: a network on the simulated gateware, compared with the fixed executor."""

from __future__ import annotations

import sys
import time

from ..golden.errors import MisuseError
from .common import (
    argument,
    check_writable,
    number,
    parse_layers,
    say,
    show_epoch,
    table,
    whole,
    write_json,
)
from .cosim_learn import add_learn_arguments, run_fuzz, run_systems
from .engine_options import add_engine_arguments, engine_changes

HELP = "run a network on the simulated gateware and compare every bit"


def add_arguments(parser):
    """Declare the options."""
    parser.add_argument("--layers", type=argument(parse_layers), metavar="A-B-..-Z",
                        help="layer sizes, input first (default: 64-32-10)")
    add_engine_arguments(parser)
    parser.add_argument("--data", help="digits, mnist, fashion-mnist or random (default: the set "
                        "with that many pixels; random with random weights)")
    parser.add_argument("--weights", choices=("trained", "random"),
                        help="trained ones are trained once and kept (default: trained, random "
                        "for random data)")
    parser.add_argument("--density", type=argument(number),
                        help="share of non-zero pixels of random data")
    parser.add_argument("--images", type=argument(whole("images", 1, 65535)),
                        help="held-out images to run (default: 100); training images of --system")
    parser.add_argument("--steps", type=argument(whole("steps", 0, 65535)),
                        help="relaxation steps behind the sweep (default: 6)")
    parser.add_argument("--settled", type=argument(number), metavar="DU",
                        help="end the relaxation when no state moves by more")
    parser.add_argument("--seed", type=argument(whole("seed", 0, 2**32 - 1)), default=0)
    parser.add_argument("--fast", action="store_true",
                        help="compare signatures and write counts only")
    parser.add_argument("--sim", "--simulator", choices=("verilator", "icarus"),
                        default="verilator", help="simulator")
    parser.add_argument("--waves", action="store_true", help="write a wave file")
    parser.add_argument("--inject", choices=("weight-bit", "state-bit"),
                        help="flip one bit through the host port; the bench must name the place")
    parser.add_argument("--netlist", metavar="BOARD",
                        help="simulate the netlist that synthesis makes of the board's engine, or "
                        "of --preset: with trace port, every write; as shipped, signatures")
    add_learn_arguments(parser, lambda *limits: argument(whole(*limits)))
    parser.add_argument("--json", metavar="FILE", help="write the report")


def run(args) -> int:
    """Run the command; returns the exit code."""
    if args.json:
        check_writable(args.json)
    if args.fuzz is not None or args.system is not None:
        _refuse(args)
        return run_fuzz(args) if args.fuzz is not None else run_systems(args, _preset(args))
    if args.learn or args.train_epochs is not None:
        raise MisuseError("--learn and --train-epochs need a --system NAME; 'all' runs every one")
    from ..sim.cosim.inference import CosimOptions, cosim

    options = CosimOptions(
        layers=args.layers, lanes=args.lanes, preset=_preset(args), engine=engine_changes(args),
        netlist=args.netlist is not None,
        seed=args.seed, images=100 if args.images is None else args.images,
        data=args.data, density=args.density, weights=args.weights,
        steps=6 if args.steps is None else args.steps, settled=args.settled,
        fast=args.fast, simulator=args.sim, waves=args.waves, inject=args.inject)
    start = time.perf_counter()
    report = cosim(options, show_epoch if sys.stderr.isatty() else None, say)
    report["seconds"] = time.perf_counter() - start
    if args.json:
        write_json(args.json, report)
    print(table(("quantity", "value"), [(name, _shown(value)) for name, value in _rows(report)]))
    differs = report["mismatches"] or not report["signature_match"]
    if report["sentence"]:
        waves = report["waves"] or "run again with --waves for a wave file"
        print(f"{report['sentence']} (waves: {waves})")
    elif report["registers_differ"]:
        print(f"registers that differ: {report['registers_differ']}")
    elif report["waves"]:
        print(f"waves: {report['waves']}")
    if report["netlist"]:
        shipped = "agree" if report["shipped_signature_match"] else "DIFFER"
        print(f"shipped netlist: signatures {shipped}")
    print("DIFFERS" if differs else "every bit agrees" if not args.fast else "signatures agree")
    return 1 if differs else 0


def _preset(args):
    """Name of the preset that is asked for, or None."""
    if args.netlist is None:
        return args.preset
    from ..boards.build.catalog import board

    if args.lanes is not None:
        raise MisuseError("--netlist takes the engine of a board, or --preset NAME; drop --lanes")
    return board(args.netlist, args.preset).preset


def _refuse(args):
    """Refuse options that mean nothing to ``--system`` and ``--fuzz``."""
    what = "--system" if args.fuzz is None else "--fuzz"
    never = {"--weights": args.weights, "--density": args.density, "--settled": args.settled,
             "--inject": args.inject, "--steps": args.steps}
    if args.fuzz is not None:
        never |= {"--netlist": args.netlist, "--system": args.system,
                  "--train-epochs": args.train_epochs,
                  "--layers": args.layers, "--data": args.data, "--images": args.images,
                  "--preset": args.preset, "--lanes": args.lanes, "--tiles": args.tiles,
                  "--hop": args.hop, "--fast": args.fast or None,
                  "--waves": args.waves or None}
    for option, value in never.items():
        if value is not None:
            raise MisuseError(f"{option} and {what} exclude each other")


def _rows(report):
    layers = "-".join(map(str, report["layers"]))
    tiles = f"{report['tiles']} tiles of " if report["tiles"] > 1 else ""
    rows = [("network", f"{layers}, {report['weights']} weights, {report['data']} data"),
            ("engine", f"{tiles}{report['lanes']} lanes, {report['update_lanes']} update lanes, "
                       f"configuration {report['config_hash']}"),
            ("images", report["images"]),
            ("values compared" if report["mode"] == "every write" else "signatures compared",
             report["compared"]),
            ("mismatches", report["mismatches"]), ("state writes", report["writes"])]
    rows += [(f"accuracy {name}", report[f"accuracy_{key}"]) for key, name in (
        ("rtl", "of the gateware"), ("fixed", "of the fixed executor"), ("float", "in float"))
        if report["accuracy_rtl"] is not None]
    rows += [("mean cycles an image", report["mean_cycles"]),
             ("mean load cycles an image", report["load_cycles"]),
             ("mean relaxation steps", report["mean_steps"]),
             ("MAC utilization", report["mac_utilization"]),
             ("simulated cycles/s", report["cycles_per_second"]),
             ("signature", f"{report['signature']}"
                           f"{'' if report['signature_match'] else ' (differs)'}")]
    return rows


def _shown(value):
    return f"{value:.4g}" if isinstance(value, float) and value < 10 else \
        f"{value:.1f}" if isinstance(value, float) else value
