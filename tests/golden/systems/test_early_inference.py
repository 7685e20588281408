"""Early inference: arrival steps, backpropagated errors, twin runs with noise, masks."""

import numpy as np
import pytest

from apical.golden.errors import MisuseError
from apical.golden.executors.float.executor import FloatExecutor
from apical.golden.network import glorot, layered
from apical.golden.program import Reseed, walk
from apical.golden.references.gradients import cosine
from apical.golden.systems.early_inference import EARLY, FREE, NUDGED, backpropagated, early_change

SIZES = (9, 8, 7, 6, 4)
NAMES = ("h1", "h2", "h3", "y")


def problem(seed=0):
    rng, network = np.random.default_rng(seed), layered(SIZES, "logistic")
    weights = {name: 2 * w for name, w in glorot(network, seed).items()}
    return network, weights, {"x": rng.random((1, 9)), "d": rng.random((1, 4))}


def change(steps, beta_shift=12, seed=0, **options):
    network, weights, inputs = problem(seed)
    program = early_change(network, 3000, steps, beta_shift, **options)
    states = FloatExecutor(network, weights, np.float64).run(program, inputs).states
    return states, backpropagated(network, weights, states, inputs["d"])


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_first_change_is_the_backpropagated_error(seed):
    for k, name in enumerate(NAMES):
        arrival = len(NAMES) - k
        if arrival > 1:
            before, _ = change(arrival - 1, seed=seed)
            assert not before[name, EARLY].any()
        states, errors = change(arrival, seed=seed)
        # first order in beta: -eps**arrival beta delta, exactly
        np.testing.assert_allclose(states[name, EARLY], -0.5 ** arrival * 2.0 ** -12
                                   * errors[name], rtol=2e-2, atol=1e-9)
        assert cosine(states[name, EARLY], -errors[name]) > 0.9999


def test_a_wrong_error_is_seen():
    network, weights, inputs = problem()
    states, _ = change(4)
    wrong = backpropagated(network, weights, states, 1 - inputs["d"])
    assert cosine(states["h1", EARLY], -wrong["h1"]) < 0.99


def test_twin_runs_cancel_equal_noise():
    noisy, errors = change(3, beta_shift=3, sigma=0.01)
    plain, _ = change(3, beta_shift=3, sigma=0.01, twin=False)
    quiet, _ = change(3, beta_shift=3)
    np.testing.assert_allclose(noisy["y", EARLY], quiet["y", EARLY], atol=2e-3)
    assert np.abs(plain["y", EARLY] - quiet["y", EARLY]).max() > 4e-3
    assert cosine(noisy["h2", EARLY], -errors["h2"]) > 0.9
    np.testing.assert_array_equal(plain["y", NUDGED] - plain["y", FREE], plain["y", EARLY])
    # Without reseeding the twin would have other noise.
    assert sum(isinstance(op, Reseed) for op in walk(
        early_change(problem()[0], 5, 3, sigma=0.01).ops)) == 2


def test_units_at_a_limit_have_no_error():
    network = layered((3, 2, 2))
    weights = {"W1": np.ones((3, 2)), "b1": np.array([[-2.5, 5.0]]), "W2": np.full((2, 2), 0.5),
               "b2": np.array([[0.1, -9.0]])}
    states = {("h1", FREE): np.array([[0.5, 1.0]]), ("y", FREE): np.array([[0.6, 0.0]])}
    errors = backpropagated(network, weights, states, np.array([[0.1, 1.0]]))
    np.testing.assert_allclose(errors["y"], [[0.5, 0.0]])
    np.testing.assert_allclose(errors["h1"], [[0.25, 0.0]])
    assert list(errors) == ["h1", "y"]


def test_misuse_is_named():
    with pytest.raises(MisuseError, match="steps -1; both are 0 at least"):
        early_change(layered(SIZES), 5, -1)
