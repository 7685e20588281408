"""Systems: found by their files, trained by every executor that can hold them, brought along."""

import importlib.metadata
from dataclasses import replace

import numpy as np
import pytest

from apical.golden.errors import MisuseError
from apical.golden.executors.float.executor import FloatExecutor
from apical.golden.learning.data import load
from apical.golden.learning.fixed import default_fixed_config, train_fixed
from apical.golden.learning.float import default_config, train
from apical.golden.learning.loop import first_images
from apical.golden.program import Learn, walk
from apical.golden.references.backpropagation import BACKPROP, backprop_batch
from apical.golden.references.gradients import backprop, layers_of
from apical.golden.systems import registry
from apical.golden.systems.cases import learning_case, run_case
from apical.golden.systems.kinds import UNLABELLED
from apical.golden.systems.registry import register, system, systems, trainer, trainer_names
from apical.golden.systems.system import System

LEARNING = [name for name, record in systems().items() if record.learns]
NESTED = ("ghost", "ghost-online", "ghost-learned", "backprop")


@pytest.fixture(scope="module")
def digits():
    return load("digits")


def test_every_name_of_before_is_valid():
    for name in ("ep", "stdp-contrast", "stdp-integrated", "stdp-one-way", "ghost",
                 "ghost-online", "backprop", "flow", "cd"):
        assert trainer(name).rule == name and name in trainer_names()
    assert system("ghost") is system("ghost-duplicate")
    assert system("flow") is system("flow-flipped")
    assert system("flow-one-flip").program is system("flow-rbm").program
    assert default_config("digits", (64, 8, 10), "ghost-duplicate").rule == "ghost"


@pytest.mark.parametrize("name", ["ep", "stdp-contrast", "stdp-integrated", "stdp-one-way",
                                  *NESTED])
def test_every_labelled_rule_learns_digits(digits, name):
    sizes = (64, 30, 20, 10) if name in NESTED else (64, 32, 10)
    config = default_config("digits", sizes, name, epochs=8)
    assert config.rule == name
    result = train(trainer(name).network(sizes), digits, config)
    assert result.test_error < 0.12
    assert result.test_errors[-1] == result.test_error


@pytest.mark.parametrize("name", LEARNING)
@pytest.mark.parametrize("executor", ["float", "fixed"])
def test_every_system_trains_a_short_epoch(digits, name, executor):
    record, some = system(name), first_images(digits, 120, 60)
    sizes = record.sizes("digits")
    network, config = record.network(sizes), record.config(executor, "digits", sizes, epochs=1)
    run = train if executor == "float" else train_fixed
    result, again = (run(network, some, config) for _ in range(2))
    learned = {op.matrix for op in walk(record.program(network, config).ops)
               if isinstance(op, Learn)}
    moved = set()
    for matrix, values in result.weights.items():
        np.testing.assert_array_equal(values, again.weights[matrix])
        if executor == "float":
            first = record.weights(network, config, record.data.prepare(some)[0])[matrix]
            moved |= {matrix} if (values != first.astype(np.float32)).any() else set()
    assert executor == "fixed" or {"W1"} & learned <= moved <= learned
    assert 0 < result.test_error < 1 and result.test_errors == [result.test_error]
    if executor == "fixed":
        assert result.signature == again.signature != 0 and result.changed_weights > 0.5


#: Test error that defaults of raw integers reach with that many epochs.
REACHED = {"ghost-duplicate": (12, 0.08), "ghost-online": (12, 0.08), "ghost-learned": (12, 0.08),
           "stdp-integrated": (6, 0.09), "stdp-one-way": (6, 0.1), "flow-rbm": (6, 0.15),
           "cd": (8, 0.15), "flow-dbm": (12, 0.15), "flow-visible": (6, 0.17),
           "feedforward-init": (10, 0.08)}


@pytest.mark.parametrize("name", [name if name in ("ghost-duplicate", "flow-rbm") else
                                  pytest.param(name, marks=pytest.mark.slow) for name in REACHED])
def test_defaults_of_raw_integers_learn_digits(digits, name):
    (epochs, most), record = REACHED[name], system(name)
    sizes = record.sizes("digits")
    config = default_fixed_config("digits", sizes, name, epochs=epochs)
    result = train_fixed(record.network(sizes), digits, config)
    assert result.test_error <= most and result.saturated_weights < 0.01


@pytest.mark.parametrize("name", ["ghost-learned", "flow-dbm", "feedforward-init"])
def test_a_resumed_run_in_raw_integers_ends_at_the_same_weights(digits, tmp_path, name):
    record, some, path = system(name), first_images(digits, 60, 20), tmp_path / "state"
    sizes = record.sizes("digits")
    network, config = record.network(sizes), record.config("fixed", "digits", sizes, epochs=2)
    whole = train_fixed(network, some, config)
    train_fixed(network, some, replace(config, epochs=1), checkpoint=path)
    resumed = train_fixed(network, some, config, resume=path)
    for matrix, values in whole.weights.items():
        np.testing.assert_array_equal(values, resumed.weights[matrix])
    assert (whole.signature, whole.test_errors) == (resumed.signature, resumed.test_errors)


