"""Builds simulators of a bench, keeps them, and runs cocotb tests on them.

cocotb's own runner makes every net of a Verilator model public, which costs most of its speed;
here only the ports of the top level are. A build is kept under a name made from everything that
went into it, and appears there in one step when it is finished, so that several processes may share
the folder and an interrupted build leaves nothing behind that could be taken for a build.
"""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from ...golden.errors import ApicalError, MisuseError
from ...golden.storage import cache as kept
from ..bench.commands import save_commands
from ..bench.harness import Bench
from ..bench.player import STREAMS_VARIABLE
from ..bench.streams import dump_streams
from .builders import MARK, Icarus, Verilated, digest
from .tools import find, find_verilator

SIMULATORS = ("verilator", "icarus")
#: Programs of their own around a model, where no Python runs.
WITHOUT_VPI = ("bare", "played", "board")


class SimulationError(ApicalError):
    """A simulation that failed: a test of the bench, or the simulator itself."""


@dataclass(frozen=True)
class Result:
    """A finished run.

    Parameters
    ----------
    tests : int
        Tests that ran, all of them passed.
    seconds : float
        Time of the whole process.
    folder : Path
        Where it ran: the log, the results and what the bench wrote.
    log : Path
        Output of the simulator.
    waves : Path or None
        The wave file, if one was asked for.
    """

    tests: int
    seconds: float
    folder: Path
    log: Path
    waves: Path | None


@dataclass(frozen=True)
class Build:
    """A simulator that is ready to run.

    Parameters
    ----------
    folder : Path
        Where it is kept.
    simulator : str
        "verilator", "icarus" or "bare" (Verilator without VPI, see `play`).
    bench : Bench
        What it was built from.
    waves : bool
        Whether it can write waves.
    cached : bool
        Whether it was there already.
    seconds : float
        How long `build` took.
    """

    folder: Path
    simulator: str
    bench: Bench
    waves: bool
    cached: bool
    seconds: float

    def run(self, test_module, environment=None, folder=None, *, waves=False, test_filter=None,
            seed=None, visit_edges=False, timeout=None, verbose=False):
        """Run cocotb tests.

        Parameters
        ----------
        test_module : str or sequence of str
            Modules with the tests.
        environment : dict, optional
            Variables added to the environment, the way to hand parameters to a bench.
        folder : path, optional
            Where the simulator runs and leaves its files; a new temporary folder by default.
        waves : bool
            Write a wave file; the build must have been made for it.
        test_filter : str, optional
            Regular expression: only tests whose name matches it.
        seed : int, optional
            cocotb's random seed.
        visit_edges : bool
            Verilator only: let cocotb see every clock edge, for benches that wait for signals other
            than ``wake``. Many times slower.
        timeout : float, optional
            Kill the simulator after so many seconds.
        verbose : bool
            Show the output as it comes, besides keeping it in the log.

        Returns
        -------
        Result

        Raises
        ------
        SimulationError
            One line with the first failure and the path of the log.
        """
        if self.simulator in WITHOUT_VPI:
            raise MisuseError(f"a {self.simulator} build runs no tests")
        if waves and not self.waves:
            raise MisuseError("this simulator was built without waves; build it with waves=True")
        folder = _work_folder(folder)
        results = folder / "results.xml"
        wave_file = None
        if self.simulator == "verilator":
            command = [self.folder / "sim"]
            if waves:
                wave_file = folder / "waves.vcd"
                command += ["--trace-file", wave_file.name]
            if visit_edges:
                command.append("--visit-edges")
        else:
            from cocotb_tools import config

            command = [find("vvp"), "-m", config.lib_entry("vpi", "icarus"),
                       self.folder / "sim.vvp"]
            if waves:
                wave_file = folder / "waves.fst"
            command.append("-fst" if waves else "-none")
        names = test_module if isinstance(test_module, str) else ",".join(test_module)
        variables = _cocotb_environment()
        variables |= {
            "COCOTB_TEST_MODULES": names,
            "COCOTB_TOPLEVEL": self.bench.top,
            "TOPLEVEL_LANG": "verilog",
            "COCOTB_RESULTS_FILE": str(results),
            STREAMS_VARIABLE: dump_streams(self.bench.streams),
            **{name: str(value) for name, value in (environment or {}).items()},
        }
        if self.simulator == "verilator":
            variables["COCOTB_TRUST_INERTIAL_WRITES"] = "1"
        if test_filter is not None:
            variables["COCOTB_TEST_FILTER"] = test_filter
        if seed is not None:
            variables["COCOTB_RANDOM_SEED"] = str(seed)
        log = folder / "sim.log"
        start = time.perf_counter()
        code = _run_process(command, folder, variables, log, timeout, verbose)
        seconds = time.perf_counter() - start
        tests, failures = _results(results)
        about = f"log: {log}" + (f", waves: {wave_file}" if wave_file else "")
        if failures:
            raise SimulationError(f"{self.simulator}: {len(failures)} of {tests} tests failed, "
                                  f"first {failures[0]} ({about})")
        if code:
            raise SimulationError(f"{self.simulator}: the simulator ended with "
                                  f"{_describe_code(code)} ({about})")
        if not tests:
            raise SimulationError(f"{self.simulator}: no test ran in {names} ({about})")
        return Result(tests, seconds, folder, log, wave_file)

    def play(self, words, folder=None, *, record=False, limit=0):
        """Play commands on a bare build.

        Parameters
        ----------
        words : array of uint64
            Commands, see `apical.sim.bench.commands`.
        folder : path, optional
            Where to run; ``answers.bin`` and the trace files are left there.
        record : bool
            Whether trace records are written.
        limit : int
            Cycles after which a command is given up; 0 never.

        Returns
        -------
        dict
            ``cycles``, ``seconds`` (of the clock loop alone), ``status`` and ``position``.
        """
        if self.simulator != "bare":
            raise MisuseError("play() needs a build made with simulator='bare'")
        folder = _work_folder(folder)
        save_commands(folder / "play.bin", words)
        log = folder / "bare.log"
        code = _run_process([self.folder / "sim", str(limit), str(int(record))], folder,
                            dict(os.environ), log, None, False)
        if code:
            raise SimulationError(f"bare: the model ended with {_describe_code(code)} (log: {log})")
        return json.loads(log.read_text().splitlines()[-1])


