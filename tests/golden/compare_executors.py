"""Both executors of raw integers on the same program: equal to the bit."""

import numpy as np

from apical.golden.executors.compiled.executor import CompiledExecutor
from apical.golden.executors.fixed.executor import FixedExecutor
from apical.golden.numbers.formats import STATE, WEIGHT

COUNTS = ("steps", "operations", "writes", "saturations", "signatures")


def compare(network, weights, program, inputs, state=STATE, weight=WEIGHT, update_frac=6,
            rates=None, seed=0, first_image=0):
    """Run both executors, assert that they agree; returns (result, final weights)."""
    slow = FixedExecutor(network, weights, state, weight, update_frac)
    fast = CompiledExecutor(network, weights, state, weight, update_frac)
    a = slow.run(program, inputs, seed, first_image, rates=rates)
    b = fast.run(program, inputs, seed, first_image, rates=rates)
    for name in COUNTS:
        np.testing.assert_array_equal(getattr(a, name), getattr(b, name), name)
    assert (a.predictions is None) == (b.predictions is None)
    if a.predictions is not None:
        np.testing.assert_array_equal(a.predictions, b.predictions)
    assert a.states.keys() == b.states.keys()
    for key, values in a.states.items():
        np.testing.assert_array_equal(values, b.states[key], str(key))
    for name, values in slow.weights.items():
        np.testing.assert_array_equal(values, fast.weights[name], name)
    return a, slow.weights
