"""Float executor: every operation against plain code, early stop, misuse."""

import numpy as np
import pytest

from apical.golden.errors import MisuseError
from apical.golden.executors.float import states as binding_states
from apical.golden.executors.float.executor import FloatExecutor
from apical.golden.executors.float.kernels import mover
from apical.golden.network import Matrix, Network, Population, Projection, glorot, layered
from apical.golden.program import (
    Clear,
    Decide,
    Difference,
    Learn,
    Outer,
    Program,
    Project,
    Relax,
    Snapshot,
    Update,
)
from apical.golden.program.layered import drive, inference, nudged, start_state, step

LOW_HIGH = {"hard-sigmoid": (0, 1), "hard-tanh": (-1, 1), "logistic": (-np.inf, np.inf)}


def relaxed(weights, x, d, rate, steps, beta, eps=0.5):
    """A plain relaxation of an x-h1-y network from zero states, written from the equations."""
    def rho(u):
        return 1 / (1 + np.exp(-u)) if rate == "logistic" else u

    def gate(u):
        return rho(u) * (1 - rho(u)) if rate == "logistic" else 1.0

    low, high = LOW_HIGH[rate]
    h, y = np.zeros((len(x), weights["W1"].shape[1])), np.zeros((len(x), weights["W2"].shape[1]))
    path = [(h, y)]
    for _ in range(steps):
        up = rho(x) @ weights["W1"] + weights["b1"] + rho(y) @ weights["W2"].T
        out = rho(h) @ weights["W2"] + weights["b2"]
        h, y = (np.clip(h + eps * (gate(h) * up - h), low, high),
                np.clip(y + eps * (gate(y) * out - y + beta * (d - y)), low, high))
        path.append((h, y))
    return path


def problem(rate="hard-sigmoid", sizes=(12, 9, 4), batch=7, seed=1):
    """A network, its weights and inputs of a batch."""
    rng = np.random.default_rng(seed)
    network = layered(sizes, rate)
    weights = {name: 0.8 * w + rng.uniform(0, 0.15, w.shape)
               for name, w in glorot(network, seed).items()}
    x, d = rng.random((batch, sizes[0])), rng.random((batch, sizes[-1]))
    return network, weights, x, d


def relaxation(network, steps, nudges=None, shift=1, settled=None):
    """Program: drive, zero states, one relaxation, decision."""
    ops = [*drive(network), *start_state(network, "zero"),
           Relax(steps, step(network, shift, nudges), settled), Decide("y")]
    return Program("test", tuple(ops))


@pytest.mark.parametrize("rate", ["hard-sigmoid", "hard-tanh", "logistic"])
@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("shift", [0, 1, 3])
def test_a_nudged_relaxation_follows_the_equations(rate, sign, shift):
    network, weights, x, d = problem(rate)
    program = relaxation(network, 9, nudged(shift=2, random_sign=True), shift)
    result = FloatExecutor(network, weights, np.float64).run(
        program, {"x": x, "d": d}, beta_sign=sign)
    h, y = relaxed(weights, x, d, rate, 9, sign / 4, 2.0 ** -shift)[-1]
    np.testing.assert_allclose(result.states["h1", "state"], h, atol=1e-12)
    np.testing.assert_allclose(result.states["y", "state"], y, atol=1e-12)
    np.testing.assert_array_equal(result.predictions, y.argmax(axis=1))
    assert np.ptp(y) > 0.05


def test_float32_stays_near_float64():
    network, weights, x, _ = problem()
    program = inference(network, 12)
    single = FloatExecutor(network, weights).run(program, {"x": x})
    double = FloatExecutor(network, weights, np.float64).run(program, {"x": x})
    assert single.states["h1", "state"].dtype == np.float32
    np.testing.assert_allclose(single.states["y", "state"], double.states["y", "state"], atol=1e-5)


def test_a_bias_share_a_negative_projection_and_an_ungated_update():
    network = Network("n", (Population("a", 3, clamped=True), Population("b", 2, "logistic"),
                            Population("one", 1, "constant")),
                      (Matrix("W", 2, 3), Matrix("c", 1, 2)),
                      (Projection("back", "a", "b", "W", transpose=True, sign=-1),
                       Projection("bias", "one", "b", "c")))
    weights = {"W": np.arange(6.0).reshape(2, 3), "c": np.array([[3.0, -1.0]])}
    a = np.array([[0.5, 0.25, 1.0]])
    update = Update("b", "sum", shift=-1, leak=False)
    program = Program("p", (Project("back", "sum"), Project("bias", "sum", "sum", 2), update,
                            Project("bias", "sum"), Update("b", "sum", shift=2, gate=False)))
    state = FloatExecutor(network, weights, np.float64).run(program, {"a": a}).states["b", "state"]
    swept = 2 * (-a @ weights["W"].T + weights["c"] / 4)
    np.testing.assert_allclose(state, swept + (weights["c"] - swept) / 4)


