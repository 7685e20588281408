"""The mixing function: its definition, what a signature must show, and its statistics."""

import numpy as np
import pytest

from apical.golden.mix import (
    ELEMENT_ROUNDS,
    KEY_ROUNDS,
    mix_element,
    mix_key,
    mix_round,
    signature,
)

KEYS = [mix_key(0, 0), mix_key(1, 0), mix_key(12345, 256 * 77 + 3), 0, 0xFFFFFFFF]


def speck_round(x, y, k):
    """The same round in other words: on bit strings and modular sums."""
    def left(word, n):
        bits = f"{word:016b}"
        return int(bits[n:] + bits[:n], 2)
    x = ((left(x, 9) + y) % 65536) ^ k
    return x, left(y, 2) ^ x


def reference_element(key, address, value):
    halves = key // 65536, key % 65536
    x, y = (value % 65536) ^ halves[0], (address % 65536) ^ halves[1]
    for i in range(ELEMENT_ROUNDS):
        x, y = speck_round(x, y, halves[1 - i % 2])
    return x * 65536 + y


def reference_key(key, word):
    halves = key // 65536, key % 65536
    both = key ^ word
    x, y = both // 65536, both % 65536
    for i in range(KEY_ROUNDS):
        x, y = speck_round(x, y, halves[i % 2] ^ i)
    return x * 65536 + y


def test_scalar_and_vectorized_match_the_definition():
    rng = np.random.default_rng(1)
    keys = rng.integers(0, 2 ** 32, 300)
    address = rng.integers(0, 2 ** 16, 300)
    value = rng.integers(-2 ** 15, 2 ** 15, 300)
    expected = [reference_element(*map(int, item)) for item in zip(keys, address, value)]
    assert mix_element(keys, address, value).tolist() == expected
    assert [mix_element(*map(int, item)) for item in zip(keys, address, value)] == expected
    words = rng.integers(0, 2 ** 32, 300)
    expected = [reference_key(*map(int, item)) for item in zip(keys, words)]
    assert mix_key(keys, words).tolist() == expected
    assert [mix_key(*map(int, item)) for item in zip(keys, words)] == expected


def test_a_round_by_hand():
    # x rotated right by 7 is 0x0200; plus y 0x8001 is 0x8201; key 0x00FF makes it 0x82FE.
    # y rotated left by 2 is 0x0006, with x 0x82F8.
    assert mix_round(0x0001, 0x8001, 0x00FF) == (0x82FE, 0x82F8)


@pytest.mark.parametrize("key", KEYS)
def test_a_changed_value_or_address_always_shows(key):
    everything = np.arange(65536)
    assert len(np.unique(mix_element(key, 5, everything))) == 65536
    assert len(np.unique(mix_element(key, everything, 5))) == 65536


def test_signature_sums_the_elements():
    rng = np.random.default_rng(2)
    keys = rng.integers(0, 2 ** 32, 7)
    values = rng.integers(-2 ** 15, 2 ** 15, (7, 33))
    expected = [sum(reference_element(int(k), i, int(v)) for i, v in enumerate(row)) % 2 ** 32
                for k, row in zip(keys, values)]
    assert signature(keys, values).tolist() == expected


def test_a_single_changed_value_changes_the_signature():
    rng = np.random.default_rng(3)
    keys = rng.integers(0, 2 ** 32, 20_000)
    values = rng.integers(-2 ** 15, 2 ** 15, (20_000, 8))
    changed = values.copy()
    changed[:, 3] ^= rng.integers(1, 2 ** 16, 20_000)
    assert (signature(keys, values) != signature(keys, changed)).all()


