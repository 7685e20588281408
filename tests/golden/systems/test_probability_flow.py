"""Programs of probability flow: what they compute, what they draw, what they refuse."""

import numpy as np
import pytest

from apical.golden.errors import MisuseError
from apical.golden.executors.float.executor import FloatExecutor
from apical.golden.learning.sampling import (
    flow,
    free_energy,
    reconstruct,
    reconstruction_error,
    restricted,
    sample,
)
from apical.golden.network import layered
from apical.golden.network.boltzmann import boltzmann, full_matrix, hidden, split
from apical.golden.program import STATE, Learn, Relax, Sample, walk
from apical.golden.references.boltzmann import flow_by_flips, marginals
from apical.golden.systems import probability_flow as pf
from apical.golden.systems.contrastive_divergence import contrastive_divergence
from apical.golden.systems.machine_programs import e_step

SHAPES = [((5,), (5,)), ((5,), (2,)), ((5, 4), (1, 1)), ((4, 3, 2), (1, 1, 1)),
          ((4, 4, 3), (1, 2, 3)), ((5, 3), (2, 1))]


def problem(sizes, colours, symmetric=True, seed=3):
    """A machine with random weights and five random images."""
    network, rng = boltzmann(sizes, colours, symmetric), np.random.default_rng(seed)
    weights = {m.name: rng.normal(0, 0.7, m.shape) for m in network.matrices}
    return network, weights, rng.integers(0, 2, (5, sizes[0]))


def completed(network, result):
    """Completed states of all units, visible ones first."""
    names = [p.name for p in network.populations if p.name[0] == "v"] + hidden(network)
    return np.hstack([result.states[name, STATE] for name in names])


def executed(network, weights, images, program, rate=None, seed=0):
    executor = FloatExecutor(network, weights, np.float64)
    return executor, executor.run(program, split(network, images), seed=seed,
                                  rates=None if rate is None else dict.fromkeys(weights, rate))


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("flips", ["visible", "all"])
def test_the_objective_counts_flips(shape, flips):
    network, weights, images = problem(*shape)
    _, result = executed(network, weights, images, pf.objective(network, flips))
    groups = pf.flipping(network, flips)
    value = sum(2 * np.abs(result.states[g, pf.FLOW]).sum(axis=1) for g in groups).mean()
    units = range(sum(network.population(g).size for g in groups))
    wanted = flow_by_flips(*full_matrix(network, weights), completed(network, result), units)
    assert value == pytest.approx(wanted, abs=1e-12)
    np.testing.assert_array_equal(completed(network, result)[:, :images.shape[1]], images)


@pytest.mark.parametrize("shape", SHAPES)
def test_the_update_descends_the_objective(shape):
    network, weights, images = problem(*shape)
    flips = "all" if hidden(network) else "visible"
    executor, result = executed(network, weights, images, pf.training(network, flips), 1.0)
    states, step = completed(network, result), 1e-5

    def objective(changed):
        couplings, biases = full_matrix(network, changed)
        return flow_by_flips(couplings, biases, states, range(len(biases)))

    for name, values in weights.items():
        for at in np.ndindex(values.shape):
            up, down = ({**weights, name: values.copy()} for _ in range(2))
            up[name][at] += step
            down[name][at] -= step
            slope = (objective(up) - objective(down)) / (2 * step)
            assert executor.weights[name][at] - values[at] == pytest.approx(-slope, abs=1e-6)


def test_visible_flips_alone_give_one_product():
    network, weights, images = problem((5, 4), (1, 1))
    program = pf.training(network)
    learned = {op.matrix: op.terms for op in program.ops if isinstance(op, Learn)}
    assert set(learned) == {"bv", "W1"} and len(learned["W1"]) == 1
    executor, result = executed(network, weights, images, program, 0.5)
    q, h = result.states["v", pf.FLOW], result.states["h1", STATE]
    np.testing.assert_allclose(executor.weights["W1"] - weights["W1"], 0.5 * q.T @ h / 5,
                               atol=1e-14)
    np.testing.assert_array_equal(executor.weights["bh1"], weights["bh1"])


def test_the_asymmetric_form_keeps_directions_apart():
    network, weights, images = problem((4,), (4,), symmetric=False)
    executor, result = executed(network, weights, images, pf.training(network), 1.0)
    s = completed(network, result)
    q = np.hstack([result.states[f"v_{i}", pf.FLOW] for i in range(1, 5)])
    change = (full_matrix(network, executor.weights)[0] - full_matrix(network, weights)[0])
    wanted = q.T @ s / 5
    np.testing.assert_allclose(change, wanted - np.diag(np.diag(wanted)), atol=1e-14)


