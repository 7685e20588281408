"""Operations of the table unit one unit at a time, for the smallest devices: what others have.

The unit pipeline stands still: while the addresses of one unit stand, its value z and its state do.
So functions need no stages of their own, and nearly no arithmetic:

* samples of the tables are words of the weight memory (`EngineConfig.table_base`), and the host
  port shows one lane of such a word;
* the multiplier with its sum (:class:`~apical.hw.engine.product.ProductSum`) finds the value on the
  segment, rounds, and negates: ``T[i] 2**f - T[i] r + T[i + 1] r + 2**(f - 1)``;
* the key engine mixes the number of the unit into the key of the random words, and the crossing of
  the signature makes the words of it.

Steps of a unit, with W the stage of writes, LW the latency of weights::

    0               addresses stand; the key engine starts
    W               value and state; lane and word of sample i asked
    W + 2           sample i + 1 asked
    ASKED           sample i; three products: T[i] 2**f, -T[i] r, T[i + 1] r  (ASKED = W + LW + 1)
    ASKED + 3       value of the function; the sum begins anew
    ASKED + 4       slope times z (GATE), that it meets the dot beat that writes it at ASKED + 5
    TOKEN           the chunk is issued to be written W cycles later; random words in its stage 2
    TOKEN + W       written; the addresses go on
"""

from __future__ import annotations

from amaranth.hdl import Cat, Const, Module, Mux, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ...golden.numbers.addressed import KEY_ROUNDS
from ...golden.numbers.tables import (
    HALF_EXPONENTIAL,
    LOGISTIC,
    NAMES,
    REACH,
    SLOPE,
    STEP_BITS,
)
from ...golden.program import FLOW_LIMIT
from ..interface.config import TABLE_STRIDE, EngineConfig
from ..interface.isa import WORD, Post
from ..primitives.portable import delayed
from .ports import DrawSignature, TableSignature, UnitSignature, Widths
from .stages import Stages

#: Bits of the integer part of a place on a table, which begins at 0.
_WHOLE = REACH.bit_length()


def token_step(config: EngineConfig) -> int:
    """Step at which the chunk is issued: random words are in its stage 2, values in that of writes.

    The random words come ``KEY_ROUNDS`` + 1 cycles and the crossing after step 0; the value of the
    function 5 cycles after its first sample.
    """
    return max(KEY_ROUNDS + 1, config.weight_latency + 6)


def unit_cycles(config: EngineConfig) -> int:
    """Cycles from the first step of a unit to that of the next one."""
    return token_step(config) + Stages(config).write + 1


def gate_step(config: EngineConfig) -> int:
    """Step of the dot beat that writes the current of a unit."""
    return max(0, Stages(config).write + config.weight_latency + 6 - Stages(config).dot)


