"""What serial units have from other units."""

from __future__ import annotations

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


class SampleSignature(Signature):
    """Samples of tables in the weight memory, while `busy` (serial table unit).

    Members
    -------
    address : Out
        Word of a sample; it is there `weight_latency` cycles later.
    lane : Out, sample : In
        Shows a lane of the word that is there, 1 cycle later.
    """

    def __init__(self, config: EngineConfig):
        super().__init__({"busy": Out(1), "address": Out(Widths(config).weights),
                          "lane": Out(LANE_BITS), "sample": In(WORD)})
