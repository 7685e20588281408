"""``apical cosim --system`` and ``--fuzz``: learning systems and random cases, compared."""

from __future__ import annotations

import time

from ..golden.errors import MisuseError
from .common import say, table, write_json
from .engine_options import engine_changes


def add_learn_arguments(parser, whole):
    """Declare the options; `whole` makes parsers of whole numbers in a range."""
    parser.add_argument("--system", metavar="NAME", help="run the small case of a system, or of "
                        "'all'; with --data, --images or --train-epochs train it on images")
    parser.add_argument("--learn", action="store_true", help="let the system learn: weight writes "
                        "and final weights are compared too")
    parser.add_argument("--train-epochs", type=whole("epochs", 1, 1000), metavar="N",
                        help="with --system: train on the whole of --data, by signatures")
    parser.add_argument("--fuzz", type=whole("cases", 1, 10**6), metavar="N",
                        help="run random networks and programs on random engines")
    parser.add_argument("--configs", type=whole("configs", 1, 1000), default=3, metavar="C",
                        help="random engines of --fuzz (default: %(default)s)")


def run_systems(args, preset) -> int:
    """Run ``--system`` on an engine, by name of its preset; returns the exit code."""
    from ..sim.cosim.learning import LearnOptions, cosim_systems, system_names

    if not args.learn:
        raise MisuseError("--system needs --learn; inference of a network is co-simulated "
                          "without --system")
    common = {"systems": system_names(args.system), "seed": args.seed, "lanes": args.lanes,
              "preset": preset, "engine": engine_changes(args), "fast": args.fast,
              "simulator": args.sim, "waves": args.waves, "netlist": args.netlist is not None}
    start = time.perf_counter()
    given = (args.data, args.layers, args.train_epochs, args.images)
    if any(value is not None for value in given):
        from ..sim.cosim.training import TrainOptions, cosim_training

        report = cosim_training(TrainOptions(
            **common, data=args.data, layers=args.layers, epochs=args.train_epochs,
            images=args.images), say)
    else:
        report = cosim_systems(LearnOptions(**common), say)
    report["seconds"] = time.perf_counter() - start
    if args.json:
        write_json(args.json, report)
    print(table(("system", "images", "compared", "weights", "mismatches", "changed", "saturated",
                 "cycles an image", "signature"), [_row(*pair) for pair in
                                                   report["systems"].items()]))
    for name, system in report["systems"].items():
        for key, what in (("rtl", "of the gateware"), ("fixed", "of the fixed executor")):
            if system[f"accuracy_{key}"] is not None:
                tested = system.get("tested_rtl") if key == "rtl" else None
                share = f" (first {tested} images)" if tested else ""
                print(f"{name}: test accuracy {what} {system[f'accuracy_{key}']:.4f}{share}")
        if system.get("error_fixed") is not None:
            print(f"{name}: {system['error_is']}, test images, of the learned weights "
                  f"{system['error_fixed']:.4f}")
        if system["waves"]:
            print(f"{name}: waves {system['waves']}")
        if system["netlist"]:
            shipped = "agree" if system["shipped_signature_match"] else "DIFFER"
            print(f"{name}: signatures of the shipped netlist {shipped}")
    for name, why in report["failures"].items():
        print(f"{name}: {why}")
    agreed = "signatures and final weights agree" if args.fast else "every bit agrees"
    print("DIFFERS" if report["mismatches"] else "FAILS" if report["failures"] else agreed)
    return 1 if report["failures"] else 0


def _row(name, report):
    return (name, report["images"], report["compared"], report["weights_compared"],
            report["mismatches"], f"{report['weights_changed']:.1%}",
            f"{report['weights_saturated']:.2%}", f"{report['mean_cycles']:.1f}",
            f"{report['signature']}{'' if report['signature_match'] else ' (differs)'}")


def run_fuzz(args) -> int:
    """Run ``--fuzz``; returns the exit code."""
    from ..sim.random.campaign import fuzz

    start = time.perf_counter()
    report = fuzz(args.fuzz, args.configs, args.seed, args.sim, say=say)
    report["seconds"] = time.perf_counter() - start
    if args.json:
        write_json(args.json, report)
    print(f"{report['cases']} cases on {report['configs']} engines, {report['compared']} values "
          f"compared ({report['weights_compared']} weights), {report['mismatches']} mismatches")
    for line in report["failures"]:
        print(line)
    if report["failing_seed"] is not None:
        print(f"again: apical cosim --fuzz 1 --configs {args.configs} --seed "
              f"{report['failing_seed']}")
    print("DIFFERS" if report["mismatches"] else "every bit agrees")
    return 1 if report["mismatches"] else 0
