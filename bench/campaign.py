"""Random networks and programs, hundreds on one simulated engine, every bit compared.

``python -m bench.campaign --lanes 5 --cases 500`` draws networks with several inputs, lateral and
inhibitory projections, shared and transposed matrices, chains of currents, nested and early ended
loops, nudges, snapshots and extreme weights, runs one after the other without a reset of the
memories, and compares every write with the fixed executor.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from apical.golden.errors import DoesNotFitError
from apical.golden.fixed import FixedExecutor
from apical.golden.formats import Format
from apical.hw.assembler import assemble
from apical.hw.config import EngineConfig
from apical.sim import host
from apical.sim.benches import bench_job
from apical.sim.compare import Expectation, compare_reports, compare_trace
from apical.sim.job import REPORTED, TOTALS, answers, inference_job
from apical.sim.simulator import CACHE, build_engine

from .random_case import Case

#: Images a case may have: image numbers tell the cases apart.
SPAN = 16


def engine(lanes=5, update_lanes=2, **fields) -> EngineConfig:
    """An engine that holds most random cases."""
    depths = {"weight_depth": 8192, "state_depth": 256, "accumulator_depth": 256,
              "event_depth": 128, "program_depth": 1024, "descriptor_depth": 256}
    return EngineConfig(lanes=lanes, update_lanes=update_lanes, **depths | fields)


def campaign(config, seeds, greatest=40, cache=CACHE) -> dict:
    """Run the cases of the seeds that fit an engine.

    Returns
    -------
    dict
        ``cases``, ``skipped``, ``compared`` values, ``cycles``, and ``failures``: one line a case.
    """
    build, cases, words, skipped = build_engine(config, cache=cache), [], [], 0
    for seed in seeds:
        case = Case(seed, greatest, config)
        try:
            assembly = assemble(case.network, case.program, config, case.density)
        except DoesNotFitError:
            skipped += 1
            continue
        job = inference_job(assembly, case.weights, case.inputs, seed, SPAN * len(cases))
        cases.append((seed, case, job))
        words.append(job.words)
    with tempfile.TemporaryDirectory() as name:
        np.save(Path(name) / "job.npy", host.join(*words))
        build.run(bench_job.__name__, {bench_job.JOB: Path(name) / "job.npy",
                                       bench_job.RECORD: 1}, name)
        told, records = np.load(Path(name) / "answers.npy"), np.load(Path(name) / "trace.npy")
    failures, compared, start = [], 0, 0
    whose = records["image"] // SPAN
    for number, (seed, case, job) in enumerate(cases):
        count = job.images * len(REPORTED) + len(TOTALS)
        reported, _ = answers(job, told[start:start + count])
        start += count
        expected = FixedExecutor(case.network, case.weights, config.state, config.weight).run(
            case.program, case.inputs, seed, SPAN * number, record=True)
        outcome = compare_trace(Expectation(expected), records[whose == number], SPAN * number)
        compared += outcome.compared
        differ = [name for name, ok in compare_reports(expected, reported).items() if not ok.all()]
        if outcome.mismatches or differ:
            what = outcome.first.sentence(config.state) if outcome.first else f"{differ} differ"
            failures.append(f"seed {seed}: {what}")
    return {"cases": len(cases), "skipped": skipped, "compared": compared,
            "cycles": int(records["cycle"][-1]), "failures": failures}


def main():
    """Parse, run, print; the exit code is 1 when a case differs."""
    parser = argparse.ArgumentParser(prog="python -m bench.campaign", description=__doc__)
    parser.add_argument("--lanes", type=int, default=5, help="default: %(default)s")
    parser.add_argument("--update-lanes", type=int, default=2, help="default: %(default)s")
    for name in ("--state", "--weight"):
        parser.add_argument(name, type=Format.parse, default="s16.12", metavar="FORMAT",
                            help="default: %(default)s")
    parser.add_argument("--cases", type=int, default=500, help="default: %(default)s")
    parser.add_argument("--seed", type=int, default=0, help="first seed (default: %(default)s)")
    parser.add_argument("--greatest", type=int, default=40,
                        help="units of the largest population (default: %(default)s)")
    args = parser.parse_args()
    config = engine(args.lanes, args.update_lanes, state=args.state, weight=args.weight)
    start = time.perf_counter()
    told = campaign(config, range(args.seed, args.seed + args.cases), args.greatest)
    print("\n".join(told["failures"]))
    print(f"{told['cases']} cases ({told['skipped']} did not fit), {told['compared']} values "
          f"compared, {told['cycles']} cycles, {len(told['failures'])} cases differ, "
          f"{time.perf_counter() - start:.0f} s")
    sys.exit(bool(told["failures"]))


if __name__ == "__main__":
    main()
