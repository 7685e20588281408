"""Two systems that change no network worth keeping, as experiments on a device.

Early inference compares what a nudge changes with a backpropagated error; the spike-timing curve is
what the one-way rule makes of noise and spikes.  Each is measured on the device and compared with
what floating point says.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ...golden.errors import MisuseError
from ...golden.executors.float.executor import FloatExecutor
from ...golden.learning.data import one_hot
from ...golden.learning.fixed import raw_values
from ...golden.network import Network, glorot, layered
from ...golden.numbers.formats import dequantize
from ...golden.numbers.quantize import quantize_network
from ...golden.program.layered import EPS_SHIFT
from ...golden.references.gradients import cosine
from ...golden.systems import spike_timing
from ...golden.systems.early_inference import EARLY, backpropagated, early_change
from .device import Device
from .workload import dataset_for

#: Layers of early inference by data, and the factor on Glorot's weights: logistic slopes are 1/4 at
#: most, greater weights keep the signal.
EARLY_LAYERS = {"digits": (64, 32, 20, 10), "mnist": (784, 64, 32, 10),
                "fashion-mnist": (784, 64, 32, 10)}
EARLY_GAIN = 3.0
#: Steps of the free phase on the device (it stops earlier where nothing moves) and in floating
#: point.
FREE_STEPS, FLOAT_STEPS = 100, 1000
#: Trials of the spike-timing curve.
TRIALS = 1000


@dataclass(frozen=True, eq=False)
class EarlyInference:
    """What a nudge of the output changed, step by step.

    Attributes
    ----------
    network : Network
    cosines : dict of str to list of float
        By population: mean cosine of what was changed after 1, 2, .. steps with what lowers the
        backpropagated error; 0 where nothing changed yet.
    changes : dict of str to list of float
        By population: greatest change of a unit.
    images : int
    signatures : list of int
        Of the runs, one a number of steps.
    """

    network: Network
    cosines: dict
    changes: dict
    images: int
    signatures: list


def early_network(layers, seed, state, weight):
    """(network of logistic layers, its raw weights): random, as before any learning.

    Images are rates already, so the input layer is not logistic.
    """
    network = layered(layers, "logistic")
    network = replace(network, populations=tuple(
        replace(p, rate="hard-sigmoid") if p.clamped else p for p in network.populations))
    real = {name: EARLY_GAIN * w for name, w in glorot(network, seed).items()}
    return network, quantize_network(network, real, state, weight).weights


def early_inference(device: Device, data="digits", layers=None, images=20, steps=6, beta_shift=1,
                    seed=0, progress=None) -> EarlyInference:
    """Nudge the outputs of an untrained network towards the labels, and watch the hidden states.

    The device runs the free phase and then 1, 2, .. `steps` nudged steps, each from the start.
    Errors are backpropagated in floating point, from the fixed point that floating point finds.

    Parameters
    ----------
    data : str
    layers : sequence of int, optional
    images : int
        Test images, from the first on.
    steps : int
        Nudged steps at most.
    beta_shift : int
        The nudge is ``2**-beta_shift``.
    seed : int
        Of the weights.
    progress : callable, optional
        As of :meth:`~apical.boards.host.device.Device.run`.
    """
    if layers is None and data not in EARLY_LAYERS:
        raise MisuseError(f"unknown data '{data}'; known: {', '.join(EARLY_LAYERS)}")
    layers, config = tuple(layers or EARLY_LAYERS[data]), device.config
    dataset = dataset_for(layers, data)
    if images > len(dataset.test):
        raise MisuseError(f"{images} images are requested; data '{data}' have 1 to "
                          f"{len(dataset.test)} test images")
    network, raw = early_network(layers, seed, config.state, config.weight)
    inputs = {"x": raw_values(dataset.test[:images], config.state).astype(np.int64),
              "d": raw_values(one_hot(dataset.test_labels[:images], dataset.classes),
                              config.state).astype(np.int64)}
    errors = golden_errors(network, {name: dequantize(w, config.weight) for name, w in raw.items()},
                           {name: dequantize(v, config.state) for name, v in inputs.items()})
    names = [p.name for p in network.free]
    cosines, changes = ({name: [] for name in names} for _ in range(2))
    signatures = []
    for count in range(1, steps + 1):
        device.load(network, early_change(network, FREE_STEPS, count, beta_shift, twin=False), raw,
                    seed=seed)
        found = device.run(inputs, progress, [(name, EARLY) for name in names])
        signatures.append(found.signature)
        for name in names:
            change = dequantize(found.states[name, EARLY], config.state)
            cosines[name].append(float(np.mean([
                cosine(-c, e) for c, e in zip(change, errors[name], strict=True)])))
            changes[name].append(float(np.abs(change).max()))
    return EarlyInference(network, cosines, changes, images, signatures)


def golden_errors(network: Network, weights, inputs) -> dict:
    """Backpropagated errors at the free fixed point of floating point, by population."""
    program = early_change(network, FLOAT_STEPS, 0, shift=EPS_SHIFT, twin=False)
    states = FloatExecutor(network, weights, np.float64).run(program, inputs).states
    return backpropagated(network, weights, states, inputs["d"])


@dataclass(frozen=True, eq=False)
class SpikeTiming:
    """The curve of spike-timing-dependent plasticity, as a device learned it.

    Attributes
    ----------
    lags : ndarray of shape (n,), float64
        Spike less presynaptic step, in steps.
    change : ndarray of shape (n,), float64
        Mean weight change.
    others : ndarray of shape (n,), float64
        The same between different neurons, a control.
    expected : ndarray of shape (n,), float64
    correlation, amplitude, control : float
        Of the change with what is expected; their ratio by least squares; that of the control.
    neurons, trials, signature : int
    """

    lags: np.ndarray
    change: np.ndarray
    others: np.ndarray
    expected: np.ndarray
    correlation: float
    amplitude: float
    control: float
    neurons: int
    trials: int
    signature: int


def spike_timing_curve(device: Device, trials=TRIALS, neurons=16, seed=0,
                       progress=None) -> SpikeTiming:
    """Let a device draw noise and spikes and learn by the one-way rule, then read its weights.

    Parameters
    ----------
    trials, neurons : int
    seed : int
        Of noise and spikes.
    progress : callable, optional
        As of :meth:`~apical.boards.host.device.Device.run`.
    """
    config, network = device.config, spike_timing.timing_network(neurons)
    raw = quantize_network(network, spike_timing.timing_weights(network), config.state,
                           config.weight).weights
    rates = spike_timing.timing_rates(trials)
    device.load(network, spike_timing.timing(), raw, seed=seed, rates=rates)
    found = device.run({"x": np.zeros((trials, 1), np.int64)}, progress)
    learned = {name: dequantize(w, config.weight) for name, w in device.weights().items()}
    change, others = spike_timing.curve(learned, trials, rates)
    expected = spike_timing.expected_curve()
    power = expected @ expected
    return SpikeTiming(spike_timing.lags(), change, others, expected,
                       float(np.corrcoef(change, expected)[0, 1]),
                       float(change @ expected / power), float(others @ expected / power),
                       neurons, trials, found.signature)
