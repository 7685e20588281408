"""Sequencer: fetches instructions, decodes them ahead, issues one operation at a time.

It knows: issue an operation, repeat n times, repeat until settled, run images, stop.  While one
operation runs, the next is fetched and its four descriptors are read, so that a dependent
operation waits for the pipeline only and an independent one for nothing.
"""

from __future__ import annotations

from amaranth.hdl import Array, Cat, Const, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

from .config import EngineConfig
from .isa import CONTROL, MATRIX, PROJECT, UNIT, VECTOR, Kind, Mode, Opcode
from .memory import address_bits
from .mix import KeyEngine


class Sequencer(wiring.Component):
    """Runs the loaded program once an image.

    Latency: an instruction is decoded in 6 cycles, hidden behind the one before where that takes
    longer; a loop that may end early restarts behind the pipeline.

    Members
    -------
    start : In(1), images : In(16)
        Run that many images, each as soon as its input bank is committed.
    commit : In(1)
        The next input bank is loaded.
    seed, image : In(32)
        Session seed and number of this image.
    program_address, descriptor_address : Out
        Words wanted; `describing` says that it is the descriptor.
    code : In(64)
        The word, one cycle later.
    projecting, updating : In(1)
        Issue of a unit goes on.
    projected, updated : In(1)
        Work of a unit is in its pipeline.
    signing : In(1)
        The signature is not complete.
    hold : In(1)
        Do not begin an image (the host uses a memory).
    moved : In(16), clear_moved : Out(1)
    start_projection, start_unit, start_learn : Out(1)
        Take the operands below (a weight update reads them as long as it runs).
    learning : In(1)
        A weight update runs.
    sign : Out(1)
        The sign of beta drawn for this image is -1.
    flags : Out(64)
        Instruction word.
    a, b, c, t : Out(64)
        Descriptors.
    bank_offset : Out(16)
        What to add to the base of descriptor a; `bank_offset_b` for b.
    key_slot : Out(1), keys : Out(64), counts : Out(32)
        Slot of the unit operation to start; two keys and two operation counts by slot.
    active : Out(1)
        An image is running.
    begin, finish : Out(1)
        Pulses at start accepted and done.
    bank : Out(1), ready : Out(2), left : Out(16), started : Out(1)
        Input bank of the next image, banks committed, images to run, whether there are any.
    stepped : Out(1)
        Pulse: a loop step ended.
    """

    def __init__(self, config: EngineConfig):
        self.config = config
        super().__init__({
            "start": In(1), "images": In(16), "commit": In(1), "seed": In(32), "image": In(32),
            "program_address": Out(address_bits(config.program_depth)),
            "descriptor_address": Out(address_bits(config.descriptor_depth)),
            "describing": Out(1), "code": In(64),
            "projecting": In(1), "updating": In(1), "projected": In(1), "updated": In(1),
            "signing": In(1), "hold": In(1), "moved": In(16), "clear_moved": Out(1),
            "start_projection": Out(1), "start_unit": Out(1), "start_learn": Out(1),
            "learning": In(1), "sign": Out(1), "flags": Out(64),
            "a": Out(64), "b": Out(64), "c": Out(64), "t": Out(64),
            "bank_offset": Out(16), "bank_offset_b": Out(16),
            "key_slot": Out(1), "keys": Out(64), "counts": Out(32),
            "active": Out(1), "begin": Out(1), "finish": Out(1), "bank": Out(1),
            "ready": Out(2), "left": Out(16), "started": Out(1), "stepped": Out(1)})

    def elaborate(self, platform):
        m = Module()
        word = self.code
        opcode = CONTROL.slice(self.flags, "opcode")
        pc = Signal(len(self.program_address))
        loops = Array(Signal(16, name=f"loop{i}") for i in range(self.config.loop_counters))
        operand, loop = CONTROL.slice(self.flags, "operand"), CONTROL.slice(self.flags, "loop")
        loop = loop[:ceil_log2(self.config.loop_counters)]
        unit_decoded, learn_decoded = Signal(), Signal()
        keyed = self._keys(m, unit_decoded, learn_decoded)
        idle = Signal()
        m.d.comb += [idle.eq(~(self.projecting | self.updating | self.projected | self.updated)),
                     self.program_address.eq(pc)]
        with m.If(self.start):
            m.d.sync += [self.left.eq(self.images), self.started.eq(self.images != 0)]
        with m.FSM():
            with m.State("IDLE"):
                m.d.sync += pc.eq(0)
                with m.If(self.started):
                    m.next = "FETCH"
            with m.State("FETCH"):
                # Between images the host may be reading the memory of instructions.
                with m.If(~self.hold):
                    m.next = "DECODE"
            with m.State("DECODE"):
                m.d.sync += [self.flags.eq(word), pc.eq(pc + 1)]
                m.d.comb += [self.descriptor_address.eq(PROJECT.slice(word, "t")),
                             self.describing.eq(1)]
                with m.Switch(CONTROL.slice(word, "opcode")):
                    with m.Case(Opcode.PROJECT, Opcode.UNIT, *self._learns):
                        m.next = "TARGET"
                    with m.Case(Opcode.IMAGE):
                        m.next = "IMAGE"
                    with m.Case(Opcode.REPEAT):
                        m.next = "REPEAT"
                    with m.Case(Opcode.LOOP):
                        m.next = "LOOP"
                    with m.Default():
                        m.next = "DONE"
            for state, address, register, following in (
                    ("TARGET", "a", self.t, "FIRST"), ("FIRST", "b", self.a, "SECOND"),
                    ("SECOND", "c", self.b, "THIRD"), ("THIRD", "c", self.c, "READY")):
                with m.State(state):
                    m.d.sync += register.eq(self.code)
                    m.d.comb += [self.descriptor_address.eq(PROJECT.slice(self.flags, address)),
                                 self.describing.eq(state != "THIRD")]
                    if state == "TARGET":
                        m.d.comb += unit_decoded.eq(opcode == Opcode.UNIT)
                    if state == "THIRD" and self._learns:
                        m.d.comb += learn_decoded.eq(opcode == Opcode.LEARN)
                    m.next = following
            with m.State("READY"):
                unit = opcode == Opcode.UNIT
                learn = opcode == Opcode.LEARN if self._learns else Const(0)
                free = Mux(CONTROL.slice(self.flags, "overlap"),
                           ~(self.projecting | self.updating), idle)
                with m.If(free & (keyed | ~(unit | learn))):
                    m.d.comb += [self.start_unit.eq(unit), self.start_learn.eq(learn),
                                 self.start_projection.eq(~(unit | learn))]
                    m.next = "DECODE"
                    if self._learns:
                        with m.If(learn):
                            m.next = "LEARN"
            with m.State("LEARN"):
                with m.If(~self.learning):
                    m.next = "DECODE"
            with m.State("IMAGE"):
                with m.If((self.ready != 0) & ~self.hold):
                    m.d.comb += self.begin.eq(1)
                    m.next = "DECODE"
            with m.State("REPEAT"):
                # What is still on its way must not count as movement of the first step.
                with m.If(idle | ~CONTROL.slice(self.flags, "until")):
                    m.d.sync += loops[loop].eq(operand)
                    m.d.comb += self.clear_moved.eq(CONTROL.slice(self.flags, "until"))
                    m.next = "DECODE"
            with m.State("LOOP"):
                until = CONTROL.slice(self.flags, "until")
                settled = until & (self.moved <= CONTROL.slice(self.flags, "threshold"))
                with m.If(idle | ~until):
                    m.d.comb += [self.stepped.eq(1), self.clear_moved.eq(until)]
                    m.d.sync += loops[loop].eq(loops[loop] - 1)
                    with m.If(settled | (loops[loop] == 1)):
                        m.next = "DECODE"
                    with m.Else():
                        m.d.sync += pc.eq(operand)
                        m.next = "FETCH"
            with m.State("DONE"):
                with m.If(idle & ~self.signing):
                    m.d.comb += self.finish.eq(1)
                    m.d.sync += [pc.eq(0), self.left.eq(self.left - 1)]
                    if self.config.input_banks == 2:
                        m.d.sync += self.bank.eq(~self.bank)
                    with m.If(self.left == 1):
                        m.d.sync += self.started.eq(0)
                        m.next = "IDLE"
                    with m.Else():
                        m.next = "FETCH"
        with m.If(self.begin):
            m.d.sync += self.active.eq(1)
        with m.If(self.finish):
            m.d.sync += self.active.eq(0)
        m.d.sync += self.ready.eq(self.ready + self.commit - self.finish)
        self._banks(m)
        return m

    def _banks(self, m):
        """Clamped vectors may have two places, used in turn."""
        for descriptor, offset in ((self.a, self.bank_offset), (self.b, self.bank_offset_b)):
            events = VECTOR.slice(descriptor, "kind") == Kind.EVENT
            distance = Mux(events, self.config.event_depth, VECTOR.slice(descriptor, "blocks"))
            m.d.comb += offset.eq(Mux(VECTOR.slice(descriptor, "banked") & self.bank, distance, 0))

    @property
    def _learns(self):
        return (Opcode.LEARN,) if self.config.learning else ()

    def _keys(self, m, unit_decoded, learn_decoded):
        """Mix the image key, then the key of each unit operation while it is decoded.

        Returns whether the key of the decoded operation is there.
        """
        m.submodules.key_engine = engine = KeyEngine()
        image_key = Signal(32)
        image_wanted, image_running, wanted, running = Signal(), Signal(), Signal(), Signal()
        slots = [Signal(32, name=f"key{i}") for i in range(2)]
        counts = [Signal(16, name=f"count{i}") for i in range(2)]
        count = Signal(16)
        writes = ((UNIT.slice(self.flags, "mode") != Mode.DECIDE)
                  & ~UNIT.slice(self.flags, "silent")) | self.start_learn
        m.d.comb += [self.keys.eq(Cat(*slots)), self.counts.eq(Cat(*counts))]
        with m.If(self.begin):
            m.d.sync += [image_wanted.eq(1), count.eq(0)]
        number = VECTOR.slice(self.t, "number")
        if self._learns:
            number = Mux(CONTROL.slice(self.flags, "opcode") == Opcode.LEARN,
                         MATRIX.slice(self.b, "number"), number)
            m.d.comb += self.sign.eq(image_key[31])
        with m.If(unit_decoded | learn_decoded):
            m.d.sync += wanted.eq(1)
        with m.If(engine.ready):
            with m.If(image_running):
                m.d.sync += [image_key.eq(engine.result), image_running.eq(0)]
            with m.Elif(running):
                with m.Switch(self.key_slot):
                    for i, slot in enumerate(slots):
                        with m.Case(i):
                            m.d.sync += slot.eq(engine.result)
                m.d.sync += running.eq(0)
            with m.Elif(image_wanted):
                m.d.comb += [engine.start.eq(1), engine.key.eq(self.seed),
                             engine.word.eq(self.image)]
                m.d.sync += [image_wanted.eq(0), image_running.eq(1)]
            with m.Elif(wanted):
                m.d.comb += [engine.start.eq(1), engine.key.eq(image_key),
                             engine.word.eq(Cat(number, count))]
                m.d.sync += [wanted.eq(0), running.eq(1)]
        with m.If(self.start_unit | self.start_learn):
            m.d.sync += [self.key_slot.eq(~self.key_slot), count.eq(count + writes)]
            with m.Switch(self.key_slot):
                for i, slot in enumerate(counts):
                    with m.Case(i):
                        m.d.sync += slot.eq(count)
        return ~(wanted | running)
