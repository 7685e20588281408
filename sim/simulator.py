"""A simulator of an engine, built once a configuration and kept."""

from __future__ import annotations

import hashlib
from importlib.resources import files
from pathlib import Path

from ..golden.files import write_atomically
from ..hw.config import EngineConfig
from ..hw.engine import Engine, trace_ports
from ..hw.verilog import engine_verilog
from .harness import component_ports, harness
from .runner import Build, build
from .streams import Field, Stream

CACHE = Path("build/sim")


def trace_stream(config: EngineConfig) -> Stream:
    """Layout of the trace records of an engine."""
    fields = []
    for port, width in trace_ports(config).items():
        name = port.removeprefix("trace_")
        if name == "valid":
            continue
        lanes = config.update_lanes if name == "values" else None
        fields.append(Field(name, port, width // (lanes or 1), lanes, signed=lanes is not None))
    return Stream("state", "trace_valid", tuple(fields))


def source_digest() -> str:
    """Digest of everything the Verilog of an engine is made from, beside its configuration."""
    digest = hashlib.sha256()
    for package in ("apical.hw", "apical.golden"):
        for path in sorted(Path(str(files(package))).rglob("*.py")):
            digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()[:16]


def traced_verilog(config: EngineConfig, cache=CACHE) -> str:
    """Verilog of an engine with its trace port; kept, since writing it takes seconds."""
    path = Path(cache) / "verilog" / f"{config.hash}-{source_digest()}.v"
    if not path.is_file():
        text = engine_verilog(config, "dut", trace=True)
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, text.encode())
        return text
    return path.read_text()


def build_engine(config: EngineConfig, simulator="verilator", waves=False, cache=CACHE) -> Build:
    """The simulator of an engine in its bench.

    Parameters
    ----------
    simulator : str
        As for :func:`apical.sim.runner.build`; ``"bare"`` for the loop without VPI.
    """
    engine = Engine(config, trace=True)
    engine._MustUse__used = True  # only its ports are read here
    bench = harness(traced_verilog(config, cache), component_ports(engine),
                    [trace_stream(config)])
    return build(bench, simulator, waves=waves, cache=cache)
