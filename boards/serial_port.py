"""Byte access to the host port over a serial line: gateware.

A simple protocol, without framing or checks; bytes are 8N1, numbers little-endian:

===============================  =====================  ==========================================
the host sends                   the board answers      meaning
===============================  =====================  ==========================================
``W`` a0 a1 a2 d0 d1 d2 d3       ``K``                  write data d to address a; answered once the
                                                        engine has taken it
``R`` a0 a1 a2                   d0 d1 d2 d3            read address a
anything else                    ``?``                  refused; the error LED stays on
===============================  =====================  ==========================================

The host sends the next request after the answer to the last one.
"""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.cdc import FFSynchronizer
from amaranth.lib.wiring import In, Out

#: Bits per second.
BAUD = 1_000_000
WRITE, READ, TAKEN, REFUSED = (ord(letter) for letter in "WRK?")


class Receiver(wiring.Component):
    """Serial receiver, 8N1.

    Latency: `valid` comes in the middle of the stop bit.

    Parameters
    ----------
    divisor : int
        Clock cycles a bit, at least 4.

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


class SerialHost(wiring.Component):
    """Carries out the requests of a serial line on a host port.

    Members
    -------
    received, received_byte : In(1), In(8)
    send, send_byte, send_ready : Out(1), Out(8), In(1)
    host_* :
        Host port, see :mod:`apical.hw.host`.
    error : Out(1)
        A byte was refused since reset.
    """

    def __init__(self):
        super().__init__({
            "received": In(1), "received_byte": In(8),
            "send": Out(1), "send_byte": Out(8), "send_ready": In(1),
            "host_valid": Out(1), "host_write": Out(1), "host_address": Out(24),
            "host_write_data": Out(32), "host_ready": In(1),
            "host_read_valid": In(1), "host_read_data": In(32), "error": Out(1)})

    def elaborate(self, platform):
        m = Module()
        left = Signal(range(8))
        # Address and data come in through one shift register, answers go out of its upper half.
        word, answers = Signal(56), Signal(range(5))
        m.d.comb += [self.host_address.eq(Mux(self.host_write, word[:24], word[32:])),
                     self.host_write_data.eq(word[24:]), self.send_byte.eq(word[24:32])]
        with m.FSM():
            with m.State("IDLE"):
                with m.If(self.received):
                    m.d.sync += self.host_write.eq(self.received_byte == WRITE)
                    with m.Switch(self.received_byte):
                        with m.Case(WRITE):
                            m.d.sync += left.eq(7)
                            m.next = "COLLECT"
                        with m.Case(READ):
                            m.d.sync += left.eq(3)
                            m.next = "COLLECT"
                        with m.Default():
                            m.d.sync += [self.error.eq(1), word[24:32].eq(REFUSED), answers.eq(1)]
                            m.next = "ANSWER"
            with m.State("COLLECT"):
                with m.If(self.received):
                    m.d.sync += [word.eq(Cat(word[8:], self.received_byte)), left.eq(left - 1)]
                    with m.If(left == 1):
                        m.next = "REQUEST"
            with m.State("REQUEST"):
                m.d.comb += self.host_valid.eq(1)
                with m.If(self.host_ready):
                    m.d.sync += [word[24:32].eq(TAKEN), answers.eq(Mux(self.host_write, 1, 4))]
                    with m.If(self.host_write):
                        m.next = "ANSWER"
                    with m.Else():
                        m.next = "WAIT"
            with m.State("WAIT"):
                with m.If(self.host_read_valid):
                    m.d.sync += word[24:].eq(self.host_read_data)
                    m.next = "ANSWER"
            with m.State("ANSWER"):
                m.d.comb += self.send.eq(1)
                with m.If(self.send_ready):
                    m.d.sync += [word[24:].eq(word[32:]), answers.eq(answers - 1)]
                    with m.If(answers == 1):
                        m.next = "IDLE"
        return m
