"""Simulated engines as host ports: words in, words out, one call at a time.

The driver of boards (:class:`apical.boards.host.device.Device`) runs over them as over a serial
port.  A port has ``write(addresses, data)``, ``read(addresses)``, ``image()`` (commit the inputs
and come back when the image is done), ``stop()`` (reset) and ``close()``.
"""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import tempfile
from pathlib import Path

import numpy as np
from amaranth.hdl import ResetInserter, Signal
from amaranth.sim import Simulator

from ...golden.errors import ApicalError
from ...hw.engine.engine import Engine
from ...hw.export.verilog import engine_verilog
from ...hw.interface.config import EngineConfig
from ...hw.interface.isa import REGISTERS
from ..bench import commands
from ..bench.harness import harness
from .netlist import with_models
from .pysim import PATIENCE
from .runner import build
from .simulator import engine_ports, kept_verilog, source_digest

_COMMIT, _DONE = REGISTERS["commit"].address, REGISTERS["done"].address


class PysimPort:
    """An engine in Amaranth's own simulator; for small ones.

    Parameters
    ----------
    config : EngineConfig
    """

    def __init__(self, config: EngineConfig):
        self.engine, self._reset = Engine(config, portable=True), Signal()
        self._script = None
        self._simulator = Simulator(ResetInserter(self._reset)(self.engine))
        self._simulator.add_clock(1e-6)
        self._simulator.add_testbench(self._bench)

    async def _bench(self, ctx):
        while True:
            if self._script is not None:
                script, self._script = self._script, None
                await script(ctx)
            await ctx.tick()

    def _play(self, script):
        """Let the simulator run until a script has ended."""
        ended = []

        async def whole(ctx):
            ended.append(await script(ctx))

        self._script = whole
        while not ended:
            self._simulator.advance()
        return ended[0]

    async def _request(self, ctx, write, address, data=0):
        engine = self.engine
        ctx.set(engine.host_valid, 1)
        ctx.set(engine.host_write, write)
        ctx.set(engine.host_address, int(address))
        ctx.set(engine.host_write_data, int(data) & 0xFFFFFFFF)
        for _ in range(PATIENCE):
            ready = ctx.get(engine.host_ready)
            await ctx.tick()
            if ready:
                ctx.set(engine.host_valid, 0)
                return
        raise ApicalError(f"the engine did not take a request to {int(address):#x}")

    async def _answer(self, ctx, address):
        await self._request(ctx, 0, address)
        for _ in range(PATIENCE):
            if ctx.get(self.engine.host_read_valid):
                return ctx.get(self.engine.host_read_data)
            await ctx.tick()
        raise ApicalError(f"the engine did not answer a read of {int(address):#x}")

    def write(self, addresses, data):
        """Write words, in order."""
        async def script(ctx):
            for address, word in zip(addresses, data, strict=True):
                await self._request(ctx, 1, address, word)
        self._play(script)

    def read(self, addresses) -> np.ndarray:
        """Read words, in order."""
        async def script(ctx):
            return [await self._answer(ctx, address) for address in addresses]
        return np.array(self._play(script), np.int64)

    def image(self):
        """Commit the inputs and wait for the end of the image."""
        async def script(ctx):
            before = await self._answer(ctx, _DONE)
            await self._request(ctx, 1, _COMMIT, 1)
            for _ in range(PATIENCE):
                if await self._answer(ctx, _DONE) != before:
                    return
            raise ApicalError("the engine did not finish an image")
        self._play(script)

    def stop(self):
        """Reset the engine."""
        async def script(ctx):
            ctx.set(self._reset, 1)
            await ctx.tick()
            ctx.set(self._reset, 0)
        self._play(script)

    def close(self):
        """Nothing to release."""


class VerilatorPort:
    """An engine in Verilator, in the bench of all simulators, as a process that plays on demand.

    Parameters
    ----------
    config : EngineConfig
    cache : path, optional
        Another cache than that of the user.
    limit : int
        Cycles after which a command is given up.
    """

    def __init__(self, config: EngineConfig, cache=None, limit=20_000_000):
        # As shipped, without the trace port: it is not read here.
        text = kept_verilog(f"{config.hash}-{source_digest()}-plain.v",
                            lambda: with_models(engine_verilog(config, "dut"), config.primitives),
                            cache)
        made = build(harness(text, engine_ports(config, trace=False)), "played", cache=cache)
        self._folder = Path(tempfile.mkdtemp(prefix="apical-port-"))
        self._child = subprocess.Popen(
            [made.folder / "sim", str(limit)], cwd=self._folder, stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, text=True)

    def _play(self, *parts):
        words = commands.join(*parts)
        commands.save_commands(self._folder / "play.bin", words)
        try:
            self._child.stdin.write("play\n")
            self._child.stdin.flush()
            answered = self._child.stdout.readline().split()
        except OSError:
            answered = []
        if not answered:
            raise ApicalError("the simulator ended")
        status, position = map(int, answered)
        if status:
            what = commands.describe(words[position - 1]) if position else "a command"
            raise ApicalError(f"the engine did not finish in time: {what}")
        return np.fromfile(self._folder / "answers.bin", "<u4").astype(np.int64)

    def write(self, addresses, data):
        """Write words, in order."""
        self._play(commands.writes(np.asarray(addresses), np.asarray(data)))

    def read(self, addresses) -> np.ndarray:
        """Read words, in order."""
        return self._play(commands.reads(np.asarray(addresses)))

    def image(self):
        """Commit the inputs and wait for the end of the image."""
        before = int(self.read([_DONE])[0])
        self._play(commands.write(_COMMIT, 1), commands.match(_DONE, before + 1 & 0xFFFF))

    def stop(self):
        """Reset the engine."""
        self._play(commands.reset())

    def close(self):
        """End the simulator."""
        with contextlib.suppress(OSError):
            self._child.stdin.close()
        self._child.stdout.close()
        # It looks for the end of its input between two lists of commands only.
        self._child.terminate()
        self._child.wait()
        shutil.rmtree(self._folder, ignore_errors=True)
