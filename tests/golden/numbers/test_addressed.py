"""The mixing functions: their definition, and what a signature must show."""

import mixing_reference as reference
import numpy as np
import pytest

from apical.golden.numbers.addressed import cross, mix_element, mix_key, mix_round, signature
from bench.mixing import missed

KEYS = [mix_key(0, 0), mix_key(1, 0), mix_key(12345, 256 * 77 + 3), 0, 0xFFFFFFFF]


def test_scalar_and_vectorized_match_the_definition():
    rng = np.random.default_rng(1)
    keys = rng.integers(0, 2 ** 32, 300)
    address = rng.integers(0, 2 ** 16, 300)
    value = rng.integers(-2 ** 15, 2 ** 15, 300)
    expected = [reference.element(*map(int, item)) for item in zip(keys, address, value)]
    assert mix_element(keys, address, value).tolist() == expected
    assert [mix_element(*map(int, item)) for item in zip(keys, address, value)] == expected
    words = rng.integers(0, 2 ** 32, 300)
    expected = [reference.key_of(*map(int, item)) for item in zip(keys, words)]
    assert mix_key(keys, words).tolist() == expected
    assert [mix_key(*map(int, item)) for item in zip(keys, words)] == expected


def test_a_round_by_hand():
    # x rotated right by 7 is 0x0200; plus y 0x8001 is 0x8201; key 0x00FF makes it 0x82FE.
    # y rotated left by 2 is 0x0006, with x 0x82F8.
    assert mix_round(0x0001, 0x8001, 0x00FF) == (0x82FE, 0x82F8)


def test_a_crossing_by_hand():
    # x = 0x0001 + 0x0002 = 0x0003, y = 0x0100 ^ 0x0001 = 0x0101.  Rotated by 9, 7, 3 x is 0x0600,
    # 0x0180, 0x0018; the last two have no bit in common, so y = 0x0701 (0x0101 ^ 0x0600).
    # y rotated by 3 is 0x3808, x = 0x380B.  Rotated by 5: 0x0167, by 11: 0x59C0, by 2: 0xE02C;
    # 0x59C0 & 0xE02C = 0x4000; y = 0x0701 ^ 0x0167 ^ 0x4000 = 0x4666.
    assert cross(0x0001, 0x0100, 0x0002, 0x0001) == (0x380B, 0x4666)


@pytest.mark.parametrize("key", KEYS)
def test_crossing_is_a_bijection(key):
    """All of a sample of element words come out different, and every changed half shows."""
    everything = np.arange(65536)
    assert len(np.unique(mix_element(key, 5, everything))) == 65536
    assert len(np.unique(mix_element(key, everything, 5))) == 65536
    rng = np.random.default_rng(0)
    pairs = np.unique(rng.integers(0, 2 ** 32, 200_000))
    assert len(np.unique(mix_element(key, pairs >> 16, pairs))) == len(pairs)
    # The same for the key's side.
    assert len(np.unique(mix_element(pairs, 5, 77))) == len(pairs)


def test_signature_sums_the_elements():
    rng = np.random.default_rng(2)
    keys = rng.integers(0, 2 ** 32, 7)
    values = rng.integers(-2 ** 15, 2 ** 15, (7, 33))
    expected = [sum(reference.element(int(k), i, int(v)) for i, v in enumerate(row)) % 2 ** 32
                for k, row in zip(keys, values)]
    assert [signature(int(k), row.tolist()) for k, row in zip(keys, values)] == expected
    # On arrays as well: a column of values for each unit.
    assert signature(keys, values.T).tolist() == expected


def test_a_single_changed_value_changes_the_signature():
    rng = np.random.default_rng(3)
    keys = rng.integers(0, 2 ** 32, 20_000)
    values = rng.integers(-2 ** 15, 2 ** 15, (20_000, 8))
    changed = values.copy()
    changed[:, 3] ^= rng.integers(1, 2 ** 16, 20_000)
    assert (signature(keys, values.T) != signature(keys, changed.T)).all()
    assert missed("states", "one wrong", 100_000) == 0


@pytest.mark.parametrize(("what", "least", "most"), [
    # Measured over a million: 3.1e-3, 1.8e-2 (the worst case of so few functions), 0, 3e-5.
    ("swapped", 0, 5e-3), ("swapped, one bit apart", 5e-3, 2.5e-2), ("both one more", 0, 1e-4),
    ("both top bit", 0, 2e-4),
])
def test_two_wrong_values_change_the_signature(what, least, most):
    assert least <= missed("states", what, 200_000, seed=1) < most


@pytest.mark.parametrize(("kind", "most"), [("far apart", 1e-2), ("small values", 2e-2)])
def test_swapped_values_change_the_signature(kind, most):
    rng = np.random.default_rng(4)
    count, units = 100_000, 32
    keys = mix_key(rng.integers(0, 2 ** 32, count), 1)
    values = rng.integers(0, 64 if kind == "small values" else 2 ** 15, (count, units))
    first = rng.integers(0, units - 1, count)
    second = (first + units // 2) % units if kind == "far apart" else first + 1
    rows = np.arange(count)
    swapped = values.copy()
    swapped[rows, first], swapped[rows, second] = values[rows, second], values[rows, first]
    differ = (values != swapped).any(axis=1)
    lost = (signature(keys, values.T) == signature(keys, swapped.T)) & differ
    assert differ.sum() > 0.9 * count
    assert lost.sum() / differ.sum() < most
