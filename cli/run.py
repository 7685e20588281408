"""``apical run``: run a network on a board, in a simulator or on the fixed executor."""

from __future__ import annotations

import sys

from . import run_system
from .common import (
    argument,
    check_writable,
    parse_layers,
    say,
    show_epoch,
    table,
    whole,
    write_json,
)
from .device_options import add_device_arguments, open_device

#: Test images where none are asked for.
IMAGES = 100


def add_arguments(parser):
    """Declare the options."""
    add_device_arguments(parser)
    add_workload_arguments(parser)
    run_system.add_arguments(parser)
    parser.add_argument("--json", metavar="FILE", help="write the results there")


def add_workload_arguments(parser):
    """Options of what is run."""
    parser.add_argument("--data", metavar="NAME", default="digits",
                        help="digits, mnist or fashion-mnist")
    parser.add_argument("--layers", metavar="A-B-..-Z", type=argument(parse_layers),
                        help="units of each layer (default: 64-32-10 for digits, 784-64-10 else)")
    parser.add_argument("--model", metavar="FILE.npz", help="weights (default: trained once by the "
                        "defaults and kept)")
    parser.add_argument("--images", metavar="N", type=argument(whole("images", 1, 1 << 30)),
                        help="test images, from the first on (default: 100)")
    parser.add_argument("--steps", metavar="N", type=argument(whole("steps", 0, 1000)),
                        help="relaxation steps (default: those of the model, or 6)")
    parser.add_argument("--seed", metavar="N", type=argument(whole("seed", 0, (1 << 32) - 1)),
                        default=0, help="of the weights and of the signature")


def made_workload(args, config):
    """The workload that the options name, in the formats of an engine."""
    from ..boards.host.workload import workload

    return workload(config, args.data, args.layers, args.images or IMAGES, seed=args.seed,
                    steps=args.steps, model=args.model,
                    progress=show_epoch if sys.stderr.isatty() else None, say=say)


def report_of(device, work, results) -> dict:
    """The report of a run, as plain values."""
    counters = device.link.counters()
    cycles = results.cycles.mean() if results.cycles.any() else None
    return {
        "data": work.data, "network": work.network.name, "images": len(results.predictions),
        "config_hash": device.config.hash, "lanes": device.config.lanes,
        "predictions": results.predictions, "labels": work.labels,
        "accuracy": work.accuracy(results.predictions),
        "signature": f"{results.signature:08x}", "mean_cycles": cycles,
        "mean_steps": results.steps.mean(), "saturations": int(results.saturations.sum()),
        **counters, "line_share": counters["payload_sent"] / counters["bytes_sent"],
        "effective_rate": device.effective_payload / counters["bytes_sent"]}


def run(args) -> int:
    """Run the command; returns the exit code."""
    for path in (args.json, args.record, args.picture):
        if path is not None:
            check_writable(path)
    if run_system.wanted(args):
        return run_system.run(args)
    with open_device(args) as device:
        work = made_workload(args, device.config)
        device.load(work.network, work.program, work.weights, seed=args.seed,
                    density=work.density)
        shown = sys.stderr.isatty()
        results = device.run(work.inputs, _show if shown else None)
        if shown:
            print(file=sys.stderr)
        report = report_of(device, work, results)
        where = device.link.name
    if args.json is not None:
        write_json(args.json, report)
    cycles = report["mean_cycles"]
    print(table(("figure", "value"), [
        ("device", f"{where}, engine {report['config_hash']}"),
        ("network", f"{report['network']} on {report['data']}"), ("images", report["images"]),
        ("accuracy", f"{report['accuracy']:.4f}"), ("signature", report["signature"]),
        ("mean cycles an image", "unknown" if cycles is None else f"{cycles:.1f}"),
        ("bytes moved", f"{report['bytes_moved']} (sent {report['bytes_sent']}, of these words "
                        f"{100 * report['line_share']:.1f} %)"),
        ("effective rate", f"{100 * report['effective_rate']:.1f} % of the line")]))
    return 0


def _show(done, reported):
    print(f"\rimage {done}: class {reported['prediction']}, {reported['image_steps']} steps ",
          end="", file=sys.stderr, flush=True)
