"""Energy: against the sum over pairs, its gradient, and its fall in a relaxation."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apical.golden.errors import MisuseError
from apical.golden.executors.float.executor import FloatExecutor
from apical.golden.network import Matrix, Network, Population, Projection, glorot, layered
from apical.golden.network.energy import (
    cost,
    couplings,
    energy,
    force,
    greatest_coupling,
    projected_force,
    total_energy,
)
from apical.golden.program import Program, Relax
from apical.golden.program.layered import drive, nudged, start_state, step


def problem(rate="hard-sigmoid", sizes=(6, 5, 4, 3), batch=4, seed=0):
    """Network, weights and random states of a batch."""
    rng = np.random.default_rng(seed)
    network = layered(sizes, rate)
    weights = {name: w + rng.uniform(-0.1, 0.3, w.shape)
               for name, w in glorot(network, seed).items()}
    states = {p.name: rng.uniform(0.1, 0.9, (batch, p.size)) for p in network.populations}
    states["one"][:] = 1
    return network, weights, states


def test_energy_is_the_sum_over_pairs():
    network, weights, states = problem(batch=1)
    names = ["x", "h1", "h2", "y"]
    expected = 0.0
    for k, name in enumerate(names[1:], 1):
        u, below = states[name][0], states[names[k - 1]][0]
        for i, value in enumerate(u):
            expected += value * value / 2 - weights[f"b{k}"][0, i] * value
            for j, lower in enumerate(below):
                expected -= weights[f"W{k}"][j, i] * lower * value
    assert energy(network, weights, states)[0] == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("rate", ["hard-sigmoid", "hard-tanh", "logistic"])
@pytest.mark.parametrize("beta", [0.0, 0.5, -0.25])
def test_force_is_the_negative_gradient(rate, beta):
    network, weights, states = problem(rate)
    forces = force(network, weights, states, beta)
    delta = 1e-5
    for population in network.free:
        for unit in range(population.size):
            ends = []
            for side in (delta, -delta):
                moved = {name: values.copy() for name, values in states.items()}
                moved[population.name][:, unit] += side
                ends.append(total_energy(network, weights, moved, beta))
            slope = (ends[0] - ends[1]) / (2 * delta)
            np.testing.assert_allclose(forces[population.name][:, unit], -slope, atol=1e-8)


def test_cost_has_the_half():
    network, _, states = problem()
    miss = states["d"] - states["y"]
    np.testing.assert_allclose(cost(network, states), [row @ row / 2 for row in miss])


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10**6), depth=st.integers(1, 3), scale=st.floats(0.2, 3),
       rate=st.sampled_from(["hard-sigmoid", "hard-tanh"]), shift=st.integers(1, 3),
       beta=st.sampled_from([None, 1, -1]))
def test_energy_falls_in_every_step(seed, depth, scale, rate, shift, beta):
    rng = np.random.default_rng(seed)
    network = layered(rng.integers(2, 12, depth + 2), rate)
    weights = {name: scale * w + rng.normal(0, 0.2, w.shape)
               for name, w in glorot(network, seed).items()}
    # Within this coupling a step of 1/2 cannot overshoot, see the module (the nudge adds 1/4).
    too_strong = greatest_coupling(network, weights) / 2.7
    if too_strong > 1:
        weights = {name: w / too_strong for name, w in weights.items()}
    inputs = {p.name: rng.random((3, p.size)) for p in network.clamped}
    nudges = None if beta is None else nudged(shift=2, sign=beta)
    strength = 0 if beta is None else beta / 4
    seen = []
    program = Program("relax", (*drive(network), *start_state(network, "keep"),
                                Relax(15, step(network, shift, nudges))))
    first = {p.name: rng.random((3, p.size)) for p in network.free}
    FloatExecutor(network, weights, np.float64).run(
        program, inputs, first, on_step=lambda where, n, states: seen.append(
            total_energy(network, weights, states, strength)))
    assert np.all(np.diff(seen, axis=0) <= 1e-12)
    assert np.all(seen[0] > seen[-1])


def test_energy_may_rise_beyond_the_bound():
    # The bound is not idle: with twice the coupling the synchronous step overshoots.
    network = layered((1, 1, 1), "hard-tanh")
    weights = {"W1": np.zeros((1, 1)), "W2": np.array([[6.0]]), "b1": np.zeros((1, 1)),
               "b2": np.zeros((1, 1))}
    assert greatest_coupling(network, weights) == pytest.approx(6)
    seen = []
    program = Program("r", (*drive(network), Relax(3, step(network))))
    FloatExecutor(network, weights, np.float64).run(
        program, {"x": np.zeros((1, 1))}, {"h1": [[0.1]], "y": [[-0.12]]},
        on_step=lambda where, n, states: seen.append(energy(network, weights, states)[0]))
    assert np.diff(seen).max() > 0


def test_projected_force_leaves_out_units_that_rest_on_a_limit():
    network, weights, states = problem()
    states["y"][:] = 0
    weights["b3"][:] = -9
    full, projected = (f(network, weights, states)["y"] for f in (force, projected_force))
    assert full.max() < -1
    np.testing.assert_array_equal(projected, 0)
    weights["b3"][:] = 9
    np.testing.assert_array_equal(projected_force(network, weights, states)["y"],
                                  force(network, weights, states)["y"])


@pytest.mark.parametrize("projections", [
    (Projection("up", "a", "b", "W"),),
    (Projection("up", "a", "b", "W"), Projection("down", "b", "a", "W", True, -1)),
    (Projection("up", "a", "b", "W"), Projection("down", "b", "a", "V")),
])
def test_asymmetric_networks_have_no_energy(projections):
    network = Network("ghost", (Population("a", 2), Population("b", 2)),
                      (Matrix("W", 2, 2), Matrix("V", 2, 2)), projections)
    with pytest.raises(MisuseError, match="network 'ghost' has no energy: 'a' and 'b'"):
        couplings(network)


def test_missing_states_are_named():
    network, weights, states = problem()
    del states["h2"]
    with pytest.raises(MisuseError, match="no state is given for population 'h2'"):
        energy(network, weights, states)
