"""Bare multiplier arrays: the most a device gives with these tools, to measure the engine by.

``python -m bench.record peers-array-DEVICE python -m bench.peers.arrays --board BOARD --lanes P``
keeps the record that docs/results.md shows.  An array is the lanes of an engine and nothing else:
one word of weights a cycle from block RAM, one rate for all, and one accumulator a lane; no
sequencer, no states, no host port.  It is placed and routed, not simulated.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

from amaranth.hdl import Cat, ClockDomain, Const, Elaboratable, Module, Mux, Signal, signed
from amaranth.lib import io

from apical.boards.build.build import tools_for
from apical.boards.build.catalog import BOARDS, Target, board
from apical.boards.build.routing import place_and_route
from apical.boards.build.top import platform_of
from apical.cli.common import write_json
from apical.hw.engine.lanes import Multiplier
from apical.hw.engine.memory import WordMemory
from apical.hw.export.synthesis import synthesize

#: Bits of a weight and of a rate, and of an accumulator: those of the boards' engines.
WORD, ACCUMULATOR = 16, 38
#: What place and route aims at, Hz: more than any array reaches.
AIM = 250_000_000


class BareArray(Elaboratable):
    """P multipliers with P accumulators over one weight word a cycle.

    Operands come in and totals go out by chains of one bit, so that pins are no limit and nothing
    is optimized away.

    Parameters
    ----------
    family : str
    lanes, depth : int
        P, and words of weights.
    led : (str, int)
        Pin of the totals.
    """

    def __init__(self, family, lanes, depth, led):
        self.family, self.lanes, self.depth, self.led = family, lanes, depth, led

    def elaborate(self, platform):
        m = Module()
        clock = platform.request(platform.default_clk, dir="-")
        m.domains.sync = domain = ClockDomain("sync", reset_less=True)
        m.submodules.clock_pin = pin = io.Buffer("i", clock)
        m.d.comb += domain.clk.eq(pin.i)
        # A counter feeds the chain: its content does not matter, that it is not constant does.
        feed = Signal(24)
        m.d.sync += feed.eq(feed + 1)
        chain = Signal(WORD * (self.lanes + 1) + 4)
        m.d.sync += chain.eq(Cat(feed[-1] ^ feed[3], chain[:-1]))
        rate, word = chain[:WORD], chain[WORD:WORD * (self.lanes + 1)]
        first, write = chain[-1], chain[-2]
        m.submodules.weights = weights = WordMemory(WORD * self.lanes, self.depth, 2, self.family)
        place = Signal(range(self.depth))
        m.d.sync += place.eq(place + 1)
        m.d.comb += [weights.read.address.eq(place), weights.write.address.eq(~place),
                     weights.write.data.eq(word), weights.write.enable.eq(write)]
        value, begins, copies = Signal(WORD), first, []
        m.d.sync += value.eq(rate)
        # Four lanes share a register of `begins`, as in an engine.
        for number in range(-(-self.lanes // 4)):
            copy = Signal(name=f"begins{number}", attrs={"keep": 1})
            m.d.sync += copy.eq(begins)
            copies.append(copy)
        totals = []
        for lane in range(self.lanes):
            m.submodules[f"multiplier{lane}"] = mul = Multiplier(2, self.family)
            total = Signal(signed(ACCUMULATOR), name=f"total{lane}")
            m.d.comb += [mul.a.eq(weights.read.data.word_select(lane, WORD)),
                         mul.b.eq(value.as_signed())]
            m.d.sync += total.eq(Mux(copies[lane // 4], 0, total) + mul.product)
            totals.append(total)
        out, load = Signal(ACCUMULATOR * self.lanes), Signal()
        m.d.sync += [load.eq(feed[:6] == 0),
                     out.eq(Mux(load, Cat(*totals), Cat(Const(0, 1), out[:-1])))]
        m.submodules.led = led = io.Buffer("o", platform.request(*self.led, dir="-"))
        m.d.comb += led.o.eq(out[-1])
        return m


def array(name: str, lanes: int, depth: int, seeds, say=lambda text: None) -> dict:
    """Synthesize, place and route an array for the device of a board.

    Parameters
    ----------
    seeds : iterable of int
        Seeds of the placer; the figures are those of the best.
    """
    place = board(name)
    place = replace(place, targets={place.preset: Target(AIM)})
    family = place.device.family
    tools, by_seed, best = tools_for(place), {}, None
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        plan = platform_of(place).prepare(BareArray(
            family.name, lanes, depth, place.leds["alive"]), "top")
        names = ("top.il", family.constraints_file)
        rtlil, constraints = (data if isinstance(data, str) else data.decode()
                              for data in (plan.files[name] for name in names))
        (work / family.constraints_file).write_text(constraints)
        synthesize(rtlil, "top", family.name, work)
        for seed in seeds:
            found = place_and_route(place, work, seed, tool=tools[family.router])
            by_seed[str(seed)] = found["fmax_mhz"]
            say(f"{name}, {lanes} lanes, seed {seed}: {found['fmax_mhz']} MHz")
            if best is None or found["fmax_mhz"] > best["fmax_mhz"]:
                best = found
    if best["dsps"] < lanes:
        sys.exit(f"{lanes} lanes have {best['dsps']} multipliers: synthesis dropped some")
    return {"board": name, "device": place.device.name, "lanes": lanes, "words": depth, **best,
            "fmax_by_seed": by_seed, "gmac_per_second": lanes * best["fmax_mhz"] / 1000,
            "cells_per_lane": best["luts"] / lanes,
            "tools": ", ".join(tool.version for tool in tools.values())}


def main():
    """Measure what the arguments say."""
    parser = argparse.ArgumentParser(prog="python -m bench.peers.arrays", description=__doc__)
    parser.add_argument("--board", choices=BOARDS, required=True)
    parser.add_argument("--lanes", type=int, required=True)
    parser.add_argument("--words", type=int, default=1024, help="words of weights")
    parser.add_argument("--seeds", type=int, default=2, help="how many seeds of the placer")
    parser.add_argument("--json")
    args = parser.parse_args()
    report = array(args.board, args.lanes, args.words, range(1, args.seeds + 1),
                   say=lambda text: print(text, file=sys.stderr, flush=True))
    print(f"{report['device']}: {report['lanes']} lanes at {report['fmax_mhz']} MHz, "
          f"{report['gmac_per_second']:.2f} GMAC/s, {report['cells_per_lane']:.0f} cells a lane")
    if args.json:
        write_json(args.json, report)


if __name__ == "__main__":
    main()