def check_tools(simulator="verilator"):
    """Raise unless the tools of a simulator are installed: before long work, not behind it."""
    if simulator not in SIMULATORS:
        raise MisuseError(f"unknown simulator {simulator!r}; there are {', '.join(SIMULATORS)}")
    if simulator == "verilator":
        find_verilator()
    for program in {"verilator": ("g++", "ar"), "icarus": ("iverilog", "vvp")}[simulator]:
        find(program)


def build(bench, simulator="verilator", *, waves=False, cache=None, key="",
          say=lambda text: None):
    """Build a simulator, or take the one that is kept.

    Parameters
    ----------
    bench : Bench
        What to simulate.
    simulator : {"verilator", "icarus", "bare", "played", "board"}
        The last three are Verilator without VPI: see `Build.play`, `apical.sim.simulators.ports`
        and `apical.sim.simulators.virtual`.
    waves : bool
        Whether it shall be able to write waves; such a build is slower and kept apart.
    cache : path, optional
        Another cache than that of the user.
    key : str
        Anything else that makes a difference.
    say : callable
        Takes a line that says which of the two it is.

    Returns
    -------
    Build
    """
    makers = {"verilator": Verilated, "bare": Verilated, "played": Verilated,
              "board": Verilated, "icarus": Icarus}
    if simulator not in makers:
        raise MisuseError(f"unknown simulator {simulator!r}; there are {', '.join(SIMULATORS)}")
    if simulator in WITHOUT_VPI and waves:
        raise MisuseError(f"a {simulator} build has no waves")
    start = time.perf_counter()
    cache = kept.folder("simulators", cache)
    maker = makers[simulator](bench, simulator, waves, cache)
    folder = cache / digest(bench.verilog, bench.top, bench.public, simulator, waves, key,
                            *maker.ingredients())
    facts = {"simulator": simulator, "top": bench.top, "waves": waves,
             "tool": maker.tool_version()}

    def fill(temporary):
        (temporary / "bench.v").write_text(bench.verilog)
        maker.make(temporary)
        (temporary / MARK).write_text(json.dumps(facts, indent=1) + "\n")

    cached = kept.make_once(folder, fill, MARK, lambda: say(
        "building the simulator (kept for the next run)"))
    if cached:
        say("using the kept simulator")
    return Build(folder, simulator, bench, waves, cached, time.perf_counter() - start)


