"""The virtual board: a board's whole top level in Verilator, reached by a pseudo-terminal.

The simulated design is the one that is synthesized, pins included; only PLL and pin cells are
replaced by simple models (``sim/models``).  Any program that talks to a serial port can talk to it.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import re
import subprocess
import tempfile
import tty
from dataclasses import dataclass
from pathlib import Path

from ...golden.errors import ApicalError
from ...golden.storage import cache as kept
from ...hw.export.synthesis import find_tool, run_tool
from ..bench.harness import Bench
from .netlist import with_models
from .runner import build
from .simulator import kept_verilog

_PORT = re.compile(r"^  (input|output|inout) (?:wire )?(\\?\S+?)\s*;", re.MULTILINE)


@dataclass(frozen=True)
class Pins:
    """Names of the top level's ports that the bench uses.

    Attributes
    ----------
    clock, receive, transmit : str
    """

    clock: str
    receive: str
    transmit: str


def rtlil_verilog(rtlil: str, cache=None) -> str:
    """Verilog of a design in RTLIL, not synthesized."""
    digest = hashlib.sha256((rtlil + find_tool("yosys").version).encode()).hexdigest()[:16]

    def make():
        with tempfile.TemporaryDirectory(prefix="top-", dir=kept.folder("runs", cache)) as folder:
            folder = Path(folder)
            (folder / "top.il").write_text(rtlil)
            (folder / "top.ys").write_text("read_rtlil top.il\nproc -nomux -norom\n"
                                           "memory_collect\nwrite_verilog -norename top.v\n")
            run_tool(find_tool("yosys"), ["-q", "top.ys"], folder, "yosys.out")
            return (folder / "top.v").read_text()

    return kept_verilog(f"top-{digest}.v", make, cache)


def board_bench(rtlil: str, family: str, pins: Pins, cache=None) -> Bench:
    """The bench of a top level: its clock and its serial pins, all others left open."""
    text = rtlil_verilog(rtlil, cache)
    module = re.search(r"^module top\b.*?^endmodule", text, re.MULTILINE | re.DOTALL).group(0)
    found = {name: kind for kind, name in _PORT.findall(module)}
    # A bidirectional pin takes no input of the bench itself.
    used = {pins.clock: "clk_pin", pins.receive: "rx_pin", pins.transmit: "tx"}
    for name in used:
        if name not in found:
            raise ApicalError(f"the top level has no pin {name}; it has {', '.join(found)}")
    wires = ", ".join(f".{name}({used.get(name, '')})" for name in found
                      if name in used or found[name] != "input")
    top = ("\nmodule board (input clk, input rx, output tx);\n    wire clk_pin, rx_pin;\n"
           "    assign clk_pin = clk;\n    assign rx_pin = rx;\n"
           f"    top top ({wires});\nendmodule\n")
    return Bench("`timescale 1ns/1ns\n" + with_models(text, family) + top, top="board", public=())


class VirtualBoard:
    """A running board.

    Parameters
    ----------
    bench : Bench
        Made by :func:`board_bench`.
    divisor : int
        Clock cycles of a bit.
    cache : path, optional
        Another cache than that of the user.
    say : callable
        Takes a line that says whether the simulator is built or was kept.

    Attributes
    ----------
    path : str
        Name of its terminal.
    """

    def __init__(self, bench: Bench, divisor: int, cache=None, say=lambda text: None):
        made = build(bench, "board", cache=cache, say=say)
        self._master, self._slave = os.openpty()
        # Held open, or the terminal would be hung up whenever a host closes it.
        tty.setraw(self._slave)
        self.path = os.ttyname(self._slave)
        for handle in (self._master, self._slave):
            fcntl.fcntl(handle, fcntl.F_SETFD, fcntl.FD_CLOEXEC)
        # In a group of its own: Ctrl-C is for this process, which then ends it by `close`.
        self._child = subprocess.Popen(
            [made.folder / "sim", str(self._master), str(divisor)], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, pass_fds=(self._master,), text=True, process_group=0)

    def alive(self) -> bool:
        """Whether the simulator runs."""
        return self._child.poll() is None

    def wait(self):
        """Wait until the simulator ends."""
        self._child.wait()

    def close(self) -> dict:
        """Unplug it; returns the counts of its simulator."""
        with contextlib.suppress(OSError):
            self._child.stdin.close()
        counted = self._child.stdout.read()
        self._child.stdout.close()
        self._child.wait()
        for handle in (self._master, self._slave):
            with contextlib.suppress(OSError):
                os.close(handle)
        try:
            return json.loads(counted.splitlines()[-1])
        except (ValueError, IndexError):
            raise ApicalError("the simulator of the board ended by itself") from None