def test_snapshot_difference_clear_and_learning():
    network, weights, x, _ = problem()
    terms = (Outer(("h1", "state"), ("y", "state")), Outer(("h1", "free"), ("y", "free"), -1))
    program = Program("p", (*inference(network, 2).ops, Snapshot("h1", "free"),
                            Snapshot("y", "free"), Clear("h1"), Difference("y", "delta"),
                            Learn("W2", terms, by_sign=True),
                            Learn("b1", (Outer(("one", "state"), ("h1", "free")),), by_sign=False)))
    executor = FloatExecutor(network, weights, np.float64)
    states = executor.run(program, {"x": x}, rates={"W2": 0.5, "b1": 0.25}, beta_sign=-1).states
    assert not states["h1", "state"].any() and not states["y", "delta"].any()
    h, y = states["h1", "free"], states["y", "free"]
    assert h.any()
    np.testing.assert_allclose(executor.weights["W2"], weights["W2"] + 0.5 * h.T @ y / len(x))
    np.testing.assert_allclose(executor.weights["b1"][0],
                               weights["b1"][0] + 0.25 * h.mean(axis=0))
    np.testing.assert_array_equal(executor.weights["W1"], weights["W1"])
    # The next run sees the learned weights in both directions.
    np.testing.assert_allclose(
        executor.run(inference(network, 3), {"x": x}).states["h1", "state"],
        FloatExecutor(network, executor.weights, np.float64).run(
            inference(network, 3), {"x": x}).states["h1", "state"], atol=1e-14)


def test_each_image_stops_when_it_has_settled():
    network, weights, x, d = problem(batch=40)
    x[:20] *= 0.1
    threshold, limit = 0.004, 30
    program = relaxation(network, limit, settled=threshold)
    result = FloatExecutor(network, weights, np.float64).run(program, {"x": x})
    path = relaxed(weights, x, d, "hard-sigmoid", limit, beta=0)
    for image in range(len(x)):
        moves = [max(np.abs(b[k][image] - a[k][image]).max() for k in (0, 1))
                 for a, b in zip(path, path[1:], strict=False)]
        stop = next((t + 1 for t, move in enumerate(moves) if move <= threshold), limit)
        assert result.steps[image] == stop
        np.testing.assert_allclose(result.states["h1", "state"][image], path[stop][0][image],
                                   atol=1e-12)
        assert result.predictions[image] == path[stop][1][image].argmax()
    assert len(set(result.steps)) > 2  # or nothing was tested


def test_an_image_does_not_feel_the_others_of_its_batch():
    network, weights, x, _ = problem(batch=20)
    program = relaxation(network, 30, settled=0.002)
    together = FloatExecutor(network, weights, np.float64).run(program, {"x": x})
    executor = FloatExecutor(network, weights, np.float64)
    for image in range(len(x)):
        alone = executor.run(program, {"x": x[image:image + 1]})
        assert alone.steps[0] == together.steps[image]
        np.testing.assert_allclose(alone.states["y", "state"][0],
                                   together.states["y", "state"][image], atol=1e-12)


def test_loops_inside_early_stopping_loops():
    network, weights, x, _ = problem(batch=20)
    inner = Relax(3, step(network, shift=2))
    nested = Program("n", (*drive(network), *start_state(network, "zero"),
                           Relax(8, (inner,), settled=0.01)))
    flat = Program("f", (*drive(network), *start_state(network, "zero"),
                         Relax(24, step(network, shift=2))))
    executor = FloatExecutor(network, weights, np.float64)
    result, seen = executor.run(nested, {"x": x}), []
    executor.run(flat, {"x": x}, on_step=lambda where, n, states: seen.append(
        states["h1", "state"].copy()))
    for image in range(len(x)):
        outer = result.loop_steps[len(nested.ops) - 1,][image]
        np.testing.assert_allclose(result.states["h1", "state"][image], seen[3 * outer][image],
                                   atol=1e-12)
        assert result.steps[image] == 4 * outer
    assert len(set(result.steps)) > 1


def test_the_observer_sees_every_step_of_the_whole_batch():
    network, weights, x, d = problem(batch=15)
    program = relaxation(network, 12, settled=0.02)
    seen = []
    result = FloatExecutor(network, weights, np.float64).run(
        program, {"x": x}, on_step=lambda where, n, states: seen.append(
            (n, states["h1", "state"].copy())))
    assert [n for n, _ in seen] == list(range(result.steps.max() + 1))
    path = relaxed(weights, x, d, "hard-sigmoid", 12, beta=0)
    for image in range(len(x)):
        for n, states in seen:
            reached = min(n, result.steps[image])
            np.testing.assert_allclose(states[image], path[reached][0][image], atol=1e-12)


