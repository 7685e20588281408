"""``apical train``: files it writes, messages, defaults."""

import io
import json
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from apical import cli
from apical.golden.storage.model import load_model
from apical.golden.systems.registry import system

QUICK = ["train", "--layers", "64-12-10", "--epochs", "2"]


def run(capsys, *argv):
    """(exit code, standard output, standard error) of a command."""
    code = cli.main(list(argv))
    out = capsys.readouterr()
    return code, out.out, out.err


def test_model_and_report_are_written(capsys, tmp_path):
    model, report = tmp_path / "m.npz", tmp_path / "r.json"
    code, out, err = run(capsys, *QUICK, "--data", "digits", "--seed", "3",
                         "--save", str(model), "--json", str(report))
    assert (code, err) == (0, "") and out.count("\n") == 1
    told = json.loads(report.read_text())
    assert set(told) >= {"test_error", "train_error", "test_accuracy", "epochs", "seed", "layers",
                         "images_per_second", "data", "rule"}
    assert (told["layers"], told["seed"], told["epochs"]) == ([64, 12, 10], 3, 2)
    assert (told["data"], told["rule"]) == ("digits", "ep")
    assert 0 < told["test_error"] < 0.6 and told["images_per_second"] > 0
    assert told["test_accuracy"] == pytest.approx(1 - told["test_error"])
    assert f"test accuracy {100 * told['test_accuracy']:.2f} %" in out
    loaded = load_model(model)
    assert loaded.network.name == "64-12-10" and loaded.meta["seed"] == 3
    assert loaded.weights["W1"].shape == (64, 12)
    assert loaded.program.name == "inference-sweep-6"


def test_equal_commands_write_equal_models(capsys, tmp_path):
    for name in ("a", "b"):
        assert run(capsys, *QUICK, "--save", str(tmp_path / name))[0] == 0
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_options_reach_the_configuration(capsys, tmp_path):
    report = tmp_path / "r.json"
    code, _, _ = run(capsys, *QUICK, "--json", str(report), "--batch", "50", "--rates", "0.3,0.2",
                     "--decay", "0.5", "--beta-shift", "2", "--steps", "4", "--nudge-steps", "5")
    told = json.loads(report.read_text())
    assert code == 0 and (told["batch"], told["rates"], told["decay"]) == (50, [0.3, 0.2], 0.5)
    assert (told["beta_shift"], told["steps"], told["nudge_steps"]) == (2, 4, 5)
    assert run(capsys, *QUICK, "--json", str(report), "--beta", "0.125")[0] == 0
    assert json.loads(report.read_text())["beta_shift"] == 3


def test_resuming_gives_the_model_of_an_unbroken_run(capsys, tmp_path):
    whole, parts, state = (str(tmp_path / name) for name in ("whole", "parts", "state"))
    run(capsys, *QUICK, "--save", whole)
    assert run(capsys, *QUICK[:-1], "1", "--checkpoint", state)[0] == 0
    assert run(capsys, *QUICK, "--resume", state, "--save", parts)[0] == 0
    assert all(np.array_equal(load_model(whole).weights[name], values)
               for name, values in load_model(parts).weights.items())


def test_resume_without_a_name_is_the_checkpoint(capsys, tmp_path):
    whole, parts, state = (str(tmp_path / name) for name in ("whole", "parts", "state"))
    run(capsys, *QUICK, "--save", whole)
    # Stopped before its first epoch: there is nothing to go on from.
    code, _, err = run(capsys, *QUICK[:-1], "1", "--checkpoint", state, "--resume")
    assert (code, err) == (0, f"apical: no checkpoint '{state}' yet; from the start\n")
    code, _, err = run(capsys, *QUICK, "--checkpoint", state, "--resume", "--save", parts)
    assert (code, err) == (0, "")
    assert Path(whole).read_bytes() == Path(parts).read_bytes()


def killed(command, state, delay):
    """Start a command, kill it `delay` seconds after it wrote its (next) checkpoint."""
    seen = state.stat().st_mtime_ns if state.exists() else None
    process = subprocess.Popen([sys.executable, "-c", "from apical.cli import main; main()",
                                *command])
    try:
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline and process.poll() is None and (
                not state.exists() or state.stat().st_mtime_ns == seen):
            time.sleep(0.01)
        time.sleep(delay)
        process.kill()
    finally:
        process.kill()
        process.wait()
    return process.returncode


