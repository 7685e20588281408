"""Sequencer: fetches instructions, decodes them ahead, issues one operation at a time.

It knows: issue an operation, repeat n times, repeat until settled, run images, stop.  While one
operation runs, the next is fetched and its four descriptors are read, so that a dependent
operation waits for the pipeline only and an independent one for nothing.
"""

from __future__ import annotations

from amaranth.hdl import Array, Const, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out, connect, flipped
from amaranth.utils import ceil_log2

from ..interface.config import EngineConfig
from ..interface.isa import (
    CONTROL,
    INDEX,
    LEARN,
    MATRIX,
    PROJECT,
    UNIT,
    VECTOR,
    WORD,
    Kind,
    Opcode,
)
from .keys import OperationKeys
from .ports import (
    DrawSignature,
    MixSignature,
    OperationSignature,
    RunSignature,
    Widths,
    address_bits,
)
from .rounding import reaches


class Sequencer(wiring.Component):
    """Runs the loaded program once an image.

    Latency: an instruction is decoded in 5 cycles and `code_latency`, hidden while the one before
    runs longer; a loop that may end early restarts after the pipeline is empty.

    Members
    -------
    run : In(RunSignature)
    operation : Out(OperationSignature)
    program_address, descriptor_address : Out
        Words wanted; `describing` says that it is the descriptor.
    code : In(64)
        The word, `code_latency` cycles later.
    projecting, updating : In(1)
        Issue of a unit goes on.
    projected, updated : In(1)
        Work of a unit is in its pipeline.
    summing, writing : In(1)
        It is there still when an operation that starts now begins to read.
    measuring : In(1)
        The largest movement and the decision are not final.
    signing : In(1)
        The signature is not complete.
    hold : In(1)
        Do not begin an image (the host uses a memory).
    moved : In(16), clear_moved : Out(1)
    learning, closing : In(1)
        A weight update runs; it looks at its operands no more.
    mix : In(MixSignature)
        Serial learning unit only: the key engine, while a weight update runs.
    start_draws : Out(1), draw_key : Out(32)
        With `start_unit`: the operation draws random words.
    draw : In(DrawSignature), mixed : Out(32)
        Serial table unit only: the key engine, while an operation draws, and what comes of it.
    take_key : In(1)
        The first write of the unit operation that started last comes in the next cycle.
    key : Out(32), count : Out(16)
        Key and operation count of the writes.
    """

    def __init__(self, config: EngineConfig):
        self.config = config
        super().__init__({
            "run": In(RunSignature()), "operation": Out(OperationSignature()),
            "program_address": Out(address_bits(config.program_depth)),
            "descriptor_address": Out(address_bits(config.descriptor_depth)),
            "describing": Out(1), "code": In(64),
            "projecting": In(1), "updating": In(1), "projected": In(1), "updated": In(1),
            "summing": In(1), "writing": In(1),
            "measuring": In(1), "signing": In(1), "hold": In(1), "moved": In(WORD),
            "clear_moved": Out(1), "learning": In(1), "closing": In(1), "mix": In(MixSignature()),
            "draw": In(DrawSignature()), "mixed": Out(32), "start_draws": Out(1),
            "draw_key": Out(32), "take_key": In(1), "key": Out(32), "count": Out(INDEX)})

    def elaborate(self, platform):
        m = Module()
        word, run, operation = self.code, self.run, self.operation
        opcode = CONTROL.slice(operation.flags, "opcode")
        pc = Signal(len(self.program_address))
        loops = Array(Signal(INDEX, name=f"loop{i}") for i in range(self.config.loop_counters))
        operand, loop = (CONTROL.slice(operation.flags, name) for name in ("operand", "loop"))
        loop = loop[:ceil_log2(self.config.loop_counters)]
        masks = self._masks()
        unit_decoded, learn_decoded, reseed, learned = Signal(), Signal(), Signal(), Signal()
        ahead_decoded = Signal()
        # The pulses to the units are registered: operands stand for another cycle.
        start_unit, start_learn, start_projection = Signal(), Signal(), Signal()
        m.d.sync += [operation.start_unit.eq(start_unit), operation.start_learn.eq(start_learn),
                     operation.start_projection.eq(start_projection)]
        m.submodules.keys = keys = self._keys(m)
        m.d.comb += [keys.unit_decoded.eq(unit_decoded), keys.learn_decoded.eq(learn_decoded),
                     keys.ahead_decoded.eq(ahead_decoded),
                     keys.reseed.eq(reseed), keys.start_unit.eq(start_unit),
                     keys.start_learn.eq(start_learn), keys.learned.eq(learned)]
        idle = Signal()
        # While a weight update comes to its end, the next instruction is decoded.
        learning = Const(0) if self.config.serial_learning else self.learning
        m.d.comb += [idle.eq(~(self.projecting | self.updating | self.projected | self.updated
                               | learning)),
                     self.program_address.eq(pc)]
        # From a state that has requested the next word in its last cycle.
        asked = "DECODE" if self.config.code_latency == 1 else "WAIT"
        # Descriptors: state, the one that arrives in it, the one that it asks for.
        reads = ([("TARGET", "t", "a"), ("FIRST", "a", "b"), ("SECOND", "b", "c"),
                  ("THIRD", "c", "")] if asked == "DECODE" else
                 [("SOURCE", "", "a"), ("TARGET", "t", "b"), ("FIRST", "a", "c"),
                  ("SECOND", "b", ""), ("THIRD", "c", "")])
        # Comparisons for the end of a loop, registered.
        ends, settled, measured = Signal(), Signal(), Signal()
        m.d.sync += [ends.eq(loops[loop] == 1), measured.eq(self.measuring),
                     settled.eq(CONTROL.slice(operation.flags, "until")
                                & reaches(CONTROL.slice(operation.flags, "threshold"), self.moved))]
        images = Signal(INDEX)
        with m.If(run.start):
            m.d.sync += [images.eq(run.images), run.started.eq(run.images != 0)]
        with m.FSM():
            with m.State("IDLE"):
                m.d.sync += pc.eq(0)
                with m.If(run.started):
                    m.next = "FETCH"
            with m.State("FETCH"):
                # Between images the host may be reading the memory of instructions.
                with m.If(~self.hold):
                    m.next = asked
            if asked == "WAIT":
                with m.State("WAIT"):
                    m.next = "DECODE"
            with m.State("DECODE"):
                m.d.sync += [operation.flags.eq(word & masks["flags"]), pc.eq(pc + 1)]
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
                m.d.sync += operation.noise_factor.eq(operand)
                m.next = asked
            for (state, name, asks), following in zip(reads, [*reads[1:], ("READY",)], strict=True):
                with m.State(state):
                    if name:
                        m.d.sync += getattr(operation, name).eq(self.code & masks[name])
                    if asks:
                        m.d.comb += [self.describing.eq(1), self.descriptor_address.eq(
                            PROJECT.slice(operation.flags, asks))]
                    if state == "TARGET":
                        m.d.comb += [unit_decoded.eq(opcode == Opcode.UNIT),
                                     ahead_decoded.eq((opcode == Opcode.PROJECT)
                                                      & PROJECT.slice(operation.flags, "ahead"))]
                    if state == "THIRD" and self._learns:
                        m.d.comb += learn_decoded.eq(
                            (opcode == Opcode.LEARN) & ~LEARN.slice(operation.flags, "silent"))
                    m.next = following[0]
            with m.State("READY"):
                unit = opcode == Opcode.UNIT
                learn = opcode == Opcode.LEARN if self._learns else Const(0)
                # Operations of one unit enter it in order; for the other unit, and for what is in
                # the pipelines, they wait where the assembler says so.
                sums = PROJECT.slice(operation.flags, "after_projections")
                units = PROJECT.slice(operation.flags, "after_units")
                writing = Mux(learn, self.updated, self.writing)  # its key takes effect at once
                free = ~(Mux(unit, self.updating, self.projecting) | learning
                         | (sums & (self.projecting | self.summing))
                         | (units & (self.updating | writing)))
                with m.If(free & (keys.ready | ~(unit | learn))):
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
                with m.If((run.ready != 0) & ~self.hold):
                    m.d.comb += run.begin.eq(1)
                    m.next = asked
            with m.State("REPEAT"):
                # What is still on its way must not count as movement of the first step.
                until = CONTROL.slice(operation.flags, "until")
                with m.If((idle & ~self.measuring) | ~until):
                    m.d.sync += loops[loop].eq(operand)
                    m.d.comb += self.clear_moved.eq(until)
                    m.next = asked
            with m.State("TURN"):
                m.d.comb += self.program_address.eq(operand)
                m.next = "LOOP"
            with m.State("LOOP"):
                until = CONTROL.slice(operation.flags, "until")
                # Another turn is the rule: its first instruction has been requested.
                m.d.comb += self.program_address.eq(operand)
                with m.If((idle & ~self.measuring & ~measured) | ~until):
                    m.d.comb += [run.stepped.eq(1), self.clear_moved.eq(until)]
                    m.d.sync += loops[loop].eq(loops[loop] - 1)
                    m.next = "FETCH"
                    with m.If(~(settled | ends)):
                        m.d.sync += pc.eq(operand)
                        m.next = "DECODE"
            with m.State("DONE"):
                with m.If(idle & ~self.signing & ~self.measuring):
                    m.d.comb += run.finish.eq(1)
                    m.d.sync += [pc.eq(0), images.eq(images - 1)]
                    if self.config.input_banks == 2:
                        m.d.sync += run.bank.eq(~run.bank)
                    with m.If(images == 1):
                        m.d.sync += run.started.eq(0)
                        m.next = "IDLE"
                    with m.Else():
                        m.next = "FETCH"
        with m.If(run.begin):
            m.d.sync += run.active.eq(1)
        with m.If(run.finish):
            m.d.sync += run.active.eq(0)
        m.d.sync += run.ready.eq(run.ready + run.commit - run.finish)
        self._banks(m)
        return m

    def _masks(self):
        """Bits of instruction and descriptors that are held: what the engine's sizes need."""
        config = self.config
        widths = Widths(config)
        states, sums, weights = widths.states, widths.sums, widths.weights
        lane_side = {"blocks": address_bits(max(config.state_depth, config.accumulator_depth) + 1),
                     "tail": config.width.bit_length()}
        operands = {name: address_bits(config.descriptor_depth) for name in "abc"}
        flags = PROJECT.mask(t=0, held=1 if config.change_depth else 0, **operands)
        flags |= CONTROL.mask(loop=ceil_log2(config.loop_counters))
        # What the units that this engine lacks would look at.
        absent = {"plain": config.plain, "negate": config.plain, "by_sign": config.learning,
                  "silent": config.smooth, "post": config.smooth, "draws": config.noise,
                  "noisy": config.noise, "changes": config.change_depth,
                  "whole": config.change_depth}
        absent = {name: 0 for name, there in absent.items() if not there}
        flags |= UNIT.mask(t=0, **absent, **operands)
        if config.learning:
            flags |= LEARN.mask(t=0, other=states, **operands)
            # Sides of an update are in state memory, its factor in the base of a descriptor.
            sums, factor, number = max(states, sums), WORD, {}
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
        operation = self.operation
        for descriptor, offset in ((operation.a, operation.bank_offset),
                                   (operation.b, operation.bank_offset_b)):
            events = VECTOR.slice(descriptor, "kind") == Kind.EVENT
            distance = Mux(events, self.config.event_depth, VECTOR.slice(descriptor, "blocks"))
            second = VECTOR.slice(descriptor, "banked") & self.run.bank
            m.d.comb += offset.eq(Mux(second, distance, 0))

    @property
    def _learns(self):
        return (Opcode.LEARN,) if self.config.learning else ()

    def _keys(self, m):
        """The keys of operations, mixed beside the decoding."""
        run, operation, keys = self.run, self.operation, OperationKeys(self.config)
        connect(m, flipped(self.mix), keys.mix)
        connect(m, flipped(self.draw), keys.draw)
        m.d.comb += [
            keys.begin.eq(run.begin), keys.seed.eq(run.seed), keys.image.eq(run.image),
            keys.flags.eq(operation.flags), keys.b.eq(operation.b), keys.t.eq(operation.t),
            keys.learning.eq(self.learning), keys.take_key.eq(self.take_key),
            operation.sign.eq(keys.sign), self.key.eq(keys.key), self.count.eq(keys.count),
            self.start_draws.eq(keys.start_draws), self.draw_key.eq(keys.draw_key),
            self.mixed.eq(keys.mixed)]
        return keys
