"""Programs: what the layered ones consist of, and what is refused."""

import pytest

from apical.golden.errors import MisuseError
from apical.golden.network import layered
from apical.golden.program import (
    STATE,
    Clear,
    Decide,
    Difference,
    Learn,
    Nudge,
    Outer,
    Program,
    Project,
    Relax,
    Snapshot,
    Update,
    accumulators,
    describe,
    vectors,
    walk,
)
from apical.golden.program import layered as lay

NET = layered([6, 4, 3])


def check(*ops):
    Program("p", ops).check(NET)


DRIVE = (Project("up1", "drive"), Project("bias1", "drive", "drive"))


def test_inference_program():
    program = lay.inference(NET, steps=5, settled=0.01)
    assert program.name == "inference-sweep-5"
    assert program.inputs(NET) == ["x"]
    *before, relax, decide = program.ops
    assert relax.steps == 5
    assert relax.settled == 0.01
    assert decide == Decide("y")
    # The clamped drive is accumulated once, before the loop; the loop only starts from it.
    looped = [op.projection for op in relax.body if isinstance(op, Project)]
    assert looped == ["down2", "up2"]
    assert [op.start for op in relax.body if isinstance(op, Project)] == ["drive", "drive"]
    assert sum(isinstance(op, Project) and op.projection == "up1" for op in before) == 1
    # Synchronous: every projection of a step comes before its first update.
    kinds = [type(op) for op in relax.body]
    assert kinds == sorted(kinds, key=[Project, Update].index)


def test_sweep_doubles_hidden_layers_and_halves_their_bias():
    sweep = lay.sweep(NET)
    updates = [op for op in sweep if isinstance(op, Update)]
    assert [(op.population, op.shift, op.leak) for op in updates] == [("h1", -1, False),
                                                                      ("y", 0, False)]
    shares = [op.shift for op in sweep if isinstance(op, Project) and op.projection == "bias1"]
    assert shares == [1]


@pytest.mark.parametrize(("start", "first"), [
    ("sweep", Project), ("zero", Clear), ("keep", Relax)])
def test_starts(start, first):
    program = lay.inference(NET, start=start)
    after_drive = program.ops[len(lay.drive(NET)):]
    assert isinstance(after_drive[0], first)


def test_walk_enters_loops_in_order():
    inner = Relax(2, (Clear("y"),))
    assert list(walk((Clear("h1"), Relax(3, (inner,)), Decide("y")))) == [
        Clear("h1"), Relax(3, (inner,)), inner, Clear("y"), Decide("y")]


def test_vectors_and_accumulators_are_numbered_by_first_use():
    program = Program("p", (*DRIVE, Project("up2", "current"), Snapshot("h1", "free"),
                            Difference("h1", "delta", STATE, "free"), Clear("y", "free")))
    assert vectors(NET, program) == [
        *[(p.name, STATE) for p in NET.populations], ("h1", "free"), ("h1", "delta"),
        ("y", "free")]
    assert accumulators(NET, program) == [("h1", "drive"), ("y", "current")]


def test_inputs_are_the_clamped_populations_that_are_read():
    nudge = Update("y", "drive", nudge=Nudge("d"))
    program = Program("p", (Project("up1", "drive"), Project("bias2", "drive"), nudge))
    assert program.inputs(NET) == ["x", "d"]
    learn = Learn("W1", (Outer(("x", STATE), ("h1", STATE)),))
    assert Program("p", (learn,)).inputs(NET) == ["x"]
    assert Program("p", (Clear("h1"),)).inputs(NET) == []


@pytest.mark.parametrize(("op", "text"), [
    (Update("h1"), "Update h1"),
    (Project("up1"), "Project up1"),
    (Snapshot("h1", "free"), "Snapshot h1.free"),
    (Difference("h1", "delta"), "Difference h1.delta"),
    (Clear("h1"), "Clear h1"),
    (Clear("h1", "free"), "Clear h1.free"),
    (Relax(6, ()), "Relax 6 steps"),
    (Relax(6, (), 0.25), "Relax at most 6 steps until settled within 0.25"),
])
def test_descriptions(op, text):
    assert describe(op) == text


DEEP = Clear("h1")
for _ in range(5):
    DEEP = Relax(1, (DEEP,))


@pytest.mark.parametrize(("ops", "message"), [
    ((Project("up9"),), r"^network '6-4-3' has no projections entry 'up9' \(it has: up1, "),
    ((Project("up1", "a", "b"),),
     r"^program 'p', Project up1: accumulator 'b' of 'h1' is used before it is filled$"),
    ((Project("bias1", shift=16),), r"Project bias1: shift 16 is outside 0\.\.15$"),
    ((Project("up1", shift=1),), r"Project up1: only rates of the constant population can be"),
    ((Update("x"),), r"Update x: 'x' is clamped or constant$"),
    ((Update("h1"),), r"Update h1: accumulator 'current' is used before it is filled$"),
    ((*DRIVE, Update("h1", "drive", 7)), r"Update h1: shift 7 is outside -1\.\.6"),
    ((*DRIVE, Update("h1", "drive", -2)), r"Update h1: shift -2 is outside -1\.\.6"),
    ((*DRIVE, Update("h1", "drive", nudge=Nudge("d"))),
     r"Update h1: the target of a nudge must be a clamped population of 4 units, 'd' is not$"),
    ((Project("up2", "drive"), Update("y", "drive", nudge=Nudge("d", 16))),
     r"Update y: nudge shift 16 is outside 0\.\.15"),
    ((Project("up2", "drive"), Update("y", "drive", nudge=Nudge("d", 0, 0))),
     r"Update y: nudge sign 0; use 1 or -1$"),
    ((Clear("h9"),), r"has no populations entry 'h9'"),
    ((Decide("z"),), r"has no populations entry 'z'"),
    ((Relax(-1, ()),), r"^program 'p', Relax -1 steps: -1 steps$"),
    ((Relax(1, (), -0.5),), r"settled threshold -0\.5 is negative$"),
    ((Relax(1, (), float("nan")),), r"settled threshold nan is negative$"),
    ((DEEP,), r"^program 'p' nests loops deeper than 4$"),
    ((Learn("W1", (Outer(("h1", STATE), ("x", STATE)),)),),
     r"Learn W1: a term of 4 x 6 cannot update a matrix of 6 x 4$"),
    ((Nudge("d"),), r"^program 'p', Nudge d: not an operation$"),
])
def test_programs_that_cannot_run(ops, message):
    with pytest.raises(MisuseError, match=message):
        check(*ops)


def test_an_accumulator_filled_in_a_loop_counts_after_it():
    check(Relax(2, (Project("up1", "drive"),)), Update("h1", "drive"))
