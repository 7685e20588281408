"""A small engine after synthesis, with models of its cells, in the bench of the co-simulation."""

import re

import numpy as np
import pytest
from amaranth.hdl import Module, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from engine_case import random_inputs, random_weights

from apical.golden.errors import ApicalError
from apical.golden.executors.fixed.executor import FixedExecutor
from apical.golden.network import layered
from apical.golden.program.layered import inference
from apical.hw.assembler.assembler import assemble, config_for
from apical.hw.engine.engine import Engine
from apical.hw.export.synthesis import (
    cell_counts,
    check_warnings,
    component_rtlil,
    find_tool,
    netlist,
    run_tool,
)
from apical.sim.bench.harness import harness
from apical.sim.bench.job import answers, inference_job
from apical.sim.bench.streams import engine_streams
from apical.sim.simulators.netlist import with_models
from apical.sim.simulators.runner import build
from apical.sim.simulators.simulator import engine_ports

IMAGES = 2
#: Small, and weights deep enough to lie in SPRAM; the tests of other families are slow.
FORMS = {"ice40": {"primitives": "ice40", "weight_depth": 4096, "weight_latency": 1},
         "ecp5": {"primitives": "ecp5", "weight_depth": 600, "weight_latency": 4},
         "gowin": {"primitives": "gowin", "weight_depth": 600, "weight_latency": 2}}


def case(family, tiles=1):
    network = layered([9, 5, 3])
    program = inference(network, steps=2)
    config = config_for(network, program, 2, update_lanes=1).replace(
        event_depth=16, accumulator_width=32, loop_counters=1, tiles=tiles, **FORMS[family])
    return network, program, config


def disagreements(family, text, cache, tiles=1):
    """Images whose signature, writes or prediction are not those of the fixed executor."""
    network, program, config = case(family, tiles)
    rng = np.random.default_rng(5)
    weights, inputs = random_weights(network, rng), random_inputs(network, program, rng, IMAGES)
    job = inference_job(assemble(network, program, config), weights, inputs, seed=3)
    bench = harness(with_models(text, family), engine_ports(config), engine_streams(config))
    folder = cache / "run"
    build(bench, "bare", cache=cache).play(job.words, folder=folder, record=True, limit=20_000)
    told = np.fromfile(folder / "answers.bin", "<u4")
    if len(told) < job.images * 6:
        return IMAGES  # it never finished
    reported, _ = answers(job, told)
    expected = FixedExecutor(network, weights, config.state, config.weight).run(
        program, inputs, seed=3, record=False)
    same = ((reported["signature"] == np.cumsum(expected.signatures) % 2 ** 32)
            & (reported["writes"] == np.cumsum(expected.writes))
            & (reported["prediction"] == expected.predictions))
    return int(np.count_nonzero(~same))


@pytest.fixture(scope="module")
def ice40(tmp_path_factory):
    _, _, config = case("ice40")
    return netlist(Engine(config, trace=True), "ice40", tmp_path_factory.mktemp("netlist"))


def test_a_small_netlist_is_bit_exact(ice40, tmp_path):
    cells = cell_counts(ice40)
    assert cells["SB_MAC16"] == 2 + 4  # lanes, and the sums of `hw.engine.counter`
    assert cells["SB_SPRAM256KA"] == 2
    assert disagreements("ice40", ice40, tmp_path) == 0


def test_a_multiplier_dropped_by_synthesis_is_seen(ice40, tmp_path):
    """As `synth_ice40 -dsp` does it: the cell is gone, its product undefined."""
    dropped = re.sub(r"  SB_MAC16 #\(.*?\n  \);\n", "", ice40, count=1, flags=re.DOTALL)
    assert cell_counts(dropped)["SB_MAC16"] == 1 + 4
    assert disagreements("ice40", dropped, tmp_path) > 0


class DotProduct(wiring.Component):
    """What Yosys 0.70 miscompiles with ``-dsp``: a signed dot product of inferred multiplies."""

    def __init__(self):
        super().__init__({name: In(signed(16)) for name in ("a0", "b0", "a1", "b1")}
                         | {"y": Out(signed(33))})

    def elaborate(self, platform):
        m = Module()
        first, second = Signal(signed(32)), Signal(signed(32))
        m.d.sync += [first.eq(self.a0 * self.b0), second.eq(self.a1 * self.b1)]
        m.d.comb += self.y.eq(first + second)
        return m


@pytest.mark.slow
def test_the_miscompiled_dot_product_is_refused(tmp_path):
    """Its only sign is a warning, or an error of other versions; never a circuit that passes."""
    (tmp_path / "top.il").write_text(component_rtlil(DotProduct()))
    script = "read_rtlil top.il; synth_ice40 -device u -dsp -top top"

    def synthesize():
        run_tool(find_tool("yosys"), ["-l", "y.log", "-q", "-p", script], tmp_path, "y.out")
        check_warnings((tmp_path / "y.log").read_text())

    with pytest.raises(ApicalError, match="broken circuit|yosys failed"):
        synthesize()


@pytest.mark.slow
@pytest.mark.parametrize("tiles", [1, 2])
def test_a_small_ecp5_netlist_is_bit_exact(tmp_path, tiles):
    _, _, config = case("ecp5", tiles)
    text = netlist(Engine(config, trace=True), "ecp5", tmp_path)
    cells = cell_counts(text)
    assert cells["MULT18X18D"] == 2 * tiles
    assert cells["DP16KD"] >= 3
    assert disagreements("ecp5", text, tmp_path, tiles) == 0


@pytest.mark.slow
def test_a_small_gowin_netlist_is_bit_exact(tmp_path):
    _, _, config = case("gowin")
    text = netlist(Engine(config, trace=True), "gowin", tmp_path)
    cells = cell_counts(text)
    assert cells["MULT18X18"] == 2
    assert cells["SDPX9B"] >= 3
    assert disagreements("gowin", text, tmp_path) == 0
