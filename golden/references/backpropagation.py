"""Backpropagation on the feedforward network of the ghost units: a reference, not a system.

It is no local rule and no program, so only floating point trains it (``apical train --rule
backprop``).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields

import numpy as np

from ..systems import ghost_units
from ..systems.system import System


@dataclass(frozen=True, eq=False)
class Reference(System):
    """What is trained like a system, but by a function.

    Attributes
    ----------
    batch : callable
        ``batch(executor, inputs, rates)`` changes the weights by one batch.
    """

    batch: Callable | None = None


def backprop_batch(executor, images, targets, rates):
    """One step of backpropagation on the feedforward part of a ghost network, in place.

    Cost ``1/2 |d - rho(u_L)|**2``, logistic units, mean over the batch: the reference that ghost
    units are compared with.

    Parameters
    ----------
    executor : FloatExecutor
    images, targets : ndarray of shape (batch, n)
    rates : dict of str to float
    """
    weights, passed = executor.weights, [images]
    count = sum(name[0] == "W" for name in weights)
    for k in range(1, count + 1):
        u = passed[-1] @ weights[f"W{k}"] + weights[f"b{k}"]
        passed.append(0.5 * np.tanh(0.5 * u) + 0.5)
    error = (targets - passed[-1]) * passed[-1] * (1 - passed[-1])
    for k in range(count, 0, -1):
        below = passed[k - 1]
        share = error * executor.dtype.type(1 / len(images))
        if k > 1:  # with the weights that made the error
            error = (error @ weights[f"W{k}"].T) * below * (1 - below)
        weights[f"W{k}"] += executor.dtype.type(rates[f"W{k}"]) * (below.T @ share)
        weights[f"b{k}"] += executor.dtype.type(rates[f"b{k}"]) * share.sum(axis=0)
        executor.refresh(f"W{k}")


_GHOST = {f.name: getattr(ghost_units.DUPLICATE, f.name) for f in fields(System)}

BACKPROP = Reference(**{
    **_GHOST, "name": "backprop", "rule": "backprop", "case": None, "executors": ("float",),
    "summary": "backpropagation on the network of the ghost units (a reference)",
    "why": "backpropagation is a reference, no local rule and no program",
    # Nothing is divided by a nudge here.
    "rates": lambda network, config: ghost_units.learning_rates(network, config.one_or_all, 0),
    "batch": lambda executor, inputs, rates: backprop_batch(executor, inputs["x"], inputs["d"],
                                                            rates)})

#: References by name.
REFERENCES = {"backprop": BACKPROP}
