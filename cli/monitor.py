"""``apical monitor``: run images and watch what the network does."""

from __future__ import annotations

import contextlib
import json
import sys

from .common import check_writable
from .device_options import add_device_arguments, open_device
from .run import add_workload_arguments, made_workload

#: Width of the bar of the energy.
_BAR = 30


def add_arguments(parser):
    """Declare the options."""
    add_device_arguments(parser)
    add_workload_arguments(parser)
    parser.add_argument("--json-lines", metavar="FILE", help="write a line of JSON an image there "
                        "(/dev/stdout for a pipe)")


def run(args) -> int:
    """Run the command; returns the exit code."""
    from ..boards.host.watch import watch

    for path in (args.json_lines, args.record):
        if path is not None:
            check_writable(path)
    with contextlib.ExitStack() as stack:
        lines = None if args.json_lines is None else stack.enter_context(open(args.json_lines, "w"))
        device = stack.enter_context(open_device(args))
        work = made_workload(args, device.config)
        device.load(work.network, work.program, work.weights, seed=args.seed, density=work.density)
        live, energies = sys.stdout.isatty(), []
        for seen in watch(device, work):
            energies.append(seen["energy"])
            if lines is not None:
                print(json.dumps(seen), file=lines, flush=True)
            if live:
                print("\033[2K\r" + _view(seen, energies), end="", flush=True)
        print("" if live else _view(seen, energies))
    return 0


def _view(seen, energies):
    low, high = min(energies), max(energies)
    filled = round(_BAR * (seen["energy"] - low) / (high - low)) if high > low else 0
    cycles = "" if seen["cycles"] is None else f", {seen['cycles']} cycles"
    return (f"image {seen['image']:5}  energy {seen['energy']:9.3f} "
            f"[{'#' * filled}{' ' * (_BAR - filled)}] {seen['steps']} steps{cycles}, "
            f"{seen['saturations']} saturations, accuracy {seen['accuracy']:.4f}")
