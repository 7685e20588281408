"""The lanes: P multipliers, P accumulators and an adder tree over one weight word a cycle.

The same multipliers serve both directions.  Broadcast: each lane adds its product to its own
accumulator.  Dot: the tree adds all products to one sum, which is written to one lane.

Stages, counted from the beat (weights LW, product LM, tree T cycles)::

    0              weight address out (state word address at LW - 1)
    LW             weights and operand meet
    LW + LM = S    products; start word asked one cycle before
    S + 1          broadcast sums; the last beat of a sum writes it
    S + T = D      dot sum of one word; start word asked
    D + 1 .. D + 3 sum over words, start lane selected, total written

What an instruction may read of the one before follows from this table (`assembler`).
"""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Mux, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

from .config import EngineConfig
from .issue import beat_layout
from .memory import address_bits
from .primitives import family


class Multiplier(wiring.Component):
    """Signed 16 x 16 product, `latency` cycles, one a cycle.

    Members
    -------
    a, b : In(signed(16))
    product : Out(signed(32))
    """

    def __init__(self, latency, primitives="portable"):
        self.latency, self.primitives = latency, primitives
        super().__init__({"a": In(signed(16)), "b": In(signed(16)), "product": Out(signed(32))})

    def elaborate(self, platform):
        m = Module()
        family(self.primitives).multiplier(m, self)
        return m


def tree_stages(lanes: int) -> int:
    """Register stages of the adder tree: one for every two levels, at least one."""
    return max(1, -(-ceil_log2(lanes) // 2))


class Lanes(wiring.Component):
    """Multiply and accumulate.

    Members
    -------
    beat : In
        `beat_layout`, stage 0.
    value : In(16)
        Scalar operand, stage 0.
    weights : In(16 * P)
        Stage LW.
    rates : In(16 * P)
        State word, stage LW.
    sum_read : Out(1), sum_address : Out
        Accumulator word wanted; `sums` follows one cycle later.
    sums : In(width * P)
    dot_chunk : Out
        Chunk of `sums` wanted in dot direction, at stage D + 1.
    chunk : In(width * Q)
        That chunk, registered (stage D + 2).
    write_lanes, write_address, write_data : Out
        Accumulator memory write port.
    busy : Out(1)
    """

    def __init__(self, config: EngineConfig):
        self.config = config
        width, lanes, quick = config.accumulator_width, config.lanes, config.update_lanes
        bits = address_bits(config.accumulator_depth)
        super().__init__({
            "beat": In(beat_layout(config)), "value": In(16),
            "weights": In(16 * lanes), "rates": In(16 * lanes),
            "sum_read": Out(1), "sum_address": Out(bits), "sums": In(width * lanes),
            "dot_chunk": Out(6), "chunk": In(width * quick),
            "write_lanes": Out(lanes), "write_address": Out(bits),
            "write_data": Out(width * lanes), "busy": Out(1)})

    def elaborate(self, platform):
        m = Module()
        config = self.config
        lanes, width = config.lanes, config.accumulator_width
        product_stage = config.weight_latency + config.multiplier_latency
        dot_stage = product_stage + tree_stages(lanes)
        beats = self._pipe(m, self.beat, dot_stage + 3, "beat")
        value = self._pipe(m, self.value, config.weight_latency, "value")[-1]
        meet = beats[config.weight_latency]
        products = []
        for lane in range(lanes):
            m.submodules[f"multiplier{lane}"] = mul = Multiplier(
                config.multiplier_latency, config.primitives)
            rate = Mux(meet.dot, self.rates.word_select(lane, 16), value)
            m.d.comb += [mul.a.eq(self.weights.word_select(lane, 16)), mul.b.eq(rate)]
            products.append(mul.product)

        # Broadcast: one accumulator a lane.
        now, written = beats[product_stage], beats[product_stage + 1]
        totals = []
        for lane, product in enumerate(products):
            total = Signal(signed(width), name=f"total{lane}")
            begin = Mux(now.started, self.sums.word_select(lane, width).as_signed(), 0)
            so_far = Mux(now.first, begin, total)
            with m.If(now.valid):
                m.d.sync += total.eq(Mux(now.negative, so_far - product, so_far + product))
            totals.append(total)

        # Dot: tree, sum over words, start lane.
        tree = self._tree(m, products)
        here, summed, picked, ended = beats[dot_stage:dot_stage + 4]
        dot_total, dot_final = Signal(signed(width)), Signal(signed(width))
        result = Signal(signed(width))
        with m.If(here.valid & here.dot):
            m.d.sync += dot_total.eq(Mux(here.first, 0, dot_total) + tree)
        quick = config.update_lanes
        select = Signal(range(max(2, quick)))
        m.d.comb += [self.dot_chunk.eq(summed.lane >> ceil_log2(quick)),
                     select.eq(picked.lane & (quick - 1))]
        lane_start = self.chunk.word_select(select, width).as_signed()
        begin = Mux(picked.started, lane_start, 0)
        m.d.sync += [dot_final.eq(dot_total),
                     result.eq(Mux(picked.negative, begin - dot_final, begin + dot_final))]

        # Accumulator memory: reads of start words, writes of sums.
        ask = beats[product_stage - 1]
        broadcast_ask = ask.valid & ~ask.dot & ask.first
        m.d.comb += [self.sum_read.eq(broadcast_ask | (here.valid & here.dot)),
                     self.sum_address.eq(Mux(broadcast_ask, ask.start, here.start))]
        with m.If(ended.valid & ended.dot & ended.last):
            m.d.comb += [self.write_lanes.eq(1 << ended.lane), self.write_address.eq(ended.into)]
        with m.Elif(written.valid & ~written.dot & written.last):
            m.d.comb += [self.write_lanes.eq(~0), self.write_address.eq(written.into)]
        for lane, total in enumerate(totals):
            m.d.comb += self.write_data.word_select(lane, width).eq(
                Mux(ended.valid & ended.dot, result, total))
        # A broadcast beat has retired behind stage S + 1.
        m.d.comb += self.busy.eq(Cat(
            *(beat.valid if stage <= product_stage + 1 else beat.valid & beat.dot
              for stage, beat in enumerate(beats))).any())
        return m

    @staticmethod
    def _pipe(m, value, stages, name):
        """The value at stages 0..stages."""
        out = [value]
        for i in range(stages):
            late = Signal.like(value, name=f"{name}{i + 1}")
            m.d.sync += late.eq(value)
            out.append(late)
            value = late
        return out

    def _tree(self, m, terms):
        """Exact sum of the products after `tree_stages` cycles."""
        for stage in range(tree_stages(len(terms))):
            for _ in range(2):
                terms = [terms[i] + terms[i + 1] if i + 1 < len(terms) else terms[i]
                         for i in range(0, len(terms), 2)]
            registered = []
            for i, term in enumerate(terms):
                late = Signal.like(term, name=f"tree{stage}_{i}")
                m.d.sync += late.eq(term)
                registered.append(late)
            terms = registered
        return terms[0]
