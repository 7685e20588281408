"""A simulator of an engine, built once a configuration and kept."""

from __future__ import annotations

import ast
import hashlib
import tempfile
from functools import lru_cache
from importlib import metadata
from importlib.util import find_spec, resolve_name
from pathlib import Path

from ...golden.errors import MisuseError
from ...golden.storage import cache as kept
from ...golden.storage.atomic import write_atomically
from ...hw.engine.engine import HOST_MEMBERS, Engine
from ...hw.engine.write_trace import trace_ports
from ...hw.export.synthesis import find_tool, netlist
from ...hw.export.verilog import engine_verilog
from ...hw.interface.config import EngineConfig
from ..bench.harness import harness
from ..bench.streams import engine_streams
from .netlist import with_models
from .runner import Build, build

#: Folders of which every module takes part in the Verilog of an engine or its netlist.
_VERILOG = ("apical.hw.engine", "apical.hw.primitives", "apical.hw.export")


@lru_cache
def source_digest() -> str:
    """Digest of everything the Verilog of an engine is made from, beside its configuration.

    The sources are the folders of the engine and all modules of ours that they import: an edit of
    anything else keeps the simulators.
    """
    digest = hashlib.sha256(metadata.version("amaranth").encode())
    # Families of primitives are imported by name, so folders are taken as they are.
    modules = [f"{package}.{path.stem}" for package in _VERILOG
               for path in Path(find_spec(package).origin).parent.glob("*.py")
               if path.name != "__init__.py"]
    for name, path in sorted(source_files(*_VERILOG, *modules).items()):
        digest.update(name.encode() + path.read_bytes())
    return digest.hexdigest()[:16]


def source_files(*modules) -> dict:
    """Sources of modules and of what they import of ours, read from the text of each.

    Parameters
    ----------
    *modules : str
        Absolute names.

    Returns
    -------
    dict of str to Path
    """
    found, todo = {}, list(modules)
    while todo:
        name = todo.pop()
        spec = None if name in found else find_spec(name)
        if spec is None or spec.origin is None:
            continue
        found[name] = Path(spec.origin)
        package = name if spec.submodule_search_locations else name.rpartition(".")[0]
        for node in ast.walk(ast.parse(found[name].read_text())):
            if isinstance(node, ast.ImportFrom) and node.level:
                base = resolve_name("." * node.level + (node.module or ""), package)
                inner = [f"{base}.{alias.name}" for alias in node.names]
                modules = [other for other in inner if _is_module(other)]
                # A package's own file matters when a name is taken from it.
                todo += modules if len(modules) == len(inner) else [base, *modules]
    return found


def _is_module(name):
    try:
        return find_spec(name) is not None
    except ModuleNotFoundError:  # an attribute of a module that is no package
        return False


def engine_ports(config: EngineConfig, trace=True) -> dict:
    """Ports of an engine as the bench wants them: name -> (direction, width)."""
    ports = {"clk": ("in", 1), "rst": ("in", 1)}
    for name, member in HOST_MEMBERS.items():
        ports[name] = ("in" if member.flow.name == "In" else "out", int(member.shape))
    if trace:
        ports |= {name: ("out", width) for name, width in trace_ports(config).items()}
    return ports


def kept_verilog(name: str, make, cache=None) -> str:
    """A text that is made once and kept.

    Parameters
    ----------
    name : str
        Of the file, made from everything that decides the text.
    make : callable
        Returns the text.
    cache : path, optional
        Another cache than that of the user.
    """
    path = kept.folder("verilog", cache) / name
    if not path.is_file():
        with kept.exclusive(path):
            if not path.is_file():
                write_atomically(path, make().encode())
    kept.used(path)
    return path.read_text()


def traced_verilog(config: EngineConfig, cache=None) -> str:
    """Verilog of an engine with its trace port; kept, since writing it takes seconds."""
    return kept_verilog(f"{config.hash}-{source_digest()}.v", lambda: with_models(
        engine_verilog(config, "dut", trace=True), config.primitives), cache)


def netlist_verilog(config: EngineConfig, trace=True, cache=None, say=lambda text: None) -> str:
    """An engine after synthesis for its family of primitives, with models of all cells.

    Parameters
    ----------
    trace : bool
        Keep the trace port; without it this is the netlist that is shipped.
    cache : path, optional
        Another cache than that of the user.
    say : callable
        Takes a line when the engine is synthesized.
    """
    if config.primitives == "portable":
        raise MisuseError("an engine of portable primitives belongs to no device family; "
                          "name a board or a preset")
    yosys = hashlib.sha256(find_tool("yosys").version.encode()).hexdigest()[:8]
    name = f"{config.hash}-{source_digest()}-{yosys}{'-trace' if trace else ''}.netlist.v"

    def make():
        say("synthesizing the engine (kept for the next run)")
        with tempfile.TemporaryDirectory(prefix="netlist-",
                                         dir=kept.folder("runs", cache)) as folder:
            text = netlist(Engine(config, trace=trace), config.primitives, Path(folder))
        return with_models(text, config.primitives)

    return kept_verilog(name, make, cache)


def build_engine(config: EngineConfig, simulator="verilator", waves=False, cache=None,
                 synthesized=False, trace=True, say=lambda text: None) -> Build:
    """The simulator of an engine in its bench.

    Parameters
    ----------
    simulator : str
        As for :func:`apical.sim.simulators.runner.build`; ``"bare"`` for the loop without VPI.
    synthesized : bool
        Simulate the netlist of cells instead of the description.
    trace : bool
        With the trace port; only a netlist goes without.
    say : callable
        Takes a line about what is made, or that it was kept.
    """
    text = (netlist_verilog(config, trace, cache, say) if synthesized
            else traced_verilog(config, cache))
    bench = harness(text, engine_ports(config, trace), engine_streams(config) if trace else [])
    return build(bench, simulator, waves=waves, cache=cache, say=say)
