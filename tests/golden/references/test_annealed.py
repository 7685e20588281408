"""Enumeration and annealed importance sampling of Boltzmann machines."""

import numpy as np
import pytest

from apical.golden.errors import MisuseError
from apical.golden.network import layered
from apical.golden.network.boltzmann import boltzmann, full_matrix
from apical.golden.references import annealed
from apical.golden.references.annealed import (
    Estimate,
    estimate_log_z,
    log_probability_bound,
    schedule,
)
from apical.golden.references.boltzmann import (
    all_states,
    energy,
    log_likelihood,
    log_partition,
    log_sum_exp,
    scikit_learn_machine,
)
from apical.golden.references.likelihood import likelihood, words


def random_machine(sizes=(10, 7), spread=0.8, seed=0, colours=None):
    network, rng = boltzmann(sizes, colours), np.random.default_rng(seed)
    return network, {m.name: rng.normal(0, spread, m.shape) for m in network.matrices}


@pytest.mark.parametrize("sizes", [(6, 4), (4, 6), (5,), (4, 3, 2)])
def test_enumeration_agrees_with_the_sum_over_all_states(sizes):
    network, weights = random_machine(sizes, colours=[1] if sizes == (5,) else None)
    couplings, biases = full_matrix(network, weights)
    states = all_states(sum(sizes))
    # Boltzmann weights one state at a time.
    total = sum(np.exp(0.5 * s @ couplings @ s + biases @ s) for s in states)
    assert log_partition(network, weights) == pytest.approx(np.log(total))
    images = all_states(sizes[0])
    likelihoods = [log_likelihood(network, weights, image[None]) for image in images]
    assert np.exp(likelihoods).sum() == pytest.approx(1)


def test_energies_of_a_small_machine_by_hand():
    couplings = np.array([[0, 2.0], [2.0, 0]])
    np.testing.assert_allclose(energy(couplings, np.array([1.0, -3.0]), all_states(2)),
                               [0, -1, 3, 0])


@pytest.mark.parametrize("sizes", [(5, 30), (30, 5)])
def test_the_smaller_side_is_enumerated(sizes):
    network, weights = random_machine(sizes, spread=0)
    assert log_partition(network, weights) == pytest.approx(35 * np.log(2))


def test_too_many_units_are_refused():
    network, weights = random_machine((30, 25))
    with pytest.raises(MisuseError, match="25 units have too many states"):
        log_partition(network, weights)


@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize("spread", [0.3, 1.0])
def test_the_estimate_agrees_with_enumeration(seed, spread):
    network, weights = random_machine(spread=spread, seed=seed)
    exact = log_partition(network, weights)
    found = estimate_log_z(network, weights, temperatures=1000, chains=200, seed=seed)
    assert abs(found.log_z - exact) < 0.15
    assert abs(found.log_z - exact) < 2 * 0.5 * (found.high - found.low)
    assert found.low < found.log_z < found.high and found.effective > 100
    mean, low, high = found.log_likelihood(network, weights, all_states(10))
    assert low < mean < high
    assert mean - log_likelihood(network, weights, all_states(10)) == pytest.approx(
        exact - found.log_z)


LAYERED = [((8, 6, 5), None), ((8, 5, 4), (1, 2, 2)), ((7,), (7,)), ((6, 4, 4, 3), None)]


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize(("sizes", "colours"), LAYERED)
def test_the_estimate_of_layered_machines_agrees_with_enumeration(sizes, colours, seed):
    network, weights = random_machine(sizes, 0.7, seed, colours)
    exact = log_partition(network, weights)
    found = estimate_log_z(network, weights, np.full(sizes[0], -0.3), 1000, 200, seed)
    assert abs(found.log_z - exact) < 0.15
    assert abs(found.log_z - exact) < (found.high - found.low)
    # A control that the temperatures matter: independent units alone are far away.
    alone = np.logaddexp(0, -0.3) * sizes[0] + np.log(2) * sum(sizes[1:])
    assert abs(alone - exact) > 0.3


