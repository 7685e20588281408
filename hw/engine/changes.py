"""Queue of changes: what elementwise operations changed, as items of projections.

A sum is exact, so it follows the states that it was made of: a change of a source adds its product
to the sum.  Units that did not change cost nothing, and no memory is read again.
"""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import data, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from ..interface.config import EngineConfig
from ..interface.isa import INDEX, WORD
from .ports import ChangeSignature, ItemSignature, address_bits


class ChangeQueue(wiring.Component):
    """First in, first out: chunks of which a unit changed, and the last chunk of each operation.

    The last chunk of an operation gives an item in any case (of value 0 where nothing changed), so
    that every pass ends with one.

    Latency: 3 cycles from a chunk to its first item.  Throughput: one item a cycle.

    Members
    -------
    changes : In(ChangeSignature)
        Chunks that are written; the difference of old and new values must fit 16 bits.
    take : In(1)
        The item is done with.
    item : Out(ItemSignature)
    """

    def __init__(self, config: EngineConfig):
        self.config = config
        super().__init__({"changes": In(ChangeSignature(config)), "take": In(1),
                          "item": Out(ItemSignature())})

    def elaborate(self, platform):
        m = Module()
        quick, depth = self.config.update_lanes, self.config.change_depth
        depth_of_units = max(self.config.state_depth, self.config.accumulator_depth)
        units = min(INDEX, (depth_of_units * self.config.lanes - 1).bit_length())
        chunk = data.StructLayout({"values": WORD * quick, "changed": quick, "unit": units,
                                   "end": 1})
        coming, push = Signal(chunk, reset_less=True), Signal()
        write = self.changes
        pairs = [(write.new.word_select(lane, WORD), write.old.word_select(lane, WORD))
                 for lane in range(quick)]
        changed = Cat((new != old) & write.enable[lane] for lane, (new, old) in enumerate(pairs))
        m.d.sync += [push.eq(changed.any() | write.end), coming.changed.eq(changed),
                     coming.unit.eq(write.unit), coming.end.eq(write.end),
                     coming.values.eq(Cat((new - old)[:WORD] for new, old in pairs))]
        m.submodules.cells = cells = Memory(shape=chunk, depth=depth, init=[],
                                            attrs={"ram_style": "distributed"})
        write, read = cells.write_port(), cells.read_port(domain="comb")
        head, tail = Signal(address_bits(depth)), Signal(address_bits(depth))
        filled = Signal(range(depth + 1))
        # What comes to an empty queue needs not wait in it.
        past, keep = Signal(), Signal()
        m.d.comb += [write.addr.eq(tail), write.en.eq(keep), write.data.eq(coming),
                     read.addr.eq(head), keep.eq(push & ~past)]
        m.d.sync += tail.eq(tail + keep)
        # The chunk whose units become items, the lowest first.
        here, there, item = Signal(chunk, reset_less=True), Signal(), self.item
        rest = here.changed & (here.changed - 1)
        low = here.changed & ~rest
        free, next_chunk, load = Signal(), Signal(), Signal()
        m.d.comb += [free.eq(~item.valid | self.take),
                     next_chunk.eq(~there | (free & ~rest.any())),
                     load.eq((filled != 0) & next_chunk),
                     past.eq((filled == 0) & push & next_chunk)]
        m.d.sync += filled.eq(filled + keep - load)
        with m.If(free):
            value = sum_of(here["values"].word_select(lane, WORD) & low[lane].replicate(WORD)
                           for lane in range(quick))
            lane = Cat(Cat(low[lane] for lane in range(quick) if lane >> bit & 1).any()
                       for bit in range(max(1, (quick - 1).bit_length())))
            m.d.sync += [item.valid.eq(there), item.value.eq(value), item.other.eq(0),
                         item.index.eq(here.unit + lane), item.last.eq(here.end & ~rest.any()),
                         here.changed.eq(rest)]
            with m.If(~rest.any()):
                m.d.sync += there.eq(0)
        with m.If(load | past):
            m.d.sync += [here.eq(Mux(load, read.data.as_value(), coming.as_value())),
                         there.eq(1), head.eq(head + load)]
        return m


def sum_of(values):
    """Values of which one at most is not 0."""
    values = list(values)
    found = values[0]
    for value in values[1:]:
        found = found | value
    return found
