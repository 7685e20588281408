"""``apical train`` of Boltzmann machines and ``apical sample``: files, messages, defaults."""

import json

import numpy as np
import pytest

from apical import cli
from apical.golden.storage.model import load_model

QUICK = ["train", "--rule", "flow", "--layers", "64-16", "--epochs", "2", "--temperatures", "200"]


def run(capsys, *argv):
    """(exit code, standard output, standard error) of a command."""
    code = cli.main(list(argv))
    out = capsys.readouterr()
    return code, out.out, out.err


@pytest.mark.parametrize("extra", [[], ["--rule", "cd"], ["--layers", "64-16-8"],
                                   ["--layers", "64-16-8", "--lateral"]])
def test_model_and_report_are_written(capsys, tmp_path, extra):
    model, report = tmp_path / "m.npz", tmp_path / "r.json"
    code, out, err = run(capsys, *QUICK, *extra, "--seed", "3", "--save", str(model),
                         "--json", str(report))
    assert (code, err) == (0, "") and out.count("\n") == 1
    told = json.loads(report.read_text())
    assert set(told) >= {"test_error", "train_error", "epochs", "images_per_second", "seed",
                         "seconds", "rule", "lateral", "reconstruction_error", "binarized"}
    assert set(told["reconstruction_error"]) == {"0.1", "0.2", "0.3"}
    assert told["test_error"] == told["reconstruction_error"]["0.2"]
    assert (told["seed"], told["lateral"]) == (3, "--lateral" in extra)
    low, high = told["log_likelihood_interval"]
    assert -40 < low < told["log_likelihood"] < high < 0 and "nats" in out
    layered = "64-16-8" in extra
    assert told["log_likelihood_is"] == ("a mean-field lower bound" if layered
                                         else "exact but for log Z")
    assert ("log-likelihood at least" in out) == layered
    loaded = load_model(model)
    assert loaded.program.name == "reconstruction-mean-2" and loaded.meta["seed"] == 3


def test_equal_commands_write_equal_models(capsys, tmp_path):
    for name in ("a", "b"):
        assert run(capsys, *QUICK, "--save", str(tmp_path / name))[0] == 0
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_resuming_gives_the_model_of_an_unbroken_run(capsys, tmp_path):
    whole, parts, state = (str(tmp_path / name) for name in ("whole", "parts", "state"))
    run(capsys, *QUICK, "--save", whole)
    assert run(capsys, *QUICK, "--epochs", "1", "--checkpoint", state)[0] == 0
    assert run(capsys, *QUICK, "--resume", state, "--save", parts)[0] == 0
    assert all(np.array_equal(load_model(whole).weights[name], values)
               for name, values in load_model(parts).weights.items())


def test_options_reach_the_configuration(capsys, tmp_path):
    report = tmp_path / "r.json"
    code, _, err = run(capsys, *QUICK, "--rule", "flow-one-flip", "--json", str(report),
                       "--batch", "50", "--rates", "0.3", "--decay", "0.5", "--sweeps", "1",
                       "--hidden-bias", "-2", "--flips", "all", "--no-quiet", "--temperatures", "0")
    told = json.loads(report.read_text())
    assert code == 0 and (told["batch"], told["rate"], told["decay"]) == (50, 0.3, 0.5)
    assert (told["sweeps"], told["flips"], told["hidden_bias"]) == (1, "all", -2)
    assert "log_likelihood" not in told
    assert "epoch 2 of 2: wrong pixels" in err


def test_samples_are_drawn_to_a_picture_and_an_archive(capsys, tmp_path):
    model, picture, archive = (tmp_path / name for name in ("m.npz", "s.png", "s.npz"))
    run(capsys, *QUICK, "--save", str(model))
    code, out, err = run(capsys, "sample", str(model), "--count", "6", "--steps", "20",
                         "--save", str(archive), "--png", str(picture))
    assert (code, err) == (0, "") and "6 samples of 64-16" in out
    assert picture.read_bytes()[:4] == b"\x89PNG"
    with np.load(archive) as drawn:
        assert drawn["images"].shape == drawn["probabilities"].shape == (6, 64)
        assert set(np.unique(drawn["images"])) <= {0, 1}
        first = drawn["images"].copy()
    run(capsys, "sample", str(model), "--count", "6", "--steps", "20", "--save", str(archive))
    with np.load(archive) as drawn:
        np.testing.assert_array_equal(drawn["images"], first)


@pytest.mark.parametrize(("argv", "message"), [
    (["--layers", "60-10"], "make that layer 64"),
    (["--rates", "0.1,0.2"], "rule flow has one learning rate, 2 are given"),
    (["--beta-shift", "1"], "option --beta-shift belongs to the rules contrastive-"),
    (["--flips", "none"], "flips are 'none'"),
    (["--layers", "64-10-10", "--rule", "flow-one-flip", "--flips", "visible"], "never learn"),
    (["--flips", "all"], "'flips' is a setting of one-flip flow; use --rule flow-one-flip"),
    (["--flip", "1.5"], "flip is 1.5; give a probability between 0 and 1"),
    (["--flip", "0.2", "--rule", "cd"], "machine '64-16' has no flips, but flip is 0.2"),
    (["--layers", "64-10-10", "--rule", "cd"], "is not restricted"),
    (["--hidden-bias", "inf"], "hidden_bias is inf"),
    (["--rule", "ep", "--flips", "all"], "option --flips belongs to the rules cd, cd-10, flow"),
    (["--rule", "ep", "--lateral"], "option --lateral belongs to the rule flow"),
    (["--temperatures", "5"], "5 temperatures are too few"),
    (["--temperatures", "-5"], "temperatures is -5"),
    (["--sweeps", "-1"], "sweeps is -1"), (["--epochs", "-1"], "epochs is -1"),
    (["--resume", "/nowhere/state"], "checkpoint file '/nowhere/state' does not exist"),
    (["--save", "/nowhere/m.npz"], "folder '/nowhere' does not exist"),
])
def test_misuse_is_one_line(capsys, argv, message):
    code, out, err = run(capsys, *QUICK, *argv)
    assert code in (1, 2) and out == ""
    assert message in err and err.count("\n") == 1


def test_misuse_of_sample_is_one_line(capsys, tmp_path):
    other = tmp_path / "ep.npz"
    run(capsys, "train", "--layers", "64-10", "--epochs", "0", "--save", str(other))
    for argv, message in (([str(other)], "is not a Boltzmann machine"),
                          ([str(tmp_path / "none")], "does not exist"),
                          ([str(other), "--count", "0"], "count is 0"),
                          ([str(other), "--steps", "x"], "'x' is not a whole number")):
        code, out, err = run(capsys, "sample", *argv)
        assert code in (1, 2) and out == "" and message in err and err.count("\n") == 1
