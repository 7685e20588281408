"""Operands of the units, cut from the instruction word and its descriptors."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Mux
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ..interface.config import EngineConfig
from ..interface.isa import INDEX, LEARN, MATRIX, PROJECT, UNIT, VECTOR
from .ports import LearnSignature, OperationSignature, ProjectionSignature, UnitSignature, Widths

#: Fields of `UNIT` that the unit pipeline takes as they are.
_UNIT_FIELDS = ("mode", "nudge", "plain", "negate", "silent", "shift", "nudge_shift", "post",
                "draws", "noisy", "changes", "whole")


class Operands(wiring.Component):
    """Decodes the operation of the sequencer for each unit.

    Latency: none.

    Members
    -------
    operation : In(OperationSignature)
    projection : Out(ProjectionSignature)
    unit : Out(UnitSignature)
    learn : Out(LearnSignature)
    """

    def __init__(self, config: EngineConfig):
        self.config = config
        super().__init__({
            "operation": In(OperationSignature()), "projection": Out(ProjectionSignature(config)),
            "unit": Out(UnitSignature(config)), "learn": Out(LearnSignature(config))})

    def elaborate(self, platform):
        m = Module()
        operation = self.operation
        base_a, base_b = (
            (VECTOR.slice(descriptor, "base") + offset)[:INDEX] for descriptor, offset in (
                (operation.a, operation.bank_offset), (operation.b, operation.bank_offset_b)))
        self._projection(m, base_a)
        self._unit(m, base_a, base_b)
        if self.config.learning:
            self._learn(m)
        return m

    def _projection(self, m, base):
        operation, out = self.operation, self.projection
        a, b = operation.a, operation.b
        m.d.comb += [
            out.start.eq(operation.start_projection), out.kind.eq(VECTOR.slice(a, "kind")),
            out.source.eq(base), out.source_blocks.eq(VECTOR.slice(a, "blocks")),
            out.source_tail.eq(VECTOR.slice(a, "tail")),
            out.other.eq(LEARN.slice(operation.flags, "other")),
            out.matrix.eq(MATRIX.slice(b, "base")), out.rows.eq(MATRIX.slice(b, "rows")),
            out.blocks.eq(MATRIX.slice(b, "blocks")), out.tail.eq(MATRIX.slice(b, "tail")),
            out.into.eq(VECTOR.slice(operation.t, "base")),
            out.begin.eq(VECTOR.slice(operation.c, "base"))]
        for name in ("dot", "negative", "started", "held"):
            m.d.comb += getattr(out, name).eq(PROJECT.slice(operation.flags, name))

    def _unit(self, m, base_a, base_b):
        config, operation, out = self.config, self.operation, self.unit
        flags, b, t = operation.flags, operation.b, operation.t
        m.d.comb += [
            out.start.eq(operation.start_unit), out.a.eq(base_a), out.b.eq(base_b),
            out.c.eq(VECTOR.slice(operation.c, "base")), out.t.eq(VECTOR.slice(t, "base")),
            out.nudge_negative.eq(UNIT.slice(flags, "nudge_negative"))]
        for name in ("blocks", "tail", "limits", "number"):
            m.d.comb += getattr(out, name).eq(VECTOR.slice(t, name))
        for name in _UNIT_FIELDS:
            m.d.comb += getattr(out, name).eq(UNIT.slice(flags, name))
        factor = VECTOR.slice(b, "base").as_signed()
        m.d.comb += out.factor.eq(factor)
        if config.learning:
            # Both beta and a factor may be multiplied by the sign drawn for the image.
            turn = operation.sign & UNIT.slice(flags, "by_sign")
            m.d.comb += [out.nudge_negative.eq(UNIT.slice(flags, "nudge_negative") ^ turn),
                         out.factor_negative.eq(turn)]
            if not config.serial_learning:
                m.d.comb += out.factor.eq(Mux(turn, -factor, factor))
        if config.noise:
            with m.If(UNIT.slice(flags, "noisy")):
                # The sign of beta is not that of noise.
                m.d.comb += [out.factor.eq(operation.noise_factor), out.factor_negative.eq(0)]

    def _learn(self, m):
        operation, out = self.operation, self.learn
        flags, b = operation.flags, operation.b
        states = Widths(self.config).states
        m.d.comb += [
            out.start.eq(operation.start_learn),
            out.lane_bases.as_value().eq(Cat(
                *(VECTOR.slice(descriptor, "base")[:states]
                  for descriptor in (operation.c, operation.t)))),
            out.matrix.eq(MATRIX.slice(b, "base"))]
        for name in ("two", "turned", "negative", "silent"):
            m.d.comb += getattr(out, name).eq(LEARN.slice(flags, name))
        for name in ("rows", "blocks", "tail", "number"):
            m.d.comb += getattr(out, name).eq(MATRIX.slice(b, name))
