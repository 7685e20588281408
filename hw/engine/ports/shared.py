"""What serial units have from other units."""

from __future__ import annotations

from amaranth.hdl import signed
from amaranth.lib.wiring import In, Out, Signature

from ...interface.config import EngineConfig
from ...interface.isa import INDEX, LANE_BITS, WORD
from .sizes import Widths


class MixSignature(Signature):
    """The key engine, while a weight update runs: it absorbs `word` into the key of the operation.

    `mixed` is there ``KEY_ROUNDS`` + 1 cycles after `start`; `take` makes it the key.
    """

    def __init__(self):
        super().__init__({"start": Out(1), "word": Out(17), "take": Out(1), "mixed": In(32)})


class CrossSignature(Signature):
    """Lane 0 of the signature unit, while `busy`: random words of an element, then its signature.

    Members
    -------
    word : Out(32), x, y : In
        Mixed with the key, and what comes of it `CROSS_LATENCY` cycles later.
    changed : Out(1), mixed : Out
        The sum takes `mixed`.
    """

    def __init__(self):
        super().__init__({"busy": Out(1), "word": Out(32), "x": In(WORD), "y": In(WORD),
                          "changed": Out(1), "mixed": Out(WORD)})


class ProductSignature(Signature):
    """The multiplier of scaled factors, while `busy`: products of `state_a` and `value`.

    See :class:`apical.hw.engine.product.ProductSum`; `a` is the value of the state.
    """

    def __init__(self):
        super().__init__({"busy": Out(1), "value": Out(WORD), "load": Out(1), "add": Out(1),
                          "subtract": Out(1), "begin": Out(32), "total": In(32), "a": In(WORD)})


class LaneWordSignature(Signature):
    """The lanes of a weight word in the host port, while `busy`.

    Members
    -------
    lane : Out, old : In
        Shows the weight of a lane two cycles later.
    shift : Out(1), new : Out
        Takes the next lane of the new word, in order.
    word : In
        The new word as far as it was put together.
    """

    def __init__(self, config: EngineConfig):
        super().__init__({"busy": Out(1), "lane": Out(LANE_BITS), "old": In(WORD),
                          "shift": Out(1), "new": Out(WORD), "word": In(WORD * config.lanes)})


class DrawSignature(Signature):
    """The key engine while an operation draws random words one at a time: it absorbs numbers.

    Members
    -------
    busy : Out(1)
        The operation goes on.
    start : Out(1), unit : Out
        Mixes the number of a unit into the key of the operation's random words; it is there
        ``KEY_ROUNDS`` + 1 cycles later.
    """

    def __init__(self):
        super().__init__({"busy": Out(1), "start": Out(1), "unit": Out(INDEX)})


class TableSignature(Signature):
    """What the serial table unit has of the one tile.

    Members
    -------
    z, state : In
        Value before the function and state of the unit at which the pipeline stands.
    unit, address, lane : In
        Number of the unit, and its place: word and lane.
    value : Out
        What is written instead of z, where there is a function.
    busy : Out(1)
        There is a function: the multiplier adds products of `a` and `b`
        (:class:`apical.hw.engine.product.ProductSum`), and the word of weights is a sample:
    sample_lane : Out, sample : In
        shows a lane of the word that is there, 1 cycle later.
    gating : Out(1), gated : Out
        Dot beats write this current instead of their sum.
    crossing : Out(1), word : Out(32), random : In(32)
        The crossing of the signature mixes this word; what comes of it follows `CROSS_LATENCY`
        cycles later.
    """

    def __init__(self, config: EngineConfig):
        widths = Widths(config)
        super().__init__({
            "z": In(signed(WORD)), "state": In(signed(WORD)), "unit": In(INDEX),
            "address": In(widths.targets), "lane": In(LANE_BITS), "value": Out(WORD),
            "busy": Out(1), "a": Out(WORD), "b": Out(WORD), "load": Out(1), "add": Out(1),
            "subtract": Out(1), "begin": Out(WORD), "total": In(32),
            "sample_lane": Out(LANE_BITS), "sample": In(WORD), "gating": Out(1),
            "gated": Out(signed(WORD + 1)), "crossing": Out(1), "word": Out(32),
            "random": In(32)})
