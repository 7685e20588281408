"""Training in raw integers: accuracy, determinism, checkpoints, misuse."""

import json
from dataclasses import replace

import numpy as np
import pytest

from apical import cli
from apical.golden.errors import MisuseError
from apical.golden.executors.fixed.executor import FixedExecutor
from apical.golden.learning import fixed as training_fixed
from apical.golden.learning.data import Dataset, load
from apical.golden.learning.fixed import (
    FixedTrainingConfig,
    default_fixed_config,
    evaluate_fixed,
    raw_values,
    train_fixed,
)
from apical.golden.learning.float import starting_weights
from apical.golden.learning.sweep import sweep
from apical.golden.network import layered
from apical.golden.numbers.formats import STATE, WEIGHT, Format
from apical.golden.numbers.quantize import quantize_network
from apical.golden.storage.model import load_model
from apical.golden.systems.equilibrium import learning_rates, training

SHORT = FixedTrainingConfig(epochs=2, rates=(0.06, 0.03), decay=0.9, seed=4)


@pytest.fixture(scope="module")
def digits():
    return load("digits")


def small(dataset, images=100):
    return Dataset(dataset.name, dataset.train[:images], dataset.test[:50],
                   dataset.train_labels[:images], dataset.test_labels[:50], dataset.classes)


def same(one, other):
    return all(np.array_equal(one[name], other[name]) for name in one)


@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.slow)
                                       for seed in (1, 2, 3, 4))])
def test_default_training_of_digits_reaches_its_accuracy(digits, seed):
    config = default_fixed_config("digits", (64, 32, 10), seed=seed)
    result = train_fixed(layered((64, 32, 10)), digits, config)
    assert result.test_accuracy >= 0.95 and result.train_error < 0.04
    assert len(result.test_errors) == config.epochs and result.test_errors[-1] == result.test_error
    assert result.saturated_weights == 0 and result.greatest_weight < 2
    # Pixels that are 0 in every image leave their weights alone.
    silent = 32 * np.count_nonzero(~digits.train.any(axis=0))
    count = sum(w.size for w in result.weights.values())
    assert result.changed_weights > 0.95 * (1 - silent / count)
    assert evaluate_fixed(layered((64, 32, 10)), result.weights, digits.test, digits.test_labels,
                          config) == result.test_error


def test_five_epochs_are_enough_for_95_percent(digits):
    config = default_fixed_config("digits", (64, 32, 10), epochs=5)
    assert train_fixed(layered((64, 32, 10)), digits, config).test_accuracy >= 0.95


@pytest.mark.parametrize(("state", "weight"), [("s16.12", "s8.8"), ("s10.8", "s8.7"),
                                               ("s16.12", "s16.14")])
def test_other_formats_learn(digits, state, weight):
    config = default_fixed_config("digits", (64, 32, 10), epochs=6, state=Format.parse(state),
                                  weight=Format.parse(weight))
    result = train_fixed(layered((64, 32, 10)), digits, config)
    assert result.test_error < 0.09
    assert all(config.weight.min <= w.min() and w.max() <= config.weight.max
               for w in result.weights.values())


def test_a_run_is_what_the_numpy_road_does(digits):
    network, some = layered((64, 12, 10)), small(digits, 30)
    result = train_fixed(network, some, SHORT)
    weights = quantize_network(network, starting_weights(network, SHORT)).weights
    executor, rng = FixedExecutor(network, weights), np.random.default_rng(4)
    x, d = raw_values(some.train, STATE), 4096 * np.eye(10, dtype=int)[some.train_labels]
    signature = writes = saturations = 0
    for epoch in range(2):
        order = rng.permutation(30)
        rates = learning_rates(network, [0.06 * 0.9 ** epoch, 0.03 * 0.9 ** epoch])
        found = executor.run(training(network), {"x": x[order], "d": d[order]}, 4, 30 * epoch,
                             rates=rates)
        signature += int(found.signatures.sum())
        writes += int(found.writes.sum())
        saturations += int(found.saturations.sum())
    assert same(result.weights, executor.weights)
    assert (result.signature, result.writes, result.saturations) == (
        signature % 2 ** 32, writes, saturations)


