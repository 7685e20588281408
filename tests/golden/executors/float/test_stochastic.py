"""Sample and FlowRate of the float executor against their formulas and statistics."""

import numpy as np
import pytest

from apical.golden.executors.float.executor import FloatExecutor
from apical.golden.network import Matrix, Network, Population, Projection
from apical.golden.program import (
    FLOW_LIMIT,
    STATE,
    FlowRate,
    Program,
    Project,
    Relax,
    Reseed,
    Sample,
    Snapshot,
)

FIELDS = np.array([-30, -8, -2, -0.5, 0, 0.25, 1, 3, 9, 40.0])


def machine(fields=FIELDS):
    """One binary unit for each field, driven by the constant 1 alone."""
    size = len(fields)
    network = Network("fields", (Population("x", 1, "binary", clamped=True),
                                 Population("s", size, "binary"), Population("one", 1, "constant")),
                      (Matrix("b", 1, size),), (Projection("bias", "one", "s", "b"),))
    return network, {"b": np.array([fields])}


def run(ops, images=3, dtype=np.float64, fields=FIELDS, seed=0, first_image=0):
    network, weights = machine(fields)
    return FloatExecutor(network, weights, dtype).run(
        Program("test", (Project("bias"), *ops)), {"x": np.zeros((images, 1))}, seed=seed,
        first_image=first_image).states


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_mean_is_the_logistic_function(dtype):
    states = run([Sample("s", mode="mean")], dtype=dtype)["s", STATE]
    np.testing.assert_allclose(states[1], 1 / (1 + np.exp(-FIELDS)), atol=1e-6 if
                               dtype == np.float32 else 1e-15)


def test_the_threshold_is_at_one_half():
    states = run([Sample("s", mode="threshold")])["s", STATE]
    np.testing.assert_array_equal(states, np.tile(FIELDS > 0, (3, 1)))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_samples_are_bits_with_the_chance_of_the_field(dtype):
    fields = np.repeat([-3.0, -1.0, -0.1, 0.0, 0.7, 2.0], 50)
    states = run([Sample("s")], 2000, dtype, fields, seed=5)["s", STATE]
    assert set(np.unique(states)) == {0, 1}
    chance = 1 / (1 + np.exp(-fields))
    groups, wanted = states.reshape(2000, 6, 50), chance[::50]
    error = (groups.mean(axis=(0, 2)) - wanted) / np.sqrt(wanted * (1 - wanted) / 100_000)
    assert np.abs(error).max() < 4
    # Units and images are independent: correlations as small as chance allows.
    inner = groups[:, 3]  # field 0
    pairs = np.corrcoef(inner.T)[np.triu_indices(50, 1)]
    assert abs(pairs.mean()) * np.sqrt(len(pairs) * 2000) < 4
    assert pairs.std() * np.sqrt(2000) == pytest.approx(1, abs=0.1)
    neighbours = np.mean((inner[1:] - 0.5) * (inner[:-1] - 0.5)) * 4
    assert abs(neighbours) * np.sqrt(1999 * 50) < 4


def test_extreme_fields_never_flip():
    states = run([Sample("s")], 5000, np.float32, np.array([-60.0, 60.0]))["s", STATE]
    np.testing.assert_array_equal(states.mean(axis=0), [0, 1])


def test_draws_follow_their_address():
    fields = np.zeros(40)
    twice = [Sample("s"), Snapshot("s", "first"), Sample("s")]
    states = run(twice, 8, fields=fields)
    assert (states["s", STATE] != states["s", "first"]).mean() == pytest.approx(0.5, abs=0.15)
    again = run([Sample("s"), Snapshot("s", "first"), Reseed(0), Sample("s")], 8, fields=fields)
    np.testing.assert_array_equal(again["s", STATE], again["s", "first"])
    np.testing.assert_array_equal(again["s", STATE], states["s", "first"])
    assert (run([Sample("s")], 8, fields=fields, seed=1)["s", STATE]
            != states["s", "first"]).any()
    # Image 5 draws the same in whatever batch it runs.
    part = run([Sample("s")], 3, fields=fields, first_image=5)["s", STATE]
    np.testing.assert_array_equal(part, states["s", "first"][5:])
    # A mean or a threshold draws nothing.
    mixed = run([Sample("s", mode="mean"), Sample("s", mode="threshold"), Sample("s")], 8,
                fields=fields)
    np.testing.assert_array_equal(mixed["s", STATE], states["s", "first"])


def test_a_loop_draws_anew_each_time():
    seen = []
    network, weights = machine(np.zeros(64))
    FloatExecutor(network, weights).run(
        Program("loop", (Project("bias"), Relax(3, (Sample("s"),)))), {"x": np.zeros((2, 1))},
        on_step=lambda where, step, states: seen.append(states["s", STATE].copy()))
    assert all((a != b).any() for a, b in zip(seen[1:], seen[2:]))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_flow_rates_follow_the_formula(dtype):
    states = run([Sample("s"), FlowRate("s")], 200, dtype, np.linspace(-16, 16, 41))
    s, q, fields = states["s", STATE], states["s", "flow"], np.linspace(-16, 16, 41)
    exponent = np.clip((0.5 - s) * fields, -FLOW_LIMIT, FLOW_LIMIT)
    np.testing.assert_allclose(q, (s - 0.5) * np.exp(exponent), rtol=1e-5 if
                               dtype == np.float32 else 1e-14)
    assert {0, 1} == set(np.unique(s))


def test_flow_rates_are_clipped():
    states = run([FlowRate("s")], 1, np.float64, np.array([100.0, -100.0]))
    np.testing.assert_allclose(states["s", "flow"][0], [-0.5 * np.exp(6), -0.5 * np.exp(-6)])


def test_flow_rates_of_exact_samples_vanish_on_average():
    fields = np.repeat([-2.0, 0.3, 1.5], 100)
    q = run([Sample("s"), FlowRate("s")], 1000, np.float64, fields, seed=2)["s", "flow"]
    q = q.reshape(1000, 3, 100).swapaxes(0, 1).reshape(3, -1)
    assert (np.abs(q.mean(axis=1)) < 4 * q.std(axis=1) / np.sqrt(q.shape[1])).all()


def test_a_settling_loop_sees_means_move():
    network, weights = machine()
    result = FloatExecutor(network, weights).run(
        Program("mean", (Project("bias"), Relax(9, (Sample("s", mode="mean"),), 1e-6))),
        {"x": np.zeros((2, 1))})
    np.testing.assert_array_equal(result.steps, 2)