def test_a_run_killed_at_random_moments_ends_at_the_same_model(capsys, tmp_path):
    state, whole, parts = (tmp_path / name for name in ("state", "whole", "parts"))
    command = ["train", "--layers", "64-16-10", "--epochs", "40", "--batch", "20", "--seed", "1"]
    seed = time.time_ns() % 10000  # in the message of a failure
    rng, resume = random.Random(seed), []
    for _ in range(2):
        code = killed([*command[:4], "100000", *command[5:], "--checkpoint", str(state), *resume],
                      state, rng.uniform(0, 0.3))
        assert code == -signal.SIGKILL, seed
        resume = ["--resume", str(state)]
    with np.load(state) as archive:
        epochs = int(json.loads(archive["header"].tobytes())["epoch"])
    command[4] = str(epochs + 3)
    assert run(capsys, *command, *resume, "--save", str(parts))[0] == 0
    assert run(capsys, *command, "--save", str(whole))[0] == 0
    assert whole.read_bytes() == parts.read_bytes(), seed


def test_progress_goes_to_a_terminal_only(capsys, monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    assert "epoch" not in run(capsys, *QUICK)[2]
    assert "epoch 2 of 2: test error" in run(capsys, *QUICK, "--no-quiet")[2]
    for options, shown in (([], True), (["--quiet"], False)):
        terminal = Terminal()
        monkeypatch.setattr("sys.stderr", terminal)
        cli.main([*QUICK, *options])
        assert ("\repoch 1 of 2" in terminal.getvalue()) == shown
        assert not shown or terminal.getvalue().endswith("\n")


@pytest.mark.parametrize(("argv", "message"), [
    (["--layers", "64-12-9"], "make that layer 10"),
    (["--layers", "60-10"], "make that layer 64"),
    (["--layers", "64"], "64-32-10"),
    (["--data", "cifar"], "unknown data 'cifar'"),
    (["--data", "random"], "no labels"),
    (["--rule", "hebb"], "unknown rule 'hebb'"),
    (["--rates", "0.1,x"], "rate 'x' of '0.1,x' is not a number"),
    (["--rates", "1,1,1"], "3 learning rates for 2 layers"),
    (["--rates", "nan"], "rates are"),
    (["--beta", "0"], "beta is 0; the contrast is divided by it, so give 1, 0.5"),
    (["--beta", "0.3"], "beta is 0.3; steps are shifts"),
    (["--beta", "-0.5"], "beta is -0.5; steps are shifts"),
    (["--beta", "nan"], "beta is nan"), (["--beta", "x"], "beta 'x' is not a number"),
    (["--beta-shift", "2000"], "beta_shift is 2000; the contrast is divided by beta"),
    (["--rates", "30"], "training collapsed: every test image gives the same outputs after"),
    (["--rule", "ghost", "--layers", "64-20-10", "--rates", "1e6"], "training collapsed"),
    (["--rule", "ghost", "--mode", "copied"],
     "rule ghost has no mode 'copied'; its modes: duplicate, learned, learned-feedback, online, "),
    (["--rule", "backprop", "--mode", "online"], "no mode 'online'; leave --mode out"),
    (["--epochs", "-1"], "epochs is -1"),
    (["--epochs", "many"], "'many' is not a whole number"),
    (["--batch", "0"], "batch is 0"),
    (["--seed", "-3"], "seed is -3"),
    (["--resume", "/nowhere/state"], "checkpoint file '/nowhere/state' does not exist"),
    (["--resume"], "--resume without a file needs --checkpoint"),
    (["--save", "/nowhere/m.npz"], "folder '/nowhere' does not exist"),
    (["--data", "mnist", "--data-folder", "/nowhere"], "APICAL_DATA names the folder"),
])
def test_misuse_is_one_line(capsys, argv, message):
    code, out, err = run(capsys, "train", "--epochs", "2", *argv)
    assert code in (1, 2) and out == ""
    assert message in err and err.count("\n") == 1


@pytest.mark.parametrize(("mode", "rule"), [("duplicate", "ghost"), ("online", "ghost-online")])
def test_a_mode_of_a_rule_is_the_variant(capsys, tmp_path, mode, rule):
    reports = []
    for options in (["--rule", "ghost", "--mode", mode], ["--rule", rule]):
        code, _, err = run(capsys, "train", "--layers", "64-8-10", "--epochs", "1", *options,
                           "--save", str(tmp_path / f"{len(reports)}.npz"))
        assert code == 0, err
        reports.append((tmp_path / f"{len(reports)}.npz").read_bytes())
    assert reports[0] == reports[1]


def test_layers_follow_the_data():
    assert system("ep").sizes("digits") == (64, 32, 10)
    assert system("ghost").sizes("mnist") == (784, 64, 10) and system("flow").sizes("x") == (64, 64)
