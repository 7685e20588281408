"""Claims of papers 1, 2 and 4 at small size: what the checks measure, and controls that fail."""

import re
from itertools import product
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from apical.golden.claims import Row, feedforward_init, ghost_units, groups, stdp
from apical.golden.claims import feedforward_init_attractors as attractors
from apical.golden.claims import feedforward_init_fixed as fixed
from apical.golden.claims import feedforward_init_machine as machine
from apical.golden.claims import feedforward_init_positive as positive
from apical.golden.claims import ghost_units_learning as ghosts
from apical.golden.claims import stdp_network as timing
from apical.golden.network import layered
from apical.golden.systems.feedforward_init import exact_weights
from apical.golden.systems.stdp import ornstein_uhlenbeck


def test_slopes_are_summed_over_pairs_of_spikes():
    rng, lags = np.random.default_rng(0), (-3, -1, 2)
    pre, post = rng.random((12, 2, 3)) < 0.3, rng.random((12, 2, 4)) < 0.4
    u = rng.random((12, 2, 4))
    found = timing.conditioned_slope(pre, post, u, lags)
    for lag, (change, count) in zip(lags, found, strict=True):
        here = [(t, b, j, i) for t, b, j, i in product(range(4, 8), range(2), range(3), range(4))
                if pre[t, b, j] and post[t + lag, b, i]]
        assert count == len(here) > 0
        assert change == pytest.approx(sum((u[t + 1, b, i] - u[t - 1, b, i]) / 2
                                           for t, b, _, i in here))


def test_spikes_that_follow_a_voltage_draw_the_window_and_others_do_not():
    u = ornstein_uhlenbeck(400_000, 20.0, 3).reshape(100, 4000).T
    voltage = np.clip(0.5 + 0.2 * u, 0, 1)[:, :, None].astype(np.float32)
    post = timing.spikes(voltage, np.random.default_rng(1))
    pre = np.ones(voltage.shape, bool)  # independent, so every millisecond stands for its spike
    sums = timing.conditioned_slope(pre, post, voltage, timing.LAGS)
    curve = sums[:, 0] / sums[:, 1]
    fit, sides = timing.fitted(timing.LAGS, curve)
    assert np.corrcoef(curve, fit)[0, 1] > 0.9
    assert all(12 < tau < 30 for _, tau in sides)
    shuffled = timing.conditioned_slope(pre, np.roll(post, 1, axis=1), voltage, timing.LAGS)
    assert np.linalg.norm(shuffled[:, 0] / shuffled[:, 1]) < 0.5 * np.linalg.norm(curve)


def test_a_network_that_runs_backwards_in_time_is_outside(monkeypatch):
    monkeypatch.setattr(timing, "train", lambda *args: SimpleNamespace(weights={}))
    monkeypatch.setattr(timing, "langevin_states", lambda *args: {
        name: np.full((140, 2, 3), 0.5, np.float32) for name in ("h1", "h2", "y")})
    monkeypatch.setattr(timing, "conditioned_slope", lambda pre, post, u, lags: np.stack(
        [-np.sign(lags) * np.exp(-np.abs(lags) / 20), np.ones(len(lags))], axis=1))
    rows = [item for item in timing.network_window(0) if isinstance(item, Row)]
    named = [row for row in rows if row.name == "stdp-curve-network"]
    assert [row.passed for row in named] == [False, True, False, True]


def test_forces_fall_with_both_ends_clamped():
    sizes, rng = (10, 10, 10, 10), np.random.default_rng(0)
    weights = exact_weights(3, 10, 0)
    x = rng.uniform(-0.2, 0.2, (4, 10))
    # The perfect auto-encoder, its output clamped to what it says itself.
    w1, w2, w3 = (weights[f"W{k}"] for k in (1, 2, 3))
    free = 2 * (2 * x @ w1) @ w2 @ w3
    swept = positive.hidden_force(sizes, weights, x, free, "sweep", 5)
    zero = positive.hidden_force(sizes, weights, x, free, "zero", 5)
    assert swept.max() < 1e-12
    assert zero[0] > 0.1 and len(zero) == 6 and (np.diff(zero) < 0).all()
    other = positive.hidden_force(sizes, weights, x, -free, "sweep", 5)
    assert other[0] > 0.1  # groups that disagree


def test_images_are_mirrored():
    image = np.arange(9.0).reshape(1, 9)
    assert positive.mirrored(image).tolist() == [[2, 1, 0, 5, 4, 3, 8, 7, 6]]


def test_two_attractors_are_seen():
    # Two units that excite each other by 2 rest at 0 or at 1; the input pulls them up a little.
    network = layered((1, 1, 1))
    weights = {"W1": np.array([[0.3]]), "b1": np.array([[-0.2]]), "W2": np.array([[2.0]]),
               "b2": np.array([[-0.3]])}
    images = np.array([[0.2], [1.0]])
    (swept, *_), (zero, *_) = attractors.ends(network, weights, images).values()
    assert zero[0].tolist() == [0, 0] and swept.shape == (2, 2)
    rows = list(attractors.attractor_rows("n", network, weights, images, np.array([0, 0])))
    assert {row.name for row in rows} == {"attractors"}
    expected = np.mean(np.abs(swept - zero).max(axis=1) < 1e-3)
    assert rows[0].value == expected


def test_arrival_is_the_first_near_step():
    assert machine.arrived(np.array([0.5, 0.1, 0.03, 0.05])) == 2
    assert machine.arrived(np.array([0.5, 0.1])) == 2


def test_required_rows_have_groups():
    assert {positive.positive_phase, machine.stochastic_initialization,
            attractors.attractors} <= set(feedforward_init.GROUPS)
    assert fixed.positive_phase in fixed.GROUPS
    assert {ghosts.modes, ghosts.random_feedback, ghosts.dale} <= set(ghost_units.GROUPS)
    assert ghosts.modes_mnist in ghost_units.FULL and timing.network_window in stdp.GROUPS


PAGES = {"feedforward-init": ("early-inference",), "ghost-units": (), "stdp": ("early-inference",),
         "early-inference": ()}


@pytest.mark.parametrize("name", PAGES)
def test_pages_name_groups_that_exist_for_every_sentence(name):
    page = (Path(__file__).parents[3] / "docs" / "papers" / f"{name}.md").read_text()
    table = page.split("## The abstract, sentence by sentence")[1].split("\n## ")[0]
    rows = [line.split("|")[1:3] for line in table.splitlines() if line.startswith("| ")][1:]
    known = {group.__name__ for system in (name, *PAGES[name])
             for executor in ("float", "fixed") for group in groups(system, executor, True)}
    named = set(re.findall(r"`([a-z_]+)`", " ".join(shown for _, shown in rows)))
    assert len(rows) >= 5 and all(said.strip() and shown.strip() for said, shown in rows)
    assert named - {"duplicate"} <= known and named & known
