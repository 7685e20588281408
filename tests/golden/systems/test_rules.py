"""Learning rules of `train`: every one learns, backpropagation is the gradient."""

import numpy as np
import pytest

from apical.golden.errors import MisuseError
from apical.golden.executors.float.executor import FloatExecutor
from apical.golden.learning.data import load
from apical.golden.learning.float import default_config, train
from apical.golden.references.gradients import backprop, layers_of
from apical.golden.systems.rules import RULES, backprop_batch, rule


@pytest.mark.parametrize("name", list(RULES))
def test_every_rule_learns_digits(name):
    sizes = (64, 30, 20, 10) if name in ("ghost", "ghost-online", "backprop") else (64, 32, 10)
    config = default_config("digits", sizes, name, epochs=8)
    assert config.rule == name
    result = train(rule(name).network(sizes), load("digits"), config)
    assert result.test_error < 0.12
    assert result.test_errors[-1] == result.test_error


def test_the_contrast_of_stdp_is_equilibrium_propagation():
    found = [train(rule(name).network((64, 12, 10)), load("digits"),
                   default_config("digits", (64, 12, 10), name, epochs=2, seed=3)).weights
             for name in ("ep", "stdp-contrast", "stdp-integrated")]
    for name, values in found[0].items():
        np.testing.assert_array_equal(values, found[1][name])
    assert (found[0]["W1"] != found[2]["W1"]).any()


def test_a_batch_of_backpropagation_is_the_gradient():
    chosen, rng = rule("backprop"), np.random.default_rng(0)
    network = chosen.network((6, 5, 4, 3))
    config = default_config("digits", (6, 5, 4, 3), "backprop", rates=(1.0, 2.0, 3.0))
    weights, x, d = chosen.weights(network, config), rng.random((7, 6)), rng.random((7, 3))
    executor = FloatExecutor(network, weights, np.float64)
    backprop_batch(executor, x, d, chosen.rates(network, config))
    for k, (w, b) in enumerate(backprop(layers_of(weights), x, d), 1):
        np.testing.assert_allclose(executor.weights[f"W{k}"], weights[f"W{k}"] - k * w, atol=1e-14)
        np.testing.assert_allclose(executor.weights[f"b{k}"][0], weights[f"b{k}"][0] - k * b,
                                   atol=1e-14)


def test_unknown_rules_are_named():
    with pytest.raises(MisuseError, match="unknown rule 'hebb'; known: ep, stdp-contrast"):
        rule("hebb")
