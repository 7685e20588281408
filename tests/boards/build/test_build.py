"""Board records, what fits, the build flow with stand-in tools, and refusals of the programmer."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from apical.boards.build.build import build as building
from apical.boards.build.build import flash as flashing
from apical.boards.build.build import routing
from apical.boards.build.catalog import BOARDS, board
from apical.boards.build.fit import fits, greatest_hidden, suggestion, with_weight_bits
from apical.boards.host.golden_port import GoldenPort
from apical.boards.host.links import Link
from apical.cli import main
from apical.golden.errors import ApicalError, MisuseError
from apical.golden.network import layered
from apical.golden.systems import equilibrium
from apical.hw.assembler.assembler import reasons
from apical.hw.export import synthesis
from apical.hw.interface.config import preset
from apical.hw.primitives.ecp5 import block_rams, segments

RECORDED = Path(__file__).resolve().parents[3] / "docs" / "recorded"
REPORT = {"utilization": {"ICESTORM_LC": {"used": 4000}, "ICESTORM_DSP": {"used": 4},
                          "ICESTORM_RAM": {"used": 28}, "ICESTORM_SPRAM": {"used": 4}},
          "fmax": {"clk": {"achieved": 31.4, "constraint": 24.0}}}


@pytest.fixture
def tools(tmp_path, monkeypatch):
    """Stand-ins for the tools of an iCE40 build, on PATH; their behaviour can be changed."""
    folder = tmp_path / "tools"
    folder.mkdir()

    def put(name, body, version="0.70"):
        path = folder / name
        path.write_text(f'#!/bin/sh\ncase "$1" in -V|--version) echo "{name} {version}"; exit 0;; '
                        f"esac\n{body}\n")
        path.chmod(0o755)

    put("yosys", "echo '{\"type\": \"SB_DFF\"}' > top.json; touch yosys.log")
    put("nextpnr-ice40", f"echo '{json.dumps(REPORT)}' > report.json; touch top.asc")
    put("icepack", "echo bits > top.bin")
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    # Generating the top level takes seconds; one test does it.
    monkeypatch.setattr(building, "board_files", lambda chosen, config: ("", ""))
    synthesis._version.cache_clear()
    put.folder = folder
    yield put
    synthesis._version.cache_clear()


def make(output, **options):
    return building.build(board("icebreaker"), output, native=True, **options)


@pytest.mark.parametrize("name", BOARDS)
def test_records_are_whole(name):
    chosen = board(name)
    config = preset(chosen.preset)
    assert config.primitives == chosen.device.family
    assert config.lanes <= chosen.device.multipliers
    assert set(chosen.leds) <= {"alive", "busy", "error"}
    assert chosen.sram or chosen.flash
    assert chosen.divisor >= 4
    # What the receiver makes of a byte depends on the last of its ten bits.
    assert abs(chosen.divisor * chosen.baud / chosen.clock - 1) < 0.02


@pytest.mark.parametrize("path", sorted(RECORDED.glob("build-*.json")), ids=lambda path: path.stem)
def test_a_board_begins_with_the_seed_that_was_recorded(path):
    made = json.loads(path.read_text())["report"]
    chosen = board(made["board"], made["preset"])
    assert made["seed"] == chosen.seed
    assert made["fmax_mhz"] >= made["clock_mhz"] == chosen.clock / 1e6


def test_an_unknown_board_is_refused_with_the_known_ones():
    with pytest.raises(MisuseError, match="^unknown board 'nexys'; known: icebreaker, ulx3s-12f"):
        board("nexys")


@pytest.mark.parametrize(("name", "hidden"), [("icebreaker", 64), ("ulx3s-25f", 64),
                                              ("ulx3s-45f", 128), ("ulx3s-85f", 256)])
def test_the_presets_hold_a_network_for_mnist_at_16_bits(name, hidden):
    """And the block RAM of the device holds the memories."""
    chosen = board(name)
    config = preset(chosen.preset)
    assert fits((784, hidden, 10), config) == []
    if chosen.device.family == "ecp5":
        rams = block_rams(16 * config.lanes, segments(16 * config.lanes, config.weight_depth))
        rams += 2 * block_rams(32, segments(32, config.event_depth))
        assert rams < chosen.device.rams


@pytest.mark.parametrize(("name", "hidden"), [("ulx3s-45f", 128), ("ulx3s-85f", 256)])
def test_the_presets_hold_what_learning_keeps(name, hidden):
    network = layered((784, hidden, 10))
    assert reasons(network, equilibrium.training(network), preset(name)) == []


def test_another_preset_for_a_board():
    chosen = board("ulx3s-25f", "ulx3s-25f-learning")
    assert preset(chosen.preset).learning
    assert board("ulx3s-25f").preset == "ulx3s-25f"
    assert chosen.clock == board("ulx3s-25f").clock == 100_000_000
    assert chosen.seed != board("ulx3s-25f").seed
    # A slower engine lowers the clock, and the serial rate still divides it.
    slow = board("ulx3s-25f", "ulx3s-45f")
    assert slow.clock == 80_000_000 == slow.divisor * slow.baud
    assert board("orangecrab-25f", "ulx3s-45f").clock == board("orangecrab-25f").clock
    assert board("ulx3s-45f", "ulx3s-25f").clock == 100_000_000 > board("ulx3s-45f").clock
    with pytest.raises(MisuseError, match="^preset 'icebreaker' is made of ice40 cells, board"):
        board("ulx3s-25f", "icebreaker")


def test_what_fits_grows_with_narrow_weights():
    config = preset("icebreaker")
    wide = greatest_hidden(784, 10, config)
    narrow = greatest_hidden(784, 10, with_weight_bits(config, 8))
    assert 64 <= wide < narrow
    assert fits((784, wide, 10), config) == []
    assert fits((784, wide + 1, 10), config)


def test_a_suggestion_fits():
    config = preset("ulx3s-25f")
    told = suggestion((784, 500, 500, 10), config)
    layers = tuple(map(int, told.split()[0].split("-")))
    assert fits(layers, config) == []


@pytest.mark.parametrize("name", ["icebreaker", "ulx3s-25f"])
def test_a_network_too_large_is_refused_before_any_tool_runs(name, capsys, monkeypatch):
    monkeypatch.setattr(synthesis, "find_tool", None)
    assert main(["build", "--board", name, "--layers", "784-512-10"]) == 2
    told = capsys.readouterr().err
    assert told.count("\n") == 1
    assert f"784-512-10 does not fit {name}: needs" in told
    assert "-10 would fit" in told


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


@pytest.mark.parametrize("name", BOARDS)
def test_every_top_level_can_be_generated(name):
    pytest.importorskip("amaranth_boards")
    config = preset(board(name).preset).replace(lanes=2, update_lanes=1, weight_depth=64)
    rtlil, constraints = building.board_files(board(name), config)
    assert "top" in rtlil
    assert "rx" in constraints
    assert "tx" in constraints


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
    with pytest.raises(ApicalError, match="^Yosys tells of a broken circuit: Warning"):
        make(tmp_path / "out")


def test_harmless_warnings_are_not():
    synthesis.check_warnings("Warning: Yosys has only limited support for tri-state logic\n")


@pytest.mark.parametrize(("cell", "used", "told"), [
    ("ICESTORM_DSP", 3, "synthesis lost multipliers: 4 lanes, 3 in the netlist"),
    ("fmax", 23.9, r"timing is not met with seed 1: 23.9 MHz, the board runs at 24; try --seed 2"),
])
def test_a_build_that_misses_its_promise_fails(tools, tmp_path, cell, used, told):
    report = json.loads(json.dumps(REPORT))
    if cell == "fmax":
        report["fmax"]["clk"]["achieved"] = used
    else:
        report["utilization"][cell]["used"] = used
    tools("nextpnr-ice40", f"echo '{json.dumps(report)}' > report.json; touch top.asc")
    with pytest.raises(ApicalError, match=told):
        make(tmp_path / "out")


def test_the_packer_of_the_ecp5_takes_its_arguments_and_keeps_the_hash(tmp_path):
    (tmp_path / "top.config").write_text(".device LFE5U-25F\n")
    config = preset("ulx3s-25f")
    packer, packed, made = building.PACKERS["ecp5"]
    synthesis.run_tool(synthesis.find_tool(packer), building._pack_arguments(
        "ecp5", config, packed, made), tmp_path, "pack.out")
    assert bytes.fromhex(config.hash) in (tmp_path / made).read_bytes()


def test_seeds_are_tried_until_the_clock_is_reached(tools, tmp_path):
    slow = json.loads(json.dumps(REPORT))
    slow["fmax"]["clk"]["achieved"] = 23.5
    tools("nextpnr-ice40", f"""case "$*" in *'--seed 2'*) echo '{json.dumps(REPORT)}';;
        *) echo '{json.dumps(slow)}';; esac > report.json; touch top.asc""")
    made = make(tmp_path / "out", tries=3)
    assert made["seed"] == 2 and made["fmax_by_seed"] == {"1": 23.5, "2": 31.4}
    with pytest.raises(ApicalError, match="not met with seeds 3, 4: 23.5 MHz, 23.5 MHz, "):
        make(tmp_path / "late", seed=3, tries=2)


#: What nextpnr tells after a round of its router; below, one that ends and one that does not.
ROUND = "Info:     iter={} wires=600 overused={} overuse={} archfail=NA"
ENDING = [900, 300, 90, 9, 9, 8, *[9] * 12, 7, 1, *[1] * 9, 2, 0]
ENDLESS = [900, 300, 186, *range(187, 187 + routing.PATIENCE)]


def rounds(overused):
    return "\n".join(ROUND.format(number, count, count)
                     for number, count in enumerate(overused, 1))


def test_a_router_that_will_not_end_is_told_from_one_that_will(tmp_path):
    log = tmp_path / "nextpnr.log"
    assert routing.stalled(log) is None
    for text in ("Info: Routing..", rounds(ENDLESS[:-1]),
                 *(rounds(ENDING[:count]) for count in range(1, len(ENDING) + 1))):
        log.write_text(text)
        assert routing.stalled(log) is None
    log.write_text(rounds(ENDLESS))
    assert routing.stalled(log) == (f"routing does not end, {ENDLESS[-1]} wires are wanted by "
                                    "several nets, 186 were 20 rounds before")


def test_a_seed_whose_routing_does_not_end_gives_way_to_the_next(tools, tmp_path):
    tools("nextpnr-ice40", f"""case "$*" in *'--seed 2'*) sleep 3; echo '{json.dumps(REPORT)}' \
        > report.json; touch top.asc;; *) echo '{rounds(ENDLESS)}' > nextpnr.log; exec sleep 600;;
        esac""")
    told = []
    made = make(tmp_path / "out", tries=2, say=told.append)
    assert made["seed"] == 2 and made["fmax_by_seed"] == {"1": None, "2": 31.4}
    assert any(line.startswith("seed 1: nextpnr-ice40 was stopped: routing does not end, 206 ")
               for line in told)
    with pytest.raises(ApicalError, match="not met with seed 1: not routed, the board runs at 24"):
        make(tmp_path / "never")


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
        if list(out.glob(".icebreaker-*/started")):
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


def test_flash_prints_the_exact_command(tools, tmp_path, capsys):
    made = make(tmp_path)
    for option, words in (("--sram", "iceprog -S"), ("--flash", "iceprog")):
        assert main(["flash", "--board", "icebreaker", option, "--dry-run", "--manifest",
                     str(tmp_path / "icebreaker.json")]) == 0
        assert capsys.readouterr().out == f"{words} {made['bitstream']}\n"


def test_the_command_of_the_ulx3s():
    chosen = board("ulx3s-25f")
    assert flashing.command(chosen, "x.bit", "sram") == [
        "openFPGALoader", "-b", "ulx3s", "-m", "x.bit"]
    assert flashing.command(chosen, "x.bit", "flash") == [
        "openFPGALoader", "-b", "ulx3s", "-f", "x.bit"]


def refuse(path, name="icebreaker"):
    with pytest.raises(MisuseError) as told:
        flashing.check_bitstream(board(name), path / "icebreaker.json")
    return str(told.value)


def test_a_wrong_bitstream_is_refused(tools, tmp_path, monkeypatch):
    assert "build the bitstream with: apical build" in refuse(tmp_path)
    make(tmp_path)
    assert "is for board 'icebreaker', not for 'ulx3s-25f'" in refuse(tmp_path, "ulx3s-25f")
    older = preset("icebreaker-learning").replace(program_depth=64)
    with monkeypatch.context() as patch:
        patch.setattr(flashing, "preset", lambda name: older)
        assert f"is stale: it holds engine {preset('icebreaker-learning').hash}" in refuse(tmp_path)
    (tmp_path / "icebreaker.bin").write_text("other bits\n")
    assert "is not the bitstream its manifest describes (sha256 differs)" in refuse(tmp_path)
    (tmp_path / "icebreaker.bin").unlink()
    assert "no bitstream" in refuse(tmp_path)
    (tmp_path / "icebreaker.json").write_text("[]")
    assert "is not the manifest of a bitstream" in refuse(tmp_path)


def test_a_missing_programmer_or_board_is_one_line(tools, tmp_path, capsys):
    make(tmp_path)
    command = ["flash", "--board", "icebreaker", "--manifest", str(tmp_path / "icebreaker.json")]
    if not (tools.folder / "iceprog").exists():
        (tools.folder / "iceprog").write_text("")  # not executable: not found
    assert main(command) == 1
    assert "apical: iceprog is not installed; install the package" in capsys.readouterr().err
    tools("iceprog", "echo \"Can't find iCE FTDI USB device\" >&2; exit 1")
    assert main(command) == 1
    told = capsys.readouterr().err
    assert told.count("\n") == 1
    assert "iceprog failed: Can't find iCE FTDI USB device; is the board there?" in told


def test_what_was_loaded_is_read_back(tools, tmp_path, monkeypatch, capsys):
    made = make(tmp_path)
    tools("iceprog", "exit 0")
    command = ["flash", "--board", "icebreaker", "--manifest", str(tmp_path / "icebreaker.json"),
               "--port", "/dev/ttyUSB1"]
    held = preset("icebreaker-learning")

    def serial(path, baud):
        assert (path, baud) == ("/dev/ttyUSB1", made["baud"])
        return Link.over_port(GoldenPort(held), held, path)

    monkeypatch.setattr(flashing.Link, "serial", serial)
    monkeypatch.setattr(flashing.time, "sleep", lambda seconds: None)
    assert main(command) == 0
    assert f"is {held.hash}, as the manifest says" in capsys.readouterr().out
    held = preset("ulx3s-25f")
    assert main(command) == 1
    told = capsys.readouterr().err
    assert "apical: loaded, but not what was meant: the engine at /dev/ttyUSB1 has" in told
    monkeypatch.undo()
    monkeypatch.setattr(flashing.time, "sleep", lambda seconds: None)
    with pytest.raises(ApicalError, match="^loaded, but the board cannot be asked: there is no po"):
        flashing.read_back(board("icebreaker"), made, "/dev/nothing")


def test_the_list_of_boards_is_computed(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("apical.boards.build.fit.greatest_hidden", lambda i, o, c: c.weight.width)
    assert main(["boards", "--json", str(tmp_path / "boards.json")]) == 0
    listed = json.loads((tmp_path / "boards.json").read_text())
    assert [entry["board"] for entry in listed] == list(BOARDS)
    assert listed[0]["greatest_hidden"]["784-H-10"] == {"16": 16, "8": 8}
    assert "icebreaker" in capsys.readouterr().out
