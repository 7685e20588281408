"""Co-simulation on real simulators: bit-exact, and not blind.

All runs but two share one engine, so that it is built once.
"""

import itertools
import json
import shutil

import numpy as np
import pytest
from amaranth.hdl import Module

import apical.hw.engine.lanes
from apical.golden.errors import MisuseError
from apical.golden.executors.fixed.executor import FixedExecutor
from apical.golden.network import layered
from apical.golden.program import Program, Snapshot
from apical.golden.program.layered import inference
from apical.hw.assembler.assembler import assemble
from apical.hw.assembler.image import register_write
from apical.hw.engine.engine import Engine
from apical.hw.export.verilog import engine_verilog
from apical.sim.bench import commands
from apical.sim.bench.harness import component_ports, harness
from apical.sim.bench.job import answers, inference_job
from apical.sim.bench.simulation import simulate_job
from apical.sim.bench.streams import engine_streams
from apical.sim.compare.compare import Expectation, compare_reports, compare_trace
from apical.sim.cosim.inference import CosimOptions, cosim, resolve
from apical.sim.simulators.runner import build
from apical.sim.simulators.simulator import build_engine

#: Keys that a report has at least.
KEYS = {"images", "compared", "mismatches", "writes", "accuracy_rtl", "accuracy_fixed",
        "accuracy_float", "mean_cycles", "load_cycles", "mac_utilization", "cycles_per_second",
        "signature_match", "config_hash"}

needs_gxx = pytest.mark.skipif(shutil.which("g++") is None, reason="g++ is not installed")
pytestmark = needs_gxx


@pytest.fixture(scope="module")
def options(cache):
    """Options of the common engine, with some changed."""
    def make(**changes):
        common = {"layers": (20, 12, 5), "lanes": 4, "images": 6, "density": 0.25, "steps": 3,
                  "seed": 3, "cache": cache}
        return CosimOptions(**common | changes)
    return make


def test_every_write_is_compared(options):
    report = cosim(options())
    case = resolve(options())
    expected = FixedExecutor(case.network, case.weights).run(case.program, case.inputs, seed=3)
    assert set(report) >= KEYS
    assert report["mismatches"] == 0 and report["signature_match"] is True
    assert report["compared"] == report["writes"] == expected.writes.sum() == 6 * 4 * (12 + 5)
    assert report["images"] == 6 and report["first_divergence"] is None
    assert report["accuracy_rtl"] is report["accuracy_fixed"] is report["accuracy_float"] is None
    assert report["signature"] == f"{int(expected.signatures.sum()) & 0xFFFFFFFF:08x}"
    assert report["config_hash"] == case.config.hash
    assert 0 < report["mac_utilization"] <= 1 and report["mean_cycles"] > 100
    assert report["mean_steps"] == 3 and "injected" not in report
    json.dumps(report, allow_nan=False)


def test_fast_compares_signatures(options):
    report, whole = cosim(options(fast=True)), cosim(options())
    assert (report["compared"], report["mismatches"]) == (6, 0) and report["signature_match"]
    for name in ("signature", "writes", "mean_cycles", "mac_utilization", "config_hash"):
        assert report[name] == whole[name]


@pytest.mark.parametrize("fast", [False, True])
@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("kind", ["weight-bit", "state-bit"])
def test_an_injected_fault_is_named(options, kind, seed, fast):
    report = cosim(options(inject=kind, seed=seed, fast=fast))
    assert report["mismatches"] > 0 and report["signature_match"] is False
    injected, first = report["injected"], report["first_divergence"]
    assert injected["kind"] == kind
    assert {name: first[name] for name in ("operation", "step", "population", "unit")} \
        == injected["expected_first"]
    assert first["kind"] == "value" and first["cycle"] > 0 and first["expected"] != first["got"]
    assert report["sentence"].startswith("first divergence: image ")


def test_odd_lanes_and_early_stop(options):
    report = cosim(options(layers=(20, 9, 6, 5), lanes=7, steps=30, settled=0.01))
    assert report["mismatches"] == 0 and 0 < report["mean_steps"] < 30
    assert report["compared"] == report["writes"]


def test_icarus(options):
    if shutil.which("iverilog") is None:
        pytest.skip("Icarus Verilog is not installed (Debian package 'iverilog')")
    report = cosim(options(simulator="icarus", images=2))
    assert (report["mismatches"], report["simulator"]) == (0, "icarus")
    assert report["signature"] == cosim(options(images=2))["signature"]


@pytest.mark.slow
def test_trained_weights_of_real_digits(options):
    """The default command at its smallest; weights are trained once and kept."""
    report = cosim(CosimOptions(layers=(64, 32, 10), images=5, cache=options().cache))
    assert report["mismatches"] == 0 and report["weights"] == "trained"
    assert report["data"] == "digits" and report["accuracy_rtl"] == report["accuracy_fixed"]
    assert abs(report["accuracy_rtl"] - report["accuracy_float"]) <= 0.2


def run_job(simulator, words, folder):
    """Answers and trace records of a list of commands."""
    played = simulate_job(simulator, [words], cache=folder)
    return played.answers, played.records["state"]


