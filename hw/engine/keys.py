"""Keys of operations: mixed one after the other while instructions are decoded."""

from __future__ import annotations

from amaranth.hdl import Cat, Const, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ...golden.numbers.addressed import COLUMN, DRAW
from ..interface.config import EngineConfig
from ..interface.isa import CONTROL, INDEX, LEARN, MATRIX, PROJECT, UNIT, VECTOR, Mode, Opcode
from .mixing import KeyEngine
from .ports import DrawSignature, MixSignature


class OperationKeys(wiring.Component):
    """Mixes the image key, then the key of each operation that writes.

    Latency: ``KEY_ROUNDS`` + 3 cycles from `begin`, or from an operation decoded, to `ready`; keys
    of random words, and (without `key_ahead`) the wait for the first write before, come on top.

    Members
    -------
    begin : In(1), seed, image : In(32)
        An image begins, of that number.
    flags, b, t : In(64)
        Instruction word and descriptors of the operation that is decoded.
    unit_decoded, learn_decoded, reseed : In(1)
        It is an elementwise operation or a weight update, and its number can be read; it sets the
        count of draws.
    ahead_decoded : In(1)
        A projection tells the number of the vector that the next elementwise operation writes: its
        key is mixed already, and taken if that is what comes.
    start_unit, start_learn, learned : In(1)
        It starts (in the next cycle); a weight update has ended.
    learning : In(1)
        A weight update runs.
    take_key : In(1)
        The first write of the elementwise operation that started last comes in the next cycle.
    mix : In(MixSignature)
        Serial learning unit only.
    ready : Out(1)
        The key of the decoded operation is there.
    key : Out(32), count : Out(16)
        Key and operation count of the writes.
    sign : Out(1)
        The sign of beta drawn for this image is -1.
    start_draws : Out(1), draw_key : Out(32)
        The operation that starts draws random words.  Where they are made one at a time the key
        comes 1 cycle later, and stays while `draw` is busy.
    draw : In(DrawSignature), mixed : Out(32)
        Random words one at a time only: numbers to be mixed, and what comes of them.
    """

    def __init__(self, config: EngineConfig):
        self.config = config
        super().__init__({
            "begin": In(1), "seed": In(32), "image": In(32), "flags": In(64), "b": In(64),
            "t": In(64), "unit_decoded": In(1), "learn_decoded": In(1), "reseed": In(1),
            "ahead_decoded": In(1),
            "start_unit": In(1), "start_learn": In(1), "learned": In(1), "learning": In(1),
            "take_key": In(1), "mix": In(MixSignature()), "draw": In(DrawSignature()),
            "mixed": Out(32), "ready": Out(1), "key": Out(32), "count": Out(INDEX),
            "sign": Out(1), "start_draws": Out(1), "draw_key": Out(32)})

    def elaborate(self, platform):
        m = Module()
        flags = self.flags
        m.submodules.key_engine = engine = KeyEngine()
        image_key = Signal(32)
        one_by_one = self.config.serial_draws
        drawing = UNIT.slice(flags, "draws") if self.config.noise else Const(0)
        # The key of an operation stays in its engine, or beside it, until the first write needs it.
        waiting, ahead = Signal(), Signal(INDEX)
        kept, occupied = engine.result, waiting
        if self.config.key_ahead:
            # One place is enough, see `ready`.
            kept, occupied = Signal(32), Const(0)
            with m.If(self.start_unit & ~(drawing if one_by_one else Const(0))):
                m.d.sync += kept.eq(engine.result)
        image_wanted, image_running, wanted, running = Signal(), Signal(), Signal(), Signal()
        count = Signal(INDEX)
        writes = ((UNIT.slice(flags, "mode") != Mode.DECIDE)
                  & ~UNIT.slice(flags, "silent"))
        number = VECTOR.slice(self.t, "number")
        if self.config.learning:
            number = Mux(CONTROL.slice(flags, "opcode") == Opcode.LEARN,
                         MATRIX.slice(self.b, "number"), number)
            m.d.comb += self.sign.eq(image_key[31])
        # Held while the engine works: the image key is mixed before any other.
        m.d.comb += engine.key.eq(Mux(image_wanted | image_running, self.seed, image_key))
        with m.If(self.begin):
            m.d.sync += [image_wanted.eq(1), count.eq(0)]
        if self.config.serial_learning:
            # The key of the update takes the place of the image key, which is mixed once more.
            with m.If(self.learned):
                m.d.sync += image_wanted.eq(1)
        # The key of what a projection announced is mixed, or will be.
        early, announced, check = Signal(), Signal(8), Signal()
        own = number
        number = Mux(early, announced, own)
        m.d.sync += check.eq(self.unit_decoded & early)
        following = PROJECT.slice(flags, "next")
        with m.If(self.ahead_decoded & ~(early & (announced == following))):
            m.d.sync += [early.eq(1), announced.eq(following), wanted.eq(1)]
        # A program makes 65536 writes at most, from a count of 65535 on.
        draws, draw_wanted, draw_running = Signal(17), Signal(), Signal()
        if self.config.noise:
            m.d.sync += self.start_draws.eq(self.start_unit & drawing)
            with m.If(self.begin):
                m.d.sync += draws.eq(0)
            with m.If(self.reseed):
                m.d.sync += draws.eq(CONTROL.slice(flags, "operand"))
            with m.If(self.unit_decoded & drawing):
                m.d.sync += draw_wanted.eq(1)
        word = Cat(number, count)
        others = Signal() if one_by_one else Const(0)
        if one_by_one:
            # The key of the operation goes first, and beside; that of its words stays, and takes
            # the place of the image key, which is mixed once more.
            draw, drew = self.draw, Signal()
            m.d.sync += drew.eq(draw.busy)
            m.d.comb += [others.eq(draw.busy | drew), self.draw_key.eq(image_key),
                         engine.start.eq(draw.start)]
            word = Mux(draw.busy, Cat(draw.unit, Const(COLUMN >> INDEX, 1)),
                       Mux(wanted, word, Cat(Const(DRAW, 8), draws)))
            with m.If(self.start_draws):
                m.d.sync += image_key.eq(engine.result)
            with m.If(drew & ~draw.busy):
                m.d.sync += image_wanted.eq(1)
        elif self.config.noise:
            word = Mux(draw_wanted & ~occupied, Cat(Const(DRAW, 8), draws), word)
        if self.config.serial_learning:
            word = Mux(self.learning, self.mix.word, word)
            m.d.comb += self.mix.mixed.eq(engine.result)
            with m.If(self.mix.start):
                m.d.comb += engine.start.eq(1)
        m.d.comb += self.mixed.eq(engine.result)
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
                m.d.sync += draw_running.eq(0)
                if not one_by_one:
                    m.d.sync += self.draw_key.eq(engine.result)
            with m.Elif(draw_wanted & ~(check | wanted | waiting if one_by_one else occupied)):
                m.d.comb += engine.start.eq(1)
                m.d.sync += [draw_wanted.eq(0), draw_running.eq(1), draws.eq(draws + 1)]
                if one_by_one:
                    m.d.sync += kept.eq(engine.result)
            with m.Elif(wanted & ~(others if one_by_one else occupied)):
                m.d.comb += engine.start.eq(1)
                m.d.sync += [wanted.eq(0), running.eq(1)]
        with m.If(self.start_unit):
            m.d.sync += [waiting.eq(1), ahead.eq(count)]
        # The second place of weights is updated under the number and the key of the first one.
        counted = self.start_learn & ~LEARN.slice(flags, "silent")
        with m.If(self.start_unit | counted):
            m.d.sync += count.eq(count + (writes | counted))
        with m.If(self.take_key):
            m.d.sync += [waiting.eq(0), self.key.eq(kept), self.count.eq(ahead)]
        with m.If(counted):
            m.d.sync += self.count.eq(count)
            absorbs = image_key if self.config.serial_learning else self.key
            m.d.sync += absorbs.eq(engine.result)
        with m.If(self.mix.take):
            m.d.sync += self.key.eq(engine.result)
        # The descriptor is there one cycle after it is decoded.  A decision needs no key.
        keyed = writes | drawing
        with m.If((self.unit_decoded & ~early & keyed) | self.learn_decoded
                  | (check & keyed & ((announced != own) | drawing))):
            m.d.sync += [wanted.eq(1), early.eq(0)]
        with m.If(self.start_unit):
            m.d.sync += early.eq(0)
        # One operation at most waits for its first write: its key and its controls stand by.
        m.d.comb += self.ready.eq(~(check | waiting | wanted | running | draw_wanted
                                    | draw_running))
        return m
