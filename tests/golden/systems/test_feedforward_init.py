"""Feedforward initialization: the exact instance, the branch rule, its errors."""

import numpy as np
import pytest

from apical.golden.errors import MisuseError
from apical.golden.executors.float.executor import FloatExecutor
from apical.golden.network import glorot, layered
from apical.golden.program import STATE, Program
from apical.golden.program.layered import drive, inference, sweep
from apical.golden.systems.feedforward_init import (
    branch_errors,
    branch_network,
    branch_prediction,
    clamped_network,
    exact_weights,
    learn_branches,
)

SIZES = (8, 7, 6, 5)


def problem(seed=0, images=9):
    rng = np.random.default_rng(seed)
    weights = {name: 0.5 * w + (rng.uniform(-0.1, 0.1, w.shape) if name[0] == "b" else 0)
               for name, w in glorot(layered(SIZES), seed).items()}
    return weights, rng.uniform(-0.5, 0.5, (images, SIZES[0]))


@pytest.mark.parametrize("depth", [2, 5])
def test_the_sweep_of_the_exact_instance_is_a_fixed_point(depth):
    network, weights = layered((10,) * (depth + 1), "hard-tanh"), exact_weights(depth, 10, 3)
    x = np.random.default_rng(0).uniform(-0.2, 0.2, (5, 10))
    executor = FloatExecutor(network, weights, np.float64)
    swept = executor.run(inference(network, 0), {"x": x}).states
    later = executor.run(inference(network, 50), {"x": x}).states
    for p in network.free:
        assert np.abs(swept[p.name, STATE]).max() > 0.01
        np.testing.assert_allclose(swept[p.name, STATE], later[p.name, STATE], atol=1e-13)
    weights["W2"] *= 1.01  # seen failing: agreement is what makes it so
    executor.load(weights)
    swept, later = (executor.run(inference(network, n), {"x": x}).states for n in (0, 50))
    assert np.abs(swept["h1", STATE] - later["h1", STATE]).max() > 1e-4


@pytest.mark.parametrize("steps", [0, 4])
def test_the_rule_follows_its_equations(steps):
    weights, x = problem()
    network, plain = branch_network(SIZES), layered(SIZES, "hard-tanh")
    executor = FloatExecutor(network, weights, np.float64)
    executor.run(branch_prediction(SIZES, steps=steps), {"x": x}, collect=False,
                 rates=dict.fromkeys(weights, 0.5))
    u = FloatExecutor(plain, weights, np.float64).run(inference(plain, steps), {"x": x}).states
    u = [u[name, STATE] for name in ("x", "h1", "h2", "y")]
    grown = {name: np.zeros_like(w) for name, w in weights.items()}
    grown["W1"] += (x - u[1] @ weights["W1"].T).T @ u[1]
    for k in (1, 2, 3):
        g = 2 if k < 3 else 1
        up = u[k] / g - (u[k - 1] @ weights[f"W{k}"] + weights[f"b{k}"] / g)
        inside = np.abs(u[k]) < 1
        assert steps or np.abs(up[inside]).max() < 1e-12
        grown[f"W{k}"] += u[k - 1].T @ up
        grown[f"b{k}"] += up.sum(axis=0)
        if k < 3:
            down = u[k] / 2 - (u[k + 1] @ weights[f"W{k + 1}"].T + weights[f"b{k}"] / 2)
            grown[f"W{k + 1}"] += down.T @ u[k + 1]
            grown[f"b{k}"] += down.sum(axis=0)
    for name, w in weights.items():
        np.testing.assert_allclose(executor.weights[name], w + 0.5 * grown[name] / len(x),
                                   atol=1e-12)


def test_learning_lowers_the_branch_errors():
    weights, x = problem(images=200)
    network, seen = layered(SIZES, "hard-tanh"), []

    def errors(w):
        program = Program("sweep", tuple(drive(network) + sweep(network)))
        states = FloatExecutor(network, w, np.float64).run(program, {"x": x}).states
        return branch_errors(network, w, states)

    learned = learn_branches(SIZES, weights, x, epochs=40, rate=0.1,
                             progress=lambda epoch, w: seen.append((epoch, errors(w))))
    assert [epoch for epoch, _ in seen] == list(range(1, 41))
    assert errors(learned) == seen[-1][1]
    assert all(b < 0.7 * a for a, b in zip(errors(weights), errors(learned), strict=True))
    again = learn_branches(SIZES, weights, x, epochs=40, rate=0.1)
    assert all(np.array_equal(again[name], learned[name]) for name in learned)


def test_a_network_without_hidden_layer_is_refused():
    with pytest.raises(MisuseError, match="needs a hidden layer"):
        branch_network((4, 3))


def test_with_the_output_clamped_all_branches_learn():
    sizes = (8, 7, 6, 5)
    weights, x = problem(5)
    d = np.random.default_rng(6).uniform(-0.5, 0.5, (len(x), sizes[-1]))
    executor = FloatExecutor(branch_network(sizes, clamped=True), weights, np.float64)
    rates = {m.name: 1.0 for m in executor.network.matrices}
    executor.run(branch_prediction(sizes, clamped=True), {"x": x, "y": d}, rates=rates,
                 collect=False)
    # From the equations: the sweep has both groups of h2, and each branch predicts its share.
    (w1, b1), (w2, b2), (w3, b3) = ((weights[f"W{k}"], weights[f"b{k}"]) for k in (1, 2, 3))
    h1 = 2 * (x @ w1 + b1 / 2)
    h2 = h1 @ w2 + d @ w3.T + b2
    assert max(np.abs(h1).max(), np.abs(h2).max()) < 1
    below1, above1 = h1 / 2 - x @ w1 - b1 / 2, h1 / 2 - h2 @ w2.T - b1 / 2
    below2, above2 = h2 / 2 - h1 @ w2 - b2 / 2, h2 / 2 - d @ w3.T - b2 / 2
    output, count = d - h2 @ w3 - b3, len(x)
    expected = {"W1": (x - h1 @ w1.T).T @ h1 + x.T @ below1, "b1": (below1 + above1).sum(axis=0),
                "W2": above1.T @ h2 + h1.T @ below2, "b2": (below2 + above2).sum(axis=0),
                "W3": above2.T @ d + h2.T @ output, "b3": output.sum(axis=0)}
    for name, change in expected.items():
        np.testing.assert_allclose((executor.weights[name] - weights[name]) * count,
                                   change.reshape(weights[name].shape), atol=1e-12)


def test_a_clamped_output_drives_the_layer_below_and_is_never_driven():
    network = clamped_network((8, 7, 6, 5))
    assert [p.name for p in network.free] == ["h1", "h2"]
    assert {p.source for p in network.into("h2")} == {"h1", "y", "one"}
    assert not network.into("y") and "d" not in {p.name for p in network.populations}
