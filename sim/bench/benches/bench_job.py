"""cocotb bench that plays one job and keeps the answers and the traces."""

import json
import os
import time

import cocotb
import numpy as np

from apical.sim.bench.player import CommandPlayer

#: Environment variables of the bench: files of commands (played in order, with a separator of
#: paths between them), and whether to record the trace.
JOB, RECORD = "APICAL_JOB", "APICAL_RECORD"


@cocotb.test()
async def play(dut):
    """Play the commands of job files; leave answers.npy, trace_<stream>.npy and speed.json."""
    record = os.environ.get(RECORD, "1") == "1"
    port = CommandPlayer(dut, record=record)
    answers, seconds = [], 0.0
    for path in os.environ[JOB].split(os.pathsep):
        words = np.load(path, allow_pickle=False)
        start = time.perf_counter()
        answers.append(await port.play(words))
        seconds += time.perf_counter() - start
    if record:
        await port.flush()
        for name in port.recorder.streams:
            np.save(f"trace_{name}.npy", port.recorder.take(name))
    np.save("answers.npy", np.concatenate(answers))
    with open("speed.json", "w") as file:
        json.dump({"cycles": port.cycles, "seconds": seconds}, file)
