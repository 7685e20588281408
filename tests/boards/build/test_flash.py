"""Loading a bitstream, and what is refused."""

import shlex
from pathlib import Path

import pytest
from build_case import make

from apical.boards.build import flash as flashing
from apical.boards.build.catalog import board
from apical.boards.host.golden_port import GoldenPort
from apical.boards.host.links import Link
from apical.cli import main
from apical.golden.errors import ApicalError, MisuseError
from apical.hw.interface.presets import preset


def test_flash_prints_the_exact_command(tools, tmp_path, capsys):
    made = make(tmp_path)
    for option, words in (("--sram", "iceprog -S"), ("--flash", "iceprog")):
        assert main(["flash", "--board", "icebreaker", option, "--dry-run", "--manifest",
                     str(tmp_path / "icebreaker.json")]) == 0
        assert capsys.readouterr().out == f"{words} {made['bitstream']}\n"


def test_a_dry_run_before_the_build_shows_the_command_all_the_same(tools, tmp_path, capsys,
                                                                   monkeypatch):
    monkeypatch.chdir(tmp_path)
    command = ["flash", "--board", "icebreaker"]
    assert main([*command, "--dry-run"]) == 0
    told = capsys.readouterr()
    bitstream = Path("build") / "boards" / "icebreaker.bin"
    assert told.out == f"iceprog -S {bitstream}\n"
    assert told.err.count("\n") == 1
    paste = told.err.strip().split("build it with: ")[1]
    assert paste == "apical build --board icebreaker"
    assert main(command) == 2
    assert capsys.readouterr().err.strip().split("build it with: ")[1] == paste
    elsewhere = ["--manifest", str(tmp_path / "my boards" / "icebreaker.json"), "--dry-run"]
    assert main([*command, *elsewhere]) == 0
    paste = capsys.readouterr().err.strip().split("build it with: ")[1]
    words = shlex.split(paste)
    assert words == ["apical", "build", "--board", "icebreaker", "-o", str(tmp_path / "my boards")]
    assert main([*words[1:], "--tools", "native"]) == 0
    assert main([*command, *elsewhere]) == 0
    # What is not the right bitstream is refused in a dry run as well.
    (tmp_path / "my boards" / "icebreaker.bin").write_text("other")
    assert main([*command, *elsewhere]) == 2


def refuse(path, name="icebreaker"):
    with pytest.raises(MisuseError) as told:
        flashing.check_bitstream(board(name), path / "icebreaker.json")
    return str(told.value)


def test_a_wrong_bitstream_is_refused(tools, tmp_path, monkeypatch):
    assert f"build it with: apical build --board icebreaker -o {tmp_path}" in refuse(tmp_path)
    make(tmp_path)
    assert "is for board 'icebreaker', not for 'ulx3s-25f'" in refuse(tmp_path, "ulx3s-25f")
    older = preset("icebreaker-learning").replace(program_depth=64)
    with monkeypatch.context() as patch:
        patch.setattr(flashing, "preset", lambda name: older)
        assert f"is stale: it holds engine {preset('icebreaker-learning').hash}" in refuse(tmp_path)
    (tmp_path / "icebreaker.bin").write_text("other bits\n")
    assert "is not the bitstream its manifest describes (sha256 differs)" in refuse(tmp_path)
    (tmp_path / "icebreaker.bin").unlink()
    assert "no bitstream" in refuse(tmp_path)
    (tmp_path / "icebreaker.json").write_text("[]")
    assert "is not the manifest of a bitstream" in refuse(tmp_path)


def test_a_missing_programmer_or_board_is_one_line(tools, tmp_path, capsys):
    make(tmp_path)
    command = ["flash", "--board", "icebreaker", "--manifest", str(tmp_path / "icebreaker.json")]
    if not (tools.folder / "iceprog").exists():
        (tools.folder / "iceprog").write_text("")  # not executable: not found
    assert main(command) == 1
    assert "apical: iceprog is not installed; install the package" in capsys.readouterr().err
    tools("iceprog", "echo \"Can't find iCE FTDI USB device\" >&2; exit 1")
    assert main(command) == 1
    told = capsys.readouterr().err
    assert told.count("\n") == 1
    assert "iceprog failed: Can't find iCE FTDI USB device; is the board there?" in told


def test_a_programmer_without_a_package_is_named_with_its_source(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ApicalError, match="^icesprog is not installed; build it from https://"):
        flashing.flash(board("icesugar"), flashing.command(board("icesugar"), "x.bin", "flash"))
    with pytest.raises(MisuseError, match="board 'icesugar' cannot be loaded into sram"):
        flashing.command(board("icesugar"), "x.bin", "sram")


def test_what_was_loaded_is_read_back(tools, tmp_path, monkeypatch, capsys):
    made = make(tmp_path)
    tools("iceprog", "exit 0")
    command = ["flash", "--board", "icebreaker", "--manifest", str(tmp_path / "icebreaker.json"),
               "--port", "/dev/ttyUSB1"]
    held = preset("icebreaker-learning")

    def serial(path, baud):
        assert (path, baud) == ("/dev/ttyUSB1", made["baud"])
        return Link.over_port(GoldenPort(held), held, path)

    monkeypatch.setattr(flashing.Link, "serial", serial)
    monkeypatch.setattr(flashing.time, "sleep", lambda seconds: None)
    assert main(command) == 0
    assert f"is {held.hash}, as the manifest says" in capsys.readouterr().out
    held = preset("ulx3s-25f")
    assert main(command) == 1
    told = capsys.readouterr().err
    assert "apical: loaded, but not what was meant: the engine at /dev/ttyUSB1 has" in told
    monkeypatch.undo()
    monkeypatch.setattr(flashing.time, "sleep", lambda seconds: None)
    with pytest.raises(ApicalError, match="^loaded, but the board does not answer: there is no po"):
        flashing.read_back(board("icebreaker"), made, "/dev/nothing")
