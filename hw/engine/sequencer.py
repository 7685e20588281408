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

from ...golden.numbers.addressed import DRAW
from ..interface.config import EngineConfig
from ..interface.isa import CONTROL, LEARN, MATRIX, PROJECT, UNIT, VECTOR, Kind, Mode, Opcode
from .memory import address_bits
from .mixing import KeyEngine
from .rounding import reaches


class Sequencer(wiring.Component):
    """Runs the loaded program once an image.

    Latency: an instruction is decoded in 5 cycles and `code_latency`, hidden behind the one before
    where that takes longer; a loop that may end early restarts behind the pipeline.

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
        The word, `code_latency` cycles later.
    projecting, updating : In(1)
        Issue of a unit goes on.
    projected, updated : In(1)
        Work of a unit is in its pipeline.
    measuring : In(1)
        The greatest movement and the decision are not final.
    signing : In(1)
        The signature is not complete.
    hold : In(1)
        Do not begin an image (the host uses a memory).
    moved : In(16), clear_moved : Out(1)
    start_projection, start_unit, start_learn : Out(1)
        Take the operands below (a weight update reads them, and the key, as long as it runs).
    learning, closing : In(1)
        A weight update runs; it looks at its operands no more.
    hash_start : In(1), hash_word : In(17), take_mix : In(1), mixed : Out(32)
        Serial learning unit only.  While a weight update runs, the key engine absorbs the word
        into the key of the operation; `mixed` is there ``KEY_ROUNDS`` + 1 cycles later, and
        `take_mix` puts it into `key`.
    start_draws : Out(1), draw_key : Out(32)
        With `start_unit`: the operation draws random words.
    noise_factor : Out(16)
    sign : Out(1)
        The sign of beta drawn for this image is -1.
    flags : Out(64)
        Instruction word.
    a, b, c, t : Out(64)
        Descriptors; fields that this engine has no use for are 0.
    bank_offset : Out(16)
        What to add to the base of descriptor a; `bank_offset_b` for b.
    take_key : In(1)
        The first write of the unit operation that started last comes in the next cycle.
    key : Out(32), count : Out(16)
        Key and operation count of the writes.
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
            "measuring": In(1),
            "signing": In(1), "hold": In(1), "moved": In(16), "clear_moved": Out(1),
            "start_projection": Out(1), "start_unit": Out(1), "start_learn": Out(1),
            "learning": In(1), "closing": In(1), "hash_start": In(1), "hash_word": In(17),
            "take_mix": In(1), "mixed": Out(32), "sign": Out(1), "start_draws": Out(1),
            "draw_key": Out(32),
            "noise_factor": Out(16), "flags": Out(64),
            "a": Out(64), "b": Out(64), "c": Out(64), "t": Out(64),
            "bank_offset": Out(16), "bank_offset_b": Out(16),
            "take_key": In(1), "key": Out(32), "count": Out(16),
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
        masks = self._masks()
        unit_decoded, learn_decoded, reseed, learned = Signal(), Signal(), Signal(), Signal()
        # The pulses to the units are registered: operands stand for another cycle.
        start_unit, start_learn, start_projection = Signal(), Signal(), Signal()
        m.d.sync += [self.start_unit.eq(start_unit), self.start_learn.eq(start_learn),
                     self.start_projection.eq(start_projection)]
        keyed = self._keys(m, unit_decoded, learn_decoded, reseed, start_unit, start_learn,
                           learned)
        idle = Signal()
        # While a weight update comes to its end, the next instruction is decoded.
        learning = Const(0) if self.config.serial_learning else self.learning
        m.d.comb += [idle.eq(~(self.projecting | self.updating | self.projected | self.updated
                               | learning)),
                     self.program_address.eq(pc)]
        # From a state that has asked for the next word in its last cycle.
        asked = "DECODE" if self.config.code_latency == 1 else "WAIT"
        # Descriptors: state, the one that arrives in it, the one that it asks for.
        reads = ([("TARGET", "t", "a"), ("FIRST", "a", "b"), ("SECOND", "b", "c"),
                  ("THIRD", "c", "")] if asked == "DECODE" else
                 [("SOURCE", "", "a"), ("TARGET", "t", "b"), ("FIRST", "a", "c"),
                  ("SECOND", "b", ""), ("THIRD", "c", "")])
        # Comparisons for the end of a loop, registered.
        ends, settled, measured = Signal(), Signal(), Signal()
        m.d.sync += [ends.eq(loops[loop] == 1), measured.eq(self.measuring),
                     settled.eq(CONTROL.slice(self.flags, "until")
                                & reaches(CONTROL.slice(self.flags, "threshold"), self.moved))]
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
                    m.next = asked
            if asked == "WAIT":
                with m.State("WAIT"):
                    m.next = "DECODE"
            with m.State("DECODE"):
                m.d.sync += [self.flags.eq(word & masks["flags"]), pc.eq(pc + 1)]
                m.d.comb += [self.descriptor_address.eq(PROJECT.slice(word, "t")),
                             self.describing.eq(1)]
                with m.Switch(CONTROL.slice(word, "opcode")):
                    with m.Case(Opcode.PROJECT, Opcode.UNIT, *self._learns):
                        m.next = reads[0][0]
                    with m.Case(Opcode.IMAGE):
                        m.next = "IMAGE"
                    with m.Case(Opcode.REPEAT):
                        m.next = "REPEAT"
                    with m.Case(Opcode.LOOP):
                        m.next = "TURN"
                    if self.config.noise:
                        with m.Case(Opcode.RESEED):
                            m.next = "RESEED"
                        with m.Case(Opcode.FACTOR):
                            m.next = "FACTOR"
                    with m.Default():
                        m.next = "DONE"
            with m.State("RESEED"):
                m.d.comb += reseed.eq(1)
                m.next = asked
            with m.State("FACTOR"):
                m.d.sync += self.noise_factor.eq(operand)
                m.next = asked
            for (state, name, asks), following in zip(reads, [*reads[1:], ("READY",)], strict=True):
                with m.State(state):
                    if name:
                        m.d.sync += getattr(self, name).eq(self.code & masks[name])
                    if asks:
                        m.d.comb += [self.descriptor_address.eq(PROJECT.slice(self.flags, asks)),
                                     self.describing.eq(1)]
                    if state == "TARGET":
                        m.d.comb += unit_decoded.eq(opcode == Opcode.UNIT)
                    if state == "THIRD" and self._learns:
                        m.d.comb += learn_decoded.eq(opcode == Opcode.LEARN)
                    m.next = following[0]
            with m.State("READY"):
                unit = opcode == Opcode.UNIT
                learn = opcode == Opcode.LEARN if self._learns else Const(0)
                free = Mux(CONTROL.slice(self.flags, "overlap"),
                           ~(self.projecting | self.updating | learning), idle)
                with m.If(free & (keyed | ~(unit | learn))):
                    m.d.comb += [start_unit.eq(unit), start_learn.eq(learn),
                                 start_projection.eq(~(unit | learn))]
                    m.next = "DECODE"
                    if self._learns:
                        with m.If(learn):
                            m.next = "BEGIN"
            with m.State("BEGIN"):
                m.next = "LEARN"
            with m.State("LEARN"):
                with m.If(self.closing):
                    m.d.comb += learned.eq(1)
                    m.next = "DECODE"
            with m.State("IMAGE"):
                with m.If((self.ready != 0) & ~self.hold):
                    m.d.comb += self.begin.eq(1)
                    m.next = asked
            with m.State("REPEAT"):
                # What is still on its way must not count as movement of the first step.
                until = CONTROL.slice(self.flags, "until")
                with m.If((idle & ~self.measuring) | ~until):
                    m.d.sync += loops[loop].eq(operand)
                    m.d.comb += self.clear_moved.eq(until)
                    m.next = asked
            with m.State("TURN"):
                m.d.comb += self.program_address.eq(operand)
                m.next = "LOOP"
            with m.State("LOOP"):
                until = CONTROL.slice(self.flags, "until")
                # Another turn is the rule: its first instruction has been asked for.
                m.d.comb += self.program_address.eq(operand)
                with m.If((idle & ~self.measuring & ~measured) | ~until):
                    m.d.comb += [self.stepped.eq(1), self.clear_moved.eq(until)]
                    m.d.sync += loops[loop].eq(loops[loop] - 1)
                    m.next = "FETCH"
                    with m.If(~(settled | ends)):
                        m.d.sync += pc.eq(operand)
                        m.next = "DECODE"
            with m.State("DONE"):
                with m.If(idle & ~self.signing & ~self.measuring):
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

    def _masks(self):
        """Bits of instruction and descriptors that are held: what the engine's sizes need."""
        config = self.config
        states, sums = address_bits(config.state_depth), address_bits(config.accumulator_depth)
        weights = address_bits(config.weight_depth)
        lane_side = {"blocks": address_bits(max(config.state_depth, config.accumulator_depth) + 1),
                     "tail": config.lanes.bit_length()}
        operands = {name: address_bits(config.descriptor_depth) for name in "abc"}
        flags = PROJECT.mask(t=0, **operands) | CONTROL.mask(loop=ceil_log2(config.loop_counters))
        # What the units that this engine has not would look at.
        absent = {"plain": config.plain, "negate": config.plain, "by_sign": config.learning,
                  "silent": config.smooth, "post": config.smooth, "draws": config.noise,
                  "noisy": config.noise}
        absent = {name: 0 for name, there in absent.items() if not there}
        flags |= UNIT.mask(t=0, **absent, **operands)
        if config.learning:
            flags |= LEARN.mask(t=0, other=states, **operands)
            # Sides of an update lie in state memory, its factor in the base of a descriptor.
            sums, factor, number = max(states, sums), 16, {}
        else:
            factor, number = states, {"number": 0}
        return {
            "flags": flags,
            "a": VECTOR.mask(**lane_side, limits=0, number=0),
            "b": MATRIX.mask(base=max(weights, states), rows=weights + 1, **lane_side, **number)
            | VECTOR.mask(base=factor, **lane_side, limits=0, number=0),
            "c": VECTOR.mask(base=sums, blocks=0, tail=0, kind=0, banked=0, limits=0, number=0),
            "t": VECTOR.mask(base=max(states, sums), **lane_side, kind=0, banked=0)}

    def _banks(self, m):
        """Clamped vectors may have two places, used in turn."""
        for descriptor, offset in ((self.a, self.bank_offset), (self.b, self.bank_offset_b)):
            events = VECTOR.slice(descriptor, "kind") == Kind.EVENT
            distance = Mux(events, self.config.event_depth, VECTOR.slice(descriptor, "blocks"))
            m.d.comb += offset.eq(Mux(VECTOR.slice(descriptor, "banked") & self.bank, distance, 0))

    @property
    def _learns(self):
        return (Opcode.LEARN,) if self.config.learning else ()

    def _keys(self, m, unit_decoded, learn_decoded, reseed, start_unit, start_learn, learned):
        """Mix the image key, then the key of each unit operation while it is decoded.

        Returns whether the key of the decoded operation is there.
        """
        m.submodules.key_engine = engine = KeyEngine()
        image_key = Signal(32)
        # The key of an operation stays in its engine, or beside it, until the first write needs it.
        waiting, ahead = Signal(), Signal(16)
        kept, occupied = engine.result, waiting
        if self.config.key_ahead:
            # One place is enough: a key takes longer to mix than a first write to come.
            kept, occupied = Signal(32), Const(0)
            with m.If(start_unit):
                m.d.sync += kept.eq(engine.result)
        image_wanted, image_running, wanted, running = Signal(), Signal(), Signal(), Signal()
        count = Signal(16)
        writes = ((UNIT.slice(self.flags, "mode") != Mode.DECIDE)
                  & ~UNIT.slice(self.flags, "silent"))
        number = VECTOR.slice(self.t, "number")
        if self._learns:
            number = Mux(CONTROL.slice(self.flags, "opcode") == Opcode.LEARN,
                         MATRIX.slice(self.b, "number"), number)
            m.d.comb += self.sign.eq(image_key[31])
        # Held while the engine works: the image key is mixed before any other.
        m.d.comb += engine.key.eq(Mux(image_wanted | image_running, self.seed, image_key))
        with m.If(self.begin):
            m.d.sync += [image_wanted.eq(1), count.eq(0)]
        if self.config.serial_learning:
            # The key of the update takes the place of the image key, which is mixed once more.
            with m.If(learned):
                m.d.sync += image_wanted.eq(1)
        with m.If(unit_decoded | learn_decoded):
            m.d.sync += wanted.eq(1)
        draws, draw_wanted, draw_running = Signal(24), Signal(), Signal()
        drawing = UNIT.slice(self.flags, "draws") if self.config.noise else Const(0)
        if self.config.noise:
            m.d.sync += self.start_draws.eq(start_unit & drawing)
            with m.If(self.begin):
                m.d.sync += draws.eq(0)
            with m.If(reseed):
                m.d.sync += draws.eq(CONTROL.slice(self.flags, "operand"))
            with m.If(unit_decoded & drawing):
                m.d.sync += draw_wanted.eq(1)
        word = Cat(number, count)
        if self.config.noise:
            word = Mux(draw_wanted & ~occupied, Cat(Const(DRAW, 8), draws), word)
        if self.config.serial_learning:
            word = Mux(self.learning, self.hash_word, word)
            m.d.comb += self.mixed.eq(engine.result)
            with m.If(self.hash_start):
                m.d.comb += engine.start.eq(1)
        m.d.comb += engine.word.eq(Mux(image_wanted, self.image, word))
        with m.If(engine.ready):
            with m.If(image_running):
                m.d.sync += [image_key.eq(engine.result), image_running.eq(0)]
            with m.Elif(running):
                m.d.sync += running.eq(0)
            with m.Elif(image_wanted):
                m.d.comb += engine.start.eq(1)
                m.d.sync += [image_wanted.eq(0), image_running.eq(1)]
            with m.Elif(draw_running):
                m.d.sync += [self.draw_key.eq(engine.result), draw_running.eq(0)]
            with m.Elif(draw_wanted & ~occupied):
                m.d.comb += engine.start.eq(1)
                m.d.sync += [draw_wanted.eq(0), draw_running.eq(1), draws.eq(draws + 1)]
            with m.Elif(wanted & ~occupied):
                m.d.comb += engine.start.eq(1)
                m.d.sync += [wanted.eq(0), running.eq(1)]
        with m.If(start_unit):
            m.d.sync += [waiting.eq(1), ahead.eq(count)]
        with m.If(start_unit | start_learn):
            m.d.sync += count.eq(count + (writes | start_learn))
        with m.If(self.take_key):
            m.d.sync += [waiting.eq(0), self.key.eq(kept), self.count.eq(ahead)]
        with m.If(start_learn):
            m.d.sync += self.count.eq(count)
            absorbs = image_key if self.config.serial_learning else self.key
            m.d.sync += absorbs.eq(engine.result)
        with m.If(self.take_mix):
            m.d.sync += self.key.eq(engine.result)
        return ~(wanted | running | draw_wanted | draw_running)
