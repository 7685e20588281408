"""Items, beats and sums."""

from __future__ import annotations

from amaranth.lib import data
from amaranth.lib.wiring import In, Out, Signature
from amaranth.utils import ceil_log2

from ...interface.config import EngineConfig
from ...interface.isa import INDEX, WORD
from .sizes import Widths


def beat_layout(config: EngineConfig):
    """What travels with a beat down the pipeline of the lanes."""
    words = Widths(config).sides
    return data.StructLayout({
        "valid": 1,
        # First and last beat of one sum.
        "first": 1, "last": 1,
        "dot": 1, "negative": 1, "started": 1,
        # Accumulator words written and started from; in dot direction its lane, and its tile.
        "into": words, "start": words, "lane": max(1, ceil_log2(config.lanes)),
        **({"tile": ceil_log2(config.tiles)} if config.tiles > 1 else {}),
        # Whether it is one of a weight update, of which term, which scalars are not 0.
        **({"learn": 1, "term": 1, "scalars": 2} if config.pipelined_learning else {}),
    })


class OperandSignature(Signature):
    """A beat: flags (`beat_layout`) and the scalar operand, at stage 0 of the lanes."""

    def __init__(self, config: EngineConfig):
        super().__init__({"beat": Out(beat_layout(config)), "value": Out(WORD)})


class ItemSignature(Signature):
    """An item of the scalar side of a matrix.

    Members
    -------
    valid : Out(1), last : Out(1)
        There is one; it is the last one of its block.
    index, value : Out
        Number of the scalar and its value.
    other : Out
        Of state words and the constant: the value in a second vector.
    """

    def __init__(self):
        super().__init__({"valid": Out(1), "last": Out(1), "index": Out(INDEX),
                          "value": Out(WORD), "other": Out(WORD)})


class WalkSignature(Signature):
    """How a learning unit has the scalar side walked by the issue of projections: items, no beats.

    Members
    -------
    start : Out(1)
        Begin: one block, or all of them (serial learning unit).
    busy : Out(1)
        A weight update runs.
    paired : Out(1)
        It has two terms: items that are not 0 in either count, and one comes in two cycles at most.
    advance, second : Out(1)
        Serial learning unit only: go on to the next item; show its value in the second vector.
    issuing : In(1), final : In(1)
        There may be more items; the block is the last one.
    item : In(ItemSignature)
        With the serial learning unit an item stands from 4 cycles after `start` or `advance` until
        `advance`; `second` shows the value in the second vector, 3 cycles later.
    side : In
        Serial learning unit only: word of the lane side, that of term 1 while `second`.
    """

    def __init__(self, config: EngineConfig):
        super().__init__({"start": Out(1), "busy": Out(1), "paired": Out(1), "advance": Out(1),
                          "second": Out(1), "issuing": In(1), "final": In(1),
                          "item": In(ItemSignature()), "side": In(Widths(config).sides)})


class DotSignature(Signature):
    """State words of dot beats: the word is there 1 cycle after `address`, where `wanted` is high.
    """

    def __init__(self, config: EngineConfig):
        super().__init__({"wanted": Out(1), "address": Out(Widths(config).states)})


class ScanSignature(Signature):
    """How state words are scanned for rates.

    Members
    -------
    start : Out(1), wanted : Out(1)
        A projection or a weight update begins; its source are state words, to be scanned.
    blocks, source, source_blocks, source_tail : Out
        Passes; first word, number of words and values in the last one.
    go : Out(1)
        Go on to the next item.
    either : Out(1)
        Items that are not 0 in this vector or in the second one.
    second : Out(1), apart : Out
        Read the value in a second vector, which is stored so many words after the first.
    """

    def __init__(self, config: EngineConfig):
        states = Widths(config).states
        super().__init__({
            "start": Out(1), "wanted": Out(1), "blocks": Out(10), "source": Out(states),
            "source_blocks": Out(10), "source_tail": Out(7), "go": Out(1), "either": Out(1),
            "second": Out(1), "apart": Out(states)})


class SumSignature(Signature):
    """Sums of the lanes as weight updates use them (pipelined learning unit).

    Members
    -------
    begin : In
        What each sum starts from, stage S.
    complete : Out(1), scalars : Out(2), totals : Out
        Sums are complete, which scalars were not 0, and the sums: stage S + 1.
    """

    def __init__(self, config: EngineConfig):
        word = Widths(config).sum_word
        super().__init__({"begin": In(word), "complete": Out(1), "scalars": Out(2),
                          "totals": Out(word)})
