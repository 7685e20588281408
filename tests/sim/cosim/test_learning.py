"""Learning systems on a real simulator: every write, the final weights, and what makes it fail.

All runs share one engine, so that it is built once.
"""

import shutil

import numpy as np
import pytest

import apical.sim.cosim.learning
import apical.sim.cosim.training
from apical.golden.errors import MisuseError
from apical.golden.learning.data import load
from apical.golden.learning.fixed import default_fixed_config, train_fixed
from apical.golden.systems.cases import case_names
from apical.golden.systems.registry import system, systems
from apical.sim.cosim.learning import LearnOptions, cosim_systems, system_names
from apical.sim.cosim.training import TrainOptions, cosim_training

pytestmark = pytest.mark.skipif(shutil.which("g++") is None, reason="g++ is not installed")

#: Keys that the report of a system has at least: those of inference, and of learning.
KEYS = {"images", "compared", "mismatches", "writes", "accuracy_rtl", "accuracy_fixed",
        "accuracy_float", "mean_cycles", "load_cycles", "mac_utilization", "cycles_per_second",
        "signature_match", "config_hash", "weights_compared", "weights_changed",
        "weights_saturated"}
#: Systems that the default suite runs: between them they use every unit.
FEW = ("ep", "feedforward-init", "ghost-online", "early-inference", "flow-dbm-lateral",
       "flow-flipped")


def run(cache, *systems, **options):
    return cosim_systems(LearnOptions(systems=systems, cache=cache, **options))


def check(told, name):
    report = told["systems"][name]
    assert told["failures"] == {} and set(report) >= KEYS
    assert told["mismatches"] == report["mismatches"] == 0 and report["signature_match"] is True
    assert report["compared"] >= report["writes"] == report["writes_expected"] > 0
    if name == "early-inference":
        assert report["weights_compared"] == 0
    else:
        assert report["weights_compared"] > 1000
        assert report["weights_changed"] >= 0.95 and report["weights_saturated"] <= 0.01
    return report


@pytest.mark.parametrize("name", [name if name in FEW else pytest.param(
    name, marks=pytest.mark.slow) for name in case_names()])
def test_systems_are_bit_exact(cache, name):
    check(run(cache, name, seed=1), name)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("tiles", [2, 3, 4])
def test_systems_are_bit_exact_on_tiles(cache, tiles, seed):
    """All of them on one engine of so many tiles; the assembler puts the lanes elsewhere."""
    names = case_names()
    told = run(cache, *names, seed=seed, lanes=4, engine={"tiles": tiles, "hop": 1 + seed % 2})
    assert told["failures"] == {} and told["mismatches"] == 0
    for name in names:
        assert told["systems"][name]["signature_match"] is True
        assert told["systems"][name]["compared"] >= told["systems"][name]["writes"] > 0


def test_every_system_of_the_list_has_a_case():
    assert system_names("all") == tuple(case_names()) and set(FEW) < set(case_names())
    assert system_names("ep") == ("ep",)
    with pytest.raises(MisuseError, match="unknown system 'epp'; known: cd, cd-10, "):
        system_names("epp")


def test_fast_compares_signatures_and_final_weights(cache):
    fast, whole = (check(run(cache, "ep", fast=fast), "ep") if not fast else
                   run(cache, "ep", fast=True)["systems"]["ep"] for fast in (True, False))
    assert (fast["mode"], whole["mode"]) == ("signatures", "every write")
    assert fast["mismatches"] == 0
    for name in ("signature", "writes", "saturations", "images", "mean_steps"):
        assert fast[name] == whole[name], name
    # What the host reads between images can hold up the first instruction of the next.
    assert abs(fast["mean_cycles"] - whole["mean_cycles"]) < 2
    # Signatures on the way and at the end, and the 24-16-5 network read back.
    final = 24 * 16 + 16 * 5 + 16 + 5
    assert fast["weights_compared"] == final and fast["compared"] >= 2 + final
    assert fast["cycles"] < whole["cycles"]


@pytest.mark.parametrize("fast", [False, True])
def test_a_wrong_rate_is_named(cache, monkeypatch, fast):
    """The host sends another multiplier than the fixed executor learns with."""
    healthy = apical.sim.cosim.learning.multipliers
    monkeypatch.setattr(apical.sim.cosim.learning, "multipliers", lambda *arguments: {
        name: value ^ 1 for name, value in healthy(*arguments).items()})
    told = run(cache, "ep", fast=fast)
    report = told["systems"]["ep"]
    assert report["mismatches"] > 0 and report["signature_match"] is False
    assert set(told["failures"]) == {"ep"}
    if not fast:
        first = report["first_divergence"]
        assert first["operation"].startswith("Learn ") and first["population"] in ("h1", "y")
        assert told["failures"]["ep"] == report["sentence"]


def test_a_final_weight_that_differs(cache, monkeypatch):
    healthy = apical.sim.cosim.learning.run_case

    def wrong(case):
        result = healthy(case)
        result.weights["W1"][3, 2] ^= 1
        return result

    monkeypatch.setattr(apical.sim.cosim.learning, "run_case", wrong)
    told = run(cache, "ep", fast=True)
    assert told["systems"]["ep"]["mismatches"] == 1
    assert told["failures"] == {"ep": "final weights that differ: {'W1': 1}"}