def test_the_symmetric_form_adds_both_directions():
    network, weights, images = problem((4,), (4,))
    executor, result = executed(network, weights, images, pf.training(network), 1.0)
    s = completed(network, result)
    q = np.hstack([result.states[f"v_{i}", pf.FLOW] for i in range(1, 5)])
    change = (full_matrix(network, executor.weights)[0] - full_matrix(network, weights)[0])
    wanted = (q.T @ s + s.T @ q) / 5
    np.testing.assert_allclose(change, wanted - np.diag(np.diag(wanted)), atol=1e-14)


def test_the_e_step_draws_from_the_posterior():
    # One image, many chains: after the sweeps hidden states have their exact distribution.
    network, weights, _ = problem((3, 3, 2), (1, 3, 1))
    image = np.array([[1, 0, 1]])
    couplings, biases = full_matrix(network, weights)
    states = np.hstack([np.repeat(image, 32, axis=0), np.arange(32)[:, None] >> np.arange(5) & 1])
    log_p = 0.5 * np.einsum("ki,ij,kj->k", states, couplings, states) + states @ biases
    p = np.exp(log_p - log_p.max())
    wanted = (p / p.sum()) @ states[:, 3:]
    _, result = executed(network, weights, image.repeat(20000, axis=0),
                         pf.objective(network, "visible", sweeps=30), seed=4)
    found = completed(network, result)[:, 3:].mean(axis=0)
    assert np.abs(found - wanted).max() < 4 * 0.5 / np.sqrt(20000)


def test_sweeps_are_left_out_where_the_first_is_exact():
    def count(network, sweeps):
        return sum(isinstance(op, Sample) for op in walk(e_step(network, sweeps)))

    assert count(boltzmann((4, 3)), 5) == 1
    deep = boltzmann((4, 3, 2))
    assert count(deep, 5) == 4 and count(deep, 0) == 2
    assert [op.steps for op in e_step(deep, 5) if isinstance(op, Relax)] == [5]


def test_samples_have_the_distribution_of_the_machine():
    for sizes, colours in (((4, 3), (1, 1)), ((4,), (4,)), ((3, 2, 2), (1, 2, 1))):
        network, weights, _ = problem(sizes, colours)
        drawn = sample(network, weights, 20000, 50, seed=1)
        means, pairs = marginals(network, weights)
        assert np.abs(drawn.images.mean(axis=0) - means).max() < 4.5 * 0.5 / np.sqrt(20000)
        assert np.abs(drawn.images.T @ drawn.images / 20000 - pairs).max() < 0.016
        # The chances are those of the last draw: they average to the same means.
        assert np.abs(drawn.probabilities.mean(axis=0) - means).max() < 0.016
        assert set(np.unique(drawn.images)) == {0, 1}
        assert ((drawn.probabilities > 0) & (drawn.probabilities < 1)).all()


def test_sample_is_repeatable_and_goes_on():
    network, weights, _ = problem((6, 4), (1, 1))
    first, again = (sample(network, weights, 10, 5, seed=2) for _ in range(2))
    np.testing.assert_array_equal(first.images, again.images)
    assert (sample(network, weights, 10, 5, seed=3).images != first.images).any()
    on = sample(network, weights, 10, 1, seed=9, start=first)
    assert on.images.shape == (10, 6) and on.hidden["h1"].shape == (10, 4)
    # Without couplings to hidden units started from, the first hidden draw sees the images given.
    strong = {"W1": np.eye(6)[:, :4] * 50, "bv": np.full((1, 6), -25.0),
              "bh1": np.full((1, 4), -25.0)}
    start = np.random.default_rng(0).integers(0, 2, (10, 6))
    kept = sample(network, strong, 10, 3, start=start)
    np.testing.assert_array_equal(kept.images[:, :4], start[:, :4])
    with pytest.raises(MisuseError, match="10 chains are requested, but the start has 4"):
        sample(network, weights, 10, 1, start=start[:4])
    with pytest.raises(MisuseError, match="count is 0"):
        sample(network, weights, 0)
    with pytest.raises(MisuseError, match="steps is 0"):
        sample(network, weights, 1, 0)
    with pytest.raises(MisuseError, match="not a Boltzmann machine"):
        sample(layered((4, 2)), {})


def test_reconstruction_is_a_mean_field_pass():
    network, weights, images = problem((5, 4), (1, 1))
    W, b, c = restricted(network, weights)
    hidden_means = 1 / (1 + np.exp(-(images @ W + c)))
    wanted = 1 / (1 + np.exp(-(hidden_means @ W.T + b)))
    np.testing.assert_allclose(reconstruct(network, weights, images), wanted, rtol=1e-5)
    assert reconstruction_error(network, weights, images, images) == pytest.approx(
        np.mean((wanted > 0.5) != images))
    with pytest.raises(MisuseError, match="there are no images"):
        reconstruct(network, weights, images[:0])


