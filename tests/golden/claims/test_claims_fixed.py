"""Claims in raw integers: the quick groups, all of them when slow, and controls that fail."""

import numpy as np
import pytest

from apical.golden.claims import EXECUTORS, SYSTEMS, Row, groups, reproduce
from apical.golden.claims import early_inference_fixed as early
from apical.golden.claims import equilibrium_propagation_fixed as equilibrium
from apical.golden.claims import feedforward_init_fixed as feedforward
from apical.golden.claims import ghost_units_fixed as ghosts
from apical.golden.claims import probability_flow_fixed as flow
from apical.golden.claims import stdp_fixed as stdp
from apical.golden.claims.raw import Learner, raw_states, steps_of
from apical.golden.errors import MisuseError

QUICK = [feedforward.exact_instance, ghosts.cancellation, flow.flow_rates, stdp.telescoping,
         early.untouched, equilibrium.descent, equilibrium.gradient]


@pytest.mark.parametrize("group", QUICK, ids=lambda g: f"{g.__module__[25:]}.{g.__name__}")
@pytest.mark.parametrize("seed", [0, 3])
def test_quick_groups_hold(group, seed):
    rows = [item for item in group(seed) if isinstance(item, Row)]
    assert rows
    for row in rows:
        assert row.passed, row


def test_every_system_has_checks_in_raw_integers():
    assert list(EXECUTORS) == ["float", "fixed"]
    for name in SYSTEMS:
        assert len(groups(name, "fixed")) >= 2
        assert not set(groups(name)) & set(groups(name, "fixed")) - {early.raw_integers}
    with pytest.raises(MisuseError, match="unknown executor 'engine'; known: float, fixed"):
        groups("stdp", "engine")


@pytest.mark.slow
@pytest.mark.parametrize("name", SYSTEMS)
def test_all_claims_hold(name):
    rows = [item for item in reproduce(name, 0, "fixed") if isinstance(item, Row)]
    failed = [row for row in rows if not row.passed]
    assert len(rows) >= 5 and not failed, failed


def test_steps_are_those_of_shorter_runs():
    """The state after n steps of a path is the last state of a program of n steps."""
    from apical.golden.executors.fixed.executor import FixedExecutor
    from apical.golden.network import layered
    from apical.golden.program import Program, Relax
    from apical.golden.program.layered import drive, start_state, step

    network, rng = layered((6, 5, 3)), np.random.default_rng(0)
    weights = {m.name: rng.integers(-2000, 2000, m.shape) for m in network.matrices}
    inputs = {"x": rng.integers(0, 4097, (4, 6))}
    before = (*drive(network), *start_state(network, "sweep"))
    path = list(steps_of(network, weights, Program("p", (*before, Relax(5, step(network)))),
                         inputs))
    assert len(path) == 6
    for n, states in enumerate(path):
        told = FixedExecutor(network, weights).run(
            Program("q", (*before, Relax(n, step(network)))), inputs).states
        for name in ("h1", "y"):
            np.testing.assert_array_equal(states[name, "state"] * 4096, told[name, "state"])
    assert (path[0]["h1", "state"] != path[5]["h1", "state"]).any()


def test_a_learner_numbers_its_images_on():
    from apical.golden.executors.fixed.executor import FixedExecutor
    from apical.golden.network import glorot, layered
    from apical.golden.systems.equilibrium import learning_rates, training

    network = layered((6, 5, 3))
    program, rates = training(network), learning_rates(network, 0.1)
    rng = np.random.default_rng(1)
    inputs = {"x": raw_states(rng.random((7, 6))), "d": raw_states(rng.random((7, 3)))}
    learner = Learner(network, glorot(network, 0), 5)
    start = learner.raw
    learner.epoch(program, inputs, rates)
    learner.epoch(program, inputs, rates, 3)
    assert learner.images == 10
    rng, plain = np.random.default_rng(5), FixedExecutor(network, start)
    for first, count in ((0, 7), (7, 3)):
        order = rng.permutation(7)[:count]
        plain.run(program, {k: v[order] for k, v in inputs.items()}, 5, first, rates=rates)
    for name, values in learner.raw.items():
        np.testing.assert_array_equal(values, plain.weights[name])
