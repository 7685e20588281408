"""Programs of layered networks: the sweep, and where relaxations from it and from zero end."""

import numpy as np
import pytest

from apical.golden.executors.float.executor import FloatExecutor
from apical.golden.network import glorot, layered
from apical.golden.network.energy import force, greatest_coupling, projected_force
from apical.golden.program import Program
from apical.golden.program.layered import drive, inference, start_state, sweep


def swept(network, weights, x):
    """States after drive and sweep, float64."""
    program = Program("sweep", tuple(drive(network) + sweep(network)))
    return FloatExecutor(network, weights, np.float64).run(program, {"x": x}).states


def orthogonal(rng, n):
    return np.linalg.qr(rng.normal(size=(n, n)))[0]


def perfect_auto_encoder(layers, n=24, seed=0):
    """Network of `layers` equal settling layers in which all branches agree (papers: section 1).

    W_1 anything, W_k = Q_k / 2 for 1 < k < L, W_L = Q_L / sqrt 2, all Q orthogonal, no biases.
    """
    rng = np.random.default_rng(seed)
    network = layered([n] * (layers + 1), "hard-tanh")
    weights = {m.name: np.zeros(m.shape) for m in network.matrices}
    # Small enough that every state stays inside the linear range.
    weights["W1"] = 0.2 * rng.normal(size=(n, n)) / n
    for k in range(2, layers + 1):
        weights[f"W{k}"] = orthogonal(rng, n) / (np.sqrt(2) if k == layers else 2)
    return network, weights, rng.uniform(-1, 1, (5, n))


@pytest.mark.parametrize("sizes", [(7, 4), (7, 6, 4), (9, 8, 7, 6, 5)])
def test_the_sweep_is_the_formula(sizes):
    rng = np.random.default_rng(3)
    network = layered(sizes)
    weights = {name: w + rng.uniform(0, 0.1, w.shape) for name, w in glorot(network, 3).items()}
    x = rng.random((6, sizes[0]))
    states, u = swept(network, weights, x), x
    names = [p.name for p in network.free]
    for k, name in enumerate(names, 1):
        gain = 1 if name == "y" else 2
        u = np.clip(gain * (u @ weights[f"W{k}"] + weights[f"b{k}"] / gain), 0, 1)
        np.testing.assert_allclose(states[name, "state"], u, atol=1e-14)
    assert np.mean((u > 0) & (u < 1)) > 0


@pytest.mark.parametrize("layers", [2, 3, 4, 6, 8])
def test_a_perfect_auto_encoder_has_no_force_after_the_sweep(layers):
    network, weights, x = perfect_auto_encoder(layers)
    states = swept(network, weights, x)
    assert max(np.abs(f).max() for f in force(network, weights, states).values()) < 1e-12
    assert np.abs(states["y", "state"]).max() > 0.01
    # Any other last layer breaks the agreement: the force above is not zero for want of states.
    weights[f"W{layers}"] = weights[f"W{layers}"] * 1.5
    states = swept(network, weights, x)
    assert max(np.abs(f).max() for f in force(network, weights, states).values()) > 1e-3


@pytest.mark.parametrize("layers", [2, 3, 4, 6, 8])
def test_from_zero_the_perfect_auto_encoder_is_as_slow_as_its_spectrum(layers):
    # The relaxation matrix has eigenvalues cos((2m - 1) pi / 2L): the deeper the slower, which is
    # what the sweep saves.
    network, weights, x = perfect_auto_encoder(layers)
    greatest = []
    FloatExecutor(network, weights, np.float64).run(
        inference(network, 300, start="zero"), {"x": x},
        on_step=lambda position, step, states: greatest.append(
            max(np.abs(f).max() for f in force(network, weights, states).values())))
    late = greatest[60 * layers // 2:60 * layers // 2 + 31]
    slowest = 1 - (1 - np.cos(np.pi / (2 * layers))) / 2
    assert (late[-1] / late[0]) ** (1 / 30) == pytest.approx(slowest, rel=0.002)
    assert greatest[0] > 0.01


@pytest.mark.parametrize("rate", ["hard-sigmoid", "hard-tanh"])
def test_both_starts_end_at_the_same_fixed_point(rate):
    rng = np.random.default_rng(5)
    network = layered((10, 8, 6, 4), rate)
    weights = {name: w + rng.uniform(0, 0.1, w.shape) for name, w in glorot(network, 5).items()}
    coupling = greatest_coupling(network, weights)
    # Below a coupling of 1 the energy is convex: there is one fixed point.
    for name in ("W2", "W3"):
        weights[name] *= 0.8 / coupling
    x = rng.random((8, 10))
    executor = FloatExecutor(network, weights, np.float64)
    ends = [executor.run(inference(network, 500, start=start), {"x": x}).states
            for start in ("sweep", "zero")]
    for name in ("h1", "h2", "y"):
        np.testing.assert_allclose(ends[0][name, "state"], ends[1][name, "state"], atol=1e-9)
    assert max(np.abs(f).max()
               for f in projected_force(network, weights, ends[0]).values()) < 1e-9
    assert np.ptp(ends[0]["y", "state"]) > 0.05


def test_unknown_starts_are_refused():
    with pytest.raises(ValueError, match="unknown start 'one'"):
        start_state(layered((3, 2)), "one")