def test_flow_is_a_mean_over_batches():
    network, weights, images = problem((5, 4), (1, 1))
    many = np.tile(images, (140, 1))  # more than a batch, and not a whole number of them
    value = flow(network, weights, many, seed=1, dtype=np.float64)
    _, result = executed(network, weights, many, pf.objective(network), seed=1)
    assert value == pytest.approx(2 * np.abs(result.states["v", pf.FLOW]).sum(axis=1).mean())


def test_free_energy_sums_hidden_states_out():
    network, weights, images = problem((5, 4), (1, 1))
    couplings, biases = full_matrix(network, weights)
    rest = np.arange(16)[:, None] >> np.arange(4) & 1
    for image, value in zip(images, free_energy(network, weights, images)):
        states = np.hstack([np.repeat(image[None], 16, axis=0), rest])
        terms = 0.5 * np.einsum("ki,ij,kj->k", states, couplings, states) + states @ biases
        assert value == pytest.approx(-np.log(np.exp(terms).sum()))
    deep, weights, _ = problem((4, 3, 2), (1, 1, 1))
    with pytest.raises(MisuseError, match="is not a restricted machine"):
        free_energy(deep, weights, images[:, :4])


def test_contrastive_divergence_takes_the_difference_of_two_products():
    network, weights, images = problem((5, 4), (1, 1))
    executor, result = executed(network, weights, images, contrastive_divergence(network), 0.5)
    W, b, c = restricted(network, weights)
    data = 1 / (1 + np.exp(-(images @ W + c)))
    v = result.states["v", STATE]
    model = 1 / (1 + np.exp(-(v @ W + c)))
    assert set(np.unique(v)) <= {0, 1}
    for name, wanted in (("W1", images.T @ data - v.T @ model), ("bv", (images - v).sum(axis=0)),
                         ("bh1", (data - model).sum(axis=0))):
        np.testing.assert_allclose(executor.weights[name] - weights[name],
                                   np.atleast_2d(0.5 * wanted / 5), atol=1e-14)


def test_learning_raises_the_likelihood_of_a_small_machine():
    from apical.golden.references.boltzmann import log_likelihood

    teacher, truth, _ = problem((6, 3), (1, 1), seed=8)
    images = sample(teacher, truth, 3000, 60, seed=0).images
    for program in (pf.training(teacher), contrastive_divergence(teacher)):
        rng = np.random.default_rng(0)
        weights = {m.name: rng.normal(0, 0.1, m.shape) for m in teacher.matrices}
        executor = FloatExecutor(teacher, weights)
        before = log_likelihood(teacher, weights, images)
        for step in range(300):
            executor.run(program, split(teacher, images[step % 10::10]),
                         rates=dict.fromkeys(weights, 0.1), collect=False, seed=step)
        gained = log_likelihood(teacher, executor.weights, images) - before
        limit = log_likelihood(teacher, truth, images) - before
        assert gained > 0.7 * limit > 0


@pytest.mark.parametrize(("flips", "message"), [
    ("hidden", "flips are 'hidden'; use visible, all"), ((), "flips are"),
    (("v", "h7"), "flips of 'h7' cannot count; the machine has: v, h1"),
])
def test_unknown_flips_are_refused(flips, message):
    with pytest.raises(MisuseError, match=message):
        pf.training(boltzmann((4, 3)), flips)


def test_couplings_that_would_never_learn_are_refused():
    deep = boltzmann((4, 3, 2))
    with pytest.raises(MisuseError, match="couplings 'W2' of network '4-3-2' never learn"):
        pf.training(deep, "visible")
    assert pf.default_flips(deep) == "all" and pf.default_flips(boltzmann((4, 3))) == "visible"
    with pytest.raises(MisuseError, match="couplings 'W1' .* never learn"):
        pf.training(boltzmann((4, 3), symmetric=False), "visible")
    # Named flips: those of the first hidden layer are enough for both of its matrices.
    assert pf.training(deep, ("v", "h1"))
    with pytest.raises(MisuseError, match="sweeps is -1"):
        pf.training(deep, sweeps=-1)
    with pytest.raises(MisuseError, match="network '4-3-2' is not restricted"):
        contrastive_divergence(deep)
    with pytest.raises(MisuseError, match="is not a Boltzmann machine"):
        pf.training(layered((4, 2)))
