"""Writes the pages, and parts of pages, that are generated from the code and the records.

``python -m bench.docs`` writes them, ``python -m bench.docs --check`` says what is out of date.
"""

from __future__ import annotations

import argparse
import inspect
import json
import re
import sys
from pathlib import Path

from apical.golden import program
from apical.golden.numbers import tables
from apical.hw.export.verilog import markdown_table as _table
from apical.hw.export.verilog import memory_map
from bench import docs_blocks, docs_boards, docs_golden, docs_learn, docs_peers

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"


def operations() -> str:
    """The page of operations, from the docstrings of golden/program."""
    parts = ["# Operations", "",
             "Generated from the docstrings of `golden/program/`; do not edit.", "",
             inspect.getdoc(program).split("\n", 1)[1].strip(), ""]
    items = {**program.KINDS, **{item.__name__: item for item in (
        program.Nudge, program.Outer, program.Program)}}
    for _, item in sorted(items.items()):
        parts += [f"## {item.__name__}", "", "```", inspect.getdoc(item), "```", ""]
    base = program.Operation
    parts += ["## A new operation", "", "```", inspect.getdoc(base), "```", ""]
    parts += _table(["declaration", "says"],
                    [[f"`{name}`", " ".join(inspect.getdoc(method).split())]
                     for name, method in vars(base).items()
                     if inspect.isfunction(method) and not name.startswith("_")])
    parts += ["## Tables", "", "```", inspect.getdoc(tables), "```", ""]
    return "\n".join(parts).rstrip() + "\n"


#: Tables of results: title, columns (heading, key of the report), names of the records.
TABLES = (
    ("Co-simulation of inference", (
        ("network", "layers"), ("data", "data"), ("lanes", "lanes"), ("images", "images"),
        ("after synthesis", "netlist"), ("shipped netlist agrees", "shipped_signature_match"),
        ("compared", "compared"), ("mismatches", "mismatches"), ("accuracy", "accuracy_rtl"),
        ("in float", "accuracy_float"), ("cycles an image", "mean_cycles"),
        ("MAC utilization", "mac_utilization"), ("cycles/s", "cycles_per_second"),
        ("seconds", "seconds")),
     "cosim-*"),
    ("Online learning in raw integers: the compiled executor against the batched one", (
        ("network", "layers"), ("ratio", "ratio"),
        ("images/s compiled", "compiled_images_per_second"),
        ("images/s in NumPy", "numpy_images_per_second"), ("rounds", "rounds")),
     "speed-fixed"),
    ("Co-simulation speed against a bare Verilator loop", (
        ("ratio", "ratio"), ("cycles/s through cocotb", "cocotb_cycles_per_second"),
        ("cycles/s of the bare loop", "bare_cycles_per_second"), ("rounds", "rounds")),
     "speed-cosim"),
    ("Timing of the boards over place-and-route seeds, estimated after routing", (
        ("board", "board"), ("preset", "preset"), ("clock MHz", "clock_mhz"), ("seeds", "seeds"),
        ("fmax min", "fmax_min"), ("median", "fmax_median"), ("max", "fmax_max"),
        ("seeds below the clock", "below_clock"), ("LUTs", "luts"), ("of", "device_luts"),
        ("FFs", "ffs"), ("RAMs", "rams"), ("multipliers", "dsps"),
        ("left idle", "idle_multipliers"), ("tools", "tools")),
     "timing-*"),
)


def results() -> str:
    """The page of results, from the records that `bench.record` keeps."""
    parts = ["# Results", "", "Generated from `docs/recorded` by `python -m bench.docs`; each row "
             "is one command, run by `python -m bench.record`. Seeds are 0 unless the command "
             "names one. Speeds are of a loaded two-core machine.", "",
             "## Learning in floating point", "", *docs_golden.training_summary(),
             "Every run, Boltzmann machines, feedforward initialization, speed and checks: "
             "[results of the golden model](results-golden.md). Learning in raw integers: "
             "[results-fixed](results-fixed.md).", "", "## Learning in raw integers", "",
             "One image at a time, as an engine does it.", "", *docs_golden.fixed_training()]
    for title, columns, pattern in TABLES:
        records = _records(pattern)
        parts += [f"## {title}", ""]
        parts += _table([heading for heading, _ in columns] + ["command"],
                        [[_shown(r["report"].get(key)) for _, key in columns]
                         + [f"`{r['command']}`"] for r in records])
    parts += docs_boards.areas()
    parts += docs_peers.peers(_records)
    parts += docs_learn.learning(_records, _shown)
    return "\n".join(parts).rstrip() + "\n"


def _records(pattern):
    """Records whose names match, in order of names."""
    return [json.loads(path.read_text())
            for path in sorted((DOCS / "recorded").glob(f"{pattern}.json"))]


def claims() -> str:
    """The page of claims in raw integers, from the records ``reproduce-fixed-seed*``."""
    records = _records("reproduce-fixed-seed*")
    parts = ["# Claims of the papers in raw integers", "",
             "Generated from `docs/recorded` by `python -m bench.docs`. Each column is one run of "
             "`apical reproduce all --executor fixed --seed S`. Tolerances are those of floating "
             "point, unless a comment beside the row in the code says why not. Controls must "
             "fail.", ""]
    rows = []
    for same in zip(*(r["report"]["rows"] for r in records), strict=True):
        first = same[0]
        # Counts in brackets, and bars that would end a cell.
        check = re.sub(r" \(\d+ / \d+\)", "", first["check"]).replace("|", "\\|")
        rows.append([first["system"], check, *(_values(row["value"]) for row in same),
                     first["tolerance"]])
    parts += _table(["system", "claim", *(f"seed {r['report']['seed']}" for r in records),
                     "tolerance"], rows)
    return "\n".join(parts).rstrip() + "\n"


def _values(value):
    return " ".join(f"{v:.3g}" for v in (value if isinstance(value, list) else [value]))


def _shown(value):
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return "-".join(map(str, value))
    if isinstance(value, float):
        return f"{value:.4g}" if abs(value) < 1000 else f"{value:.0f}"
    return "" if value is None else value


def _filled(path):
    """A page that is written by hand except for some parts."""
    return lambda: docs_blocks.filled((ROOT / path).read_text())


#: Page, from the root of the project -> its text.
PAGES = {"docs/operations.md": operations, "docs/register-map.md": memory_map,
         "docs/results.md": results, "docs/results-golden.md": docs_golden.results_golden,
         "docs/checks.md": docs_golden.checks, "docs/boards.md": docs_boards.boards,
         "docs/claims-fixed.md": claims,
         **{path: _filled(path) for path in ("README.md", "docs/architecture.md", "docs/cosim.md",
                                            "docs/papers/probability-flow.md")}}


def main():
    """Write or check the pages."""
    parser = argparse.ArgumentParser(prog="python -m bench.docs", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing")
    args = parser.parse_args()
    stale = {}
    for name, make in PAGES.items():
        text = make()
        if not (ROOT / name).is_file() or (ROOT / name).read_text() != text:
            stale[name] = text
    if args.check and stale:
        sys.exit(f"out of date: {', '.join(stale)}; run 'python -m bench.docs'")
    for name, text in stale.items():
        (ROOT / name).write_text(text)
        print(f"wrote {name}")


if __name__ == "__main__":
    main()
