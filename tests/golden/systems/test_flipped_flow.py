"""Flow from flipped data: the update by hand, the flips, what is refused."""

import numpy as np
import pytest

from apical.golden.errors import MisuseError
from apical.golden.executors.float.executor import FloatExecutor
from apical.golden.learning.data import load
from apical.golden.learning.flow import FlowConfig, machine, train
from apical.golden.network.boltzmann import boltzmann, coins, hidden, split
from apical.golden.program import STATE, Learn, Sample, walk
from apical.golden.references.boltzmann import log_partition
from apical.golden.systems import flipped_flow
from apical.golden.systems.registry import system

SHAPES = [((6, 4), (1, 1)), ((5, 4, 3), (1, 1, 1)), ((5, 4, 4), (1, 2, 2)), ((6, 4), (2, 1))]


def logistic(field):
    return 1 / (1 + np.exp(-field))


def problem(sizes, colours=None, symmetric=True, seed=0):
    """A machine with flips and random weights, and five random images."""
    network, rng = boltzmann(sizes, colours, symmetric, flips=True), np.random.default_rng(seed)
    weights = {m.name: rng.normal(0, 0.7, m.shape) for m in network.matrices}
    return network, weights, rng.integers(0, 2, (5, sizes[0])).astype(float)


def clean_and_flipped(network, result, images):
    """Clean and flipped states by group; groups that do not flip have the clean ones twice."""
    slots = result.states
    clean = {v.replace("x", "v", 1): part for v, part in split(network, images).items()}
    clean |= {name: slots[name, "drawn"] for name in hidden(network)}
    flipped = dict(clean)
    for name in coins(network):
        flipped[name] = slots[name, STATE if name[0] == "v" else flipped_flow.FLIPPED]
    return clean, flipped


def layer(name):
    return int(name[1:].partition("_")[0]) if name[0] == "h" else 0


@pytest.mark.parametrize("mode", ["mean", "sample"])
@pytest.mark.parametrize("symmetric", [True, False])
@pytest.mark.parametrize("shape", SHAPES)
def test_the_update_is_the_formula(shape, symmetric, mode):
    network, weights, images = problem(*shape, symmetric)
    executor = FloatExecutor(network, weights, np.float64)
    program = flipped_flow.training(network, mode=mode)
    result = executor.run(program, split(network, images), seed=3,
                          rates=dict.fromkeys(weights, 1.0))
    clean, flipped = clean_and_flipped(network, result, images)
    wanted = {name: np.zeros_like(values) for name, values in weights.items()}
    currents = dict.fromkeys(clean, 0.0)
    parts = []
    for p in network.projections:
        if p.target not in clean or p.source == "coin" or p.source[0] == "x":
            continue
        if p.source == "one":
            source = np.ones((5, 1))
        else:
            source = (flipped if layer(p.source) < layer(p.target) else clean)[p.source]
        W = weights[p.matrix].T if p.transpose else weights[p.matrix]
        currents[p.target] = currents[p.target] + source @ W
        parts.append((p, source))
    for p, source in parts:
        step = source.T @ (clean[p.target] - logistic(currents[p.target])) / 5
        wanted[p.matrix] += step.T if p.transpose else step
    for name, values in wanted.items():
        np.testing.assert_allclose(executor.weights[name] - weights[name], values, atol=1e-12,
                                   err_msg=name)
    learned = {op.matrix for op in walk(program.ops) if isinstance(op, Learn)}
    assert learned == {m.name for m in network.matrices if m.name[0] != "c"}


def test_flips_come_as_often_as_their_log_odds_say():
    network, weights, _ = problem((4, 3, 2))
    weights["cv"][...], weights["ch1"][...] = np.log(0.1 / 0.9), np.log(0.3 / 0.7)
    images = np.tile([[0.0, 1.0, 1.0, 0.0]], (20000, 1))
    executor = FloatExecutor(network, weights, np.float64)
    result = executor.run(flipped_flow.training(network, mode="sample"), split(network, images),
                          rates=dict.fromkeys(weights, 0.0))
    clean, flipped = clean_and_flipped(network, result, images)
    for name, chance in (("v", 0.1), ("h1", 0.3)):
        share = (clean[name] != flipped[name]).mean(axis=0)
        assert np.abs(share - chance).max() < 4.5 * np.sqrt(chance * (1 - chance) / 20000)
        assert set(np.unique(flipped[name])) == {0, 1}
    # Means have no two values: a flip takes them to the other side of 1/2.
    result = executor.run(flipped_flow.training(network), split(network, images),
                          rates=dict.fromkeys(weights, 0.0))
    clean, flipped = clean_and_flipped(network, result, images)
    same = np.isclose(flipped["h1"], clean["h1"])
    np.testing.assert_allclose(flipped["h1"][~same], 1 - clean["h1"][~same])
    assert 0.2 < 1 - same.mean() < 0.4


def test_without_flips_hidden_biases_learn_nothing():
    network, weights, images = problem((6, 4))
    changes = []
    for log_odds in (-40.0, np.log(0.3 / 0.7)):
        weights["cv"][...] = log_odds
        executor = FloatExecutor(network, weights, np.float64)
        executor.run(flipped_flow.training(network), split(network, images),
                     rates=dict.fromkeys(weights, 1.0))
        changes.append(np.abs(executor.weights["bh1"] - weights["bh1"]).max())
        np.testing.assert_array_equal(executor.weights["cv"], weights["cv"])
    assert changes[0] < 1e-12 and changes[1] > 1e-2


def test_nothing_is_drawn_from_the_model():
    # The only draws of a restricted machine are its flips.
    network, _, _ = problem((6, 4))
    drawn = [op.population for op in walk(flipped_flow.training(network).ops)
             if isinstance(op, Sample) and op.draws()]
    assert drawn == ["v"]


def test_a_machine_without_flips_has_the_flow_of_version_0_1():
    plain, record = machine((6, 4)), system("flow")
    config = FlowConfig()
    assert record.program(plain, config) == system("flow-one-flip").program(plain, config)
    flipping = record.network((6, 4))
    assert record.program(flipping, config) == flipped_flow.training(flipping)
    assert coins(record.network((6,))) == {} and flipping.name == "6-4-flips"
    # The energy is that of the machine without.
    weights = {m.name: np.ones(m.shape) for m in flipping.matrices}
    assert log_partition(flipping, weights) == pytest.approx(log_partition(
        plain, {m.name: np.ones(m.shape) for m in plain.matrices}))


def test_misuse():
    with pytest.raises(MisuseError, match="flips are for machines with hidden layers"):
        boltzmann((6,), flips=True)
    with pytest.raises(MisuseError, match="machine '64-8' has no flips, but flip is 0.1"):
        train(machine((64, 8)), load("digits"), FlowConfig(flip=0.1))
    with pytest.raises(MisuseError, match="'flips' is a setting of one-flip flow"):
        system("flow").program(system("flow").network((6, 4)), FlowConfig(flips="all"))
    for flip in (0.0, 1.0, float("nan")):
        with pytest.raises(MisuseError, match="give a probability between 0 and 1"):
            FlowConfig(flip=flip)
