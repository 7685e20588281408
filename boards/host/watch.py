"""Follow a board while it runs: one record per image."""

from __future__ import annotations

import numpy as np

from ...golden.network.energy import energy
from ...golden.numbers.formats import dequantize
from .device import Device
from .workload import Workload


def watch(device: Device, work: Workload):
    """Run images one by one and read the state that each settled in.

    Parameters
    ----------
    device : Device
        With the workload loaded.
    work : Workload

    Yields
    ------
    dict
        ``image, prediction, label, correct, accuracy`` (so far), ``steps, cycles`` (None without
        gateware), ``saturations, energy, signature``.
    """
    config = device.config
    real = {name: dequantize(w, config.weight) for name, w in work.weights.items()}
    right = 0
    for image in range(len(work.labels)):
        only = {name: values[image:image + 1] for name, values in work.inputs.items()}
        reported = device.run(only)
        states = {p.name: dequantize(device.state(p.name), config.state)[None, :]
                  for p in work.network.free}
        states |= {name: dequantize(values, config.state) for name, values in only.items()}
        prediction, label = int(reported.predictions[0]), int(work.labels[image])
        right += prediction == label
        yield {"image": image, "prediction": prediction, "label": label,
               "correct": prediction == label, "accuracy": right / (image + 1),
               "steps": int(reported.steps[0]), "cycles": int(reported.cycles[0]) or None,
               "saturations": int(reported.saturations[0]),
               "energy": float(np.ravel(energy(work.network, real, states))[0]),
               "signature": f"{reported.signature:08x}"}
