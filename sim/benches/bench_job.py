"""cocotb bench that plays one job and keeps the answers and the trace."""

import json
import os
import time

import cocotb
import numpy as np

from apical.sim.host import HostPort

#: Environment variables of the bench: file of commands, whether to record the trace.
JOB, RECORD = "APICAL_JOB", "APICAL_RECORD"


@cocotb.test()
async def play(dut):
    """Play the commands of a job file; leave answers.npy, trace.npy and speed.json."""
    words = np.load(os.environ[JOB], allow_pickle=False)
    record = os.environ.get(RECORD, "1") == "1"
    port = HostPort(dut, record=record)
    start = time.perf_counter()
    answers = await port.play(words)
    if record:
        await port.flush()
    seconds = time.perf_counter() - start
    np.save("answers.npy", answers)
    if record:
        np.save("trace.npy", port.recorder.take("state"))
    with open("speed.json", "w") as file:
        json.dump({"cycles": port.cycles, "seconds": seconds}, file)
