"""A small network, its images and what the fixed executor says of them, for tests of the driver."""

import numpy as np

from apical.golden.executors.fixed.executor import FixedExecutor
from apical.golden.network import layered
from apical.golden.program.layered import inference
from apical.golden.systems import equilibrium
from apical.hw.assembler.assembler import config_for
from apical.hw.interface.presets import FINE

SIZES = (12, 7, 4)
NETWORK = layered(SIZES)
INFERENCE = inference(NETWORK, 3)
TRAINING = equilibrium.training(NETWORK, 3, 2)
DENSITY = {"x": 0.5}
SEED = 77
RATES = {m.name: 0.05 for m in NETWORK.matrices}
_DIGITS = layered((64, 32, 10))
#: Holds both programs, and the digits; in the formats of the presets, whose signatures it has.
CONFIG = config_for(_DIGITS, equilibrium.training(_DIGITS), 4, DENSITY, update_lanes=2,
                    smooth=False, noise=False, weight=FINE)
_RNG = np.random.default_rng(5)
WEIGHTS = {m.name: _RNG.integers(-3000, 3001, m.shape) for m in NETWORK.matrices}


def inputs(images, seed=1):
    """Inputs and targets."""
    rng = np.random.default_rng(seed)
    x = rng.integers(0, 4097, (images, SIZES[0])) * (rng.random((images, SIZES[0])) < 0.5)
    x[0] = 0
    return {"x": x, "d": 4096 * (np.arange(SIZES[-1]) == rng.integers(0, SIZES[-1], (images, 1)))}


def expected(program, given, seed=SEED, first_image=0):
    """(what the fixed executor finds, the weights it leaves)."""
    executor = FixedExecutor(NETWORK, WEIGHTS, CONFIG.state, CONFIG.weight, CONFIG.update_frac)
    result = executor.run(program, given, seed, first_image, rates=RATES)
    return result, executor.weights


def agree(results, found):
    """Compare what a device told with the fixed executor."""
    if found.predictions is not None:
        assert results.predictions.tolist() == found.predictions.tolist()
    assert results.steps.tolist() == found.steps.tolist()
    assert results.signatures.tolist() == found.signatures.tolist()
    assert results.writes.tolist() == found.writes.tolist()
    assert results.saturations.tolist() == found.saturations.tolist()


def drive(device, images=4):
    """Everything that a device does, over any link; used by the tests of each."""
    given = inputs(images)
    device.load(NETWORK, INFERENCE, WEIGHTS, seed=SEED, density=DENSITY)
    only = {"x": given["x"]}
    found, _ = expected(INFERENCE, only)
    agree(device.run(only), found)
    for population in ("h1", "y"):
        assert device.state(population).tolist() == found.states[population, "state"][-1].tolist()
    assert all((device.weights()[name] == WEIGHTS[name]).all() for name in WEIGHTS)
    device.load(NETWORK, TRAINING, WEIGHTS, seed=SEED, density=DENSITY, rates=RATES)
    found, learned = expected(TRAINING, given)
    agree(device.run(given), found)
    kept = device.weights()
    assert all((kept[name] == learned[name]).all() for name in WEIGHTS)
    assert any((kept[name] != WEIGHTS[name]).any() for name in WEIGHTS)
    more = device.run(inputs(2, 9))
    assert device.images == images + 2
    return more
