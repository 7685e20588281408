"""How a simulator is made from Verilog: by Verilator and a C++ compiler, or by Icarus Verilog."""

import hashlib
import platform
import re
import shutil
from concurrent.futures import ThreadPoolExecutor
from importlib.resources import files

from ...golden.storage import cache as kept
from ..bench.harness import PERIOD
from .tools import call, find, find_verilator, version_of

MARK = "build.json"
"""File that a finished build has."""

_DEFINES = ("-DVL_TIME_CONTEXT", "-DVERILATOR=1", "-DVM_SC=0", "-DVM_COVERAGE=0", "-DVM_TIMING=0",
            "-DVM_TRACE_FST=0", "-DVM_TRACE_SAIF=0", f"-DAPICAL_PERIOD={PERIOD}")
_CXX = ("-std=gnu++17", "-w", "-fno-stack-protector", *_DEFINES)
_VERILATE = ("--cc", "--prefix", "Vtop", "-O3", "--x-assign", "fast", "--x-initial", "fast",
             "--no-assert", "--no-timing", "--timescale", "1ns/1ns", "--output-split", "5000",
             "--output-split-cfuncs", "1000", "-Wno-fatal", "-Wno-lint", "-Wno-style", "-Wno-WIDTH")
_JOBS = 2
_BUNDLE = 120_000


def digest(*parts):
    """Return a short name made from everything given."""
    sha = hashlib.sha256()
    for part in parts:
        sha.update(repr(part).encode())
        sha.update(b"\0")
    return sha.hexdigest()[:20]


class Verilated:
    """Makes a program from Verilog through C++, with neither make nor perl."""

    def __init__(self, bench, simulator, waves, cache):
        self.bench, self.waves, self.cache = bench, waves, cache  # folder of simulators
        self.vpi = simulator == "verilator"
        self.verilator = find_verilator()
        self.cxx = find("g++")
        find("ar")
        name = "main" if self.vpi else simulator
        self.main = files(__package__).joinpath(f"{name}.cpp").read_text()
        self.flags = [*_CXX, f"-DVM_TRACE={int(waves)}", f"-DVM_TRACE_VCD={int(waves)}"]
        self.runtime_flags = [*_CXX, "-DVM_TRACE=1", "-DVM_TRACE_VCD=1"]
        self.verilate = [*_VERILATE, "--top-module", bench.top]
        self.link = ["-pthread"]
        if self.vpi:
            from cocotb_tools import config

            self.verilate.append("--vpi")
            self.link += [f"-L{config.libs_dir}", f"-Wl,-rpath,{config.libs_dir}",
                          "-lcocotbvpi_verilator"]
        if waves:
            self.verilate += ["--trace-vcd", "--trace-structs"]

    def tool_version(self):
        """Return the versions of the tools, one line."""
        return f"{self.verilator.version}; {version_of('g++')}"

    def ingredients(self):
        """Return everything besides the bench that the result depends on."""
        return (self.tool_version(), self.main, self.flags, self.runtime_flags, self.verilate,
                self.link, platform.machine())

    def make(self, folder):
        """Fill the folder of a build."""
        log = folder / "build.log"
        command = [self.verilator.binary, *self.verilate, "--Mdir", folder / "obj"]
        if self.vpi:
            control = folder / "public.vlt"
            control.write_text("`verilator_config\n" + "".join(
                f'public_flat_rw -module "{self.bench.top}" -var "{name}"\n'
                for name in self.bench.public))
            command.append(control)
        call([*command, folder / "bench.v"], log, "Verilator", env=self.verilator.environment())
        runtime = self._runtime()
        (folder / "obj" / "main.cpp").write_text(self.main)
        sources = sorted((folder / "obj").glob("*.cpp"))
        sources = _bundle(sources, folder / "obj")
        objects = self._compile(sources, self.flags, "-O2", folder / "obj", log)
        call([self.cxx, "-o", folder / "sim", *objects, runtime, *self.link], log, "The linker")
        shutil.rmtree(folder / "obj")

    def _compile(self, sources, flags, level, folder, log):
        include = [f"-I{folder}", f"-I{self.verilator.include}",
                   f"-I{self.verilator.include / 'vltstd'}"]

        def one(source):
            # Set-up code runs once: compiling it well only takes time.
            chosen = "-O0" if source.stem.endswith("__Slow") else level
            target = folder / f"{source.stem}.o"
            call([self.cxx, chosen, *flags, *include, "-c", source, "-o", target], log,
                 "The C++ compiler")
            return target

        with ThreadPoolExecutor(_JOBS) as pool:
            return list(pool.map(one, sources))

    def _runtime(self):
        """Return Verilator's runtime as a library: the same for all designs, so built once."""
        names = ("verilated", "verilated_threads", "verilated_vpi", "verilated_vcd_c")
        folder = self.cache / ("runtime-" + digest(self.tool_version(), self.runtime_flags, names))

        def fill(temporary):
            log = temporary / "build.log"
            sources = [self.verilator.include / f"{name}.cpp" for name in names]
            objects = self._compile(sources, self.runtime_flags, "-Os", temporary, log)
            call([find("ar"), "rcs", temporary / "libverilated.a", *objects], log, "ar")
            for path in objects:
                path.unlink()
            (temporary / MARK).write_text("{}\n")

        kept.make_once(folder, fill, MARK)
        return folder / "libverilated.a"


