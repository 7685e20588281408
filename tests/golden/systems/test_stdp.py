"""STDP-compatible rules: telescoping, one-way, the spike-timing curve, the pair rule."""

import numpy as np
import pytest

from apical.golden.errors import MisuseError
from apical.golden.executors.float.executor import FloatExecutor
from apical.golden.network import glorot, layered
from apical.golden.program import STATE
from apical.golden.systems.stdp import (
    RULES,
    ornstein_uhlenbeck,
    pair_rule_on_ramps,
    timing_curve,
    timing_window,
    training,
)

SIZES = (7, 6, 5, 3)


def updates(rule, sign=1, rate=1e-8):
    rng, network = np.random.default_rng(0), layered(SIZES)
    weights = {name: 0.5 * w + (0.3 if name[0] == "b" else 0)
               for name, w in glorot(network, 0).items()}
    executor = FloatExecutor(network, weights, np.float64)
    path = []
    executor.run(training(network, rule, 12, 3), {"x": rng.random((4, 7)), "d": rng.random((4, 3))},
                 rates=dict.fromkeys(weights, rate), beta_sign=sign,
                 on_step=lambda where, n, states: path.append(
                     {p.name: states[p.name, STATE].copy() for p in network.populations}))
    return {name: (executor.weights[name] - weights[name]) / rate for name in weights}, path[-4:]


def test_the_integrated_rule_telescopes_to_the_contrast():
    contrast, _ = updates("contrast")
    integrated, _ = updates("integrated")
    for name, change in contrast.items():
        np.testing.assert_allclose(integrated[name], change,
                                   atol=1e-5 * np.abs(change).max())


@pytest.mark.parametrize("sign", [1, -1])
def test_the_one_way_rule_is_presynaptic_rate_times_postsynaptic_change(sign):
    found, path = updates("one-way", sign)
    names = ("x", "h1", "h2", "y")
    for k in (1, 2, 3):
        expected = sign * sum(a[names[k - 1]].T @ (b[names[k]] - a[names[k]])
                              for a, b in zip(path, path[1:], strict=False)) / 4
        np.testing.assert_allclose(found[f"W{k}"], expected, atol=1e-6)
        assert np.abs(expected).max() > 1e-4


def test_misuse_is_named():
    with pytest.raises(MisuseError, match=f"unknown rule 'pair'; known: {', '.join(RULES)}"):
        training(layered(SIZES), "pair")
    with pytest.raises(MisuseError, match="nudge_steps is 0"):
        training(layered(SIZES), nudge_steps=0)
    with pytest.raises(MisuseError, match="population 'h1' is logistic"):
        training(layered(SIZES, "logistic"))


def test_the_voltage_has_its_autocovariance():
    u = ornstein_uhlenbeck(400_000, tau=20.0, seed=1)
    assert u[:1000].std() > 0.5  # stationary from the start
    for lag in (0, 10, 20, 40):
        assert np.mean(u[lag:] * u[:len(u) - lag]) == pytest.approx(np.exp(-lag / 20), abs=0.04)


def test_the_curve_has_the_signs_and_size_of_the_window():
    lags = np.array([-20, -10, -5, 5, 10, 20])
    curve = timing_curve(lags, steps=600_000, seed=2)
    window = timing_window(lags)
    assert (np.sign(curve) == np.sign(lags)).all()
    assert curve @ window / (window @ window) == pytest.approx(1, abs=0.2)


def test_the_pair_rule_measures_the_rate_of_change():
    expected, change = pair_rule_on_ramps(slopes=20, trials=150, seed=3)
    assert expected @ change / (expected @ expected) == pytest.approx(768, rel=0.15)
