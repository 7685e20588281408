"""Writes the pages of docs/ that are generated from the code.

``python -m bench.docs`` writes them, ``python -m bench.docs --check`` says what is out of date.
"""

from __future__ import annotations

import argparse
import dataclasses
import inspect
import sys
from pathlib import Path

from apical.golden import program
from apical.hw.verilog import memory_map

DOCS = Path(__file__).resolve().parent.parent / "docs"


def operations() -> str:
    """The page of operations, from the docstrings of golden/program.py."""
    parts = ["# Operations", "", "Generated from `golden/program.py`; do not edit.", "",
             inspect.getdoc(program).split("\n", 1)[1].strip(), ""]
    for _, item in inspect.getmembers(program, dataclasses.is_dataclass):
        if item.__module__ == program.__name__:
            parts += [f"## {item.__name__}", "", "```", inspect.getdoc(item), "```", ""]
    return "\n".join(parts).rstrip() + "\n"


PAGES = {"operations.md": operations, "register-map.md": memory_map}


def main():
    """Write or check the pages."""
    parser = argparse.ArgumentParser(prog="python -m bench.docs", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing")
    args = parser.parse_args()
    stale = [name for name, make in PAGES.items()
             if not (DOCS / name).is_file() or (DOCS / name).read_text() != make()]
    if args.check and stale:
        sys.exit(f"out of date: {', '.join(stale)}; run 'python -m bench.docs'")
    for name in stale:
        (DOCS / name).write_text(PAGES[name]())
        print(f"wrote docs/{name}")


if __name__ == "__main__":
    main()
