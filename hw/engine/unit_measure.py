"""What the unit pipeline finds out about the values that it writes, by pairs of lanes."""

from __future__ import annotations

from amaranth.hdl import Cat, Const, Mux, Signal
from amaranth.utils import ceil_log2

from ..primitives.portable import delayed
from .rounding import exceeds


def measure(m, pipeline, out, lanes):
    """Find the greatest |du| of updates, the greatest value (the first of equals) of a decision."""
    deciding, updating = pipeline.at["write"]["decides"], pipeline.at["write"]["updates"]
    pairs = []
    for lane, (value, moved, _, _) in enumerate(lanes):
        # Offset binary orders signed values; the bit on top tells real lanes from missing ones.
        rank = Cat(value[:15], ~value[15], 1)
        score = Signal(17, name=f"score_{lane}")
        m.d.comb += score.eq(Mux(out.lanes[lane] & (deciding | updating),
                                 Mux(deciding, rank, moved), 0))
        pairs.append((score, Const(lane, ceil_log2(pipeline.config.update_lanes))))
    # Scores are registered, and again behind each step of pairs.
    unit, decides, counts, starts = (
        pipeline.number_here, deciding & pipeline.there(out),
        updating & pipeline.there(out), out.first)
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
    (best, lane), record, winner = pairs[0], Signal(17), Signal.like(pipeline.number_here)
    # Complements of both records are kept, see `exceeds`.
    with m.If(decides & (starts | exceeds(best, ~record))):
        m.d.sync += [record.eq(~best), winner.eq(unit + lane)]
    still = Signal(16, init=0xFFFF)
    m.d.comb += [pipeline.moved.eq(~still), pipeline.winner.eq(winner)]
    with m.If(pipeline.clear_moved):
        m.d.sync += still.eq(0xFFFF)
    with m.Elif(counts & exceeds(best[:16], ~still)):
        m.d.sync += still.eq(~best[:16])
    m.d.comb += pipeline.measuring.eq(Cat(*measuring).any())
