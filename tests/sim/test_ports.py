"""The driver of boards over simulated engines."""

import shutil
import sys
from pathlib import Path

import pytest

from apical.boards.device import Device
from apical.boards.links import Link
from apical.sim.ports import PysimPort, VerilatorPort

sys.path.insert(0, str(Path(__file__).parents[1] / "boards"))
from device_case import CONFIG, drive  # noqa: E402


def test_pysim():
    device = Device.open(Link.over_port(PysimPort(CONFIG), CONFIG.lanes, "pysim"), CONFIG)
    drive(device, 1)
    assert device.register("cycles") > 0
    device.close()


def test_verilator(cache):
    if shutil.which("g++") is None:
        pytest.skip("g++ is not installed")
    device = Device.open(Link.over_port(VerilatorPort(CONFIG, cache), CONFIG.lanes, "sim"), CONFIG)
    drive(device)
    device.close()
