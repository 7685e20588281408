"""``apical train --port`` and ``--link``: learn on a device, image by image."""

from __future__ import annotations

import sys
import time

from ..golden.errors import MisuseError
from .common import argument, check_writable, write_json
from .device_options import add_device_arguments, open_device
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


def run(args, layers) -> int:
    """Train, evaluate on the device, write, print one line."""
    from ..boards.host.training import DeviceExecutor
    from ..golden.learning.fixed import default_fixed_config, raw_values, train_fixed
    from ..golden.network import layered
    from ..golden.program.layered import inference
    from ..golden.storage.model import Model, save_model

    for name in ("state", "weight", "update_frac"):
        if getattr(args, name) is not None:
            raise MisuseError(f"--{name.replace('_', '-')} is fixed in the engine of a device")
    if args.record is not None:
        check_writable(args.record)
    with open_device(args) as device:
        engine = device.config
        if not engine.learning:
            raise MisuseError(
                f"the engine at {device.link.name} ({engine.hash}) has no learning unit; train in "
                "the fixed executor (--executor fixed) and run the result there, or learn on a "
                f"board with one of the presets {', '.join(_learning())}")
        config = default_fixed_config(
            args.data, layers, args.rule, epochs=args.epochs, batch=args.batch, rates=args.rates,
            decay=args.decay, beta_shift=args.beta_shift, steps=args.steps,
            nudge_steps=args.nudge_steps, seed=args.seed, state=engine.state,
            weight=engine.weight, update_frac=engine.update_frac)
        network = layered(layers)
        dataset = _part(args, layers)
        quiet = not sys.stderr.isatty() if args.quiet is None else args.quiet
        show = None if quiet else _show
        begin = time.perf_counter()
        result = train_fixed(
            network, dataset, config, progress=None if quiet else _epoch,
            checkpoint=args.checkpoint, resume=args.resume,
            executor=lambda *given: DeviceExecutor(device, *given, progress=show))
        seconds = time.perf_counter() - begin
        # The weights as they lie in the device, in its own inference.
        program = inference(network, config.inference_steps)
        device.load(network, program, result.weights, seed=config.seed)
        images = {"x": raw_values(dataset.test, engine.state)}
        found = device.run(images, show)
        accuracy = float((found.predictions == dataset.test_labels).mean())
        report = {
            "executor": "device", "device": device.link.name, "config_hash": engine.hash,
            "data": args.data, "layers": list(layers), "rule": config.rule, "seed": config.seed,
            "epochs": config.epochs, "rates": list(config.rates), "decay": config.decay,
            "beta_shift": config.beta_shift, "steps": config.steps,
            "nudge_steps": config.nudge_steps, "inference_steps": config.inference_steps,
            "state": str(config.state), "weight": str(config.weight),
            "update_frac": config.update_frac, "images": len(dataset.train),
            "test_images": len(dataset.test), "test_error": result.test_error,
            "train_error": result.train_error, "test_errors": result.test_errors,
            "device_accuracy": accuracy, "signature": f"{result.signature:08x}",
            "writes": result.writes, "saturations": result.saturations,
            **device.link.counters(),
            "effective_rate": device.effective_payload / device.link.sent}
    if args.save is not None:
        kept = {key: value for key, value in report.items() if key != "device"}
        save_model(args.save, Model(network, result.weights, (config.state, config.weight),
                                    meta=kept, program=program))
    if args.json is not None:
        write_json(args.json, {**report, "seconds": seconds})
    print(f"{network.name} on {args.data}, learned on {report['device']} (engine {engine.hash}), "
          f"seed {config.seed}: test accuracy {100 * accuracy:.2f} % after {config.epochs} epochs "
          f"of {report['images']} images, signature {report['signature']} ({seconds:.1f} s)")
    return 0


def _learning():
    """Names of the presets that have a learning unit."""
    from ..hw.interface.config import PRESETS

    return [name for name, config in PRESETS.items() if config.learning]


def _part(args, layers):
    """The data set, or the first images of it."""
    from dataclasses import replace

    from ..boards.host.workload import dataset_for

    dataset = dataset_for(layers, args.data)
    train, test = args.images or len(dataset.train), args.test_images or len(dataset.test)
    for what, count, there in (("training", train, dataset.train), ("test", test, dataset.test)):
        if count > len(there):
            raise MisuseError(f"{count} {what} images are asked for, data '{args.data}' have "
                              f"{len(there)}")
    return replace(dataset, train=dataset.train[:train], train_labels=dataset.train_labels[:train],
                   test=dataset.test[:test], test_labels=dataset.test_labels[:test])


def _epoch(report):
    print(f"\repoch {report.epoch} of {report.epochs}: test error {100 * report.test_error:.2f} %, "
          f"{report.images_per_second:.1f} images/s ", file=sys.stderr, flush=True)


def _show(done, told):
    print(f"\rimage {done} ", end="", file=sys.stderr, flush=True)