def lint(verilog, top=None):
    """Check Verilog text with Verilator and return its warnings, one per line.

    Raises
    ------
    ApicalError
        When the text has errors; the first of them.
    """
    verilator = find_verilator()
    with tempfile.TemporaryDirectory(prefix="apical-lint-") as folder:
        path = Path(folder) / "design.v"
        path.write_text(verilog)
        command = [verilator.binary, "--lint-only", "-Wno-fatal", "--no-timing", path.name]
        if top is not None:
            command += ["--top-module", top]
        answer = subprocess.run(command, cwd=folder, env=verilator.environment(), text=True,
                                capture_output=True, check=False)
    lines = [line for line in answer.stderr.splitlines() if line.startswith("%")]
    if answer.returncode:
        told = [line for line in lines if line.startswith("%Error")] or lines or [answer.stderr]
        raise ApicalError(f"Verilator refuses the design: {told[0]}")
    return [line for line in lines if line.startswith("%Warning-")]


def _work_folder(folder):
    if folder is None:
        return Path(tempfile.mkdtemp(prefix="apical-sim-"))
    folder = Path(folder).resolve()
    folder.mkdir(parents=True, exist_ok=True)
    # Leftovers of an earlier run must not be taken for this one's.
    for pattern in ("results.xml", "play.bin", "answers.bin", "trace_*.bin", "waves.*"):
        for path in folder.glob(pattern):
            path.unlink()
    return folder


def _cocotb_environment():
    import find_libpython
    from cocotb_tools import config

    library = os.environ.get("LIBPYTHON_LOC") or find_libpython.find_libpython()
    if library is None:
        raise ApicalError("this Python has no shared library, which cocotb needs; install the "
                          "Debian package 'libpython3-dev' or use a Python built with it")
    variables = dict(os.environ)
    variables |= {
        "GPI_USERS": f"{library};{config.pygpi_entry_point()}",
        "PYGPI_PYTHON_BIN": sys.executable,
        "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
        "PATH": os.environ.get("PATH", "") + os.pathsep + str(config.libs_dir),
    }
    return variables


def _run_process(command, folder, variables, log, timeout, verbose):
    """Run a simulator to its end; whatever ends this call ends the simulator as well."""
    deadline = None if timeout is None else time.monotonic() + timeout
    with open(log, "wb") as file, open(log, "rb") as shown:
        child = subprocess.Popen([str(part) for part in command], cwd=folder, env=variables,
                                 stdin=subprocess.DEVNULL, stdout=file, stderr=subprocess.STDOUT)
        try:
            while True:
                try:
                    code = child.wait(0.2 if verbose or deadline else None)
                except subprocess.TimeoutExpired:
                    code = None
                if verbose:
                    sys.stderr.write(shown.read().decode(errors="replace"))
                    sys.stderr.flush()
                if code is not None:
                    return code
                if deadline is not None and time.monotonic() > deadline:
                    raise SimulationError(f"the simulator was stopped after {timeout:g} seconds "
                                          f"(log: {log})")
        finally:
            if child.poll() is None:
                child.kill()
                child.wait()


def _describe_code(code):
    if code < 0:
        return f"signal {signal.Signals(-code).name}"
    return f"exit code {code}"


def _results(path):
    """Return the number of tests and the failures, each as one line, of a results file."""
    from xml.etree import ElementTree

    if not path.is_file():
        return 0, []
    tests, failures = 0, []
    for case in ElementTree.parse(path).iter("testcase"):
        if case.find("skipped") is not None:
            continue
        tests += 1
        for kind in ("failure", "error"):
            found = case.find(kind)
            if found is not None:
                text = found.get("message") or found.get("error_msg") or (found.text or "")
                first = next((line.strip() for line in text.splitlines() if line.strip()), "")
                failures.append(f"{case.get('name')}: {first}")
                break
    return tests, failures
