"""``apical train``: train a system, evaluate it, write the model."""

from __future__ import annotations

import sys
import time
from pathlib import Path

from ..golden.errors import MisuseError
from . import train_device, train_options, train_report
from .common import check_writable, write_json


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
    train_options.add_arguments(parser)
    train_device.add_arguments(parser)


def run(args) -> int:
    """Train, write, print one line."""
    from ..golden.systems.registry import trainer

    args.resume = resumed(args.resume, args.checkpoint)
    device = train_device.wanted(args)
    if device and args.executor == "fixed":
        raise MisuseError("--executor fixed trains without a device; leave it out, or --port and "
                          "--link")
    if device and args.hold_out:
        raise MisuseError("--hold-out is for choosing settings without a device; leave it out, or "
                          "--port and --link")
    executor = "fixed" if device else args.executor
    system = train_options.chosen_system(args)
    system.check(executor)
    changes = train_options.changes(args, system, executor)
    for path in (args.save, args.json, args.checkpoint):
        if path is not None:
            check_writable(path)
    # Layers are those of the rule, whatever its variant.
    layers = args.layers or trainer(args.rule).sizes(args.data)
    if device:
        return train_device.run(args, system, layers, changes)
    return _train(args, system, executor, layers, changes)


def _train(args, system, executor, layers, changes) -> int:
    from ..golden.learning.data import load
    from ..golden.learning.fixed import train_fixed
    from ..golden.learning.float import train
    from ..golden.learning.loop import held_out
    from ..golden.numbers.formats import dequantize
    from ..golden.storage.model import Model, save_model

    config = system.config(executor, args.data, layers, **changes)
    network, temperatures = system.network(layers), _temperatures(args, system, executor)
    dataset = load(args.data, args.data_folder)
    if args.hold_out:
        dataset = held_out(dataset, args.hold_out)
    begin = time.perf_counter()
    result = (train if executor == "float" else train_fixed)(
        network, dataset, config, progress=train_report.progress(args, system),
        checkpoint=args.checkpoint, resume=args.resume)
    seconds = time.perf_counter() - begin
    report = {"executor": executor, "data": args.data, "layers": list(layers)}
    if args.hold_out:
        report["held_out"] = args.hold_out
    if system.data.levels:
        report["lateral"] = bool(args.lateral)
        if executor == "float":
            del report["executor"]  # as in models of version 0.1.0
    report |= {"rule": config.rule, "seed": config.seed, **train_report.settings(config),
               **train_report.errors(system, result)}
    formats, weights = None, result.weights
    if not system.data.levels:
        report["greatest_weight"] = result.greatest_weight
    if executor == "fixed":
        report |= train_report.counts(result)
        formats = config.state, config.weight
        weights = {name: dequantize(raw, config.weight) for name, raw in weights.items()}
    report.update(train_report.likelihood(network, weights, dataset, temperatures, config.seed))
    if args.save is not None:
        # Without times: equal runs write equal files.
        save_model(args.save, Model(network, result.weights, formats, meta=report,
                                    program=system.inference(network, config)))
    if args.json is not None:
        after = {"seconds_with_likelihood": time.perf_counter() - begin} if temperatures else {}
        write_json(args.json, {**report, "images_per_second": result.images_per_second,
                               "seconds": seconds, **after})
    numbers = f"states {config.state}, weights {config.weight}, " if formats else ""
    signature = f", signature {result.signature:08x}" if formats else ""
    rule = "" if config.rule == "ep" else f"rule {config.rule}, "
    print(f"{network.name} on {args.data}, {rule}{numbers}seed {config.seed}: "
          f"{train_report.outcome(system, result)} after {config.epochs} epochs"
          f"{train_report.likelihood_words(report)}{signature} "
          f"({seconds:.1f} s, {result.images_per_second:.0f} images/s)")
    return 0


def _temperatures(args, system, executor):
    """Temperatures of the log-likelihood; too few are refused before the long work."""
    from ..golden.references.annealed import schedule

    wanted = args.temperatures
    if wanted is None:
        # A likelihood needs the biases of one visible group.
        plain = system.data.levels and len(system.sizes(args.data)) > 1
        wanted = train_report.TEMPERATURES if plain and executor == "float" else 0
    if wanted < 0:
        raise MisuseError(f"temperatures is {wanted}; give 10 or more, or 0 for none")
    if wanted:
        schedule(wanted)
    return wanted
