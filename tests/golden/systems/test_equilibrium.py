"""Equilibrium propagation: the contrast against the gradient of the loss."""

import numpy as np
import pytest

from apical.golden.errors import MisuseError
from apical.golden.executors.float.executor import FloatExecutor
from apical.golden.network import Matrix, Network, Population, Projection, glorot, layered
from apical.golden.network.energy import cost, greatest_coupling
from apical.golden.program import Difference, Learn, Relax
from apical.golden.program.layered import inference
from apical.golden.systems.equilibrium import FREE, contrast, learning_rates, training

LONG = 250  # steps that reach the fixed point to rounding


def problem(sizes=(8, 7, 6, 4), batch=5, seed=2, clipped=True):
    """Network and weights with one fixed point, images and targets.

    Some units rest on a limit of their range where `clipped` is true, none otherwise.
    """
    rng = np.random.default_rng(seed)
    network = layered(sizes)
    weights = {name: 0.6 * w + rng.uniform(0, 0.12, w.shape)
               for name, w in glorot(network, seed).items()}
    if not clipped:
        weights["W1"] *= 0.3
        for k in range(1, len(sizes)):
            weights[f"b{k}"] += 0.25
    # With a coupling above 1 the nudge may tip the state into another fixed point.
    coupling = greatest_coupling(network, weights)
    for k in range(2, len(sizes)):
        weights[f"W{k}"] *= (0.7 if clipped else 0.4) / coupling
    return network, weights, rng.random((batch, sizes[0])), rng.random((batch, sizes[-1]))


def loss(network, weights, x, d):
    """Mean cost at the free fixed point."""
    executor = FloatExecutor(network, weights, np.float64)
    states = executor.run(inference(network, LONG), {"x": x, "d": d}).states
    return cost(network, {**states, ("d", "state"): d}).mean()


def change(network, weights, x, d, beta_shift, sign):
    """What one training batch at rate 1 adds to the weights."""
    executor = FloatExecutor(network, weights, np.float64)
    executor.run(training(network, LONG, LONG, beta_shift), {"x": x, "d": d},
                 rates=learning_rates(network, 1.0, beta_shift), beta_sign=sign)
    return {name: executor.weights[name] - weights[name] for name in weights}


@pytest.fixture(scope="module", params=[True, False], ids=["clipped", "interior"])
def descent(request):
    """(clipped, problem, negative gradient of the loss by finite differences)."""
    network, weights, x, d = problem(clipped=request.param)
    gradient, delta = {}, 1e-5
    for name, values in weights.items():
        gradient[name] = np.zeros_like(values)
        for at in np.ndindex(values.shape):
            ends = []
            for side in (delta, -delta):
                moved = {key: w.copy() for key, w in weights.items()}
                moved[name][at] += side
                ends.append(loss(network, moved, x, d))
            gradient[name][at] = (ends[1] - ends[0]) / (2 * delta)
    return request.param, (network, weights, x, d), gradient


def cosine(a, b):
    return float((a * b).sum() / np.sqrt((a * a).sum() * (b * b).sum()))


def test_the_problems_are_what_they_say(descent):
    clipped, (network, weights, x, d), _ = descent
    states = FloatExecutor(network, weights, np.float64).run(
        inference(network, LONG), {"x": x, "d": d}).states
    units = np.concatenate([states[p.name, "state"] for p in network.free], axis=1)
    resting = np.mean((units == 0) | (units == 1))
    assert (0.05 < resting < 0.6) if clipped else (units.min() > 0.05 and units.max() < 0.95)


@pytest.mark.parametrize("beta_shift", [3, 10])
@pytest.mark.parametrize("sign", [1, -1])
def test_the_contrast_is_the_gradient_of_the_loss(descent, beta_shift, sign):
    clipped, setting, expected = descent
    found = change(*setting, beta_shift, sign)
    # A nudge of 1/8 moves some units onto or off their limits, where there are any.
    least, error = (0.9999, 0.01) if beta_shift == 10 else (0.9, 0.6) if clipped else (0.999, 0.2)
    for name, gradient in expected.items():
        assert np.abs(gradient).max() > 1e-4, name
        assert cosine(found[name], gradient) > least, name
        # Not only the direction: 1/beta and the sign of beta are divided out.
        assert np.linalg.norm(found[name]) == pytest.approx(
            np.linalg.norm(gradient), rel=error), name


