"""Recordings: written, read, repeated, compared; self-tests of devices that are not well."""

import json

import numpy as np
import pytest
from device_case import CONFIG, DENSITY, INFERENCE, NETWORK, WEIGHTS, drive, inputs

from apical.boards.host.device import Device
from apical.boards.host.golden_port import GoldenPort
from apical.boards.host.links import Link
from apical.boards.host.recording import Recorder, read_recording, replay
from apical.boards.host.selftest import selftest
from apical.golden.errors import ApicalError, MisuseError
from apical.hw.interface.isa import SPACE_LOW, Space


def golden(port=None, **options):
    return Link.over_port(port or GoldenPort(CONFIG), CONFIG, "the fixed executor", **options)


@pytest.fixture(scope="module")
def recording(tmp_path_factory):
    path = tmp_path_factory.mktemp("recording") / "session.jsonl"
    recorder = Recorder(path)
    drive(Device.open(golden(record=recorder), CONFIG), 2)
    recorder.close()
    return path


def test_a_session_is_repeated(recording):
    config, transactions = read_recording(recording)
    assert config == CONFIG
    device = Device.open(golden(), CONFIG)
    found = replay(transactions, device.link, CONFIG)
    assert found.differences == 0
    assert found.first is None
    assert found.transactions == len(transactions)
    assert found.compared > 100


def test_a_device_that_does_otherwise_is_found(recording):
    class Wrong(GoldenPort):
        def read(self, addresses):
            return super().read(addresses) ^ (np.asarray(addresses) >> SPACE_LOW == Space.STATE)

    _, transactions = read_recording(recording)
    device = Device.open(golden(Wrong(CONFIG)), CONFIG)
    found = replay(transactions, device.link, CONFIG)
    assert found.differences > 0
    assert found.first.startswith("transaction ")
    assert ", read: address 0x8000" in found.first


def test_files_that_are_no_recordings(tmp_path, recording):
    with pytest.raises(MisuseError, match="^recording '.*none' cannot be read: no such file"):
        read_recording(tmp_path / "none")
    lines = recording.read_text().splitlines()
    for text, told in (("", "is not a recording"), ("{}", "is not a recording"),
                       ("\n".join(lines[:1]), "does not say of which engine it is"),
                       (json.dumps({"format": "apical-recording", "version": 9}), "has version 9")):
        (tmp_path / "file").write_text(text)
        with pytest.raises(MisuseError, match=told):
            read_recording(tmp_path / "file")
    with pytest.raises(ApicalError, match="^cannot write .*: folder .* does not exist; create it$"):
        Recorder(tmp_path / "no" / "file")


@pytest.mark.parametrize(("do", "change"), [
    ("write", {"do": "jump"}), ("write", {"at": "x"}), ("write", {"at": 1 << 24}),
    ("write", {"count": 10 ** 12}), ("write", {"count": None}), ("write", {"data": "zz"}),
    ("write", {"data": "00000000"}), ("read", {"answer": ""}), ("run", {"answer": None}),
    ("load", {"program": 3}), ("engine", {"config": {"lanes": 400}}), ("engine", {"config": 1}),
])
def test_a_damaged_line_is_named(tmp_path, recording, do, change):
    lines = recording.read_text().splitlines()
    # Not the last of its kind: one that something follows.
    at = next(i for i, text in enumerate(lines)
              if f'"{do}"' in text and json.loads(text).get("count", 2) > 1)
    lines[at] = json.dumps({**json.loads(lines[at]), **change})
    path = tmp_path / "file"
    path.write_text("\n".join(lines))
    with pytest.raises(MisuseError, match=f"^line {at + 1} of recording .* is damaged or cut off$"):
        read_recording(path)


def test_recordings_that_were_cut_off(tmp_path, recording):
    """In the middle of a line; between two; in a network that is no longer one."""
    text, path = recording.read_text(), tmp_path / "file"
    path.write_text(text[:text.index('"run"') + 3])
    with pytest.raises(MisuseError, match="is damaged or cut off$"):
        read_recording(path)
    path.write_text("".join(text.splitlines(keepends=True)[:6]))
    _, transactions = read_recording(path)
    assert len(transactions) == 4
    assert transactions[-1]["do"] != "close"
    assert read_recording(recording)[1][-1] == {"do": "close"}
    path.write_text(text.replace('"network": {', '"network": {"wires": 1, '))
    config, transactions = read_recording(path)
    with pytest.raises(MisuseError, match="^a network or program of the recording is damaged: "):
        replay(transactions, Device.open(golden(), config).link, config)


@pytest.mark.parametrize(("space", "name"), [(Space.STATE, "state memory"),
                                             (Space.WEIGHTS, "weight memory"),
                                             (Space.PROGRAM, "program memory")])
def test_the_self_test_finds_a_stuck_address_line(space, name):
    class Stuck(GoldenPort):
        def write(self, addresses, data):
            addresses = np.asarray(addresses, np.int64)
            here = addresses >> SPACE_LOW == space
            super().write(np.where(here, addresses & ~(1 << 6), addresses), data)

    device = Device.open(golden(Stuck(CONFIG)), CONFIG)
    try:
        checks = selftest(device)
    except ApicalError:
        # Some programs do not run at all then; what was tested before them counts.
        checks = []
        with pytest.raises(ApicalError):
            selftest(Device.open(golden(Stuck(CONFIG)), CONFIG), say=checks.append)
    assert name in {check.name for check in checks if not check.good}


def test_the_self_test_finds_a_wrong_sum():
    class Wrong(GoldenPort):
        def _run(self):
            super()._run()
            self._held["signature"] ^= 1

    checks = selftest(Device.open(golden(Wrong(CONFIG)), CONFIG))
    bad = [check for check in checks if not check.good]
    assert {check.name.split(":")[0] for check in bad} == {"program"}
    assert all("signatures differ from the fixed executor" in check.detail for check in bad)


def test_results_are_told_as_they_come():
    device, seen = Device.open(golden(), CONFIG), []
    device.load(NETWORK, INFERENCE, WEIGHTS, density=DENSITY)
    device.run({"x": inputs(3)["x"]}, lambda done, told: seen.append((done, told["done"])))
    assert seen == [(1, 1), (2, 2), (3, 3)]
