"""Rows of ``apical reproduce probability-flow``: the quick ones hold, and fail when they should."""

import numpy as np
import pytest

from apical.golden import systems
from apical.golden.claims import Figure, Row, flipped_flow
from apical.golden.claims import probability_flow as checks
from apical.golden.executors.float import stochastic as binding_stochastic
from apical.golden.program import Learn, Outer
from apical.golden.systems import probability_flow

QUICK = (checks.gradient, checks.hidden_flips, flipped_flow.update)


def rows(group, seed=0):
    return [item for item in group(seed) if isinstance(item, Row)]


@pytest.mark.parametrize("group", QUICK)
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_quick_rows_hold(group, seed):
    found = rows(group, seed)
    assert found and all(row.passed for row in found), found
    assert all(row.system == "probability-flow" for row in found)


def test_a_wrong_update_fails_its_row(monkeypatch):
    whole = probability_flow.w_step

    def half(network, groups):
        """Only the first product of each coupling."""
        return [Learn(op.matrix, op.terms[:1]) for op in whole(network, groups)]
    monkeypatch.setattr(probability_flow, "w_step", half)
    assert [row.passed for row in rows(checks.gradient)][:2] == [True, False]

    def downhill(network, groups):
        return [Learn(op.matrix, tuple(Outer(t.rows, t.cols, -1) for t in op.terms))
                for op in whole(network, groups)]
    monkeypatch.setattr(probability_flow, "w_step", downhill)
    assert [row.passed for row in rows(checks.gradient)][:2] == [True, False]


def test_a_wrong_flow_rate_fails_its_rows(monkeypatch):
    monkeypatch.setattr(binding_stochastic, "FLOW_LIMIT", 0.3)
    assert not any(row.passed for row in rows(checks.gradient)[:2])


def test_the_control_of_the_update_fails_when_all_flips_count(monkeypatch):
    whole = probability_flow.training
    monkeypatch.setattr(probability_flow, "training",
                        lambda network, flips: whole(network, "all"))
    assert [row.passed for row in rows(checks.gradient)] == [True, True, False]


def test_a_biased_sampler_fails_its_row(monkeypatch):
    draw = checks.FloatExecutor.run

    def biased(self, program, inputs, *args, **options):
        self.weights["bh1"] += 0.3
        drawn = draw(self, probability_flow.objective(self.network, "all"), inputs, *args,
                     **options).states["h1", "state"]
        self.weights["bh1"] -= 0.3
        result = draw(self, program, inputs, *args, **options)
        field = inputs["x"] @ self.weights["W1"] + self.weights["bh1"]
        result.states["h1", "flow"] = (drawn - 0.5) * np.exp((0.5 - drawn) * field)
        return result
    monkeypatch.setattr(checks.FloatExecutor, "run", biased)
    assert [row.passed for row in rows(checks.hidden_flips)] == [True, False]


def test_a_wrong_sign_of_flips_fails_its_row(monkeypatch):
    whole = systems.flipped_flow._learn

    def half(network, twins):
        """Only the first product of each coupling: that of the visible units."""
        return [Learn(op.matrix, op.terms[:1]) for op in whole(network, twins)]
    monkeypatch.setattr(systems.flipped_flow, "_learn", half)
    assert [row.passed for row in rows(flipped_flow.update)] == [False, True, True]


def test_the_best_rate_is_not_at_the_edge_of_its_grid():
    tried = []

    def make(rate):
        tried.append(rate)
        return rate, None

    for best in (0.05, 0.2, 1.6):
        tried.clear()
        assert flipped_flow.best_rate(make, lambda rate, _, best=best: -abs(
            np.log(rate / best))) == pytest.approx(best)
        assert min(tried) < best < max(tried)


#: Claims of the paper that are not reached; their rows are red.
NOT_REACHED = {"flow-vs-pcd-likelihood"}


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_every_row_holds(seed):
    items = [item for group in checks.GROUPS for item in group(seed)]
    failed = [item for item in items if isinstance(item, Row) and not item.passed]
    assert {item.name for item in failed} <= NOT_REACHED
    assert sum(isinstance(item, Figure) for item in items) == 6
