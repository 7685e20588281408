"""Bitstreams of small engines by the real tools: one board of each device family."""

import hashlib
import json
import re
from pathlib import Path

import pytest

from apical.boards.build.build import build, load_manifest
from apical.boards.build.catalog import board
from apical.hw.interface.config import EngineConfig

pytestmark = pytest.mark.boards

#: Command of an ECP5 bitstream (with its CRC bit) that sets the user code: the hash of the engine.
USERCODE = bytes.fromhex("c2800000")
#: How the bitstreams of the families begin, behind comments.
PREAMBLE = {"ice40": bytes.fromhex("7eaa997e"), "ecp5": bytes.fromhex("ffffbdb3"),
            "gowin": f"\n{0xA5C3:016b}\n".encode()}
#: Lines of the files of pin constraints that place a pin.
PLACED = ("set_io", "LOCATE", "IO_LOC")


@pytest.fixture(scope="module", params=[
    "icebreaker", "colorlight-i5", pytest.param("tang-nano-20k", marks=pytest.mark.slow)])
def built(request, tmp_path_factory):
    """(record, configuration, manifest, folder) of a board with a small engine."""
    chosen = board(request.param)
    pytest.importorskip("amaranth_boards", reason="needs the extra 'boards'")
    family = chosen.device.family.name
    package = chosen.device.family.package.replace("-", "_")
    pytest.importorskip(package, reason="needs the extra 'boards'")
    config = EngineConfig(
        lanes=2, update_lanes=1, weight_depth=256, state_depth=16, accumulator_depth=16,
        event_depth=64, input_banks=1, program_depth=64, descriptor_depth=32, loop_counters=1,
        diagnostics=False, primitives=family,
        **({"weight_latency": 1, "event_latency": 1, "code_latency": 1, "multiplier_latency": 1,
            "update_latency": 1, "key_ahead": False} if family == "ice40" else {}))
    folder = tmp_path_factory.mktemp(chosen.name)
    # Two seeds side by side where one takes a minute; else the first that reaches the clock.
    several = {"tries": 2, "every": True, "jobs": 2} if family == "ice40" else {"tries": 3}
    made = build(chosen, folder, config=config, keep=folder / "kept", **several)
    return chosen, config, made, folder


def test_it_is_placed_routed_and_in_time(built):
    chosen, config, made, folder = built
    assert made["fmax_mhz"] >= chosen.clock / 1e6
    assert 0 < made["luts"] < chosen.device.luts
    assert made["ffs"] > 0
    assert made["fmax_mhz"] == max(made["fmax_by_seed"].values())
    path = made["worst_paths"][0]
    assert path["delay_ns"] == pytest.approx(1000 / made["fmax_mhz"], rel=1e-3)
    assert path["source"].startswith("engine.") and path["sink"].startswith("engine.")
    assert 0 < path["routing_ns"] < path["delay_ns"]
    assert config.width <= made["dsps"] <= chosen.device.multipliers
    assert 0 < made["rams"] <= chosen.device.rams
    assert all(version != "unknown" for version in made["tools"].values())
    log = (folder / "kept" / "nextpnr.log").read_text()
    assert "Routing complete" in log
    assert "Program finished normally" in log


def test_the_bitstream_is_what_the_manifest_says(built):
    chosen, config, made, folder = built
    bits = Path(made["bitstream"]).read_bytes()
    assert PREAMBLE[chosen.device.family.name] in bits[:256]
    assert hashlib.sha256(bits).hexdigest() == made["sha256"]
    assert load_manifest(folder / f"{chosen.name}.json") == made
    assert made["config_hash"] == config.hash
    if chosen.device.family.name == "ecp5":
        assert USERCODE + bytes.fromhex(config.hash) in bits


def test_pins_are_those_of_the_board(built):
    """Every pin of the plan is placed where the board has it."""
    chosen, _, _, folder = built
    family = chosen.device.family
    constraints = (folder / "kept" / family.constraints_file).read_text()
    asked = [line for line in constraints.splitlines() if line.startswith(PLACED)]
    assert len(asked) >= 4
    if family.name != "gowin":
        log = (folder / "kept" / "nextpnr.log").read_text()
        assert log.count("constrained ") >= len(asked)
        return
    # The log does not tell; the netlist does: strength 5 is that of a constraint.
    routed = json.loads((folder / "kept" / family.routed[1]).read_text())
    pads = [cell["attributes"] for cell in routed["modules"]["top"]["cells"].values()
            if re.fullmatch(r"X\d+Y\d+/IOB.", cell["attributes"].get("NEXTPNR_BEL", ""))]
    assert len(pads) == len(asked)
    assert {int(pad["BEL_STRENGTH"], 2) for pad in pads} == {5}
