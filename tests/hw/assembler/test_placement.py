"""Placement and assembly: the cheapest orientation that fits, no overlaps, and reasons in words."""

import itertools

import numpy as np
import pytest

from apical.golden.errors import DoesNotFitError, MisuseError
from apical.golden.network import Matrix, Network, Population, Projection, layered
from apical.golden.numbers.formats import Format
from apical.golden.program import (
    STATE,
    Clear,
    Decide,
    Program,
    Project,
    Relax,
    Snapshot,
    Update,
)
from apical.golden.program.layered import inference
from apical.hw.assembler.assembler import assemble, config_for, reasons
from apical.hw.assembler.orientation import (
    blocks_of,
    choose_orientations,
    matrix_words,
    projection_cycles,
    tail_of,
    trips,
)
from apical.hw.assembler.placement import place
from apical.hw.interface.config import EngineConfig
from apical.hw.interface.isa import MATRIX, PROJECT, VECTOR, Opcode, decode
from apical.hw.interface.presets import PRESETS


def total_cycles(network, program, lanes, sides, density):
    """Issue cycles of all projections of a program, for given orientations."""
    return sum(times * projection_cycles(network, projection, sides[projection.matrix], lanes,
                                         density)
               for op, times in trips(program.ops) if isinstance(op, Project)
               for projection in [network.projection(op.projection)])


def every_choice(network):
    names = [m.name for m in network.matrices]
    return [dict(zip(names, sides, strict=True))
            for sides in itertools.product((True, False), repeat=len(names))]


@pytest.mark.parametrize("seed", range(30))
def test_orientations_are_the_cheapest(seed):
    rng = np.random.default_rng(seed)
    network = layered(rng.integers(1, 30, rng.integers(2, 5)).tolist())
    program = inference(network, int(rng.integers(0, 5)))
    density = {p.name: float(rng.random()) for p in network.populations}
    config = EngineConfig(lanes=int(rng.integers(1, 20)), update_lanes=1, weight_depth=1 << 15)
    chosen = choose_orientations(network, program, config, density)
    best = min(total_cycles(network, program, config.lanes, sides, density)
               for sides in every_choice(network))
    assert total_cycles(network, program, config.lanes, chosen, density) == pytest.approx(best)


@pytest.mark.parametrize("seed", range(20))
def test_orientations_respect_the_memory(seed):
    """Where any choice fits, the choice made fits."""
    rng = np.random.default_rng(seed)
    network = layered(rng.integers(1, 30, 3).tolist())
    program = inference(network, 3)
    lanes = int(rng.integers(2, 20))

    def words(sides):
        return sum(matrix_words(m, sides[m.name], lanes) for m in network.matrices)

    least = min(words(sides) for sides in every_choice(network))
    config = EngineConfig(lanes=lanes, update_lanes=1, weight_depth=max(2, least))
    chosen = choose_orientations(network, program, config)
    assert words(chosen) == least


def test_density_decides():
    """Few bright pixels: the inputs are broadcast; dense ones with few targets are not."""
    network = layered((64, 4))
    program, config = inference(network, 0), EngineConfig(lanes=16, update_lanes=1)
    assert choose_orientations(network, program, config, {"x": 0.02})["W1"] is True
    assert choose_orientations(network, program, config, {"x": 1.0})["W1"] is False


def test_the_constant_is_always_broadcast():
    """It is stored in no memory; here the other use of its matrix would turn it round."""
    populations = (Population("h", 8), Population("z", 1), Population("one", 1, "constant"))
    projections = (Projection("bias", "one", "h", "m"), Projection("up", "h", "z", "m", True))
    network = Network("n", populations, (Matrix("m", 1, 8),), projections)
    use = (Clear("h"), Project("bias"), Update("h", leak=False), Project("up"),
           Update("z", leak=False))
    for lanes in (1, 2, 8):
        made = assemble(network, Program("p", use), EngineConfig(lanes=lanes, update_lanes=1))
        assert made.placement.matrices["m"].lanes_are_cols
        word = next(w for w, op in zip(made.instructions, made.origins) if op == use[1])
        assert decode(int(word))[1]["dot"] == 0


@pytest.mark.parametrize(("size", "lanes"), [(1, 1), (1, 64), (64, 64), (65, 64), (7, 3), (9, 3)])
def test_blocks_and_tails(size, lanes):
    blocks, tail = blocks_of(size, lanes), tail_of(size, lanes)
    assert 1 <= tail <= lanes and (blocks - 1) * lanes + tail == size


