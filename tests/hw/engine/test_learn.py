"""Learning in the engine is that of the fixed executor, bit for bit (pysim, small engines)."""

import numpy as np
import pytest
from learn_case import compare_run, problem, run

from apical.golden.network import Matrix, Network, Population, Projection, layered
from apical.golden.numbers.formats import Format
from apical.golden.program import STATE, Clear, Learn, Outer, Program, Project, Snapshot, Update
from apical.golden.systems import equilibrium, feedforward_init, stdp
from apical.hw.assembler.assembler import assemble, config_for

RULES = {"ep": equilibrium.training, "integrated": stdp.training,
         "one-way": lambda network, **options: stdp.training(network, "one-way", **options),
         "centred": lambda network, **options: equilibrium.training(
             network, estimator="centred", **options)}

CASES = [
    # rule, sizes, lanes, update lanes, configuration
    ("ep", (5, 4, 3), 3, 1, {}),
    ("ep", (9, 7, 5, 3), 4, 2, {"weight_latency": 1, "multiplier_latency": 1}),
    ("ep", (4, 3), 1, 1, {"weight_latency": 4, "multiplier_latency": 3, "event_latency": 1}),
    ("ep", (6, 5, 2), 11, 8, {"update_frac": 0}),
    ("integrated", (5, 4, 3), 5, 4, {"multiplier_latency": 4}),
    ("integrated", (7, 6, 2), 2, 1, {"weight_latency": 3, "input_banks": 1}),
    ("one-way", (5, 6, 4), 7, 2, {"weight_latency": 1, "multiplier_latency": 2}),
    ("centred", (5, 4, 3), 3, 2, {"update_frac": 11}),
    ("ep", (5, 4, 3), 3, 2, {"state": Format(8, 6), "weight": Format(10, 8), "update_frac": 3}),
    ("ep", (5, 4, 3), 4, 2, {"state": Format(16, 14), "weight": Format(16, 15),
                             "accumulator_width": 44}),
]
SERIAL = {"learn_unit": "serial"}
#: The same one weight at a time, with the fewest and the most cycles of every latency.
SERIAL_CASES = [
    ("ep", (5, 4, 3), 3, 1, SERIAL),
    ("ep", (9, 7, 5, 3), 4, 1, {"weight_latency": 1, "multiplier_latency": 1, "weight_ports": 1,
                                "event_latency": 1, "code_latency": 1, "update_latency": 1,
                                "input_banks": 1, **SERIAL}),
    ("ep", (4, 3), 1, 1, {"weight_latency": 4, "multiplier_latency": 3, **SERIAL}),
    ("ep", (6, 5, 2), 11, 1, {"update_frac": 0, **SERIAL}),
    ("integrated", (5, 4, 3), 5, 1, {"multiplier_latency": 4, **SERIAL}),
    ("one-way", (5, 6, 4), 7, 1, {"weight_ports": 1, **SERIAL}),
    ("centred", (5, 4, 3), 3, 1, {"update_frac": 11, **SERIAL}),
    ("ep", (5, 4, 3), 3, 1, {"state": Format(8, 6), "weight": Format(10, 8), "update_frac": 3,
                             **SERIAL}),
    ("ep", (5, 4, 3), 4, 1, {"state": Format(16, 14), "weight": Format(16, 15),
                             "accumulator_width": 44, **SERIAL}),
]
#: Learning units, and what the tests below build them with.
UNITS = {"pipelined": {}, "serial": {"update_lanes": 1, **SERIAL}}


@pytest.mark.parametrize(("rule", "sizes", "lanes", "quick", "fields"), CASES + SERIAL_CASES)
def test_layered_networks_learn_bit_for_bit(rule, sizes, lanes, quick, fields):
    network = layered(sizes)
    program = RULES[rule](network, steps=2, nudge_steps=2)
    # Rates may be as great as a multiplier, which coarse factors need.
    update_frac = fields.get("update_frac", 6)
    state, weight = fields.get("state", Format(16, 12)), fields.get("weight", Format(16, 12))
    rate = min(0.4, 30000 * 2.0 ** -(10 + update_frac + weight.frac - state.frac))
    told = run(network, program, {m.name: rate for m in network.matrices}, lanes, quick, **fields)
    assert told.good, told
    assert told.comparison.weights_compared > 20 and told.changed > 0.1


def test_rates_that_change_between_passes():
    network = layered((5, 4, 3))
    program = equilibrium.training(network, 2, 2)
    rates = {m.name: 0.3 for m in network.matrices}
    less, none = ({name: rate * factor for name, rate in rates.items()} for factor in (0.1, 0))
    told = run(network, program, rates, 4, 2, images=4, passes=[(2, rates), (1, less), (1, none)])
    assert told.good, told


