"""Float executor: held currents, noise, nudges of rates, residuals, twin runs, normalized LMS."""

import numpy as np
import pytest

from apical.golden.errors import MisuseError
from apical.golden.executors.float.executor import FloatExecutor
from apical.golden.network import Matrix, Network, Population, Projection
from apical.golden.program import (
    RATE,
    STATE,
    Clear,
    Difference,
    Learn,
    Nudge,
    Outer,
    Program,
    Project,
    Relax,
    Reseed,
    Residual,
    Snapshot,
    Update,
)


def network(rate="hard-sigmoid"):
    return Network("n", (Population("a", 3, clamped=True), Population("b", 2, rate),
                         Population("c", 2, rate), Population("d", 2, clamped=True)),
                   (Matrix("W", 3, 2), Matrix("V", 2, 2)),
                   (Projection("up", "a", "b", "W"), Projection("on", "b", "c", "V")))


W = np.array([[0.5, -0.25], [0.125, 0.5], [0.25, 0.0]])
V = np.array([[0.5, 0.25], [-0.5, 1.0]])
A = np.array([[1.0, 0.5, 0.25], [0.25, 0.0, 1.0]])
D = np.array([[1.0, 0.0], [0.5, 0.5]])


def run(ops, rate="hard-sigmoid", rates=None, **options):
    executor = FloatExecutor(network(rate), {"W": W, "V": V}, np.float64)
    states = executor.run(Program("p", tuple(ops)), {"a": A, "d": D}, rates=rates,
                          **options).states
    return states, executor


def sigma(u):
    return 1 / (1 + np.exp(-u))


def test_a_held_current_follows_and_is_subtracted():
    follow = Update("b", shift=1, gate=False, slot="held")
    states, _ = run([Project("up"), Clear("b", "held"), follow, follow,
                     Update("b", shift=0, leak=False, held="held")])
    np.testing.assert_allclose(states["b", "held"], 0.75 * A @ W)  # no clip: only numbers limit it
    np.testing.assert_allclose(states["b", STATE], np.clip(0.25 * A @ W, 0, 1))


def test_a_gated_whole_step_of_another_slot_leaves_slope_times_current():
    states, _ = run([Project("up"), Update("b", shift=0, leak=False),
                     Clear("b", "error"), Update("b", shift=0, slot="error")], "logistic")
    r = sigma(A @ W)
    np.testing.assert_allclose(states["b", "error"], r * (1 - r) * (A @ W))
    np.testing.assert_allclose(states["b", STATE], A @ W)


@pytest.mark.parametrize("rate", ["logistic", "hard-sigmoid"])
def test_a_nudge_of_the_rate(rate):
    first = {"b": np.array([[0.25, 0.75], [0.5, 0.125]])}
    nudge = Nudge("d", 1, of_rate=True)
    states, _ = run([Project("up"), Update("b", shift=2, gate=False, nudge=nudge)], rate,
                    states=first)
    u = first["b"]
    r = sigma(u) if rate == "logistic" else u
    expected = u + 0.25 * (A @ W - u + 0.5 * (D - r))
    np.testing.assert_allclose(states["b", STATE],
                               expected if rate == "logistic" else np.clip(expected, 0, 1))


def test_noise_has_the_size_of_the_langevin_equation():
    program = [Project("up"), Update("b", shift=3, gate=False, noise=0.5)]
    executor = FloatExecutor(network("logistic"), {"W": 0 * W, "V": V}, np.float64)
    states = executor.run(Program("p", tuple(program)), {"a": np.zeros((50_000, 3))}).states
    drawn = states["b", STATE]
    assert abs(drawn.std() / (0.5 * np.sqrt(2 / 8)) - 1) < 0.01 and abs(drawn.mean()) < 0.005


def test_noise_is_addressed_by_seed_and_image():
    ops = [Project("up"), Update("b", shift=1, gate=False, noise=0.1)]
    first = run(ops, "logistic", seed=4)[0]["b", STATE]
    np.testing.assert_array_equal(first, run(ops, "logistic", seed=4)[0]["b", STATE])
    for options in ({"seed": 5}, {"seed": 4, "first_image": 1}):
        assert not np.allclose(first, run(ops, "logistic", **options)[0]["b", STATE])
    alone = FloatExecutor(network("logistic"), {"W": W, "V": V}, np.float64).run(
        Program("p", tuple(ops)), {"a": A[1:]}, seed=4, first_image=1).states["b", STATE]
    np.testing.assert_allclose(alone, first[1:], atol=1e-15)


