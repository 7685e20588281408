"""The build of a bitstream, with stand-ins for the tools."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from build_case import make, routed

from apical.boards.build import build as building
from apical.boards.build.catalog import board
from apical.golden.errors import ApicalError
from apical.hw.export import synthesis
from apical.hw.export.families import ECP5
from apical.hw.interface.presets import preset


def test_a_build_writes_bitstream_and_manifest(tools, tmp_path):
    made = make(tmp_path / "out")
    assert Path(made["bitstream"]).read_text() == "bits\n"
    assert Path(made["bitstream"]).is_absolute()
    assert json.loads((tmp_path / "out" / "icebreaker.json").read_text()) == made
    assert made["fmax_mhz"] == 31.4
    assert made["ffs"] == 1
    assert made["idle_multipliers"] == 4
    assert made["config_hash"] == preset("icebreaker-learning").hash
    assert sorted(os.listdir(tmp_path / "out")) == ["icebreaker.bin", "icebreaker.json"]


def test_a_missing_tool_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ApicalError, match="^yosys is not installed; install it, or drop --tools"):
        make(tmp_path)
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    with pytest.raises(ApicalError, match=r"install it with: pip install 'apical\[boards\]'"):
        building.build(board("icebreaker"), tmp_path)


def test_a_tool_too_old_is_refused(tools, tmp_path):
    tools("yosys", "", version="0.23")
    with pytest.raises(ApicalError, match=r"^yosys is too old: 'yosys 0\.23' .* needed is 0\.50"):
        make(tmp_path / "out")


def test_a_tool_that_fails_is_quoted_and_its_log_kept(tools, tmp_path):
    tools("nextpnr-ice40", "echo 'ERROR: no room for cells'; exit 1")
    with pytest.raises(ApicalError, match="nextpnr-ice40 failed: no room for cells .log: ") as told:
        make(tmp_path / "out")
    assert Path(str(told.value).split("log: ")[1].rstrip(")")).is_file()
    assert os.listdir(tmp_path / "out") == ["icebreaker.failed"]


@pytest.mark.parametrize("line", [
    "Warning: Driver-driver conflict for \\y [3] between cell $x and constant 1'x in top",
    "Warning: multiple conflicting drivers for top.\\y [0]:",
    "Warning: Wire top.\\y [3] is used but has no driver.",
    "Warning: found logic loop in module top:",
])
def test_warnings_of_a_broken_circuit_are_fatal(tools, tmp_path, line):
    tools("yosys", f"cat > yosys.log <<'X'\n{line}\nX\ntouch top.json")
    with pytest.raises(ApicalError, match="^Yosys reports a broken circuit: Warning"):
        make(tmp_path / "out")


def test_harmless_warnings_are_not():
    synthesis.check_warnings("Warning: Yosys has only limited support for tri-state logic\n")


@pytest.mark.parametrize(("what", "value", "told"), [
    ("multipliers", 3, "synthesis lost multipliers: 4 lanes, 3 in the netlist"),
    ("fmax", 23.9, r"timing is not met with seed 1: 23.9 MHz, the board runs at 24; try --seed 2"),
])
def test_a_build_that_misses_its_promise_fails(tools, tmp_path, what, value, told):
    tools("nextpnr-ice40", routed(**{what: value}))
    with pytest.raises(ApicalError, match=told):
        make(tmp_path / "out")


def test_the_packer_of_the_ecp5_takes_its_arguments_and_keeps_the_hash(tmp_path):
    (tmp_path / "top.config").write_text(".device LFE5U-25F\n")
    config = preset("ulx3s-25f")
    synthesis.run_tool(synthesis.find_tool(ECP5.packer), ECP5.pack_arguments(config.hash),
                       tmp_path, "pack.out")
    assert bytes.fromhex(config.hash) in (tmp_path / "top.bit").read_bytes()


def test_an_interrupted_build_leaves_the_old_files(tools, tmp_path):
    out = tmp_path / "out"
    make(out)
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    tools("nextpnr-ice40", "touch started; sleep 60")
    child = subprocess.Popen(
        [sys.executable, "-c", "import sys; from apical.cli import main; sys.exit(main())", "build",
         "--board", "icebreaker", "--tools", "native", "-o", str(out)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    for _ in range(1200):
        if list(out.glob(".icebreaker-*/seed-1/started")):
            break
        time.sleep(0.1)
    child.send_signal(signal.SIGINT)
    _, told = child.communicate(timeout=60)
    assert child.returncode == 130
    assert told.decode().splitlines()[-1] == "apical: interrupted"
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before


def test_output_that_cannot_be_written_is_told_first(tools, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ApicalError, match="^cannot make folder .*; name another one with -o"):
        make(tmp_path / "file" / "out")


def test_the_tools_of_gowin_are_told_the_device(tools, tmp_path):
    """Part, chip and pin constraints go to the router, the chip to the packer."""
    report = {"utilization": {"LUT4": {"used": 5000}, "ALU": {"used": 1300}, "DFF": {"used": 3400},
                              "MULT18X18": {"used": 5}, "BSRAM": {"used": 21}},
              "fmax": {"clk": {"achieved": 30.1, "constraint": 27.0}}}
    tools("nextpnr-himbaechel-gowin", 'echo "$@" > told; touch top.pnr.json; '
                                      f"echo '{json.dumps(report)}' > report.json")
    tools("gowin_pack", 'test "$1 $2 $3 $4 $5" = "-d GW1N-9C -o top.fs top.pnr.json" || exit 1; '
                        "echo bits > top.fs")
    made = building.build(board("tang-nano-9k"), tmp_path / "out", native=True,
                          keep=tmp_path / "kept")
    assert sorted(os.listdir(tmp_path / "out")) == ["tang-nano-9k.fs", "tang-nano-9k.json"]
    told = (tmp_path / "kept" / "told").read_text()
    for words in ("--device GW1NR-LV9QN88PC6/I5", "--vopt family=GW1N-9C", "--vopt cst=top.cst",
                  "--write top.pnr.json", "--freq 27 "):
        assert words in told
    assert (made["luts"], made["ffs"], made["dsps"], made["rams"]) == (6300, 3400, 5, 21)
    assert made["idle_multipliers"] == 20 - 5
