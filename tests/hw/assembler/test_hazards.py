"""What instructions wait for, and what happens where they do not."""

import numpy as np
import pytest
from engine_case import compare, random_inputs, random_weights

import apical.hw.assembler.assembler
import apical.sim.simulators.pysim
from apical.golden.errors import ApicalError
from apical.golden.network import layered
from apical.golden.program import Decide, Difference, Program, Relax, Snapshot
from apical.golden.program.layered import inference, nudged, step
from apical.hw.assembler.assembler import assemble, config_for
from apical.hw.assembler.hazards import Instruction, mark_waits
from apical.hw.interface.isa import Opcode, decode


def waits(*instructions, stage=8):
    """(after projections, after elementwise operations) of each."""
    mark_waits(list(instructions), stage)
    return [(i.fields.get("after_projections", 0), i.fields.get("after_units", 0))
            for i in instructions]


def unit(reads, writes, chunks=20, **fields):
    return Instruction(Opcode.UNIT, fields, None, tuple(reads), writes, chunks=chunks)


def project(reads, writes, span=5, queued=False, **fields):
    return Instruction(Opcode.PROJECT, fields, None, tuple(reads), writes, span, queued=queued)


FIRST = project("v", "A")


def test_units_run_side_by_side():
    assert waits(FIRST, unit("B", "w")) == [(1, 1), (0, 0)]
    assert waits(FIRST, unit("A", "w")) == [(1, 1), (1, 0)], "it reads the sum"
    assert waits(FIRST, unit("B", "v")) == [(1, 1), (1, 0)], "it writes the source"
    assert waits(unit("B", "w"), project("v", "A")) == [(1, 1), (0, 0)]
    assert waits(unit("B", "w"), project("w", "A")) == [(1, 1), (0, 1)], "it reads the state"
    assert waits(unit("B", "w"), project("v", "B")) == [(1, 1), (0, 1)], "it writes the sum"


def test_who_has_waited_has_waited_for_all_before():
    assert waits(FIRST, unit("B", "w"), unit("A", "x"), unit("A", "y"), project("w", "B")) == [
        (1, 1), (0, 0), (1, 0), (0, 0), (0, 1)]


def test_an_operation_follows_the_chunks_of_the_one_before():
    assert waits(unit("a", "b"), unit("b", "c")) == [(1, 1), (0, 0)]
    assert waits(unit("a", "b", 7), unit("b", "c")) == [(1, 1), (0, 1)]
    assert waits(unit("a", "b", 7), unit("x", "y", 1), unit("b", "c")) == [(1, 1), (0, 0), (0, 0)]


def test_projections_follow_each_other_as_the_stages_allow():
    dot = project("v", "A", dot=1)
    assert waits(dot, project("w", "B")) == [(1, 1), (1, 0)], "it would overtake"
    assert waits(dot, project("w", "B", queued=True)) == [(1, 1), (0, 0)]
    assert waits(FIRST, project("wA", "B", span=0)) == [(1, 1), (1, 0)]
    assert waits(FIRST, project("wA", "B", span=1)) == [(1, 1), (0, 0)]
    assert waits(dot, project("wA", "B", span=2, dot=1)) == [(1, 1), (1, 0)]


def test_tables_and_random_words_are_alone():
    for fields in ({"post": 1}, {"draws": 1}):
        assert waits(unit("a", "b"), unit("x", "y", **fields), unit("p", "q")) == [(1, 1)] * 3


def test_the_first_of_a_loop_has_two_predecessors():
    loop = Instruction(Opcode.REPEAT, {}), Instruction(Opcode.LOOP, {"operand": 2})
    told = waits(unit("a", "b"), loop[0], unit("x", "y"), loop[1], unit("p", "q"))
    assert told == [(1, 1), (0, 0), (1, 1), (0, 0), (0, 0)]


def test_weight_updates_wait_for_all_and_are_waited_for():
    assert waits(FIRST, Instruction(Opcode.LEARN, {}), unit("p", "q")) == [(1, 1)] * 3


def test_a_held_projection_lets_pass_whom_it_waits_for():
    held = project("A", "A", queued=True, held=1)
    assert waits(unit("B", "v"), held, unit("A", "w"), unit("A", "x")) == [
        (1, 1), (0, 0), (0, 0), (1, 0)]
    with pytest.raises(AssertionError):
        waits(unit("B", "v"), project("w", "C"), project("A", "A", queued=True, held=1),
              unit("C", "w"))


# On engines

SIZES, LANES, QUICK = (9, 14, 6), 4, 2


def program(network):
    ops = (*inference(network, 3).ops[:-1], *(Snapshot(p.name, "a") for p in network.free),
           Relax(2, step(network, nudges=nudged("d", "y"))),
           *(Difference(p.name, "b", "state", "a") for p in network.free), Decide("y"))
    return Program("two phases", ops)


def run(depth, lanes=LANES, quick=QUICK, sizes=SIZES, **fields):
    rng = np.random.default_rng(3)
    network = layered(sizes)
    made = program(network)
    config = config_for(network, made, lanes, update_lanes=quick, change_depth=depth, **fields)
    try:
        return compare(network, made, config, random_weights(network, rng),
                       random_inputs(network, made, rng, 2))
    except ApicalError as error:  # it hangs
        return [error], []


#: Flags that are dropped, with how many places for changes, and of how many hidden units.
DROPPED = [("after_units", 0, 40, {}), ("after_projections", 32, 40, {}), ("whole", 32, 40, {}),
           # The second update comes late: its key is mixed only after the first write of the first.
           ("held", 32, 3, {"key_ahead": False})]


@pytest.mark.parametrize(("name", "depth", "hidden", "fields"), DROPPED)
def test_a_flag_that_is_missing_shows(name, depth, hidden, fields, monkeypatch):
    marked = apical.hw.assembler.assembler.mark_waits

    def mark(instructions, stage):
        marked(instructions, stage)
        assert any(i.fields.get(name) for i in instructions)
        for instruction in instructions[2:]:
            instruction.fields.pop(name, None)

    monkeypatch.setattr(apical.sim.simulators.pysim, "PATIENCE", 1000)
    monkeypatch.setattr(apical.hw.assembler.assembler, "mark_waits", mark)
    # The sum that waits for its last item has one word.
    assert run(depth, lanes=8, sizes=(9, hidden, 6), **fields)[0]


@pytest.mark.parametrize(("depth", "lanes", "quick", "sizes", "fields"), [
    (64, 3, 1, (9, 5, 7), {"weight_latency": 1, "multiplier_latency": 1, "update_latency": 1}),
    (64, 5, 2, (9, 8, 9, 4), {}), (32, 7, 4, (5, 3, 14), {}),
    (32, 8, 2, (9, 3, 6), {"key_ahead": False})])
def test_two_phases_are_bit_exact(depth, lanes, quick, sizes, fields):
    assert run(depth, lanes, quick, sizes, **fields)[0] == []


def test_loops_by_changes_take_fewer_cycles():
    (_, without), (differences, reports) = run(0, lanes=8), run(32, lanes=8)
    assert differences == []
    assert all(a["image_cycles"] > b["image_cycles"] for a, b in zip(without, reports, strict=True))


def test_an_unchanged_sum_is_not_projected_again():
    network = layered(SIZES)
    made = assemble(network, program(network), config_for(network, program(network), 8,
                                                          change_depth=32))
    kinds = [decode(int(word)) for word in made.instructions]
    assert sum(op == Opcode.PROJECT for op, _ in kinds) == 10
    assert sum(fields.get("held", 0) for _, fields in kinds) == 2
    assert sum(fields.get("whole", 0) for _, fields in kinds) == 2
