"""``apical reproduce``: rows, verdicts, exit codes, files."""

import json

import pytest

from apical import cli
from apical.golden.claims import Figure, Row, bounds, seeds


@pytest.fixture
def system(monkeypatch):
    """A system of two rows and a figure, whose second row can be made to fail."""
    limits = ["< 1", "< 1"]

    def group(seed):
        yield Row("stdp", "first", 0.5, limits[0], "paper", "claim: of the paper", "first-row")
        yield Figure("curve", "A curve", "x", "y", {"a": ([1, 2], [3, 4])}, {"b": ([1], [2])},
                     log_y=True)
        yield Figure("images", "Images", images=(("one", [[0, 1], [1, 0]]),))
        yield Row("stdp", "second", (0.25, 0.5 + seed), limits[1], "paper")

    def heavy(seed):
        yield Row("stdp", "large", seed, ">= 0", "paper")

    monkeypatch.setattr(seeds, "groups", lambda name, executor, full: (
        (group, heavy) if full else (group,)))
    monkeypatch.setattr(bounds, "table", lambda: {"float": {"stdp/group": {"second": {
        "tolerance": "<= 0.75", "count": 3, "seeds": "0-2"}}}})
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
        {"system", "group", "name", "check", "value", "tolerance", "limit", "reason",
         "passed", "source"}] * 2
    first, second = told["rows"]
    assert (first["name"], first["group"], first["reason"]) == ("first-row", "group",
                                                                "claim: of the paper")
    assert second["value"] == [0.25, 0.5] and second["tolerance"] == "<= 0.75"
    assert (first["limit"], second["limit"]) == ("", "< 1")
    assert second["reason"] == ("worst of 3 recorded seeds (0-2) plus three standard deviations")
    assert "ok   stdp: first-row: first: 0.5 (< 1; claim: of the paper)\n" in out


def test_a_row_outside_gives_exit_code_1(capsys, tmp_path, system):
    path = tmp_path / "out.json"
    code, out, _ = run(capsys, "stdp", "--seed", "1", "--json", str(path))
    assert code == 1 and "outside: stdp: second: 0.25 1.5, tolerance <= 0.75 (worst of" in out
    assert json.loads(path.read_text())["passed"] is False


def test_all_runs_every_system(capsys, system):
    assert "12 of 12 checks hold" in run(capsys, "all")[1]


def test_figures_are_drawn(capsys, tmp_path, system):
    pytest.importorskip("matplotlib")
    code, _, _ = run(capsys, "stdp", "--plots", str(tmp_path / "plots"))
    drawn = sorted(path.name for path in (tmp_path / "plots").iterdir())
    assert code == 0 and drawn == ["curve.png", "images.png"]
    assert all((tmp_path / "plots" / name).read_bytes()[:4] == b"\x89PNG" for name in drawn)


def test_the_page_has_every_row_and_figure_and_needs_no_other_file(capsys, tmp_path, system):
    pytest.importorskip("matplotlib")
    path = tmp_path / "page.html"
    assert run(capsys, "stdp", "--html", str(path), "--seeds", "0-4")[0] == 1
    page = path.read_text()
    assert page.count("<tr class=") == 2 and page.count('<tr class="out">') == 1
    assert page.count('src="data:image/png;base64,') == page.count("<img") == 2
    assert "http" not in page and 'href="' not in page.replace('href="#', "")
    assert "6 of 10 checks hold" in page and "<b>first-row</b>: first" in page
    assert "&lt;= 0.75" in page and "worst of 3 recorded seeds" in page
    assert page.index("0.25 1.5") < page.index("0.25 2.5")


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
    (["stdp", "--seeds", "3-1"], "seeds '3-1' end before they begin; write 1-3"),
    (["stdp", "--seeds", "1..3"], "seeds '1..3' of '1..3' are no range; write 0-9 or 0,3,11"),
    (["stdp", "--seeds", "0-2", "--seed", "1"], "not allowed with argument"),
    (["stdp", "--resume"], "--resume needs --checkpoint FILE"),
    (["stdp", "--groups", "cortex"], "unknown group 'cortex'; known: window, "),
])
def test_misuse_is_one_line(capsys, argv, message):
    code, out, err = run(capsys, *argv)
    assert code in (1, 2) and out == "" and message in err and err.count("\n") == 1


def test_many_seeds_make_one_report(capsys, tmp_path, system):
    path = tmp_path / "out.json"
    code, out, err = run(capsys, "stdp", "--seeds", "0-1,5", "--json", str(path))
    told = json.loads(path.read_text())
    assert code == 1 and told["seeds"] == [0, 1, 5] and len(told["seconds"]) == 3
    assert [row["values"] for row in told["rows"]] == [[0.5] * 3,
                                                       [[0.25, 0.5], [0.25, 1.5], [0.25, 5.5]]]
    assert [row["verdicts"] for row in told["rows"]] == [[True] * 3, [True, False, False]]
    assert "2 of 3" not in out and "4 of 6 checks hold at 3 seeds" in out
    assert "outside at seed 5: stdp: second" in out
    assert "1 of 3: seed 0, stdp, group: 2 of 2 checks hold" in err


def test_a_stopped_run_goes_on_where_it_was(capsys, tmp_path, system, monkeypatch):
    kept, path = tmp_path / "kept", tmp_path / "out.json"
    options = ["stdp", "--full", "--checkpoint", str(kept), "--json", str(path)]
    assert run(capsys, *options, "--seeds", "0-1")[0] == 1
    assert "group: 2 of 2 checks hold (kept)" in run(capsys, *options, "--seeds", "0-2",
                                                     "--resume")[2]
    assert json.loads(path.read_text())["rows"][2]["values"] == [0, 1, 2]
    out = run(capsys, *options, "--seed", "0", "--resume")[1]
    assert out.count("ok   stdp") == 3
    monkeypatch.setattr(seeds, "digest", lambda: "other")
    code, _, err = run(capsys, *options, "--seeds", "0-1", "--resume")
    assert code == 2 and "is of other code than this" in err
    kept.write_text("[]")
    assert "is no checkpoint of checks" in run(capsys, *options, "--resume")[2]


def test_heavy_and_chosen_groups(capsys, system):
    assert "2 of 2 checks" in run(capsys, "stdp")[1]
    assert "3 of 3 checks" in run(capsys, "stdp", "--full")[1]
    assert "1 of 1 checks" in run(capsys, "stdp", "--full", "--groups", "heavy")[1]


def test_rows_that_differ_between_seeds_are_refused(capsys, monkeypatch):
    def group(seed):
        for _ in range(seed + 1):
            yield Row("stdp", "c", 0.5, "< 1", "paper")

    monkeypatch.setattr(seeds, "groups", lambda name, executor, full: (group,))
    code, _, err = run(capsys, "stdp", "--seeds", "0-1")
    assert code == 1 and "do not yield the same rows" in err


def test_the_executor_is_passed_on(capsys, tmp_path, monkeypatch):
    asked = []

    def groups(name, executor, full):
        asked.append((name, executor))
        return (lambda seed: iter([Row("stdp", "only", 0.5, "< 1", "paper")]),)

    monkeypatch.setattr(seeds, "groups", groups)
    path = tmp_path / "out.json"
    assert run(capsys, "stdp", "--executor", "fixed", "--json", str(path))[0] == 0
    assert asked == [("stdp", "fixed")]
    assert json.loads(path.read_text())["executor"] == "fixed"
    assert run(capsys, "stdp", "--executor", "engine")[0] == 2
