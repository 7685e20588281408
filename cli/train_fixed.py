"""``apical train --executor fixed``: train in raw integers, image by image, as an engine does."""

from __future__ import annotations

import time

from ..golden.errors import MisuseError
from .common import argument, write_json


def add_arguments(parser, whole):
    """Declare the options that only raw integers have; `whole` parses whole numbers."""
    from ..golden.numbers.formats import Format

    parser.add_argument("--executor", choices=("float", "fixed"), default="float",
                        help="float: real numbers, batches; fixed: raw integers, image by image, "
                             "bit for bit what an engine does (default: float)")
    parser.add_argument("--state", metavar="FORMAT", type=argument(Format.parse),
                        help="fixed: number format of states (default: s16.12)")
    parser.add_argument("--weight", metavar="FORMAT", type=argument(Format.parse),
                        help="fixed: number format of weights (default: s16.12 for digits, s16.14 "
                             "else)")
    parser.add_argument("--update-frac", metavar="N", type=whole,
                        help="fixed: fraction bits of a weight's last place that updates keep "
                             "(default: 18 less the fraction bits of weights, for 16-bit states; 4 "
                             "for weights of 8 bits)")


def refuse(args):
    """Raise `MisuseError` for options of raw integers where numbers are real."""
    for name in ("state", "weight", "update_frac"):
        if getattr(args, name) is not None:
            raise MisuseError(f"--{name.replace('_', '-')} needs --executor fixed")


def run(args, layers, show) -> int:
    """Train, write, print one line.

    Parameters
    ----------
    args : Namespace
        Of ``apical train``.
    layers : sequence of int
    show : callable or None
        Takes an `EpochReport` after each epoch.
    """
    from ..golden.learning.data import load
    from ..golden.learning.fixed import default_fixed_config, train_fixed
    from ..golden.network import layered
    from ..golden.program.layered import inference
    from ..golden.storage.model import Model, save_model

    config = default_fixed_config(
        args.data, layers, args.rule, epochs=args.epochs, batch=args.batch, rates=args.rates,
        decay=args.decay, beta_shift=args.beta_shift, steps=args.steps,
        nudge_steps=args.nudge_steps, seed=args.seed, state=args.state, weight=args.weight,
        update_frac=args.update_frac)
    network = layered(layers)
    dataset = load(args.data, args.data_folder)
    begin = time.perf_counter()
    result = train_fixed(network, dataset, config, progress=show, checkpoint=args.checkpoint,
                         resume=args.resume)
    seconds = time.perf_counter() - begin
    report = {
        "executor": "fixed", "data": args.data, "layers": list(layers), "rule": config.rule,
        "seed": config.seed, "epochs": config.epochs, "batch": config.batch,
        "rates": list(config.rates), "decay": config.decay, "beta_shift": config.beta_shift,
        "steps": config.steps, "nudge_steps": config.nudge_steps,
        "inference_steps": config.inference_steps, "state": str(config.state),
        "weight": str(config.weight), "update_frac": config.update_frac,
        "test_error": result.test_error, "train_error": result.train_error,
        "test_accuracy": result.test_accuracy, "test_errors": result.test_errors,
        "greatest_weight": result.greatest_weight, "signature": f"{result.signature:08x}",
        "writes": result.writes, "saturations": result.saturations,
        "weights_saturated": result.saturated_weights, "weights_changed": result.changed_weights,
    }
    if args.save is not None:
        # Without times: equal runs write equal files.
        save_model(args.save, Model(network, result.weights, (config.state, config.weight),
                                    meta=report,
                                    program=inference(network, config.inference_steps)))
    if args.json is not None:
        write_json(args.json, {**report, "images_per_second": result.images_per_second,
                               "seconds": seconds})
    print(f"{network.name} on {args.data}, states {config.state}, weights {config.weight}, seed "
          f"{config.seed}: test accuracy {100 * result.test_accuracy:.2f} %, "
          f"train {100 * (1 - result.train_error):.2f} % after {config.epochs} epochs, "
          f"signature {result.signature:08x} "
          f"({seconds:.1f} s, {result.images_per_second:.0f} images/s)")
    return 0