def _bundle(sources, folder):
    """Return fewer sources that include the given ones, the largest first.

    Verilator's headers take a compiler two seconds, whatever follows them; a small design is five
    or ten small files. Large designs keep several bundles, to use more than one core.
    """
    bundles = []
    for kind, slow in (("__Slow", True), ("", False)):
        group = [path for path in sources if path.stem.endswith("__Slow") == slow]
        size = len(group) and sum(path.stat().st_size for path in group)
        count = min(len(group), 1 + size // _BUNDLE)
        parts = [[0, []] for _ in range(count)]
        for path in sorted(group, key=lambda path: -path.stat().st_size):
            part = min(parts, key=lambda part: part[0])
            part[0] += path.stat().st_size
            part[1].append(path)
        for index, (size, paths) in enumerate(parts):
            target = folder / f"bundle_{index}{kind}.cpp"
            target.write_text("".join(f'#include "{path.name}"\n' for path in paths))
            bundles.append((size if not slow else size // 4, target))
    return [target for _size, target in sorted(bundles, reverse=True)]


#: What Yosys puts into a module so that its ``always @*`` blocks run once at time 0.
_TIME_ZERO = re.compile(r"^( *)reg (\\(?:initial|\$auto\$verilog_backend\.cc\S*) ) = 0;$",
                        re.MULTILINE)


class Icarus:
    """Makes the program that vvp runs.

    Icarus 11 takes the initial value of a register for no event, so blocks whose other inputs rest
    would never run and leave X behind; here that register changes once more.
    """

    _WAKE = r"\1reg \2 = 0; initial #1 \2 = 1;"

    def __init__(self, bench, simulator, waves, cache):
        self.bench, self.waves = bench, waves
        self.iverilog = find("iverilog")
        find("vvp")

    def tool_version(self):
        """Return the versions of the tools, one line."""
        return version_of("iverilog", "-V")

    def ingredients(self):
        """Return everything besides the bench that the result depends on."""
        return (self.tool_version(), self._WAKE)

    def make(self, folder):
        """Fill the folder of a build."""
        woken = folder / "woken.v"
        woken.write_text(_TIME_ZERO.sub(self._WAKE, self.bench.verilog))
        sources, tops = [woken], ["-s", self.bench.top]
        if self.waves:
            dump = folder / "waves.v"
            dump.write_text('`timescale 1ns/1ns\nmodule apical_waves;\ninitial begin '
                            f'$dumpfile("waves.fst"); $dumpvars(0, {self.bench.top}); end\n'
                            "endmodule\n")
            sources.append(dump)
            tops += ["-s", "apical_waves"]
        call([self.iverilog, "-g2012", "-DAPICAL_OWN_CLOCK", "-o", folder / "sim.vvp", *tops,
              *sources], folder / "build.log", "Icarus Verilog")