@pytest.mark.parametrize("lanes", [1, 3, 8])
def test_nothing_overlaps(lanes):
    network = layered((19, 11, 7, 4))
    program = inference(network, 2)
    config = config_for(network, program, lanes)
    made = place(network, program, config)
    runs = {"weight_depth": [(m.base, m.blocks * m.rows) for m in made.matrices.values()],
            "accumulator_depth": [(a.base, a.blocks) for a in made.accumulators.values()],
            "state_depth": [(v.base, v.blocks * (2 if v.banked else 1))
                            for v in made.vectors.values() if v.kind == 0],
            "event_depth": [(v.base, v.size) for v in made.vectors.values() if v.kind == 1]}
    for depth, places in runs.items():
        end = 0
        for base, count in sorted(places):
            assert base == end
            end = base + count
        assert end == made.used[depth] <= getattr(config, depth)
    numbers = [v.number for v in made.vectors.values()]
    assert len(set(numbers)) == len(numbers)


# Assembly

def test_descriptors_are_shared_and_instructions_lead_back_to_operations():
    network = layered((9, 7, 5))
    program = inference(network, 4, settled=0.5)
    made = assemble(network, program, config_for(network, program, 4))
    assert len(set(made.descriptors.tolist())) == len(made.descriptors)
    opcodes = [decode(int(word))[0] for word in made.instructions]
    assert opcodes[0] == Opcode.IMAGE and opcodes[-1] == Opcode.DONE
    expected = {Project: Opcode.PROJECT, Update: Opcode.UNIT, Decide: Opcode.UNIT}
    for opcode, op in zip(opcodes, made.origins, strict=True):
        if isinstance(op, Relax):
            assert opcode in (Opcode.REPEAT, Opcode.LOOP)
        elif op is not None:
            assert opcode == expected[type(op)]
    loop, = (decode(int(w))[1] for w in made.instructions if decode(int(w))[0] == Opcode.LOOP)
    assert loop["threshold"] == 2048 and loop["until"] == 1
    assert decode(int(made.instructions[loop["operand"] - 1]))[0] == Opcode.REPEAT
    for word, op in zip(made.instructions, made.origins, strict=True):
        if isinstance(op, Project):
            projection = network.projection(op.projection)
            fields = decode(int(word))[1]
            matrix = MATRIX.decode(int(made.descriptors[fields["b"]]))
            assert matrix["base"] == made.placement.matrices[projection.matrix].base
            assert fields["started"] == (op.start is not None)
        elif isinstance(op, Update):
            target = VECTOR.decode(int(made.descriptors[decode(int(word))[1]["t"]]))
            assert target["base"] == made.placement.vectors[op.population, STATE].base


@pytest.mark.parametrize("sizes", [(3, 2), (64, 32, 10), (400, 50, 10), (9, 30, 30, 4)])
@pytest.mark.parametrize("lanes", [1, 7, 64])
def test_config_for_holds_what_it_was_made_for(sizes, lanes):
    network = layered(sizes)
    program = inference(network, 6)
    config = config_for(network, program, lanes)
    assert config.lanes == lanes and reasons(network, program, config) == []
    made = assemble(network, program, config)
    for name, used in made.placement.used.items():
        depth = getattr(config, name)
        assert used <= depth and (depth <= 64 or depth < 2 * used)


@pytest.mark.parametrize("lanes", [0, 65, -3])
def test_config_for_refuses_lanes(lanes):
    network = layered((3, 2))
    with pytest.raises(MisuseError, match=rf"lanes is {lanes}; it goes from 1 to 64"):
        config_for(network, inference(network, 1), lanes)


def test_the_board_networks_fit_their_presets():
    network = layered((784, 64, 10))
    assert reasons(network, inference(network, 6), PRESETS["ulx3s-25f"]) == []


# Reasons

SMALL = EngineConfig(lanes=4, update_lanes=1, weight_depth=64, state_depth=4, accumulator_depth=4,
                     event_depth=8, program_depth=16, descriptor_depth=8)


def test_all_depths_that_are_too_small_are_told_at_once():
    network = layered((30, 20, 10))
    assert reasons(network, inference(network, 2), SMALL) == [
        "needs 208 weight words of 4, the engine has 64",
        "needs 8 state words of 4, the engine has 4",
        "needs 21 accumulator words of 4, the engine has 4",
        "needs 30 input events an image, the engine has 8"]


def test_instructions_and_descriptors_too_many():
    network = layered((3, 2))
    program = Program("long", (*inference(network, 2).ops[:-1], *[Snapshot("y", f"s{i}")
                                                                  for i in range(12)]))
    config = SMALL.replace(state_depth=32)
    told = reasons(network, program, config)
    assert [text.split(", ")[1] for text in told] == ["the engine has 16", "the engine has 8"]
    assert "instructions" in told[0] and "descriptors" in told[1]


def reasons_of(*ops, **fields):
    network = layered((6, 4, 3))
    first = () if isinstance(ops[0], Relax) else (Clear("h1"), Clear("y"))
    return reasons(network, Program("p", first + ops), EngineConfig(
        lanes=4, update_lanes=1, **fields))


