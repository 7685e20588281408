"""Mistakes put into the learning unit: the bench finds every one and names what is wrong."""

import importlib

import numpy as np
import pytest
from learn_case import compare_run, problem
from test_learn import TERMS, UNITS, outer_network, outer_program
from test_mutants import mutant

import apical.sim.simulators.pysim
from apical.golden.program import Program, Snapshot
from apical.hw.assembler.assembler import config_for

#: Lanes of the engine: 6 rows are a full word of 4 and a tail of 2, 5 columns one of 1.
LANES = 4


def learned(terms="one term", by_sign=False, reach=None, rate=0.45, unit="pipelined", after=False):
    """Run a program with one weight update, and a write behind it; the outcome."""
    network, program = outer_network(), outer_program(TERMS[terms], by_sign)
    if after:
        program = Program("outer", (*program.ops, Snapshot("h", "a")))
    config = config_for(network, program, LANES, **{"update_lanes": 2, **UNITS[unit]})
    weights, inputs = problem(network, program, np.random.default_rng(4), 2)
    if reach is not None:
        weights["m"] = np.full(weights["m"].shape, reach)
    return compare_run(network, program, config, weights, inputs, [(2, {"m": rate})], seed=5)


#: What is wrong: (module, text, text instead, class, where it is used, options of `learned`,
#: what the bench names: a wrong "weight", an "unexpected" one, a wrong "factor", a register, or
#: weights that are read back and "differ").
MUTANTS = {
    "a bit of the random word": (
        "learn_write", "if drop == 0 else cross.y", "if drop == 0 else cross.y ^ 0x8000",
        "WeightWriter", "learn_lanes", {}, "weight"),
    "the mix of one lane": (
        "learn_lanes", "lane_mix[lane].eq(told.mix)",
        "lane_mix[lane].eq(told.mix ^ (lane == 1))", "LearnLanes", "tile", {},
        "weight"),
    "rows are mixed as columns": (
        "learn", "Cat(number, fill ^ self.swapped)", "Cat(number, ~fill)", "LearnUnit", "root",
        {}, "weight"),
    "the greatest weight is one less": (
        "learn_write", "Mux(negative, weight.min, weight.max)",
        "Mux(negative, weight.min, weight.max - 1)",
        "WeightWriter", "learn_lanes", {"reach": 32767},
        "weight"),
    "the least weight is one more": (
        "learn_write", "Mux(negative, weight.min, weight.max)",
        "Mux(negative, weight.min + 1, weight.max)",
        "WeightWriter", "learn_lanes", {"reach": -32768},
        "weight"),
    "updates wrap around": (
        "learn_write", "Mux(over, ends, wide[:WORD].as_signed())", "wide[:WORD]", "WeightWriter",
        "learn_lanes",
        {"reach": 32767}, "weight"),
    "clipped weights are not counted": (
        "learn_write", "clip.eq(over)", "clip.eq(0)",
        "WeightWriter", "learn_lanes", {"reach": 32767},
        "saturations"),
    "padding and factors of 0 are written": (
        "learn_write", "(flags[0] & self.full[0][lane])", "flags[0]",
        "WeightWriter", "learn_lanes", {},
        "unexpected"),
    "what is written enters the signature in part": (
        "learn_write", "mix_written(late_x, late_y, new)", "mix_written(late_x, late_y, new >> 1)",
        "WeightWriter", "learn_lanes", {}, "signature"),
    "the number of written weights": (
        "learn_write", "sum(late[1:], late[0])", "sum(late[1:])", "WeightWriter", "learn_lanes", {},
        "writes"),
    "the sign of the second term": (
        "learn", "beat.negative.eq(self.minus[1])", "beat.negative.eq(self.minus[0])",
        "LearnUnit", "root", {"terms": "two terms"}, "weight"),
    "words are written to another place than they came from": (
        "learn_write", "self.weights.address.eq(Mux(self.paired, write_late, write_at))",
        "self.weights.address.eq(Mux(self.paired, write_late, write_at) ^ 1)", "WeightWriter",
        "learn_lanes",         {"terms": "two terms"}, "differ"),
    "serial: a bit of the random word": (
        "learn_serial", "product.begin.eq(word)", "product.begin.eq(word ^ 1 << drop - 1)",
        "SerialLearnUnit", "root", {"unit": "serial"}, "weight"),
    "serial: the mix of a lane is that of its neighbour": (
        "learn_serial", "Cat(lane, block)", "Cat(lane ^ 1, block)", "SerialLearnUnit", "root",
        {"unit": "serial"}, "weight"),
    "serial: rows are mixed as columns": (
        "learn_serial", "Mux(scalar, turned, ~turned)",
        "Mux(scalar, ~turned, turned)", "SerialLearnUnit", "root", {"unit": "serial"},
        "weight"),
    "serial: the greatest weight": (
        "learn_serial", "below ^ up.replicate(len(below))", "below", "SerialLearnUnit", "root",
        {"unit": "serial", "reach": 32767}, "weight"),
    "serial: the least weight": (
        "learn_serial", "top ^ down", "top", "SerialLearnUnit", "root",
        {"unit": "serial", "reach": -32768}, "weight"),
    "serial: clipped weights are not counted": (
        "learn_serial", "cross.changed & (up | down)", "cross.changed & 0", "SerialLearnUnit",
        "root", {"unit": "serial", "reach": 32767}, "saturations"),
    "serial: factors of 0 are written": (
        "learn_serial", "(product.a.any() & product.value.any())", "1", "SerialLearnUnit", "root",
        {"unit": "serial", "rate": 2e-5}, "unexpected"),
    "serial: what is written enters the signature in part": (
        "learn_serial", "mix_written(cross.x, cross.y, new)",
        "mix_written(cross.x, cross.y, new >> 1)", "SerialLearnUnit", "root",
        {"unit": "serial"}, "signature"),
    "serial: the number of written weights": (
        "learn_serial", "written.eq(cross.changed)", "written.eq(0)", "SerialLearnUnit",
        "root", {"unit": "serial"}, "writes"),
    "serial: the sign of the second term": (
        "learn_serial", "walk.second, self.operation.negative[1]",
        "walk.second, self.operation.negative[0]", "SerialLearnUnit", "root",
        {"terms": "two terms", "unit": "serial"}, "weight"),
    "serial: lanes of the new word are not put together": (
        "lane_host", "comes | update.shift", "comes", "LaneHost", "tile", {"unit": "serial"},
        "weight"),
    "serial: the image key is not mixed once more": (
        "keys", "with m.If(self.learned):", "with m.If(0):", "OperationKeys", "sequencer",
        {"unit": "serial", "after": True}, "signature"),
    "the sign of beta": (
        "operands", "Mux(turn, -factor, factor)", "factor", "Operands", "root", {"by_sign": True},
        "factor"),
}


