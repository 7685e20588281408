"""``apical cache``: the list, the report, and what is cleared."""

import json
import re

import pytest

from apical import cli
from apical.golden.storage import cache


@pytest.fixture(autouse=True)
def own(monkeypatch, tmp_path):
    """A cache with three entries."""
    monkeypatch.setenv("APICAL_CACHE", str(tmp_path / "cache"))
    made = cache.folder("simulators") / "0123"
    made.mkdir()
    (made / "sim").write_bytes(bytes(1500))
    for name in ("a.npz", "b.npz"):
        (cache.folder("weights") / name).write_bytes(bytes(12))
    return tmp_path / "cache"


def run(capsys, *argv):
    """(exit code, standard output, lines of standard error) of a command."""
    code = cli.main(["cache", *argv])
    out = capsys.readouterr()
    return code, out.out, out.err.splitlines()


def test_the_list(capsys, own):
    code, out, lines = run(capsys)
    assert (code, lines) == (0, [])
    assert [re.split(r"  +", line) for line in out.splitlines()[2:5]] == [
        ["simulators", "0123", "1.5 kB", "now"], ["weights", "a.npz", "12 B", "now"],
        ["weights", "b.npz", "12 B", "now"]]
    assert out.splitlines()[5:] == [
        "simulators: engines compiled for simulation", "weights: default weights of networks",
        f"3 entries, 1.52 kB, in {own}"]


def test_the_report(capsys, own, tmp_path):
    code, _, _ = run(capsys, "--json", str(tmp_path / "r.json"))
    found = json.loads((tmp_path / "r.json").read_text())
    assert code == 0 and (found["folder"], found["bytes"], found["cleared"]) == (
        str(own), 1524, False)
    assert [(e["kind"], e["name"], e["bytes"]) for e in found["entries"]] == [
        ("simulators", "0123", 1500), ("weights", "a.npz", 12), ("weights", "b.npz", 12)]
    assert all(0 <= e["seconds_since_use"] < 60 for e in found["entries"])


def test_one_kind_is_cleared_then_everything(capsys, own):
    assert run(capsys, "--clear", "weights") == (0, f"removed 2 entries, 24 B, in {own}\n", [])
    assert run(capsys, "--clear") == (0, f"removed 1 entry, 1.5 kB, in {own}\n", [])
    assert run(capsys) == (0, f"0 entries, 0 B, in {own}\n", [])


def test_an_unknown_kind_removes_nothing(capsys):
    code, out, lines = run(capsys, "--clear", "waves")
    assert (code, out, len(lines)) == (2, "", 1) and "invalid choice: 'waves'" in lines[0]
    assert len(cache.entries()) == 3