@pytest.mark.parametrize("unit", UNITS)
def test_branch_prediction_is_bit_exact(unit):
    sizes = (7, 5, 4, 3)
    network = feedforward_init.branch_network(sizes)
    program = feedforward_init.branch_prediction(sizes)
    fields = {"update_lanes": 2, **UNITS[unit]}
    told = run(network, program, {m.name: 0.2 for m in network.matrices}, 3,
               fields.pop("update_lanes"), weight_latency=1, **fields)
    assert told.good, told
    assert told.changed > 0.5


def outer_program(terms, by_sign=False):
    """A program that fills some vectors and learns matrix ``m`` by the terms."""
    return Program("outer", (
        Clear("h"), Clear("g"), Project("xh", "current"), Project("bh", "current", "current"),
        Update("h", "current", 0, leak=False), Project("xg", "current"),
        Update("g", "current", 0, leak=False), Snapshot("h", "a"), Snapshot("g", "a"),
        Project("hg", "current"), Update("g", "current"), Snapshot("x", "copy"),
        Learn("m", tuple(terms), by_sign)))


def outer_network(rows=6, cols=5):
    """``x`` (clamped, as large as h) and the constant drive h and g; m couples h and g."""
    populations = (Population("x", rows, "hard-tanh", True), Population("h", rows, "hard-tanh"),
                   Population("g", cols, "hard-tanh"), Population("one", 1, "constant"))
    matrices = (Matrix("w", rows, rows), Matrix("v", rows, cols), Matrix("b", 1, rows),
                Matrix("m", rows, cols))
    projections = (Projection("xh", "x", "h", "w"), Projection("xg", "x", "g", "v"),
                   Projection("bh", "one", "h", "b"), Projection("hg", "h", "g", "m"))
    return Network("outer", populations, matrices, projections)


TERMS = {
    "one term": [Outer(("h", STATE), ("g", STATE))],
    "one negative term of slots": [Outer(("h", "a"), ("g", "a"), -1)],
    "clamped rows": [Outer(("x", STATE), ("g", STATE))],
    "two terms": [Outer(("h", STATE), ("g", STATE)), Outer(("h", "a"), ("g", "a"), -1)],
    "the same term twice": [Outer(("h", STATE), ("g", STATE), -1),
                            Outer(("h", STATE), ("g", STATE))],
    "clamped rows in the first term": [Outer(("x", STATE), ("g", STATE), -1),
                                       Outer(("h", STATE), ("g", "a"))],
    "clamped rows in the second term": [Outer(("h", STATE), ("g", STATE)),
                                        Outer(("x", STATE), ("g", "a"), -1)],
    "copied inputs": [Outer(("x", "copy"), ("g", STATE)), Outer(("h", "a"), ("g", "a"))],
}


@pytest.mark.parametrize("unit", UNITS)
@pytest.mark.parametrize("name", TERMS)
def test_factors_of_every_kind(name, unit):
    network, program = outer_network(), outer_program(TERMS[name], by_sign=len(name) % 2 == 0)
    fields = {"update_lanes": 2, **UNITS[unit]}
    told = run(network, program, {"m": 0.45}, 4, fields.pop("update_lanes"), images=2,
               seed=len(name), **fields)
    assert told.good, told


@pytest.mark.parametrize("unit", UNITS)
@pytest.mark.parametrize("reach", [32767, -32768, 0])
def test_extreme_weights(reach, unit):
    """All weights at one end of their format: updates saturate, and are counted."""
    network = outer_network()
    program = outer_program([Outer(("h", STATE), ("g", STATE))])
    rng = np.random.default_rng(3)
    config = config_for(network, program, 3, **{"update_lanes": 1, **UNITS[unit]})
    weights, inputs = problem(network, program, rng, 2)
    weights["m"] = np.full(weights["m"].shape, reach)
    told = compare_run(network, program, config, weights, inputs, [(2, {"m": 0.49})])
    assert told.good, told


@pytest.mark.parametrize("unit", UNITS)
@pytest.mark.parametrize("turned", [False, True])
def test_both_orientations(turned, unit):
    """The lane side are the columns or the rows of the matrix, as the densities say."""
    network = outer_network(2, 9) if turned else outer_network(9, 2)
    program = outer_program([Outer(("h", STATE), ("g", STATE))])
    config = config_for(network, program, 4, **{"update_lanes": 2, **UNITS[unit]})
    assert assemble(network, program, config).placement.matrices["m"].lanes_are_cols != turned
    weights, inputs = problem(network, program, np.random.default_rng(5), 1)
    told = compare_run(network, program, config, weights, inputs, [(1, {"m": 0.45})])
    assert told.good, told
