"""Training of Boltzmann machines: results, repeatability, resumption, misuse."""

from dataclasses import replace

import numpy as np
import pytest

from apical.golden.errors import ApicalError, MisuseError
from apical.golden.executors.float.executor import FloatExecutor
from apical.golden.learning.data import Dataset, load
from apical.golden.learning.flow import (
    CORRUPTIONS,
    FlowConfig,
    default_config,
    epochs,
    machine,
    train,
)
from apical.golden.learning.sampling import flow
from apical.golden.network.boltzmann import binarize, hidden

SHORT = FlowConfig(epochs=3, seed=2)


@pytest.fixture(scope="module")
def digits():
    whole = load("digits")
    return Dataset("digits", whole.train[:400], whole.test[:200])


@pytest.mark.parametrize(("layers", "lateral", "rule"), [
    ((64, 30), False, "flow"), ((64, 30), False, "cd"), ((64, 30, 20), False, "flow"),
    ((64, 30, 20), True, "flow"), ((64, 30), True, "flow")])
def test_a_run_is_a_function_of_its_seed(digits, layers, lateral, rule):
    network, config = machine(layers, lateral), replace(SHORT, rule=rule)
    first, again = (train(network, digits, config) for _ in range(2))
    other = train(network, digits, replace(config, seed=3))
    for name, values in first.weights.items():
        np.testing.assert_array_equal(values, again.weights[name])
        if values.any():
            assert (values != other.weights[name]).any()
    assert set(first.reconstruction) == set(CORRUPTIONS) and len(first.test_errors) == 3
    assert all(0 < error < 0.5 for error in first.reconstruction.values())
    assert first.images_per_second > 0


def test_the_flow_falls(digits):
    network, images = machine((64, 30)), binarize(digits.train)
    values = [flow(network, executor.weights, images)
              for executor in epochs(network, images, replace(SHORT, epochs=8))]
    assert (np.diff(values) < 0).all()


@pytest.mark.parametrize("lateral", [False, True])
def test_a_resumed_run_ends_at_the_same_weights(digits, tmp_path, lateral):
    network, path = machine((64, 20, 10), lateral), tmp_path / "state"
    config = replace(SHORT, decay=0.8)
    whole = train(network, digits, config)
    for cut in (1, 2):
        train(network, digits, replace(config, epochs=cut), checkpoint=path)
        resumed = train(network, digits, config, resume=path)
        for name, values in whole.weights.items():
            np.testing.assert_array_equal(values, resumed.weights[name])
        assert resumed.test_errors == whole.test_errors


def test_every_image_of_every_epoch_has_noise_of_its_own(digits, monkeypatch):
    calls, network = [], machine((64, 5))
    monkeypatch.setattr(FloatExecutor, "run", lambda self, program, inputs, **options: calls.append(
        (options["seed"], options["first_image"], len(inputs["x"]))))
    for _ in epochs(network, binarize(digits.train), replace(SHORT, epochs=2, batch=150)):
        pass
    assert calls == [(2, first, images) for first, images in (
        (0, 150), (150, 150), (300, 100), (400, 150), (550, 150), (700, 100))]


def test_checkpoints_of_other_runs_are_refused(digits, tmp_path):
    network, path = machine((64, 20)), tmp_path / "state"
    train(network, digits, replace(SHORT, epochs=1), checkpoint=path)
    for other, config, message in (
            (network, replace(SHORT, rate=0.1), "its rate is 0.05"),
            (network, replace(SHORT, rule="cd"), "its rule is flow"),
            (network, replace(SHORT, epochs=0), "has 1 epochs, which is more than the 0"),
            (machine((64, 21)), SHORT, "its network is 64-20"),
            (machine((64, 20), True), SHORT, "its network is 64-20")):
        with pytest.raises(MisuseError, match=message):
            train(other, digits, config, resume=path)


def test_progress_tells_every_epoch(digits):
    told = []
    result = train(machine((64, 10)), digits, SHORT, progress=told.append)
    assert [(r.epoch, r.epochs) for r in told] == [(1, 3), (2, 3), (3, 3)]
    assert [r.test_error for r in told] == result.test_errors


def test_no_epochs_leave_the_first_weights(digits):
    result = train(machine((64, 10)), digits, replace(SHORT, epochs=0, hidden_bias=-1.5))
    assert (result.weights["bh1"] == -1.5).all() and result.test_errors == []


def test_diverging_runs_stop_with_a_word(digits):
    with pytest.raises(ApicalError, match="training diverged: matrix '.*' is not finite after "
                                          "epoch 1; use smaller rates"):
        train(machine((64, 10)), digits, replace(SHORT, rate=1e38))


@pytest.mark.parametrize(("layers", "rate"), [((64, 30), 3.0), ((64, 30, 20), 10.0)])
def test_steps_that_are_too_large_are_named(digits, layers, rate):
    with pytest.raises(ApicalError, match="training diverged: couplings 'W1' are up to [0-9]+ "
                                          "after epoch [123]; use smaller rates"):
        train(machine(layers), digits, replace(SHORT, rate=rate))


@pytest.mark.parametrize(("change", "message"), [
    ({"rule": "ep"}, "rule 'ep' trains no Boltzmann machines; use flow or cd"),
    ({"epochs": -1}, "epochs is -1"), ({"batch": 0}, "batch is 0"), ({"sweeps": 1.5}, "sweeps is"),
    ({"rate": -1.0}, "rate is -1"), ({"rate": float("nan")}, "rate is nan"),
    ({"decay": 0.0}, "decay is 0"), ({"flips": "none"}, "flips are 'none'"),
    ({"hidden_bias": float("inf")}, "hidden_bias is inf"), ({"seed": True}, "seed is True"),
])
def test_configurations_are_checked(change, message):
    with pytest.raises(MisuseError, match=message):
        replace(SHORT, **change)


def test_defaults_and_machines(digits):
    assert default_config("fashion-mnist", 1, "cd") == default_config("mnist", 1, "cd")
    assert default_config("mnist", 1).flip and default_config("mnist", 0).flip is None
    one_flip = [default_config("mnist", depth, "flow-one-flip") for depth in (1, 2, 5)]
    assert one_flip[1] == one_flip[2] != one_flip[0] != default_config("mnist", 1)
    assert {config.rule for config in one_flip} == {"flow"}
    assert default_config("mine", 4, epochs=7, batch=None).epochs == 7
    assert default_config("digits", 1, "cd").rule == "cd"
    with pytest.raises(MisuseError, match="rule 'ep' trains no"):
        default_config("digits", 1, "ep")
    with pytest.raises(MisuseError, match="unknown training option 'rates'"):
        default_config("digits", 1, rates=1)
    assert hidden(machine((8, 4, 4), True)) == ["h1_1", "h1_2", "h2_1", "h2_2"]
    with pytest.raises(MisuseError, match="lateral couplings belong to hidden layers"):
        machine((8,), True)
    with pytest.raises(MisuseError, match="machine '63-10' has 63 units, data 'digits' has 64 "
                                          "pixels; make that layer 64"):
        train(machine((63, 10)), digits, SHORT)
