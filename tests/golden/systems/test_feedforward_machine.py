"""Sweep and Gibbs sampling of stochastic machines, against their probabilities."""

import itertools

import numpy as np

from apical.golden.claims.feedforward_init_machine import stationary_means
from apical.golden.executors.float.executor import FloatExecutor
from apical.golden.network.boltzmann import boltzmann, full_matrix, hidden
from apical.golden.program import STATE, Program
from apical.golden.references.gradients import logistic
from apical.golden.systems.feedforward_machine import (
    gibbs,
    learn_layers,
    machine_drive,
    machine_sweep,
    with_gains,
)

SIZES, CHAINS = (6, 5, 4, 3), 6000


def machine(seed=0):
    rng, network = np.random.default_rng(seed), boltzmann(SIZES)
    weights = {m.name: rng.normal(0, 1 if m.name[0] == "W" else 0.5, m.shape)
               for m in network.matrices}
    return network, weights, np.array([[1, 0, 1, 1, 0, 0]], np.float64)


def means(network, weights, program, x):
    states = FloatExecutor(network, weights).run(program, {"x": np.repeat(x, CHAINS, axis=0)},
                                                 seed=3).states
    return {name: states[name, STATE] for name in hidden(network)}


def test_the_sweep_draws_with_the_input_from_below_twice():
    network, w, x = machine()
    drawn = means(network, w, Program("sweep", (*machine_drive(network),
                                                *machine_sweep(network))), x)
    np.testing.assert_allclose(drawn["h1"].mean(axis=0),
                               logistic(2 * x @ w["W1"] + w["bh1"])[0], atol=0.03)
    for below, name, k, gain in (("h1", "h2", 2, 2), ("h2", "h3", 3, 1)):
        expected = logistic(gain * drawn[below] @ w[f"W{k}"] + w[f"bh{k}"])
        np.testing.assert_allclose(drawn[name].mean(axis=0), expected.mean(axis=0), atol=0.03)


def exact(network, weights, x):
    """Means of the hidden units given the image, by all of their states."""
    couplings, biases = full_matrix(network, weights)
    rest = np.array(list(itertools.product((0, 1), repeat=sum(SIZES[1:]))), np.float64)
    states = np.hstack([np.repeat(x, len(rest), axis=0), rest])
    log_p = 0.5 * np.einsum("ni,ij,nj->n", states, couplings, states) + states @ biases
    p = np.exp(log_p - log_p.max())
    return p / p.sum() @ rest


def test_sampling_tends_to_the_stationary_means():
    network, weights, x = machine(1)
    expected = exact(network, weights, x)
    np.testing.assert_allclose(stationary_means(weights, x)[0], expected, atol=1e-12)
    for start in ("sweep", "zero"):
        drawn = means(network, weights, gibbs(network, start, 20), x)
        found = np.concatenate([drawn[name].mean(axis=0) for name in hidden(network)])
        np.testing.assert_allclose(found, expected, atol=0.035)


def test_gains_repeat_projections_but_not_biases():
    network = boltzmann((6, 5))
    program = Program("drive", machine_drive(network))
    doubled = with_gains(program, network, {"h1": 3})
    assert [op.projection for op in doubled.ops] == ["x>h1"] * 3 + ["one>h1"]
    assert [op.start for op in doubled.ops] == [None, "input", "input", "input"]


def test_layers_learn_to_predict_the_layer_below():
    rng = np.random.default_rng(2)
    images = (rng.random((120, 1)) < 0.5) ^ (rng.random((120, 6)) < 0.05)  # two patterns
    weights = learn_layers(SIZES, images, 1, epochs=20)
    network = boltzmann(SIZES)
    assert {m.name for m in network.matrices} == set(weights)
    zero = {name: np.zeros_like(w) for name, w in weights.items()} | {
        name: weights[name] for name in ("bv", "bh1", "bh2", "bh3")}

    def distance(w):
        """Of the sweep from the stationary means."""
        x = np.eye(1, 6).repeat(2, axis=0) * 0 + np.array([[0], [1]])
        first = logistic(2 * x @ w["W1"] + w["bh1"])
        return np.abs(first - stationary_means(w, x)[:, :5]).mean()

    assert np.abs(weights["W1"]).max() > 0.5
    assert distance(weights) < 0.1 and distance(zero) < 1e-9
