"""Ghost units: cancellation, the update against backpropagation, twin runs, misuse."""

import numpy as np
import pytest

from apical.golden.errors import MisuseError
from apical.golden.executors.float.executor import FloatExecutor
from apical.golden.network.ghosts import ghost_network, ghost_weights, ghosts, hidden
from apical.golden.program import STATE, Program
from apical.golden.program.layered import drive
from apical.golden.references.gradients import backprop, cosine, layers_of, logistic
from apical.golden.systems.ghost_learning import ghost_learning, learned_rates
from apical.golden.systems.ghost_phases import feedforward, free_phase, inference
from apical.golden.systems.ghost_units import learning_rates, training

SIZES = (12, 10, 8, 4)


def problem(mode="duplicate", seed=0):
    rng = np.random.default_rng(seed)
    network = ghost_network(SIZES, mode)
    return network, ghost_weights(network, seed), rng.random((6, 12)), rng.random((6, 4))


def passed(weights, x):
    """Potentials of the feedforward pass."""
    found, r = [], x
    for w, b in layers_of(weights):
        found.append(r @ w + b)
        r = logistic(found[-1])
    return found


@pytest.mark.parametrize(("mode", "cancelled"), [("duplicate", True), ("online", True),
                                                 ("none", False)])
def test_the_free_fixed_point_is_the_feedforward_pass(mode, cancelled):
    network, weights, x, _ = problem(mode)
    executor = FloatExecutor(network, weights, np.float64)
    states = executor.run(Program("free", tuple(free_phase(network, mode, 120, "zero"))),
                          {"x": x}).states
    far = max(np.abs(states[name, STATE] - u).max()
              for name, u in zip(("h1", "h2", "y"), passed(weights, x), strict=True))
    assert far < 1e-9 if cancelled else far > 0.1


@pytest.mark.parametrize("mode", ["duplicate", "online"])
def test_the_feedforward_start_stands_still(mode):
    network, weights, x, _ = problem(mode)
    executor = FloatExecutor(network, weights, np.float64)
    first = executor.run(Program("start", (*drive(network), *feedforward(
        network, mode == "online"))), {"x": x}).states
    later = executor.run(Program("free", tuple(free_phase(network, mode, 7))), {"x": x}).states
    for p in network.free:
        np.testing.assert_allclose(first[p.name, STATE], later[p.name, STATE], atol=1e-12)


@pytest.mark.parametrize("mode", ["duplicate", "online"])
def test_updates_tend_to_backpropagation(mode):
    network, weights, x, d = problem(mode, 1)
    executor = FloatExecutor(network, weights, np.float64)
    executor.run(training(network, mode, nudge_steps=6, beta_shift=12), {"x": x, "d": d},
                 rates=learning_rates(network, 1e-5, 12), collect=False)
    for k, (w, b) in enumerate(backprop(layers_of(weights), x, d), 1):
        for name, gradient in ((f"W{k}", w), (f"b{k}", b)):
            change = (executor.weights[name] - weights[name]) / 1e-5
            assert cosine(change, -gradient) > 0.98
            assert np.linalg.norm(change) == pytest.approx(np.linalg.norm(gradient), rel=0.5)


def test_a_twin_run_takes_the_drift_away():
    network, _, x, d = problem("learned")
    weights = ghost_weights(network, 3)
    updates = {}
    for twin in (True, False):
        executor = FloatExecutor(network, weights, np.float64)
        executor.run(training(network, "learned", 3, 6, 12, "zero", twin=twin), {"x": x, "d": d},
                     rates=learning_rates(network, 1e-5, 12), collect=False)
        updates[twin] = np.abs(executor.weights["W1"] - weights["W1"]).max() / 1e-5
    assert updates[False] > 50 * updates[True]


