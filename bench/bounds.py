"""Bounds of checks from recorded seeds: writes ``golden/claims/bounds.json``.

``python -m bench.bounds`` reads the records ``reproduce-*`` of ten seeds or more and gives every
row that is not a claim its bound, see :mod:`apical.golden.claims.bounds`.  A bound that is there
already is only ever replaced by a tighter one; rows where the new one would be looser are named.
``--check`` writes nothing and fails where the file is not what the records make of it.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from apical.cli.common import write_json
from apical.golden.claims import bounds

RECORDED = Path(__file__).resolve().parent.parent / "docs" / "recorded"
#: Fewer seeds say too little.
LEAST_SEEDS = 10


def reports() -> list[dict]:
    """Reports of ``apical reproduce --seeds``, in the order of their names."""
    found = [json.loads(path.read_text())["report"]
             for path in sorted(RECORDED.glob("reproduce-*.json"))]
    return [report for report in found if len(report.get("seeds", ())) >= LEAST_SEEDS]


def spell(seeds) -> str:
    """Seeds in words: ``0-9``, or all of them."""
    whole = list(range(seeds[0], seeds[-1] + 1))
    return f"{seeds[0]}-{seeds[-1]}" if list(seeds) == whole else ", ".join(map(str, seeds))


def derive(found, before) -> tuple[dict, list[str]]:
    """The table of bounds, and what had to stay tighter than the records say.

    Parameters
    ----------
    found : sequence of dict
        Reports.
    before : dict
        The table so far.
    """
    table, kept = {}, []
    for report in found:
        seen, executor = {}, report["executor"]
        for row in report["rows"]:
            place = f"{row['system']}/{row['group']}"
            name = bounds.key(row["check"], seen.setdefault(place, {}))
            if not row["limit"]:
                continue  # a claim
            new = bounds.derived(row["limit"], row["values"])
            old = before.get(executor, {}).get(place, {}).get(name, {}).get("tolerance", new)
            best = bounds.tighter(old, new)
            if best != new:
                kept.append(f"{executor}, {place}, {name}: stays {best}; the records say {new}")
            table.setdefault(executor, {}).setdefault(place, {})[name] = {
                "tolerance": best, "count": len(report["seeds"]), "seeds": spell(report["seeds"])}
    return table, kept


def main():
    """Write or check the table."""
    parser = argparse.ArgumentParser(prog="python -m bench.bounds", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing")
    args = parser.parse_args()
    table, kept = derive(reports(), bounds.table())
    for line in kept:
        print(line)
    if args.check and table != bounds.table():
        sys.exit("out of date: golden/claims/bounds.json; run 'python -m bench.bounds'")
    if not args.check:
        write_json(bounds.FILE, table)
        print(f"wrote {sum(len(rows) for part in table.values() for rows in part.values())} bounds")


if __name__ == "__main__":
    main()