def test_runs_start_anew_unless_states_are_handed_back():
    network, weights, x, _ = problem()
    executor = FloatExecutor(network, weights, np.float64)
    keep = inference(network, 3, start="keep")
    first = executor.run(keep, {"x": x})
    again = executor.run(keep, {"x": x})
    np.testing.assert_array_equal(first.states["y", "state"], again.states["y", "state"])
    on = executor.run(keep, {"x": x}, states=first.states)
    six = executor.run(inference(network, 6, start="zero"), {"x": x})
    np.testing.assert_allclose(on.states["y", "state"], six.states["y", "state"], atol=1e-14)
    named = {name: first.states[name, "state"] for name in ("y", "h1")}
    by_name = executor.run(keep, {"x": x}, states=named)
    np.testing.assert_array_equal(by_name.states["h1", "state"], on.states["h1", "state"])


def test_batch_sizes_and_programs_may_alternate():
    network, weights, x, _ = problem(batch=30)
    executor = FloatExecutor(network, weights)
    programs = [inference(network, steps) for steps in range(12)]
    expected = [FloatExecutor(network, weights).run(p, {"x": x[:5]}).states["y", "state"]
                for p in programs]
    for size in (5, 30, 5):
        for program, known in zip(programs, expected, strict=True):
            found = executor.run(program, {"x": x[:size]}).states["y", "state"]
            np.testing.assert_allclose(found[:5], known, atol=1e-6)


@pytest.mark.parametrize("rate", ["hard-sigmoid", "hard-tanh"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("shift", [0, 1, 2])
def test_compiled_and_plain_steps_are_bit_identical(monkeypatch, rate, dtype, shift):
    network, weights, x, d = problem(rate, sizes=(20, 128, 5), batch=80)
    program, results = relaxation(network, 10, nudged(), shift, settled=0.01), []
    called = []
    monkeypatch.setattr(binding_states, "mover", lambda name: called.append(name) or mover(name))
    for large, compiled in ((binding_states.LARGE, True), (10**9, False)):
        monkeypatch.setattr(binding_states, "LARGE", large)
        called.clear()
        results.append(FloatExecutor(network, weights, dtype).run(program, {"x": x, "d": d}))
        assert bool(called) == compiled
    for name in ("h1", "y"):
        one, other = (result.states[name, "state"] for result in results)
        assert one.dtype == dtype and np.array_equal(one, other)


def test_ties_take_the_lowest_class():
    network = layered((2, 3))
    weights = {"W1": np.array([[0.0, 0.5, 0.5], [0.0, 0.0, 0.0]]), "b1": np.zeros((1, 3))}
    result = FloatExecutor(network, weights).run(inference(network), {"x": np.ones((1, 2))})
    assert result.predictions[0] == 1


def test_misuse_is_named():
    network, weights, x, d = problem()
    executor = FloatExecutor(network, weights)
    program = relaxation(network, 2, nudged())

    def refused(match, inputs, **options):
        with pytest.raises(MisuseError, match=match):
            executor.run(program, inputs, **options)

    bad = x.copy()
    bad[3, 5] = np.nan
    refused("input of 'x' is nan in image 3, unit 5", {"x": bad, "d": d})
    bad[3, 5] = 1.5
    refused(r"is 1.5 in image 3, unit 5; its range is 0\.\.1", {"x": bad, "d": d})
    refused("'d', for which no input", {"x": x})
    refused(r"shape \(7, 11\), expected \(images, 12\)", {"x": x[:, :11], "d": d})
    refused(r"shape \(12,\), expected", {"x": x[0], "d": d})
    refused("different numbers of images: 'x' 7, 'd' 6", {"x": x, "d": d[:6]})
    refused("'h1', which is not clamped", {"x": x, "d": d, "h1": d})
    refused("no populations entry 'z'", {"x": x, "d": d, "z": d})
    refused("state of 'y' is 2", {"x": x, "d": d}, states={"y": 2 + 0 * d})
    refused("beta_sign is 0", {"x": x, "d": d}, beta_sign=0)
    refused("type <U1", {"x": np.full(x.shape, "a"), "d": d})
    learn = Program("l", (*program.ops, Learn("b2", (Outer(("one", "state"), ("y", "state")),))))
    with pytest.raises(MisuseError, match="matrix 'b2', for which no rate"):
        executor.run(learn, {"x": x, "d": d})
    with pytest.raises(MisuseError, match="int64; use float32 or float64"):
        FloatExecutor(network, weights, np.int64)
    weights["W1"][2, 1] = np.inf
    with pytest.raises(MisuseError, match=r"weight W1\[2, 1\] is inf"):
        FloatExecutor(network, weights)