def test_equal_seeds_give_equal_runs_and_others_do_not(digits):
    network, some = layered((64, 12, 10)), small(digits)
    first, again = (train_fixed(network, some, SHORT) for _ in range(2))
    other = train_fixed(network, some, replace(SHORT, seed=5))
    assert same(first.weights, again.weights) and first.signature == again.signature
    assert not same(first.weights, other.weights) and first.signature != other.signature


def test_resuming_ends_where_an_unbroken_run_does(digits, tmp_path):
    network, some, path = layered((64, 12, 10)), small(digits), tmp_path / "state"
    whole = train_fixed(network, some, replace(SHORT, epochs=3))
    train_fixed(network, some, SHORT, checkpoint=path)
    rest = train_fixed(network, some, replace(SHORT, epochs=3), resume=path)
    assert same(whole.weights, rest.weights) and whole.test_errors == rest.test_errors
    for name in ("signature", "writes", "saturations"):
        assert getattr(whole, name) == getattr(rest, name) > 0
    for change, match in (({"weight": Format(16, 14), "update_frac": 6}, "weight is s16.12"),
                          ({"seed": 5}, "seed"), ({"update_frac": 7}, "update_frac"),
                          ({"epochs": 1}, "more than the 1 requested")):
        with pytest.raises(MisuseError, match=match):
            train_fixed(network, some, replace(SHORT, **change), resume=path)


def test_update_bits_follow_the_weight_format():
    def bits(**changes):
        return default_fixed_config("digits", (64, 32, 10), **changes).update_frac

    assert bits() == 6 and bits(weight=Format(16, 14)) == 4 and bits(weight=Format(8, 7)) == 4
    assert bits(weight=Format(8, 7), update_frac=3) == 3
    assert bits(state=Format(32, 24), weight=Format(16, 4)) == 8
    assert bits(state=Format(10, 8), weight=Format(8, 7)) == 4
    assert default_fixed_config("mnist", (784, 9, 10)).weight == Format(16, 14)
    assert default_fixed_config("digits", (64, 9)).rates == (0.06,)
    assert default_fixed_config("digits", (64, 32, 10)).weight == WEIGHT


def test_misuse_is_told_in_one_line(digits):
    for changes, match in (({"batch": 20}, "must be 1"), ({"epochs": -1}, "epochs"),
                           ({"nonsense": 1}, "unknown training option")):
        with pytest.raises(MisuseError, match=match):
            default_fixed_config("digits", (64, 32, 10), **changes)
    with pytest.raises(MisuseError, match="multiplier"):
        train_fixed(layered((64, 10)), small(digits), replace(SHORT, rates=(0.3,)))
    with pytest.raises(MisuseError, match="64 pixels"):
        train_fixed(layered((63, 10)), digits, SHORT)


def test_images_become_raw_states():
    assert raw_values(np.array([[0.0, 0.5, 1.0]]), STATE).tolist() == [[0, 2048, 4096]]
    assert raw_values(np.array([[1.0]]), Format(8, 7)).tolist() == [[127]]
    assert raw_values(np.array([[1.0]]), Format(24, 20)).dtype == np.int32


def test_command_writes_model_and_report(capsys, tmp_path, monkeypatch):
    model, report = tmp_path / "m.npz", tmp_path / "r.json"
    options = ["train", "--executor", "fixed", "--layers", "64-12-10", "--epochs", "1", "--seed",
               "3", "--weight", "s16.13"]
    assert cli.main([*options, "--save", str(model), "--json", str(report)]) == 0
    told = json.loads(report.read_text())
    assert (told["executor"], told["state"], told["weight"]) == ("fixed", "s16.12", "s16.13")
    assert told["update_frac"] == 5 and told["test_error"] < 0.4 and told["weights_saturated"] == 0
    assert f"signature {told['signature']}" in capsys.readouterr().out
    loaded = load_model(model)
    assert loaded.formats == (STATE, Format(16, 13)) and loaded.meta["seed"] == 3
    digits = load("digits")
    assert evaluate_fixed(loaded.network, loaded.weights, digits.test, digits.test_labels,
                          FixedTrainingConfig(weight=Format(16, 13))) == told["test_error"]
    # The same again, in two parts.
    state = str(tmp_path / "state")
    assert cli.main([*options, "--checkpoint", state]) == 0
    assert cli.main([*options, "--resume", state, "--save", str(tmp_path / "again.npz")]) == 0
    assert same(load_model(tmp_path / "again.npz").weights, loaded.weights)


