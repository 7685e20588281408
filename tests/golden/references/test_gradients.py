"""Gradient truth: the references against each other, the rules against the references."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apical.golden.executors.float.executor import FloatExecutor
from apical.golden.network import glorot, layered
from apical.golden.references.gradients import (
    backprop,
    cosine,
    energy_step,
    finite_differences,
    fixed_point,
    layers_of,
    logistic,
    through_time,
)
from apical.golden.systems import equilibrium
from apical.golden.systems.stdp import training


def problem(sizes, seed, gain=1.5, batch=2):
    rng = np.random.default_rng(seed)
    weights = {name: gain * w + (0.3 * rng.normal(size=w.shape) if name[0] == "b" else 0)
               for name, w in glorot(layered(sizes), seed).items()}
    return weights, rng.normal(size=(batch, sizes[0])), rng.random((batch, sizes[-1]))


def test_backprop_is_the_derivative_of_the_cost():
    weights, x, d = problem((5, 4, 3), 0)
    layers = layers_of(weights)

    def cost():
        r = x
        for w, b in layers:
            r = logistic(r @ w + b)
        return 0.5 * np.square(d - r).sum(axis=1).mean()

    for pair, gradients in zip(layers, backprop(layers, x, d), strict=True):
        for values, gradient in zip(pair, gradients, strict=True):
            for index in np.ndindex(values.shape):
                kept = values[index]
                values[index] = kept + 1e-5
                above = cost()
                values[index] = kept - 1e-5
                assert gradient[index] == pytest.approx((above - cost()) / 2e-5, abs=1e-9)
                values[index] = kept


def test_through_time_is_the_derivative_of_the_last_steps():
    weights, x, d = problem((4, 3, 2), 1)
    layers = layers_of(weights)
    start = fixed_point(layers, x, "logistic")
    steps = 4

    def cost():
        u = start
        for _ in range(steps):
            u = energy_step(layers, u, x, "logistic", 0.5)
        return 0.5 * np.square(d - u[-1]).sum(axis=1).mean()

    for pair, gradients in zip(layers, through_time(layers, x, d, "logistic", steps), strict=True):
        for values, gradient in zip(pair, gradients, strict=True):
            for index in np.ndindex(values.shape):
                kept = values[index]
                values[index] = kept + 1e-5
                above = cost()
                values[index] = kept - 1e-5
                assert gradient[index] == pytest.approx((above - cost()) / 2e-5, abs=1e-9)
                values[index] = kept


def test_through_all_time_is_the_gradient_at_the_fixed_point():
    weights, x, d = problem((4, 3, 2), 2)
    layers = layers_of(weights)
    for (w, b), (v, c) in zip(finite_differences(layers, x, d, "logistic"),
                              through_time(layers, x, d, "logistic", 200), strict=True):
        np.testing.assert_allclose(w, v, atol=1e-8)
        np.testing.assert_allclose(b, c, atol=1e-8)


def update(weights, sizes, x, d, rate, nudge_steps, kind="centred", shift=10, steps=400):
    network = layered(sizes, rate)
    executor = FloatExecutor(network, weights, np.float64)
    if kind == "integrated":
        program = training(network, "integrated", steps, nudge_steps, shift)
        rates = equilibrium.learning_rates(network, 1e-7, shift)
    else:
        program = equilibrium.training(network, steps, nudge_steps, shift, estimator=kind)
        rates = equilibrium.learning_rates(network, 1e-7, shift, kind)
    executor.run(program, {"x": x, "d": d}, rates=rates, collect=False)
    return {name: (executor.weights[name] - weights[name]) / 1e-7 for name in weights}


SIZES = st.lists(st.integers(2, 6), min_size=3, max_size=5).map(tuple)


@settings(max_examples=12, deadline=None)
@given(sizes=SIZES, seed=st.integers(0, 10_000), steps=st.integers(2, 8))
def test_equilibrium_propagation_is_backpropagation_through_time(sizes, seed, steps):
    weights, x, d = problem(sizes, seed)
    true = through_time(layers_of(weights), x, d, "logistic", steps)
    found = update(weights, sizes, x, d, "logistic", steps)
    for k, (w, b) in enumerate(true, 1):
        for name, gradient in ((f"W{k}", w), (f"b{k}", b)):
            size = np.abs(gradient).max()
            if size < 1e-5:  # the signal has not arrived, or hardly
                continue
            np.testing.assert_allclose(found[name].reshape(gradient.shape), -gradient,
                                       atol=1e-3 * size)


@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 10_000), kind=st.sampled_from(["one-sided", "centred", "integrated"]))
def test_hard_units_inside_their_range_learn_along_the_gradient(seed, kind):
    sizes, rng = (6, 5, 4, 3), np.random.default_rng(seed)
    weights = {name: 0.4 * w for name, w in glorot(layered(sizes), seed).items()}
    u = [rng.uniform(0.25, 0.75, (1, n)) for n in sizes]
    for k in (1, 2, 3):  # biases that make u the fixed point
        weights[f"b{k}"] = u[k] - u[k - 1] @ weights[f"W{k}"]
        if k < 3:
            weights[f"b{k}"] -= u[k + 1] @ weights[f"W{k + 1}"].T
    d = rng.random((1, 3))
    true = through_time(layers_of(weights), u[0], d, "hard-sigmoid", 200)
    found = update(weights, sizes, u[0], d, "hard-sigmoid", 200, kind)
    for k, (w, _) in enumerate(true, 1):
        assert cosine(found[f"W{k}"], -w) > 0.9995
        assert np.linalg.norm(found[f"W{k}"]) == pytest.approx(np.linalg.norm(w), rel=0.02)


def test_the_comparison_fails_for_a_wrong_update():
    weights, x, d = problem((5, 4, 3), 3)
    true = through_time(layers_of(weights), x, d, "logistic", 6)
    found = update(weights, (5, 4, 3), x, 1 - d, "logistic", 6)
    assert cosine(found["W2"], -true[1][0]) < 0.9
