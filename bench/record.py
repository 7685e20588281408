"""Runs a command that measures, and keeps its report for docs/results.md.

``python -m bench.record NAME COMMAND ...`` runs the command with ``--json`` and writes
``docs/recorded/NAME.json``: the command line and its report.  ``python -m bench.docs`` makes the
tables of them.
"""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

from apical.cli.common import write_json

RECORDED = Path(__file__).resolve().parent.parent / "docs" / "recorded"


def record(name, command) -> dict:
    """Run a command, keep its report.

    Parameters
    ----------
    name : str
        Of the record; ``bench/docs.py`` decides where it appears.
    command : sequence of str
        As typed: ``apical cosim ...`` or ``python -m bench.cosim ...``.
    """
    first = {"python": sys.executable,
             "apical": str(Path(sys.executable).with_name("apical"))}.get(command[0], command[0])
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "report.json"
        done = subprocess.run([first, *command[1:], "--json", str(path)])
        # Status 1 with a report is an outcome, such as a check that does not hold: it is kept.
        if done.returncode != 1 or not path.exists():
            done.check_returncode()
        # Paths are relative to the root of the project.
        report = json.loads(path.read_text().replace(f"{RECORDED.parent.parent}/", ""))
    RECORDED.mkdir(parents=True, exist_ok=True)
    kept = {"command": shlex.join(command), "report": report}
    write_json(RECORDED / f"{name}.json", kept)
    return kept


def main():
    """Record what the arguments say."""
    if len(sys.argv) < 3:
        sys.exit("usage: python -m bench.record NAME COMMAND ...")
    record(sys.argv[1], sys.argv[2:])


if __name__ == "__main__":
    main()