@pytest.mark.parametrize("count", [0, 1])
def test_twin_runs_see_the_same_noise_after_reseeding(count):
    noisy = Relax(3, (Project("up"), Update("b", shift=1, gate=False, noise=0.2)))
    states, _ = run([Snapshot("b", "start"), noisy, Snapshot("b", "one"),
                     Snapshot("b", STATE, "start"), Reseed(count), noisy,
                     Difference("b", "apart", "one", STATE)], "logistic")
    assert (np.abs(states["b", "apart"]).max() == 0) == (count == 0)


def test_noise_never_settles():
    with pytest.raises(MisuseError, match="noise never settles; give a fixed number of steps"):
        run([Relax(3, (Project("up"), Update("b", noise=0.1)), settled=0.1)])


def test_a_residual_is_the_share_of_the_state_less_its_prediction():
    ops = [Project("up"), Update("b", shift=0, leak=False), Residual("b", "error", share=1)]
    states, _ = run(ops)
    np.testing.assert_allclose(states["b", "error"], states["b", STATE] / 2 - A @ W)
    states, _ = run([*ops[:2], Residual("b", STATE, share=1)], "logistic")
    np.testing.assert_allclose(states["b", STATE], -A @ W / 2)


def test_rates_are_read_in_differences_snapshots_and_products():
    ops = [Project("up"), Update("b", shift=0, leak=False), Project("on"),
           Update("c", shift=0, leak=False), Difference("c", "miss", ("b", RATE), ("c", RATE)),
           Snapshot("b", "kept", RATE), Learn("V", (Outer(("b", RATE), ("c", "miss")),))]
    states, executor = run(ops, "logistic", {"V": 0.5})
    b = sigma(A @ W)
    miss = b - sigma(b @ V)
    np.testing.assert_allclose(states["c", "miss"], miss)
    np.testing.assert_allclose(states["b", "kept"], b)
    np.testing.assert_allclose(executor.weights["V"], V + 0.5 * b.T @ miss / 2)
    hard, _ = run(ops, "hard-sigmoid", {"V": 0.0})
    np.testing.assert_allclose(hard["b", "kept"], np.clip(A @ W, 0, 1))


def test_rates_are_never_written():
    with pytest.raises(MisuseError, match="the rate follows from the state and is never written"):
        run([Snapshot("b", RATE, STATE)])


def test_normalized_learning_divides_by_the_presynaptic_length():
    ops = [Project("up"), Update("b", shift=0, leak=False), Difference("b", "miss", STATE,
                                                                       ("d", STATE)),
           Learn("W", (Outer(("a", STATE), ("b", "miss"), -1),), normalize=True)]
    states, executor = run(ops, "logistic", {"W": 0.5})
    length = np.square(A).sum(axis=1).mean()
    np.testing.assert_allclose(executor.weights["W"],
                               W - 0.5 / length * A.T @ states["b", "miss"] / 2)
    silent = FloatExecutor(network("logistic"), {"W": W, "V": V}, np.float64)
    silent.run(Program("p", tuple(ops)), {"a": 0 * A, "d": D}, rates={"W": 0.5})
    np.testing.assert_array_equal(silent.weights["W"], W)


def test_normalized_lms_converges_at_a_rate_that_plain_lms_does_not_stand():
    rng = np.random.default_rng(0)
    net = Network("lms", (Population("a", 40, "hard-tanh", clamped=True),
                          Population("b", 3, "logistic"),
                          Population("d", 3, "hard-tanh", clamped=True)),
                  (Matrix("W", 40, 3),), (Projection("up", "a", "b", "W"),))
    x, true = rng.uniform(-1, 1, (10, 40)), 0.1 * rng.normal(size=(40, 3))
    left = {}
    for normalize in (True, False):
        executor = FloatExecutor(net, {"W": np.zeros((40, 3))}, np.float64)
        program = Program("lms", (Project("up"), Update("b", shift=0, leak=False),
                                  Difference("b", "miss", ("d", STATE), STATE),
                                  Learn("W", (Outer(("a", STATE), ("b", "miss")),),
                                        normalize=normalize)))
        for _ in range(300):
            executor.run(program, {"a": x, "d": np.clip(x @ true, -1, 1)}, rates={"W": 1.0})
        left[normalize] = np.abs(x @ executor.weights["W"] - np.clip(x @ true, -1, 1)).max()
    assert left[True] < 1e-3 < 1e3 < left[False]
