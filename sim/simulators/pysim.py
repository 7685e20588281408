"""An engine in Amaranth's own simulator: no compiler, no cocotb; for tests of small engines.

Speaks the same host port as every other link: lists of (addresses, data) writes, reads, waits.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial

import numpy as np
from amaranth.sim import Simulator

from ...golden.errors import ApicalError
from ...hw.engine.engine import Engine
from ...hw.engine.write_trace import trace_name
from ...hw.interface.config import EngineConfig
from ...hw.interface.isa import REGISTERS
from ..bench import commands
from ..bench.streams import state_stream, weight_stream

#: Reads of a register that may pass before a wait is given up.
PATIENCE = 100_000


@dataclass
class Write:
    """One traced state write: Q or fewer values of one vector."""

    cycle: int
    operation: int
    vector: int
    unit: int
    values: list
    image: int = 0


@dataclass
class WeightWrite:
    """One traced write of a weight word: lane-side units `first` on, of which `mask` count."""

    cycle: int
    operation: int
    matrix: int
    scalar: int
    first: int
    turned: int
    mask: int
    values: list
    image: int = 0

    def weights(self):
        """(row, column, value modulo 2**16) of each weight that is written."""
        for lane, value in enumerate(self.values):
            if self.mask >> lane & 1:
                place = self.scalar, self.first + lane
                yield (*(place[::-1] if self.turned else place), value)


@dataclass
class PysimEngine:
    """Runs a script against an engine.

    Parameters
    ----------
    config : EngineConfig
    engine : Engine, optional
        Another engine of that configuration (a mutant, say).

    Attributes
    ----------
    trace : list of Write
    weight_trace : list of WeightWrite
    """

    config: EngineConfig
    engine: Engine | None = None
    trace: list = field(default_factory=list)
    weight_trace: list = field(default_factory=list)

    def run(self, script):
        """Run ``await script(port)`` in the simulator, `port` being this object.

        The script may use :meth:`write`, :meth:`read` and :meth:`wait`.
        """
        if self.engine is None:
            self.engine = Engine(self.config, trace=True)
        simulator = Simulator(self.engine)
        simulator.add_clock(1e-6)

        async def bench(ctx):
            self._ctx = ctx
            await script(self)

        simulator.add_testbench(bench)
        for tile in range(self.config.tiles):
            simulator.add_testbench(partial(self._record, tile=tile), background=True)
            if self.config.learning:
                simulator.add_testbench(partial(self._record_weights, tile=tile), background=True)
        simulator.run()

    async def _record(self, ctx, tile):
        engine, cycle, name = self.engine, 0, trace_name(tile)
        sampled = ctx.tick().sample(*(getattr(engine, f"{name}_{field}") for field in (
            "valid", "operation", "vector", "unit", "count", "values", "image")))
        async for _, _, valid, operation, vector, unit, count, values, image in sampled:
            cycle += 1
            if valid:
                lanes = [values >> 16 * i & 0xFFFF for i in range(count)]
                self.trace.append(Write(cycle, operation, vector, unit, lanes, image))

    async def _record_weights(self, ctx, tile):
        engine, cycle, name = self.engine, 0, f"{trace_name(tile)}_weight"
        names = ("operation", "matrix", "scalar", "first", "turned", "mask", "image",
                 "values")
        sampled = ctx.tick().sample(*(getattr(engine, f"{name}_{field}")
                                      for field in ("valid", *names)))
        async for _, _, valid, *fields, image, values in sampled:
            cycle += 1
            if valid:
                lanes = [values >> 16 * i & 0xFFFF for i in range(self.config.lanes)]
                self.weight_trace.append(WeightWrite(cycle, *fields, lanes, image))

    def records(self) -> dict:
        """The traces as the recorders of a bench make them: arrays by stream."""
        state = np.zeros(len(self.trace), state_stream(self.config.update_lanes).dtype)
        for row, write in zip(state, self.trace, strict=True):
            for name in ("cycle", "image", "operation", "vector", "unit"):
                row[name] = getattr(write, name)
            row["count"] = len(write.values)
            row["values"][:len(write.values)] = _signed(write.values)
        weight = np.zeros(len(self.weight_trace), weight_stream(self.config.lanes).dtype)
        for row, write in zip(weight, self.weight_trace, strict=True):
            for name in ("cycle", "image", "operation", "matrix", "scalar", "first", "turned",
                         "mask"):
                row[name] = getattr(write, name)
            row["values"] = _signed(write.values)
        return {"state": state, "weight": weight} if self.config.learning else {"state": state}

    def play(self, words) -> list:
        """Answers of a simulation that plays host commands (:mod:`apical.sim.bench.commands`)."""
        answers = []

        async def script(port):
            for word in map(int, words):
                kind, place, data = word >> 60, word >> 32 & 0xFFFFFF, word & 0xFFFFFFFF
                if kind == commands.WRITE:
                    await port.write([place], [data])
                elif kind == commands.READ:
                    answers.append(await port.read(place))
                elif kind == commands.WAIT:
                    for _ in range(PATIENCE):
                        if await port.read(place) >= data:
                            break
                    else:
                        raise ApicalError(f"word {place:#x} did not reach {data}")
                elif kind != commands.RESET:  # a simulation begins with it
                    raise ApicalError(f"pysim does not play '{commands.describe(word)}'")

        self.run(script)
        return answers

    async def _request(self, write, address, data=0):
        ctx, engine = self._ctx, self.engine
        ctx.set(engine.host_valid, 1)
        ctx.set(engine.host_write, write)
        ctx.set(engine.host_address, int(address))
        ctx.set(engine.host_write_data, int(data))
        for _ in range(PATIENCE):
            ready = ctx.get(engine.host_ready)
            await ctx.tick()
            if ready:
                ctx.set(engine.host_valid, 0)
                return
        raise ApicalError(f"the engine did not take a request to {int(address):#x}")

    async def write(self, addresses, data):
        """Write words, in order."""
        for address, word in zip(addresses, data, strict=True):
            await self._request(1, address, word)

    async def read(self, address) -> int:
        """Read one word."""
        await self._request(0, address)
        for _ in range(PATIENCE):
            if self._ctx.get(self.engine.host_read_valid):
                return self._ctx.get(self.engine.host_read_data)
            await self._ctx.tick()
        raise ApicalError(f"the engine did not answer a read of {int(address):#x}")

    async def register(self, name) -> int:
        """Read a register by name."""
        return await self.read(REGISTERS[name].address)

    async def wait(self, name, least):
        """Poll a register until it is `least` or more."""
        for _ in range(PATIENCE):
            if await self.register(name) >= least:
                return
        raise ApicalError(f"register {name} did not reach {least}")


def _signed(values):
    """16-bit words as two's complement."""
    return np.array(values, np.uint16).astype(np.int16)
