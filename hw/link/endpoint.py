"""Endpoint of the byte protocol: carries out the frames of a byte link on a host port.

``docs/protocol.md`` has the rules, :mod:`apical.hw.interface.protocol` the numbers.  A request is
taken apart as it comes, its payload kept in one block RAM, and nothing is done before its CRC is
right.

The shape follows the smallest device, where every register and every multiplexer is a logic cell:
one pointer counts header bytes, payload bytes and answer bytes in turn; the header is a chain of
bytes; the address counts by turning through its chain, a byte a cycle, so that no second way into
its registers is needed; one CRC serves both directions, as an answer never overlaps its request.
"""

from __future__ import annotations

from enum import IntEnum

from amaranth.hdl import C, Cat, Module, Mux, ResetInserter, Signal
from amaranth.lib import wiring
from amaranth.lib.crc import Algorithm
from amaranth.lib.wiring import In, Out

from ..engine.memory import LaneMemory
from ..engine.ports import HostSignature
from ..export.families import short_of_cells
from ..interface.isa import REGISTERS, lane_bits
from ..interface.protocol import (
    ANSWER_HEADER,
    CRC,
    ESCAPE,
    FLAG,
    HEADER,
    PAYLOAD,
    PROTOCOL_VERSION,
    RESULTS,
    SEQUENCE_BITS,
    TURN,
    Operation,
    Part,
    Status,
)
from ..primitives.portable import delayed


class State(IntEnum):
    """What the endpoint is at; in groups of four, by its two upper bits."""

    HUNT, HEAD, TAKE, TAIL = range(4)
    JUDGE, FETCH, WRITE, FINISH = range(4, 8)
    STEP, ASK, AWAIT, WEIGH = range(8, 12)
    ANSWER, TELL, CLOSE = range(12, 15)


