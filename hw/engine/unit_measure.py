"""What the unit pipeline finds out about the values that it writes, by pairs of lanes."""

from __future__ import annotations

from amaranth.hdl import Cat, Const, Module, Mux, Signal, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

from ..interface.isa import INDEX, WORD
from ..primitives.portable import delayed
from .rounding import exceeds


class Measure(wiring.Component):
    """Largest |du| of updates; unit of the largest value (the first of equals) of a decision.

    Latency: :func:`measure_latency` cycles from a chunk to `moved` and `winner`.
    Throughput: one chunk a cycle.

    Parameters
    ----------
    lanes : int
        Q, a power of two.
    unit_bits : int
        Bits of the number of a unit.

    Members
    -------
    valid, first : In(1)
        There is a chunk, the first one of its operation.
    enable : In(Q)
        Lanes with a unit.
    deciding, updating : In(1)
        The operation decides, or updates states.
    unit : In
        Unit of lane 0.
    values, distances : In(16 each of Q)
        Values and |du|.
    clear_moved : In(1)
        Begin `moved` anew.
    moved : Out(16)
        Largest |du| since then.
    winner : Out, score : Out(17)
        Unit of the largest value of the last decision; the value as it was compared: offset binary,
        with a bit on top that says that there is a unit.
    busy : Out(1)
        These two are not final yet.
    """

    def __init__(self, lanes: int, unit_bits=INDEX):
        self.lanes = lanes
        super().__init__({
            "valid": In(1), "first": In(1), "enable": In(lanes), "deciding": In(1),
            "updating": In(1), "unit": In(unit_bits),
            "values": In(data.ArrayLayout(signed(WORD), lanes)),
            "distances": In(data.ArrayLayout(WORD, lanes)),
            "clear_moved": In(1), "moved": Out(WORD), "winner": Out(unit_bits),
            "score": Out(WORD + 1), "busy": Out(1)})

    def elaborate(self, platform):
        m = Module()
        pairs = []
        for lane in range(self.lanes):
            # Offset binary orders signed values; the bit on top marks real lanes.
            value = self.values[lane]
            rank = Cat(value[:WORD - 1], ~value[WORD - 1], 1)
            score = Signal(WORD + 1, name=f"score_{lane}")
            m.d.comb += score.eq(Mux(self.enable[lane] & (self.deciding | self.updating),
                                     Mux(self.deciding, rank, self.distances[lane]), 0))
            pairs.append((score, Const(lane, ceil_log2(self.lanes))))
        # Scores are registered, and again after each step of pairs.
        unit, decides, counts, starts = (self.unit, self.deciding & self.valid,
                                         self.updating & self.valid, self.first)
        measuring, level = [], 0

        def late(value):
            kept = Signal(len(value), name=f"measured{level}")
            m.d.sync += kept.eq(value)
            return kept

        while True:
            pairs = [(delayed(m, score, 1, "score"), delayed(m, lane, 1, "lane"))
                     for score, lane in pairs]
            unit = delayed(m, unit, 1, "unit")
            decides, counts, starts = map(late, (decides, counts, starts))
            measuring += [decides, counts]
            if len(pairs) == 1:
                break
            level += 1
            merged = []
            for (left, left_lane), (right, right_lane) in zip(pairs[::2], pairs[1::2]):
                later = right > left
                merged.append((Mux(later, right, left), Mux(later, right_lane, left_lane)))
            pairs = merged
        (best, lane), record = pairs[0], Signal(WORD + 1)
        # Complements of both records are kept, see `exceeds`.
        with m.If(decides & (starts | exceeds(best, ~record))):
            m.d.sync += [record.eq(~best), self.winner.eq(unit + lane)]
        m.d.comb += self.score.eq(~record)
        still = Signal(WORD, init=(1 << WORD) - 1)
        m.d.comb += self.moved.eq(~still)
        with m.If(self.clear_moved):
            m.d.sync += still.eq(-1)
        with m.Elif(counts & exceeds(best[:WORD], ~still)):
            m.d.sync += still.eq(~best[:WORD])
        m.d.comb += self.busy.eq(Cat(*measuring).any())
        return m


def measure_latency(lanes: int) -> int:
    """Cycles from a chunk of a `Measure` to its results."""
    return 2 + ceil_log2(lanes)
