"""Speed of raw integers: the compiled and the batched executor.

``python -m bench.fixed --json FILE`` trains the same images with both, image by image, in turns,
checks that both write the same (by signature), and gives the median of the ratios of images a
second.  It then measures what the batched executor is for: inference and sampling of a batch, in
images per second of processor time, the best of the rounds, with one thread.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time

# Read when NumPy loads its BLAS; processor time counts every thread.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np

from apical.cli.common import parse_layers, write_json
from apical.golden.executors.compiled.executor import CompiledExecutor
from apical.golden.executors.fixed.executor import FixedExecutor
from apical.golden.learning.float import TrainingConfig, starting_weights
from apical.golden.network import layered
from apical.golden.network.boltzmann import boltzmann
from apical.golden.numbers.quantize import quantize_network
from apical.golden.program.layered import inference
from apical.golden.systems import machine_programs
from apical.golden.systems.equilibrium import learning_rates, training


def random_images(rng, images, units, density):
    """Raw images in s16.12, a share `density` of the pixels not 0."""
    values = rng.integers(1, 4097, (images, units))
    return np.where(rng.random((images, units)) < density, values, 0).astype(np.int16)


def measure(layers=(784, 64, 10), images=200, fast_images=4000, rounds=5, density=0.19, seed=0):
    """Train random images of a density with both executors, `rounds` times in turn.

    Parameters
    ----------
    layers : sequence of int
    images, fast_images : int
        Images of a round of the batched executor and of the compiled one; both start with the
        same.
    rounds : int
    density : float
        Probability of an input to be nonzero; that of MNIST is 0.19.
    seed : int

    Returns
    -------
    dict
        ``ratio`` (compiled over batched, median of the rounds), the ratio of every round, the two
        medians of images a second, ``compile_seconds`` of the first call.
    """
    network = layered(layers)
    config = TrainingConfig(seed=seed)
    weights = quantize_network(network, starting_weights(network, config)).weights
    program, rates = training(network), learning_rates(network, 0.02)
    rng = np.random.default_rng(seed)
    x = random_images(rng, fast_images, layers[0], density)
    d = 4096 * np.eye(layers[-1], dtype=np.int16)[rng.integers(0, layers[-1], fast_images)]
    begin = time.perf_counter()
    CompiledExecutor(network, weights).run(program, {"x": x[:1], "d": d[:1]}, rates=rates)
    compiled = time.perf_counter() - begin
    FixedExecutor(network, weights).run(program, {"x": x[:1], "d": d[:1]}, rates=rates)
    speeds = {"batched": [], "compiled": []}
    for turn in range(rounds):
        slow, fast = FixedExecutor(network, weights), CompiledExecutor(network, weights)
        begin = time.perf_counter()
        one = slow.run(program, {"x": x[:images], "d": d[:images]}, turn, rates=rates)
        middle = time.perf_counter()
        two = fast.run(program, {"x": x, "d": d}, turn, rates=rates, collect=False)
        end = time.perf_counter()
        if (one.signatures != two.signatures[:images]).any():
            raise AssertionError("the two executors differ")
        speeds["batched"].append(images / (middle - begin))
        speeds["compiled"].append(fast_images / (end - middle))
    ratios = [b / a for a, b in zip(speeds["batched"], speeds["compiled"])]
    return {"ratio": statistics.median(ratios), "ratios": ratios,
            "numpy_images_per_second": statistics.median(speeds["batched"]),
            "compiled_images_per_second": statistics.median(speeds["compiled"]),
            "compile_seconds": compiled, "layers": list(layers), "rounds": rounds, "seed": seed}


def measure_batches(layers=(784, 64, 10), images=1000, rounds=5, density=0.19, seed=0):
    """Run batches of random images through the batched executor.

    Returns
    -------
    dict
        Images per second of processor time: ``inference`` of the layers, ``settled`` (inference
        that stops early), ``sampling`` (reconstruction by a Boltzmann machine of the first two
        layers).
    """
    rng = np.random.default_rng(seed)
    network, machine = layered(layers), boltzmann(layers[:2])
    cases = {"inference": (network, inference(network)),
             "settled": (network, inference(network, 30, settled=0.01)),
             "sampling": (machine, machine_programs.reconstruction(machine, mode="sample"))}
    x = random_images(rng, images, layers[0], density)
    found = {}
    for name, (network, program) in cases.items():
        weights = {m.name: rng.integers(-400, 400, m.shape) for m in network.matrices}
        executor = FixedExecutor(network, weights)
        given = {"x": np.where(x > 2048, 4096, 0) if name == "sampling" else x}
        executor.run(program, given)
        seconds = []
        for turn in range(rounds):
            begin = time.process_time()
            executor.run(program, given, turn)
            seconds.append(time.process_time() - begin)
        found[name] = images / min(seconds)
    return found


def main():
    """Run the benchmark from the command line."""
    parser = argparse.ArgumentParser(prog="python -m bench.fixed", description=__doc__)
    parser.add_argument("--layers", type=parse_layers, default=(784, 64, 10))
    parser.add_argument("--rounds", type=int, default=5, help="default: %(default)s")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", metavar="FILE")
    args = parser.parse_args()
    report = measure(args.layers, rounds=args.rounds, seed=args.seed)
    report["batched"] = measure_batches(args.layers, rounds=args.rounds, seed=args.seed)
    if args.json:
        write_json(args.json, report)
    print(f"training: ratio {report['ratio']:.1f}, {report['compiled_images_per_second']:.0f} "
          f"images/s compiled, {report['numpy_images_per_second']:.0f} image by image in the "
          f"batched executor (first call {report['compile_seconds']:.1f} s)")
    print("batches: " + ", ".join(f"{name} {speed:.0f} images/s"
                                  for name, speed in report["batched"].items()))


if __name__ == "__main__":
    main()
