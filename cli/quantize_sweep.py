"""``apical quantize --sweep``: test error against the bits of states and weights."""

from __future__ import annotations

import argparse
import sys

from ..golden.errors import MisuseError
from .common import argument, parse_layers, table, whole_number, write_json


def parse_numbers(text):
    """Whole numbers of a text such as ``6,8,12``."""
    try:
        return tuple(whole_number(part) for part in text.split(","))
    except MisuseError as error:
        raise MisuseError(f"'{text}' is not a list of whole numbers such as 6,8,12") from error


def add_arguments(parser, model):
    """Declare the options of the study; `model` is the argument it makes needless."""
    numbers = argument(parse_numbers)

    class Sweep(argparse.Action):
        def __call__(self, parser, namespace, values, option_string=None):
            namespace.sweep, model.required = True, False

    group = parser.add_argument_group("study of bits", "instead of a model")
    group.add_argument("--sweep", action=Sweep, nargs=0, default=False,
                       help="train in raw integers with every pair of widths that can")
    group.add_argument("--system", default="ep", metavar="NAME",
                       help="what learns, as --rule of apical train (default: ep)")
    group.add_argument("--data", default="digits", metavar="NAME",
                       help="digits, mnist or fashion-mnist")
    group.add_argument("--layers", type=argument(parse_layers),
                       metavar="A-B-..-Z", help="units of each layer (default: those of the system "
                       "for the data)")
    group.add_argument("--state-bits", type=numbers, default=(6, 8, 10, 12, 16), metavar="N,N,..",
                       help="(default: 6,8,10,12,16)")
    group.add_argument("--weight-bits", type=numbers, default=(6, 8, 10, 12, 16), metavar="N,N,..",
                       help="(default: 6,8,10,12,16)")
    group.add_argument("--beta-shifts", type=numbers, default=(1,), metavar="N,N,..",
                       help="nudges of 2**-N (default: 1)")
    group.add_argument("--seeds", type=numbers, default=(0, 1, 2), metavar="N,N,..",
                       help="(default: 0,1,2)")
    group.add_argument("--epochs", type=argument(whole_number), metavar="N",
                       help="(default: tuned for the data)")
    group.add_argument("--plot", metavar="FILE.png", help="draw the table")


def run(args) -> int:
    """Train, write, print the table of mean test errors."""
    from ..golden.learning.data import load
    from ..golden.learning.sweep import sweep
    from ..golden.systems.registry import system

    if args.plot is not None:
        import matplotlib.figure  # noqa: F401, a missing extra is reported before the work
    rows = []
    args.layers = args.layers or system(args.system).sizes(args.data)
    for row in sweep(args.layers, load(args.data), args.state_bits, args.weight_bits,
                     args.beta_shifts, args.seeds, args.system, epochs=args.epochs):
        rows.append(row)
        if sys.stderr.isatty():
            print(f"\r{row.state} {row.weight} ", end="", file=sys.stderr, flush=True)
    if args.json is not None:
        write_json(args.json, {
            "system": args.system, "data": args.data, "layers": list(args.layers),
            "seeds": list(args.seeds),
            "rows": [{"state": str(r.state), "weight": str(r.weight), "beta_shift": r.beta_shift,
                      "update_frac": r.update_frac, "test_error": r.test_error,
                      "test_errors": r.test_errors, "weights_saturated": r.saturated_weights}
                     for r in rows]})
    if args.plot is not None:
        _draw(args, rows)
    print(table(["state", "weight", "beta", "test error %", "least", "greatest", "saturated %"],
                [[str(r.state), str(r.weight), 2.0 ** -r.beta_shift, round(100 * r.test_error, 2),
                  round(100 * min(r.test_errors), 2), round(100 * max(r.test_errors), 2),
                  round(100 * r.saturated_weights, 3)] for r in rows]))
    return 0


def _draw(args, rows):
    """One line a state format and beta, over the weight bits."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    canvas = Figure(figsize=(6.4, 4.2), layout="constrained")
    axes = canvas.add_subplot()
    for shift in args.beta_shifts:
        for bits in args.state_bits:
            mine = [r for r in rows if (r.beta_shift, r.state.width) == (shift, bits)]
            beta = f", beta 2^-{shift}" if len(args.beta_shifts) > 1 else ""
            axes.plot([r.weight.width for r in mine], [100 * r.test_error for r in mine], "o-",
                      markersize=4, label=f"{bits}-bit states{beta}")
    name = f"{args.system} {'-'.join(map(str, args.layers))}"
    axes.set(title=f"{name} on {args.data}, learning in raw integers",
             xlabel="weight bits", ylabel="test error (%)", yscale="log")
    axes.grid(alpha=0.3, which="both")
    axes.legend()
    FigureCanvasAgg(canvas).print_figure(args.plot, dpi=110, format="png")
