"""Early inference and the spike-timing curve on a device: what the fixed executor finds."""

import numpy as np
import pytest
from full_case import FULL

from apical.boards.host.device import Device
from apical.boards.host.experiments import (
    FREE_STEPS,
    early_inference,
    early_network,
    spike_timing_curve,
)
from apical.boards.host.link_kinds import LINK_KINDS
from apical.boards.host.links import Link
from apical.golden.errors import DoesNotFitError, MisuseError
from apical.golden.executors.compiled.executor import CompiledExecutor
from apical.golden.executors.fixed.executor import FixedExecutor
from apical.golden.learning.data import load, one_hot
from apical.golden.learning.fixed import raw_values
from apical.golden.systems import spike_timing
from apical.golden.systems.early_inference import EARLY, early_change

LAYERS = (64, 16, 12, 10)


def golden(config=FULL):
    return Device.open(LINK_KINDS["golden"].open(config), config)


def check_early(device, images=4, steps=4):
    found = early_inference(device, layers=LAYERS, images=images, steps=steps)
    names = list(found.cosines)
    assert names == ["h1", "h2", "y"]
    network, raw = early_network(LAYERS, 0, FULL.state, FULL.weight)
    data = load("digits")
    inputs = {"x": raw_values(data.test[:images], FULL.state).astype(np.int64),
              "d": raw_values(one_hot(data.test_labels[:images], 10), FULL.state).astype(np.int64)}
    executor = FixedExecutor(network, raw, FULL.state, FULL.weight, FULL.update_frac)
    for count in range(1, steps + 1):
        result = executor.run(early_change(network, FREE_STEPS, count, 1, twin=False), inputs)
        assert found.signatures[count - 1] == int(result.signatures.sum()) & 0xFFFFFFFF
        for name in names:
            assert found.changes[name][count - 1] == \
                np.abs(result.states[name, EARLY]).max() / FULL.state.one
    # The nudge walks down a layer a step; what arrives is the error.
    for step, name in enumerate(reversed(names)):
        assert all(abs(c) < 0.2 for c in found.cosines[name][:step])
        assert all(c > 0.9 for c in found.cosines[name][step:])
    return found


def check_curve(device, trials=40, neurons=4):
    found = spike_timing_curve(device, trials, neurons, seed=5)
    network = spike_timing.timing_network(neurons)
    raw = {name: np.round(w * FULL.weight.one).astype(np.int64)
           for name, w in spike_timing.timing_weights(network).items()}
    executor = CompiledExecutor(network, raw, FULL.state, FULL.weight, FULL.update_frac)
    result = executor.run(spike_timing.timing(), {"x": np.zeros((trials, 1), np.int64)}, seed=5,
                          rates=spike_timing.timing_rates(trials), collect=False)
    assert found.signature == int(result.signatures.sum()) & 0xFFFFFFFF
    learned = {name: w / FULL.weight.one for name, w in executor.weights.items()}
    change, others = spike_timing.curve(learned, trials, spike_timing.timing_rates(trials))
    assert (found.change == change).all()
    assert (found.others == others).all()
    return found


def test_early_inference_over_the_golden_link():
    check_early(golden())


def test_the_curve_over_the_golden_link():
    found = check_curve(golden(), 200, 12)
    assert found.correlation > 0.95
    assert abs(found.amplitude - 1) < 0.2


@pytest.mark.slow
def test_the_virtual_board(full_board):
    device = Device.open(Link.serial(full_board.path, 1_000_000), FULL)
    check_early(device)
    check_curve(device)
    device.close()


def test_what_cannot_be_measured_is_said():
    with pytest.raises(MisuseError, match="^unknown data 'letters'; known: digits, mnist"):
        early_inference(golden(), "letters")
    with pytest.raises(MisuseError, match="^1000 images are requested; data 'digits' have 1 to"):
        early_inference(golden(), images=1000)
    with pytest.raises(DoesNotFitError, match="table"):
        early_inference(golden(FULL.replace(smooth=False)))
    with pytest.raises(DoesNotFitError, match="learning"):
        spike_timing_curve(golden(FULL.replace(learning=False)))
