"""Packed images: bytes of pixels become events on their way to the host port.

It stands between the endpoint and the engine (``docs/protocol.md``, rules 17 to 20).  Everything
that is not for it goes through as it is, a cycle later: what a request is, is registered, as its
way into the engine is long already.  The product is made by adding and shifting, a bit a cycle: a
byte takes at most 11 cycles and what the host port makes it wait, less than it takes to come over
any line.
"""

from __future__ import annotations

from enum import IntEnum

from amaranth.hdl import C, Cat, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ..engine.ports import HostSignature, Widths
from ..interface.config import EngineConfig
from ..interface.isa import EVENT, REGISTERS, SPACE_LOW, Space
from ..interface.protocol import PACKED, SCALE, SCALE_BITS, SCALE_FRAC


class _State(IntEnum):
    """Let through; take a byte; multiply; write the event; write the last one again, marked."""

    THROUGH, BYTE, MULTIPLY, WRITE, MARK = range(5)


class Unpacker(wiring.Component):
    """Expands packed images.

    Parameters
    ----------
    config : EngineConfig

    Members
    -------
    host : In(HostSignature)
        Requests of the endpoint, see :mod:`apical.hw.engine.host`.
    port : Out(HostSignature)
        The same to the engine; answers to reads go back as they come.
    """

    def __init__(self, config: EngineConfig):
        self.config = config
        super().__init__({"host": In(HostSignature()), "port": Out(HostSignature())})

    def elaborate(self, platform):
        m = Module()
        config, depth = self.config, self.config.event_depth
        state, word, second, skips = Signal(_State), Signal(16), Signal(), Signal()
        index, value = Signal(EVENT.fields["index"].width), Signal(SCALE_BITS)
        place, bank = Signal(Widths(config).events), Signal()
        scale, bits = Signal(SCALE_BITS), Signal(range(8))
        # A pixel came since the last commit: index and place are those of its event.
        begun = Signal()
        assert PACKED >> SPACE_LOW == 6 and SCALE >> SPACE_LOW == 7
        known, packed, commits = Signal(), Signal(), Signal()
        m.d.sync += [
            known.eq(self.host.valid & ~self.host.ready & (state == _State.THROUGH)),
            packed.eq(self.host.write & self.host.address[SPACE_LOW + 1:].all()),
            commits.eq(self.host.write & (self.host.address == REGISTERS["commit"].address))]
        m.d.comb += [
            self.port.write.eq(self.host.write), self.port.address.eq(self.host.address),
            self.port.write_data.eq(self.host.write_data),
            self.host.read_valid.eq(self.port.read_valid),
            self.host.read_data.eq(self.port.read_data)]
        marks = state == _State.MARK
        with m.If((state == _State.WRITE) | marks):
            m.d.comb += [self.port.valid.eq(1), self.port.write.eq(1),
                         self.port.address.eq(Cat(place, C(0, SPACE_LOW - len(place)),
                                                  C(Space.EVENTS, 3))),
                         self.port.write_data.eq(Cat(value, index, marks))]
        byte = word[:8]
        step = Signal(len(index))
        total = Signal(SCALE_BITS + 1)
        m.d.comb += [step.eq(Mux(skips, byte, begun)),
                     total.eq(value + Mux(word[0], scale, 0))]
        after = Mux(second, _State.THROUGH, _State.BYTE)
        with m.Switch(state):
            with m.Case(_State.THROUGH):
                m.d.sync += second.eq(0)
                with m.If(~known):
                    pass
                with m.Elif(packed):
                    m.d.comb += self.host.ready.eq(1)
                    with m.If(self.host.valid & self.host.address[SPACE_LOW]):
                        m.d.sync += scale.eq(self.host.write_data)
                    with m.Elif(self.host.valid):
                        m.d.sync += [word.eq(self.host.write_data), state.eq(_State.BYTE)]
                with m.Elif(commits & begun):
                    with m.If(self.host.valid):
                        m.d.sync += state.eq(_State.MARK)
                with m.Else():
                    m.d.comb += [self.port.valid.eq(self.host.valid),
                                 self.host.ready.eq(self.port.ready)]
                    with m.If(self.host.valid & self.port.ready & commits):
                        m.d.sync += [index.eq(0), skips.eq(0), place.eq(0)]
                        if config.input_banks == 2:
                            m.d.sync += [bank.eq(~bank), place.eq(Mux(bank, 0, depth))]
            with m.Case(_State.BYTE):
                m.d.sync += [skips.eq(0), bits.eq(0)]
                with m.If(skips | (byte != 0)):
                    m.d.sync += index.eq(index + step)
                with m.If(skips | (byte == 0)):
                    m.d.sync += [skips.eq(~skips), word.eq(word >> 8), second.eq(1),
                                 state.eq(after)]
                with m.Else():
                    m.d.sync += [place.eq(place + begun), begun.eq(1),
                                 value.eq(1 << SCALE_FRAC - 1), state.eq(_State.MULTIPLY)]
            with m.Case(_State.MULTIPLY):
                m.d.sync += [value.eq(total >> 1), word.eq(word >> 1), bits.eq(bits + 1)]
                with m.If(bits == 7):
                    m.d.sync += state.eq(_State.WRITE)
            with m.Case(_State.WRITE):
                with m.If(self.port.ready):
                    m.d.sync += [second.eq(1), state.eq(after)]
            with m.Case(_State.MARK):
                with m.If(self.port.ready):
                    m.d.sync += [begun.eq(0), state.eq(_State.THROUGH)]
        return m
