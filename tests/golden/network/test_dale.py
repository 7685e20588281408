"""Ghost networks whose populations have one sign each (Dale)."""

from dataclasses import replace

import numpy as np

from apical.golden.executors.float.executor import FloatExecutor
from apical.golden.network.dale import SIGNED, dale_network, dale_weights, excite_only
from apical.golden.network.ghosts import interneurons
from apical.golden.program import STATE, Program
from apical.golden.references.gradients import backprop, cosine, layers_of
from apical.golden.systems.ghost_phases import free_phase
from apical.golden.systems.ghost_units import learning_rates, training

SIZES = (12, 10, 8, 4)


def dale():
    network = dale_network(SIZES)
    return network, dale_weights(network, 1)


def test_every_population_of_a_dale_network_has_one_sign():
    network, weights = dale()
    signs = {}
    for p in network.projections:
        if p.matrix[0] in SIGNED:
            assert (weights[p.matrix] >= 0).all() and weights[p.matrix].any()
            signs.setdefault(p.source, set()).add(p.sign)
    assert interneurons(network) == ["i1", "i2", "i3", "j1", "j2"]
    assert signs == {**dict.fromkeys(("x", "h1", "h2", "y"), {1}),
                     **dict.fromkeys(("g1", "g2", *interneurons(network)), {-1})}


def _moved(network, weights):
    """Greatest change of the feedforward pass by 80 free steps, and the states of j1."""
    x = np.random.default_rng(0).random((5, 12))
    executor = FloatExecutor(network, weights, np.float64)
    first, later = (executor.run(Program("free", tuple(free_phase(network, "duplicate", steps))),
                                 {"x": x}).states for steps in (0, 80))
    return (max(np.abs(first[n, STATE] - later[n, STATE]).max() for n in ("h1", "h2", "y")),
            later["j1", STATE])


def test_ghosts_of_a_dale_network_cancel():
    network, weights = dale()
    far, rest = _moved(network, weights)
    assert far < 1e-12
    np.testing.assert_allclose(rest, 0.5, atol=1e-12)
    # Control: ghosts that excite the interneuron of the feedback do not cancel it.
    wrong = replace(network, projections=tuple(
        replace(p, sign=1) if p.name == "mean_ghost1" else p for p in network.projections))
    far, rest = _moved(wrong, weights)
    assert far > 0.1 and (rest > 0.6).all()


def _cosines(network, weights, plain):
    rng = np.random.default_rng(2)
    x, d = rng.random((20, 12)), rng.random((20, 4))
    executor = FloatExecutor(network, weights, np.float64)
    executor.run(training(network, "duplicate", 0, 60, 12), {"x": x, "d": d}, collect=False,
                 rates=learning_rates(network, 1e-6, 12))
    return [cosine(weights[f"W{k}"] - executor.weights[f"W{k}"], g)
            for k, (g, _) in enumerate(backprop(layers_of(plain), x, d), 1)]


def test_a_dale_network_follows_the_gradient_of_what_its_layers_receive():
    network, weights = dale()
    plain = {name: w.copy() for name, w in weights.items() if name[0] in "Wb"}
    for k in (1, 2, 3):
        plain[f"W{k}"] -= weights[f"P{k}"] @ weights[f"N{k}"]
    assert min(_cosines(network, weights, plain)) > 0.98
    # Control: feedback without its inhibition.
    for k in (1, 2):
        weights[f"R{k}"][...] = weights[f"a{k}"][...] = 0
    assert min(_cosines(network, weights, plain)) < 0.9


def test_weights_of_layers_are_projected():
    weights = {"W1": np.array([[0.5, -0.1]]), "W2": np.array([[0.2]]), "b1": np.array([[-1.0]])}
    assert excite_only(weights) == ["W1"]
    assert weights["W1"].tolist() == [[0.5, 0.0]] and weights["b1"][0, 0] == -1
