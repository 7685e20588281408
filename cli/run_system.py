"""``apical run --system``: systems whose result is a measurement, not a trained network."""

from __future__ import annotations

import sys

from ..golden.errors import MisuseError
from .common import argument, say, table, whole, write_json
from .device_options import open_device

#: Nudged steps of early inference that are looked at.
STEPS, IMAGES = 6, 20


def add_arguments(parser):
    """Declare the options."""
    parser.add_argument("--system", metavar="NAME", type=argument(_named), help="measure a system "
                        "instead of running a network: " + "; ".join(
                            f"{name}, {kind.__doc__.rstrip('.').lower()}"
                            for name, kind in EXPERIMENTS.items()))
    parser.add_argument("--beta-shift", metavar="N", type=argument(whole("beta shift", 0, 14)),
                        help="early-inference: the nudge is 2**-N (default: 1)")
    parser.add_argument("--trials", metavar="N", type=argument(whole("trials", 2, 1 << 20)),
                        help="stdp: runs that the curve is the mean of (default: 1000)")
    parser.add_argument("--picture", metavar="FILE.png", help="--system: draw the result (needs "
                        "the extra 'plot')")


def _named(name):
    """A name of what can be measured; says where other systems are."""
    if name in EXPERIMENTS:
        return name
    from ..golden.systems.registry import names

    if name in names():
        raise MisuseError(f"system '{name}' learns: 'apical train --rule {name}', then run what it "
                          f"learned (--model); measured are {', '.join(EXPERIMENTS)}")
    raise MisuseError(f"unknown system '{name}'; measured are {', '.join(EXPERIMENTS)}")


def wanted(args) -> bool:
    """Whether a system is named; options that need one are refused without."""
    if args.system is None:
        for name in ("picture", "trials", "beta_shift"):
            if getattr(args, name) is not None:
                raise MisuseError(f"--{name.replace('_', '-')} is for --system "
                                  f"{' or '.join(EXPERIMENTS)}")
        return False
    given = {"beta_shift": "early-inference", "images": "early-inference",
             "layers": "early-inference", "steps": "early-inference", "trials": "stdp"}
    for name, owner in given.items():
        if getattr(args, name) is not None and owner != args.system:
            raise MisuseError(f"--{name.replace('_', '-')} is not for --system {args.system}")
    if args.model is not None:
        raise MisuseError(f"--system {args.system} has weights of its own; leave out --model")
    return True


def run(args) -> int:
    """Measure, print, write."""
    if args.picture is not None:
        from . import figures  # noqa: F401, a missing extra is reported before the work
    with open_device(args) as device:
        shown = sys.stderr.isatty()
        report, rows, figure = EXPERIMENTS[args.system](device, args, _show if shown else None)
        if shown:
            print(file=sys.stderr)
        report = {"system": args.system, "device": device.link.name,
                  "config_hash": device.config.hash, "seed": args.seed, **report,
                  **device.link.counters()}
    if args.json is not None:
        write_json(args.json, report)
    print(table(*rows))
    if args.picture is not None:
        from ..golden.storage.atomic import write_atomically
        from .figures import drawn

        write_atomically(args.picture, drawn(figure))
        say(f"drawn in {args.picture}")
    return 0


def _early(device, args, progress):
    """Whether early changes of hidden states are the backpropagated error."""
    from ..boards.host.experiments import early_inference
    from ..golden.claims import Figure

    steps = STEPS if args.steps is None else args.steps
    if not steps:
        raise MisuseError("steps is 0; watch one nudged step at least")
    shift = 1 if args.beta_shift is None else args.beta_shift
    found = early_inference(device, args.data, args.layers, args.images or IMAGES, steps, shift,
                            args.seed, progress)
    numbers = range(1, steps + 1)
    rows = ([f"after {n} steps" if n > 1 else "after 1 step",
             *(f"{found.cosines[name][n - 1]:.4f}" for name in found.cosines),
             f"{found.signatures[n - 1]:08x}"] for n in numbers)
    headers = ("cosine with the error", *found.cosines, "signature")
    figure = Figure("early-inference", f"Early inference, {found.network.name}, "
                    f"{found.images} images of {args.data}", "nudged steps",
                    "cosine of -change and backpropagated error",
                    {name: (list(numbers), values) for name, values in found.cosines.items()})
    return {"data": args.data, "network": found.network.name, "images": found.images,
            "beta": 2.0 ** -shift, "cosines": found.cosines, "changes": found.changes,
            "signatures": [f"{s:08x}" for s in found.signatures]}, (headers, list(rows)), figure


def _stdp(device, args, progress):
    """The spike-timing curve that the one-way rule learns from noise and spikes."""
    from ..boards.host.experiments import TRIALS, spike_timing_curve
    from ..golden.claims import Figure

    found = spike_timing_curve(device, args.trials or TRIALS, seed=args.seed, progress=progress)
    lags = found.lags.tolist()
    headers = "lag (steps)", "change (1e-3)", "expected (1e-3)", "other neurons (1e-3)"
    rows = [(f"{lag:+.1f}", *(f"{1e3 * value:+.2f}" for value in values)) for lag, *values in
            zip(lags, found.change, found.expected, found.others, strict=True)]
    rows.append(("correlation", f"{found.correlation:.4f}", "", ""))
    rows.append(("amplitude", f"{found.amplitude:.4f}", "1", f"{found.control:.4f}"))
    rows.append(("signature", f"{found.signature:08x}", "", ""))
    figure = Figure("stdp", f"Spike-timing curve, {found.neurons} neurons, {found.trials} trials",
                    "t_post - t_pre (steps)", "mean weight change",
                    {"expected": (lags, found.expected)},
                    {"learned": (lags, found.change), "other neurons": (lags, found.others)})
    return {"neurons": found.neurons, "trials": found.trials, "lags": found.lags,
            "change": found.change, "expected": found.expected, "others": found.others,
            "correlation": found.correlation, "amplitude": found.amplitude,
            "control": found.control, "signature": f"{found.signature:08x}"}, (headers, rows), \
        figure


#: What can be measured, by name: ``(device, args, progress)`` -> (report, table, figure).
EXPERIMENTS = {"early-inference": _early, "stdp": _stdp}


def _show(done, reported):
    print(f"\rimage {done} ", end="", file=sys.stderr, flush=True)
