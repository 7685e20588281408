"""The page of checks: every row of ``apical reproduce``, its bound, why, and what seeds gave.

Systems with a record of many seeds (``reproduce-SYSTEM-seeds-A-B``) are shown from it, the others
from the records of single seeds (``reproduce-all-SEED``).  Verdicts are those of the present
bounds.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from apical.golden.claims import SYSTEMS, Row, bounds
from apical.hw.export.verilog import markdown_table as _table

RECORDED = Path(__file__).resolve().parent.parent / "docs" / "recorded"


def rows(executor="float") -> dict[str, list[dict]]:
    """Rows of every system that is recorded.

    Returns
    -------
    dict
        By system; each row has the fields of a `Row`, and ``seeds``, ``values`` and ``verdicts``,
        an entry a seed.
    """
    single, many = {}, {}
    for path in sorted(RECORDED.glob("reproduce-*.json")):
        report = json.loads(path.read_text())["report"]
        if report.get("executor", "float") != executor:
            continue
        if "seeds" in report:
            for system, found in _judged(report).items():
                many.setdefault(system, []).extend(found)
        else:
            for place, row in enumerate(report["rows"]):
                single.setdefault(row["system"], {}).setdefault(place, {})[report["seed"]] = row
    plain = {system: [_of_single(by_seed) for by_seed in found.values()]
             for system, found in single.items()}
    return {system: many.get(system, plain.get(system, [])) for system in SYSTEMS}


def _judged(report):
    """Rows of a report of many seeds, judged by the present bounds."""
    found, lookup = {}, {}
    for row in report["rows"]:
        place = row["system"], row["group"]
        table = lookup.setdefault(place, bounds.Bounds(report["executor"], *place))
        now = table.applied(Row(row["system"], row["check"], 0.0, row["limit"] or row["tolerance"],
                                row["source"], "" if row["limit"] else row["reason"]))
        found.setdefault(row["system"], []).append({
            **row, "tolerance": now.tolerance, "reason": now.reason, "seeds": report["seeds"],
            "verdicts": [bounds.holds(_numbers(value), now.tolerance) for value in row["values"]]})
    return found


def _of_single(by_seed):
    first = next(iter(by_seed.values()))
    return {"reason": "", "name": "", **first, "seeds": list(by_seed),
            "values": [row["value"] for row in by_seed.values()],
            "verdicts": [row["passed"] for row in by_seed.values()]}


def _numbers(value):
    return [np.nan if v is None else v for v in (value if isinstance(value, list) else [value])]


def _range(values):
    """Smallest and greatest value over the seeds, of all that a row has."""
    every = np.concatenate([_numbers(value) for value in values])
    low, high = every.min(), every.max()
    return f"{low:.6g}" if low == high else f"{low:.6g} .. {high:.6g}"


def summary(executor="float") -> list[str]:
    """Lines of the table of how many checks hold, by system."""
    cells = []
    for system, found in rows(executor).items():
        verdicts = [v for row in found for v in row["verdicts"]]
        seeds = found[0]["seeds"] if found else []
        red = sum(not all(row["verdicts"]) for row in found)
        cells.append([f"[{system}](papers/{system}.md)", ", ".join(map(str, seeds)), len(found),
                      f"{sum(verdicts)} of {len(verdicts)}", red or "none"])
    return _table(["system", "seeds", "rows", "hold", "rows outside at some seed"], cells)


def checks(generated) -> str:
    """The page of every check."""
    parts = ["# Checks of the systems", "", generated, "",
             "Rows of `apical reproduce NAME --seeds A-B`. Several values belong to several "
             "layers, times or sizes, which the row names; the range is over all of them and over "
             "the seeds. A control shows what fails without the thing that is claimed. A bound is "
             "a claim of the paper or of theory, or the worst of the recorded seeds plus three "
             "standard deviations (`python -m bench.bounds`), or, where that is tighter, what the "
             "code says. Verdicts are those of the present bounds; a row outside is **bold**.", ""]
    for executor, title in (("float", "floating point"), ("fixed", "raw integers")):
        parts += [f"## In {title}", ""]
        for system, found in rows(executor).items():
            if not found:
                continue
            seeds = ", ".join(map(str, found[0]["seeds"]))
            parts += [f"### [{system}](papers/{system}.md), seeds {seeds}", ""]
            parts += _table(["name", "check", "bound", "why", "range", "holds at"],
                            [_line(row) for row in found])
    return "\n".join(parts).rstrip() + "\n"


def _line(row):
    held, of = sum(row["verdicts"]), len(row["verdicts"])
    shown, count = _range(row["values"]), f"{held} of {of}"
    return [row["name"], row["check"].replace("|", "\\|"), row["tolerance"], row["reason"],
            shown if held == of else f"**{shown}**", count if held == of else f"**{count}**"]
