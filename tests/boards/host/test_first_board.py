"""The commands of docs/first-board.md, run against the virtual board."""

import re
import shlex
from pathlib import Path

import pytest

from apical.boards.host import device as driver
from apical.cli import COMMANDS, main

PAGE = (Path(__file__).parents[3] / "docs" / "first-board.md").read_text()
LINES = [line for block in re.findall(r"^```sh\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
         for line in block.splitlines()]
#: Commands that need tools or a board, or run until they are interrupted.
NOT_RUN = ("build", "flash", "board", "boards")


def test_the_page_has_commands():
    assert {line.split()[1] for line in LINES} == {"boards", "build", "flash", "board", "selftest",
                                                   "run", "monitor", "train", "replay"}


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
        if words[0] not in NOT_RUN:
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