@pytest.mark.slow
def test_the_netlist_of_a_board_learns(cache, monkeypatch):
    """Traced and as it is shipped; a shipped one that rounds otherwise is named."""
    options = {"preset": "icebreaker", "netlist": True}
    report = check(run(cache, "ep", **options), "ep")
    assert report["netlist"] and report["shipped_signature_match"] is True
    healthy = apical.sim.cosim.learning.build_engine

    def shipped_otherwise(config, simulator, waves, cache, netlist, trace=True, say=None):
        config = config if trace else config.replace(update_frac=config.update_frac - 1)
        return healthy(config, simulator, waves, cache, netlist, trace)

    monkeypatch.setattr(apical.sim.cosim.learning, "build_engine", shipped_otherwise)
    told = run(cache, "ep", **options)
    assert told["mismatches"] > 0
    assert told["failures"] == {"ep": "the shipped netlist, without its trace port, differs"}


@pytest.mark.parametrize(("limit", "value", "message"), [
    ("LEAST_CHANGED", 1.01, r"only 9\d\.\d% of the weights that take part changed, 101% must"),
    ("MOST_SATURATED", -0.01, r"0\.0% of the weights that take part are saturated, -1% may")])
def test_dead_and_saturated_weights_fail(cache, monkeypatch, limit, value, message):
    monkeypatch.setattr(apical.sim.cosim.learning, limit, value)
    told = run(cache, "ep", fast=True)
    assert told["mismatches"] == 0
    with pytest.raises(AssertionError, match=message):
        raise AssertionError(told["failures"]["ep"])


def train(cache, monkeypatch=None, **options):
    """The report of a training run, and the weights that were read back."""
    kept, healthy = {}, apical.sim.cosim.training.simulate

    def keep(*arguments):
        report = healthy(*arguments)
        kept.update(report["final_weights"])
        return report

    if monkeypatch is not None:
        monkeypatch.setattr(apical.sim.cosim.training, "simulate", keep)
    return cosim_training(TrainOptions(cache=cache, **options)), kept


@pytest.mark.parametrize(("name", "layers"), [
    ("ep", (64, 12, 10)), ("flow-rbm", (64, 12)), pytest.param(
        "flow-flipped", (64, 12), marks=pytest.mark.slow), pytest.param(
        "ghost-duplicate", (64, 12, 10), marks=pytest.mark.slow), pytest.param(
        "feedforward-init", (64, 12, 8), marks=pytest.mark.slow)])
def test_training_in_the_gateware_is_that_of_the_fixed_executor(cache, monkeypatch, name, layers):
    told, final = train(cache, monkeypatch, systems=(name,), data="digits", layers=layers,
                        epochs=1, seed=4)
    report = told["systems"][name]
    assert told["failures"] == {} and report["images"] == 1400
    config = default_fixed_config("digits", layers, name, epochs=1, seed=4)
    expected = train_fixed(system(name).network(layers), load("digits"), config)
    assert set(final) <= set(expected.weights) and "W1" in final
    for matrix, raw in final.items():
        np.testing.assert_array_equal(raw, expected.weights[matrix])
    assert int(report["signature"], 16) == expected.signature
    if not system(name).data.labelled:
        assert report["error_fixed"] == expected.test_error and report["accuracy_rtl"] is None
        return
    assert report["accuracy_fixed"] == pytest.approx(1 - expected.test_error)
    if name == "ep":
        assert report["accuracy_rtl"] == report["accuracy_fixed"]
    assert report["tested_rtl"] == 397


LEARNING = [name for name, record in systems().items() if record.learns]


@pytest.mark.parametrize("name", [name if name == "feedforward-init" else pytest.param(
    name, marks=pytest.mark.slow) for name in LEARNING])
def test_every_write_of_every_system_on_digits(cache, name):
    told, _ = train(cache, systems=(name,), images=100)
    report = told["systems"][name]
    assert told["failures"] == {} and told["mismatches"] == 0
    assert (report["mode"], report["images"]) == ("every write", 100)


def test_a_system_of_another_package_is_one_file(cache, toy):
    """Its small case, and digits."""
    report = run(cache, *system_names(toy))["systems"]["delta-rule"]
    assert report["mismatches"] == 0 and report["weights_changed"] >= 0.95
    told, _ = train(cache, systems=(toy,), data="digits", images=30)
    assert told["failures"] == {} and told["systems"]["delta-rule"]["images"] == 30


def test_every_write_of_the_first_training_images(cache):
    told, _ = train(cache, images=8)
    report = told["systems"]["ep"]
    assert (report["mode"], report["images"], report["mismatches"]) == ("every write", 8, 0)
    assert report["layers"] == [64, 32, 10] and report["weights_compared"] > 1000


@pytest.mark.slow
def test_digits_are_learned_in_the_gateware(cache):
    told, _ = train(cache, data="digits", layers=(64, 32, 10), epochs=5)
    assert told["failures"] == {} and told["systems"]["ep"]["accuracy_rtl"] >= 0.95


@pytest.mark.parametrize(("options", "message"), [
    ({"systems": ("early-inference",)}, "system 'early-inference' does not learn from data: it "),
    ({"data": "random"}, "training needs images to learn from"),
    ({"layers": (20, 10)}, "training needs images to learn from"),
    ({"layers": (64, 9)}, "64-9|9 .*10|10 .*9"),
    ({"images": 2000}, "data 'digits' has 1400 training images, 2000 are requested"),
    ({"images": 1000}, "more than 600 are compared with --fast only"),
    ({"lanes": 4, "preset": "ulx3s-25f"}, "--preset and --lanes exclude each other"),
    ({"preset": "icebreaker", "layers": (64, 2000, 10), "images": 100}, "does not fit the engine")])
def test_training_that_cannot_be(cache, options, message):
    with pytest.raises(MisuseError, match=message):
        train(cache, **options)
