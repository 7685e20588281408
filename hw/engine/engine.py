"""The engine: a root and its tiles, put together.

Data path::

    host port -> memories          program -> sequencer -> start of one operation at a time
    events / state words -> issue -> weights x rates -> lanes -> accumulators
    accumulators, states -> unit pipeline -> states, signature, trace

Control is in the root (:mod:`apical.hw.engine.root`), everything as wide as the lanes in the tiles
(:mod:`apical.hw.engine.tile`); they are connected by the interfaces of
:mod:`apical.hw.engine.ports`.
"""

from __future__ import annotations

from amaranth.hdl import Module, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import Out, connect, flipped

from ..interface.config import EngineConfig
from ..primitives.portable import delayed
from .fabric import Fabric
from .ports import HostSignature, flat_members, flat_view
from .root import Root
from .tile import Tile
from .write_trace import WriteTrace, trace_name, trace_ports

#: Ports of every engine beside clock and reset.
HOST_MEMBERS = {**flat_members("host", HostSignature().flip()), "busy": Out(1), "done": Out(1)}


class Engine(wiring.Component):
    """A relaxation engine.

    Parameters
    ----------
    config : EngineConfig
    trace : bool
        Add a trace port for each tile (simulation only): every state write with its operation
        count, vector number, first unit and values.
    held : bool
        Requests stand until they are taken, see :class:`~apical.hw.engine.host.HostPort`.
    portable : bool
        Build it of portable primitives whatever the configuration says: the same engine cycle for
        cycle, under the same hash, for simulators that have no models of the cells.

    Members
    -------
    host_* :
        Host port, see :mod:`apical.hw.engine.host`; as an interface it is :attr:`host`.
    busy : Out(1)
        An image is running.
    done : Out(1)
        Pulse at the end of each image.
    trace_*, trace1_* .. : Out
        Only with `trace`, see :class:`~apical.hw.engine.ports.TraceSignature`; by tile.
    """

    def __init__(self, config: EngineConfig, trace=False, portable=False, held=False):
        self.config, self.trace, self.hash, self.held = config, trace, config.hash, held
        if portable:
            self.config = config.replace(primitives="portable")
        members = dict(HOST_MEMBERS)
        if trace:
            members |= {name: Out(width) for name, width in trace_ports(config).items()}
        super().__init__(members)

    @property
    def host(self):
        """The host port as an interface to connect to."""
        return flat_view(self, "host", HostSignature().flip())

    def elaborate(self, platform):
        m = Module()
        config = self.config
        m.submodules.root = self.root = root = Root(
            config, self.hash, config.diagnostics or self.trace, self.held)
        m.submodules.fabric = fabric = Fabric(config)
        connect(m, flipped(self.host), root.host)
        connect(m, root.tiles, fabric.root)
        for number in range(config.tiles):
            m.submodules[f"tile{number}"] = tile = Tile(config, number)
            connect(m, fabric.tiles[number], tile.port)
            if self.trace:
                self._trace(m, root, tile)
        m.d.comb += [self.busy.eq(root.busy), self.done.eq(root.done)]
        return m

    def _trace(self, m, root, tile):
        """The writes of a tile; what the root knows of them comes as late as to the tile."""
        config, name = self.config, trace_name(tile.number)
        m.submodules[name] = trace = WriteTrace(config)
        m.d.comb += [
            trace.image.eq(delayed(m, root.image, config.hops, f"{name}_image")),
            trace.operation.eq(delayed(m, root.count, config.hops, f"{name}_operation"))]
        connect(m, tile.written, trace.states)
        if config.learning:
            for field in trace.update.signature.members:
                value = Value.cast(getattr(root.update, field))
                m.d.comb += Value.cast(getattr(trace.update, field)).eq(
                    delayed(m, value, config.hops, f"{name}_{field}"))
            connect(m, (tile if config.pipelined_learning else root).updated, trace.weights)
        connect(m, trace.trace, flipped(flat_view(self, name, trace.trace.signature)))
