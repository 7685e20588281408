"""Generated parts of pages that are otherwise written by hand: README and docs/architecture.md.

A part stands between ``<!-- begin NAME ... -->`` and ``<!-- end NAME -->``.
"""

from __future__ import annotations

import ast
import json
import re
import statistics
from pathlib import Path

from apical.hw.export.verilog import markdown_table
from apical.hw.interface.presets import preset

ROOT = Path(__file__).resolve().parent.parent
#: Folders of the package.
FOLDERS = ("golden", "hw", "sim", "boards", "cli")


def folders() -> list[str]:
    """Lines of the table of folders, from the first paragraph of each package's docstring."""
    rows = []
    for top in FOLDERS:
        for path in sorted((ROOT / top).rglob("__init__.py")):
            text = ast.get_docstring(ast.parse(path.read_text()))
            first = " ".join(text.split("\n\n")[0].split()).replace("``", "`").rstrip(".")
            rows.append((f"`{path.parent.relative_to(ROOT)}/`", first))
    return markdown_table(("folder", "what it holds"), rows)


def _record(name):
    kept = json.loads((ROOT / "docs" / "recorded" / f"{name}.json").read_text())
    return kept["report"], f"`{kept['command']}`"


def figures() -> list[str]:
    """Lines of the table of figures in the README."""
    rows = []

    def compared(what, name):
        report, command = _record(name)
        more = report.get("weights_compared")
        rows.append((what, f"{report['compared']:,} values"
                     + (f", {more:,} of them weights" if more else "")
                     + f": {report['mismatches'] or 'none'} differ", command))

    def error(what, names):
        reports = [_record(name)[0]["test_error"] for name in names]
        seeds = f" (mean of {len(reports)} seeds)" if len(reports) > 1 else ""
        rows.append((what, f"{100 * statistics.mean(reports):.2f} % test error{seeds}",
                     _record(names[0])[1]))

    compared("64-32-10 classifies 100 digits in the simulated engine", "cosim-digits")
    compared("every learning system in the simulated engine", "learn-all")
    compared("random networks, programs and engines", "fuzz-2000")
    compared("the same on the netlist that Yosys makes for the iCEBreaker",
             "cosim-netlist-icebreaker")
    error("MNIST, 784-512-10, equilibrium propagation in floating point",
          [f"train-mnist-784-512-10-ep-{seed}" for seed in range(5)])
    error("MNIST, 784-64-10, learned in raw integers, as the engine does it",
          ["train-fixed-784-64-10", "train-fixed-784-64-10-seed1", "train-fixed-784-64-10-seed2"])
    for name in ("icebreaker", "ulx3s-25f"):
        report, command = _record(f"build-{name}")
        older = report["config_hash"] != preset(report["preset"]).hash
        rows.append((f"bitstream of the board `{name}` with {report['lanes']} lanes"
                     + (", of the engine before this one" if older else ""),
                     f"{report['luts']} of {report['device_luts']} logic cells, "
                     f"{report['fmax_mhz']:g} MHz estimated after routing "
                     f"(runs at {report['clock_mhz']:g})", command))
    return markdown_table(("what", "figure", "command"), rows)


def systems() -> list[str]:
    """Lines of the table of systems, from the registry."""
    from apical.golden.systems.registry import system
    from apical.golden.systems.registry import systems as records

    return markdown_table(("name", "what it is", "learns from", "trained by"), [
        (f"`{name}`" + (f", `{record.rule}`" if record.rule != name
                        and system(record.rule) is record else ""),
         record.summary,
         record.data.words if record.learns else "nothing",
         ", ".join(f"`{executor}`" for executor in record.executors) if record.learns else "")
        for name, record in records().items()])


def levers() -> list[str]:
    """Lines of the tables of ``bench.flow_levers``."""
    from .docs_golden import flow_levers

    return flow_levers()


BLOCKS = {"folders": folders, "figures": figures, "systems": systems, "levers": levers}


def filled(text: str) -> str:
    """A page with its generated parts made anew.

    Parameters
    ----------
    text : str
        The page.
    """
    def make(found):
        lines = "\n".join(BLOCKS[found["name"]]())
        return f"{found['begin']}\n\n{lines}\n{found['end']}"

    return re.sub(r"(?P<begin><!-- begin (?P<name>\w+)\b[^>]*-->)\n.*?"
                  r"(?P<end><!-- end (?P=name) -->)", make, text, flags=re.DOTALL)
