"""Slots that share words of the state memory: never two that live at the same time."""

import itertools

import numpy as np
import pytest
from learn_case import compare_run, problem

from apical.golden.errors import DoesNotFitError, MisuseError
from apical.golden.network import layered
from apical.golden.program import RATE, STATE
from apical.golden.systems import equilibrium, ghost_units
from apical.hw.assembler.assembler import assemble, config_for
from apical.hw.assembler.liveness import lives, overwritten, share
from apical.hw.assembler.placement import place
from apical.hw.assembler.readback import state_addresses
from apical.hw.interface.presets import preset
from apical.sim.random.case import Case

NETWORK = layered((7, 6, 5, 4))
PROGRAM = equilibrium.training(NETWORK, 2, 2)


def tight(network, program, lanes, **fields):
    """An engine with just the words of states that are needed when slots share them."""
    config = config_for(network, program, lanes, **fields)
    least = place(network, program, config).least_states
    return config, config.replace(state_depth=least)


def test_lives_are_from_the_first_use_to_the_last():
    network = layered((3, 2))
    program = equilibrium.training(network, 2, 2)
    names = [type(op).__name__ for op in program.ops]
    found = lives(network, program)
    assert found["y", "free"][0] == names.index("Snapshot")
    assert found["y", "delta"][0] == names.index("Difference")
    assert found["y", "delta"][1] == len(names) - 1
    assert all(slot not in (STATE, RATE) for _, slot in found)


def test_what_lives_together_lies_apart():
    living = {"a": (0, 3), "b": (3, 4), "c": (4, 9), "d": (5, 6), "e": (10, 10)}
    blocks = {"a": 2, "b": 1, "c": 3, "d": 2, "e": 5}
    places, end = share(blocks, living, 7)
    # c does not fit before b, where a has gone; d and e do.
    assert places == {"a": 7, "b": 9, "c": 10, "d": 7, "e": 7}
    assert end == 13
    assert overwritten(blocks, living, places) == {"a", "b", "c", "d"}
    assert share({}, {}, 4) == ({}, 4)


@pytest.mark.parametrize("seed", range(40))
def test_slots_of_random_programs_never_meet(seed):
    for attempt in itertools.count():
        try:
            case = Case(seed, 24, attempt=attempt)
            made = assemble(case.network, case.program, case.config, case.density)
            break
        except DoesNotFitError:  # what engines refuse is no case
            continue
    living = lives(case.network, case.program)
    states = {pair: (p.base, p.base + p.blocks * (case.config.input_banks if p.banked else 1))
              for pair, p in made.placement.vectors.items() if p.kind != 1}
    for (a, one), (b, other) in itertools.combinations(states.items(), 2):
        if one[0] < other[1] and other[0] < one[1]:
            assert a in living and b in living, (a, b)
            assert living[a][1] < living[b][0] or living[b][1] < living[a][0], (a, b)
    assert made.placement.used["state_depth"] <= case.config.state_depth


@pytest.mark.parametrize(("lanes", "fields"), [
    (3, {}), (5, {"update_lanes": 4, "input_banks": 1}), (4, {"learn_unit": "serial",
                                                             "update_lanes": 1})])
def test_learning_with_shared_words_is_bit_exact(lanes, fields):
    wide, config = tight(NETWORK, PROGRAM, lanes, **fields)
    made = place(NETWORK, PROGRAM, config)
    assert made.used["state_depth"] == config.state_depth < place(
        NETWORK, PROGRAM, wide).used["state_depth"]
    assert made.overwritten
    weights, inputs = problem(NETWORK, PROGRAM, np.random.default_rng(1), 3)
    rates = {m.name: 0.3 for m in NETWORK.matrices}
    told = compare_run(NETWORK, PROGRAM, config, weights, inputs, [(3, rates)])
    assert told.good, told
    assert told.changed > 0.1


def test_logistic_rates_and_pulls_share_too():
    network = ghost_units.ghost_network((6, 5, 4, 3), "online")
    program = ghost_units.training(network, "online")
    wide, config = tight(network, program, 3)
    assert place(network, program, config).used["state_depth"] <= wide.state_depth
    weights, inputs = problem(network, program, np.random.default_rng(2), 2)
    told = compare_run(network, program, config, weights, inputs,
                       [(2, {m.name: 0.1 for m in network.matrices})])
    assert told.good, told


def test_words_of_their_own_where_there_are_enough():
    wide, _ = tight(NETWORK, PROGRAM, 3)
    assert place(NETWORK, PROGRAM, wide).overwritten == frozenset()


def test_a_slot_that_is_gone_is_not_read():
    wide, config = tight(NETWORK, PROGRAM, 3)
    gone = sorted(place(NETWORK, PROGRAM, config).overwritten)[0]
    assert len(state_addresses(assemble(NETWORK, PROGRAM, wide), *gone))
    with pytest.raises(MisuseError, match=f"^slot '{gone[1]}' of population '{gone[0]}' is gone"):
        state_addresses(assemble(NETWORK, PROGRAM, config), *gone)


def test_too_few_words_are_told():
    _, config = tight(NETWORK, PROGRAM, 3)
    with pytest.raises(DoesNotFitError) as error:
        place(NETWORK, PROGRAM, config.replace(state_depth=config.state_depth - 1))
    assert error.value.reasons == [f"needs {config.state_depth} state words of 3, the engine has "
                                   f"{config.state_depth - 1}"]


def test_64_hidden_units_learn_in_16_words():
    network = layered((784, 64, 10))
    made = place(network, equilibrium.training(network), preset("ulx3s-25f-learning"))
    assert made.used["state_depth"] == 16