def test_the_contrast_of_stdp_is_equilibrium_propagation(digits):
    found = [train(trainer(name).network((64, 12, 10)), digits,
                   default_config("digits", (64, 12, 10), name, epochs=2, seed=3)).weights
             for name in ("ep", "stdp-contrast", "stdp-integrated")]
    for name, values in found[0].items():
        np.testing.assert_array_equal(values, found[1][name])
    assert (found[0]["W1"] != found[2]["W1"]).any()


def test_a_batch_of_backpropagation_is_the_gradient():
    rng = np.random.default_rng(0)
    network = BACKPROP.network((6, 5, 4, 3))
    config = default_config("digits", (6, 5, 4, 3), "backprop", rates=(1.0, 2.0, 3.0))
    weights, x, d = BACKPROP.weights(network, config), rng.random((7, 6)), rng.random((7, 3))
    executor = FloatExecutor(network, weights, np.float64)
    backprop_batch(executor, x, d, BACKPROP.rates(network, config))
    for k, (w, b) in enumerate(backprop(layers_of(weights), x, d), 1):
        np.testing.assert_allclose(executor.weights[f"W{k}"], weights[f"W{k}"] - k * w, atol=1e-14)
        np.testing.assert_allclose(executor.weights[f"b{k}"][0], weights[f"b{k}"][0] - k * b,
                                   atol=1e-14)


def test_what_cannot_be_is_refused_in_words(digits):
    assert "backprop" not in systems()
    with pytest.raises(MisuseError, match="system 'backprop' trains with --executor float only: "):
        default_fixed_config("digits", (64, 8, 10), "backprop")
    with pytest.raises(MisuseError, match="system 'early-inference' does not learn from data: it"):
        default_config("digits", (64, 8, 10), "early-inference")
    with pytest.raises(MisuseError, match="unknown rule 'hebb'; known: backprop, cd, .*flow, "):
        trainer("hebb")
    with pytest.raises(MisuseError, match="unknown system 'backprop'; known: cd, cd-10, contr"):
        system("backprop")
    with pytest.raises(MisuseError, match="has no small case; run it on images: --data digits"):
        learning_case("cd")
    network, config = system("ep").network((64, 10)), default_config("digits", (64, 10))
    for part, counts in (("training", (0, 5)), ("test", (5, 0))):
        with pytest.raises(MisuseError, match=f"data 'digits' has no {part} images"):
            train(network, first_images(digits, *counts), config)


# Systems of other packages -----------------------------------------------------------------------


def test_one_file_is_a_system(digits, toy):
    record = system(toy)
    assert record is system("delta-rule") and "delta-rule" in trainer_names()
    sizes = record.sizes("digits")
    for run, config in ((train, default_config("digits", sizes, toy)),
                        (train_fixed, default_fixed_config("digits", sizes, toy))):
        assert config.rule == "delta-rule"
        result = run(record.network(sizes), digits, config)
        assert result.test_error < 0.2 and len(result.test_errors) == config.epochs
    run_case(learning_case("delta-rule")).check()


def test_a_system_without_defaults_has_those_of_its_settings(toy):
    bare = toy.replace("DELTA", "BARE")
    assert default_config("mnist", (64, 10), bare).rates == (0.1,)
    assert default_fixed_config("mnist", (64, 10), bare).rule == "delta-bare"


def test_records_that_cannot_be_are_refused(toy):
    for name, message in (("nowhere.at_all:X", "module 'nowhere.at_all' cannot be imported"),
                          (toy + "S", "module 'toypackage.delta_rule' has no 'DELTAS'"),
                          ("toypackage.delta_rule:NOT_ONE", "has no System 'NOT_ONE'")):
        with pytest.raises(MisuseError, match=message):
            system(name)
    taken = {"name": "ep", "summary": "", "program": None, "rates": None}
    for changes in ({}, {"name": "flow"}, {"name": "mine", "rule": "ep"}):
        with pytest.raises(MisuseError, match="there is a system '.*' already; choose"):
            register(System(**{**taken, **changes}))
    with pytest.raises(MisuseError, match="names the executor 'hardware'; known: float, fixed"):
        System(**taken, executors=("hardware",))
    with pytest.raises(MisuseError, match="unlabelled images and has no score"):
        System(**taken, data=UNLABELLED)
    with pytest.raises(MisuseError, match="3 is no System"):
        register(3)


def test_installed_packages_bring_systems(toy, monkeypatch):
    def points(group):
        assert group == "apical.systems"
        return [importlib.metadata.EntryPoint("delta-rule", toy, group),
                importlib.metadata.EntryPoint("gone", "nowhere:X", group)]

    monkeypatch.setattr(registry, "_scanned", False)
    monkeypatch.setattr(registry.importlib.metadata, "entry_points", points)
    assert "delta-rule" in systems() and "gone" not in systems()
    with pytest.raises(MisuseError, match="system 'gone' of another package cannot be loaded"):
        system("gone")
