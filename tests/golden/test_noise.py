"""Addressed noise: distribution, independence, and the address alone deciding."""

import numpy as np
import pytest

from apical.golden.noise import Noise


def correlation(a, b):
    return np.corrcoef(a.ravel(), b.ravel())[0, 1]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_uniform_and_normal_numbers_have_their_moments(dtype):
    noise = Noise(3, dtype=dtype)
    u, n = noise.uniform((4000, 100)), noise.normal((4000, 100))
    assert u.dtype == n.dtype == dtype
    assert 0 < u.min() < 1e-4 and 1 - 1e-4 < u.max() < 1
    assert abs(u.mean() - 0.5) < 2e-3 and abs(u.var() * 12 - 1) < 6e-3
    assert abs(n.mean()) < 6e-3 and abs(n.var() - 1) < 9e-3 and abs((n ** 4).mean() - 3) < 0.08


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
