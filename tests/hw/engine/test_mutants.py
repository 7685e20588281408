"""Mistakes put into the gateware on purpose: the comparison finds every one of them.

A mutant is one piece of source text replaced by another; where the text is gone, the test says so,
and the mutant is to be written anew.
"""

import importlib
import types
from pathlib import Path

import numpy as np
import pytest
from engine_case import compare, random_inputs, random_weights

import apical.sim.simulators.pysim
from apical.golden.errors import ApicalError
from apical.golden.network import layered
from apical.golden.program import Decide, Difference, Program, Relax, Snapshot
from apical.golden.program.layered import drive, inference, nudged, step, sweep
from apical.golden.systems.equilibrium import FREE
from apical.hw.assembler.assembler import config_for


def mutant(module, old, new):
    """The module of that name in apical.hw with one text replaced by another."""
    healthy = importlib.import_module(f"apical.hw.engine.{module}")
    source = Path(healthy.__file__).read_text()
    found = source.count(old)
    assert found == 1, f"hw/engine/{module}.py has the text {found} times: {old}"
    made = types.ModuleType(f"mutant_{module}")
    made.__package__ = "apical.hw.engine"
    exec(compile(source.replace(old, new), f"mutant of {module}", "exec"), made.__dict__)
    return made


def contrast_program(network, sign=1):
    """Free phase, snapshot, nudged phase, difference: training without its last step."""
    nudge = nudged("d", "y", 1, sign)
    return Program("contrast", (*drive(network), *sweep(network), Relax(2, step(network)),
                                *(Snapshot(p.name, FREE) for p in network.free),
                                Relax(2, step(network, nudges=nudge)),
                                *(Difference(p.name, "delta") for p in network.free), Decide("y")))


def words_program(network):
    """Inference with the inputs in state words, where rows are scanned for rates."""
    return Program("words", (Snapshot("x", "copy"), *inference(network, 1).ops))


def run(program="inference", lanes=4, quick=2, sizes=(9, 7, 6), images=2, reach=2500, ones=False,
        key_ahead=True, **options):
    """Compare a small network with the engine as it is now; returns the differences."""
    rng = np.random.default_rng(1)
    network = layered(sizes)
    made = PROGRAMS[program](network, **options)
    weights = random_weights(network, rng, reach)
    inputs = random_inputs(network, made, rng, images)
    if ones:
        inputs = {name: np.ones_like(values) for name, values in inputs.items()}
    config = config_for(network, made, lanes, update_lanes=quick, key_ahead=key_ahead)
    try:
        return compare(network, made, config, weights, inputs)[0]
    except (ApicalError, IndexError) as error:  # it hangs, or wrote what no program could
        return [error]


PROGRAMS = {"inference": inference, "contrast": contrast_program, "words": words_program}

