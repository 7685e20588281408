"""All checks of a board, run on its virtual board and recorded for docs/boards.md.

``python -m bench.boards BOARD`` serves the board and records

* ``board-selftest-ENGINE``: the self-test with link abuse, every word of memory compared,
* ``board-run-ENGINE``: digits, with predictions and signature equal to those of the golden link,
* ``board-train-ENGINE``, where the engine learns: digits, ending with the weights of
  ``apical train --executor fixed``.

ENGINE is the name of the board, or the preset that ``--preset`` names.

It ends with an error when anything differs.  ``python -m bench.docs`` makes the page from them.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from apical.boards.build.catalog import board
from apical.golden.storage.model import load_model
from apical.hw.interface.presets import preset
from bench.record import record

APICAL = str(Path(sys.executable).with_name("apical"))


def served(name, engine, baud, path):
    """Start a process that serves a virtual board; returns it when the board is ready."""
    options = [] if engine is None else ["--preset", engine]
    options += [] if baud is None else ["--baud", baud]
    child = subprocess.Popen([APICAL, "board", "serve", "--sim", "--board", name, *options,
                              "--path", path], stdout=subprocess.PIPE, text=True)
    if child.stdout.readline().strip() != path:
        child.wait()
        sys.exit(f"no virtual board '{name}'")
    return child


def differences(name, engine, path, images, abuse, folder):
    """Record all runs; returns the differences from the fixed executor, in words."""
    config, found = preset(board(name, engine).preset), []
    which = ["--board", name, *([] if engine is None else ["--preset", engine])]
    device, name = ["--port", path, *which], engine or name
    run = record(f"board-run-{name}", ["apical", "run", *device, "--data", "digits", "--images",
                                       str(images)])["report"]
    golden = folder / "golden.json"
    subprocess.run([APICAL, "run", "--link", "golden", *which, "--data", "digits",
                    "--images", str(images), "--json", golden], check=True)
    expected = json.loads(golden.read_text())
    found += [f"{key} of the run" for key in ("predictions", "signature")
              if run[key] != expected[key]]
    if config.learning:
        # Part of the recorded command: a name that does not change.
        ours, theirs = Path("build") / f"board-{name}.npz", folder / "fixed.npz"
        common = ["train", "--data", "digits", "--epochs", "2", "--quiet"]
        trained = record(f"board-train-{name}", ["apical", *common, *device, "--save",
                                                 str(ours)])["report"]
        subprocess.run([APICAL, *common, "--executor", "fixed", "--state", str(config.state),
                        "--weight", str(config.weight), "--update-frac", str(config.update_frac),
                        "--save", theirs], check=True)
        weights, wanted = load_model(ours).weights, load_model(theirs).weights
        found += [f"weights '{key}'" for key in wanted
                  if not np.array_equal(weights[key], wanted[key])]
        if not 1 - trained["test_errors"][0] < trained["device_accuracy"]:
            found.append(f"accuracies {trained['test_errors']}, which is no learning")
    record(f"board-selftest-{name}", ["apical", "selftest", *device, "--full", "--abuse",
                                      str(abuse)])
    return found


def main():
    """Record what the arguments say."""
    parser = argparse.ArgumentParser(prog="python -m bench.boards", description=__doc__)
    parser.add_argument("board")
    parser.add_argument("--preset", metavar="NAME")
    parser.add_argument("--baud", help="of the virtual board's line: a faster one takes less time")
    parser.add_argument("--images", type=int, default=100)
    parser.add_argument("--abuse", type=int, default=10_000)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        # A name that does not change: it is part of the recorded commands.
        path = f"build/{args.preset or args.board}.port"
        Path(path).parent.mkdir(exist_ok=True)
        child = served(args.board, args.preset, args.baud, path)
        try:
            found = differences(args.board, args.preset, path, args.images, args.abuse,
                                Path(folder))
        finally:
            child.terminate()
            child.wait()
    if found:
        sys.exit(f"not as the fixed executor: {', '.join(found)}")
    print(f"{args.board}: as the fixed executor in everything")


if __name__ == "__main__":
    main()
