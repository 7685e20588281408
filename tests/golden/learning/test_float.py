"""Training: accuracy, determinism, checkpoints, misuse."""

import os
from dataclasses import replace

import numpy as np
import pytest

from apical.golden.errors import ApicalError, MisuseError
from apical.golden.learning.data import Dataset, load, random_images
from apical.golden.learning.float import (
    TrainingConfig,
    default_config,
    evaluate,
    starting_weights,
    train,
)
from apical.golden.network import glorot, layered
from apical.golden.numbers.formats import WEIGHT
from apical.golden.systems.registry import trainer

SHORT = TrainingConfig(epochs=3, batch=10, rates=(0.2, 0.1), decay=0.9, beta_shift=0, seed=4)


@pytest.fixture(scope="module")
def digits():
    return load("digits")


def small(dataset, images=200):
    """The first images of a data set."""
    return Dataset(dataset.name, dataset.train[:images], dataset.test[:100],
                   dataset.train_labels[:images], dataset.test_labels[:100], dataset.classes)


def same(one, other):
    return all(np.array_equal(one[name], other[name]) for name in one)


@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.slow)
                                      for seed in (1, 2, 3, 4))])
def test_default_training_of_digits_reaches_its_accuracy(digits, seed):
    network = layered((64, 32, 10))
    config = default_config("digits", (64, 32, 10), seed=seed)
    result = train(network, digits, config)
    assert result.test_accuracy >= 0.97
    assert result.train_error < 0.01
    # What the short inference reaches is the fixed point's accuracy, not that of a transient.
    assert evaluate(network, result.weights, digits.test, digits.test_labels, 100) <= 0.04
    assert evaluate(network, result.weights, digits.test, digits.test_labels) == result.test_error
    # The 16-bit weight format holds them with room to spare.
    assert result.greatest_weight < WEIGHT.max * WEIGHT.lsb / 2
    assert len(result.test_errors) == config.epochs
    assert result.test_errors[-1] == result.test_error


def test_untrained_weights_do_not_know_the_digits(digits):
    network = layered((64, 32, 10))
    weights = starting_weights(network, SHORT)
    assert evaluate(network, weights, digits.test, digits.test_labels) > 0.7
    np.testing.assert_allclose(weights["W1"], 0.5 * glorot(network, 4)["W1"])
    assert set(weights["b1"].ravel()) == {0.25} and not weights["b2"].any()


def test_deeper_networks_learn(digits):
    network = layered((64, 32, 32, 10))
    config = replace(default_config("digits", (64, 32, 32, 10)), epochs=25)
    assert train(network, digits, config).test_error < 0.12


def test_equal_seeds_give_equal_weights_and_others_do_not(digits):
    network, some = layered((64, 16, 10)), small(digits)
    first, again = train(network, some, SHORT), train(network, some, SHORT)
    assert same(first.weights, again.weights) and first.test_errors == again.test_errors
    assert not same(first.weights, train(network, some, replace(SHORT, seed=5)).weights)


def test_a_last_smaller_batch_counts(digits):
    network = layered((64, 16, 10))
    config = replace(SHORT, epochs=1)
    whole, more = small(digits, 200), small(digits, 203)
    assert train(network, more, config).test_errors
    assert not same(train(network, more, config).weights, train(network, whole, config).weights)


def test_given_weights_are_the_start_and_zero_rates_keep_them(digits):
    network = layered((64, 16, 10))
    weights = {name: w.astype(np.float32) for name, w in glorot(network, 9).items()}
    result = train(network, small(digits), replace(SHORT, rates=(0.0,)), weights)
    assert same(result.weights, weights)


def test_progress_is_told_after_every_epoch(digits):
    seen = []
    result = train(layered((64, 16, 10)), small(digits), SHORT, progress=seen.append)
    assert [(r.epoch, r.epochs) for r in seen] == [(1, 3), (2, 3), (3, 3)]
    assert [r.test_error for r in seen] == result.test_errors
    assert all(r.images_per_second > 0 for r in seen)


def test_a_resumed_run_ends_at_the_same_weights(digits, tmp_path):
    network, some, path = layered((64, 16, 10)), small(digits), tmp_path / "check.npz"
    whole = train(network, some, SHORT)
    train(network, some, replace(SHORT, epochs=1), checkpoint=path)
    resumed = train(network, some, SHORT, checkpoint=path, resume=path)
    assert same(whole.weights, resumed.weights) and whole.test_errors == resumed.test_errors
    done = train(network, some, SHORT, resume=path)
    assert same(whole.weights, done.weights) and done.images_per_second == 0
    assert os.listdir(tmp_path) == ["check.npz"]