@pytest.mark.parametrize("name", MUTANTS)
def test_mutants_are_caught_and_named(name, monkeypatch):
    module, old, new, thing, where, options, what = MUTANTS[name]
    monkeypatch.setattr(apical.sim.simulators.pysim, "PATIENCE", 2000)
    place = importlib.import_module(f"apical.hw.engine.{where}")
    monkeypatch.setattr(place, thing, getattr(mutant(module, old, new), thing))
    told = learned(**options)
    first = told.first
    assert not told.good
    if what in ("weight", "unexpected"):
        assert (first.matrix, first.kind) == ("m", "value" if what == "weight" else what)
        assert first.cycle > 0 and first.expected != first.got
        assert first.operation.startswith("Learn m" if what == "weight" else "operation ")
        assert 0 <= first.row < 8 and 0 <= first.column < 8
        if name == "the mix of one lane":
            assert first.row % LANES == 1
    elif what == "factor":
        assert (first.operation, first.population, first.kind) == ("Learn m", "g", "value")
    elif what == "differ":
        assert "m" in told.weights
    else:
        assert told.comparison.mismatches == 0 and told.registers == [what]


def test_the_healthy_engine_passes_every_case_of_a_mutant():
    cases = {repr(sorted(options.items())): options for *_, options, _ in MUTANTS.values()}
    for options in cases.values():
        told = learned(**options)
        assert told.good, told
        assert told.comparison.weights_compared > 20