def test_ghosts_learn_to_cancel():
    network, _, x, _ = problem("learned")
    weights = ghost_weights(network, 3)
    executor = FloatExecutor(network, weights, np.float64)
    program = ghost_learning(network, 0)
    rates = {m.name: 0.2 if m.name[0] == "v" else 1.0 for m in network.matrices}

    def residual():
        return np.abs(executor.run(program, {"x": x}, rates=dict.fromkeys(rates, 0.0)).states[
            "h1", "left"]).max()

    first = residual()
    for _ in range(600):
        executor.run(program, {"x": x}, rates=rates, collect=False)
    assert residual() < 0.1 * first
    assert all(np.array_equal(executor.weights[f"W{k}"], weights[f"W{k}"]) for k in (1, 2, 3))


def test_inference_is_the_class_of_the_feedforward_pass():
    network, weights, x, _ = problem()
    result = FloatExecutor(network, weights, np.float64).run(inference(network), {"x": x})
    np.testing.assert_array_equal(result.predictions, passed(weights, x)[-1].argmax(axis=1))


@pytest.mark.parametrize(("call", "message"), [
    (lambda: ghost_network(SIZES, "copied"), "unknown mode 'copied' of ghost units; known: dup"),
    (lambda: ghost_network((4,)), "at least an input and an output layer"),
    (lambda: training(ghost_network(SIZES), nudge_steps=0), "nudge_steps is 0"),
    (lambda: free_phase(ghost_network(SIZES), "duplicate", 1, "one"), "unknown start 'one'"),
    (lambda: learning_rates(ghost_network(SIZES), (1, 2)), "2 learning rates for 3 layers"),
])
def test_misuse_is_named(call, message):
    with pytest.raises(MisuseError, match=message):
        call()


def test_without_hidden_layers_there_are_no_ghosts():
    network = ghost_network((5, 3))
    assert ghosts(network) == hidden(network) == []
    weights = ghost_weights(network)
    FloatExecutor(network, weights).run(training(network), {"x": np.ones((2, 5)),
                                                            "d": np.ones((2, 3))},
                                        rates=learning_rates(network, 0.1))


@pytest.mark.parametrize(("sizes", "message"), [
    ((20, 3.5, 3), "each must be a whole number"), ((20, 0, 3), "layer size 0 is not a positive"),
    ((20,), "an input and an output layer"),
])
def test_sizes_are_checked_as_those_of_layered_networks(sizes, message):
    with pytest.raises(MisuseError, match=message):
        ghost_network(sizes)


@pytest.mark.parametrize("mode", ["random-feedback", "learned-feedback"])
def test_separate_feedback_is_cancelled_and_learns_as_its_mode_says(mode):
    network, weights, x, d = problem(mode, 4)
    executor = FloatExecutor(network, weights, np.float64)
    states = executor.run(Program("free", tuple(free_phase(network, mode, 60, "zero"))),
                          {"x": x}).states
    for name, u in zip(("h1", "h2", "y"), passed(weights, x), strict=True):
        np.testing.assert_allclose(states[name, STATE], u, atol=1e-9)
    executor.run(training(network, mode), {"x": x, "d": d}, rates=learning_rates(network, 0.5),
                 collect=False)
    for k in (2, 3):
        moved = executor.weights[f"F{k}"] - weights[f"F{k}"]
        forward = executor.weights[f"W{k}"] - weights[f"W{k}"]
        assert np.abs(forward).max() > 1e-3
        np.testing.assert_allclose(moved, forward.T if mode == "learned-feedback" else 0,
                                   atol=1e-15)


def test_rates_of_learned_ghosts_fall_with_the_layers_below():
    small, large = (learned_rates(ghost_network(sizes, "learned"), 1.0)
                    for sizes in ((12, 10, 8, 4), (784, 300, 100, 10)))
    assert small["V1"] == small["v1"] == 2.0 ** -3 and small["B1"] == 2.0 ** -5
    # A rate times a quarter of the units, the squared length of rates of 1/2, stays below 2.
    assert large["V1"] == large["v1"] == 2.0 ** -6 and large["V2"] == 2.0 ** -5
    assert large["B1"] == 2.0 ** -5 and all(
        large[f"{name}{k}"] * units / 4 < 2 for name, k, units in
        (("V", 1, 300), ("V", 2, 100), ("B", 1, 100), ("B", 2, 10)))
