"""Rules that are kin to equilibrium propagation: their programs against references of their own."""

import numpy as np
import pytest

from apical.golden.claims import Row, equilibrium_rules, equilibrium_rules_fixed
from apical.golden.errors import MisuseError
from apical.golden.executors.float.executor import FloatExecutor
from apical.golden.network import layered
from apical.golden.references.contrastive import weighted_contrast
from apical.golden.references.gradients import cosine, layers_of
from apical.golden.references.stochastic import expected_contrast, free_energy_cost
from apical.golden.systems import (
    contrastive_hebbian,
    feedback_alignment,
    four_point,
    spiking,
    vector_field,
)
from apical.golden.systems.registry import system


def test_a_wrong_factor_of_the_near_nudges_is_no_longer_the_formula(monkeypatch):
    problem = equilibrium_rules.smooth_problem(0, sizes=equilibrium_rules.SMALL)
    network, weights, x, d = problem
    true = [pair[0] for pair in weighted_contrast(
        layers_of(weights), x, d, "logistic",
        {0.25: 8 / 3, -0.25: -8 / 3, 0.5: -1 / 3, -0.5: 1 / 3})]

    def miss():
        return equilibrium_rules._miss(equilibrium_rules.changes(
            problem, four_point.training(network, 300, 200, 2),
            lambda rate: four_point.learning_rates(network, rate, 2)), true)

    assert miss() < 1e-6
    whole = four_point._eightfold
    monkeypatch.setattr(four_point, "_eightfold", lambda name: [
        op for op in whole(name) if op.into != "change8"] + [
            four_point.Snapshot(name, "change8", "change4")])
    assert miss() > 0.3


def test_the_outputs_are_held_while_hidden_units_settle():
    network = layered((6, 5, 4, 3))
    rng = np.random.default_rng(0)
    weights = {m.name: 0.3 * rng.random(m.shape) for m in network.matrices}
    x, d = rng.random((2, 6)), rng.random((2, 3))
    states = FloatExecutor(network, weights, np.float64).run(
        contrastive_hebbian.training(network, 5, 7), {"x": x, "d": d},
        rates=contrastive_hebbian.learning_rates(network, 0.0)).states
    np.testing.assert_array_equal(states["y", "state"], d)
    assert np.abs(states["h2", "state"] - states["h2", "free"]).max() > 1e-3


def test_a_clamped_output_at_the_free_state_teaches_nothing():
    network = layered((6, 5, 3))
    rng = np.random.default_rng(1)
    weights = {m.name: 0.4 * rng.random(m.shape) for m in network.matrices}
    x = rng.random((2, 6))
    executor = FloatExecutor(network, weights, np.float64)
    free = executor.run(contrastive_hebbian.training(network, 300, 1),
                        {"x": x, "d": np.zeros((2, 3))},
                        rates=contrastive_hebbian.learning_rates(network, 0.0)).states
    executor.run(contrastive_hebbian.training(network, 300, 300), {"x": x, "d": free["y", "free"]},
                 rates=contrastive_hebbian.learning_rates(network, 1.0))
    assert max(np.abs(executor.weights[k] - weights[k]).max() for k in weights) < 1e-12


def test_feedback_and_forward_weights_are_separate():
    network = vector_field.vector_field_network((6, 5, 4, 3))
    assert [m.name for m in network.matrices] == ["W1", "b1", "W2", "b2", "B2", "W3", "b3", "B3"]
    assert not any(p.transpose for p in network.projections)
    assert set(vector_field.training(network).learned()) == {m.name for m in network.matrices}


