"""What is seen of an engine's writes: its signature, and its trace port in simulation."""

from __future__ import annotations

from amaranth.hdl import Signal

from ..interface.config import EngineConfig
from ..interface.isa import MATRIX
from .registers import count


def trace_ports(config: EngineConfig) -> dict:
    """Names and widths of the trace port: one record a cycle, Q units or fewer of one write."""
    ports = {"trace_valid": 1, "trace_image": 32, "trace_operation": 16, "trace_vector": 8,
             "trace_unit": 16, "trace_count": 7, "trace_values": 16 * config.update_lanes}
    if config.learning:
        # One record a weight word: scalar-side unit, first lane-side unit, lanes that are written,
        # and whether the lane side are the rows.
        ports |= {"trace_weight_valid": 1, "trace_weight_image": 32, "trace_weight_operation": 16,
                  "trace_weight_matrix": 8, "trace_weight_scalar": 16, "trace_weight_first": 16,
                  "trace_weight_turned": 1, "trace_weight_mask": config.lanes,
                  "trace_weight_values": 16 * config.lanes}
    return ports


def observe(m, engine, host, sequencer, unit, signature):
    """Connect signature and trace of an engine: both see the same writes."""
    m.d.comb += [signature.valid.eq(unit.write_counted), signature.key.eq(sequencer.key),
                 signature.address.eq(unit.write_unit),
                 signature.values.eq(unit.write_values)]
    if engine.trace:
        m.d.comb += [
            engine.trace_valid.eq(unit.write_counted.any()),
            engine.trace_operation.eq(sequencer.count),
            engine.trace_vector.eq(unit.write_number),
            engine.trace_count.eq(count(unit.write_counted)),
            engine.trace_image.eq(engine.image_number)]
        _trace_chunk(m, engine, unit)
    if engine.trace and engine.learn is not None:
        learn, number = engine.learn, Signal(8)
        with m.If(learn.start):
            m.d.sync += number.eq(MATRIX.slice(sequencer.b, "number"))
        m.d.comb += [
            engine.trace_weight_valid.eq(learn.write & learn.mask.any()),
            engine.trace_weight_image.eq(engine.image_number),
            engine.trace_weight_operation.eq(sequencer.count),
            engine.trace_weight_matrix.eq(number),
            engine.trace_weight_scalar.eq(learn.item_index if engine.config.serial_learning
                                        else learn.scalar),
            engine.trace_weight_first.eq(learn.first),
            engine.trace_weight_turned.eq(learn.turned if engine.config.serial_learning
                                        else learn.swapped),
            engine.trace_weight_mask.eq(learn.mask),
            engine.trace_weight_values.eq(host.weight_word if engine.config.serial_learning
                                        else learn.write_data)]


def _trace_chunk(m, engine, unit):
    """The values of a chunk from its first lane that is written on."""
    m.d.comb += [engine.trace_unit.eq(unit.write_unit),
                 engine.trace_values.eq(unit.write_values)]
    for lane in reversed(range(1, engine.config.update_lanes)):
        alone = unit.write_counted[lane] & ~unit.write_counted[lane - 1]
        with m.If(alone):
            m.d.comb += [engine.trace_unit.eq(unit.write_unit + lane),
                         engine.trace_values.eq(unit.write_values >> 16 * lane)]