@pytest.mark.parametrize(("sizes", "colours"), LAYERED)
def test_the_bound_is_below_the_exact_log_likelihood_and_near_it(sizes, colours):
    for spread, near in ((0.02, 1e-3), (0.5, 0.5)):
        network, weights = random_machine(sizes, spread, 3, colours)
        images = all_states(sizes[0])[::5]
        exact = np.array([log_likelihood(network, weights, image[None], 0.0) for image in images])
        bound = log_probability_bound(network, weights, images)
        assert (bound <= exact + 1e-5).all()
        assert np.mean(exact - bound) < near
        # Fewer sweeps bound too, less tightly.
        assert (log_probability_bound(network, weights, images, 0) <= bound + 1e-4).mean() > 0.9


def test_the_bound_is_exact_without_couplings_between_hidden_units():
    network, weights = random_machine((9, 6), 1.0)
    images = all_states(9)[::7]
    exact = [log_likelihood(network, weights, image[None], 0.0) for image in images]
    np.testing.assert_allclose(log_probability_bound(network, weights, images), exact, atol=1e-4)


def test_the_likelihood_of_a_layered_machine_is_that_of_the_bound():
    network, weights = random_machine((8, 6, 5), 0.3)
    images = all_states(8)
    found = estimate_log_z(network, weights, temperatures=300, chains=100)
    mean, low, high = found.log_likelihood(network, weights, images)
    assert mean == pytest.approx(log_probability_bound(network, weights, images).mean()
                                 - found.log_z)
    assert low < mean < high
    assert mean < log_likelihood(network, weights, images) + 0.1


def test_intervals_cover_the_exact_value_as_often_as_they_say():
    network, weights = random_machine(spread=1.0)
    exact = log_partition(network, weights)
    found = [estimate_log_z(network, weights, temperatures=100, chains=100, seed=seed)
             for seed in range(60)]
    covered = np.mean([f.low <= exact <= f.high for f in found])
    assert 0.85 <= covered <= 1
    errors = np.array([f.log_z - exact for f in found])
    widths = np.array([(f.high - f.low) / 3.92 for f in found])
    assert np.sqrt(np.mean(errors ** 2)) == pytest.approx(widths.mean(), rel=0.35)


def test_another_base_gives_the_same_value():
    network, weights = random_machine()
    exact = log_partition(network, weights)
    found = estimate_log_z(network, weights, np.full(10, 0.4), temperatures=1000, chains=200)
    assert abs(found.log_z - exact) < 0.15


def test_too_few_temperatures_underestimate():
    # What the module says of the direction of its error, on a machine with deep modes.
    network, weights = random_machine((16, 10), 2.5)
    exact = log_partition(network, weights)
    errors = [estimate_log_z(network, weights, temperatures=10, chains=10, seed=seed).log_z - exact
              for seed in range(20)]
    assert np.mean(errors) < -0.2


def test_the_schedule_goes_from_0_to_1_and_is_densest_at_the_end():
    for count in (10, 100, 14500):
        betas = schedule(count)
        assert (len(betas), betas[0], betas[-1]) == (count, 0, 1) and (np.diff(betas) > 0).all()
    counts = np.histogram(schedule(14501), (0, 0.5, 0.9, 1))[0]
    np.testing.assert_allclose(counts, (507, 3987, 10007), atol=2)


def test_misuse():
    network, weights = random_machine()
    with pytest.raises(MisuseError, match="1 chains give no interval"):
        estimate_log_z(network, weights, chains=1)
    with pytest.raises(MisuseError, match="5 temperatures are too few"):
        estimate_log_z(network, weights, temperatures=5)
    with pytest.raises(MisuseError, match=r"base biases have shape \(3,\)"):
        estimate_log_z(network, weights, np.zeros(3))
    asymmetric = boltzmann((4, 3), symmetric=False)
    with pytest.raises(MisuseError, match="has no energy: 'h1' and 'v' have a matrix for each"):
        estimate_log_z(asymmetric, {m.name: np.zeros(m.shape) for m in asymmetric.matrices})
    with pytest.raises(MisuseError, match="is not a Boltzmann machine"):
        estimate_log_z(layered((4, 3)), {})


