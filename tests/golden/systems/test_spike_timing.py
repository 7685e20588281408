"""The spike-timing curve that an executor draws."""

import numpy as np
import pytest

from apical.golden.executors.compiled.executor import CompiledExecutor
from apical.golden.executors.fixed.executor import FixedExecutor
from apical.golden.numbers.formats import STATE, Format, dequantize, quantize
from apical.golden.systems import spike_timing
from apical.golden.systems.stdp import timing_window

WEIGHT, UPDATE_FRAC = Format(16, 14), 4


def learned(trials, neurons, seed=0, kind=CompiledExecutor):
    network = spike_timing.timing_network(neurons)
    raw = {name: quantize(w, WEIGHT)[0] for name, w in spike_timing.timing_weights(network).items()}
    executor = kind(network, raw, STATE, WEIGHT, UPDATE_FRAC)
    executor.run(spike_timing.timing(), {"x": np.zeros((trials, 1), np.int64)}, seed=seed,
                 rates=spike_timing.timing_rates(trials))
    return executor.weights


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_curve_is_the_double_exponential(seed):
    trials = 400
    raw = learned(trials, 16, seed)
    weights = {name: dequantize(w, WEIGHT) for name, w in raw.items()}
    assert max(np.abs(weights[name]).max() for name in spike_timing.lag_names()) < 0.9 * 2
    change, others = spike_timing.curve(weights, trials, spike_timing.timing_rates(trials))
    expected = spike_timing.expected_curve()
    assert np.corrcoef(change, expected)[0, 1] > 0.97
    assert 0.85 < change @ expected / (expected @ expected) < 1.15
    assert abs(others @ expected / (expected @ expected)) < 0.1


def test_what_is_expected_is_the_window_of_the_paper():
    """Up to a factor, with the time constant of the relaxation."""
    tau = -1 / np.log(1 - 2.0 ** -spike_timing.SHIFT)
    window = timing_window(spike_timing.lags(), tau)
    assert np.corrcoef(spike_timing.expected_curve(), window)[0, 1] > 1 - 1e-12


def test_both_executors_agree():
    for name, values in learned(6, 4).items():
        assert (values == learned(6, 4, kind=FixedExecutor)[name]).all()


@pytest.mark.parametrize("trials", [2, 100, 101, 300, 5000])
def test_rates_are_powers_of_two_that_fall_with_the_trials(trials):
    rate = spike_timing.timing_rates(trials)["after0"]
    assert np.log2(rate) == round(np.log2(rate))
    assert 3 < rate * trials < 6.5 or trials < 100
