"""Quantization of a network: rounding, the report, and what is refused."""

import numpy as np
import pytest

from apical.golden.errors import MisuseError
from apical.golden.network import glorot, layered
from apical.golden.numbers.formats import Format, quantize
from apical.golden.numbers.quantize import quantize_network

NET = layered([5, 4, 3])


def weights_with(name="W1", at=(0, 0), value=0.0):
    weights = glorot(NET, 3)
    weights[name][at] = value
    return weights


def test_weights_are_rounded_half_up():
    weights = glorot(NET, 1)
    weights["W2"][:2, 0] = 2.5 / 256, -2.5 / 256
    result = quantize_network(NET, weights, Format(16, 12), Format(12, 8))
    assert (result.state, result.weight) == (Format(16, 12), Format(12, 8))
    assert result.weights["W2"][:2, 0].tolist() == [3, -2]
    for name, raw in result.weights.items():
        assert raw.dtype == np.int64
        assert raw.tolist() == quantize(weights[name], Format(12, 8))[0].tolist()
    assert result.saturated == 0


def test_report():
    weights = {m.name: np.zeros(m.shape) for m in NET.matrices}
    weights["W1"][1, 2] = -0.75
    weights["W1"][0, 0] = 0.25 / 256
    row, *others = quantize_network(NET, weights, weight=Format(12, 8)).report
    assert (row.matrix, row.weights, row.greatest, row.saturated) == ("W1", 20, 0.75, 0)
    assert (row.low, row.high) == (-8, 8 - 1 / 256)
    assert row.bits == 9   # -192 needs 9 bits
    assert row.rms_error == pytest.approx(0.25 / 256 / np.sqrt(20))
    assert [r.matrix for r in others] == ["b1", "W2", "b2"]
    assert all(r.greatest == r.rms_error == 0 for r in others)


@pytest.mark.parametrize(("value", "bits"), [
    (127 / 16, 8), (-128 / 16, 8), (128 / 16, 9), (-129 / 16, 9), (1 / 16, 2), (-1 / 16, 1),
    (1e30, 105)])
def test_bits_needed(value, bits):
    weights = {m.name: np.zeros(m.shape) for m in NET.matrices}
    weights["W1"][3, 3] = value
    row = quantize_network(NET, weights, weight=Format(8, 4), saturate=True).report[0]
    assert row.bits == bits
    # Bits tell exactly when something is clipped.
    assert (row.saturated > 0) == (bits > 8)


@pytest.mark.parametrize(("value", "fmt", "message"), [
    (9.3, Format(16, 12), r"^matrix 'W1': weight \[2,1\] is 9\.3, outside format s16\.12 \(-8 to "
     r"7\.99976; 1 of 20 weights are outside\); use a weight format that holds them, such as "
     r"s16\.11, or allow saturation \(--saturate\)$"),
    (-300.0, Format(8, 6), r"is -300, outside format s8\.6 .* such as s16\.6, or"),
    (-0.5, Format(8, 6, False), r"is -0\.5, outside format u8\.6 .* such as s8\.6, or"),
    (1e12, Format(16, 12), r"no format of 32 bits holds them: scale the network down, or allow"),
    # The largest value of a format is a last place below the power of two.
    (8 - 2 ** -14, Format(16, 12), r"is 7\.99994, outside format s16\.12"),
])
def test_weights_outside_the_format_are_refused(value, fmt, message):
    weights = {m.name: np.zeros(m.shape) for m in NET.matrices}
    weights["W1"][2, 1] = value
    with pytest.raises(MisuseError, match=message):
        quantize_network(NET, weights, weight=fmt)


def test_the_advised_format_holds_the_weights():
    weights = weights_with(value=-37.2)
    with pytest.raises(MisuseError) as error:
        quantize_network(NET, weights)
    advised = Format.parse(str(error.value).split("such as ")[1].split(",")[0])
    assert advised == Format(16, 9)
    assert quantize_network(NET, weights, weight=advised).saturated == 0


def test_saturation_is_counted_not_silent():
    weights = weights_with(value=9.3)
    weights["b2"][0, :2] = -100, 100
    result = quantize_network(NET, weights, saturate=True)
    assert result.weights["W1"][0, 0] == 32767
    assert result.weights["b2"][0, :2].tolist() == [-32768, 32767]
    assert {row.matrix: row.saturated for row in result.report} == {
        "W1": 1, "b1": 0, "W2": 0, "b2": 2}
    assert result.saturated == 3


@pytest.mark.parametrize("saturate", [False, True])
def test_not_finite_weights_are_refused_even_when_saturating(saturate):
    with pytest.raises(MisuseError, match=r"^weight W2\[3, 2\] is nan"):
        quantize_network(NET, weights_with("W2", (3, 2), np.nan), saturate=saturate)


def test_missing_weights():
    weights = glorot(NET, 1)
    del weights["b2"]
    with pytest.raises(MisuseError, match=r"^weights of matrix 'b2' are missing$"):
        quantize_network(NET, weights)


def test_negative_states_need_a_sign():
    net = layered([3, 2], rate="hard-tanh")
    with pytest.raises(MisuseError, match=r"^population 'x' \(hard-tanh\) has negative states, "
                                          r"format u16\.16 has no sign; use s16\.15$"):
        quantize_network(net, glorot(net, 0), state=Format(16, 16, signed=False))
    # States between 0 and 1 need none.
    quantize_network(NET, glorot(NET, 0), state=Format(16, 15, signed=False))