@pytest.mark.parametrize("descent", [False], ids=["interior"], indirect=True)
def test_the_two_signs_err_in_opposite_directions(descent):
    _, setting, expected = descent
    plus, minus = (change(*setting, 3, sign) for sign in (1, -1))
    for name, gradient in expected.items():
        mean = (plus[name] + minus[name]) / 2
        one_sided = min(np.abs(side[name] - gradient).max() for side in (plus, minus))
        assert np.abs(mean - gradient).max() < 0.2 * one_sided, name


def test_learning_lowers_the_loss():
    network, weights, x, d = problem()
    executor = FloatExecutor(network, weights, np.float64)
    program, rates = training(network, 20, 10), learning_rates(network, 0.05)
    before = loss(network, weights, x, d)
    for turn in range(20):
        executor.run(program, {"x": x, "d": d}, rates=rates, beta_sign=(-1) ** turn)
    assert loss(network, executor.weights, x, d) < 0.8 * before


def test_the_program_has_one_product_for_matrices_with_a_fixed_side():
    network = layered((8, 7, 6, 4))
    program = training(network)
    learned = {op.matrix: op.terms for op in program.ops if isinstance(op, Learn)}
    assert {name: len(terms) for name, terms in learned.items()} == {
        "W1": 1, "b1": 1, "W2": 2, "b2": 1, "W3": 2, "b3": 1}
    assert learned["W1"][0].rows == ("x", "state") and learned["W1"][0].cols == ("h1", "delta")
    assert sorted(op.population for op in program.ops if isinstance(op, Difference)) == [
        "h1", "h2", "y"]
    assert [op.steps for op in program.ops if isinstance(op, Relax)] == [6, 3]


def test_one_product_equals_the_contrast_of_two():
    network, weights, x, d = problem((5, 4, 3))
    executor = FloatExecutor(network, weights, np.float64)
    states = executor.run(training(network, 7, 3), {"x": x, "d": d},
                          rates=learning_rates(network, 0.1), beta_sign=-1).states
    h, free = states["h1", "state"], states["h1", FREE]
    np.testing.assert_allclose(executor.weights["W1"] - weights["W1"],
                               -0.2 * (x.T @ h - x.T @ free) / len(x), atol=1e-14)
    y, y_free = states["y", "state"], states["y", FREE]
    np.testing.assert_allclose(executor.weights["W2"] - weights["W2"],
                               -0.2 * (h.T @ y - free.T @ y_free) / len(x), atol=1e-14)


def test_signs_and_transposed_inputs_enter_the_contrast():
    network = Network("n", (Population("x", 2, clamped=True), Population("y", 3)),
                      (Matrix("W", 3, 2),), (Projection("in", "x", "y", "W", True, -1),))
    _, learn = contrast(network)
    assert learn.terms[0].rows == ("y", "delta") and learn.terms[0].cols == ("x", "state")
    assert learn.terms[0].sign == -1


def test_rates_by_layer():
    network = layered((4, 3, 2))
    assert learning_rates(network, (0.5, 0.25), 2) == {"W1": 2, "b1": 2, "W2": 1, "b2": 1}
    assert set(learning_rates(network, 0.5, 0).values()) == {0.5}


def test_misuse_is_named():
    network = layered((4, 3, 2))
    with pytest.raises(MisuseError, match="3 learning rates for 2 layers"):
        learning_rates(network, (1, 2, 3))
    with pytest.raises(MisuseError, match="unknown estimator 'both'; known: random-sign, one-si"):
        training(network, estimator="both")
    with pytest.raises(MisuseError, match="nudge_steps is 0"):
        training(network, nudge_steps=0)
    with pytest.raises(MisuseError, match="steps is -1"):
        training(network, steps=-1)
    with pytest.raises(MisuseError, match="no populations entry 'z'"):
        training(network, target="z")
    with pytest.raises(MisuseError, match="network 'n' has matrices that are not W1"):
        learning_rates(Network("n", (), (Matrix("V1", 2, 2), Matrix("W", 2, 2)), ()), 0.1)