#: What is wrong: (module, text, text instead, where it is used, name there, options of `run`).
MUTANTS = {
    "rounding is floor": (
        "unit_lane", "Cat(1, start)", "Cat(0, start)", "unit_pipeline", "UpdateLane", {}),
    "the sign of one lane": (
        "lanes", "mul.b.eq(rate)", "mul.b.eq(-rate if lane == 1 else rate)", "tile", "Lanes", {}),
    "one block too many in dot direction": (
        "issue", "last = block == last_block", "last = block == last_block + 1", "root",
        "ProjectionIssue", {}),
    "one block too few in broadcast direction": (
        "issue", "Mux(operation.dot, operation.rows, operation.blocks)",
        "Mux(operation.dot, operation.rows, 1)", "root", "ProjectionIssue", {}),
    "the last row of the last word is skipped": (
        "scan", "(tail > self.first + lane)", "(tail > self.first + lane + 1)", "tile", "WordScan",
        {"program": "words"}),
    "rows of the smallest rate are skipped": (
        "stores", "word_select(lane, WORD).any()", "word_select(lane, WORD)[1:].any()", "tile",
        "StateStore", {"program": "words", "ones": True}),
    "padding of a word is not masked": (
        "scan", "(~next_last | (tail > self.first + lane))", "1", "tile", "WordScan", {}),
    "events behind the last one": (
        "issue", "valid & event[31]", "0", "root", "ProjectionIssue", {}),
    "sums do not start from their accumulator": (
        "lanes", "Mux(started, ", "Mux(0, ", "tile", "Lanes", {}),
    "the sign of the nudge": (
        "unit_lane", 'at["nudge"] & ~at["nudge_negative"]', 'at["nudge"]', "unit_pipeline",
        "UpdateLane", {"program": "contrast", "sign": -1}),
    "the operands of a difference": (
        "unit_lane", 'Mux(at["subtract"], apart, a)', 'Mux(at["subtract"], -apart, a)',
        "unit_pipeline", "UpdateLane", {"program": "contrast"}),
    "the upper limit is one less": (
        "unit_lane", "symmetric, state.one, state.max)", "symmetric, state.one - 1, state.max)",
        "unit_pipeline", "UpdateLane", {}),
    "padding of a word is written": (
        "unit_issue", "Mux(left == 1, tail, lanes)", "lanes", "unit_issue", "UnitIssue", {}),
    "the last of equal values wins": (
        "unit_measure", "later = right > left", "later = right >= left", "unit_pipeline", "Measure",
        {"reach": 0}),
    "settled means less than the threshold": (
        "sequencer", '"threshold"), self.moved)', '"threshold"), self.moved | 1)', "root",
        "Sequencer", {"steps": 40, "settled": 0.0, "images": 1, "reach": 1000}),
    "loops run once more": (
        "sequencer", "loops[loop] == 1", "loops[loop] == 0", "root", "Sequencer", {}),
    "the key is mixed before the one before is taken": (
        "keys", "else occupied)):\n                m.d.comb += engine.start.eq(1)\n"
        "                m.d.sync += [wanted", "else Const(0))):\n"
        "                m.d.comb += engine.start.eq(1)\n                m.d.sync += [wanted",
        "sequencer",
        "OperationKeys", {"quick": 1, "sizes": (4, 40, 3), "key_ahead": False}),
    "the key is not kept while the next one is mixed": (
        "keys", "m.d.sync += kept.eq(engine.result)\n        image_wanted",
        "pass\n        image_wanted", "sequencer", "OperationKeys", {}),
    "one input bank": (
        "sequencer", "run.bank.eq(~run.bank)", "run.bank.eq(0)", "root", "Sequencer", {}),
    "addresses of the signature start at 0": (
        "mixing", "(self.address + lane)[:INDEX]", "lane", "tile", "SignatureUnit", {}),
}


@pytest.mark.parametrize("name", MUTANTS)
def test_mutants_are_caught(name, monkeypatch):
    module, old, new, where, thing, options = MUTANTS[name]
    monkeypatch.setattr(apical.sim.simulators.pysim, "PATIENCE", 2000)
    place = importlib.import_module(f"apical.hw.engine.{where}")
    monkeypatch.setattr(place, thing, getattr(mutant(module, old, new), thing))
    assert run(**options)


def test_the_healthy_engine_passes_every_case_of_a_mutant():
    cases = {repr(sorted(options.items())): options for *_, options in MUTANTS.values()}
    for options in cases.values():
        assert run(**options) == []


@pytest.mark.parametrize(("lanes", "quick", "sign"), [(4, 2, 1), (5, 4, -1), (1, 1, 1),
                                                      (16, 16, -1)])
def test_two_phases_and_their_difference_are_bit_exact(lanes, quick, sign):
    rng = np.random.default_rng(lanes)
    network = layered((11, 8, 5))
    program = contrast_program(network, sign)
    config = config_for(network, program, lanes, update_lanes=quick)
    differences, reports = compare(network, program, config, random_weights(network, rng),
                                   random_inputs(network, program, rng, 3))
    assert differences == [] and all(r["image_steps"] == 4 for r in reports)
