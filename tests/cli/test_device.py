"""run, train, selftest, monitor, replay and board from the command line, over the golden link."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from apical.cli import main
from apical.golden.learning.data import load
from apical.golden.learning.pretrained import random_weights
from apical.golden.network import layered
from apical.golden.storage.model import Model, save_model
from apical.hw.interface.presets import preset

LAYERS = (64, 12, 10)


@pytest.fixture
def model(tmp_path):
    """A model file, so that nothing has to be trained."""
    network = layered(LAYERS)
    path = tmp_path / "model.npz"
    save_model(path, Model(network, random_weights(network, 3)))
    return str(path)


def line(capsys, *arguments, code):
    """The one line of a command that fails."""
    assert main(list(arguments)) == code
    told = capsys.readouterr().err
    assert told.count("\n") == 1, told
    return told


def test_run_reports(model, tmp_path, capsys):
    report = tmp_path / "report.json"
    assert main(["run", "--link", "golden", "--model", model, "--images", "7", "--json",
                 str(report)]) == 0
    found = json.loads(report.read_text())
    assert len(found["predictions"]) == 7
    labels = load("digits").test_labels[:7].tolist()
    assert found["accuracy"] == sum(map(int.__eq__, found["predictions"], labels)) / 7
    assert found["bytes_moved"] == found["bytes_sent"] + found["bytes_received"]
    assert found["mean_cycles"] is None
    assert len(found["signature"]) == 8
    assert found["line_share"] > 0.9
    assert found["signature"] in capsys.readouterr().out


def test_signatures_do_not_depend_on_the_engine(model, tmp_path):
    found = []
    for name in ("icebreaker", "ulx3s-25f"):
        report = tmp_path / f"{name}.json"
        assert main(["run", "--link", "golden", "--preset", name, "--model", model, "--images",
                     "3", "--json", str(report)]) == 0
        found.append(json.loads(report.read_text()))
    assert found[0]["signature"] == found[1]["signature"]
    assert found[0]["config_hash"] != found[1]["config_hash"]


def test_a_recorded_run_is_replayed(model, tmp_path, capsys):
    recording, report = str(tmp_path / "session.jsonl"), tmp_path / "replay.json"
    assert main(["run", "--link", "golden", "--model", model, "--images", "2", "--record",
                 recording]) == 0
    assert main(["replay", recording, "--link", "golden", "--json", str(report)]) == 0
    assert json.loads(report.read_text())["differences"] == 0
    # Another signature: the recording of a device that was wrong.
    text = (tmp_path / "session.jsonl").read_text().splitlines()
    at = max(i for i, what in enumerate(text) if '"run"' in what)
    spoiled = json.loads(text[at])
    answer = bytearray.fromhex(spoiled["answer"])
    answer[16] ^= 1
    text[at] = json.dumps({**spoiled, "answer": answer.hex()})
    (tmp_path / "session.jsonl").write_text("\n".join(text))
    capsys.readouterr()
    assert main(["replay", recording, "--link", "golden"]) == 1
    told = capsys.readouterr().out
    assert "1 differ" in told
    assert f"first: transaction {at - 2}, run: address 0xd was" in told
    assert "no end" not in told
    assert " is of engine " in line(
        capsys, "replay", recording, "--link", "golden", "--preset", "icebreaker", code=2)
    # One whose session did not come to its end says so.
    (tmp_path / "session.jsonl").write_text("\n".join(text[:at]))
    assert main(["replay", recording, "--link", "golden"]) == 0
    assert "the recording has no end: its session was cut off" in capsys.readouterr().out


def test_selftest(tmp_path, capsys):
    report = tmp_path / "selftest.json"
    assert main(["selftest", "--link", "golden", "--preset", "icebreaker", "--abuse", "200",
                 "--json", str(report)]) == 0
    found = json.loads(report.read_text())
    assert found["good"]
    assert sum(found["abuse"]["sent"].values()) == 200
    assert "0 failed" in capsys.readouterr().out


def test_monitor(model, tmp_path, capsys):
    lines = tmp_path / "lines.jsonl"
    assert main(["monitor", "--link", "golden", "--model", model, "--images", "3", "--json-lines",
                 str(lines)]) == 0
    seen = [json.loads(text) for text in lines.read_text().splitlines()]
    assert [entry["image"] for entry in seen] == [0, 1, 2]
    assert {"energy", "steps", "accuracy", "cycles", "saturations"} <= set(seen[0])
    assert "accuracy" in capsys.readouterr().out


def test_train_on_a_device_is_training_in_raw_integers(tmp_path):
    """The same weights, checkpoints that either goes on from, and a better network."""
    common = ["--data", "digits", "--layers", "64-12-10", "--seed", "4", "--quiet"]
    device = ["--link", "golden", "--images", "150", "--test-images", "100"]
    point, saved, report = (str(tmp_path / name) for name in ("point.npz", "a.npz", "a.json"))
    assert main(["train", *common, *device, "--epochs", "1", "--checkpoint", point]) == 0
    assert main(["train", *common, *device, "--epochs", "2", "--resume", point, "--save", saved,
                 "--json", report]) == 0
    whole = str(tmp_path / "b.json")
    assert main(["train", *common, *device, "--epochs", "2", "--json", whole]) == 0
    found, unbroken = (json.loads(Path(path).read_text()) for path in (report, whole))
    assert found["signature"] == unbroken["signature"]
    assert found["test_errors"][1] < found["test_errors"][0]
    assert found["device_accuracy"] == pytest.approx(1 - found["test_error"])
    assert main(["run", "--link", "golden", "--model", saved, "--images", "5"]) == 0


@pytest.mark.parametrize(("arguments", "told"), [
    (["run"], "name a board's --port, or a --link: golden, pysim, sim"),
    (["run", "--link", "golden", "--port", "x"], "--port and --link exclude each other"),
    (["run", "--link", "golden", "--manifest", "x", "--preset", "icebreaker"],
     "name the engine once"),
    (["run", "--link", "golden", "--board", "icebreaker", "--preset", "ulx3s-25f"],
     "preset 'ulx3s-25f' is made of ecp5 cells, board 'icebreaker' has ice40"),
    (["run", "--link", "golden", "--board", "nexys"], "unknown board 'nexys'"),
    (["run", "--link", "golden", "--data", "cifar"], "unknown data 'cifar'; known: digits, mnist"),
    (["run", "--link", "golden", "--layers", "784-10"], "data 'digits' have 64 pixels"),
    (["run", "--link", "golden", "--images", "9999", "--layers", "64-10"],
     "data 'digits' have 1 to 397 test images"),
    (["run", "--link", "golden", "--manifest", "/nowhere"], "no manifest '/nowhere'"),
    (["run", "--link", "golden", "--baud", "9600"], "--baud is the rate of a --port"),
    (["run", "--port", "/dev/nothing"], "there is no port '/dev/nothing'"),
    (["replay", "/nowhere", "--link", "golden"], "recording '/nowhere' cannot be read"),
    (["train", "--board", "icebreaker"], "--board is for training on a device"),
    (["train", "--link", "golden", "--executor", "fixed"], "trains without a device; leave it"),
    (["train", "--link", "golden", "--rule", "cd"],
     "cannot train 'cd': Sample h1: sampling needs the table"),
    (["train", "--link", "golden", "--preset", "icebreaker"],
     "cannot train 'ep': Update y: a random sign of beta needs the learning unit, which this "
     "engine lacks (and "),
    (["train", "--link", "golden", "--preset", "icebreaker"],
     "build an engine that trains it with: apical build --board icebreaker\n"),
    (["train", "--link", "golden", "--rule", "ghost-online", "--preset", "icebreaker-learning"],
     "trains it with: apical build --board icebreaker --preset icebreaker-ghosts\n"),
    (["train", "--link", "golden", "--weight", "s16.14"], "--weight is fixed in the engine"),
    (["board", "serve", "--board", "icebreaker"], "only simulated boards can be served"),
    (["board", "serve", "--sim", "--board", "nexys"], "unknown board 'nexys'"),
    (["board", "serve", "--sim", "--board", "icebreaker", "--path", __file__], "is no link; name"),
    (["board", "serve", "--sim", "--board", "icebreaker", "--baud", "9000000"],
     "board 'icebreaker' cannot run at 9000000 baud; its clock allows 6000000"),
    (["run", "--link", "golden", "--layers", "64-5000-10"], "'64-5000-10' does not fit the engine"),
    (["build", "--board", "ulx3s-25f", "--for", "ep", "--preset", "ulx3s-25f-full"],
     "--for and --preset exclude each other"),
    (["build", "--board", "ulx3s-45f", "--for", "flow-rbm"],
     "no preset of board 'ulx3s-45f' runs 'flow-rbm': in 'ulx3s-45f', Sample h1: sampling needs"),
    (["build", "--board", "icebreaker", "--for", "boltzmann"], "unknown system 'boltzmann'; known"),
])
def test_misuse_is_one_line(arguments, told, capsys):
    assert told in line(capsys, *arguments, code=2)


@pytest.mark.parametrize("command", ["run", "monitor", "selftest"])
def test_no_recording_of_a_session_that_never_was(command, tmp_path, capsys):
    """Nor does an older recording go."""
    recording = tmp_path / "session.jsonl"
    words = [command, "--record", str(recording), "--port"]
    assert "there is no port '/dev/nothing'" in line(capsys, *words, "/dev/nothing", code=2)
    assert list(tmp_path.iterdir()) == []
    recording.write_text("an older one")
    assert "there is no port '/dev/nothing'" in line(capsys, *words, "/dev/nothing", code=2)
    master, slave = os.openpty()
    line(capsys, *words, os.ttyname(slave), "--baud", "9600", code=1)
    os.close(master)
    os.close(slave)
    assert recording.read_text() == "an older one"


@pytest.mark.parametrize("file", [False, True])
@pytest.mark.parametrize(("words", "lines"), [
    (["monitor", "--images", "3", "--json-lines"], 3), (["run", "--images", "3", "--json"], None)])
def test_machine_output_is_alone_on_its_stream(model, tmp_path, words, lines, file):
    out = tmp_path / "out"
    with open(out, "wb") as target:
        answer = subprocess.run(
            [sys.executable, "-c", "import sys; from apical.cli import main; sys.exit(main())",
             *words, "/dev/stdout", "--link", "golden", "--model", model],
            stdout=target if file else subprocess.PIPE, stderr=subprocess.PIPE, check=True)
    text = out.read_text() if file else answer.stdout.decode()
    if lines is None:
        assert len(json.loads(text)["predictions"]) == 3
    else:
        assert [json.loads(row)["image"] for row in text.splitlines()] == list(range(lines))
    assert b"accuracy" in answer.stderr


def test_a_port_without_a_board(capsys):
    master, slave = os.openpty()
    told = line(capsys, "run", "--port", os.ttyname(slave), "--baud", "9600", code=1)
    assert "speaks the protocol of a board (3 requests at 9600 baud, 3 s)" in told
    os.close(master)
    os.close(slave)


class Served:
    """What stands for a virtual board; it is interrupted at once."""

    path = "/dev/null"
    closed = False

    def wait(self):
        raise KeyboardInterrupt

    def close(self):
        self.closed = True
        return {"cycles": 5, "taken": 3, "sent": 2}


def test_board_serve_prints_the_terminal_and_ends(tmp_path, capsys, monkeypatch):
    served, asked = Served(), []
    monkeypatch.setattr("apical.cli.board.virtual_board",
                        lambda *given: asked.append(given) or served)
    monkeypatch.setattr("signal.signal", lambda *given: None)
    link = tmp_path / "board"
    link.symlink_to("/nowhere")  # an old one is replaced
    assert main(["board", "serve", "--sim", "--board", "ulx3s-45f", "--path", str(link)]) == 0
    told = capsys.readouterr()
    assert told.out == f"{link}\n"
    assert "5 cycles, 3 bytes taken, 2 sent" in told.err
    assert served.closed
    assert not link.is_symlink()
    (chosen, config), = asked
    assert (chosen.name, config) == ("ulx3s-45f", preset("ulx3s-45f"))
    assert main(["board", "serve", "--sim", "--board", "icebreaker"]) == 0
    assert capsys.readouterr().out == "/dev/null\n"


def test_a_board_is_served_with_the_engine_of_its_manifest(tmp_path, capsys, monkeypatch):
    asked, path = [], tmp_path / "made.json"
    monkeypatch.setattr("apical.cli.board.virtual_board",
                        lambda *given: asked.append(given) or Served())
    monkeypatch.setattr("signal.signal", lambda *given: None)
    config = preset("icebreaker").replace(weight_depth=8192)
    made = {"board": "icebreaker", "config": config.to_dict(), "config_hash": config.hash}
    path.write_text(json.dumps(made))
    command = ["board", "serve", "--sim", "--manifest", str(path), "--board"]
    assert main([*command, "icebreaker"]) == 0
    assert asked[0][1].hash == made["config_hash"]
    capsys.readouterr()
    assert "is for board 'icebreaker', not for" in line(capsys, *command, "ulx3s-25f", code=2)
    path.write_text(json.dumps({**made, "board": None}))
    assert "board 'ulx3s-25f' has ecp5" in line(capsys, *command, "ulx3s-25f", code=2)


def test_manifests(tmp_path, capsys):
    path = tmp_path / "board.json"
    for text, told in (("[]", "is not a manifest"),
                       ('{"config": {"wires": 3}, "config_hash": ""}', "another version: unknown"),
                       ('{"config": {"lanes": 4}, "config_hash": "00000000"}', "is stale")):
        path.write_text(text)
        assert told in line(capsys, "run", "--link", "golden", "--manifest", str(path), code=2)
