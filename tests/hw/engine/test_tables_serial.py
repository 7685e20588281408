"""The serial table unit by itself: with its multiplier and a memory of samples, and its cycles."""

import numpy as np
import pytest
from amaranth.hdl import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import Out
from component_bench import put, simulate
from engine_case import compare
from test_tables import expected, values

from apical.golden.errors import MisuseError
from apical.golden.network import Matrix, Network, Population, Projection
from apical.golden.numbers.addressed import KEY_ROUNDS
from apical.golden.numbers.formats import Format, round_shift
from apical.golden.numbers.tables import SLOPE
from apical.golden.program import Clear, FlowRate, Program, Project, Sample, Update
from apical.hw.assembler.assembler import reasons
from apical.hw.assembler.image import table_writes
from apical.hw.engine.product import ProductSum
from apical.hw.engine.tables_serial import SerialTableUnit, unit_cycles
from apical.hw.interface.config import EngineConfig
from apical.hw.interface.isa import LANE_BITS, SPACE_LOW, Post
from apical.hw.primitives.portable import delayed

FIELDS = {"lanes": 4, "update_lanes": 1, "smooth": True, "noise": True, "table_unit": "serial",
          "weight_latency": 2, "weight_depth": 2, "update_latency": 1}


class Bench(wiring.Component):
    """The unit with the words that the host writes, as they are shown, and its multiplier."""

    def __init__(self, config):
        self.config, self.unit = config, SerialTableUnit(config)
        self.slow = Signal()
        super().__init__({"value": Out(16), "gated": Out(17)})

    def elaborate(self, platform):
        m = Module()
        config, unit, product = self.config, self.unit, ProductSum()
        m.submodules.unit, m.submodules.product = unit, product
        words = [0] * config.weight_words
        for addresses, data in table_writes(config):
            for place, value in zip(addresses.ravel(), data.ravel()):
                word, lane = divmod(int(place) & (1 << SPACE_LOW) - 1, 1 << LANE_BITS)
                words[word] |= int(value) << 16 * lane
        m.submodules.cells = cells = Memory(shape=16 * config.lanes, depth=len(words), init=words)
        read = cells.read_port()
        word, shown = delayed(m, read.data, config.weight_latency - 1, "word"), Signal(16)
        m.d.sync += shown.eq(word.word_select(unit.tile.sample_lane, 16))
        m.d.comb += [
            read.addr.eq(unit.sample), unit.tile.sample.eq(shown), unit.slow.eq(self.slow),
            unit.tile.total.eq(product.total), self.value.eq(unit.tile.value),
            self.gated.eq(unit.tile.gated)]
        for name in ("a", "b", "load", "add", "subtract", "begin"):
            m.d.comb += getattr(product, name).eq(getattr(unit.tile, name))
        return m


@pytest.mark.parametrize("form", [Format(16, 12), Format(16, 8), Format(12, 4), Format(8, 2),
                                  Format(16, 14)])
@pytest.mark.parametrize("post", [Post.LOGISTIC, Post.DRAW, Post.THRESHOLD, Post.FLOW, Post.GATE])
def test_values_and_latency(post, form):
    config = EngineConfig(**FIELDS, state=form, weight=Format(16, 14))
    rng, bench, count = np.random.default_rng(5), Bench(config), 40
    z, state = rng.integers(form.min, form.max + 1, (2, count))
    z[:5], state[:30:2] = (0, 1, -1, form.min, form.max), form.one
    for number, limit in enumerate((6, -6, 7, -7)):  # where the exponent of flow rates is clipped
        z[5 + 2 * number:7 + 2 * number] = np.clip([limit << form.frac, (limit << form.frac) + 1],
                                                   form.min, form.max)
    word = rng.integers(0, 1 << 16, count)
    wanted = (round_shift(values(SLOPE, state, form) * z, form.frac) & 0x1FFFF
              if post == Post.GATE else expected(post, z, state, word, form) & 0xFFFF)
    got, cycles = [], []

    async def script(ctx):
        unit = bench.unit
        put(ctx, unit.operation, post=post, start=1)
        await ctx.tick()
        put(ctx, unit.operation, start=0)
        ctx.set(bench.slow, 1)
        for i in range(count):
            put(ctx, unit.tile, z=z[i], state=state[i], random=int(word[i]) << 16)
            cycles.append(1)
            while not ctx.get(unit.advance):
                cycles[-1] += 1
                assert cycles[-1] < 100
                await ctx.tick()
            got.append(ctx.get(bench.gated if post == Post.GATE else bench.value))
            await ctx.tick()

    simulate(bench, script)
    np.testing.assert_array_equal(got, wanted)
    assert set(cycles) == {unit_cycles(config)}