@pytest.mark.parametrize(("kind", "most"), [
    ("far apart", 1e-3),
    ("neighbours", 1e-3),
    ("small values", 1e-3),
    # The worst case of few rounds: neighbours whose values differ in a single bit.
    ("one bit apart", 5e-3),
])
def test_swapped_values_change_the_signature(kind, most):
    rng = np.random.default_rng(4)
    count, units = 100_000, 32
    keys = mix_key(rng.integers(0, 2 ** 32, count), 1)
    values = rng.integers(0, 64 if kind == "small values" else 2 ** 15, (count, units))
    first = rng.integers(0, units - 1, count)
    second = (first + units // 2) % units if kind == "far apart" else first + 1
    rows = np.arange(count)
    if kind == "one bit apart":
        values[rows, second] = values[rows, first] ^ (1 << rng.integers(0, 15, count))
    swapped = values.copy()
    swapped[rows, first], swapped[rows, second] = values[rows, second], values[rows, first]
    differ = (values != swapped).any(axis=1)
    missed = (signature(keys, values) == signature(keys, swapped)) & differ
    assert differ.sum() > 0.9 * count
    assert missed.sum() / differ.sum() < most


# Random words.  A signature needs that changes show; random words must also be independent from
# one address to the next, which takes more of the same rounds (three leave a correlation of 0.7).

WORD_ROUNDS = 6


def element(key, address, value, rounds):
    high, low = key >> 16, key & 0xFFFF
    x, y = value & 0xFFFF ^ high, address & 0xFFFF ^ low
    for i in range(rounds):
        x, y = mix_round(x, y, high if i & 1 else low)
    return x << 16 | y


def serial_correlations(half, rounds, count=4096, keys=64):
    """Correlation of words at a few address distances: array of shape (keys, lags)."""
    found = []
    for seed in range(keys):
        words = element(mix_key(7, seed), np.arange(count), 0, rounds)
        words = ((words >> (16 if half == "high" else 0)) & 0xFFFF) / 65536 - 0.5
        found.append([np.mean(words[:-lag] * words[lag:]) * 12 for lag in (1, 2, 4, 8, 16, 64)])
    return np.array(found)


def test_rounds_are_those_of_an_element():
    address = np.arange(1000)
    assert (element(KEYS[2], address, 9, ELEMENT_ROUNDS) == mix_element(KEYS[2], address, 9)).all()


@pytest.mark.parametrize("seed", range(4))
def test_words_over_addresses_look_random(seed):
    count = 65536
    words = element(mix_key(seed, 256), np.arange(count), 0, WORD_ROUNDS)
    assert words.min() >= 0
    assert words.max() < 2 ** 32
    for part, bits in ((words, 32), (words >> 16, 16), (words & 0xFFFF, 16)):
        unit = part / 2 ** bits
        # Five standard errors of uniform words.
        assert abs(unit.mean() - 0.5) < 5 * np.sqrt(1 / 12 / count)
        assert abs(unit.var() - 1 / 12) < 5 * np.sqrt(1 / 180 / count)
    balance = [((words >> bit) & 1).mean() for bit in range(32)]
    assert np.abs(np.array(balance) - 0.5).max() < 5 * 0.5 / np.sqrt(count)


@pytest.mark.parametrize("half", ["high", "low"])
def test_neighbouring_words_are_uncorrelated(half):
    found = serial_correlations(half, WORD_ROUNDS)
    assert np.abs(found).max() < 5 / np.sqrt(4096)
    assert np.abs(found.mean(axis=0)).max() < 4 / np.sqrt(4096 * 64)


def test_the_correlation_test_sees_too_few_rounds():
    for rounds in (2, 3, 4):
        assert np.abs(serial_correlations("high", rounds, keys=16)).max() > 0.1


def test_noise_of_a_matrix_is_not_of_rank_one():
    # A linear hash of row and column would have one dominant singular value; noise of 256 x 256
    # independent words has its greatest near 2 * 16 standard deviations.
    rows, cols = np.arange(256)[:, None], np.arange(256)[None, :]
    words = element(mix_key(3, 9), cols, rows, WORD_ROUNDS) / 2 ** 32 - 0.5
    greatest = np.linalg.svd(words, compute_uv=False)[0] / np.sqrt(1 / 12)
    assert greatest < 1.1 * 32
    linear = (rows * 40503 & 0xFFFF ^ cols * 30011 & 0xFFFF) / 65536 - 0.5
    assert np.linalg.svd(linear, compute_uv=False)[0] / np.sqrt(1 / 12) > 2 * 32
