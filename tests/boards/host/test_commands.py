"""Commands against the virtual board: results of the fixed executor, one line for each mishap."""

import json
import os
import pickle
import re
import signal
import subprocess
import sys
import threading
import time

import pytest
from device_case import CONFIG

from apical.boards.host.links import Link
from apical.boards.host.transport import SerialPort
from apical.cli import main
from apical.golden.errors import ApicalError
from apical.golden.learning.pretrained import random_weights
from apical.golden.network import layered
from apical.golden.storage.model import Model, save_model

LAYERS = (64, 12, 10)


@pytest.fixture
def command(virtual, tmp_path):
    """Options that name the virtual board and a network, without its port."""
    manifest, model = tmp_path / "board.json", tmp_path / "model.npz"
    manifest.write_text(json.dumps({"config": CONFIG.to_dict(), "config_hash": CONFIG.hash}))
    network = layered(LAYERS)
    save_model(model, Model(network, random_weights(network, 3)))
    return ["--manifest", str(manifest), "--model", str(model)]


def report(tmp_path, *words):
    path = tmp_path / "report.json"
    assert main([*words, "--json", str(path)]) == 0
    return json.loads(path.read_text())


def line(capsys, *words, code=1):
    capsys.readouterr()
    assert main(list(words)) == code
    told = capsys.readouterr().err
    assert told.count("\n") == 1, told
    return told


def test_a_run_is_that_of_the_fixed_executor(virtual, command, tmp_path, capsys):
    """Also recorded there and repeated here; images go packed, at nine tenths of the line."""
    recording = str(tmp_path / "session.jsonl")
    found = report(tmp_path, "run", "--port", virtual.path, *command, "--images", "40",
                   "--record", recording)
    golden = report(tmp_path, "run", "--link", "golden", *command, "--images", "40")
    assert found["predictions"] == golden["predictions"]
    assert found["signature"] == golden["signature"]
    assert found["mean_cycles"] > 0
    assert found["effective_rate"] > 0.9
    # 132 bytes of events an image would be more than all of this.
    assert found["bytes_sent"] < 40 * 132
    assert report(tmp_path, "replay", recording, "--link", "golden")["differences"] == 0
    assert report(tmp_path, "replay", recording, "--port", virtual.path)["differences"] == 0


def test_a_train_is_that_of_the_fixed_executor(virtual, command, tmp_path):
    words = ["train", "--data", "digits", "--layers", "64-12-10", "--epochs", "1", "--images", "30",
             "--test-images", "20", "--quiet", *command[:2]]
    found = report(tmp_path, *words, "--port", virtual.path)
    golden = report(tmp_path, *words, "--link", "golden")
    assert found["signature"] == golden["signature"]
    assert found["test_error"] == golden["test_error"]
    assert found["effective_rate"] > 0.9


def test_a_host_killed_in_the_middle_of_a_load(virtual, command, tmp_path, capsys):
    """The next command finds nothing of it."""
    recording = tmp_path / "session.jsonl"
    words = ["run", "--port", virtual.path, *command, "--images", "5"]
    child = subprocess.Popen([sys.executable, "-c",
                              "import sys; from apical.cli import main; sys.exit(main())",
                              *words, "--record", str(recording)])
    end = time.monotonic() + 60
    while time.monotonic() < end:
        if recording.exists() and '"write"' in recording.read_text():
            break
        time.sleep(0.001)
    child.kill()
    child.wait()
    assert '"run"' not in recording.read_text()
    found = report(tmp_path, *words)
    golden = report(tmp_path, "run", "--link", "golden", *command, "--images", "5")
    assert found["signature"] == golden["signature"]
    assert found["refusals"] == {}


def test_mishaps_are_one_line(virtual, command, capsys):
    """Another engine than was meant, a port that is in use, a board that is pulled."""
    run = ["run", "--port", virtual.path]
    assert f"has configuration {CONFIG.hash} " in line(capsys, *run, "--board", "icebreaker",
                                                       code=2)
    assert "which is none of this version's presets; name its manifest" in line(
        capsys, *run, code=2)
    first = Link.serial(virtual.path, 1_000_000)
    assert f"port '{virtual.path}' is in use by another program" in line(capsys, *run, *command)
    first.close()
    timer = threading.Timer(1.0, virtual.close)
    timer.start()
    told = line(capsys, *run, *command, "--images", "397")
    timer.join()
    assert "went away" in told
    assert "is the board still plugged in?" in told


def test_control_c_ends_a_served_board_with_its_statistics(virtual_bench, small_board, tmp_path):
    """As a terminal sends it: to the simulator too, if that were in the group."""
    chosen, _ = small_board
    (tmp_path / "bench").write_bytes(pickle.dumps((virtual_bench, chosen.divisor)))
    script = (
        "import pickle, sys; from apical.cli import board, main; "
        "from apical.sim.simulators.virtual import VirtualBoard; "
        f"made = pickle.load(open({str(tmp_path / 'bench')!r}, 'rb')); "
        "board.virtual_board = lambda *given: VirtualBoard(*made); sys.exit(main())")
    child = subprocess.Popen(
        [sys.executable, "-c", script, "board", "serve", "--sim", "--board", "icebreaker"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True)
    assert child.stdout.readline().startswith("/dev/")
    os.killpg(child.pid, signal.SIGINT)
    _, told = child.communicate(timeout=30)
    assert child.returncode == 0, told
    assert re.search(r"\d+ cycles, 0 bytes taken, 0 sent$", told.strip())


def test_an_interrupted_run_is_one_line(virtual, command):
    child = subprocess.Popen(
        [sys.executable, "-c", "import sys; from apical.cli import main; sys.exit(main())", "run",
         "--port", virtual.path, *command, "--images", "397"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    time.sleep(2.0)
    child.send_signal(signal.SIGINT)
    told = child.communicate(timeout=30)
    if child.returncode:  # else it was quick
        assert child.returncode == 130
        assert told == ("", "apical: interrupted\n")


def test_a_port_that_may_only_be_read():
    """For the user who may not write it, whoever runs this test."""
    master, slave = os.openpty()
    path = os.ttyname(slave)
    os.chmod(path, 0o444)
    root = os.geteuid() == 0
    try:
        if root:
            os.seteuid(65534)
        with pytest.raises(ApicalError, match=f"^port '{path}' may not be read and written by "
                                              "this user; on most systems: sudo usermod"):
            SerialPort(path, 9600)
    finally:
        if root:
            os.seteuid(0)
        os.close(master)
        os.close(slave)