def test_checkpoints_of_other_runs_are_refused(digits, tmp_path):
    network, some, path = layered((64, 16, 10)), small(digits), tmp_path / "check.npz"
    train(network, some, SHORT, checkpoint=path)

    def refused(match, network=network, dataset=some, config=SHORT, resume=path):
        with pytest.raises(MisuseError, match=match) as caught:
            train(network, dataset, config, resume=resume)
        assert "\n" not in str(caught.value)

    refused("its seed is 4, requested is 5", config=replace(SHORT, seed=5))
    refused("its batch is 10, requested is 20", config=replace(SHORT, batch=20))
    refused("its network is 64-16-10", network=layered((64, 17, 10)))
    refused("its images is", dataset=small(digits, 150))
    refused("has 3 epochs, which is more than the 2", config=replace(SHORT, epochs=2))
    refused("does not exist", resume=tmp_path / "none.npz")
    refused("is a folder, not a checkpoint file", resume=tmp_path)
    whole = path.read_bytes()
    damaged = tmp_path / "damaged.npz"
    for content in (b"", b"x" * 100, whole[:len(whole) // 2], whole[:300] + b"\0" * 50
                    + whole[350:]):
        damaged.write_bytes(content)
        refused("not an Apical checkpoint, or it is damaged", resume=damaged)
    damaged.write_bytes(whole[:-1])
    refused(r"damaged \(File is not a zip file\)", resume=damaged)
    np.savez(damaged, weights=np.zeros(3))
    refused("not an Apical checkpoint", resume=damaged)
    np.save(tmp_path / "array.npy", np.zeros(3))
    refused("not an Apical checkpoint", resume=tmp_path / "array.npy")


def test_diverging_runs_stop_with_a_word(digits):
    with pytest.raises(ApicalError, match="training diverged: matrix '.*' is not finite after "
                                          "epoch 1; use smaller rates"):
        train(layered((64, 16, 10)), small(digits), replace(SHORT, rates=(1e39,)))


@pytest.mark.parametrize(("rule", "sizes", "rates"), [
    ("ep", (64, 32, 10), (2.0, 1.0)), ("stdp-integrated", (64, 32, 10), (1.0, 0.5)),
    ("ghost", (64, 30, 20, 10), (40.0,)), ("backprop", (64, 30, 20, 10), (40.0,))])
def test_steps_that_are_too_large_are_named(digits, rule, sizes, rates):
    network = trainer(rule).network(sizes)
    config = replace(default_config("digits", sizes, rule), epochs=3, rates=rates)
    with pytest.raises(ApicalError, match="training collapsed: every test image gives the same "
                                          "outputs after epoch [123]; use smaller rates"):
        train(network, digits, config)
    # Steps that are too small are slow, not wrong: no complaint.
    train(network, small(digits), replace(config, rates=(1e-9,), epochs=1))


def test_data_and_network_must_match(digits):
    with pytest.raises(MisuseError, match="first layer of network '63-10' has 63 units, data "
                                          "'digits' has 64 pixels; make that layer 64"):
        train(layered((63, 10)), digits, SHORT)
    with pytest.raises(MisuseError, match="last layer of network '64-9' has 9 units"):
        train(layered((64, 9)), digits, SHORT)
    with pytest.raises(MisuseError, match="data 'random' has no labels"):
        train(layered((64, 10)), random_images(), SHORT)
    with pytest.raises(MisuseError, match="2 learning rates for 1 layers"):
        train(layered((64, 10)), digits, SHORT)


@pytest.mark.parametrize(("change", "message"), [
    ({"rule": "hebb"}, "unknown rule 'hebb'; known: backprop, cd, .*ep, "),
    ({"epochs": -1}, "epochs is -1"), ({"batch": 0}, "batch is 0"), ({"seed": -1}, "seed is -1"),
    ({"steps": 2.5}, "steps is 2.5"), ({"nudge_steps": 0}, "nudge_steps is 0"),
    ({"rates": ()}, "rates are"), ({"rates": (0.1, -1)}, "rates are"),
    ({"rates": (float("nan"),)}, "rates are"), ({"decay": 0}, "decay is 0"),
    ({"decay": 1.5}, "decay is 1.5"), ({"gain": 0.0}, "gain 0.0"),
    ({"beta_shift": 1.5}, "beta_shift is 1.5"),
    ({"beta_shift": 2000}, "beta_shift is 2000; the contrast is divided by beta"),
    ({"batch": True}, "batch is True"),
])
def test_configurations_are_checked(change, message):
    with pytest.raises(MisuseError, match=message):
        replace(SHORT, **change)


def test_defaults():
    assert len(default_config("mnist", (784, 64, 10)).rates) == 2
    assert default_config("mnist", (784, 64, 10), epochs=1, batch=None).epochs == 1
    # Networks and data without an entry of their own still get a usable one.
    for sizes in ((64, 10), (64, 9, 8, 7, 10)):
        for name in ("digits", "fashion-mnist", "mine"):
            assert len(default_config(name, sizes).rates) in (1, len(sizes) - 1)
    with pytest.raises(MisuseError, match="unknown training option 'epoch'"):
        default_config("digits", (64, 10), epoch=3)
    with pytest.raises(MisuseError, match="unknown rule 'x'"):
        default_config("digits", (64, 10), "x")


@pytest.mark.slow
@pytest.mark.data
def test_default_training_of_mnist():
    try:
        mnist = load("mnist")
    except MisuseError as error:
        pytest.skip(str(error))
    result = train(layered((784, 64, 10)), mnist, default_config("mnist", (784, 64, 10)))
    assert result.test_error <= 0.04
    assert result.greatest_weight < WEIGHT.max * WEIGHT.lsb / 2