def test_programs_are_checked_first():
    with pytest.raises(MisuseError, match="accumulator 'drive' is used before it is filled"):
        reasons_of(Update("y", "drive"))


@pytest.mark.parametrize(("ops", "fields", "message"), [
    ((Project("up1"), Update("h1", nudge=None), Decide("d")), {"accumulator_width": 24},
     "accumulator 'current' of 'h1' needs 31 bits, the engine has 24"),
    ((Snapshot("y", "a", "never"),), {}, "slot 'never' of 'y' are read before"),
    ((Snapshot("one", "a"),), {}, "Snapshot one.a: the constant 'one' is stored in no memory"),
    ((Decide("one"),), {}, "Decide one: the constant 'one' is stored in no memory"),
    ((Relax(70000, (Decide("y"),)),), {}, "Relax 70000 steps: the engine repeats 65535 times"),
    ((Relax(60000, (Clear("y"), Clear("h1"))),), {},
     "up to 120000 state-writing operations an image, the engine counts 65536"),
])
def test_reasons(ops, fields, message):
    told = reasons_of(*ops, **fields)
    assert any(message in reason for reason in told), told


def test_states_that_nobody_wrote():
    network = layered((6, 3))
    told = reasons(network, inference(network, 2, start="keep"), EngineConfig())
    assert told == ["Update y: states of 'y' are read before the program writes them, and an "
                    "engine keeps what was there; begin with a sweep or Clear"]


def test_populations_of_too_many_words():
    network = layered((2000, 3))
    told = reasons(network, inference(network, 2), EngineConfig(
        lanes=1, update_lanes=1, weight_depth=1 << 14, event_depth=1 << 11))
    assert told == ["population 'x' takes 2000 words of 1, the engine counts to 1023: use more "
                    "lanes"]


def test_too_many_vectors():
    network = layered((2, 2))
    ops = (Clear("y"), *[Snapshot("y", f"s{i}") for i in range(300)])
    told = reasons(network, Program("p", ops), EngineConfig(lanes=4, state_depth=512))
    assert any("has 304 state vectors, the engine numbers 256" in reason for reason in told)


def test_a_matrix_used_from_the_constant_both_ways():
    populations = (Population("h", 1), Population("one", 1, "constant"))
    projections = (Projection("a", "one", "h", "m"), Projection("b", "one", "h", "m", True))
    network = Network("n", populations, (Matrix("m", 1, 1),), projections)
    told = reasons(network, Program("p", (Project("a"), Project("b"))), EngineConfig())
    assert told and told[0].startswith("matrix 'm' has the constant or a clamped population on")


def test_a_rate_the_engine_has_not():
    network = layered((4, 3), "logistic")
    told = reasons(network, inference(network, 1), EngineConfig())
    assert any("population 'y' has a logistic rate" in reason for reason in told)


def test_settled_beyond_any_state_is_clipped():
    network = layered((4, 3))
    program = inference(network, 2, settled=float("inf"))
    made = assemble(network, program, EngineConfig(lanes=2, update_lanes=1))
    loop, = (decode(int(w))[1] for w in made.instructions if decode(int(w))[0] == Opcode.LOOP)
    assert loop["threshold"] == 0xFFFF


def test_the_error_has_every_reason():
    network = layered((30, 20, 10))
    with pytest.raises(DoesNotFitError) as caught:
        assemble(network, inference(network, 2), SMALL)
    assert caught.value.reasons == reasons(network, inference(network, 2), SMALL)
    assert str(caught.value) == ("network '30-20-10' does not fit the engine: "
                                 + "; ".join(caught.value.reasons))


def test_the_narrowest_accumulator_is_enough():
    """One bit less than the bound needs is refused, the bound itself is not."""
    network = layered((6, 4, 3))
    program = inference(network, 1)
    state, weight = Format(8, 6), Format(10, 7)
    fits = [width for width in range(24, 49) if not reasons(
        network, program, EngineConfig(lanes=4, state=state, weight=weight,
                                       accumulator_width=width))]
    assert fits == list(range(24, 49))
    fits = [width for width in range(24, 49) if not reasons(
        network, program, EngineConfig(lanes=4, accumulator_width=width))]
    # 6 inputs, the bias and 3 units of y, each 2**12 * 2**15.
    assert fits[0] == (10 << 27).bit_length() + 1


def test_projections_know_their_layout():
    """The two uses of one matrix are the two directions."""
    network = layered((9, 7, 5))
    program = inference(network, 2)
    made = assemble(network, program, config_for(network, program, 4))
    dots = {}
    for word, op in zip(made.instructions, made.origins, strict=True):
        if isinstance(op, Project):
            dots.setdefault(op.projection, set()).add(PROJECT.decode(int(word))["dot"])
    assert all(len(dot) == 1 for dot in dots.values())
    assert dots["up2"] != dots["down2"]
