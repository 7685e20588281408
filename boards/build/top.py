"""Top level of a board: clock, engine, serial port, LEDs."""

from __future__ import annotations

import importlib

from amaranth.hdl import (
    ClockDomain,
    Const,
    DomainRenamer,
    Elaboratable,
    Module,
    Mux,
    ResetInserter,
    Signal,
)
from amaranth.lib import io, wiring
from amaranth.lib.cdc import FFSynchronizer
from amaranth.lib.wiring import In, Out

from ...golden.errors import ApicalError
from ...golden.extras import how_to_install
from ...hw.engine.engine import Engine
from ...hw.interface.config import EngineConfig
from ...hw.interface.protocol import unpacks
from ...hw.link.endpoint import Endpoint
from ...hw.link.uart import LEAST_DIVISOR, Receiver, Transmitter
from ...hw.link.unpack import Unpacker
from .catalog import Board


def platform_of(board: Board):
    """A new platform of a board; one can be used once only."""
    module, _, name = board.platform.partition(":")
    try:
        return getattr(importlib.import_module(module), name)()
    except ModuleNotFoundError as error:
        raise ApicalError(f"board '{board.name}' needs the package amaranth-boards; "
                          f"install it with: {how_to_install('amaranth-boards')}") from error


class SerialEngine(wiring.Component):
    """An engine with a serial line, without pins: the part of a board that can be simulated.

    Members
    -------
    receive : In(1), transmit : Out(1)
        Serial line, idle high.
    busy, error : Out(1)
    """

    def __init__(self, config: EngineConfig, divisor: int):
        self.config, self.divisor = config, divisor
        super().__init__({"receive": In(1, init=1), "transmit": Out(1, init=1), "busy": Out(1),
                          "error": Out(1)})

    def elaborate(self, platform):
        m = Module()
        # The unpacker does not hold its requests and is too far from the memories.
        engine = Engine(self.config, held=not unpacks(self.config))
        m.submodules.host = host = Endpoint(self.config.width, self.config.primitives)
        stop = Signal()
        m.d.sync += stop.eq(host.stop)
        m.submodules.engine = ResetInserter(stop)(engine)
        m.submodules.receiver = receiver = Receiver(self.divisor)
        m.submodules.transmitter = transmitter = Transmitter(self.divisor)
        m.d.comb += [
            receiver.line.eq(self.receive), self.transmit.eq(transmitter.line),
            host.received.eq(receiver.valid), host.received_byte.eq(receiver.byte),
            transmitter.valid.eq(host.send), transmitter.byte.eq(host.send_byte),
            host.send_ready.eq(transmitter.ready), host.done.eq(engine.done),
            self.busy.eq(engine.busy), self.error.eq(host.error)]
        if unpacks(self.config):
            unpacker = Unpacker(self.config)
            m.submodules.unpacker = ResetInserter(stop)(unpacker)
            wiring.connect(m, host.host, unpacker.host)
            wiring.connect(m, unpacker.port, engine.host)
        else:
            wiring.connect(m, host.host, engine.host)
        return m


#: Cycles of reset after the PLL has locked.  Block RAM of the iCE40 reads 0, whatever its content,
#: for some 36 cycles of 12 MHz after configuration, and for more cycles of a faster clock
#: (YosysHQ/icestorm issue 76): `BLOCK_RAM_READY` seconds, in which nothing may read.
RESET_CYCLES = 255
BLOCK_RAM_READY = 36 / 12e6


class StartUp(wiring.Component):
    """Holds the reset until the clock can be trusted and the memories can be read.

    Latency: `RESET_CYCLES` + 3 cycles from `locked` to the end of `reset`.  A lost lock resets
    again, 4 cycles later.

    Members
    -------
    locked : In(1)
        The PLL has locked; of no clock.
    reset : Out(1)
    """

    def __init__(self):
        super().__init__({"locked": In(1), "reset": Out(1, init=1)})

    def elaborate(self, platform):
        m = Module()
        steady, wait = Signal(), Signal(range(RESET_CYCLES + 1))
        m.submodules.steady = FFSynchronizer(self.locked, steady)
        m.d.sync += wait.eq(Mux(steady, wait + (wait != RESET_CYCLES), 0))
        # Registered: the reset goes everywhere.
        m.d.sync += self.reset.eq(wait != RESET_CYCLES)
        return m


class BoardTop(Elaboratable):
    """The design in a bitstream: clock, engine, serial port, LEDs.

    Parameters
    ----------
    board : Board
    config : EngineConfig
    """

    def __init__(self, board: Board, config: EngineConfig):
        self.board, self.config = board, config

    def elaborate(self, platform):
        m = Module()
        board = self.board
        clock = platform.request(platform.default_clk, dir="-")
        m.domains.sync = domain = ClockDomain("sync")
        m.domains.start = start = ClockDomain("start", reset_less=True, local=True)
        made, locked = board.make_pll()(m, clock, board.clock_in, board.clock)
        start_up = StartUp()
        m.submodules.start_up = DomainRenamer("start")(start_up)
        m.d.comb += [domain.clk.eq(made), start.clk.eq(made), start_up.locked.eq(locked),
                     domain.rst.eq(start_up.reset)]
        m.submodules.engine = engine = SerialEngine(self.config, board.divisor)
        lines = {line.name: "-" for line in platform.lookup(*board.uart).ios}
        uart = platform.request(*board.uart, dir=lines)
        m.submodules.rx = rx = io.Buffer("i", uart.rx)
        m.submodules.tx = tx = io.Buffer("o", uart.tx)
        m.d.comb += [engine.receive.eq(rx.i), tx.o.eq(engine.transmit)]
        count = Signal(range(board.clock // 2))
        m.d.sync += count.eq(count + 1)
        slow, fast = count[-1], count[-3]
        shown = {"alive": slow, "busy": engine.busy, "error": engine.error}
        if "busy" not in board.leds:
            shown["alive"] = (slow & ~engine.busy) | (fast & engine.busy)
        outputs = [(place, shown[name]) for name, place in board.leds.items()]
        outputs += [(place, Const(1)) for place in board.high]
        for (name, number), value in outputs:
            pin = platform.request(name, number, dir="-")
            m.submodules[f"pin_{name}_{number}"] = buffer = io.Buffer("o", pin)
            m.d.comb += buffer.o.eq(value)
        return m


def fastest_baud(board: Board) -> int:
    """The highest rate of the serial line at the clock of the engine, bits per second."""
    return board.clock // LEAST_DIVISOR


def pin_names(board: Board) -> dict:
    """Ports of the top level by their names in a bench: clock, receive, transmit."""
    platform = platform_of(board)
    name, number = board.uart
    return {"clock": f"{platform.default_clk}_0__io",
            "receive": f"{name}_{number}__rx__io", "transmit": f"{name}_{number}__tx__io"}
