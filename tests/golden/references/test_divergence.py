"""CD-k and PCD in plain NumPy, and the programs of CD-k beside them."""

import numpy as np
import pytest

from apical.golden.errors import MisuseError
from apical.golden.executors.float.executor import FloatExecutor
from apical.golden.learning.flow import FlowConfig, epochs
from apical.golden.learning.sampling import sample
from apical.golden.network.boltzmann import boltzmann, split
from apical.golden.program import Relax, Sample, walk
from apical.golden.references.boltzmann import log_likelihood
from apical.golden.references.divergence import contrastive
from apical.golden.systems.contrastive_divergence import contrastive_divergence


@pytest.fixture(scope="module")
def taught():
    """A machine, images drawn from a teacher, and how likely they are under it."""
    network, rng = boltzmann((6, 3)), np.random.default_rng(8)
    truth = {m.name: rng.normal(0, 0.9, m.shape) for m in network.matrices}
    images = sample(network, truth, 1000, 20).images
    first = {m.name: np.random.default_rng(0).normal(0, 0.1, m.shape) for m in network.matrices}
    return network, images, first, log_likelihood(network, truth, images)


@pytest.mark.parametrize(("steps", "persistent"), [(1, False), (10, False), (1, True)])
def test_the_references_learn(taught, steps, persistent):
    network, images, first, limit = taught
    before = log_likelihood(network, first, images)
    *_, weights = contrastive(images, first, 10, 50, 0.3, 0.9, steps, persistent)
    gained = log_likelihood(network, weights, images) - before
    assert 0.7 * (limit - before) < gained
    *_, again = contrastive(images, first, 10, 50, 0.3, 0.9, steps, persistent)
    np.testing.assert_array_equal(weights["W1"], again["W1"])


@pytest.mark.parametrize(("rule", "steps"), [("cd", 1), ("cd-10", 10)])
def test_programs_end_where_the_references_do(taught, rule, steps):
    network, images, first, limit = taught
    *_, executor = epochs(network, images, FlowConfig(rule, epochs=10, batch=50, rate=0.3,
                                                           decay=0.9))
    *_, weights = contrastive(images, first, 10, 50, 0.3, 0.9, steps)
    assert abs(log_likelihood(network, executor.weights, images)
               - log_likelihood(network, weights, images)) < 0.03


def test_the_program_of_cd_10_draws_ten_times():
    network = boltzmann((5, 4))
    ops = contrastive_divergence(network, 10).ops
    loop, = (op for op in ops if isinstance(op, Relax))
    assert loop.steps == 9 and sum(isinstance(op, Sample) for op in walk(loop.body)) == 2
    assert not any(isinstance(op, Relax) for op in contrastive_divergence(network).ops)
    # One long chain forgets the image: the changes of all images are alike on average.
    weights = {m.name: np.zeros(m.shape) for m in network.matrices}
    executor = FloatExecutor(network, weights, np.float64)
    images = np.repeat(np.eye(5)[:1], 4000, axis=0)
    executor.run(contrastive_divergence(network, 10), split(network, images),
                 rates=dict.fromkeys(weights, 1.0))
    np.testing.assert_allclose(executor.weights["bv"][0], images[0] - 0.5, atol=0.05)


def test_misuse():
    with pytest.raises(MisuseError, match="steps is 0; contrastive divergence needs 1"):
        next(contrastive(np.zeros((2, 3)), {}, 1, steps=0))
    with pytest.raises(MisuseError, match="steps is 0; contrastive divergence needs 1"):
        contrastive_divergence(boltzmann((3, 2)), 0)
