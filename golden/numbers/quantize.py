"""Quantization of a trained network: real weights to raw integers, with a report of the range.

Weights outside the format are refused, never clipped in silence.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..errors import MisuseError
from ..network import Network
from .formats import STATE, WEIGHT, Format, dequantize, quantize


@dataclass(frozen=True)
class RangeRow:
    """How one matrix uses the weight format.

    Attributes
    ----------
    matrix : str
    weights : int
        Number of weights.
    greatest : float
        Greatest absolute weight before rounding.
    low, high : float
        Range of the format.
    bits : int
        Width the rounded weights need at this fraction; more than the width of the format when
        some are outside.
    saturated : int
        Number of weights outside the format.
    rms_error : float
        Root mean square of (rounded - real).
    """

    matrix: str
    weights: int
    greatest: float
    low: float
    high: float
    bits: int
    saturated: int
    rms_error: float


@dataclass(frozen=True, eq=False)
class Quantized:
    """A network in raw integers.

    Attributes
    ----------
    network : Network
    weights : dict of str to ndarray of int64
        Raw values of the weight format.
    state, weight : Format
    report : list of RangeRow
        One a matrix, in network order.
    """

    network: Network
    weights: dict
    state: Format
    weight: Format
    report: list

    @property
    def saturated(self) -> int:
        """Number of weights that were clipped."""
        return sum(row.saturated for row in self.report)


def quantize_network(network: Network, weights, state: Format = STATE, weight: Format = WEIGHT,
                     saturate=False) -> Quantized:
    """Round the weights of a network to raw integers, half up.

    Parameters
    ----------
    network : Network
    weights : dict of str to ndarray of float
        Real weights by matrix name.
    state, weight : Format
    saturate : bool
        Clip weights outside the format (and count them) instead of refusing them.

    Raises
    ------
    MisuseError
        For missing, misshapen, not finite or (unless `saturate`) too great weights, and for a
        state format without sign where states are negative.
    """
    network.check_weights(weights)
    _check_state(network, state)
    raw, report = {}, []
    for matrix in network.matrices:
        real = np.asarray(weights[matrix.name], np.float64)
        values, saturated = quantize(real, weight, matrix.name)
        if saturated and not saturate:
            raise _refusal(matrix.name, real, values, weight, saturated)
        raw[matrix.name] = values
        error = dequantize(values, weight) - real
        report.append(RangeRow(
            matrix.name, real.size, float(np.abs(real).max()),
            dequantize(weight.min, weight).item(), dequantize(weight.max, weight).item(),
            _bits(real, weight), saturated, float(np.sqrt(np.mean(error * error)))))
    return Quantized(network, raw, state, weight, report)


def _check_state(network, state):
    for population in network.populations:
        lowest = population.limits[0] if population.limits else -1.0
        if lowest < 0 and not state.signed:
            raise MisuseError(f"population '{population.name}' ({population.rate}) has negative "
                              f"states, format {state} has no sign; use s{state.width}."
                              f"{min(state.frac, state.width - 1)}")


def _rounded(real, frac):
    """Least and greatest value after rounding, as Python ints (they may be of any size)."""
    ends = np.floor(np.ldexp(np.array([real.min(), real.max()]), frac) + 0.5)
    return int(ends[0]), int(ends[1])


def _bits(real, fmt):
    """Width that holds the rounded values."""
    low, high = _rounded(real, fmt.frac)
    most = max(high.bit_length(), (-low - 1).bit_length() if low < 0 else 0)
    return most + fmt.signed


def _refusal(name, real, values, fmt, saturated):
    """The error of weights outside the format: which, how far, what to do."""
    beyond = np.abs(dequantize(values, fmt) - real)
    at = tuple(int(i) for i in np.unravel_index(np.argmax(beyond), real.shape))
    low, high = dequantize(fmt.min, fmt), dequantize(fmt.max, fmt)
    return MisuseError(
        f"matrix '{name}': weight [{at[0]},{at[1]}] is {real[at]:.6g}, outside format {fmt} "
        f"({low:g} to {high:.6g}; {saturated} of {real.size} weights are outside); "
        f"{_remedy(real, fmt)}or allow saturation (--saturate)")


def _remedy(real, fmt):
    """A format that holds every weight, as advice."""
    signed = fmt.signed or bool(real.min() < 0)
    for width in (fmt.width, 2 * fmt.width, 32):
        for frac in range(min(fmt.frac, width - signed), -1, -1):
            if width > 32:
                break
            other = Format(width, frac, signed)
            low, high = _rounded(real, frac)
            if other.min <= low and high <= other.max:
                return f"use a weight format that holds them, such as {other}, "
    return "no format of 32 bits holds them: scale the network down, "
