"""Statistics of the mixing functions: random words of weights and units, and what signatures miss.

``python -m bench.mixing --json FILE`` measures them; tests assert bounds of the same functions.
"""

from __future__ import annotations

import argparse

import numpy as np

from apical.cli.common import write_json
from apical.golden.numbers.addressed import (
    draw_key,
    draw_words,
    mix_element,
    mix_key,
    mix_weight,
    mix_written,
)

LAGS = (1, 2, 3, 4, 8, 16, 32, 64)


def operation_key(seed, operation):
    """Key of an operation that writes weights; a few for each image, as in training."""
    return int(mix_key(int(mix_key(seed, operation // 8)), (30 + operation % 8) << 8 | 128))


def matrix_words(key, rows=256, cols=256):
    """Rounding words of a matrix as numbers in -1/2..1/2, mean 0 when uniform."""
    y = mix_weight(key, np.arange(rows)[:, None], np.arange(cols)[None])[1]
    return y / 2 ** 16 - 0.5 + 2.0 ** -17


def greatest_singular(words):
    """Largest singular value of a square of uniform words over 2 sqrt(n) sigma."""
    return np.linalg.svd(words, compute_uv=False)[0] / (2 * np.sqrt(len(words) / 12))


def squared_correlations(words):
    """Squared correlations relative to the mean for independent words.

    At `LAGS`, along rows, columns and both diagonals.
    """
    found = []
    for lag in LAGS:
        for one, two in ((words[:-lag], words[lag:]), (words[:, :-lag], words[:, lag:]),
                         (words[:-lag, :-lag], words[lag:, lag:]),
                         (words[:-lag, lag:], words[lag:, :-lag])):
            found.append(144 * np.mean(one * two) ** 2 * one.size)
    return np.array(found)


def matrices(seed, operations=200, size=256):
    """Statistics of the words of a matrix over operations, with those of independent words.

    Returns
    -------
    dict
        ``singular`` (mean of the greatest singular value, over that of independent noise),
        ``singular_max``, ``squared_correlation`` (mean over all lags), ``squared_correlation_max``
        (of the mean over operations at one lag), ``squared_across`` (from operation to operation),
        ``mean`` and ``variance`` (greatest deviations in standard errors).
    """
    rng = np.random.default_rng(seed)
    singular, correlated, across, mean, variance, noise = [], [], [], [], [], []
    before = None
    for operation in range(operations):
        words = matrix_words(operation_key(seed, operation), size, size)
        singular.append(greatest_singular(words))
        noise.append(greatest_singular(rng.random((size, size)) - 0.5))
        correlated.append(squared_correlations(words))
        if before is not None:
            across.append(144 * np.mean(words * before) ** 2 * words.size)
        before = words
        mean.append(words.mean() * np.sqrt(12 * words.size))
        variance.append((words.var() - 1 / 12) * np.sqrt(180 * words.size))
    return {"singular": float(np.mean(singular) / np.mean(noise)),
            "singular_max": float(np.max(singular) / np.mean(noise)),
            "squared_correlation": float(np.mean(correlated)),
            "squared_correlation_max": float(np.mean(correlated, axis=0).max()),
            "squared_across": float(np.mean(across)),
            "mean": float(np.abs(mean).max()), "variance": float(np.abs(variance).max())}


def draws(seed, count=2000, units=256):
    """Statistics of the draws of units.

    ``mean`` and ``variance`` of the uniform word y in standard errors, squared correlations of
    neighbours and of draws one after the other.
    """
    keys = draw_key(mix_key(seed, np.arange(count) // 20), np.arange(count) % 20)
    words = draw_words(keys[:, None], np.arange(units))[1] / 2 ** 16 - 0.5 + 2.0 ** -17
    units_apart = 144 * np.mean(words[:, 1:] * words[:, :-1], axis=1) ** 2 * (units - 1)
    draws_apart = 144 * np.mean(words[1:] * words[:-1], axis=1) ** 2 * units
    return {"mean": float(words.mean() * np.sqrt(12 * words.size)),
            "variance": float((words.var() - 1 / 12) * np.sqrt(180 * words.size)),
            "squared_correlation": float(units_apart.mean()),
            "squared_correlation_draws": float(draws_apart.mean())}


def missed(kind, what, count, seed=0):
    """Share of wrong pairs of values that do not change the signature.

    Parameters
    ----------
    kind : str
        ``"states"`` or ``"weights"``.
    what : str
        ``"swapped"``, ``"swapped, one bit apart"``, ``"both one more"``, ``"both top bit"``,
        ``"one wrong"``.
    count : int
        Trials.
    """
    rng = np.random.default_rng(seed)
    key = mix_key(rng.integers(0, 2 ** 32, count), 1)
    rows, cols = rng.integers(0, 783, count), rng.integers(0, 64, count)
    one, two = rng.integers(-2 ** 15, 2 ** 15, (2, count))
    if "one bit" in what:
        two = one ^ 1 << rng.integers(0, 15, count)
    wrong = {"both one more": (one + 1, two + 1), "both top bit": (one ^ 32768, two ^ 32768),
             "one wrong": (one, two ^ rng.integers(1, 2 ** 16, count))}.get(what, (two, one))

    def total(values):
        pair = zip((rows, rows + 1), values)
        if kind == "states":
            words = [mix_element(key, at, value) for at, value in pair]
        else:
            words = [mix_written(*mix_weight(key, at, cols), value) for at, value in pair]
        return words[0] + words[1] & 0xFFFFFFFF
    different = np.ones(count, bool) if what == "one wrong" else one != two
    return float(np.mean((total((one, two)) == total(wrong))[different]))


WRONG = ("one wrong", "swapped", "swapped, one bit apart", "both one more", "both top bit")


def main():
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--operations", type=int, default=200)
    parser.add_argument("--trials", type=int, default=1_000_000)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--json")
    options = parser.parse_args()
    seeds = range(options.seeds)
    report = {"matrices": [matrices(seed, options.operations) for seed in seeds],
              "draws": [draws(seed) for seed in seeds],
              "missed": {kind: {what: missed(kind, what, options.trials) for what in WRONG}
                         for kind in ("states", "weights")}}
    for name in ("matrices", "draws"):
        for key in report[name][0]:
            print(f"{name}: {key}: {' / '.join(f'{run[key]:.4f}' for run in report[name])}")
    for kind, shares in report["missed"].items():
        for what, share in shares.items():
            print(f"missed {kind}, {what}: {share:.2e}")
    if options.json:
        write_json(options.json, report)


if __name__ == "__main__":
    main()
