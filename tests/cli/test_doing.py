"""Systems on a device from the command line, over the golden link: sample, repair, measure, learn.

The commands of docs/first-board.md, small.
"""

import json

import numpy as np
import pytest

from apical.cli import main
from apical.golden.network.boltzmann import boltzmann
from apical.golden.numbers.formats import Format
from apical.golden.storage.model import Model, load_model, save_model
from apical.hw.interface.config import EngineConfig
from apical.hw.interface.presets import preset

FULL = EngineConfig(lanes=4, update_lanes=2, weight=Format(16, 14), weight_depth=8192,
                    state_depth=128, accumulator_depth=128, event_depth=256, input_banks=1,
                    program_depth=256, descriptor_depth=128, learning=True, update_frac=4,
                    smooth=True, noise=True)


@pytest.fixture
def full(tmp_path):
    """Options that name a full engine."""
    path = tmp_path / "full.json"
    path.write_text(json.dumps({"config": FULL.to_dict(), "config_hash": FULL.hash}))
    return ["--link", "golden", "--manifest", str(path)]


@pytest.fixture
def machine(tmp_path):
    """A machine of random couplings for the digits."""
    network = boltzmann((64, 16))
    rng = np.random.default_rng(3)
    path = tmp_path / "machine.npz"
    save_model(path, Model(network, {m.name: rng.normal(0, 0.3, m.shape)
                                     for m in network.matrices}))
    return str(path)


def report(tmp_path, *words):
    path = tmp_path / "report.json"
    assert main([*words, "--json", str(path)]) == 0
    return json.loads(path.read_text())


def line(capsys, *words, code=2):
    capsys.readouterr()
    assert main(list(words)) == code
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.count("\n") == 1, told
    return told.err


def test_a_device_draws_and_repairs(full, machine, tmp_path, capsys):
    picture, archive = tmp_path / "p.png", tmp_path / "a.npz"
    words = ["sample", machine, "--count", "5", "--steps", "4", "--repair", "7", "--flips", "0.3",
             *full]
    found = report(tmp_path, *words, "--picture", str(picture), "--save", str(archive))
    told = capsys.readouterr().out.splitlines()
    assert told[0].startswith("5 samples of 64-16 after 4 Gibbs steps on the fixed executor "
                              f"(engine {FULL.hash}), seed 0: ")
    assert told[1].startswith("7 test images of digits, 30% of the pixels flipped: ")
    for part, text in zip((found["samples"], found["repair"]), told, strict=True):
        assert text.endswith(f", signature {part['signature']}")
    assert picture.read_bytes()[:4] == b"\x89PNG"
    with np.load(archive) as kept:
        kept = dict(kept)
    assert kept["images"].shape == kept["probabilities"].shape == (5, 64)
    assert kept["repaired"].shape == (7, 64)
    assert (kept["corrupted"] != kept["intact"]).mean() == found["repair"]["wrong_before"]
    assert (kept["repaired"] != kept["intact"]).mean() == found["repair"]["wrong_after"]
    again = report(tmp_path, *words)
    assert again["samples"] == found["samples"]
    assert again["repair"] == found["repair"]
    other = report(tmp_path, *words, "--seed", "1")
    assert other["samples"]["signature"] != found["samples"]["signature"]


def test_floating_point_repairs_too(machine, tmp_path, capsys):
    found = report(tmp_path, "sample", machine, "--count", "3", "--steps", "4", "--repair", "9")
    assert "device" not in found
    assert 0.1 < found["repair"]["wrong_before"] < 0.3
    assert "9 test images of digits, 20% of the pixels flipped: " in capsys.readouterr().out


@pytest.mark.parametrize(("words", "message"), [
    (["--repair", "-1"], "repair is -1; give a number of images"),
    (["--repair", "5", "--flips", "0.5"], "flips is 0.5; it must be above 0 and below 0.5"),
    (["--repair", "1000"], "1000 images are to be repaired, data 'digits' have 397 test images"),
    (["--preset", "icebreaker"], "--preset is for sampling on a device; name its --port, or a"),
    (["--seed", "4294967296", "--link", "golden"], "seed is 4294967296; a device takes 0 to 42949"),
    (["--port", "/dev/none", "--link", "golden"], "--port and --link exclude each other"),
])
def test_misuse_of_sample(machine, words, message, capsys):
    assert message in line(capsys, "sample", machine, *words)


