"""Bounds of accumulators: never exceeded, and reached where the worst case is possible."""

import numpy as np
import pytest

from apical.golden.errors import MisuseError
from apical.golden.executors.fixed.executor import HANDLERS, FixedExecutor
from apical.golden.network import Population, layered
from apical.golden.numbers.bounds import (
    accumulator_bounds,
    bits_for,
    force_bound,
    rate_magnitude,
    state_limits,
)
from apical.golden.numbers.formats import Format
from apical.golden.program import Nudge, Program, Project, Relax, Update
from apical.golden.program.layered import inference

STATE, WEIGHT = Format(16, 12), Format(16, 12)


class Watched(FixedExecutor):
    """Keeps the largest absolute value of every accumulator."""

    def _project(self, op, run, path):
        HANDLERS[Project](self, op, run, path)
        key = self.network.projection(op.projection).target, op.into
        self.most[key] = max(self.most.get(key, 0), int(np.abs(run.accumulators[key]).max()))

    handlers = {**HANDLERS, Project: _project}


def reached(network, program, weights, inputs, state=STATE, weight=WEIGHT):
    executor = Watched(network, weights, state, weight)
    executor.most = {}
    executor.run(program, inputs)
    return executor.most


@pytest.mark.parametrize("formats", [(STATE, WEIGHT), (Format(12, 8), Format(10, 7)),
                                     (Format(8, 6), Format(10, 7))])
@pytest.mark.parametrize("rate", ["hard-sigmoid", "hard-tanh"])
def test_no_run_exceeds_them(formats, rate):
    state, weight = formats
    rng = np.random.default_rng(5)
    for _ in range(40):
        network = layered(rng.integers(1, 9, rng.integers(2, 6)).tolist(), rate)
        program = inference(network, 3, start=rng.choice(["sweep", "zero"]))
        low, high = state_limits(network.population("x"), state)
        weights = {m.name: rng.choice([weight.min, weight.max, 0], m.shape, p=(.6, .2, .2))
                   for m in network.matrices}
        inputs = {"x": rng.choice([low, high], (3, network.population("x").size))}
        bounds = accumulator_bounds(network, program, state, weight)
        most = reached(network, program, weights, inputs, state, weight)
        assert most.keys() == bounds.keys()
        assert all(most[key] <= bounds[key] for key in bounds)


def test_the_worst_case_is_reached():
    """All weights and rates at their extremes: the bound is no wider than it must be."""
    network = layered((7, 3))
    weights = {m.name: np.full(m.shape, WEIGHT.min) for m in network.matrices}
    program = inference(network, 1)
    most = reached(network, program, weights, {"x": np.full((1, 7), STATE.one)})
    assert most == accumulator_bounds(network, program, STATE, WEIGHT)
    assert most["y", "drive"] == 8 * STATE.one << 15


def test_a_shifted_constant_counts_less():
    network = layered((7, 4, 3))
    bounds = accumulator_bounds(network, inference(network, 1), STATE, WEIGHT)
    # Sweep of h1: input and half the bias; then 3 units of y come on top of the whole drive.
    assert bounds["h1", "current"] == (8 + 3) * STATE.one << 15
    sweep = Program("p", (Project("bias1", "current", None, 1),))
    assert accumulator_bounds(network, sweep, STATE, WEIGHT) == {("h1", "current"):
                                                                 STATE.one << 14}


def test_a_loop_that_adds_to_what_it_left_has_no_bound():
    network = layered((4, 3))
    loop = Relax(3, (Project("up1", "current", "current"), Update("y")))
    program = Program("growing", (Project("bias1", "current"), loop))
    with pytest.raises(MisuseError, match=r"^program 'growing', Relax 3 steps: accumulator "
                                          r"'current' of 'y' grows with every step; start it from "
                                          r"0 or from a held accumulator$"):
        accumulator_bounds(network, program, STATE, WEIGHT)


def test_what_one_step_leaves_may_start_the_next():
    network = layered((4, 3))
    ops = (Project("up1", "a"), Relax(5, (Project("bias1", "b", "a"), Project("up1", "a"))))
    unit = STATE.one << 15
    assert accumulator_bounds(network, Program("p", ops), STATE, WEIGHT) == {
        ("y", "a"): 4 * unit, ("y", "b"): 5 * unit}


@pytest.mark.parametrize(("rate", "limits"), [
    ("hard-sigmoid", (0, 4096)), ("hard-tanh", (-4096, 4096)), ("logistic", (-32768, 32767)),
    ("constant", (0, 4096))])
def test_limits_of_states(rate, limits):
    population = Population("h", 1, rate)
    assert state_limits(population, STATE) == limits
    # The logistic function is at most 1, whatever the state.
    most = 4096 if rate == "logistic" else max(-limits[0], limits[1])
    assert rate_magnitude(population, STATE) == most
    assert state_limits(Population("h", 1, "hard-tanh"), Format(8, 7)) == (-128, 127)


def test_bits_and_forces():
    for magnitude in (0, 1, 127, 128, 2**31 - 1, 2**31):
        bits = bits_for(magnitude)
        assert -(1 << bits - 1) <= -magnitude and magnitude < 1 << bits - 1
        assert magnitude == 0 or magnitude >= 1 << bits - 2
    assert force_bound(Update("y", leak=False), 5, STATE, WEIGHT) == 5
    assert force_bound(Update("y"), 5, STATE, WEIGHT) == 5 + (1 << 27)
    assert force_bound(Update("y", nudge=Nudge("d")), 0, STATE, WEIGHT) == 3 << 27
