"""``apical train``: train a network, evaluate it, write the model."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from ..golden.errors import MisuseError
from . import train_device, train_fixed, train_machine
from .common import (
    argument,
    check_writable,
    number,
    parse_layers,
    show_epoch,
    whole_number,
    write_json,
)

#: Layers where none are given.
DEFAULT_LAYERS = {"digits": (64, 32, 10), "mnist": (784, 64, 10), "fashion-mnist": (784, 64, 10)}


def parse_rates(text):
    """Learning rates of a text such as ``0.2,0.1``: one, or one a layer of weights."""
    rates = []
    for part in text.split(","):
        try:
            rates.append(number(part))
        except MisuseError as error:
            raise MisuseError(f"rate '{part}' of '{text}' is not a number; "
                              "write rates as 0.2,0.1") from error
    return tuple(rates)


def parse_beta(text):
    """Shift n of a strength of the nudge, ``2**-n``, such as ``0.5``.

    Raises
    ------
    MisuseError
        For 0 and everything else that is no power of two from 1 to 2**-15.
    """
    try:
        shift = {2.0 ** -n: n for n in range(16)}.get(number(text))
    except MisuseError as error:
        raise MisuseError(f"beta '{text}' is not a number; write it as 0.5") from error
    if shift is None:
        why = "the contrast is divided by it" if float(text) == 0 else "steps are shifts"
        raise MisuseError(f"beta is {text}; {why}, so give 1, 0.5, 0.25 or another power of two "
                          "down to 2**-15")
    return shift


def resumed(resume, checkpoint):
    """The checkpoint to go on from, or None.

    Parameters
    ----------
    resume, checkpoint : str or None
        As given; an empty `resume` means the checkpoint, where a run was stopped after its first
        epoch, and the start, where it was stopped before.
    """
    if resume != "":
        return resume
    if checkpoint is None:
        raise MisuseError("--resume without a file needs --checkpoint, which says where one is")
    if not Path(checkpoint).exists():
        print(f"apical: no checkpoint '{checkpoint}' yet; from the start", file=sys.stderr)
        return None
    return checkpoint


def add_arguments(parser):
    """Declare the options."""
    whole = argument(whole_number)
    tuned = "(default: tuned for the data)"
    parser.add_argument("--data", metavar="NAME", default="digits",
                        help="digits, mnist or fashion-mnist")
    parser.add_argument("--data-folder", metavar="FOLDER",
                        help="folder of downloaded data (default: the one APICAL_DATA names)")
    parser.add_argument("--layers", metavar="A-B-..-Z", type=argument(parse_layers),
                        help="units of each layer (default: 64-32-10 for digits, 784-64-10 else)")
    parser.add_argument("--rule", default="ep",
                        help="learning rule: ep, equilibrium propagation; flow, probability flow "
                        "of a Boltzmann machine; cd, contrastive divergence")
    parser.add_argument("--seed", metavar="N", type=whole, default=0,
                        help="of starting weights, order of images and signs of the nudge")
    parser.add_argument("--epochs", metavar="N", type=whole, help=f"{tuned}")
    parser.add_argument("--batch", metavar="N", type=whole,
                        help=f"images of a batch {tuned}")
    parser.add_argument("--rates", metavar="R,R,..", type=argument(parse_rates),
                        help=f"learning rate of each layer of weights {tuned}")
    parser.add_argument("--decay", metavar="F", type=argument(number),
                        help=f"factor on the rates after each epoch {tuned}")
    parser.add_argument("--beta-shift", metavar="N", type=whole,
                        help=f"strength of the nudge, 2**-N {tuned}")
    parser.add_argument("--beta", dest="beta_shift", metavar="B", type=argument(parse_beta),
                        help="the same as a number: 1, 0.5, 0.25, ..; its sign is drawn for each "
                        "batch")
    parser.add_argument("--steps", metavar="N", type=whole,
                        help=f"relaxation steps of the free phase {tuned}")
    parser.add_argument("--nudge-steps", metavar="N", type=whole,
                        help=f"relaxation steps of the nudged phase {tuned}")
    train_machine.add_arguments(parser, whole)
    parser.add_argument("--save", metavar="MODEL.npz", help="write the trained model")
    parser.add_argument("--json", metavar="FILE", help="write the result as JSON")
    parser.add_argument("--checkpoint", metavar="FILE", help="write the state after every epoch")
    parser.add_argument("--resume", metavar="FILE", nargs="?", const="",
                        help="go on from a checkpoint, to the weights of an unbroken run; without "
                        "a name from that of --checkpoint, or from the start if there is none yet")
    train_fixed.add_arguments(parser, whole)
    train_device.add_arguments(parser)
    parser.add_argument("--quiet", action=argparse.BooleanOptionalAction, default=None,
                        help="no progress (default: progress where stderr is a terminal)")


def run(args) -> int:
    """Train, write, print one line."""
    args.resume = resumed(args.resume, args.checkpoint)
    device = train_device.wanted(args)
    if device and args.rule != "ep":
        raise MisuseError(f"rule '{args.rule}' does not learn on a device; rule ep does")
    if device and args.executor == "fixed":
        raise MisuseError("--executor fixed trains without a device; leave it out, or --port and "
                          "--link")
    if args.rule in train_machine.RULES:
        return train_machine.run(args)
    train_machine.refuse(args)

    from ..golden.learning.data import load
    from ..golden.learning.float import default_config, train
    from ..golden.storage.model import Model, save_model
    from ..golden.systems.rules import rule

    for path in (args.save, args.json, args.checkpoint):
        if path is not None:
            check_writable(path)
    layers = args.layers or DEFAULT_LAYERS.get(args.data, DEFAULT_LAYERS["digits"])
    quiet = not sys.stderr.isatty() if args.quiet is None else args.quiet
    if device:
        return train_device.run(args, layers)
    if args.executor == "fixed":
        return train_fixed.run(args, layers, None if quiet else show_epoch)
    train_fixed.refuse(args)
    config = default_config(args.data, layers, args.rule, epochs=args.epochs, batch=args.batch,
                            rates=args.rates, decay=args.decay, beta_shift=args.beta_shift,
                            steps=args.steps, nudge_steps=args.nudge_steps, seed=args.seed)
    chosen = rule(config.rule)
    network = chosen.network(layers)
    dataset = load(args.data, args.data_folder)
    begin = time.perf_counter()
    result = train(network, dataset, config, progress=None if quiet else show_epoch,
                   checkpoint=args.checkpoint, resume=args.resume)
    seconds = time.perf_counter() - begin
    report = {
        "executor": "float", "data": args.data, "layers": list(layers), "rule": config.rule,
        "seed": config.seed,
        "epochs": config.epochs, "batch": config.batch, "rates": list(config.rates),
        "decay": config.decay, "beta_shift": config.beta_shift, "steps": config.steps,
        "nudge_steps": config.nudge_steps, "inference_steps": config.inference_steps,
        "test_error": result.test_error, "train_error": result.train_error,
        "test_accuracy": result.test_accuracy, "test_errors": result.test_errors,
        "greatest_weight": result.greatest_weight,
    }
    if args.save is not None:
        # Without times: equal runs write equal files.
        save_model(args.save, Model(network, result.weights, meta=report,
                                    program=chosen.inference(network, config.inference_steps)))
    if args.json is not None:
        write_json(args.json, {**report, "images_per_second": result.images_per_second,
                               "seconds": seconds})
    print(f"{network.name} on {args.data}, seed {config.seed}: "
          f"test accuracy {100 * result.test_accuracy:.2f} %, "
          f"train {100 * (1 - result.train_error):.2f} % after {config.epochs} epochs "
          f"({seconds:.1f} s, {result.images_per_second:.0f} images/s)")
    return 0
