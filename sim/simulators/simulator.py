"""A simulator of an engine, built once a configuration and kept."""

from __future__ import annotations

import hashlib
import tempfile
from importlib.resources import files
from pathlib import Path

from ...golden.errors import MisuseError
from ...golden.storage.atomic import write_atomically
from ...hw.engine.engine import HOST_MEMBERS, Engine
from ...hw.engine.write_trace import trace_ports
from ...hw.export.synthesis import find_tool, netlist
from ...hw.export.verilog import engine_verilog
from ...hw.interface.config import EngineConfig
from ..bench.harness import harness
from ..bench.streams import Stream, state_stream, weight_stream
from .netlist import with_models
from .runner import Build, build

CACHE = Path("build/sim")


def trace_streams(config: EngineConfig) -> list[Stream]:
    """Layouts of the trace records of an engine: states and, if it learns, weights."""
    streams = [state_stream(config.update_lanes)]
    return [*streams, weight_stream(config.lanes)] if config.learning else streams


def source_digest() -> str:
    """Digest of everything the Verilog of an engine is made from, beside its configuration."""
    digest = hashlib.sha256()
    for package in ("apical.hw", "apical.golden"):
        for path in sorted(Path(str(files(package))).rglob("*.py")):
            digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()[:16]


def engine_ports(config: EngineConfig, trace=True) -> dict:
    """Ports of an engine as the bench wants them: name -> (direction, width)."""
    ports = {"clk": ("in", 1), "rst": ("in", 1)}
    for name, member in HOST_MEMBERS.items():
        ports[name] = ("in" if member.flow.name == "In" else "out", int(member.shape))
    if trace:
        ports |= {name: ("out", width) for name, width in trace_ports(config).items()}
    return ports


def kept_verilog(path: Path, make) -> str:
    """A text that is made once and kept."""
    if path.is_file():
        return path.read_text()
    path.parent.mkdir(parents=True, exist_ok=True)
    text = make()
    write_atomically(path, text.encode())
    return text


def traced_verilog(config: EngineConfig, cache=CACHE) -> str:
    """Verilog of an engine with its trace port; kept, since writing it takes seconds."""
    path = Path(cache) / "verilog" / f"{config.hash}-{source_digest()}.v"
    return kept_verilog(path, lambda: with_models(
        engine_verilog(config, "dut", trace=True), config.primitives))


def netlist_verilog(config: EngineConfig, trace=True, cache=CACHE) -> str:
    """An engine after synthesis for its family of primitives, with models of all cells.

    Parameters
    ----------
    trace : bool
        Keep the trace port; without it this is the netlist that is shipped.
    """
    if config.primitives == "portable":
        raise MisuseError("an engine of portable primitives belongs to no device family; "
                          "name a board or a preset")
    yosys = hashlib.sha256(find_tool("yosys").version.encode()).hexdigest()[:8]
    name = f"{config.hash}-{source_digest()}-{yosys}{'-trace' if trace else ''}.netlist.v"

    def make():
        with tempfile.TemporaryDirectory(prefix="netlist-", dir=_folder(cache)) as folder:
            text = netlist(Engine(config, trace=trace), config.primitives, Path(folder))
        return with_models(text, config.primitives)

    return kept_verilog(Path(cache) / "verilog" / name, make)


def _folder(path):
    Path(path).mkdir(parents=True, exist_ok=True)
    return Path(path).resolve()


def build_engine(config: EngineConfig, simulator="verilator", waves=False, cache=CACHE,
                 synthesized=False, trace=True) -> Build:
    """The simulator of an engine in its bench.

    Parameters
    ----------
    simulator : str
        As for :func:`apical.sim.simulators.runner.build`; ``"bare"`` for the loop without VPI.
    synthesized : bool
        Simulate the netlist of cells instead of the description.
    trace : bool
        With the trace port; only a netlist goes without.
    """
    text = netlist_verilog(config, trace, cache) if synthesized else traced_verilog(config, cache)
    bench = harness(text, engine_ports(config, trace), trace_streams(config) if trace else [])
    return build(bench, simulator, waves=waves, cache=cache)
