"""The benchmark of the float executor trains the same both ways and reports its keys."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
def test_the_benchmark_runs_and_both_ways_agree(tmp_path):
    path = tmp_path / "out.json"
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "2"}  # it pins the threads itself
    run = subprocess.run([sys.executable, "-m", "bench.golden", "--rounds", "1", "--json",
                          str(path)], cwd=ROOT, env=environment, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    told = json.loads(path.read_text())
    assert set(told) >= {"ratio_512_b20", "ratio_512_b128", "ratio_500_500_b20",
                         "ratio_500_500_b128", "limit_share_512_b128"}
    assert all(case["difference"] < 1e-3 for case in told["cases"].values())
