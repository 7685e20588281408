"""Random words of weights and units, and the signature of weight writes."""

import mixing_reference as reference
import numpy as np
import pytest

from apical.golden.numbers.addressed import mix_key, mix_weight, mix_written, rounding_addend
from bench.mixing import (
    draws,
    greatest_singular,
    matrices,
    missed,
    squared_correlations,
)


def test_words_by_their_definition():
    rng = np.random.default_rng(0)
    for _ in range(50):
        key, row, col, value = (int(v) for v in rng.integers(0, [2 ** 32, 65536, 65536, 65536]))
        x, y = mix_weight(key, row, col)
        assert (x, y) == reference.weight(key, row, col)
        found = mix_weight(key, np.array([row, 3]), np.array([col, 4]))
        assert (found[0][0], found[1][0]) == (x, y)
        told = reference.written(x, y, value)
        assert mix_written(x, y, value) == mix_written(x, y, value - 65536) == told
        for drop in (1, 9, 16, 18, 32):
            assert rounding_addend(y, drop) == reference.addend(y, drop) < 1 << drop


def test_a_zero_update_gives_zero():
    """For every word and every number of discarded bits; and the largest word rounds up by 1."""
    words = np.arange(65536)
    for drop in range(1, 33):
        assert not (rounding_addend(words, drop) >> drop).any()
        most = (1 << drop) - (1 << max(drop - 16, 0))
        assert rounding_addend(65535, drop) == most


@pytest.mark.parametrize("seed", range(2))
def test_words_of_a_matrix_look_random(seed):
    # Measured over 200 operations, seeds 0 to 2: see docs/results-fixed.md.
    found = matrices(seed, operations=40)
    assert 0.99 < found["singular"] < 1.02 and found["singular_max"] < 1.06
    assert 0.9 < found["squared_correlation"] < 1.2 and found["squared_correlation_max"] < 2.5
    assert found["squared_across"] < 2
    assert found["mean"] < 4.5 and found["variance"] < 4.5


def test_the_statistics_see_bad_words():
    """What a linear hash of row and column, and a word with neighbours in common, would show."""
    rows, cols = np.arange(256)[:, None], np.arange(256)[None, :]
    linear = (rows * 40503 & 0xFFFF ^ cols * 30011 & 0xFFFF) / 65536 - 0.5
    assert greatest_singular(linear) > 2
    noise = np.random.default_rng(0).random((256, 257)) - 0.5
    mixed = (noise[:, 1:] + 0.05 * noise[:, :-1])
    assert squared_correlations(mixed).mean() > 3
    assert squared_correlations(noise[:, 1:]).mean() < 1.5


@pytest.mark.parametrize("seed", range(2))
def test_draws_of_units_look_random(seed):
    found = draws(seed)
    assert abs(found["mean"]) < 4.5 and abs(found["variance"]) < 4.5
    assert 0.85 < found["squared_correlation"] < 1.15
    assert 0.85 < found["squared_correlation_draws"] < 1.15


@pytest.mark.parametrize(("what", "least", "most"), [
    # Measured over a million: 4.6e-4, 8.5e-2, 6.6e-2, 0.5.  The 16 bits that a weight adds let
    # two wrong ones cancel; a single one always shows.
    ("swapped", 0, 1e-3), ("swapped, one bit apart", 0.05, 0.1), ("both one more", 0.05, 0.08),
    ("both top bit", 0.4, 0.51),
])
def test_two_wrong_weights(what, least, most):
    assert least <= missed("weights", what, 200_000, seed=1) < most


@pytest.mark.parametrize("col", [0, 4, 65535])
def test_a_wrong_weight_always_changes_the_signature(col):
    x, y = mix_weight(mix_key(3, 3), 17, col)
    assert len(np.unique(mix_written(x, y, np.arange(65536)))) == 65536
