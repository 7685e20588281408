"""Default weights: trained once and kept, trained anew when the file or the facts differ."""

import dataclasses
import re

import numpy as np
import pytest

import apical.golden.learning.pretrained as module
from apical.golden.errors import ApicalError
from apical.golden.learning.data import Dataset
from apical.golden.learning.pretrained import random_weights, trained_model
from apical.golden.network import layered


@pytest.fixture
def dataset():
    rng = np.random.default_rng(0)
    images, labels = rng.random((60, 6), np.float32), rng.integers(0, 3, 60)
    return Dataset("digits", images[:40], images[40:], labels[:40], labels[40:], 3)


@pytest.fixture
def trainings(monkeypatch):
    """A list with an entry a training; trainings are short."""
    calls, train = [], module.train
    default = module.default_config

    def counted(*arguments, **options):
        calls.append(arguments)
        return train(*arguments, **options)

    monkeypatch.setattr(module, "train", counted)
    monkeypatch.setattr(module, "default_config", lambda *arguments, **options:
                        dataclasses.replace(default(*arguments, **options), epochs=1))
    return calls


def test_the_second_time_it_is_read(dataset, trainings, tmp_path):
    lines = []
    first = trained_model((6, 5, 3), dataset, 1, cache=tmp_path / "deep" / "cache",
                          say=lines.append)
    assert len(trainings) == len(lines) == 1
    assert re.fullmatch(r"training default weights: 6-5-3 on digits, rule ep, 1 epochs \(kept .*",
                        lines[0])
    second = trained_model((6, 5, 3), dataset, 1, cache=tmp_path / "deep" / "cache",
                           say=lines.append)
    assert len(trainings) == len(lines) == 1
    for name, values in first.weights.items():
        np.testing.assert_array_equal(values, second.weights[name])
    assert second.meta["seed"] == 1 and second.meta["data"] == "digits"
    assert second.network == first.network == layered((6, 5, 3))


def test_everything_that_decides_the_weights_is_in_the_name(dataset, trainings, tmp_path,
                                                            monkeypatch):
    trained_model((6, 5, 3), dataset, 1, cache=tmp_path)
    trained_model((6, 5, 3), dataset, 2, cache=tmp_path)
    trained_model((6, 4, 3), dataset, 1, cache=tmp_path)
    other = Dataset("digits", dataset.train * 0.9, dataset.test, dataset.train_labels,
                    dataset.test_labels, 3)
    trained_model((6, 5, 3), other, 1, cache=tmp_path)
    monkeypatch.setattr(module, "TRAINING_VERSION", -1)
    trained_model((6, 5, 3), dataset, 1, cache=tmp_path)
    assert len(trainings) == 5 == len(list((tmp_path / "weights").glob("*.npz")))


@pytest.mark.parametrize("damage", [lambda data: b"", lambda data: data[:len(data) // 2],
                                    lambda data: b"something else"])
def test_a_damaged_file_is_only_time_lost(dataset, trainings, tmp_path, damage):
    first = trained_model((6, 5, 3), dataset, 1, cache=tmp_path)
    path, = (tmp_path / "weights").glob("*.npz")
    healthy = path.read_bytes()
    path.write_bytes(damage(healthy))
    again = trained_model((6, 5, 3), dataset, 1, cache=tmp_path)
    assert len(trainings) == 2 and path.read_bytes() == healthy
    for name, values in first.weights.items():
        np.testing.assert_array_equal(values, again.weights[name])


def test_random_weights():
    network = layered((30, 20, 10))
    weights, again = random_weights(network, 3), random_weights(network, 3)
    assert all(np.array_equal(weights[name], again[name]) for name in weights)
    assert not np.array_equal(weights["W1"], random_weights(network, 4)["W1"])
    network.check_weights(weights)
    assert 0 < np.abs(weights["b1"]).max() <= 0.25
    assert np.abs(weights["W1"]).max() <= np.sqrt(6 / 50)


def test_a_cache_that_cannot_be_written_is_refused_before_the_training(dataset, trainings,
                                                                       tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ApicalError, match="^cannot write the cache .*APICAL_CACHE$"):
        trained_model((6, 5, 3), dataset, 1, cache=tmp_path / "file")
    assert trainings == []