def test_fixed_feedback_never_changes_and_silence_needs_no_teaching():
    network = feedback_alignment.alignment_network((6, 5, 4, 3))
    program = feedback_alignment.training(network)
    assert set(program.learned()) == {"W1", "b1", "W2", "b2", "W3", "b3"}
    rng = np.random.default_rng(2)
    weights = {m.name: rng.normal(size=m.shape) for m in network.matrices}
    executor, x = FloatExecutor(network, weights, np.float64), rng.random((4, 6))
    y = executor.run(feedback_alignment.inference(network), {"x": x}).states["y", "state"]
    executor.run(program, {"x": x, "d": y}, rates=feedback_alignment.learning_rates(network, 1.0))
    assert all((executor.weights[name] == weights[name]).all() for name in weights)


def test_the_exact_contrast_is_the_gradient_of_its_cost():
    network = spiking.spiking_network((4, 3, 2))
    rng = np.random.default_rng(3)
    weights = {m.name: rng.normal(size=m.shape) for m in network.matrices}
    x, d, real = rng.random((2, 4)), np.eye(2), layers_of(weights)
    for beta in (0.5, 4.0):
        exact = expected_contrast(real, x, d, beta)
        for k, at in ((0, (1, 2)), (1, (0, 1))):
            ends = []
            for step in (1e-6, -2e-6):
                real[k][0][at] += step
                ends.append(free_energy_cost(real, x, d, beta))
            real[k][0][at] += 1e-6
            assert exact[k][0][at] == pytest.approx((ends[1] - ends[0]) / 2e-6, abs=1e-7)


def test_spikes_are_zeros_and_ones_and_the_nudge_pulls():
    network = spiking.spiking_network((5, 4, 3))
    weights = {m.name: np.zeros(m.shape) for m in network.matrices}
    weights |= spiking.nudge_weights(network)
    n = 4000
    states = FloatExecutor(network, weights, np.float64).run(
        spiking.training(network, 1, 1), {"x": np.ones((n, 5)), "d": np.tile([1.0, 0, 1], (n, 1))},
        rates=spiking.learning_rates(network, 0.0)).states
    y = states["y", "state"]
    assert set(np.unique(y)) == {0.0, 1.0}
    pulled = 1 / (1 + np.exp(-spiking.NUDGE / 2))
    np.testing.assert_allclose(y.mean(axis=0), [pulled, 1 - pulled, pulled], atol=0.03)
    assert states["h1", "state"].mean() == pytest.approx(0.5, abs=0.03)


@pytest.mark.parametrize(("make", "message"), [
    (lambda n: four_point.training(n, beta_shift=0), "beta_shift is 0; the stronger nudges have"),
    (lambda n: four_point.training(n, nudge_steps=0), "the nudged phases need a step at least"),
    (lambda n: contrastive_hebbian.training(n, 1, 0), "the clamped phase needs a step at least"),
    (lambda n: vector_field.training(n, nudge_steps=0), "the nudged phase needs a step at least"),
    (lambda n: spiking.training(n, 1, 0), "spikes need a step at least to learn from"),
])
def test_misuse_is_said(make, message):
    with pytest.raises(MisuseError, match=message):
        make(layered((4, 3, 2)))


def test_a_nudge_away_from_the_target_does_not_train():
    assert not system("ep-negative").learns
    assert "rests on a limit" in system("ep-negative").refusal("float")


QUICK = (equilibrium_rules.alignment, equilibrium_rules_fixed.changes)


@pytest.mark.parametrize("group", QUICK, ids=lambda g: g.__name__)
def test_quick_groups_hold(group):
    rows = [item for item in group(0) if isinstance(item, Row)]
    assert rows and all(row.passed for row in rows), [row for row in rows if not row.passed]


def test_another_rule_is_outside(monkeypatch):
    """Control: the change of feedback alignment with feedback that is not its own."""
    true = equilibrium_rules.contrastive.alignment_update
    monkeypatch.setattr(equilibrium_rules.contrastive, "alignment_update",
                        lambda w, feedback, x, d: true(w, [-b for b in feedback], x, d))
    row = next(iter(equilibrium_rules.alignment(0)))
    assert not row.passed and cosine([1], [1]) == 1
