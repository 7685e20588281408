"""Decoded operations, from the sequencer to the units."""

from __future__ import annotations

from amaranth.lib import data
from amaranth.lib.wiring import Out, Signature

from ...interface.config import EngineConfig
from ...interface.isa import INDEX, WORD
from .sizes import Widths


class OperationSignature(Signature):
    """The operation that starts: instruction and descriptors, see :class:`.sequencer.Sequencer`.

    Members
    -------
    start_projection, start_unit, start_learn : Out(1)
        Take the operands below (a weight update reads them, and the key, as long as it runs).
    flags : Out(64)
        Instruction word.
    a, b, c, t : Out(64)
        Descriptors; fields that this engine has no use for are 0.
    bank_offset, bank_offset_b : Out
        What to add to the base of descriptors a and b.
    noise_factor : Out
    sign : Out(1)
        The sign of beta drawn for this image is -1.
    """

    def __init__(self):
        super().__init__({
            "start_projection": Out(1), "start_unit": Out(1), "start_learn": Out(1),
            "flags": Out(64), "a": Out(64), "b": Out(64), "c": Out(64), "t": Out(64),
            "bank_offset": Out(INDEX), "bank_offset_b": Out(INDEX), "noise_factor": Out(WORD),
            "sign": Out(1)})


class ProjectionSignature(Signature):
    """Operands of a projection, taken with `start`.

    Members
    -------
    dot, negative, started : Out(1)
        Direction, sign, and whether sums start from accumulators.
    kind, source, source_blocks, source_tail : Out
        Vector of the source; `other` is the base of a second one (weight updates).
    matrix, rows, blocks, tail : Out
        Descriptor of the matrix.
    into, begin : Out
        First words of the accumulators written and started from.
    held : Out(1)
        The last item waits until an elementwise operation that starts later has been issued.
    """

    def __init__(self, config: EngineConfig):
        widths = Widths(config)
        super().__init__({
            "start": Out(1), "dot": Out(1), "negative": Out(1), "started": Out(1),
            "kind": Out(2), "source": Out(INDEX), "source_blocks": Out(10), "source_tail": Out(7),
            "other": Out(INDEX), "matrix": Out(widths.weights), "rows": Out(INDEX),
            "blocks": Out(10), "tail": Out(7), "into": Out(widths.sides),
            "begin": Out(widths.sides), "held": Out(1)})


class UnitSignature(Signature):
    """Operands of an elementwise operation, taken with `start`: fields of `isa.UNIT` and places.

    Members
    -------
    a, b, c, t : Out
        First words of state a, state b, sums and target.
    blocks, tail, limits, number : Out
        Descriptor of the target.
    factor : Out, factor_negative : Out(1)
        Scale factor; by minus that (serial learning unit only).
    """

    def __init__(self, config: EngineConfig):
        widths = Widths(config)
        super().__init__({
            "start": Out(1), "mode": Out(3), "nudge": Out(1), "nudge_negative": Out(1),
            "plain": Out(1), "negate": Out(1), "silent": Out(1), "shift": Out(3),
            "nudge_shift": Out(4), "post": Out(3), "draws": Out(1), "noisy": Out(1),
            "changes": Out(1), "whole": Out(1), "factor": Out(WORD), "factor_negative": Out(1),
            "a": Out(widths.states), "b": Out(widths.states), "c": Out(widths.sums),
            "t": Out(widths.targets), "blocks": Out(10), "tail": Out(7), "limits": Out(2),
            "number": Out(8)})


class LearnSignature(Signature):
    """Operands of a weight update; they stand still from `start` on.

    Members
    -------
    two, turned, silent : Out(1), negative : Out(2)
        Fields of the instruction.
    matrix, rows, blocks, tail, number : Out
        Descriptor of the matrix.
    lane_bases : Out
        First words of the lane sides of both terms.
    """

    def __init__(self, config: EngineConfig):
        widths = Widths(config)
        super().__init__({
            "start": Out(1), "two": Out(1), "turned": Out(1), "silent": Out(1),
            "negative": Out(2),
            "matrix": Out(widths.weights), "rows": Out(INDEX), "blocks": Out(10), "tail": Out(7),
            "number": Out(8), "lane_bases": Out(data.ArrayLayout(widths.states, 2))})