def test_log_sum_exp_does_not_overflow():
    assert log_sum_exp(np.array([1000.0, 1000.0])) == pytest.approx(1000 + np.log(2))


def test_scikit_learn_weights_mean_the_same_here():
    images = (np.random.default_rng(0).random((300, 8)) < np.linspace(0.1, 0.9, 8)).astype(float)
    network, weights = scikit_learn_machine(images, 4, 30, 0.05, 50)
    before = {name: np.zeros_like(values) for name, values in weights.items()}
    assert log_likelihood(network, weights, images) > log_likelihood(network, before, images) + 0.5
    assert isinstance(estimate_log_z(network, weights), Estimate)


@pytest.mark.parametrize("spread", [0.3, 1.0])
def test_chains_that_go_back_agree_with_enumeration(spread):
    network, weights = random_machine(spread=spread, seed=4)
    exact = log_partition(network, weights)
    found = estimate_log_z(network, weights, temperatures=1000, chains=200, start=all_states(10))
    assert abs(found.reverse - exact) < 0.15 and abs(found.log_z - exact) < 0.15
    assert found.reverse_effective > 100 and found.trusted
    # The chains that go forward are those of an estimate without the others.
    alone = estimate_log_z(network, weights, temperatures=1000, chains=200)
    assert (alone.log_z, alone.low, alone.reverse) == (found.log_z, found.low, None)


def test_the_two_ways_err_to_different_sides():
    network, weights = random_machine((16, 10), 2.5)
    exact = log_partition(network, weights)
    couplings, biases = full_matrix(network, weights)
    states = all_states(10)
    fields = biases[:16] + states @ couplings[16:, :16]
    log_p = states @ biases[16:] + np.logaddexp(0, fields).sum(axis=1)
    rng = np.random.default_rng(0)
    p = np.exp(log_p - log_p.max())
    hidden = states[rng.choice(len(states), 500, p=p / p.sum())]  # samples of the machine
    field = biases[:16] + hidden @ couplings[16:, :16]
    images = (rng.random(field.shape) < 1 / (1 + np.exp(-field))).astype(float)
    found = [estimate_log_z(network, weights, temperatures=10, chains=10, seed=seed, start=images)
             for seed in range(20)]
    assert np.mean([f.log_z for f in found]) < exact - 0.2
    assert np.mean([f.reverse for f in found]) > exact + 0.2
    assert not all(f.trusted for f in found)


def test_data_that_no_chain_finds_show():
    # Two modes: chains from independent units find one, data are in the other, which is larger.
    network = boltzmann((30, 30))
    weights = {"W1": np.full((30, 30), 0.9), "bv": np.full((1, 30), -13.2),
               "bh1": np.full((1, 30), -13.2)}
    found = estimate_log_z(network, weights, np.full(30, -4.0), 300, 50, start=np.ones((20, 30)))
    assert abs(found.reverse - found.log_z) > 1


def test_an_interval_needs_chains_or_agreement():
    def estimate(effective, reverse):
        return Estimate(-5.0, -6.0, -4.0, 100, 1000, effective, reverse, 50.0)
    assert estimate(30.0, -9.0).trusted and estimate(5.0, -5.9).trusted
    assert not estimate(29.9, -6.1).trusted and not estimate(29.9, None).trusted


def test_a_report_without_trust_has_no_interval(monkeypatch):
    network, weights = random_machine((8, 4), 0.5)
    images = all_states(8)[::3]
    report = likelihood(network, weights, images, images, 200, 50)
    low, high = report["log_likelihood_interval"]
    assert low < report["log_likelihood"] < high and "[" in words(report)
    exact = log_likelihood(network, weights, images)
    assert report["log_likelihood"] == pytest.approx(exact, abs=0.2)
    assert report["log_likelihood_reverse"] == pytest.approx(report["log_likelihood"], abs=0.3)
    monkeypatch.setattr(annealed, "LEAST_EFFECTIVE", 2.0)
    monkeypatch.setattr(annealed, "MOST_APART", 0.0)
    report = likelihood(network, weights, images, images, 200, 50)
    assert report["log_likelihood_interval"] is None
    assert "not to be trusted" in words(report) and "[" not in words(report)
