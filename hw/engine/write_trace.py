"""Trace port of an engine, in simulation only: every write of states and weights."""

from __future__ import annotations

from amaranth.hdl import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ..interface.config import EngineConfig
from ..interface.isa import INDEX, WORD
from .ports import LearnSignature, StateWriteSignature, TraceSignature, WeightWriteSignature
from .registers import count


def trace_name(tile: int) -> str:
    """What the names of the ports of a tile begin with."""
    return f"trace{tile}" if tile else "trace"


def trace_ports(config: EngineConfig) -> dict:
    """Names and widths of the trace ports of an engine."""
    return {f"{trace_name(tile)}_{name}": member.shape for tile in range(config.tiles)
            for name, member in TraceSignature(config).members.items()}


class WriteTrace(wiring.Component):
    """Makes a record of each write.

    Latency: none; a record is shown in the cycle of its write.

    Members
    -------
    image : In(32), operation : In(16)
        Number of the image; operation count of the writes.
    states : In(StateWriteSignature)
        A chunk is shown from its first counted lane on.
    update : In(LearnSignature)
        Operands of the weight update that starts: its matrix is named in the records.
    weights : In(WeightWriteSignature)
    trace : Out(TraceSignature)
    """

    def __init__(self, config: EngineConfig):
        self.config = config
        super().__init__({
            "image": In(32), "operation": In(INDEX), "states": In(StateWriteSignature(config)),
            "update": In(LearnSignature(config)), "weights": In(WeightWriteSignature(config)),
            "trace": Out(TraceSignature(config))})

    def elaborate(self, platform):
        m = Module()
        states, trace = self.states, self.trace
        m.d.comb += [
            trace.valid.eq(states.counted.any()), trace.image.eq(self.image),
            trace.operation.eq(self.operation), trace.vector.eq(states.vector),
            trace.count.eq(count(states.counted)),
            trace.unit.eq(states.unit), trace.values.eq(states.data)]
        for lane in reversed(range(1, self.config.update_lanes)):
            with m.If(states.counted[lane] & ~states.counted[lane - 1]):
                m.d.comb += [trace.unit.eq(states.unit + lane),
                             trace.values.eq(states.data >> WORD * lane)]
        if self.config.learning:
            number, weights = Signal(8), self.weights
            with m.If(self.update.start):
                m.d.sync += number.eq(self.update.number)
            m.d.comb += [
                trace.weight_valid.eq(weights.valid), trace.weight_image.eq(self.image),
                trace.weight_operation.eq(self.operation), trace.weight_matrix.eq(number),
                trace.weight_scalar.eq(weights.scalar), trace.weight_first.eq(weights.first),
                trace.weight_turned.eq(weights.turned), trace.weight_mask.eq(weights.mask),
                trace.weight_values.eq(weights.values)]
        return m
