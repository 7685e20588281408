"""Speed of co-simulation against a bare Verilator loop over the same Verilog.

``python -m bench.cosim --json FILE`` plays one job in fast mode through cocotb and through a C++
loop with neither VPI nor Python, in turns, and gives the median of the ratios of simulated cycles
a second.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
from pathlib import Path

from apical.cli.common import parse_layers, write_json
from apical.sim.bench.job import inference_job
from apical.sim.bench.simulation import simulate_job
from apical.sim.cosim.inference import CosimOptions, resolve
from apical.sim.simulators.simulator import build_engine


def measure(options: CosimOptions, rounds=5) -> dict:
    """Play the same job both ways, `rounds` times in turn.

    Returns
    -------
    dict
        ``ratio`` (cocotb over bare, median of the rounds), the two medians of cycles a second, and
        the ratio of every round.
    """
    case = resolve(options)
    job = inference_job(case.assembly, case.weights, case.inputs, options.seed)
    cocotb = build_engine(case.config, "verilator", cache=options.cache)
    bare = build_engine(case.config, "bare", cache=options.cache)
    speeds = {"cocotb": [], "bare": []}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for turn in range(rounds):
            played = simulate_job(cocotb, job.parts, record=False, cache=folder)
            speeds["cocotb"].append(played.cycles / played.seconds)
            where = folder / f"bare{turn}"
            where.mkdir()
            speed = bare.play(job.words, where)
            speeds["bare"].append(speed["cycles"] / speed["seconds"])
    ratios = [a / b for a, b in zip(speeds["cocotb"], speeds["bare"], strict=True)]
    return {"ratio": statistics.median(ratios), "ratios": ratios,
            "cocotb_cycles_per_second": statistics.median(speeds["cocotb"]),
            "bare_cycles_per_second": statistics.median(speeds["bare"]),
            "rounds": rounds, "images": options.images, "config_hash": case.config.hash,
            "layers": list(options.layers), "preset": options.preset}


def main():
    """Parse, measure, print."""
    parser = argparse.ArgumentParser(prog="python -m bench.cosim", description=__doc__)
    parser.add_argument("--preset", default="ulx3s-25f", help="engine (default: %(default)s)")
    parser.add_argument("--layers", type=parse_layers, default=(784, 64, 10))
    parser.add_argument("--images", type=int, default=1000, help="default: %(default)s")
    parser.add_argument("--rounds", type=int, default=5, help="default: %(default)s")
    parser.add_argument("--json", metavar="FILE")
    args = parser.parse_args()
    report = measure(CosimOptions(layers=args.layers, preset=args.preset, images=args.images,
                                  data="random", density=0.19, weights="random"), args.rounds)
    if args.json:
        write_json(args.json, report)
    print(f"ratio {report['ratio']:.3f}: {report['cocotb_cycles_per_second']:.0f} cycles/s through "
          f"cocotb, {report['bare_cycles_per_second']:.0f} in the bare loop")


if __name__ == "__main__":
    main()
