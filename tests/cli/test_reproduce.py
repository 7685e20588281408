"""``apical reproduce``: rows, verdicts, exit codes, files."""

import json

import pytest

from apical import cli
from apical.golden import claims as reproduce
from apical.golden.claims import Figure, Row


@pytest.fixture
def system(monkeypatch):
    """A system of two rows and a figure, whose second row can be made to fail."""
    limits = ["< 1", "< 1"]

    def group(seed):
        yield Row("stdp", "first", 0.5, limits[0], "paper")
        yield Figure("curve", "A curve", "x", "y", {"a": ([1, 2], [3, 4])}, {"b": ([1], [2])},
                     log_y=True)
        yield Figure("images", "Images", images=(("one", [[0, 1], [1, 0]]),))
        yield Row("stdp", "second", (0.25, 0.5 + seed), limits[1], "paper")

    monkeypatch.setattr(reproduce, "groups", lambda name, executor="float": (group,))
    return limits


def run(capsys, *argv):
    code = cli.main(["reproduce", *argv])
    out = capsys.readouterr()
    return code, out.out, out.err


def test_rows_are_printed_and_written(capsys, tmp_path, system):
    path = tmp_path / "out.json"
    code, out, err = run(capsys, "stdp", "--json", str(path))
    told = json.loads(path.read_text())
    assert (code, err) == (0, "") and "2 of 2 checks hold at seed 0" in out
    assert told["passed"] is True and told["seed"] == 0
    assert [set(row) for row in told["rows"]] == [
        {"system", "check", "value", "tolerance", "passed", "source"}] * 2
    assert told["rows"][1]["value"] == [0.25, 0.5]


def test_a_row_outside_gives_exit_code_1(capsys, tmp_path, system):
    path = tmp_path / "out.json"
    code, out, _ = run(capsys, "stdp", "--seed", "1", "--json", str(path))
    assert code == 1 and "outside: stdp: second: 0.25 1.5, tolerance < 1" in out
    assert json.loads(path.read_text())["passed"] is False


def test_all_runs_every_system(capsys, system):
    assert "12 of 12 checks hold" in run(capsys, "all")[1]


def test_figures_are_drawn(capsys, tmp_path, system):
    pytest.importorskip("matplotlib")
    code, _, _ = run(capsys, "stdp", "--plots", str(tmp_path / "plots"))
    drawn = sorted(path.name for path in (tmp_path / "plots").iterdir())
    assert code == 0 and drawn == ["curve.png", "images.png"]
    assert all((tmp_path / "plots" / name).read_bytes()[:4] == b"\x89PNG" for name in drawn)


def test_without_matplotlib_one_line_says_so(capsys, monkeypatch, tmp_path):
    import sys
    monkeypatch.delitem(sys.modules, "apical.cli.figures", raising=False)
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    monkeypatch.setitem(sys.modules, "matplotlib.backends.backend_agg", None)
    code, out, err = run(capsys, "stdp", "--plots", str(tmp_path))
    assert (code, out, err) == (2, "", "apical: 'apical reproduce' needs matplotlib, which is not "
                                       "installed; install it: pip install 'apical[plot]'\n")


@pytest.mark.parametrize(("argv", "message"), [
    (["cortex"], "unknown system 'cortex'; known: feedforward-init"),
    (["stdp", "--seed", "-1"], "seed '-1' is not a whole number"),
    (["stdp", "--json", "/nowhere/x.json"], "folder '/nowhere' does not exist"),
])
def test_misuse_is_one_line(capsys, argv, message):
    code, out, err = run(capsys, *argv)
    assert code in (1, 2) and out == "" and message in err and err.count("\n") == 1


def test_the_executor_is_passed_on(capsys, tmp_path, monkeypatch):
    asked = []

    def groups(name, executor="float"):
        asked.append((name, executor))
        return (lambda seed: iter([Row("stdp", "only", 0.5, "< 1", "paper")]),)

    monkeypatch.setattr(reproduce, "groups", groups)
    path = tmp_path / "out.json"
    assert run(capsys, "stdp", "--executor", "fixed", "--json", str(path))[0] == 0
    assert asked == [("stdp", "fixed")]
    assert json.loads(path.read_text())["executor"] == "fixed"
    assert run(capsys, "stdp", "--executor", "engine")[0] == 2