@pytest.mark.parametrize(("latencies", "cycles"), [((1, 1), 15), ((4, 4), 19), ((1, 4), 18)])
def test_cycles_of_a_unit(latencies, cycles):
    fields = FIELDS | dict(zip(("weight_latency", "update_latency"), latencies, strict=True))
    assert unit_cycles(EngineConfig(**fields)) == cycles


def test_a_draw_mixes_the_number_of_its_unit_before_its_chunk_is_issued():
    config, seen = EngineConfig(**FIELDS), {}
    unit = SerialTableUnit(config)

    async def script(ctx):
        put(ctx, unit.operation, draws=1, start=1)
        await ctx.tick()
        put(ctx, unit.operation, start=0)
        put(ctx, unit.tile, unit=77)
        put(ctx, unit, slow=1)
        for cycle in range(unit_cycles(config)):
            for name, flag in (("mix", unit.draw.start), ("token", unit.token),
                               ("crossing", unit.tile.crossing)):
                if ctx.get(flag):
                    seen.setdefault(name, []).append(cycle)
            assert ctx.get(unit.draw.unit) == 77
            await ctx.tick()

    simulate(unit, script)
    assert seen["mix"] == [0] and seen["token"] == [KEY_ROUNDS + 1]
    # The crossing is left to the signature in the cycle of the write.
    assert seen["crossing"] == list(range(unit_cycles(config) - 1))


@pytest.mark.parametrize(("fields", "reason"), [
    ({"update_lanes": 2}, "^the serial table unit needs 1 update lane, not 2; or set table_unit to "
                          "pipelined$"),
    ({"tiles": 2}, "needs 1 tile, not 2"),
    ({"key_ahead": False}, "needs key_ahead, not False"),
    ({"learning": True}, "needs the serial learning unit, not pipelined"),
    ({"weight": Format(8, 6)}, "needs weights of the 16 bits of a state or more, not s8.6"),
    ({"weight_depth": 1 << 15}, "needs 384 words of weights for its samples, not 32768 of 32768"),
    ({"gate": False, "table_unit": "pipelined"}, "^an engine without gate needs the serial table"),
    ({"table_unit": "quick"}, "^unknown table unit 'quick'; known: pipelined, serial$")])
def test_what_the_serial_unit_cannot_do_is_refused(fields, reason):
    with pytest.raises(MisuseError, match=reason):
        EngineConfig(**{**FIELDS, **fields})


def sampled(units):
    """(cycles, engine) of an image that samples, finds flow rates, and moves with gate and noise.

    The engine agrees with the fixed executor.
    """
    populations = Population("x", 2, clamped=True), Population("h", units, "logistic")
    network = Network("sampled", populations, (Matrix("m", 2, units),),
                      (Projection("p", "x", "h", "m"),))
    program = Program("sampled", (
        Clear("h"), Project("p"), Project("p", "more"), Sample("h"), FlowRate("h", "flow"),
        Sample("h", "more", "mean"),
        Update("h", shift=1, noise=0.1)))
    config = EngineConfig(**FIELDS | {
        "weight_depth": 64, "state_depth": 16, "accumulator_depth": 16, "event_depth": 16,
        "program_depth": 64, "descriptor_depth": 32, "input_banks": 1})
    rng = np.random.default_rng(units)
    weights = {"m": rng.integers(-9000, 9000, (2, units))}
    differences, reports = compare(network, program, config, weights,
                                   {"x": rng.integers(0, 4097, (1, 2))})
    assert differences == []
    return reports[0]["image_cycles"], config


def test_an_engine_agrees_and_a_unit_more_takes_its_cycles_in_every_operation():
    (few, config), (more, _) = (sampled(units) for units in (2, 4))
    # A sample, a flow rate, a mean, a gate and a noisy update; and the rates of four new states.
    assert more - few == 2 * 9 * unit_cycles(config)


def test_an_engine_without_gate_says_so():
    populations = Population("x", 2, clamped=True), Population("h", 3, "logistic")
    network = Network("gated", populations, (Matrix("m", 2, 3),),
                      (Projection("p", "x", "h", "m"),))
    config = EngineConfig(**FIELDS | {"weight_depth": 64})
    for gate in (False, True):
        program = Program("gated", (Clear("h"), Project("p"), Update("h", gate=gate)))
        assert reasons(network, program, config) == []
        told = reasons(network, program, config.replace(gate=False))
        assert [t.partition(": ")[2] for t in told] == [
            "a gate needs the slope of the table unit, which this engine lacks"] * gate
