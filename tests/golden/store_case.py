"""Models for tests of files."""



import numpy as np

from apical.golden.network import glorot, layered
from apical.golden.numbers.quantize import quantize_network
from apical.golden.program import layered as lay
from apical.golden.storage.model import Model

NET = layered([5, 4, 3])


def model(**changes):
    arguments = {"network": NET, "weights": glorot(NET, 1), "meta": {"seed": 1, "who": "é"},
                 "program": lay.inference(NET, 4, settled=0.125)}
    return Model(**{**arguments, **changes})


def quantized():
    result = quantize_network(NET, glorot(NET, 1))
    return model(weights=result.weights, formats=(result.state, result.weight))


def assert_same(a, b):
    assert (a.network, a.formats, a.meta, a.program) == (b.network, b.formats, b.meta, b.program)
    assert a.weights.keys() == b.weights.keys()
    for name in a.weights:
        assert a.weights[name].dtype == b.weights[name].dtype
        assert np.array_equal(a.weights[name], b.weights[name])
