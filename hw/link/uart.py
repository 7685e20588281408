"""Serial line, 8N1: receiver and transmitter."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.cdc import FFSynchronizer
from amaranth.lib.wiring import In, Out

#: Clock cycles a bit that the receiver needs.
LEAST_DIVISOR = 4


class Receiver(wiring.Component):
    """Serial receiver, 8N1.

    Latency: `valid` comes in the middle of the stop bit.

    Parameters
    ----------
    divisor : int
        Clock cycles a bit, at least `LEAST_DIVISOR`.

    Members
    -------
    line : In(1)
    valid : Out(1)
        `byte` was received; high for one cycle.
    byte : Out(8)
    """

    def __init__(self, divisor):
        self.divisor = divisor
        super().__init__({"line": In(1), "valid": Out(1), "byte": Out(8)})

    def elaborate(self, platform):
        m = Module()
        line = Signal(init=1)
        m.submodules += FFSynchronizer(self.line, line, init=1)
        timer, bits = Signal(range(self.divisor + self.divisor // 2)), Signal(range(11))
        m.d.sync += self.valid.eq(0)
        with m.If(bits == 0):
            with m.If(~line):
                # To the middle of the first data bit.
                m.d.sync += [bits.eq(9), timer.eq(self.divisor + self.divisor // 2 - 1)]
        with m.Elif(timer != 0):
            m.d.sync += timer.eq(timer - 1)
        with m.Else():
            m.d.sync += [timer.eq(self.divisor - 1), bits.eq(bits - 1)]
            with m.If(bits == 1):
                m.d.sync += self.valid.eq(line)
            with m.Else():
                m.d.sync += self.byte.eq(Cat(self.byte[1:], line))
        return m


class Transmitter(wiring.Component):
    """Serial transmitter, 8N1.

    Throughput: a byte every 10 bits.

    Members
    -------
    line : Out(1)
    valid, ready : In(1), Out(1)
        `byte` is taken in a cycle in which both are high.
    byte : In(8)
    """

    def __init__(self, divisor):
        self.divisor = divisor
        super().__init__({"line": Out(1, init=1), "valid": In(1), "ready": Out(1), "byte": In(8)})

    def elaborate(self, platform):
        m = Module()
        timer, left, rest = Signal(range(self.divisor)), Signal(range(11)), Signal(9)
        m.d.comb += self.ready.eq(left == 0)
        with m.If(self.ready):
            with m.If(self.valid):
                m.d.sync += [self.line.eq(0), rest.eq(Cat(self.byte, 1)), left.eq(10),
                             timer.eq(self.divisor - 1)]
        with m.Elif(timer != 0):
            m.d.sync += timer.eq(timer - 1)
        with m.Else():
            m.d.sync += [self.line.eq(rest[0]), rest.eq(Cat(rest[1:], 1)), left.eq(left - 1),
                         timer.eq(self.divisor - 1)]
        return m
