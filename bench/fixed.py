"""Speed of online training in raw integers: the compiled road against the NumPy road.

``python -m bench.fixed --json FILE`` trains the same images both ways, in turns, checks that both
write the same (by signature), and gives the median of the ratios of images a second.
"""

from __future__ import annotations

import argparse
import statistics
import time

import numpy as np

from apical.cli.common import parse_layers, write_json
from apical.golden.executors.compiled.executor import OnlineExecutor
from apical.golden.executors.fixed.executor import FixedExecutor
from apical.golden.learning.float import TrainingConfig, starting_weights
from apical.golden.network import layered
from apical.golden.numbers.quantize import quantize_network
from apical.golden.systems.equilibrium import learning_rates, training


def measure(layers=(784, 64, 10), images=200, fast_images=4000, rounds=5, density=0.19, seed=0):
    """Train random images of a density both ways, `rounds` times in turn.

    Parameters
    ----------
    layers : sequence of int
    images, fast_images : int
        Images of a round of the NumPy road and of the compiled one; both start with the same.
    rounds : int
    density : float
        Chance of an input to be nonzero; that of MNIST is 0.19.
    seed : int

    Returns
    -------
    dict
        ``ratio`` (compiled over NumPy, median of the rounds), the ratio of every round, the two
        medians of images a second, ``compile_seconds`` of the first call.
    """
    network = layered(layers)
    config = TrainingConfig(seed=seed)
    weights = quantize_network(network, starting_weights(network, config)).weights
    program, rates = training(network), learning_rates(network, 0.02)
    rng = np.random.default_rng(seed)
    shape = fast_images, layers[0]
    x = np.where(rng.random(shape) < density, rng.integers(1, 4097, shape), 0).astype(np.int16)
    d = 4096 * np.eye(layers[-1], dtype=np.int16)[rng.integers(0, layers[-1], fast_images)]
    begin = time.perf_counter()
    OnlineExecutor(network, weights).run(program, {"x": x[:1], "d": d[:1]}, rates=rates)
    compiled = time.perf_counter() - begin
    speeds = {"numpy": [], "compiled": []}
    for turn in range(rounds):
        slow, fast = FixedExecutor(network, weights), OnlineExecutor(network, weights)
        begin = time.perf_counter()
        one = slow.run(program, {"x": x[:images], "d": d[:images]}, turn, rates=rates)
        middle = time.perf_counter()
        two = fast.run(program, {"x": x, "d": d}, turn, rates=rates, collect=False)
        end = time.perf_counter()
        if (one.signatures != two.signatures[:images]).any():
            raise AssertionError("the two roads differ")
        speeds["numpy"].append(images / (middle - begin))
        speeds["compiled"].append(fast_images / (end - middle))
    ratios = [b / a for a, b in zip(speeds["numpy"], speeds["compiled"])]
    return {"ratio": statistics.median(ratios), "ratios": ratios,
            "numpy_images_per_second": statistics.median(speeds["numpy"]),
            "compiled_images_per_second": statistics.median(speeds["compiled"]),
            "compile_seconds": compiled, "layers": list(layers), "rounds": rounds, "seed": seed}


def main():
    """Run the benchmark from the command line."""
    parser = argparse.ArgumentParser(prog="python -m bench.fixed", description=__doc__)
    parser.add_argument("--layers", type=parse_layers, default=(784, 64, 10))
    parser.add_argument("--rounds", type=int, default=5, help="default: %(default)s")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", metavar="FILE")
    args = parser.parse_args()
    report = measure(args.layers, rounds=args.rounds, seed=args.seed)
    if args.json:
        write_json(args.json, report)
    print(f"ratio {report['ratio']:.1f}: {report['compiled_images_per_second']:.0f} images/s "
          f"compiled, {report['numpy_images_per_second']:.0f} in NumPy")


if __name__ == "__main__":
    main()
