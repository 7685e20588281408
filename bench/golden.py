"""Speed of equilibrium propagation in the float executor, against a naive version and the limit.

``python -m bench.golden --json FILE`` trains 784-512-10 and 784-500-500-10 at batches of 20 and
128 both ways, in turns, in process CPU time with one BLAS thread, and gives medians of the ratios.

The naive version is the same mathematics as it is usually written: every step computes every
product, the input's too, and allocates its results.  The limit is the time that the least set of
products takes by itself: the input's drive once, the settling couplings at every step, one update
of the input weights and two of the others.

Where PyTorch is installed, a naive and a hoisted version in it take their turns too.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import time

import numpy as np

from apical.cli.common import write_json
from apical.golden.executors.float.executor import FloatExecutor
from apical.golden.learning.data import one_hot
from apical.golden.learning.float import TrainingConfig, starting_weights
from apical.golden.network import layered
from apical.golden.systems.equilibrium import learning_rates, training
from apical.golden.threads import VARIABLES

#: Relaxation steps of both phases, from zero states; eps and beta are 1/2.
FREE_STEPS, NUDGE_STEPS, EPS, BETA = 20, 4, 0.5, 0.5
CASES = {"512_b20": ((784, 512, 10), 20), "512_b128": ((784, 512, 10), 128),
         "500_500_b20": ((784, 500, 500, 10), 20), "500_500_b128": ((784, 500, 500, 10), 128)}


def naive(weights, x, d, rate):
    """One batch of equilibrium propagation as the equations say it; changes the weights."""
    layers = len(weights) // 2
    states = [x] + [np.zeros((len(x), weights[f"W{k}"].shape[1]), np.float32)
                    for k in range(1, layers + 1)]

    def step(states, beta):
        new = [x]
        for k in range(1, layers + 1):
            force = states[k - 1] @ weights[f"W{k}"] + weights[f"b{k}"] - states[k]
            if k < layers:
                force = force + states[k + 1] @ weights[f"W{k + 1}"].T
            else:
                force = force + beta * (d - states[k])
            new.append(np.clip(states[k] + EPS * force, 0, 1).astype(np.float32))
        return new

    for _ in range(FREE_STEPS):
        states = step(states, 0.0)
    free = states
    for _ in range(NUDGE_STEPS):
        states = step(states, BETA)
    scale = np.float32(rate / BETA / len(x))
    for k in range(1, layers + 1):
        weights[f"W{k}"] += scale * (states[k - 1].T @ states[k] - free[k - 1].T @ free[k])
        weights[f"b{k}"] += scale * (states[k] - free[k]).sum(axis=0)


def torch_versions(weights, x, d) -> dict:
    """Learners in PyTorch by name; none if it is not installed."""
    try:
        from bench.golden_torch import Learner
    except ModuleNotFoundError:
        return {}
    phases = FREE_STEPS, NUDGE_STEPS, EPS, BETA
    return {f"torch_{name}": Learner(weights, x, d, phases, name == "hoisted")
            for name in ("naive", "hoisted")}


def _timed(function, repeats):
    begin = time.process_time()
    for _ in range(repeats):
        function()
    return (time.process_time() - begin) / repeats


def needed(sizes, batch):
    """Shapes (m, k, n) of the smallest set of products of a batch, with their numbers."""
    found = {(batch, sizes[0], sizes[1]): 1, (sizes[0], batch, sizes[1]): 1}
    for a, b in zip(sizes[1:], sizes[2:], strict=False):
        for shape, count in (((batch, a, b), FREE_STEPS + NUDGE_STEPS),
                             ((batch, b, a), FREE_STEPS + NUDGE_STEPS), ((a, batch, b), 2)):
            found[shape] = found.get(shape, 0) + count
    return found


def limit(sizes, batch, repeats=5):
    """Seconds that the smallest set of products takes by itself."""
    rng, total = np.random.default_rng(0), 0.0
    for (m, k, n), count in needed(sizes, batch).items():
        a, b = rng.random((m, k), np.float32), rng.random((k, n), np.float32)
        out = np.empty((m, n), np.float32)
        total += count * _timed(lambda a=a, b=b, out=out: np.matmul(a, b, out=out), repeats)
    return total


def measure(sizes, batch, rounds=7, seed=0) -> dict:
    """Train both ways, `rounds` times in turn.

    Returns
    -------
    dict
        ``ratio`` of speeds and ``limit_share`` (medians), the values of every round, images a CPU
        second, and ``difference``: greatest between the weights of two versions after a batch,
        relative to the greatest change.  With PyTorch also ``ratio_torch_naive`` and
        ``ratio_torch_hoisted``.
    """
    rng, network = np.random.default_rng(seed), layered(sizes)
    first = {name: w.astype(np.float32)
             for name, w in starting_weights(network, TrainingConfig(seed=seed)).items()}
    x = rng.random((batch, sizes[0]), np.float32)
    d = one_hot(rng.integers(0, sizes[-1], batch), sizes[-1])
    program = training(network, FREE_STEPS, NUDGE_STEPS, beta_shift=1, start="zero")
    executor, rate = FloatExecutor(network, first), 0.01
    rates = learning_rates(network, rate, 1)

    def fast():
        executor.run(program, {"x": x, "d": d}, rates=rates, collect=False)

    plain = {name: w.copy() for name, w in first.items()}
    fast()
    naive(plain, x, d, rate)
    others = torch_versions(first, x, d)
    for learner in others.values():
        learner.batch(rate)
    change = max(np.abs(plain[name] - first[name]).max() for name in first)
    difference = max(np.abs(plain[name] - found[name]).max() / change for name in first
                     for found in (executor.weights, *(o.arrays() for o in others.values())))
    repeats = max(1, 400 // batch)
    # At a rate of 0 no weight moves; the work is the same.
    rivals = {"": lambda: naive(plain, x, d, 0.0),
              **{f"_{name}": lambda o=o: o.batch(0.0) for name, o in others.items()}}
    ratios, shares, speeds = {name: [] for name in rivals}, [], []
    for _ in range(rounds):
        quick = _timed(fast, repeats)
        for name, function in rivals.items():
            ratios[name].append(_timed(function, max(1, repeats // 4)) / quick)
        shares.append(limit(sizes, batch) / quick)
        speeds.append(batch / quick)
    report = {"limit_share": statistics.median(shares),
              "images_per_cpu_second": statistics.median(speeds), "limit_shares": shares,
              "difference": float(difference)}
    for name, values in ratios.items():
        report[f"ratio{name}"], report[f"ratios{name}"] = statistics.median(values), values
    return report


def main(argv=None):
    """Run all cases and print a line for each; 1 if the versions disagree."""
    parser = argparse.ArgumentParser(prog="python -m bench.golden", description=__doc__)
    parser.add_argument("--rounds", type=int, default=7, help="default: %(default)s")
    parser.add_argument("--json", metavar="FILE")
    args = parser.parse_args(argv)
    report = {"rounds": args.rounds, "numpy": np.__version__, "cases": {}}
    for name, (sizes, batch) in CASES.items():
        found = report["cases"][name] = measure(sizes, batch, args.rounds)
        for key in ("ratio", "ratio_torch_naive", "ratio_torch_hoisted", "limit_share"):
            if key in found:
                report[f"{key}_{name}"] = found[key]
        print(f"{'-'.join(map(str, sizes))}, batch {batch}: {found['ratio']:.1f} times the naive "
              f"version, {100 * found['limit_share']:.0f} % of the limit, "
              + (f"{found['ratio_torch_naive']:.1f} and {found['ratio_torch_hoisted']:.1f} times "
                 "PyTorch, naive and hoisted, " if "ratio_torch_naive" in found else "") +
              f"{found['images_per_cpu_second']:.0f} images per CPU second")
    report["torch"] = _torch_version()
    if args.json:
        write_json(args.json, report)
    # Equal mathematics, other order of float32 sums: a few 1e-5 of the change.
    return int(any(case["difference"] > 1e-3 for case in report["cases"].values()))


def _torch_version():
    torch = sys.modules.get("torch")
    return None if torch is None else torch.__version__


if __name__ == "__main__":
    if any(os.environ.get(name) != "1" for name in VARIABLES):  # NumPy has read them already
        os.environ.update(dict.fromkeys(VARIABLES, "1"))
        os.execv(sys.executable, [sys.executable, "-m", "bench.golden", *sys.argv[1:]])
    sys.exit(main())
