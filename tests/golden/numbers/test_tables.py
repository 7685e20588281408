"""Tables: exact samples, interpolation by hand, distance from the function."""

import math

import numpy as np
import pytest

from apical.golden.errors import MisuseError
from apical.golden.numbers.formats import Format, dequantize
from apical.golden.numbers.tables import NAMES, function, look_up, samples

FORMATS = [Format(16, 12), Format(16, 14), Format(12, 8), Format(8, 4), Format(8, 2), Format(10, 0),
           Format(16, 8, False)]
REAL = {"logistic": lambda z: 1 / (1 + math.exp(-z)),
        "slope": lambda z: math.exp(-z) / (1 + math.exp(-z)) ** 2,
        "half-exponential": lambda z: math.exp(z) / 2}


def values(name, z, state):
    """The definition as it stands, run by Python."""
    table = samples(name, state).tolist()
    return np.array([look_up(table, int(v), state.frac) for v in z])


def reference(name, z, state):
    """One value in Python integers."""
    one = 2 ** state.frac
    table = [min(max(math.floor(REAL[name](i / 16 - 8) * one + 0.5), state.min), state.max)
             for i in range(257)]
    place = min(max(z, -8 * one), 8 * one - 1) + 8 * one
    i, rest = divmod(place * 16, one)  # in sixteenths, and parts of one
    if not rest:
        return table[i]
    step = one // 16
    r = place % step
    return table[i] + (2 * (table[i + 1] - table[i]) * r + step) // (2 * step)


@pytest.mark.parametrize("state", FORMATS, ids=str)
@pytest.mark.parametrize("name", NAMES)
def test_values_are_those_of_the_reference(name, state):
    z = np.unique(np.concatenate([
        np.random.default_rng(0).integers(state.min, state.max + 1, 300),
        [state.min, state.max, 0, -1 if state.signed else 0, 1]]))
    found = values(name, z, state)
    assert found.tolist() == [reference(name, int(v), state) for v in z]
    assert found.min() >= state.min and found.max() <= state.max
    assert (np.diff(found) >= 0).all() or name == "slope"


@pytest.mark.parametrize(("name", "curvature"), [("logistic", 0.0963), ("slope", 0.125)])
def test_tables_are_near_their_function(name, curvature):
    state = Format(16, 12)
    z = np.arange(-8 * 4096, 8 * 4096)
    real = dequantize(z, state)
    error = dequantize(values(name, z, state), state) - function(name, real)
    # Two roundings of half a last place, and (1/16)**2 / 8 of the curvature between samples.
    assert np.abs(error).max() < 2 ** -12 + curvature / 2048
    assert abs(error.mean()) < 2e-5


def test_the_exponential_saturates_and_is_near():
    state = Format(16, 10)
    z = np.arange(-6 * 1024, 6 * 1024)
    found, real = dequantize(values("half-exponential", z, state), state), np.exp(z / 1024) / 2
    inside = real < 31
    assert np.abs(found / real - 1)[inside & (real > 1)].max() < 2 ** -10 + 1 / 2048
    assert values("half-exponential", [32767], state)[0] == state.max
    assert values("half-exponential", [0], state)[0] == 512


def test_by_hand():
    state = Format(16, 12)
    table = samples("logistic", state)
    assert table[128] == 2048 and len(table) == 257 and table[256] == 4095
    # One sixteenth is 256 places; a quarter of the way to the next sample.
    step = int(table[129] - table[128])
    assert values("logistic", [64], state)[0] == 2048 + (step * 64 + 128) // 256
    assert values("slope", [0], state)[0] == 1024


def test_misuse_is_reported_in_one_line():
    with pytest.raises(MisuseError, match="tables need states of at most 14 fraction bits, s16.15"):
        samples("logistic", Format(16, 15))
    with pytest.raises(MisuseError, match="no table of 'sine'; known: logistic, slope"):
        samples("sine", Format(16, 12))
