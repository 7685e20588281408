"""``apical cache``: list or clear what is kept between runs."""

from __future__ import annotations

import time

from ..golden.storage import cache
from .common import check_writable, table, write_json

HELP = "list or clear what is kept between runs"


def add_arguments(parser):
    """Declare the options."""
    parser.epilog = (f"The environment variable {cache.VARIABLE} names another folder. Everything "
                     "in it is made again when it is needed.")
    parser.add_argument("--clear", metavar="KIND", nargs="?", const="all",
                        choices=("all", *cache.KINDS), help="remove everything, or one of: "
                        + "; ".join(f"{kind}, {what}" for kind, what in cache.KINDS.items()))
    parser.add_argument("--json", metavar="FILE", help="write the list")


def run(args) -> int:
    """Run the command; returns the exit code."""
    if args.json is not None:
        check_writable(args.json)
    found = (cache.entries() if args.clear is None else
             cache.clear(None if args.clear == "all" else args.clear))
    total = sum(entry.size for entry in found)
    if args.json is not None:
        write_json(args.json, {
            "folder": str(cache.root()), "cleared": args.clear is not None, "bytes": total,
            "entries": [{"kind": entry.kind, "name": entry.path.name, "bytes": entry.size,
                         "seconds_since_use": max(0.0, time.time() - entry.used)}
                        for entry in found]})
    if args.clear is None and found:
        print(table(("kind", "name", "size", "last used"), [
            (entry.kind, entry.path.name, _size(entry.size), _age(time.time() - entry.used))
            for entry in found]))
        for kind in dict.fromkeys(entry.kind for entry in found):
            print(f"{kind}: {cache.KINDS[kind]}")
    entries = f"{len(found)} {'entry' if len(found) == 1 else 'entries'}"
    print(f"{'removed ' if args.clear is not None else ''}{entries}, {_size(total)}, in "
          f"{cache.root()}")
    return 0


def _size(count):
    for unit in ("B", "kB", "MB"):
        if count < 1000:
            return f"{count:.3g} {unit}"
        count /= 1000
    return f"{count:.3g} GB"


def _age(seconds):
    for name, length in (("day", 86400), ("hour", 3600), ("minute", 60)):
        count = int(seconds // length)
        if count:
            return f"{count} {name}{'s' if count > 1 else ''} ago"
    return "now"
