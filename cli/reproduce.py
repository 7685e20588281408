"""``apical reproduce``: check the systems against the claims of their papers."""

from __future__ import annotations

import re
import sys
import time
from pathlib import Path

from ..golden.errors import MisuseError
from ..golden.storage.atomic import write_atomically
from .common import argument, check_writable, write_json

#: Short names, those of the learning rules.
SHORT = {"ep": "equilibrium-propagation"}
#: Most seeds of a run.
_MOST_SEEDS = 1000


def _seed(text):
    if not (text.isascii() and text.isdigit()):
        raise MisuseError(f"seed '{text}' is not a whole number from 0 on")
    return int(text)


def parse_seeds(text) -> tuple[int, ...]:
    """Seeds of a text such as ``0-9`` or ``0-2,11``, in order, each once.

    Raises
    ------
    MisuseError
    """
    found = []
    for part in text.split(","):
        match = re.fullmatch(r"([0-9]{1,9})(?:-([0-9]{1,9}))?", part)
        if match is None:
            raise MisuseError(f"seeds '{part}' of '{text}' are no range; write 0-9 or 0,3,11")
        first, last = int(match[1]), int(match[2] or match[1])
        if last < first:
            raise MisuseError(f"seeds '{part}' end before they begin; write {last}-{first}")
        if last - first >= _MOST_SEEDS:
            raise MisuseError(f"seeds '{part}' are more than {_MOST_SEEDS}")
        found += range(first, last + 1)
    return tuple(dict.fromkeys(found))


def add_arguments(parser):
    """Declare the options."""
    parser.add_argument("name", metavar="NAME",
                        help="feedforward-init, ghost-units, probability-flow, stdp, "
                        "early-inference, equilibrium-propagation (or ep), or all")
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--seed", metavar="N", type=argument(_seed), default=0,
                       help="seed of everything that is random")
    which.add_argument("--seeds", metavar="A-B", type=argument(parse_seeds),
                       help="many seeds, such as 0-9 or 11,12,23: one report of all")
    parser.add_argument("--executor", choices=("float", "fixed"), default="float",
                        help="floating point, or raw integers for the claims that can hold there")
    parser.add_argument("--full", action="store_true",
                        help="also the checks of MNIST size, which take hours")
    parser.add_argument("--groups", metavar="G,G,..", default=(),
                        type=lambda text: tuple(text.split(",")),
                        help="only these groups of checks, by the names of their functions")
    parser.add_argument("--json", metavar="FILE", help="write the rows as JSON")
    parser.add_argument("--checkpoint", metavar="FILE",
                        help="keep the rows of every finished group there")
    parser.add_argument("--resume", action="store_true",
                        help="go on from the checkpoint, if there is one")
    parser.add_argument("--html", metavar="FILE", help="write one page with all rows and the "
                        "figures of the first seed, needing no other file (needs the extra 'plot')")
    parser.add_argument("--plots", metavar="FOLDER",
                        help="draw the figures of the first seed (needs the extra 'plot')")


def run(args) -> int:
    """Run the checks, print a line for each; 1 when one is outside its tolerance."""
    from ..golden.claims import SYSTEMS, seeds

    args.name = SHORT.get(args.name, args.name)
    if args.name != "all" and args.name not in SYSTEMS:
        raise MisuseError(f"unknown system '{args.name}'; known: {', '.join(SYSTEMS)}, all")
    if args.resume and args.checkpoint is None:
        raise MisuseError("--resume needs --checkpoint FILE, to go on from")
    many = args.seeds or (args.seed,)
    todo = seeds.tasks(args.name, many, args.executor, args.full, args.groups)
    for path in (args.json, args.checkpoint, args.html):
        if path is not None:
            check_writable(path)
    figures = args.plots is not None or args.html is not None
    if figures:
        from .figures import draw, embedded
    if args.plots is not None:
        Path(args.plots).mkdir(parents=True, exist_ok=True)
    checkpoint = None if args.checkpoint is None else seeds.Checkpoint(
        args.checkpoint, seeds.digest(), args.resume)
    found, begin, single = [], time.perf_counter(), args.seeds is None
    for done in seeds.run(todo, checkpoint, figures,
                          (lambda row: print(_line(row), flush=True)) if single
                          else lambda row: None):
        found.append(done)
        if single and done.kept:
            print("\n".join(map(_line_of, done.rows)))
        elif not single:
            _progress(done, len(found), len(todo))
        for figure in done.figures if args.plots is not None else ():
            draw(figure, args.plots)
    seconds = time.perf_counter() - begin
    told = (_single(args, found, seconds) if single
            else {**seeds.report(args.name, many, args.executor, found), "full": args.full})
    if args.json is not None:
        write_json(args.json, told)
    if args.html is not None:
        from .reproduce_page import page
        write_atomically(args.html, page(args.name, args.executor, many, found, embedded).encode())
    return _conclude(found, many, seconds)


def _single(args, found, seconds):
    """Report of one seed."""
    rows = [row for done in found for row in done.rows]
    return {"name": args.name, "seed": args.seed, "executor": args.executor, "full": args.full,
            "seconds": seconds, "passed": all(row["passed"] for row in rows), "rows": rows}


def _progress(done, count, total):
    held = sum(row["passed"] for row in done.rows)
    how = "kept" if done.kept else f"{done.seconds:.0f} s"
    print(f"{count} of {total}: seed {done.task.seed}, {done.task.system}, "
          f"{done.task.group.__name__}: {held} of {len(done.rows)} checks hold ({how})",
          file=sys.stderr, flush=True)


def _conclude(found, many, seconds):
    """Print how many checks hold, and those that do not; the exit code."""
    failed, total = [], 0
    for seed in many:
        rows = [row for done in found if done.task.seed == seed for row in done.rows]
        outside = [(seed, row) for row in rows if not row["passed"]]
        print(f"{len(rows) - len(outside)} of {len(rows)} checks hold at seed {seed}"
              + (f" ({seconds:.0f} s)" if len(many) == 1 else ""))
        total += len(rows)
        failed += outside
    if len(many) > 1:
        print(f"{total - len(failed)} of {total} checks hold at {len(many)} seeds "
              f"({seconds:.0f} s)")
    for seed, row in failed:
        at = f" at seed {seed}" if len(many) > 1 else ""
        print(f"outside{at}: {row['system']}: {row['check']}: {_value(row['value'])}, tolerance "
              f"{row['tolerance']} ({row['reason']})")
    return 1 if failed else 0


def _value(value):
    return " ".join(f"{v:.4g}" for v in (value if isinstance(value, list | tuple) else (value,)))


def _line(row):
    return _line_of(row.as_dict())


def _line_of(row):
    verdict = "ok  " if row["passed"] else "FAIL"
    name = f"{row['name']}: " if row["name"] else ""
    return (f"{verdict} {row['system']}: {name}{row['check']}: {_value(row['value'])} "
            f"({row['tolerance']}; {row['reason']})")
