"""Every system over every link: signature and weights of the fixed executor."""

import shutil

import pytest
from full_case import CASES, SYSTEMS, agrees

from apical.boards.host.device import Device
from apical.boards.host.link_kinds import LINK_KINDS
from apical.boards.host.links import Link


@pytest.mark.parametrize("name", SYSTEMS)
def test_the_golden_link(name):
    agrees(Device.open(LINK_KINDS["golden"].open(CASES), CASES), name)


def test_the_promised_systems_are_among_them():
    assert {"ep", "feedforward-init", "ghost-duplicate", "ghost-online", "ghost-learned",
            "flow-rbm", "flow-dbm", "flow-dbm-lateral", "flow-visible", "stdp-contrast",
            "stdp-integrated", "stdp-one-way", "early-inference"} <= set(SYSTEMS)


def test_systems_differ():
    device = Device.open(LINK_KINDS["golden"].open(CASES), CASES)
    assert len({agrees(device, name, 1) for name in SYSTEMS}) == len(SYSTEMS) > 10


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["pysim", "sim"])
def test_simulators(kind):
    if kind == "sim" and shutil.which("g++") is None:
        pytest.skip("g++ is not installed")
    device = Device.open(LINK_KINDS[kind].open(CASES), CASES)
    for name in SYSTEMS:
        agrees(device, name, 1 if kind == "pysim" else 2)
    device.close()


@pytest.mark.slow
def test_the_virtual_board(every_system_board):
    device = Device.open(Link.serial(every_system_board.path, 1_000_000), CASES)
    for name in SYSTEMS:
        agrees(device, name)
    assert device.link.counters()["refusals"] == {}
    device.close()
