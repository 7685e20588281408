"""Runs a job on a simulator and collects its answers and traces."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ...golden.storage import cache as kept
from ..simulators.runner import Build
from .benches import bench_job
from .streams import joined


@dataclass(frozen=True)
class Simulated:
    """Results of a job.

    Attributes
    ----------
    answers : ndarray of uint32
    records : dict of str to structured ndarray
        Trace records by stream; empty when none were recorded.
    cycles : int
        Simulated.
    seconds : float
    waves : Path or None
    """

    answers: np.ndarray
    records: dict = field(default_factory=dict)
    cycles: int = 0
    seconds: float = 0.0
    waves: Path | None = None


def simulate_job(build: Build, parts, record=True, cache=None, waves=False) -> Simulated:
    """Play lists of commands on a simulator, one after the other.

    Parameters
    ----------
    parts : list of ndarray of uint64
    record : bool
        Keep the trace.
    cache : path, optional
        Another cache than that of the user, for the folder of the run.
    waves : bool
        Write waves; the folder is then kept.
    """
    folder = Path(tempfile.mkdtemp(prefix="cosim-", dir=kept.folder("runs", cache)))
    paths = [folder / f"job_{i}.npy" for i in range(len(parts))]
    for path, words in zip(paths, parts, strict=True):
        np.save(path, words)
    environment = {bench_job.JOB: os.pathsep.join(map(str, paths)), bench_job.RECORD: int(record)}
    result = build.run(bench_job.__name__, environment, folder, waves=waves)
    speed = json.loads((folder / "speed.json").read_text())
    records = joined({stream.name: np.load(folder / f"trace_{stream.name}.npy")
                      for stream in build.bench.streams}) if record else {}
    simulated = Simulated(np.load(folder / "answers.npy"), records, speed["cycles"],
                          speed["seconds"], result.waves)
    if result.waves is None:
        shutil.rmtree(folder)
    return simulated
