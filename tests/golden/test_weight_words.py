"""Random words of weights and the signature of weight writes: definition and statistics."""

import numpy as np
import pytest

from apical.golden.mix import (
    WEIGHT_ROUNDS,
    WRITTEN_ROUNDS,
    mix_key,
    mix_round,
    mix_weight,
    mix_written,
)


def speck_round(x, y, k):
    """The round of the mixing function on bit strings and modular sums."""
    def left(word, n):
        bits = f"{word:016b}"
        return int(bits[n:] + bits[:n], 2)
    x = ((left(x, 9) + y) % 65536) ^ k
    return x, left(y, 2) ^ x


def words_of(key, rows, cols, rounds=WEIGHT_ROUNDS):
    """Real numbers in -1/2..1/2 from the top 18 bits of the words of a matrix."""
    high, low = key >> 16, key & 0xFFFF
    x, y = np.arange(rows)[:, None] ^ high, np.arange(cols)[None, :] ^ low
    for i in range(rounds):
        x, y = mix_round(x, y, high if i & 1 else low)
    return ((x << 16 | y) >> 14) / 2 ** 18 - 0.5 + 2.0 ** -19


def correlations(seed, rounds, operations=40):
    """Mean correlations over operations at lags along rows, columns, diagonals, and operations."""
    found, before = [], None
    for operation in range(operations):
        key = int(mix_key(mix_key(seed, operation // 8), (30 + operation % 8) << 8 | 128))
        u, row = words_of(key, 256, 256, rounds), []
        for lag in (1, 2, 3, 4, 8, 16, 32, 64):
            row += [np.mean(u[:-lag] * u[lag:]), np.mean(u[:, :-lag] * u[:, lag:]),
                    np.mean(u[:-lag, :-lag] * u[lag:, lag:]),
                    np.mean(u[:-lag, lag:] * u[lag:, :-lag])]
        row.append(0.0 if before is None else np.mean(u * before))
        found.append(row)
        before = u
    return 12 * np.array(found)


def test_words_by_their_definition():
    rng = np.random.default_rng(0)
    for _ in range(50):
        key, row, col, value = (int(v) for v in rng.integers(0, [2 ** 32, 65536, 65536, 65536]))
        high, low = key >> 16, key & 0xFFFF
        x, y = row ^ high, col ^ low
        for k in (low, high, low, high, low, high):
            x, y = speck_round(x, y, k)
        word = x << 16 | y
        assert mix_weight(key, row, col) == word
        assert mix_weight(np.array([key]), row, np.array([col])).tolist() == [word]
        x, y = speck_round(x ^ value, y, low)
        x, y = speck_round(x, y, high)
        assert mix_written(key, word, value) == mix_written(key, word, value - 65536) == x << 16 | y


@pytest.mark.parametrize("seed", range(3))
def test_words_of_a_matrix_look_random(seed):
    # Measured over 200 operations: singular value 1.005, correlations of at most 0.019 in a
    # matrix (five standard errors are 0.0195) and 0.003 in the mean.
    count = 256 * 256
    for operation in range(8):
        u = words_of(mix_key(seed, operation), 256, 256)
        assert abs(u.mean()) < 4.5 * np.sqrt(1 / 12 / count)
        assert abs(u.var() - 1 / 12) < 4.5 * np.sqrt(1 / 180 / count)
        # Noise of 256 x 256 independent words has its greatest singular value near 2 * 16.
        assert np.linalg.svd(u, compute_uv=False)[0] / np.sqrt(1 / 12) < 1.1 * 32
    found = correlations(seed, WEIGHT_ROUNDS)
    assert np.abs(found).max() < 6 / 256
    assert np.abs(found.mean(axis=0)).max() < 0.005


def test_fewer_rounds_are_not_random():
    assert WEIGHT_ROUNDS == 6
    for rounds, least in ((5, 0.08), (4, 0.25), (3, 0.5)):
        assert np.abs(correlations(0, rounds, 16).mean(axis=0)).max() > least
    u = words_of(mix_key(0, 0), 256, 256, 4)
    assert np.linalg.svd(u, compute_uv=False)[0] / np.sqrt(1 / 12) > 1.1 * 32


@pytest.mark.parametrize(("kind", "most"), [
    # Measured over 2,000,000: 2e-6, 3.4e-3 (the worst case of few rounds), 6.5e-4, 1.4e-3.
    ("swapped", 5e-5), ("swapped, one bit apart", 5e-3), ("both one more", 1.5e-3),
    ("both top bit", 2.5e-3),
])
def test_two_wrong_weights_change_the_signature(kind, most):
    rng = np.random.default_rng(1)
    count = 200_000
    key = mix_key(rng.integers(0, 2 ** 32, count), 1)
    rows, cols = rng.integers(0, 784, count), rng.integers(0, 64, count)
    other = rows + 1
    one = rng.integers(-2 ** 15, 2 ** 15, count)
    two = rng.integers(-2 ** 15, 2 ** 15, count)
    if "one bit" in kind:
        two = one ^ 1 << rng.integers(0, 15, count)
    wrong = {"both one more": (one + 1, two + 1), "both top bit": (one ^ 32768, two ^ 32768)}.get(
        kind, (two, one))
    sums = [mix_written(key, mix_weight(key, rows, cols), a)
            + mix_written(key, mix_weight(key, other, cols), b) & 0xFFFFFFFF
            for a, b in ((one, two), wrong)]
    assert np.mean((sums[0] == sums[1])[one != two]) < most
    assert WRITTEN_ROUNDS == 2


def test_a_wrong_weight_always_changes_the_signature():
    key, everything = mix_key(3, 3), np.arange(65536)
    word = mix_weight(key, 17, 4)
    assert len(np.unique(mix_written(key, word, everything))) == 65536
