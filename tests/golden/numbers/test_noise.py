"""Addressed noise: distribution, independence, and the address alone deciding."""

import numpy as np
import pytest

from apical.golden.numbers.addressed import (
    BYTE_SUM_VARIANCE,
    byte_sum,
    draw_key,
    draw_words,
    mix_key,
)
from apical.golden.numbers.noise import Noise


def correlation(a, b):
    return np.corrcoef(a.ravel(), b.ravel())[0, 1]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_uniform_and_normal_numbers_have_their_moments(dtype):
    noise = Noise(3, dtype=dtype)
    u, n = noise.uniform((4000, 100)), noise.normal((4000, 100))
    assert u.dtype == n.dtype == dtype
    assert 0 < u.min() < 1e-4 and 1 - 1e-4 < u.max() < 1
    assert abs(u.mean() - 0.5) < 2e-3 and abs(u.var() * 12 - 1) < 6e-3
    # A sum of four uniform bytes has the fourth moment 3 - 1.2 / 4.
    assert abs(n.mean()) < 6e-3 and abs(n.var() - 1) < 9e-3 and abs((n ** 4).mean() - 2.7) < 0.08


def test_draws_images_units_and_seeds_are_uncorrelated():
    noise = Noise(0)
    first, second = noise.uniform((3000, 64)), noise.uniform((3000, 64))
    other = Noise(1).uniform((3000, 64))
    pairs = [(first, second), (first[1:], first[:-1]), (first[:, 1:], first[:, :-1]),
             (first, other), (abs(first - 0.5), abs(second - 0.5))]
    assert max(abs(correlation(a, b)) for a, b in pairs) < 0.01
    # No pattern of rows and columns either: singular values of a random matrix, not of rank one.
    values = np.linalg.svd((first[:1000] - 0.5) * np.sqrt(12), compute_uv=False)
    assert values[0] < 1.1 * (np.sqrt(1000) + np.sqrt(64))


def test_words_are_those_of_raw_integers():
    """Computed on 16-bit words here, by the definition there."""
    seed, first = 0xFEDCBA98, 2 ** 32 - 3  # image numbers count modulo 2**32
    noise = Noise(seed, first)
    for count in range(3):
        keys = draw_key(mix_key(seed, np.arange(first, first + 6)), count)
        x, y = draw_words(keys[:, None], np.arange(70))
        found = noise.words((6, 70))
        np.testing.assert_array_equal(found[0], x)
        np.testing.assert_array_equal(found[1], y)
        noise.reseed(count)
        uniform = noise.uniform((6, 70))
        np.testing.assert_array_equal(np.floor(uniform * 65536), y)
        np.testing.assert_array_equal(np.floor(uniform * 2 ** 23), (y << 16 | x) >> 9)
        noise.reseed(count)
        np.testing.assert_allclose(noise.normal((6, 70)), byte_sum(x, y) / np.sqrt(21845),
                                   rtol=1e-12)
    every = np.arange(256)
    total = every[:, None] + every - 255
    assert np.mean(total ** 2.0) * 2 == pytest.approx(BYTE_SUM_VARIANCE)
    assert byte_sum(0, 0) == -510 and byte_sum(0xFFFF, 0xFFFF) == 510


def test_the_address_decides():
    noise = Noise(7, first_image=10)
    noise.uniform((4, 5))
    late = noise.uniform((4, 5)).copy()
    again = Noise(7, first_image=12)
    again.reseed(1)
    assert again.count == 1
    np.testing.assert_array_equal(again.uniform((2, 5)), late[2:])
    assert again.count == 2
    again.start(7, 12)
    assert not np.array_equal(again.uniform((2, 5)), late[2:])
