"""Every system on the virtual board of a full engine, recorded for docs/boards.md.

``python -m bench.board_systems --board ulx3s-25f --preset ulx3s-25f-full`` serves the board, runs
the commands of the section *Every system* of docs/first-board.md on it, records each as
``system-NAME-PRESET``, and runs the same in the fixed executor.  It ends with an error when
signatures, learned weights or images differ.
"""

from __future__ import annotations

import argparse
import json
import re
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from bench.boards import APICAL, served
from bench.record import RECORDED, record

#: What must be equal, where a report has it.
EQUAL = ("signature", "signatures", "samples", "repair", "cosines", "change", "accuracy",
         "device_accuracy")


def commands() -> dict:
    """The commands of the section that go to a port: words by name of the record."""
    page = (RECORDED.parent / "first-board.md").read_text()
    section = re.search(r"^## Every system\n(.*?)^## ", page, re.MULTILINE | re.DOTALL)[1]
    found = {}
    for block in re.findall(r"^```sh\n(.*?)^```", section, re.MULTILINE | re.DOTALL):
        for words in map(shlex.split, block.splitlines()):
            if "$PORT" in words and words[1] != "selftest":
                option = next((o for o in ("--rule", "--system") if o in words), None)
                name = "-".join([words[1], *([words[words.index(option) + 1]] if option else [])])
                found[name] = words
    return found


def main():
    """Record what the arguments say."""
    parser = argparse.ArgumentParser(prog="python -m bench.board_systems", description=__doc__)
    parser.add_argument("--board", required=True)
    parser.add_argument("--preset", required=True, metavar="NAME")
    parser.add_argument("--baud", help="of the virtual board's line")
    args = parser.parse_args()
    # Names that do not change: they are part of the recorded commands.
    path, folder = f"build/{args.preset}.port", Path("build")
    folder.mkdir(exist_ok=True)
    child = served(args.board, args.preset, args.baud, path)
    try:
        wrong = differences(args.board, args.preset, path, folder)
    finally:
        child.terminate()
        child.wait()
    if wrong:
        sys.exit(f"not as the fixed executor: {', '.join(wrong)}")
    print(f"{args.preset}: as the fixed executor in every system")


def differences(board, preset, path, folder):
    """Record all commands; returns the differences from the fixed executor, in words."""
    wrong = []
    with tempfile.TemporaryDirectory() as other:
        for name, words in commands().items():
            at = words.index("--port")
            for place, where in ((["--port", path, "--board", board], folder),
                                 (["--link", "golden"], Path(other))):
                line = [str(where / word) if word.endswith((".npz", ".png")) else word
                        for word in (*words[1:at], *place, "--preset", preset, *words[at + 2:])]
                if where is folder:
                    found = record(f"system-{name}-{preset}", ["apical", *line])["report"]
                else:
                    told = where / "report.json"
                    subprocess.run([APICAL, *line, "--json", told], check=True)
                    expected = json.loads(told.read_text())
            wrong += [f"{key} of {name}" for key in EQUAL if found.get(key) != expected.get(key)]
        for kept in Path(other).glob("*.npz"):
            with np.load(folder / kept.name) as ours, np.load(kept) as theirs:
                wrong += [f"'{key}' of {kept.name}" for key in theirs if key.startswith("weights/")
                          and not np.array_equal(ours[key], theirs[key])]
    return wrong


if __name__ == "__main__":
    main()
