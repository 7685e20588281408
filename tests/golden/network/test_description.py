"""Network descriptions: what a layered network is, and what is refused."""

import dataclasses

import numpy as np
import pytest

from apical.golden.errors import MisuseError
from apical.golden.network import (
    Matrix,
    Network,
    Population,
    Projection,
    glorot,
    layer_names,
    layered,
)


def test_layered_network():
    net = layered([784, 64, 32, 10])
    assert net.name == "784-64-32-10"
    assert [(p.name, p.size) for p in net.populations] == [
        ("x", 784), ("h1", 64), ("h2", 32), ("y", 10), ("d", 10), ("one", 1)]
    assert [p.name for p in net.free] == ["h1", "h2", "y"]
    assert [p.name for p in net.clamped] == ["x", "d"]
    assert {m.name: m.shape for m in net.matrices} == {
        "W1": (784, 64), "b1": (1, 64), "W2": (64, 32), "b2": (1, 32), "W3": (32, 10),
        "b3": (1, 10)}
    assert [p.name for p in net.into("h1")] == ["up1", "bias1", "down2"]
    assert [p.name for p in net.into("y")] == ["up3", "bias3"]
    assert net.into("x") == ()
    # One matrix serves both ways, so it is symmetric by construction.
    up, down = net.projection("up2"), net.projection("down2")
    assert up.matrix == down.matrix == "W2"
    assert (up.transpose, down.transpose) == (False, True)
    assert (down.source, down.target) == ("h2", "h1")


def test_two_layers_have_no_way_back():
    assert [p.name for p in layered([4, 2]).projections] == ["up1", "bias1"]
    assert layer_names(2) == ["x", "y"]
    assert layer_names(4) == ["x", "h1", "h2", "y"]


def test_rates_decide_the_limits():
    assert Population("h", 3).limits == (0.0, 1.0)
    assert Population("h", 3, "hard-tanh").limits == (-1.0, 1.0)
    assert Population("h", 3, "logistic").limits is None
    assert Population("one", 1, "constant").fixed_rate
    assert not Population("h", 3).fixed_rate
    assert layered([4, 2], rate="hard-tanh").population("y").rate == "hard-tanh"


def test_glorot_is_seeded_bounded_and_leaves_biases_zero():
    net = layered([64, 32, 10])
    weights, again, other = glorot(net, 1), glorot(net, 1), glorot(net, 2)
    net.check_weights(weights)
    bound = np.sqrt(6 / (64 + 32))
    assert 0.95 * bound < np.abs(weights["W1"]).max() <= bound
    assert not weights["b1"].any()
    assert not weights["b2"].any()
    assert all((weights[name] == again[name]).all() for name in weights)
    assert (weights["W1"] != other["W1"]).any()


@pytest.mark.parametrize(("sizes", "message"), [
    ([10], r"^a layered network needs at least an input and an output layer, for example 64"),
    ([20, 3.5, 3], r"^sizes are \(20, 3\.5, 3\); each must be a whole number, as in 64-32-10$"),
    ([64, 0, 10], r"^layer size 0 is not a positive number; write layers as 64-32-10$"),
    ([64, -3], r"^layer size -3 is not a positive number"),
    ([70000, 10], r"^population 'x' has size 70000; sizes go from 1 to 65535$"),
])
def test_layers_that_cannot_be(sizes, message):
    with pytest.raises(MisuseError, match=message):
        layered(sizes)


def test_unknown_rate():
    with pytest.raises(MisuseError, match=r"^population 'x' has unknown rate 'relu'; known: hard"):
        layered([4, 2], rate="relu")


A, B = Population("a", 3), Population("b", 2)
C = Population("c", 2, clamped=True)
M = Matrix("m", 3, 2)
AB = Projection("p", "a", "b", "m")


@pytest.mark.parametrize(("populations", "matrices", "projections", "message"), [
    ((A, A), (M,), (), r"^network 'n' has two populations called 'a'$"),
    ((A, B), (M, M), (), r"^network 'n' has two matrices called 'm'$"),
    ((A, B), (M,), (AB, AB), r"^network 'n' has two projections called 'p'$"),
    ((A,), (M,), (AB,), r"^network 'n' has no populations entry 'b' \(it has: a\)$"),
    ((A, B), (), (AB,), r"^network 'n' has no matrices entry 'm' \(it has: none\)$"),
    ((A, B), (M,), (dataclasses.replace(AB, transpose=True),),
     r"^projection 'p' from a \(3 units\) to b \(2\) needs a matrix of 2 x 3, but 'm' is 3 x 2$"),
    ((A, B), (M,), (dataclasses.replace(AB, sign=2),), r"^projection 'p' has sign 2; use 1 or -1$"),
    ((A, C), (M,), (dataclasses.replace(AB, target="c"),),
     r"^projection 'p' drives 'c', which is clamped or constant$"),
])
def test_networks_that_cannot_be(populations, matrices, projections, message):
    with pytest.raises(MisuseError, match=message):
        Network("n", populations, matrices, projections)


def test_unknown_names_list_the_known_ones():
    net = Network("n", (A, B), (M,), (AB,))
    with pytest.raises(MisuseError, match=r"no projections entry 'q' \(it has: p\)$"):
        net.projection("q")


@pytest.mark.parametrize(("change", "message"), [
    (lambda w: w.pop("W1"), r"^weights of matrix 'W1' are missing$"),
    (lambda w: w.update(W1=np.zeros((3, 4))),
     r"^weights of matrix 'W1' have shape \(3, 4\), the network needs \(4, 3\)$"),
    (lambda w: w["W2"].__setitem__((1, 0), np.nan), r"^weight W2\[1, 0\] is nan; weights must be"),
    (lambda w: w["b1"].__setitem__((0, 2), -np.inf), r"^weight b1\[0, 2\] is -inf; weights must"),
])
def test_weights_that_do_not_match(change, message):
    net = layered([4, 3, 2])
    weights = glorot(net, 0)
    change(weights)
    with pytest.raises(MisuseError, match=message):
        net.check_weights(weights)
