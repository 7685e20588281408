"""Boltzmann machines as networks: structure, columns of images, weights."""

import numpy as np
import pytest

from apical.golden.errors import MisuseError
from apical.golden.network import layered
from apical.golden.network.boltzmann import (
    LATERAL_SHARE,
    binarize,
    boltzmann,
    check_machine,
    corrupt,
    full_matrix,
    hidden,
    join,
    learning_rates,
    split,
    starting_weights,
    visible,
)


def random_weights(network, seed=0):
    rng = np.random.default_rng(seed)
    return {m.name: rng.normal(size=m.shape) for m in network.matrices}


def test_a_restricted_machine():
    network = boltzmann((5, 3))
    assert [p.name for p in network.populations] == ["x", "v", "h1", "one"]
    assert [m.name for m in network.matrices] == ["bv", "bh1", "W1"]
    assert sorted(p.name for p in network.projections) == [
        "h1>v", "one>h1", "one>v", "v>h1", "x>h1"]
    assert (visible(network), hidden(network)) == ([("x", "v")], ["h1"])


@pytest.mark.parametrize(("sizes", "colours"), [
    ((6,), (6,)), ((7,), (3,)), ((5, 4), (1, 1)), ((5, 4, 3), (1, 2, 2)), ((6, 4, 4, 2),
                                                                            (2, 4, 2, 1))])
def test_couplings_are_symmetric_and_inside_the_structure(sizes, colours):
    network = boltzmann(sizes, colours)
    W, b = full_matrix(network, random_weights(network))
    assert W.shape == (sum(sizes),) * 2 and len(b) == sum(sizes) and (b != 0).all()
    np.testing.assert_array_equal(W, W.T)
    layer = np.repeat(np.arange(len(sizes)), sizes)
    group = np.concatenate([np.repeat(np.arange(c), [len(a) for a in np.array_split(np.arange(n),
                                                                                    c)])
                            for n, c in zip(sizes, colours)])
    gap = np.abs(layer[:, None] - layer)
    wanted = (gap == 1) | ((gap == 0) & (group[:, None] != group))
    np.testing.assert_array_equal(W != 0, wanted)


def test_directions_of_an_asymmetric_machine_have_their_own_matrices():
    network = boltzmann((3,), (3,), symmetric=False)
    W, _ = full_matrix(network, random_weights(network))
    assert (W + np.eye(3) != 0).all()
    assert (W != W.T)[np.triu_indices(3, 1)].all()
    assert {m.name for m in network.matrices} >= {"L0_1_2", "L0_1_2r"}


def test_images_are_split_and_joined():
    network = boltzmann((5, 2), (2, 1))
    images = np.arange(10.0).reshape(2, 5)
    parts = split(network, images)
    assert {name: part.shape for name, part in parts.items()} == {"x_1": (2, 3), "x_2": (2, 2)}
    twins = split(network, images, clamped=False)
    np.testing.assert_array_equal(join(network, {(n, "state"): p for n, p in twins.items()}),
                                  images)
    with pytest.raises(MisuseError, match=r"images have shape \(2, 4\), network '5-2' has 5"):
        split(network, images[:, :4])


def test_starting_weights():
    network, rng = boltzmann((4, 50, 60), (1, 2, 1)), np.random.default_rng(0)
    images = binarize(rng.random((400, 4)) ** [0.5, 1, 2, 3])
    images[:, 0] = 1
    weights = starting_weights(network, images, 0, 0.1, -1.5)
    mean = images[:, 1:].mean(axis=0, dtype=np.float64)
    np.testing.assert_allclose(weights["bv"][0, 1:], np.log(mean / (1 - mean)))
    assert weights["bv"][0, 0] == pytest.approx(np.log(399.5 / 0.5))
    assert (weights["bh1_1"] == -1.5).all() and (weights["bh2"] == -1.5).all()
    assert weights["W2_1"].std() == pytest.approx(0.1, rel=0.1)
    assert not weights["L1_1_2"].any()
    again = starting_weights(network, images, 0, 0.1)
    np.testing.assert_array_equal(again["W1_1"], weights["W1_1"])


def test_lateral_couplings_learn_slower():
    rates = learning_rates(boltzmann((4, 4), (2, 2)), 0.5)
    assert rates["L1_1_2"] == 0.5 * LATERAL_SHARE and rates["L0_1_2"] == rates["bv_1"] == 0.5


def test_pixels_above_one_half_are_1_and_flips_are_flips():
    images = binarize([[0.5, 0.51, 0, 1]])
    np.testing.assert_array_equal(images, [[0, 1, 0, 1]])
    flipped = corrupt(np.zeros((1000, 100), np.float32), 0.2, 3)
    assert flipped.mean() == pytest.approx(0.2, abs=0.01)
    np.testing.assert_array_equal(corrupt(images, 0.0, 0), images)
    np.testing.assert_array_equal(corrupt(images, 1.0, 0), 1 - images)


def test_misuse():
    with pytest.raises(MisuseError, match="2 numbers of colour groups for 1 layers"):
        boltzmann((4,), (1, 2))
    with pytest.raises(MisuseError, match="a layer of 4 units cannot have 5 colour groups"):
        boltzmann((4,), (5,))
    with pytest.raises(MisuseError, match="network '4-2' is not a Boltzmann machine"):
        check_machine(layered((4, 2)))
