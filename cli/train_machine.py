"""``apical train --rule flow`` and ``--rule cd``: Boltzmann machines."""

from __future__ import annotations

import sys
import time

from ..golden.errors import MisuseError
from .common import argument, check_writable, number, write_json

#: Rules that train Boltzmann machines.
RULES = ("flow", "cd")
#: Layers where none are given.
DEFAULT_LAYERS = {"digits": (64, 64), "mnist": (784, 500), "fashion-mnist": (784, 500)}
#: Temperatures and chains of annealed importance sampling where none are given.
TEMPERATURES, CHAINS = 4000, 100
#: Options of other rules, and options of these rules only.
_FOREIGN = ("beta_shift", "steps", "nudge_steps")
_OWN = ("lateral", "flips", "sweeps", "hidden_bias", "temperatures")


def add_arguments(parser, whole):
    """Declare the options of Boltzmann machines.

    Parameters
    ----------
    parser : argparse.ArgumentParser
    whole : callable
        Type of whole numbers.
    """
    parser.add_argument("--lateral", action="store_true", default=None,
                        help="couplings inside hidden layers (rule flow)")
    parser.add_argument("--flips", metavar="SET",
                        help="whose flips count, visible or all (rule flow; default: visible for "
                        "one hidden layer, else all)")
    parser.add_argument("--sweeps", metavar="N", type=whole,
                        help="Gibbs sweeps of the hidden units (rule flow; default: 2)")
    parser.add_argument("--hidden-bias", metavar="B", type=argument(number),
                        help="first bias of hidden units (rules flow and cd; default: tuned for "
                        "the data)")
    parser.add_argument("--temperatures", metavar="N", type=whole,
                        help="of the log-likelihood (of more hidden layers: a lower bound), 0 for "
                        f"none (rules flow and cd; default: {TEMPERATURES})")


def refuse(args):
    """Raise `MisuseError` for options of Boltzmann machines beside another rule."""
    for name in _OWN:
        if getattr(args, name) is not None:
            raise MisuseError(f"option --{name.replace('_', '-')} belongs to the rules "
                              f"{' and '.join(RULES)}, not to {args.rule}")


def run(args) -> int:
    """Train a machine, write, print one line."""
    from ..golden.learning.data import load
    from ..golden.learning.flow import EPOCH_CORRUPTION, default_config, machine, train
    from ..golden.references.annealed import schedule
    from ..golden.storage.model import Model, save_model
    from ..golden.systems.probability_flow import reconstruction

    for name in _FOREIGN:
        if getattr(args, name) is not None:
            raise MisuseError(f"option --{name.replace('_', '-')} does not belong to rule "
                              f"{args.rule}")
    for path in (args.save, args.json, args.checkpoint):
        if path is not None:
            check_writable(path)
    if args.rates is not None and len(args.rates) != 1:
        raise MisuseError(f"rule {args.rule} has one learning rate, {len(args.rates)} are given")
    layers = args.layers or DEFAULT_LAYERS.get(args.data, DEFAULT_LAYERS["digits"])
    config = default_config(args.data, len(layers) - 1, args.rule, epochs=args.epochs,
                            batch=args.batch, rate=args.rates and args.rates[0],
                            decay=args.decay, sweeps=args.sweeps, flips=args.flips,
                            hidden_bias=args.hidden_bias, seed=args.seed)
    network = machine(layers, bool(args.lateral))
    temperatures = TEMPERATURES if args.temperatures is None else args.temperatures
    if temperatures < 0:
        raise MisuseError(f"temperatures is {temperatures}; give 10 or more, or 0 for none")
    if temperatures:
        schedule(temperatures)  # refuses too few before the long work
    dataset = load(args.data, args.data_folder)
    quiet = not sys.stderr.isatty() if args.quiet is None else args.quiet
    begin = time.perf_counter()
    result = train(network, dataset, config, None if quiet else _show, args.checkpoint,
                   args.resume)
    seconds = time.perf_counter() - begin
    found = result.reconstruction
    report = {
        "data": args.data, "layers": list(layers), "lateral": bool(args.lateral),
        "rule": config.rule, "seed": config.seed, "epochs": config.epochs, "batch": config.batch,
        "rate": config.rate, "decay": config.decay, "sweeps": config.sweeps,
        "flips": config.flips, "scale": config.scale, "hidden_bias": config.hidden_bias,
        "binarized": "pixel > 1/2",
        "error_is": "share of wrong pixels reconstructed from "
                    f"{EPOCH_CORRUPTION:.0%} flipped pixels",
        "test_error": found[EPOCH_CORRUPTION], "train_error": result.train_reconstruction,
        "test_errors": result.test_errors,
        "reconstruction_error": {f"{share:g}": error for share, error in found.items()},
    }
    report.update(_likelihood(network, result, dataset, temperatures))
    if args.save is not None:
        # Without times: equal runs write equal files.
        save_model(args.save, Model(network, result.weights, meta=report,
                                    program=reconstruction(network, config.sweeps)))
    if args.json is not None:
        write_json(args.json, {**report, "images_per_second": result.images_per_second,
                               "seconds": seconds,
                               "seconds_with_likelihood": time.perf_counter() - begin})
    told = ", ".join(f"{share:.0%} flips {100 * error:.2f} %" for share, error in found.items())
    print(f"{network.name} on {args.data}, rule {config.rule}, seed {config.seed}: wrong pixels "
          f"reconstructed from {told} after {config.epochs} epochs{_told(report)} "
          f"({seconds:.1f} s, {result.images_per_second:.0f} images/s)")
    return 0


def _likelihood(network, result, dataset, temperatures):
    """Log-likelihood of the test images by annealed importance sampling, as report entries."""
    if not temperatures:
        return {}
    from ..golden.learning.sampling import is_restricted
    from ..golden.network.boltzmann import binarize, starting_weights
    from ..golden.references.annealed import estimate_log_z

    # Best started from independent pixels, each as often 1 as in the training images.
    base = starting_weights(network, binarize(dataset.train), 0)["bv"][0]
    estimate = estimate_log_z(network, result.weights, base, temperatures, CHAINS,
                              result.config.seed)
    mean, low, high = estimate.log_likelihood(network, result.weights, binarize(dataset.test))
    return {"log_likelihood": mean, "log_likelihood_interval": [low, high],
            "log_likelihood_is": ("exact but for log Z" if is_restricted(network)
                                  else "a mean-field lower bound"),
            "log_z": estimate.log_z, "temperatures": temperatures, "chains": CHAINS,
            "effective_chains": estimate.effective}


def _told(report):
    if "log_likelihood" not in report:
        return ""
    low, high = report["log_likelihood_interval"]
    bound = "" if report["log_likelihood_is"].startswith("exact") else "at least "
    return f", log-likelihood {bound}{report['log_likelihood']:.1f} [{low:.1f}, {high:.1f}] nats"


def _show(report):
    """Rewrite the progress line."""
    print(f"\repoch {report.epoch} of {report.epochs}: wrong pixels {100 * report.test_error:.2f} "
          f"%, {report.images_per_second:.0f} images/s ",
          end="" if report.epoch < report.epochs else "\n", file=sys.stderr, flush=True)
