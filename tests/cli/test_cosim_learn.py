"""``apical cosim --system`` and ``--fuzz``: exit codes, reports, one line for what cannot be."""

import json
import shutil
from pathlib import Path

import pytest

import apical.sim.cosim.learning
import apical.sim.random.campaign
from apical import cli

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.skipif(shutil.which("g++") is None, reason="g++ is not installed")


@pytest.fixture(autouse=True)
def root(monkeypatch):
    """Builds are kept below the current folder."""
    monkeypatch.chdir(ROOT)


def run(capsys, *argv):
    """(exit code, standard output, lines of standard error) of a command."""
    code = cli.main(["cosim", *argv])
    out = capsys.readouterr()
    return code, out.out, out.err.splitlines()


def test_a_system_that_learns(capsys, tmp_path):
    path = tmp_path / "r.json"
    code, out, _ = run(capsys, "--system", "stdp-one-way", "--learn", "--seed", "2", "--json",
                       str(path))
    told = json.loads(path.read_text())
    report = told["systems"]["stdp-one-way"]
    assert code == 0 and told["mismatches"] == 0 and out.endswith("every bit agrees\n")
    assert report["weights_changed"] >= 0.95 and report["seed"] == 2
    assert out.splitlines()[2].startswith("stdp-one-way ")


def test_dead_weights_end_with_an_error(capsys, monkeypatch):
    monkeypatch.setattr(apical.sim.cosim.learning, "LEAST_CHANGED", 2.0)
    code, out, _ = run(capsys, "--system", "stdp-one-way", "--learn", "--fast")
    assert code == 1 and out.endswith("FAILS\n") and "of the weights that take part changed" in out


def test_random_cases(capsys, tmp_path):
    path = tmp_path / "r.json"
    code, out, _ = run(capsys, "--fuzz", "3", "--seed", "40", "--json", str(path))
    told = json.loads(path.read_text())
    assert code == 0 and out.endswith("every bit agrees\n")
    assert {"cases": 3, "configs": 3, "mismatches": 0, "failing_seed": None}.items() <= told.items()
    assert told["compared"] > 0


def test_a_case_that_fails_says_how_to_run_it_again(capsys, monkeypatch):
    monkeypatch.setattr(apical.sim.random.campaign, "run_cases", lambda config, seeds, *_: {
        "cases": len(seeds), "compared": 9, "weights_compared": 2, "mismatches": 5,
        "failing": [max(seeds)], "failures": [f"seed {max(seeds)}: differs"]})
    code, out, _ = run(capsys, "--fuzz", "6", "--configs", "2", "--seed", "10")
    assert code == 1 and out.splitlines() == [
        "6 cases on 2 engines, 18 values compared (4 weights), 10 mismatches",
        "seed 14: differs", "seed 15: differs",
        "again: apical cosim --fuzz 1 --configs 2 --seed 14", "DIFFERS"]


@pytest.mark.parametrize(("argv", "message"), [
    (["--system", "epp", "--learn"], "unknown system 'epp'; known: cd, cd-10, contrastive-"),
    (["--system", "ep"], "--system needs --learn"),
    (["--learn"], "--learn and --train-epochs need a --system NAME"),
    (["--train-epochs", "2"], "--learn and --train-epochs need a --system NAME"),
    (["--system", "ep", "--learn", "--settled", "0.1"], "--settled and --system exclude"),
    (["--system", "ep", "--learn", "--inject", "weight-bit"], "--inject and --system exclude"),
    (["--system", "all", "--learn", "--images", "5"], "'early-inference' does not learn from data"),
    (["--fuzz", "5", "--layers", "4-3"], "--layers and --fuzz exclude each other"),
    (["--fuzz", "5", "--system", "ep"], "--system and --fuzz exclude each other"),
])
def test_what_cannot_be_is_one_line(capsys, argv, message):
    code, out, lines = run(capsys, *argv)
    assert code == 2 and out == "" and len(lines) == 1
    assert lines[0].startswith("apical: ") and message in lines[0]


@pytest.mark.parametrize("argv", [["--fuzz", "0"], ["--fuzz", "2", "--configs", "0"],
                                  ["--system", "ep", "--learn", "--train-epochs", "0"]])
def test_numbers_out_of_range(capsys, argv):
    code, _, lines = run(capsys, *argv)
    assert code == 2 and "it goes from 1 to" in lines[-1]