def test_an_engine_without_units_cannot_sample(machine, capsys):
    assert "needs the table (smooth) unit, which this engine lacks" in line(
        capsys, "sample", machine, "--link", "golden", "--preset", "ulx3s-25f-learning")


def test_early_inference_is_measured(full, tmp_path, capsys):
    picture = tmp_path / "e.png"
    found = report(tmp_path, "run", *full, "--system", "early-inference", "--images", "3",
                   "--steps", "3", "--layers", "64-16-10", "--picture", str(picture))
    told = capsys.readouterr().out
    assert picture.read_bytes()[:4] == b"\x89PNG"
    assert list(found["cosines"]) == ["h1", "y"]
    assert found["changes"]["h1"][0] < 0.005 < found["changes"]["h1"][1]
    assert min(found["cosines"]["h1"][1:]) > 0.95
    assert all(signature in told for signature in found["signatures"])


def test_the_spike_timing_curve_is_measured(full, tmp_path, capsys):
    picture = tmp_path / "s.png"
    found = report(tmp_path, "run", *full, "--system", "stdp", "--trials", "60",
                   "--picture", str(picture))
    assert picture.read_bytes()[:4] == b"\x89PNG"
    assert len(found["lags"]) == len(found["change"]) == 12
    assert found["correlation"] > 0.9
    assert f"signature    {found['signature']}" in capsys.readouterr().out


@pytest.mark.parametrize(("words", "message"), [
    (["--system", "ep"], "system 'ep' learns: 'apical train --rule ep', then run what it learned"),
    (["--system", "eq"], "unknown system 'eq'; measured are early-inference, stdp"),
    (["--trials", "5"], "--trials is for --system early-inference or stdp"),
    (["--picture", "x.png"], "--picture is for --system early-inference or stdp"),
    (["--system", "stdp", "--images", "5"], "--images is not for --system stdp"),
    (["--system", "early-inference", "--trials", "5"], "--trials is not for --system early-"),
    (["--system", "stdp", "--model", "m.npz"], "--system stdp has weights of its own; leave out"),
    (["--system", "early-inference", "--steps", "0"], "steps is 0; watch one nudged step at least"),
])
def test_misuse_of_systems(words, message, capsys):
    assert message in line(capsys, "run", "--link", "golden", *words)


@pytest.mark.parametrize("rule", ["ghost", "flow"])
def test_what_a_device_learns_is_that_of_the_fixed_executor(rule, full, tmp_path):
    """Signature and weights of ``--executor fixed`` in the formats of the engine."""
    layers = "64-12-10" if rule == "ghost" else "64-16"
    device, alone = tmp_path / "device.npz", tmp_path / "alone.npz"
    words = ["train", "--rule", rule, "--layers", layers, "--epochs", "1", "--quiet"]
    found = report(tmp_path, *words, *full, "--save", str(device))
    fixed = report(tmp_path, *words, "--executor", "fixed", "--weight", "s16.14", "--update-frac",
                   "4", "--save", str(alone))
    assert found["signature"] == fixed["signature"]
    one, other = load_model(device), load_model(alone)
    assert all((values == other.weights[name]).all() for name, values in one.weights.items())
    if rule == "ghost":
        ran = report(tmp_path, "run", *full, "--model", str(device), "--images", "397")
        assert ran["accuracy"] == pytest.approx(1 - fixed["test_error"])
        assert ran["network"] == "64-12-10-duplicate"


def test_a_machine_puts_nothing_into_classes(machine, full, capsys):
    assert "puts no images into classes (it has no outputs 'y'); a Boltzmann machine draws and " \
        "repairs images: apical sample" in line(capsys, "run", *full, "--model", machine)


def test_layers_of_a_model_run_by_its_own_program(full, tmp_path):
    """Its relaxation steps, unless the options say others."""
    model = tmp_path / "m.npz"
    assert main(["train", "--layers", "64-12-10", "--epochs", "0", "--save", str(model)]) == 0
    words = ["run", *full, "--model", str(model), "--images", "5"]
    assert report(tmp_path, *words)["mean_steps"] == 6
    assert report(tmp_path, *words, "--steps", "2")["mean_steps"] == 2


def test_presets_without_units_say_so(capsys):
    assert not preset("ulx3s-25f-learning").smooth
    assert "needs the table (smooth) unit, which this engine lacks" in line(
        capsys, "run", "--link", "golden", "--system", "stdp")