class SerialTableUnit(wiring.Component):
    """Finds what is written for one unit at a time, and says when.

    Throughput: a unit in :func:`unit_cycles` cycles (15 on the iCE40).  Resources, iCE40: no block
    RAM, no multiplier; see ``docs/results.md`` for logic cells.

    Members
    -------
    operation : In(UnitSignature)
        The operation that starts.
    slow : In(1)
        An operation of this unit walks.
    tile : Out(TableSignature)
        What the tile has for it.
    sample : Out
        With tables only: word of weights of the sample that is looked up.
    draw : Out(DrawSignature), mixed : In(32)
        With random words only: the key engine, and what comes of it.
    token, advance : Out(1)
        The chunk is issued; the addresses go on to the next one.
    gate : Out(1)
        A dot beat of this cycle finds the current (GATE) when it meets its accumulator.
    """

    def __init__(self, config: EngineConfig):
        self.config = config
        super().__init__({
            "operation": In(UnitSignature(config)), "slow": In(1),
            "tile": Out(TableSignature(config)), "sample": Out(Widths(config).weights),
            "draw": Out(DrawSignature()), "mixed": In(32), "token": Out(1), "advance": Out(1),
            "gate": Out(1)})

    def elaborate(self, platform):
        m = Module()
        config, tile, operation = self.config, self.tile, self.operation
        last = unit_cycles(config) - 1
        step, post, draws = Signal(range(last + 1)), Signal(3), Signal()
        m.d.comb += [self.advance.eq(step == last), self.token.eq(step == token_step(config))]
        with m.If(operation.start):
            m.d.sync += [post.eq(operation.post), draws.eq(operation.draws)]
        with m.If(operation.start | self.advance):
            m.d.sync += step.eq(0)
        with m.Elif(self.slow):
            m.d.sync += step.eq(step + 1)
        if config.noise:
            draw = self.draw
            m.d.comb += [
                draw.busy.eq(self.slow & draws), draw.unit.eq(tile.unit),
                draw.start.eq(draw.busy & (step == 0)), tile.word.eq(self.mixed),
                # Left to the signature in the cycle of the write.
                tile.crossing.eq(draw.busy & ~self.advance)]
        if config.smooth:
            self._look_up(m, step, post)
        return m

    def _look_up(self, m, step, post):
        config, tile = self.config, self.tile
        frac, stage = config.state.frac, Stages(config).write
        fine = max(0, frac - STEP_BITS)
        asked = stage + config.weight_latency + 1
        gate = post == Post.GATE if config.gate else Const(0)
        flow = post == Post.FLOW
        place = self._place(m, Mux(gate, tile.state, tile.z), flow)
        index = (place >> fine if frac >= STEP_BITS else place << STEP_BITS - frac)[:8]
        # Sample i is asked for in two cycles, then sample i + 1.
        second, table = Signal(), Signal(range(len(NAMES)))
        m.d.sync += second.eq((step == stage + 1) | (second & ~self.advance))
        m.d.comb += table.eq(Mux(flow, NAMES.index(HALF_EXPONENTIAL),
                                 Mux(gate, NAMES.index(SLOPE), NAMES.index(LOGISTIC))))
        number = Cat((index + second)[:TABLE_STRIDE.bit_length() - 1], table)
        lane_bits = config.table_lanes.bit_length() - 1
        base = config.table_base >> len(number) - lane_bits
        lane = delayed(m, number[:lane_bits], config.weight_latency, "lane")
        m.d.comb += [tile.busy.eq(self.slow & (post != Post.NONE)),
            tile.sample_lane.eq(lane),
                     self.sample.eq(Cat(number[lane_bits:], Const(base, WORD)))]
        # The products, and a sum rounded half up, also where it is negated: a half, or just less.
        negative = flow & (tile.state != config.state.one)
        first, third, again, scaled = (step == asked + i for i in (0, 2, 3, 4))
        minus, half = step == asked + 1, 1 << fine >> 1
        if not config.gate:
            again = scaled = Const(0)
        found = Signal(signed(WORD), reset_less=True)
        m.d.sync += found.eq(tile.total >> fine)
        rest = Cat(place[:fine], Const(0, 1)) if fine else Const(0, 1)
        m.d.comb += [
            tile.load.eq((step == asked - 1) | (again & gate)),
            tile.begin.eq(Mux(again, 1 << frac >> 1, Mux(negative, max(0, half - 1), half))),
            tile.a.eq(Mux(scaled, tile.z, Mux(first, 1 << fine, rest))),
            tile.b.eq(Mux(scaled, found, tile.sample)),
            tile.add.eq(first | minus | third | (scaled & gate)),
            tile.subtract.eq(minus ^ negative)]
        value = (tile.total >> fine)[:WORD]
        drawn = tile.random[2 * WORD - frac:] < value if config.noise else Const(0)
        bit = Mux(post == Post.DRAW, drawn, tile.z > 0)
        m.d.comb += [
            tile.value.eq(Mux((post == Post.DRAW) | (post == Post.THRESHOLD), bit << frac, value)),
            tile.gated.eq(tile.total.as_signed() >> frac), tile.gating.eq(self.slow & gate),
            self.gate.eq(self.slow & gate & (step == gate_step(config)))]

    def _place(self, m, x, flow):
        """A value as a place on the tables, which begin at 0, clipped to their range.

        Ranges end at whole numbers, so their bits decide.
        """
        frac = self.config.state.frac
        whole, negative = x[frac:], x[-1]
        if len(whole) > _WHOLE:
            over = ~negative & whole[_WHOLE - 1:].any()
            under = negative & ~whole[_WHOLE - 1:].all()
        else:
            over, under = Const(0), Const(0)
        if len(whole) >= _WHOLE:
            # 6 and 7 end in 11., -8 and -7 in 00. .
            beyond = flow & ~negative & whole[1] & whole[2]
            below = flow & negative & ~whole[1] & ~whole[2]
        else:
            beyond, below = Const(0), Const(0)
        clips, ones = over | under | beyond | below, over & ~flow
        units = x[frac:].as_signed()[:_WHOLE - 1] if len(whole) >= _WHOLE else \
            Cat(whole, negative.replicate(_WHOLE - 1 - len(whole)))[:_WHOLE - 1]
        limit = Mux(flow, Mux(negative, REACH - FLOW_LIMIT, REACH + FLOW_LIMIT),
                    (~negative).replicate(_WHOLE))
        place = Signal(frac + _WHOLE)
        m.d.comb += place.eq(Cat(
            Mux(clips, ones.replicate(frac), x[:frac]),
            Mux(clips, limit, Cat(units, ~negative))))
        return place
