"""The commands of docs/first-board.md, run against the virtual board."""

import json
import re
import shlex
from pathlib import Path

import numpy as np
import pytest
from full_case import FULL
from full_case import SYSTEMS as HELD

from apical.boards.host import device as driver
from apical.cli import COMMANDS, main
from apical.golden.storage.model import load_model
from apical.hw.interface.presets import PRESETS

PAGE = (Path(__file__).parents[3] / "docs" / "first-board.md").read_text()


def commands(text):
    """Lines of the shell blocks."""
    return [line for block in re.findall(r"^```sh\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
            for line in block.splitlines()]


LINES = commands(PAGE)
#: Those of the section that needs a full engine.
SYSTEMS = commands(re.search(r"^## Every system\n(.*?)^## ", PAGE, re.MULTILINE | re.DOTALL)[1])
#: Commands that need tools or a board, or run until they are interrupted.
NOT_RUN = ("build", "flash", "board", "boards")
#: Options of the same commands, small.
SMALL = {"--epochs": "1", "--count": "3", "--steps": "3", "--repair": "5", "--images": "4"}


def run(words, folder):
    """Run a command with a report, where it makes one; returns the report."""
    report = folder / "report.json"
    assert main([*words, "--json", str(report)]) == 0, words
    return json.loads(report.read_text())


def test_the_page_has_commands():
    assert {line.split()[1] for line in LINES} == {"boards", "build", "flash", "board", "selftest",
                                                   "run", "monitor", "train", "replay", "sample"}
    assert [shlex.split(line)[1] for line in SYSTEMS] == [
        "build", "board", "selftest", "train", "run", "train", "sample", "run", "run"]


@pytest.mark.parametrize("line", [line for line in LINES if line.split()[1] in NOT_RUN])
def test_options_exist(line, capsys):
    _, name, *words = shlex.split(line)
    assert name in COMMANDS
    action = [words[0]] if name == "board" else []
    assert main([name, *action, "--help"]) == 0
    told = capsys.readouterr().out
    for word in words:
        if word.startswith("--"):
            assert word in told


@pytest.mark.slow
def test_the_commands(virtual, small_board, tmp_path, monkeypatch, capsys):
    # The small engine of the virtual board counts as a preset, as that of a real board would.
    monkeypatch.setitem(driver.PRESETS, "virtual", small_board[1])
    monkeypatch.chdir(tmp_path)
    said = {}
    for line in LINES:
        words = shlex.split(line.replace("$PORT", virtual.path))[1:]
        if words[0] not in NOT_RUN and line not in SYSTEMS:
            assert main(words) == 0, (line, capsys.readouterr())
            said[line] = capsys.readouterr().out
    signatures = [re.search(r"signature +(\w+)", text).group(1) for line, text in said.items()
                  if line.startswith("apical run") and "20" in line and "--model" not in line]
    assert len(signatures) == 2
    assert signatures[0] == signatures[1]
    accuracy = next(re.search(r"test accuracy ([\d.]+)", text).group(1)
                    for line, text in said.items() if line.startswith("apical train"))
    assert float(accuracy) > 60
    assert "0 differ" in said["apical replay session.jsonl --link golden"]
    assert (tmp_path / "digits.ckpt").is_file()


def systems_on(place, folder, monkeypatch, small=()):
    """Reports of the commands for every system: ``place`` takes the place of the port."""
    monkeypatch.chdir(folder)
    found = []
    for line in SYSTEMS:
        words = shlex.split(line.replace("--port $PORT", place))[1:]
        if words[0] in NOT_RUN:
            continue
        for option, value in small:
            if option in words:
                words[words.index(option) + 1] = value
        if small and words[0] == "train":
            words += ["--images", "30", "--test-images", "20"]
        if small and "--system" in words:
            words += ["--trials", "20"] if "stdp" in words else ["--images", "3", "--steps", "2"]
        found.append(run(words, folder))
    pictures = [word for line in SYSTEMS for word in shlex.split(line) if word.endswith(".png")]
    assert len(pictures) == 3
    assert all((folder / name).read_bytes()[:4] == b"\x89PNG" for name in pictures)
    return found


def assert_nothing_left_out(selftest):
    """Of the systems that an engine can hold."""
    assert all(check["good"] for check in selftest["checks"])
    ran = {check["name"] for check in selftest["checks"] if check["ran"]}
    assert {f"program: {name}" for name in HELD} <= ran


def test_every_system_small(tmp_path, monkeypatch):
    """In the fixed executor, on the engine that the page names; at full size behind `slow`."""
    name = next(shlex.split(line)[-1] for line in SYSTEMS if "build" in line)
    if name in PRESETS:
        place = f"--link golden --preset {name}"
    else:
        path = tmp_path / "full.json"
        path.write_text(json.dumps({"config": FULL.to_dict(), "config_hash": FULL.hash}))
        place = f"--link golden --manifest {path}"
    selftest, *rest = systems_on(place, tmp_path, monkeypatch, SMALL.items())
    assert_nothing_left_out(selftest)
    assert len(rest) == 6


@pytest.mark.slow
def test_every_system(full_board, tmp_path, monkeypatch):
    """On the virtual board as on the page, and the same in the fixed executor."""
    monkeypatch.setitem(driver.PRESETS, "virtual", FULL)
    manifest = tmp_path / "full.json"
    manifest.write_text(json.dumps({"config": FULL.to_dict(), "config_hash": FULL.hash}))
    folders = [tmp_path / "board", tmp_path / "golden"]
    for folder in folders:
        folder.mkdir()
    found = systems_on(f"--port {full_board.path}", folders[0], monkeypatch)
    golden = systems_on(f"--link golden --manifest {manifest}", folders[1], monkeypatch)
    selftest, ghosts, ran, _, drawn, early, curve = found
    assert_nothing_left_out(selftest)
    for one, other in zip(found[1:], golden[1:], strict=True):
        for key in ("signature", "signatures", "samples", "repair", "cosines", "change"):
            assert one.get(key) == other.get(key)
    for name in ("ghosts.npz", "machine.npz"):
        one, other = (load_model(folder / name).weights for folder in folders)
        assert all(np.array_equal(values, other[matrix]) for matrix, values in one.items())
    assert ghosts["test_error"] <= 0.08
    assert ghosts["device_accuracy"] == pytest.approx(1 - ghosts["test_error"])
    assert ran["accuracy"] > 0.8
    assert drawn["repair"]["wrong_after"] <= drawn["repair"]["wrong_before"] / 2
    for step, name in enumerate(reversed(list(early["cosines"]))):
        assert all(abs(value) < 0.1 for value in early["cosines"][name][:step])
        assert all(value > 0.95 for value in early["cosines"][name][step:])
    assert curve["correlation"] > 0.95
    assert (np.sign(curve["change"]) == np.sign(curve["lags"])).all()
    assert abs(curve["control"]) < 0.1
