"""``apical generate``: the files, equal each time, and what is refused."""

import json
import re

import pytest

from apical import cli
from apical.hw.interface.config import EngineConfig

SMALL = ["generate", "--lanes", "3", "--update-lanes", "2"]


def run(capsys, *argv):
    """(exit code, standard output, lines of standard error) of a command."""
    code = cli.main(list(argv))
    out = capsys.readouterr()
    return code, out.out, out.err.splitlines()


def test_three_files_and_equal_bytes_each_time(capsys, tmp_path):
    folders = tmp_path / "a", tmp_path / "deep" / "b"
    for folder in folders:
        code, out, lines = run(capsys, *SMALL, "-o", str(folder), "--name", "tiny")
        assert (code, lines) == (0, []) and out.count("tiny") >= 3
        assert sorted(p.name for p in folder.iterdir()) == ["tiny.json", "tiny.v", "tiny_map.md"]
    for path in folders[0].iterdir():
        assert path.read_bytes() == (folders[1] / path.name).read_bytes()
    made = json.loads((folders[0] / "tiny.json").read_text())
    assert EngineConfig.from_dict(made["config"]).hash == made["config_hash"]
    verilog = (folders[0] / "tiny.v").read_text()
    assert made["config_hash"] in verilog and re.search(r"^module tiny\b", verilog, re.MULTILINE)
    assert "trace_valid" not in verilog
    assert f"`{made['config_hash']}`" in (folders[0] / "tiny_map.md").read_text()


def test_a_preset_with_its_trace(capsys, tmp_path):
    code, out, _ = run(capsys, "generate", "--preset", "icebreaker", "--trace", "-o", str(tmp_path))
    assert code == 0 and "weights" in out
    assert "output trace_valid" in (tmp_path / "apical_engine.v").read_text()


@pytest.mark.parametrize(("argv", "message"), [
    ([], "name an engine: --preset NAME, or --lanes P"),
    (["--preset", "arty"], "unknown preset 'arty'; known: icebreaker"),
    (["--preset", "icebreaker", "--lanes", "4"], "--preset and --lanes exclude each other"),
    (["--lanes", "0"], "lanes is 0; it goes from 1 to 64"),
    (["--lanes", "65"], "lanes is 65; it goes from 1 to 64"),
    (["--lanes", "4", "--update-lanes", "3"], "update lanes is 3; it must be a power of two"),
    (["--lanes", "4", "--state", "s16"], "'s16' is not a number format"),
    (["--lanes", "4", "--name", "2nd"], "'2nd' is not a Verilog identifier"),
    (["--lanes", "4", "--name", "module"], "'module' is a word of Verilog"),
])
def test_what_cannot_be_is_one_line(capsys, tmp_path, argv, message):
    code, out, lines = run(capsys, "generate", *argv, "-o", str(tmp_path / "out"))
    assert (code, out, len(lines)) == (2, "", 1) and message in lines[0], lines
    assert not (tmp_path / "out").exists()


def test_unwritable_output(capsys, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setattr("apical.hw.export.verilog.engine_verilog",
                        lambda *_: pytest.fail("work was started"))
    code, out, lines = run(capsys, *SMALL, "-o", str(tmp_path / "file" / "x"))
    assert (code, out, len(lines)) == (1, "", 1)
    assert lines[0].startswith(f"apical: cannot make folder '{tmp_path}/file/x': ")
    (tmp_path / "apical_engine.v").mkdir()
    code, out, lines = run(capsys, *SMALL, "-o", str(tmp_path))
    assert (code, out, len(lines)) == (1, "", 1) and "it is a folder" in lines[0]
