"""The driver of boards over simulated engines."""

import shutil
import sys
from pathlib import Path

import pytest

from apical.boards.host.device import Device
from apical.boards.host.links import Link
from apical.sim.simulators.ports import PysimPort, VerilatorPort

sys.path.insert(0, str(Path(__file__).parents[2] / "boards"))
from device_case import (
    CONFIG,
    DENSITY,
    INFERENCE,
    NETWORK,
    SEED,
    WEIGHTS,
    agree,
    drive,
    expected,
    inputs,
)


def pysim():
    return Device.open(Link.over_port(PysimPort(CONFIG), CONFIG, "pysim"), CONFIG)


def test_pysim():
    device, given = pysim(), {"x": inputs(1)["x"]}
    device.load(NETWORK, INFERENCE, WEIGHTS, seed=SEED, density=DENSITY)
    agree(device.run(given), expected(INFERENCE, given)[0])
    assert device.register("cycles") > 0
    device.close()


@pytest.mark.slow
def test_all_over_pysim():
    drive(pysim(), 2)


@pytest.mark.slow
def test_verilator(cache):
    if shutil.which("g++") is None:
        pytest.skip("g++ is not installed")
    device = Device.open(Link.over_port(VerilatorPort(CONFIG, cache), CONFIG, "sim"), CONFIG)
    drive(device)
    device.close()
