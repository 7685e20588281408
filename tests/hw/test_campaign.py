"""Random networks and programs on the engine (`bench.campaign`): every bit agrees."""

import shutil
import sys
from pathlib import Path

import pytest

from apical.golden.formats import Format

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from engine_case import compare  # noqa: E402

from bench.campaign import campaign, engine  # noqa: E402
from bench.random_case import Case  # noqa: E402

CACHE = ROOT / "build" / "sim"


def check(told, least):
    assert told["failures"] == []
    assert told["cases"] >= least and told["compared"] > 300 * least


@pytest.mark.skipif(shutil.which("g++") is None, reason="g++ is not installed")
def test_random_cases_one_after_the_other():
    check(campaign(engine(5, 2), range(100), cache=CACHE), 95)


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("g++") is None, reason="g++ is not installed")
@pytest.mark.parametrize(("lanes", "quick", "fields"), [
    (1, 1, {}),
    (2, 1, {"weight_latency": 1, "multiplier_latency": 1}),
    (3, 2, {"weight_latency": 3, "multiplier_latency": 4}),
    (7, 4, {"state": Format(16, 14), "weight": Format(16, 15), "accumulator_width": 42}),
    (8, 2, {"state": Format(8, 6), "weight": Format(10, 7), "accumulator_width": 26,
            "weight_latency": 4, "multiplier_latency": 1}),
    (16, 4, {"weight_latency": 1, "multiplier_latency": 3}),
    (22, 16, {"multiplier_latency": 4, "input_banks": 1}),
])
def test_random_cases_on_other_engines(lanes, quick, fields):
    check(campaign(engine(lanes, quick, **fields), range(1000 * lanes, 1000 * lanes + 300),
                   cache=CACHE), 250)


@pytest.mark.parametrize("seed", range(6))
def test_engines_just_wide_enough(seed):
    """Lanes, formats, latencies and accumulator width drawn with the network (pysim)."""
    case = Case(seed, 10)
    differences, _ = compare(case.network, case.program, case.config, case.weights, case.inputs,
                             density=case.density)
    assert differences == [], str(case)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(100, 160))
def test_more_engines_just_wide_enough(seed):
    test_engines_just_wide_enough(seed)


def test_cases_are_what_they_claim():
    """Between them, the cases hold everything that is hard."""
    from apical.golden.program import Difference, Relax, Snapshot, Update, walk

    cases = [Case(seed, 12) for seed in range(60)]
    ops = [op for case in cases for op in walk(case.program.ops)]
    projections = [p for case in cases for p in case.network.projections]
    assert any(isinstance(op, Relax) and op.settled is not None for op in ops)
    assert any(isinstance(op, Relax) and any(isinstance(o, Relax) for o in op.body) for op in ops)
    assert any(isinstance(op, Update) and op.nudge is not None and op.nudge.sign < 0 for op in ops)
    assert any(isinstance(op, Snapshot) and op.into == "state" for op in ops)
    assert any(isinstance(op, Difference) for op in ops)
    assert any(p.source == p.target for p in projections), "no lateral projection"
    assert any(p.sign < 0 and p.transpose for p in projections)
    assert any(len(case.network.into(p.name)) >= 4 for case in cases for p in case.network.free)
    assert any(len(case.network.clamped) >= 3 for case in cases)
    assert any(v.banked and v.kind == 0 for case in cases for v in placed(case).values())


def placed(case):
    from apical.hw.placement import place

    return place(case.network, case.program, case.config, case.density).vectors
