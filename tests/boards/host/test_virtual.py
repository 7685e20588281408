"""The virtual board: a whole top level behind a pseudo-terminal, with a small engine."""

import os
import threading
import time

import pytest
from device_case import CONFIG, DENSITY, INFERENCE, NETWORK, WEIGHTS, agree, drive, expected, inputs

from apical.boards.host.bad_frames import KINDS, send_bad_frames
from apical.boards.host.device import Device
from apical.boards.host.links import Link, LinkError
from apical.boards.host.selftest import selftest
from apical.golden.errors import ApicalError, MisuseError
from apical.hw.assembler.image import weight_writes
from apical.hw.interface.presets import preset
from apical.hw.interface.protocol import Status


def connect(virtual, **options):
    return Link.serial(virtual.path, 1_000_000, **options)


def test_the_driver_over_pins(virtual):
    device = Device.open(connect(virtual), CONFIG)
    drive(device)
    assert device.link.counters()["refusals"] == {}
    assert device.link.repeats == 0
    device.close()
    told = virtual.close()
    assert told["broken"] == told["lost"] == 0
    assert told["taken"] == device.link.sent
    assert told["sent"] == device.link.received


def test_the_self_test(virtual):
    device = Device.open(connect(virtual), CONFIG)
    checks = selftest(device)
    assert all(check.good for check in checks), checks
    assert {check.name for check in checks} >= {
        "state memory", "weight memory", "program memory", "program: ep", "link"}
    assert "signature" in next(check.detail for check in checks if check.name == "program: ep")
    device.close()


@pytest.mark.parametrize("count", [500, pytest.param(10_000, marks=pytest.mark.slow)])
def test_abuse_of_the_line(virtual, count):
    device = Device.open(connect(virtual), CONFIG)
    found = send_bad_frames(device, count, seed=count)
    assert found.first is None
    assert found.wrong == 0
    assert set(found.sent) == set(KINDS)
    assert {"done", "again", "crc", "sequence", "operation", "length", "cut"} <= set(found.statuses)
    assert found.refused > count // 3
    drive(device, 2)
    device.close()


def test_a_host_that_dies_in_the_middle_of_a_load(virtual):
    """Its half frame is dropped, the next host works, and no word is half written."""
    device = Device.open(connect(virtual), CONFIG)
    device.load(NETWORK, INFERENCE, WEIGHTS, density=DENSITY)
    link = device.link
    sent = []
    link.transport.send, send = sent.append, link.transport.send
    link.patience = 0.01
    with pytest.raises(LinkError):
        link.write(*weight_writes(device.assembly, {n: w * 0 for n, w in WEIGHTS.items()}))
    send(sent[0][:-7])
    link.close()
    device = Device.open(connect(virtual), CONFIG)
    assert device.link.refused == 1
    device.assembly = None
    drive(device, 2)
    device.close()


def test_two_hosts(virtual):
    first = Device.open(connect(virtual), CONFIG)
    with pytest.raises(ApicalError, match="^port '.*' is in use by another program"):
        connect(virtual)
    # One that does not ask: the session is lost, and that is said.
    handle = os.open(virtual.path, os.O_RDWR | os.O_NOCTTY)
    from apical.boards.host.frames import request
    from apical.hw.interface.protocol import Operation
    os.write(handle, request(first.link._tag + 0x10 & 0xF0, Operation.OPEN))
    time.sleep(0.3)
    os.close(handle)
    with pytest.raises(LinkError, match="another program has opened a session"):
        first.registers()
    assert first.link.refusals[Status.SEQUENCE] == 1
    first.close()


def test_the_wrong_engine(virtual):
    link = connect(virtual)
    with pytest.raises(MisuseError, match=f"has configuration {CONFIG.hash} .*wanted is "
                                          f"{preset('icebreaker').hash} .*preset icebreaker"):
        Device.open(link, preset("icebreaker"))
    link.close()


def test_unplugged_in_the_middle_of_a_run(virtual):
    device = Device.open(connect(virtual, patience=0.5), CONFIG)
    device.load(NETWORK, INFERENCE, WEIGHTS, density=DENSITY)
    given = {"x": inputs(400)["x"]}
    timer = threading.Timer(0.2, virtual.close)
    with pytest.raises(ApicalError, match=r"^port '.*' went away .*; is the board still plugged "
                                          r"in\? \(image \d+ of 400\)"):
        device.run(given, lambda done, told: timer.start() if done == 3 else None)
    timer.join()
    device.close()


def test_a_session_after_many_images(virtual):
    device = Device.open(connect(virtual), CONFIG)
    device.load(NETWORK, INFERENCE, WEIGHTS, seed=3, density=DENSITY)
    given = {"x": inputs(60)["x"]}
    agree(device.run(given), expected(INFERENCE, given, 3)[0])
    device.close()
