"""``apical reproduce``: check the systems against the claims of their papers."""

from __future__ import annotations

import time
from pathlib import Path

from ..golden.errors import MisuseError
from .common import argument, check_writable, write_json

#: Short names, those of the learning rules.
SHORT = {"ep": "equilibrium-propagation"}


def _seed(text):
    if not (text.isascii() and text.isdigit()):
        raise MisuseError(f"seed '{text}' is not a whole number from 0 on")
    return int(text)


def add_arguments(parser):
    """Declare the options."""
    parser.add_argument("name", metavar="NAME",
                        help="feedforward-init, ghost-units, probability-flow, stdp, "
                        "early-inference, equilibrium-propagation (or ep), or all")
    parser.add_argument("--seed", metavar="N", type=argument(_seed), default=0,
                        help="seed of everything that is random")
    parser.add_argument("--executor", choices=("float", "fixed"), default="float",
                        help="floating point, or raw integers for the claims that can hold there")
    parser.add_argument("--json", metavar="FILE", help="write the rows as JSON")
    parser.add_argument("--plots", metavar="FOLDER",
                        help="draw the figures (needs the extra 'plot')")


def run(args) -> int:
    """Run the checks, print a line for each; 1 when one is outside its tolerance."""
    from ..golden.claims import SYSTEMS, Row, reproduce

    args.name = SHORT.get(args.name, args.name)
    if args.name != "all" and args.name not in SYSTEMS:
        raise MisuseError(f"unknown system '{args.name}'; known: {', '.join(SYSTEMS)}, all")
    if args.json is not None:
        check_writable(args.json)
    draw = None
    if args.plots is not None:
        from .figures import draw
        Path(args.plots).mkdir(parents=True, exist_ok=True)
    rows, begin = [], time.perf_counter()
    for item in reproduce(args.name, args.seed, args.executor):
        if isinstance(item, Row):
            rows.append(item)
            print(_line(item), flush=True)
        elif draw is not None:
            draw(item, args.plots)
    seconds = time.perf_counter() - begin
    failed = [row for row in rows if not row.passed]
    if args.json is not None:
        write_json(args.json, {"name": args.name, "seed": args.seed,
                               "executor": args.executor, "seconds": seconds,
                               "passed": not failed, "rows": [row.as_dict() for row in rows]})
    print(f"{len(rows) - len(failed)} of {len(rows)} checks hold at seed {args.seed} "
          f"({seconds:.0f} s)")
    for row in failed:
        print(f"outside: {row.system}: {row.check}: {_value(row.value)}, tolerance "
              f"{row.tolerance}")
    return 1 if failed else 0


def _value(value):
    return " ".join(f"{v:.4g}" for v in (value if isinstance(value, tuple) else (value,)))


def _line(row):
    verdict = "ok  " if row.passed else "FAIL"
    return f"{verdict} {row.system}: {row.check}: {_value(row.value)} ({row.tolerance})"
