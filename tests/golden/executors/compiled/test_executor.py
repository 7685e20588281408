"""The compiled executor against the batched one: equal to the bit, for any network and program."""

import numpy as np
import pytest
from compare_executors import compare
from random_programs import FORMATS, images_of, weights_of

from apical.golden.errors import MisuseError
from apical.golden.executors.compiled import executor as module
from apical.golden.executors.compiled.executor import CompiledExecutor
from apical.golden.executors.fixed.executor import FixedExecutor
from apical.golden.network import Matrix, Network, Population, Projection, layered
from apical.golden.numbers.addressed import mix_key
from apical.golden.numbers.formats import STATE, WEIGHT
from apical.golden.program import Program, Project, Update
from apical.golden.program.layered import inference
from apical.golden.systems.equilibrium import learning_rates, training


@pytest.mark.parametrize(("state", "weight", "update_frac"), FORMATS)
@pytest.mark.parametrize("sizes", [(20, 3), (30, 17, 4), (9, 12, 7, 5)])
@pytest.mark.parametrize("options", [{}, {"start": "zero", "settled": 0.05, "steps": 20}])
def test_equilibrium_propagation(sizes, state, weight, update_frac, options):
    rng = np.random.default_rng(len(sizes))
    network = layered(sizes)
    weights = weights_of(network, rng, weight, 0.4)
    program = training(network, **{"steps": 4, "nudge_steps": 2, **options})
    # A quarter of the largest rate that has a multiplier.
    greatest = 32767 * 2.0 ** -(10 + update_frac + weight.frac - state.frac)
    result, learned = compare(network, weights, program, images_of(network, rng, 12, state),
                              state, weight, update_frac,
                              learning_rates(network, greatest / 8), seed=9, first_image=7)
    # With 20 update bits the largest rate is a few last places of a weight.
    assert update_frac == 20 or any((learned[n] != w).any() for n, w in weights.items())
    keys = mix_key(9, np.arange(7, 19))
    assert len(set((keys >> 31).tolist())) == 2
    if "settled" in options and state == STATE:
        assert len(set(result.steps.tolist())) > 1


@pytest.mark.parametrize("settled", [None, 0.02])
def test_inference_of_a_batch(settled):
    rng = np.random.default_rng(3)
    network = layered((40, 25, 10))
    weights = weights_of(network, rng, WEIGHT, 0.5)
    program = inference(network, 30 if settled else 6, settled=settled)
    result, _ = compare(network, weights, program, {"x": images_of(network, rng, 50, STATE)["x"]})
    assert len(set(result.predictions.tolist())) > 1
    assert (len(set(result.steps.tolist())) > 1) == bool(settled)


def test_shifted_biases_in_either_direction():
    network = Network("biases", (Population("y", 5, "hard-tanh"), Population("one", 1, "constant")),
                      (Matrix("row", 1, 5), Matrix("column", 5, 1)),
                      (Projection("a", "one", "y", "row"),
                       Projection("b", "one", "y", "column", True, -1)))
    rng = np.random.default_rng(7)
    program = Program("p", (Project("a", shift=1), Project("b", start="current", shift=3),
                            Update("y", shift=0, leak=False)))
    weights = {"row": rng.integers(-999, 999, (1, 5)), "column": rng.integers(-999, 999, (5, 1))}
    found, _ = compare(network, weights, program, {})
    expected = weights["row"][0] / 2 - weights["column"][:, 0] / 8
    np.testing.assert_array_equal(found.states["y", "state"][0], np.floor(expected + 0.5))


def test_pieces_of_a_run_are_the_run(monkeypatch):
    rng = np.random.default_rng(5)
    network = layered((12, 8, 4))
    weights, inputs = weights_of(network, rng, WEIGHT, 0.4), images_of(network, rng, 11, STATE)
    program, rates = training(network), learning_rates(network, 0.1)
    whole = CompiledExecutor(network, weights)
    expected = whole.run(program, inputs, 3, 100, rates=rates)
    parts = CompiledExecutor(network, weights)
    monkeypatch.setattr(module, "CHUNK", 3)
    found = [parts.run(program, {k: v[a:b] for k, v in inputs.items()}, 3, 100 + a, rates=rates,
                       collect=False) for a, b in ((0, 4), (4, 11))]
    assert np.concatenate([r.signatures for r in found]).tolist() == expected.signatures.tolist()
    assert found[0].states == {}
    for name, values in whole.weights.items():
        np.testing.assert_array_equal(values, parts.weights[name])
    # The weights that one image leaves are those of the next: another order ends elsewhere.
    back = CompiledExecutor(network, weights)
    back.run(program, {k: v[::-1] for k, v in inputs.items()}, 3, 100, rates=rates)
    assert any((whole.weights[name] != back.weights[name]).any() for name in weights)


def test_rates_may_change_between_runs():
    rng = np.random.default_rng(6)
    network = layered((12, 8, 4))
    weights, inputs = weights_of(network, rng, WEIGHT, 0.4), images_of(network, rng, 6, STATE)
    program, fast, slow = (training(network), CompiledExecutor(network, weights),
                           FixedExecutor(network, weights))
    for rate in (0.2, 0.0, 0.05):
        before = fast.weights
        for executor in (fast, slow):
            executor.run(program, inputs, rates=learning_rates(network, rate))
        changed = [(fast.weights[n] != before[n]).any() for n in before]
        assert any(changed) == (rate > 0)
        assert all((fast.weights[n] == slow.weights[n]).all() for n in before)


def test_misuse_is_reported_in_one_line():
    network = layered((4, 3, 2))
    weights = {m.name: np.zeros(m.shape, np.int64) for m in network.matrices}
    executor = CompiledExecutor(network, weights)
    inputs = {"x": np.zeros((1, 4), np.int64), "d": np.zeros((1, 2), np.int64)}
    with pytest.raises(MisuseError, match="records no trace"):
        executor.run(training(network), inputs, record=True)
    with pytest.raises(MisuseError, match="no rate is given"):
        executor.run(training(network), inputs)
    with pytest.raises(MisuseError, match="for which no input"):
        executor.run(inference(network), {})