class Endpoint(wiring.Component):
    """Byte protocol to host port.

    Throughput: a byte a cycle in; no request is taken while one is carried out.  A word of a burst
    takes 5 cycles (wide ones 7) and what the host port makes it wait.

    Parameters
    ----------
    lanes : int
        P of the engine.
    primitives : str
        Family of the cells.

    Members
    -------
    received : In(1), received_byte : In(8)
        A byte came.
    send : Out(1), send_byte : Out(8), send_ready : In(1)
        A byte goes when both `send` and `send_ready` are high.
    host : Out(HostSignature)
        Host port, see :mod:`apical.hw.engine.host`.
    done : In(1)
        The engine's pulse at the end of an image.
    stop : Out(1)
        Reset the engine.
    error : Out(1)
        A frame was refused since reset.
    """

    def __init__(self, lanes: int, primitives="portable"):
        self.lanes, self.primitives = lanes, primitives
        super().__init__({
            "received": In(1), "received_byte": In(8),
            "send": Out(1), "send_byte": Out(8), "send_ready": In(1),
            "host": Out(HostSignature()),
            "done": In(1), "stop": Out(1), "error": Out(1)})

    def elaborate(self, platform):
        m = Module()
        self.state, self.pointer = Signal(State, init=State.HUNT), Signal(range(PAYLOAD))
        # The header as it came, first byte lowest; after these three comes the address.
        self.tag, self.part, self.limit = Signal(8), Signal(8), Signal(8)
        state, pointer, part = self.state, self.pointer, self.part
        self.wide = wide = (part & Part.WIDE).any()
        runs, writes = (part & Part.RUN).any(), (part & Part.WRITE).any()
        # What RUN does after its payload: write `commit` (1), then read the results (2).
        self.behind, load = Signal(2), Signal()
        behind = self.behind
        status, accepted, finished = Signal(Status), Signal(), Signal()
        # Nothing was carried out yet that a first frame could repeat.
        refused, broken = Signal(8), Signal(init=1)
        flag, taken, byte = self._unescape(m)
        stepped = self._address(m, byte, taken, load)
        coming, carrying, data = Signal(), Signal(), Signal()
        m.d.comb += [
            coming.eq((state == State.HEAD) | (state == State.TAKE) | (state == State.TAIL)),
            data.eq((part & Part.READ).any() | behind[1]),
            carrying.eq((state == State.FETCH) | (state == State.WRITE)
                        | (state == State.FINISH) | ((state == State.STEP) & ~data))]
        crc = Algorithm(**CRC)().create()
        m.submodules.crc = ResetInserter(flag | (state == State.JUDGE))(crc)
        buffer, high = self._buffer(m, byte, taken)
        verdict, accepts, anew = self._judge(m, crc, broken)
        shown, sent, begins = self._answer(m, status, refused, crc)
        m.d.comb += [crc.data.eq(Mux(coming, byte, shown)),
                     crc.valid.eq((taken & coming) | (sent & ~begins)),
                     self.host.write_data.eq(Cat(buffer, high)),
                     self.host.write.eq(state == State.WRITE)]
        last, step, clear = Signal(), Signal(), Signal()
        # Registered, for states that the pointer stands still before.
        m.d.sync += last.eq(pointer == Mux(behind[1], 4 * len(RESULTS) - 1, self.limit))
        with m.If(self.done):
            m.d.sync += finished.eq(1)
        with m.Elif(state == State.WRITE):
            m.d.sync += finished.eq(0)
        with m.Switch(state):
            with m.Case(State.HEAD):
                m.d.comb += [step.eq(taken), clear.eq(taken & (pointer == HEADER - 1))]
                with m.If(clear):
                    # The operation byte is one place above where it will be.
                    m.d.sync += state.eq(Mux((self.limit & Part.WRITE).any(),
                                             State.TAKE, State.TAIL))
            with m.Case(State.TAKE):
                m.d.comb += [step.eq(taken), clear.eq(taken & (pointer == self.limit))]
                with m.If(clear):
                    m.d.sync += state.eq(State.TAIL)
            with m.Case(State.TAIL):
                m.d.comb += [step.eq(taken), clear.eq(taken & pointer[0])]
                with m.If(clear):
                    m.d.sync += state.eq(State.WEIGH)
            with m.Case(State.WEIGH):
                m.d.sync += state.eq(State.JUDGE)
            with m.Case(State.JUDGE):
                m.d.sync += [status.eq(verdict), accepted.eq(accepts), state.eq(State.ANSWER)]
                m.d.comb += self.stop.eq(anew & (part & Part.STOP).any())
                with m.If(anew & writes):
                    m.d.sync += state.eq(State.FETCH)
                with m.Elif(accepts & runs):
                    m.d.sync += [behind.eq(2), load.eq(1), state.eq(State.STEP)]
            with m.Case(State.FETCH):
                m.d.comb += step.eq(1)
                m.d.sync += state.eq(State.WRITE)
            with m.Case(State.WRITE):
                half = wide & ~pointer[1] & ~behind[0]
                m.d.comb += [self.host.valid.eq(~half), step.eq(half)]
                with m.If(half):
                    m.d.sync += state.eq(State.FETCH)
                with m.Elif(self.host.ready):
                    m.d.sync += state.eq(Mux(behind[0], State.FINISH, State.STEP))
            with m.Case(State.FINISH):
                with m.If(finished):
                    m.d.sync += [behind.eq(2), load.eq(1), state.eq(State.STEP)]
            with m.Case(State.STEP):
                with m.If(stepped):
                    m.d.sync += load.eq(0)
                    with m.If(load):
                        m.d.sync += state.eq(Mux(behind[0], State.WRITE, State.ANSWER))
                    with m.Elif(data):
                        m.d.sync += state.eq(State.TELL)
                    with m.Else():
                        m.d.comb += [step.eq(1), clear.eq(last)]
                        with m.If(~last):
                            m.d.sync += state.eq(State.FETCH)
                        with m.Elif(runs):
                            m.d.sync += [behind.eq(1), load.eq(1)]
                        with m.Else():
                            m.d.sync += state.eq(State.ANSWER)
            with m.Case(State.ASK):
                m.d.comb += self.host.valid.eq(1)
                with m.If(self.host.ready):
                    m.d.sync += state.eq(State.AWAIT)
            with m.Case(State.AWAIT):
                with m.If(self.host.read_valid):
                    m.d.sync += state.eq(State.STEP)
            with m.Case(State.ANSWER):
                m.d.comb += [step.eq(sent), clear.eq(sent & self.headed)]
                with m.If(clear):
                    m.d.sync += state.eq(Mux(accepted & data, State.ASK, State.CLOSE))
            with m.Case(State.TELL):
                m.d.comb += [step.eq(sent), clear.eq(sent & last)]
                with m.If(clear):
                    m.d.sync += state.eq(State.CLOSE)
                with m.Elif(sent & pointer[0] & (pointer[1] | ~self.words_wide)):
                    m.d.sync += state.eq(State.ASK)
            with m.Case(State.CLOSE):
                m.d.comb += step.eq(sent)
                with m.If(sent & pointer[0]):
                    m.d.sync += state.eq(State.HUNT)
        # A flag begins a frame, whatever goes on.
        cut = coming & ~((state == State.HEAD) & (pointer == 0))
        with m.If(flag):
            # A request that is cut leaves nothing behind: neither an address half turned nor the
            # second half of an escape.
            m.d.sync += [state.eq(State.HEAD), behind.eq(0), load.eq(0), self.phase.eq(0),
                         self.turned.eq(0)]
        with m.If(step):
            m.d.sync += pointer.eq(pointer + 1)
        with m.If(flag | clear):
            m.d.sync += pointer.eq(0)
        with m.If(flag & carrying):
            m.d.sync += broken.eq(1)
        with m.Elif((state == State.JUDGE) & anew):
            m.d.sync += broken.eq(0)
        with m.If((flag & cut) | ((state == State.JUDGE) & ~accepts)):
            m.d.sync += [refused.eq(refused + 1), self.error.eq(1)]
        return m

    def _unescape(self, m):
        """(a flag came, a byte of a frame came, that byte)."""
        flag, taken, escaped, byte = Signal(), Signal(), Signal(), Signal(8)
        escape = self.received_byte == ESCAPE
        m.d.comb += [flag.eq(self.received & (self.received_byte == FLAG)),
                     taken.eq(self.received & ~flag & ~escape),
                     byte.eq(self.received_byte ^ Mux(escaped, TURN, 0))]
        with m.If(self.received):
            m.d.sync += escaped.eq(escape)
        if short_of_cells(self.primitives):  # and slow enough without
            return flag, taken, byte
        return tuple(delayed(m, value, 1, name) for value, name in (
            (flag, "flag"), (taken, "taken"), (byte, "byte")))

    def _address(self, m, byte, taken, load):
        """The chain of the header and how the address counts; returns that it has, in `STEP`.

        The three bytes of the address turn once round, low one first, through an adder of 8 bits.
        """
        address, carry = self.host.address, Signal()
        self.phase = phase = Signal(2)
        shifts = (self.state == State.HEAD) & taken
        steps = self.state == State.STEP
        first = phase == 0
        bits = lane_bits(self.lanes)
        # Of the spaces that exist, those made of lanes are the ones with the highest bit.
        turns = first & address[-1] & (address[:bits] == self.lanes - 1)
        low = Signal(8)
        m.d.comb += low.eq(Cat(address[:bits] | turns.replicate(bits), address[bits:8]))
        with m.If(load):
            register = Mux(self.behind[0], REGISTERS["commit"].number,
                           REGISTERS[RESULTS[0]].number)
            m.d.comb += low.eq(Mux(first, (register - 1)[:8], 0))
        total = Signal(9)
        m.d.comb += total.eq(low + (first | carry))
        with m.If(shifts | steps):
            m.d.sync += address.eq(Cat(address[8:], Mux(steps, total[:8], byte)))
        with m.If(shifts):
            m.d.sync += Cat(self.tag, self.part, self.limit).eq(
                Cat(self.part, self.limit, address[:8]))
        done = phase[1]
        m.d.sync += carry.eq(total[8])
        with m.If(steps):
            m.d.sync += phase.eq(Mux(done, 0, phase + 1))
        return done

    def _buffer(self, m, byte, taken):
        """Payload by half words; of a wide word the high half is read first and kept."""
        m.submodules.payload = memory = LaneMemory(1, 16, PAYLOAD // 2, self.primitives)
        pointer, even, high = self.pointer, Signal(8), Signal(16)
        with m.If(taken):
            m.d.sync += even.eq(byte)
        m.d.comb += [
            memory.write.address.eq(pointer[1:]), memory.write.data.eq(Cat(even, byte)),
            memory.write.enable.eq((self.state == State.TAKE) & taken & pointer[0]),
            memory.read.address.eq(Cat(pointer[1] ^ self.wide, pointer[2:]))]
        with m.If(~self.wide):
            m.d.sync += high.eq(0)
        with m.Elif((self.state == State.WRITE) & ~pointer[1]):
            m.d.sync += high.eq(memory.read.data)
        return memory.read.data, high

    def _judge(self, m, crc, broken):
        """(status of the frame that came, whether it is good, whether it is a new one)."""
        tag, part, last, known = self.tag, self.part, Signal(8), Signal()
        opens = (part & Part.OPEN).any()
        expected = Cat((last[:SEQUENCE_BITS] + 1)[:SEQUENCE_BITS], last[SEQUENCE_BITS:])
        with m.Switch(part):
            with m.Case(*map(int, Operation)):
                m.d.comb += known.eq(1)
        whole = self.limit[0] & (self.limit[1] | ~self.wide)
        sized = whole | ~(part & (Part.WRITE | Part.READ)).any()
        # The frame has come and stands still in `WEIGH`; its judgement is registered.
        verdict, accepts, again = Signal(Status), Signal(), Signal()
        found = [Signal(name=name) for name in ("match", "known", "sized", "follows")]
        m.d.sync += [again.eq((tag == last) & ~opens),
                     Cat(*found).eq(Cat(crc.match_detected, known, sized,
                                        opens | (tag == expected)))]
        match, known, sized, follows = found
        m.d.comb += verdict.eq(Status.SEQUENCE)
        with m.If(~match):
            m.d.comb += verdict.eq(Status.CRC)
        with m.Elif(~known):
            m.d.comb += verdict.eq(Status.OPERATION)
        with m.Elif(~sized):
            m.d.comb += verdict.eq(Status.LENGTH)
        with m.Elif(again & broken):
            m.d.comb += verdict.eq(Status.ABORTED)
        with m.Elif(again):
            m.d.comb += [verdict.eq(Status.AGAIN), accepts.eq(1)]
        with m.Elif(follows):
            m.d.comb += [verdict.eq(Status.DONE), accepts.eq(1)]
        anew = accepts & ~again
        with m.If((self.state == State.JUDGE) & anew):
            m.d.sync += last.eq(tag)
        return verdict, accepts, anew

    def _answer(self, m, status, refused, crc):
        """Send the answer byte by byte; returns (the byte, it went, it is the flag)."""
        state, pointer = self.state, self.pointer
        shown, sent = Signal(8), Signal()
        self.turned = turned = Signal()
        self.words_wide = self.wide | self.behind[1]
        with m.Switch(state):
            with m.Case(State.TELL):
                m.d.comb += shown.eq(self.host.read_data.word_select(
                    Cat(pointer[0], pointer[1] & self.words_wide), 8))
            with m.Case(State.CLOSE):
                # The CRC of its own high byte is the CRC moved up by one byte.
                m.d.comb += shown.eq(crc.crc[8:])
            with m.Default():
                with m.Switch(pointer[:2]):
                    version = C(PROTOCOL_VERSION, 4)
                    for place, value in enumerate((
                            FLAG, self.tag, Cat(status, Signal(1), version), refused)):
                        with m.Case(place):
                            m.d.comb += shown.eq(value)
        # Registered: a byte is shown one cycle after it was chosen.
        sending, settled, shown_late = Signal(), Signal(), Signal(8)
        m.d.sync += [shown_late.eq(shown), settled.eq(sending & ~(self.send & self.send_ready))]
        special, begins, headed = Signal(), Signal(), Signal()
        m.d.sync += [special.eq((shown[2:] == FLAG >> 2) & (shown[0] ^ shown[1])),
                     begins.eq((state == State.ANSWER) & (pointer == 0)),
                     headed.eq(pointer == ANSWER_HEADER)]
        self.headed, shown = headed, shown_late
        assert {FLAG, ESCAPE} == {FLAG & ~3 | 1, FLAG & ~3 | 2}
        escapes = special & ~begins & ~turned
        m.d.comb += [sending.eq((state == State.ANSWER) | (state == State.TELL)
                                | (state == State.CLOSE)), self.send.eq(sending & settled),
                     self.send_byte.eq(Cat(Mux(escapes, ESCAPE & 3, shown[:2]),
                                           shown[2:] ^ Mux(turned, TURN >> 2, 0)))]
        with m.If(self.send & self.send_ready):
            m.d.sync += turned.eq(escapes)
            m.d.comb += sent.eq(~escapes)
        return shown, sent, begins
