"""Interfaces between the components of the engine: who drives what, with which width.

Each signature is written from the side that asks or drives (its ``Out`` members are driven there);
the other side declares the same signature as ``In``.  :func:`amaranth.lib.wiring.connect` then
joins the members by name.
"""

from __future__ import annotations

from types import SimpleNamespace

from amaranth.hdl import signed
from amaranth.lib import data
from amaranth.lib.wiring import In, Out, Signature
from amaranth.utils import ceil_log2

from ..interface.config import EngineConfig
from ..interface.isa import ADDRESS_BITS, INDEX, LANE_BITS, SPACE_LOW, WORD


def address_bits(depth: int) -> int:
    """Bits of an address of `depth` words, at least 1."""
    return max(1, ceil_log2(depth))


class Widths:
    """Widths of addresses and words that follow from a configuration.

    Attributes
    ----------
    states, sums, weights, events : int
        Bits of an address in these memories.
    sides : int
        Bits of the words that are counted with the blocks of a matrix: sums, or both sides of an
        update by the serial learning unit.
    targets : int
        Bits of an address of states or sums.
    word, chunk, sum_word, sum_chunk : int
        Bits of P and of Q values, and of as many sums.
    """

    def __init__(self, config: EngineConfig):
        self.states = address_bits(config.state_depth)
        self.sums = address_bits(config.accumulator_depth)
        self.weights = address_bits(config.weight_depth)
        self.events = address_bits(config.input_banks * config.event_depth)
        self.targets = max(self.states, self.sums)
        self.sides = self.targets if config.serial_learning else self.sums
        self.word, self.chunk = WORD * config.lanes, WORD * config.update_lanes
        self.sum_word = config.accumulator_width * config.lanes
        self.sum_chunk = config.accumulator_width * config.update_lanes


def flat_members(prefix: str, signature: Signature) -> dict:
    """Members of a component that make up an interface, named ``prefix_member``.

    Nested interfaces give ports with two underscores; these names are part of the product.
    """
    return {f"{prefix}_{name}": member for name, member in signature.members.items()}


def flat_view(component, prefix: str, signature: Signature):
    """The interface that :func:`flat_members` of a component make up."""
    return SimpleNamespace(signature=signature, **{
        name: getattr(component, f"{prefix}_{name}") for name in signature.members})


# Memories

class ReadSignature(Signature):
    """Read port of a memory: `data` follows `address` after the latency of the memory."""

    def __init__(self, address: int, word: int):
        super().__init__({"address": Out(address), "data": In(word)})


class WriteSignature(Signature):
    """Write port of a memory: one enable, or one a lane."""

    def __init__(self, address: int, word: int, enables=1):
        super().__init__({"enable": Out(enables), "address": Out(address), "data": Out(word)})


class ChunkReadSignature(Signature):
    """Read port for a chunk, some neighbouring lanes of a word."""

    def __init__(self, address: int, number: int, chunk: int):
        super().__init__({"address": Out(address), "number": Out(number), "data": In(chunk)})


class ChunkWriteSignature(Signature):
    """Write port for the lanes of a chunk."""

    def __init__(self, address: int, number: int, chunk: int, lanes: int):
        super().__init__({"enable": Out(lanes), "address": Out(address), "number": Out(number),
                          "data": Out(chunk)})


class ChunkSelectSignature(Signature):
    """Selects a chunk of the word that a read port asks for; `data` follows 2 cycles later.

    While `wanted` is high, the data of the read port are undefined.
    """

    def __init__(self, number: int, chunk: int):
        super().__init__({"wanted": Out(1), "number": Out(number), "data": In(chunk)})


# Host

class HostSignature(Signature):
    """Host port, see :mod:`apical.hw.engine.host`: requests, and answers to reads."""

    def __init__(self):
        super().__init__({
            "valid": Out(1), "write": Out(1), "address": Out(ADDRESS_BITS), "write_data": Out(32),
            "ready": In(1), "read_valid": In(1), "read_data": In(32)})


class RegisterSignature(Signature):
    """Registers as the host port reads and writes them; `value` follows 1 cycle later."""

    def __init__(self):
        super().__init__({"number": Out(5), "write": Out(1), "data": Out(32), "value": In(32)})


class CodeAccessSignature(Signature):
    """Instructions and descriptors (`descriptor`), of which the host writes halves.

    Bit 0 of `address` says which half.  While `reading`, the memory is the host's.
    """

    def __init__(self):
        super().__init__({"reading": Out(1), "write": Out(1), "descriptor": Out(1),
                          "address": Out(SPACE_LOW), "data": Out(32), "code": In(64)})