def test_two_networks_and_two_programs_on_one_binary(options, tmp_path):
    """One after the other without a reset: all that differs comes through the host port."""
    first = resolve(options(density=1.0))
    config = first.config
    rng = np.random.default_rng(8)
    network = layered((15, 9, 7, 4))
    relax = inference(network, 20, start="zero", settled=0.01)
    program = Program("other", (*relax.ops[:-1], Snapshot("y", "last"), relax.ops[-1]))
    weights = {m.name: rng.integers(-2500, 2500, m.shape) for m in network.matrices}
    inputs = {"x": rng.integers(0, 4097, (4, 15)) * (rng.random((4, 15)) < 0.4)}
    runs = [(first.network, first.program, first.weights, first.inputs, 0),
            (network, program, weights, inputs, 1000)]
    jobs, words = [], [commands.reset()]
    for number, (net, prog, raw, images, first_image) in enumerate(runs):
        job = inference_job(assemble(net, prog, config), raw, images, 5, first_image)
        assert int(job.words[0]) >> 60 == commands.RESET
        for name in ("signature", "writes", "saturations", "done", "mac_useful", "mac_cycles",
                     "cycles"):
            words += [commands.writes(*register_write(name, 0))] if number else []
        words.append(job.words[1:])
        jobs.append(job)
    got, records = run_job(build_engine(config, cache=options().cache), commands.join(*words),
                           tmp_path)
    start = 0
    for job, (net, prog, raw, images, first_image) in zip(jobs, runs, strict=True):
        count = job.answers
        reported, _ = answers(job, got[start:start + count])
        start += count
        expected = FixedExecutor(net, raw).run(prog, images, 5, first_image, record=True)
        mine = records[(records["image"] >= 1000) == bool(first_image)]
        outcome = compare_trace(Expectation(expected), mine, first_image)
        assert (outcome.mismatches, outcome.first) == (0, None)
        assert outcome.compared == expected.writes.sum() > 0
        assert all(ok.all() for ok in compare_reports(expected, reported).values())


def wrong_sign(multiplier):
    """A multiplier whose product has the wrong sign."""
    class WrongSign(multiplier):
        def elaborate(self, platform):
            m = Module()
            m.submodules.healthy = healthy = multiplier(self.latency, self.primitives)
            m.d.comb += [healthy.a.eq(self.a), healthy.b.eq(self.b),
                         self.product.eq(-healthy.product)]
            return m
    return WrongSign


def test_a_mutant_is_caught_in_its_verilog(options, tmp_path, monkeypatch):
    """The product of lane 1 is negative: unit 1 of the first sweep is 0 instead of its value."""
    case = resolve(options())
    weights = {name: np.abs(raw) // 4 + 1 for name, raw in case.weights.items()}
    expected = FixedExecutor(case.network, weights).run(case.program, case.inputs, record=True)
    assert case.assembly.placement.matrices["W1"].lanes_are_cols

    healthy, number = apical.hw.engine.lanes.Multiplier, itertools.count()
    with monkeypatch.context() as patch:
        patch.setattr(apical.hw.engine.lanes, "Multiplier", lambda *arguments: (
            wrong_sign(healthy) if next(number) == 1 else healthy)(*arguments))
        verilog = engine_verilog(case.config, "dut", trace=True)
    ports = Engine(case.config, trace=True)
    ports._MustUse__used = True
    simulator = build(harness(verilog, component_ports(ports), engine_streams(case.config)),
                      cache=options().cache)
    _, records = run_job(simulator, inference_job(case.assembly, weights, case.inputs).words,
                         tmp_path)
    outcome = compare_trace(Expectation(expected), records)
    first = outcome.first
    assert outcome.mismatches > 0 and outcome.compared == expected.writes.sum()
    assert (first.kind, first.image) == ("value", 0)
    assert first.place() == {"operation": "Update h1", "step": None, "population": "h1", "unit": 1}
    assert (first.expected, first.got) == (expected.trace.entries[0].values[0, 1], 0)


@pytest.mark.parametrize(("changes", "message"), [
    ({"images": 0}, "0 images; at least one is needed"),
    ({"lanes": 0}, "lanes is 0; it goes from 1 to 64"),
    ({"preset": "ulx3s-25f"}, "--preset and --lanes exclude each other"),
    ({"weights": "best"}, "unknown weights 'best'"),
    ({"weights": "trained"}, "random data have no classes to train on"),
    ({"data": "digits", "density": None}, "data 'digits' have 64 pixels and 10 classes, layers "
                                          "20-12-5 need 20 and 5"),
    ({"data": "digits", "layers": (64, 10)}, "--density is for random data"),
    ({"inject": "clock"}, "unknown fault 'clock'"),
    ({"settled": -1.0}, "settled threshold -1.0 is negative"),
    ({"simulator": "modelsim"}, "unknown simulator 'modelsim'"),
    ({"lanes": None, "preset": "icebreaker", "layers": (784, 500, 10), "data": "random"},
     "does not fit the engine: needs 99378 weight words of 4"),
])
def test_options_that_cannot_be(options, changes, message):
    with pytest.raises(MisuseError, match=message):
        cosim(options(**changes))
