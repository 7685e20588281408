"""``apical train --port`` and ``--link``: learn on a device, image by image."""

from __future__ import annotations

import sys
import time

from ..golden.errors import MisuseError
from . import train_report
from .common import argument, check_writable, write_json
from .device_options import add_device_arguments, engine_of, open_device
from .engine_options import whole


def add_arguments(parser):
    """Declare the options that only devices have."""
    add_device_arguments(parser)
    parser.add_argument("--images", metavar="N", type=argument(whole("images", 1, 1 << 30)),
                        help="device: train on the first N training images only")
    parser.add_argument("--test-images", metavar="N",
                        type=argument(whole("test images", 1, 1 << 30)),
                        help="device: test on the first N test images only")


def wanted(args) -> bool:
    """Whether the options name a device."""
    named = args.port is not None or args.link is not None
    if not named:
        for name in ("board", "preset", "manifest", "baud", "record", "images", "test_images"):
            if getattr(args, name) is not None:
                raise MisuseError(f"--{name.replace('_', '-')} is for training on a device; name "
                                  "its --port, or a --link")
    return named


def run(args, system, layers, changes) -> int:
    """Train, evaluate on the device, write, print one line.

    Parameters
    ----------
    args : Namespace
        Of ``apical train``.
    system : System
    layers : sequence of int
    changes : dict
        Settings that the options change.
    """
    from ..boards.host.training import DeviceExecutor
    from ..golden.learning.fixed import train_fixed
    from ..golden.storage.model import Model, save_model

    for name in ("state", "weight", "update_frac"):
        if getattr(args, name) is not None:
            raise MisuseError(f"--{name.replace('_', '-')} is fixed in the engine of a device")
    if args.record is not None:
        check_writable(args.record)
    with open_device(args) as device:
        engine = device.config
        numbers = {"state": engine.state, "weight": engine.weight,
                   "update_frac": engine.update_frac}
        config = system.config("fixed", args.data, layers, **(changes | numbers))
        network = system.network(layers)
        dataset = _part(args, system, layers)
        _check_engine(args, device, system, network, config)
        quiet = not sys.stderr.isatty() if args.quiet is None else args.quiet
        show = None if quiet else _show
        begin = time.perf_counter()
        result = train_fixed(
            network, dataset, config, progress=None if quiet else _epoch,
            checkpoint=args.checkpoint, resume=args.resume,
            executor=lambda *given: DeviceExecutor(device, *given, progress=show))
        seconds = time.perf_counter() - begin
        accuracy = _accuracy(device, system, network, dataset, config, result, show)
        report = {
            "executor": "device", "device": device.link.name, "config_hash": engine.hash,
            "data": args.data, "layers": list(layers), "rule": config.rule, "seed": config.seed,
            **train_report.settings(config, ("epochs",)), "images": len(dataset.train),
            "test_images": len(dataset.test), "test_error": result.test_error,
            "train_error": result.train_error, "test_errors": result.test_errors,
            "device_accuracy": accuracy, "signature": f"{result.signature:08x}",
            "writes": result.writes, "saturations": result.saturations,
            **device.link.counters(),
            "effective_rate": device.effective_payload / device.link.sent}
        if not system.data.labelled:
            report["error_is"] = system.data.error_is
    if args.save is not None:
        kept = {key: value for key, value in report.items() if key != "device"}
        save_model(args.save, Model(network, result.weights, (config.state, config.weight),
                                    meta=kept, program=system.inference(network, config)))
    if args.json is not None:
        write_json(args.json, {**report, "seconds": seconds})
    outcome = (train_report.outcome(system, result) if accuracy is None
               else f"test accuracy {100 * accuracy:.2f} %")
    print(f"{network.name} on {args.data}, learned on {report['device']} (engine {engine.hash}), "
          f"seed {config.seed}: {outcome} after {config.epochs} epochs "
          f"of {report['images']} images, signature {report['signature']} ({seconds:.1f} s)")
    return 0


def _accuracy(device, system, network, dataset, config, result, show):
    """Accuracy of the device's own inference with the weights that it holds, or None.

    An engine answers with classes; what else an evaluation needs is not read back image by image,
    so the errors of unlabelled images are those of the fixed executor, from the weights read back.
    """
    from ..golden.learning.fixed import raw_values

    if not system.data.labelled:
        return None
    device.load(network, system.inference(network, config), result.weights, seed=config.seed)
    found = device.run({"x": raw_values(dataset.test, config.state)}, show)
    return float((found.predictions == dataset.test_labels).mean())


def _check_engine(args, device, system, network, config):
    """Raise `MisuseError` for an engine that cannot train a system; says which one can."""
    from ..boards.build.fit import build_line
    from ..boards.host.training import check_engine

    try:
        check_engine(device, system, network, config)
    except MisuseError as error:
        line = build_line(device.config, network, system.program(network, config),
                          engine_of(args)[1])
        raise MisuseError(f"{error}; build an engine that trains it with: {line}"
                          if line else str(error)) from None


def _part(args, system, layers):
    """The data set, or the first images of it."""
    from ..boards.host.workload import dataset_for
    from ..golden.learning.data import load
    from ..golden.learning.loop import first_images

    dataset = dataset_for(layers, args.data) if system.data.labelled else load(args.data)
    train, test = args.images or len(dataset.train), args.test_images or len(dataset.test)
    for what, count, there in (("training", train, dataset.train), ("test", test, dataset.test)):
        if count > len(there):
            raise MisuseError(f"{count} {what} images are requested, data '{args.data}' have "
                              f"{len(there)}")
    return first_images(dataset, train, test)


def _epoch(report):
    print(f"\repoch {report.epoch} of {report.epochs}: test error {100 * report.test_error:.2f} %, "
          f"{report.images_per_second:.1f} images/s ", file=sys.stderr, flush=True)


def _show(done, results):
    print(f"\rimage {done} ", end="", file=sys.stderr, flush=True)
