"""New weights of the pipelined learning unit: random words, start of the sums, saturation."""

from __future__ import annotations

from amaranth.hdl import Cat, Const, Module, Mux, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from ..interface.config import EngineConfig
from ..interface.isa import INDEX, WORD
from ..primitives.portable import delayed
from .mixing import CROSS_LATENCY, CrossUnit, mix_written
from .ports import (
    CountSignature,
    SumSignature,
    WeightUpdateSignature,
    WeightWriteSignature,
    Widths,
)


def random_ahead(config: EngineConfig) -> int:
    """1 where there is time to register the random word before it meets the old weight, else 0."""
    return int(config.weight_latency + config.multiplier_latency > CROSS_LATENCY)


def kept(m, flag, cycles, name):
    """A flag 1, 2 .. `cycles` cycles later, cleared by reset."""
    late = []
    for i in range(cycles):
        late.append(Signal(name=f"{name}{i}"))
        m.d.sync += late[-1].eq(flag)
        flag = late[-1]
    return late


class WeightWriter(wiring.Component):
    """From a beat of a weight update to the word that is written, in stages of the lanes.

    Latency: S + 2 cycles from stage 0 of the last beat to the write (one more with two terms, and
    with two terms at one weight port two); one word a cycle.

    Members
    -------
    busy, paired : In(1)
        An update runs; it has two terms.
    silent : In(1)
        What is written has been counted and signed before.
    mix : In(32)
        Mix of the scalar, `CROSS_LATENCY` cycles (and one where there is time) before stage S.
    place, scalar : In
        Weight word and number of the scalar, stage 0.
    lane_mix : In, inside : In(P), full : In(2 * P)
        Of the block: mix of its units, which of them there are, which are not 0 in each term.
    first : In, turned : In(1)
        First lane-side unit, and whether the lane side are the rows.
    sum : In(SumSignature)
    weights : Out(WeightUpdateSignature)
    writes : Out(WeightWriteSignature), counts : Out(CountSignature)
        The counts come 2 cycles after their write.
    mixed : Out(32)
        What writes add to the signature, ``1 + ceil(log2(P))`` cycles later; else 0.
    pending, signing : Out(1)
        A word waits to be written; words are on their way to the signature.
    """

    def __init__(self, config: EngineConfig):
        self.config = config
        widths, lanes = Widths(config), config.lanes
        super().__init__({
            "busy": In(1), "silent": In(1), "paired": In(1), "mix": In(32),
            "place": In(widths.weights),
            "scalar": In(INDEX), "lane_mix": In(data.ArrayLayout(32, lanes)), "inside": In(lanes),
            "full": In(data.ArrayLayout(lanes, 2)), "first": In(INDEX), "turned": In(1),
            "sum": In(SumSignature(config)), "weights": Out(WeightUpdateSignature(config)),
            "writes": Out(WeightWriteSignature(config)), "counts": Out(CountSignature()),
            "mixed": Out(32), "pending": Out(1), "signing": Out(1)})

    def elaborate(self, platform):
        m = Module()
        config = self.config
        lanes, width, weight, drop = (config.lanes, config.accumulator_width, config.weight,
                                      config.drop)
        stage = config.weight_latency + config.multiplier_latency
        ahead = random_ahead(config)
        address = delayed(m, self.place, config.multiplier_latency, "read_at")
        m.d.comb += [self.weights.read_address.eq(address), self.weights.busy.eq(self.busy)]
        # A second term ends one cycle later
        write_at = delayed(m, address, config.weight_latency + 2, "write_at")
        # (and of one port keeps to the cycles that reads leave).
        more = 1 + (config.weight_ports == 1)
        write_late = delayed(m, write_at, more, "write_late")
        scalar = delayed(m, self.scalar, stage + 2, "trace_at")
        scalar_late = delayed(m, scalar, more, "trace_late")
        m.d.comb += [self.weights.address.eq(Mux(self.paired, write_late, write_at)),
                     self.writes.scalar.eq(Mux(self.paired, scalar_late, scalar)),
                     self.writes.first.eq(self.first), self.writes.turned.eq(self.turned)]
        write = Signal()
        flags = Signal(2)
        late, late_flags, pending = self.sum.complete, self.sum.scalars, write
        if config.weight_ports == 1:
            after = delayed(m, late, 1, "last_late")
            pending, late = pending | after, Mux(self.paired, after, late)
            late_flags = Mux(self.paired, delayed(m, late_flags, 1, "flags_late"), late_flags)
        m.d.sync += [write.eq(late), flags.eq(late_flags)]
        m.d.comb += self.weights.enable.eq(write)
        # Of one port a write may wait.
        taken = self.sum.complete if config.weight_ports == 1 else Const(1)
        mixed, clips = [], []
        for lane in range(lanes):
            m.submodules[f"cross{lane}"] = cross = CrossUnit()
            m.d.comb += [Cat(cross.b, cross.a).eq(self.mix),
                         Cat(cross.d, cross.c).eq(self.lane_mix[lane])]
            word = Const(0, 1) if drop == 0 else cross.y
            below = Cat(Const(0, drop - WORD), word) if drop >= WORD else word[WORD - drop:]
            below = delayed(m, below, ahead, f"below_{lane}")
            old = self.weights.word.word_select(lane, WORD).as_signed()[:weight.width].as_signed()
            m.d.comb += self.sum.begin.word_select(lane, width).eq(Cat(below, old).as_signed())
            # The random word of an element stays for its signature.
            x, y = (delayed(m, half, 1 + ahead, f"{name}_{lane}_")
                    for name, half in (("x", cross.x), ("y", cross.y)))
            late_x, late_y = (Signal(WORD, name=f"{name}_{lane}", reset_less=True)
                              for name in ("late_x", "late_y"))
            total = self.sum.totals.word_select(lane, width).as_signed() >> drop
            wide, clip = Signal.like(total, name=f"wide_{lane}"), Signal(name=f"clip_{lane}")
            m.d.comb += wide.eq(total)
            negative = wide[-1]
            over = Mux(negative, ~wide[weight.width - 1:].all(), wide[weight.width - 1:].any())
            ends = Mux(negative, weight.min, weight.max)
            new = Signal(WORD, name=f"new_{lane}", reset_less=True)
            with m.If(taken):
                # Padding weights must stay 0, whatever is in the padding of states.
                m.d.sync += [new.eq(Mux(over, ends, wide[:WORD].as_signed())
                                    & self.inside[lane].replicate(WORD)), clip.eq(over),
                             late_x.eq(x), late_y.eq(y)]
            mask = (flags[0] & self.full[0][lane]) | (flags[1] & self.full[1][lane])
            m.d.comb += [self.writes.mask[lane].eq(mask & write & ~self.silent),
                         self.weights.data.word_select(lane, WORD).eq(new)]
            word = Signal(WORD, name=f"mixed_{lane}", reset_less=True)
            m.d.sync += word.eq(mix_written(late_x, late_y, new)
                                & self.writes.mask[lane].replicate(WORD))
            mixed.append(word)
            clips.append(clip & self.writes.mask[lane])
        # Two cycles later, to be short of the adders after it.
        for total, flags_of in ((self.counts.written, self.writes.mask),
                                (self.counts.clipped, Cat(*clips))):
            late = delayed(m, flags_of, 1, "counted")
            m.d.sync += total.eq(sum(late[1:], late[0]) if lanes > 1 else late)
        stages = 1
        while len(mixed) > 1:
            mixed = [(mixed[i] + mixed[i + 1]) if i + 1 < len(mixed) else mixed[i]
                     for i in range(0, len(mixed), 2)]
            mixed = [delayed(m, word, 1, f"sum{stages}_{i}") for i, word in enumerate(mixed)]
            stages += 1
        m.d.comb += self.mixed.eq(mixed[0])
        signing = kept(m, write, stages, "signing")
        m.d.comb += [self.pending.eq(pending), self.signing.eq(Cat(*signing).any()),
                     self.writes.valid.eq(write & self.writes.mask.any()),
                     self.writes.values.eq(self.weights.data)]
        return m