@pytest.mark.parametrize(("options", "told"), [
    (["--weight", "s16.12"], "--weight needs --executor fixed"),
    (["--update-frac", "3"], "--update-frac needs --executor fixed"),
    (["--executor", "fixed", "--batch", "7"], "must be 1"),
    (["--executor", "fixed", "--rates", "0.9"], "multiplier"),
    (["--executor", "nothing"], "invalid choice"),
    (["--executor", "fixed", "--state", "16"], "is not a number format"),
])
def test_command_misuse(capsys, options, told):
    try:
        code = cli.main(["train", *options])
    except SystemExit as stop:
        code = stop.code
    err = capsys.readouterr().err
    assert code == 2 and told in err and err.count("\n") == 1


@pytest.mark.slow
@pytest.mark.data
@pytest.mark.parametrize(("layers", "changes", "most"), [
    ((784, 64, 10), {}, 0.032),
    ((784, 128, 10), {}, 0.026),
    ((784, 256, 10), {}, 0.024),
    ((784, 512, 10), {"weight": Format(8, 8), "epochs": 12, "decay": 0.85}, 0.033),
])
def test_default_training_of_mnist_reaches_its_accuracy(layers, changes, most):
    config = default_fixed_config("mnist", layers, **changes)
    result = train_fixed(layered(layers), load("mnist"), config)
    assert result.test_error <= most
    assert result.saturated_weights <= 0.01


def test_parts_do_not_change_a_run(digits, monkeypatch):
    network, some = layered((64, 12, 10)), small(digits)
    whole = train_fixed(network, some, SHORT)
    monkeypatch.setattr(training_fixed, "PART", 7)
    parts = train_fixed(network, some, SHORT)
    assert same(whole.weights, parts.weights) and whole.signature == parts.signature


def test_sweep_tells_every_pair(digits, capsys, tmp_path):
    # Weights of 14 bits are too fine for factors of 8 bits.
    assert not list(sweep((64, 8, 10), digits, (8,), (14,), epochs=1))
    rows = list(sweep((64, 8, 10), small(digits, 60), (8, 16), (6,), (0, 1), (0, 1), epochs=1))
    assert [(str(r.state), str(r.weight), r.beta_shift) for r in rows] == [
        ("s8.6", "s6.5", 0), ("s16.14", "s6.5", 0), ("s8.6", "s6.5", 1), ("s16.14", "s6.5", 1)]
    assert all(len(r.test_errors) == 2 and r.test_error == sum(r.test_errors) / 2 for r in rows)
    assert len({r.test_error for r in rows}) > 1
    report = tmp_path / "r.json"
    options = ["quantize", "--sweep", "--layers", "64-8-10", "--epochs", "1", "--seeds", "3",
               "--state-bits", "16", "--weight-bits", "4,12"]
    assert cli.main([*options, "--json", str(report)]) == 0
    coarse, fine = json.loads(report.read_text())["rows"]
    assert coarse["weight"] == "s4.3" and coarse["test_error"] > fine["test_error"]
    assert "s12.11" in capsys.readouterr().out
    for extra, told in ((["m.npz"], "its own networks"), (["--state-bits", "3"], "outside 4..16")):
        assert cli.main([*options, *extra]) == 2 and told in capsys.readouterr().err


def test_the_study_of_ghost_units(digits, capsys, tmp_path):
    # 16-bit weights are too fine for states of 4 fraction bits.
    rows = list(sweep((64, 8, 10), small(digits, 40), (8, 16), (8, 16), system="ghost-duplicate",
                      epochs=1))
    assert [(str(r.state), str(r.weight), r.update_frac) for r in rows] == [
        ("s8.4", "s8.5", 5), ("s16.12", "s8.5", 13), ("s16.12", "s16.13", 5)]
    report = tmp_path / "r.json"
    options = ["quantize", "--sweep", "--system", "ghost-duplicate", "--layers", "64-12-10",
               "--epochs", "3", "--seeds", "3", "--state-bits", "6,16", "--weight-bits", "8"]
    assert cli.main([*options, "--json", str(report)]) == 0
    told = json.loads(report.read_text())
    coarse, fine = told["rows"]
    assert told["system"] == "ghost-duplicate" and coarse["state"] == "s6.2"
    assert coarse["test_error"] > fine["test_error"] + 0.1 and fine["test_error"] < 0.4
    assert "s16.12" in capsys.readouterr().out
