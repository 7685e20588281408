"""Formats, rounding and saturation against exact rational arithmetic and an independent library."""

import math
from fractions import Fraction

import apytypes
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from apical.golden.errors import MisuseError
from apical.golden.numbers.formats import Format, clip, dequantize, quantize, round_shift, saturate

SMALL = [Format(width, frac, signed) for width in range(2, 7) for frac in range(width + 1)
         for signed in (True, False)]
FORMATS = st.builds(lambda w, f, s: Format(w, min(f, w), s), st.integers(2, 32),
                    st.integers(0, 32), st.booleans())


def half_up(value: Fraction) -> int:
    return math.floor(value + Fraction(1, 2))


@pytest.mark.parametrize("fmt", SMALL, ids=str)
def test_quantize_is_half_up_and_saturating_on_every_eighth(fmt):
    # Steps of an eighth of the last place hit every tie; the span leaves the format on both ends.
    eighths = np.arange(8 * (fmt.min - 3), 8 * (fmt.max + 3) + 1)
    raw, saturated = quantize(np.ldexp(eighths.astype(float), -3 - fmt.frac), fmt)
    exact = [half_up(Fraction(int(e), 8)) for e in eighths]
    assert raw.tolist() == [min(max(e, fmt.min), fmt.max) for e in exact]
    assert saturated == sum(not fmt.min <= e <= fmt.max for e in exact) > 0
    assert raw.dtype == np.int64


@pytest.mark.parametrize("fmt", SMALL, ids=str)
def test_every_raw_value_survives_dequantize(fmt):
    raw = np.arange(fmt.min, fmt.max + 1)
    assert len(raw) == 2 ** fmt.width
    again, saturated = quantize(dequantize(raw, fmt), fmt)
    assert again.tolist() == raw.tolist()
    assert saturated == 0


@given(FORMATS, st.data())
def test_large_formats_survive_dequantize(fmt, data):
    raw = data.draw(st.integers(fmt.min, fmt.max))
    assert quantize(dequantize(raw, fmt), fmt) == (raw, 0)


@pytest.mark.parametrize("shift", range(-3, 11))
def test_round_shift_on_every_small_value(shift):
    raw = np.arange(-1100, 1101)
    exact = [half_up(Fraction(int(r)) / Fraction(2) ** shift) for r in raw]
    found = round_shift(raw, shift)
    assert found.tolist() == exact == [round_shift(int(r), shift) for r in raw]
    assert found.dtype == np.int64


@given(st.lists(st.integers(-2 ** 52 + 1, 2 ** 52 - 1), min_size=1), st.integers(0, 51))
def test_round_shift_on_large_values(values, shift):
    exact = [half_up(Fraction(v, 2 ** shift)) for v in values]
    assert round_shift(np.array(values), shift).tolist() == exact
    assert [round_shift(v, shift) for v in values] == exact


@given(st.lists(st.integers(-2 ** 40, 2 ** 40), min_size=1), FORMATS)
def test_saturate_counts_alike_on_both_carriers(values, fmt):
    clipped, count = saturate(np.array(values), fmt.min, fmt.max)
    floats, same = saturate(np.array(values, float), fmt.min, fmt.max)
    assert clipped.tolist() == floats.tolist() == [min(max(v, fmt.min), fmt.max) for v in values]
    assert clipped.tolist() == [clip(v, fmt.min, fmt.max) for v in values]
    assert count == same == sum(not fmt.min <= v <= fmt.max for v in values)


@pytest.mark.parametrize("seed", range(4))
def test_rounding_and_saturation_match_apytypes(seed):
    rng = np.random.default_rng(seed)
    width, frac = 40, 24
    for fmt in (Format(16, 12), Format(8, 6), Format(18, 3), Format(12, 12), Format(5, 0)):
        raw = rng.integers(-2 ** (width - 1), 2 ** (width - 1), 500)
        raw >>= rng.integers(0, width - 2, raw.shape)
        # Ties are rare in random words: make some.
        raw[::5] = (raw[::5] >> frac - fmt.frac << frac - fmt.frac) + (1 << frac - fmt.frac - 1)
        oracle = apytypes.APyFixedArray([int(r) for r in raw], width - frac, frac).cast(
            fmt.width - fmt.frac, fmt.frac, apytypes.QuantizationMode.RND,
            apytypes.OverflowMode.SAT)
        # The library shows bits; back to two's complement.
        bits = np.array([int(b) for b in oracle.to_bits()])
        expected = np.where(bits >> fmt.width - 1, bits - (1 << fmt.width), bits)
        got, saturated = saturate(round_shift(raw, frac - fmt.frac), fmt.min, fmt.max)
        assert got.tolist() == expected.tolist()
        assert 0 < saturated < len(raw)


@given(FORMATS)
def test_text_form_round_trips(fmt):
    assert Format.parse(str(fmt)) == fmt


def test_properties():
    fmt = Format(16, 12)
    assert (fmt.min, fmt.max, fmt.one, fmt.lsb, fmt.magnitude) == (-32768, 32767, 4096, 2 ** -12,
                                                                   32768)
    assert str(fmt) == "s16.12"
    assert Format(8, 8, signed=False).one == 255
    assert (Format(8, 0, False).min, Format(8, 0, False).max) == (0, 255)


@pytest.mark.parametrize(("width", "frac", "message"), [
    (1, 0, r"^format width 1 is outside 2\.\.32 bits$"),
    (33, 0, r"^format width 33 is outside 2\.\.32 bits$"),
    (8, 9, r"^format fraction 9 is outside 0\.\.8 bits$"),
    (8, -1, r"^format fraction -1 is outside 0\.\.8 bits$"),
])
def test_impossible_formats(width, frac, message):
    with pytest.raises(MisuseError, match=message):
        Format(width, frac)


@pytest.mark.parametrize("text", ["16.12", "s16", "s16.12 ", "s16.-1", "x16.12", "", "s1e1.0",
                                  "s١٦.12", "s16.१२", "s16.12\n", "s" + "1" * 5000 + ".2"])
def test_texts_that_are_no_format(text):
    with pytest.raises(MisuseError, match=r"(?s)^'.*' is not a number format; write one as s16"):
        Format.parse(text)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_not_finite_values_are_named(bad):
    values = np.zeros((2, 3))
    values[1, 2] = bad
    with pytest.raises(MisuseError, match=r"^W1\[1,2\] is not a finite number"):
        quantize(values, Format(16, 12), "W1")