class LaneAccessSignature(Signature):
    """A lane of a word, as the host port reads and writes it.

    Parameters
    ----------
    written, read : int
        Bits that are written, bits from which the host port selects the lane.
    """

    def __init__(self, written: int, read: int):
        super().__init__({"reading": Out(1), "write": Out(1), "lane": Out(LANE_BITS),
                          "address": Out(SPACE_LOW - LANE_BITS), "data": Out(written),
                          "word": In(read)})


# Operations, decoded

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
    """

    def __init__(self, config: EngineConfig):
        widths = Widths(config)
        super().__init__({
            "start": Out(1), "dot": Out(1), "negative": Out(1), "started": Out(1),
            "kind": Out(2), "source": Out(INDEX), "source_blocks": Out(10), "source_tail": Out(7),
            "other": Out(INDEX), "matrix": Out(widths.weights), "rows": Out(INDEX),
            "blocks": Out(10), "tail": Out(7), "into": Out(widths.sides),
            "begin": Out(widths.sides)})


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
            "factor": Out(WORD), "factor_negative": Out(1),
            "a": Out(widths.states), "b": Out(widths.states), "c": Out(widths.sums),
            "t": Out(widths.targets), "blocks": Out(10), "tail": Out(7), "limits": Out(2),
            "number": Out(8)})


class LearnSignature(Signature):
    """Operands of a weight update; they stand still from `start` on.

    Members
    -------
    two, turned : Out(1), negative : Out(2)
        Fields of the instruction.
    matrix, rows, blocks, tail, number : Out
        Descriptor of the matrix.
    lane_bases : Out
        First words of the lane sides of both terms.
    """

    def __init__(self, config: EngineConfig):
        widths = Widths(config)
        super().__init__({
            "start": Out(1), "two": Out(1), "turned": Out(1), "negative": Out(2),
            "matrix": Out(widths.weights), "rows": Out(INDEX), "blocks": Out(10), "tail": Out(7),
            "number": Out(8), "lane_bases": Out(data.ArrayLayout(widths.states, 2))})


# Projections

def beat_layout(config: EngineConfig):
    """What travels with a beat down the pipeline of the lanes."""
    words = Widths(config).sides
    return data.StructLayout({
        "valid": 1,
        # First and last beat of one sum.
        "first": 1, "last": 1,
        "dot": 1, "negative": 1, "started": 1,
        # Accumulator words written and started from; the lane of it in dot direction.
        "into": words, "start": words, "lane": max(1, ceil_log2(config.lanes)),
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
        It has two terms: items of zero value count too, and one comes in two cycles at most.
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
    """State words of dot beats: `word` follows 1 cycle after `address`, where `wanted` is high."""

    def __init__(self, config: EngineConfig):
        widths = Widths(config)
        super().__init__({"wanted": Out(1), "address": Out(widths.states),
                          "word": In(widths.word)})


class SumSignature(Signature):
    """Sums of the lanes as weight updates use them (pipelined learning unit).

    Members
    -------
    begin : In
        What each sum starts from, stage S.
    complete : Out(1), scalars : Out(2), totals : Out
        Sums are complete, which scalars were not 0, and the sums: stage S + 1.
    busy : Out(1)
        Beats are on their way.
    """

    def __init__(self, config: EngineConfig):
        word = Widths(config).sum_word
        super().__init__({"begin": In(word), "complete": Out(1), "scalars": Out(2),
                          "totals": Out(word), "busy": Out(1)})


# Writes of states and weights

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
    word : In
        1 cycle after its address.
    """

    def __init__(self, config: EngineConfig):
        widths = Widths(config)
        super().__init__({"busy": Out(1), "address": Out(widths.states), "lane": Out(LANE_BITS),
                          "word": In(widths.word)})


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


# What the serial learning unit borrows

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


# Runs

class RunSignature(Signature):
    """What the registers ask of the sequencer, and what it reports.

    Members
    -------
    start : Out(1), images : Out
        Run that many images, each as soon as its input bank is committed.
    commit : Out(1)
        The next input bank is loaded.
    seed, image : Out(32)
        Session seed and number of this image.
    active : In(1)
        An image is running.
    begin, finish : In(1)
        Pulses at start accepted and done.
    bank : In(1), ready : In(2), started : In(1)
        Input bank of the next image, banks committed, whether there are images to run.
    stepped : In(1)
        Pulse: a loop step ended.
    """

    def __init__(self):
        super().__init__({
            "start": Out(1), "images": Out(INDEX), "commit": Out(1), "seed": Out(32),
            "image": Out(32), "active": In(1), "begin": In(1), "finish": In(1), "bank": In(1),
            "ready": In(2), "started": In(1), "stepped": In(1)})


class CountSignature(Signature):
    """How many values are written in a cycle, and how many of them were clipped."""

    def __init__(self):
        super().__init__({"written": Out(LANE_BITS + 1), "clipped": Out(LANE_BITS + 1)})
