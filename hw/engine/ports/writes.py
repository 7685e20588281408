"""What units read and write, and the trace of it."""

from __future__ import annotations

from amaranth.hdl import signed
from amaranth.lib.wiring import In, Out, Signature

from ...interface.config import EngineConfig
from ...interface.isa import INDEX, LANE_BITS, WORD
from .sizes import Widths


class UnitReadSignature(Signature):
    """Chunks of states a and b, asked by word and chunk; they follow 2 cycles later.

    `issuing` is high while these addresses count.
    """

    def __init__(self, config: EngineConfig):
        widths = Widths(config)
        super().__init__({
            "issuing": Out(1), "number": Out(LANE_BITS), "a_address": Out(widths.states),
            "b_address": Out(widths.states), "a": In(widths.chunk), "b": In(widths.chunk)})


class StateWriteSignature(Signature):
    """A chunk that the unit pipeline writes.

    Members
    -------
    taken : Out(1)
        The write port may be in use in this cycle.
    enable, counted : Out(Q)
        Lanes that are written; those that count, are signed and traced: all but silent ones.
    address, number, data : Out
        Word, chunk and values.
    unit, vector : Out
        First unit, and number of the vector.
    """

    def __init__(self, config: EngineConfig):
        widths, quick = Widths(config), config.update_lanes
        super().__init__({
            "taken": Out(1), "enable": Out(quick), "counted": Out(quick),
            "address": Out(widths.targets), "number": Out(LANE_BITS), "data": Out(widths.chunk),
            "unit": Out(INDEX), "vector": Out(8)})


class ChangeSignature(Signature):
    """A chunk that is written, for the queue of changes (:class:`apical.hw.engine.changes`).

    Members
    -------
    enable : Out(Q), end : Out(1), unit : Out(16), new, old : Out(16 * Q)
        Units that there are, whether it is the last chunk of its operation, the first unit,
        values after and before.
    """

    def __init__(self, config: EngineConfig):
        widths = Widths(config)
        super().__init__({"enable": Out(config.update_lanes), "end": Out(1), "unit": Out(INDEX),
                          "new": Out(widths.chunk), "old": Out(widths.chunk)})


class GateSignature(Signature):
    """Currents that the table unit puts through the gate, for lanes of the chunk written."""

    def __init__(self, config: EngineConfig):
        super().__init__({"enable": Out(config.update_lanes), "value": Out(signed(WORD + 1))})


class SideSignature(Signature):
    """Words of the lane side of a weight update.

    Members
    -------
    busy : Out(1)
        An update runs: from the next cycle on, addresses count.
    address : Out, lane : Out
        Word, and (serial learning unit) the lane of which the chunk is read as state a.
    """

    def __init__(self, config: EngineConfig):
        super().__init__({"busy": Out(1), "address": Out(Widths(config).states),
                          "lane": Out(LANE_BITS)})


class WeightUpdateSignature(Signature):
    """Weight memory as a learning unit uses it.

    Members
    -------
    enable : Out(1)
        A word is written: by the serial learning unit that of the item, as it is in the host port;
    busy : Out(1), read_address, address, data : Out, word : In
        else that of `data`.  While `busy`, the word at `read_address` is read.
    """

    def __init__(self, config: EngineConfig):
        widths = Widths(config)
        super().__init__({"enable": Out(1), "busy": Out(1), "read_address": Out(widths.weights),
                          "address": Out(widths.weights), "data": Out(widths.word),
                          "word": In(widths.word)})


class WeightWriteSignature(Signature):
    """A weight word that a learning unit writes.

    Members
    -------
    valid : Out(1)
        Any of its lanes counts.
    mask : Out(P), values : Out
        Lanes that count, and the word.
    scalar, first : Out, turned : Out(1)
        Scalar-side unit, first lane-side unit, and whether the lane side are the rows.
    """

    def __init__(self, config: EngineConfig):
        super().__init__({
            "valid": Out(1), "mask": Out(config.lanes), "values": Out(WORD * config.lanes),
            "scalar": Out(INDEX), "first": Out(INDEX), "turned": Out(1)})


class TraceSignature(Signature):
    """Trace port: one record a cycle, Q units or fewer of one write, and weight words if it learns.

    Members
    -------
    valid, image, operation, vector, unit, count, values : Out
    weight_valid, weight_image, weight_operation, weight_matrix : Out
    weight_scalar, weight_first, weight_turned, weight_mask, weight_values : Out
        Scalar-side unit, first lane-side unit, whether the lane side are the rows, lanes that are
        written, and the word.
    """

    def __init__(self, config: EngineConfig):
        members = {"valid": 1, "image": 32, "operation": INDEX, "vector": 8, "unit": INDEX,
                   "count": 7, "values": WORD * config.update_lanes}
        if config.learning:
            members |= {"weight_valid": 1, "weight_image": 32, "weight_operation": INDEX,
                        "weight_matrix": 8, "weight_scalar": INDEX, "weight_first": INDEX,
                        "weight_turned": 1, "weight_mask": config.lanes,
                        "weight_values": WORD * config.lanes}
        super().__init__({name: Out(width) for name, width in members.items()})
