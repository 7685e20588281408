"""Repairs of corrupted images, and the evidence they rest on."""

import numpy as np
import pytest

from apical.golden.errors import MisuseError
from apical.golden.executors.float.executor import FloatExecutor
from apical.golden.learning.data import load
from apical.golden.learning.fixed import train_fixed
from apical.golden.learning.sampling import mend, reconstruct
from apical.golden.network.boltzmann import (
    binarize,
    boltzmann,
    corrupt,
    full_matrix,
    hidden,
    join,
    split,
    visible,
)
from apical.golden.numbers.formats import WEIGHT, Format, dequantize
from apical.golden.systems import machine_programs, repair
from apical.golden.systems.registry import trainer


def random_machine(sizes, colours=None, seed=1):
    network = boltzmann(sizes, colours)
    rng = np.random.default_rng(seed)
    return network, {m.name: rng.normal(0, 0.7, m.shape) for m in network.matrices}


@pytest.mark.parametrize(("sizes", "colours"), [((6, 4), None), ((6, 4), (2, 1)),
                                                ((5, 4, 3), (1, 2, 1))])
@pytest.mark.parametrize("count", [1, 3])
def test_the_sweeps_are_those_of_the_formula(sizes, colours, count):
    """Against mean-field sweeps written from the whole matrix."""
    network, weights = random_machine(sizes, colours)
    images = np.random.default_rng(2).integers(0, 2, (7, sizes[0])).astype(float)
    W, b = full_matrix(network, weights)
    names = [v for _, v in visible(network)] + hidden(network)
    groups = np.split(np.arange(len(b)),
                      np.cumsum([network.population(n).size for n in names])[:-1])
    seen, s = sizes[0], np.zeros((7, len(b)))
    s[:, :seen] = images
    evidence = np.zeros_like(s)
    evidence[:, :seen] = (2 * images - 1) * np.log(0.8 / 0.2)

    def mean(field):
        return 1 / (1 + np.exp(-field))

    inner = [g for g, n in zip(groups, names, strict=True) if n[0] == "h"]
    outer = [g for g, n in zip(groups, names, strict=True) if n[0] == "v"]
    for group in inner:
        s[:, group] = mean(np.tile(b[group], (7, 1)))
    for _ in range(4):
        for group in [*inner, *outer]:
            s[:, group] = mean(s @ W[group].T + b[group] + evidence[:, group])
    whole = repair.evidence_network(network)
    executor = FloatExecutor(whole, {**weights, **repair.evidence_weights(network, 0.2, count)},
                             np.float64)
    found = executor.run(repair.repair(whole, count, 4), split(network, images))
    assert np.allclose(join(network, found.states), s[:, :seen])


def test_a_machine_leaves_half_of_the_wrong_pixels():
    """At the settings of docs/first-board.md; one pass without evidence leaves more."""
    system, data = trainer("flow"), load("digits")
    network, weight = system.network((64, 64)), Format(16, 14)
    config = system.config("fixed", "digits", (64, 64), weight=weight, rate=0.06, decay=0.5,
                           epochs=3)
    weights = {name: dequantize(raw, weight)
               for name, raw in train_fixed(network, data, config).weights.items()}
    intact = binarize(data.test)
    for share in (0.2, 0.3):
        corrupted = corrupt(intact, share, 1000)
        before, after, plain = (float(np.mean((x > 0.5) != intact)) for x in (
            corrupted, mend(network, weights, corrupted, share),
            reconstruct(network, weights, corrupted)))
        assert after < 0.5 * before < plain


@pytest.mark.parametrize(("share", "weight", "count"), [
    (0.2, Format(16, 14), 2), (0.2, WEIGHT, 1), (0.01, Format(16, 14), 5), (0.45, WEIGHT, 1)])
def test_the_evidence_is_inside_the_format(share, weight, count):
    network = boltzmann((5, 3))
    assert repair.parts(share, weight) == count
    for values in repair.evidence_weights(network, share, count).values():
        assert np.abs(values).max() <= weight.max / weight.one


@pytest.mark.parametrize("share", [0, 0.5, -1, 2, float("nan")])
def test_a_share_that_leaves_nothing_to_believe_is_refused(share):
    with pytest.raises(MisuseError, match="^the share of flipped pixels is .*; it must be above 0"):
        repair.parts(share, WEIGHT)


def test_sweeps_are_one_at_least():
    with pytest.raises(MisuseError, match="^sweeps is 0; a repair needs one at least"):
        repair.repair(repair.evidence_network(boltzmann((5, 3))), 1, 0)


def test_a_chain_can_begin_at_the_image():
    """The same chain as from states."""
    network, weights = random_machine((6, 4))
    images = np.random.default_rng(2).integers(0, 2, (5, 6)).astype(float)
    executor = FloatExecutor(network, weights)
    one = executor.run(machine_programs.gibbs(network, 3), {}, {"v": images}, seed=4)
    other = executor.run(machine_programs.gibbs(network, 3, from_image=True), {"x": images},
                         seed=4)
    drawn = ("v", machine_programs.DRAWN)
    assert (one.states[drawn] == other.states[drawn]).all()
    assert np.ptp(one.states[drawn]) == 1
