"""Operations on states in raw integers, one by one and by hand."""

import numpy as np
import pytest

from apical.golden.errors import MisuseError
from apical.golden.executors.compiled.executor import CompiledExecutor
from apical.golden.executors.fixed.executor import FixedExecutor
from apical.golden.network import Matrix, Network, Population, Projection
from apical.golden.numbers.formats import Format
from apical.golden.program import (
    RATE,
    STATE,
    Clear,
    Difference,
    FlowRate,
    Learn,
    Nudge,
    Outer,
    Program,
    Project,
    Relax,
    Reseed,
    Residual,
    Sample,
    Snapshot,
    Update,
    vectors,
)

F12 = Format(16, 12)


# Single operations by hand.


def machine(rate="binary", size=4, fields=(0.0, 1.0, -1.0, 20.0), matrix="b"):
    network = Network("fields", (Population("x", size, clamped=True), Population("s", size, rate),
                                 Population("one", 1, "constant")),
                      (Matrix(matrix, 1, size),), (Projection("bias", "one", "s", matrix),))
    raw = np.clip(np.floor(np.array([fields]) * 4096 + 0.5), -32768, 32767).astype(np.int64)
    return network, {matrix: raw}


def states_of(ops, rate="binary", images=1, seed=0, **options):
    network, weights = machine(rate, **options)
    program = Program("p", (Project("bias"), *ops))
    inputs = {"x": np.zeros((images, network.population("x").size), np.int64)}
    a = FixedExecutor(network, weights).run(program, inputs, seed)
    b = CompiledExecutor(network, weights).run(program, inputs, seed)
    assert a.signatures.tolist() == b.signatures.tolist()
    return a.states


def test_samples_have_the_probability_of_their_field():
    fields = np.repeat([-3.0, -0.5, 0.0, 1.0, 2.5], 60)
    s = states_of((Sample("s"),), images=400, size=300, fields=fields)["s", STATE]
    assert set(np.unique(s)) == {0, 4096}
    probability = 1 / (1 + np.exp(-fields[::60]))
    share = s.reshape(400, 5, 60).mean(axis=(0, 2)) / 4096
    deviation = np.sqrt(probability * (1 - probability) / 24000)
    assert np.abs((share - probability) / deviation).max() < 4


def test_means_and_thresholds():
    s = states_of((Sample("s", mode="mean"), Snapshot("s", "mean"),
                   Sample("s", mode="threshold")))
    # 8 is beyond the format, which ends a last place below it.
    assert s["s", "mean"][0].tolist() == [2048, 2994, 1102, 4095]
    assert s["s", STATE][0].tolist() == [0, 4096, 0, 4096]


def test_flow_rates_by_hand():
    s = states_of((Sample("s", mode="threshold"), FlowRate("s")), fields=(0.0, 1.0, -2.0, 7.0))
    told = [-0.5 * np.exp(0), 0.5 * np.exp(-0.5), -0.5 * np.exp(-1), 0.5 * np.exp(-3.5)]
    assert np.abs(s["s", "flow"][0] / 4096 - told).max() < 2 ** -11


def test_a_residual_by_hand():
    ops = (Update("s", shift=0, leak=False), Residual("s", share=1))
    s = states_of(ops, "hard-tanh", fields=(0.25, -0.5, 0.0001, -3.0))
    # u / 2 - A, with u = clip(A); 0.0001 is no last place: A is 0.
    assert s["s", "error"][0].tolist() == [-512, 1024, 0, 3 * 4096 - 2048]


def test_noise_has_its_deviation_and_twin_runs_share_it():
    size = 500
    noisy = Update("s", noise=0.05, shift=1)
    ops = (Clear("s"), Reseed(3), noisy, Snapshot("s", "first"), Clear("s"), Reseed(3), noisy,
           Snapshot("s", "twin"), Clear("s"), noisy)
    s = states_of(ops, "hard-tanh", images=40, size=size, fields=np.zeros(size))
    np.testing.assert_array_equal(s["s", "first"], s["s", "twin"])
    assert abs(np.corrcoef(s["s", "first"].ravel(), s["s", STATE].ravel())[0, 1]) < 0.03
    deviation = s["s", "first"].std() / 4096
    assert abs(deviation / 0.05 - 1) < 0.02 and abs(s["s", "first"].mean()) < 8


def test_rates_of_logistic_populations_follow_their_state():
    ops = (Clear("s"), Update("s", shift=0, leak=False), Snapshot("s", "rate_then", RATE),
           Difference("s", STATE, STATE, RATE))
    network, weights = machine("logistic", fields=(0.0, 1.0, -1.0, 3.0))
    program = Program("p", (Project("bias"), *ops))
    assert vectors(network, program)[-1] == ("s", RATE)
    result = FixedExecutor(network, weights).run(program, {}, record=True)
    trace = result.trace.image(0)
    assert [e.vector[1] for e in trace.entries] == [
        STATE, RATE, STATE, RATE, "rate_then", STATE, RATE]
    assert result.writes[0] == 28 and result.operations[0] == 7
    rates = [2048, 2994, 1102, 3902]
    assert result.states["s", "rate_then"][0].tolist() == rates
    assert trace.values[:8].tolist() == [0] * 4 + [2048] * 4
    assert result.states["s", STATE][0].tolist() == [
        u - r for u, r in zip((0, 4096, -4096, 12288), rates)]


def test_the_gate_multiplies_by_the_slope():
    # From u = 0 (slope 1/4), a whole step leaves a quarter of the current.
    ops = (Clear("s"), Update("s", shift=0))
    s = states_of(ops, "logistic", fields=(0.0, 1.0, -1.0, 3.0))
    assert s["s", STATE][0].tolist() == [0, 1024, -1024, 3072]
    free = states_of((Clear("s"), Update("s", shift=0, gate=False)), "logistic",
                     fields=(0.0, 1.0, -1.0, 3.0))
    assert free["s", STATE][0].tolist() == [0, 4096, -4096, 12288]


def test_a_held_current_comes_off():
    ops = (Clear("s"), Update("s", shift=0, leak=False, slot="held"), Update("s", shift=0,
                                                                             held="held"))
    s = states_of(ops, "hard-tanh", fields=(0.0, 0.3, -1.0, 3.0))
    assert s["s", "held"][0].tolist() == [0, 1229, -4096, 12288]
    assert s["s", STATE][0].tolist() == [0, 0, 0, 0]


# Refusals.


def refused(ops, match, rate="binary", state=F12, weight=F12):
    network, weights = machine(rate)
    weights = {"b": weights["b"] % 100}
    inputs = {"x": np.zeros((1, 4), np.int64)}
    for kind in (FixedExecutor, CompiledExecutor):
        with pytest.raises(MisuseError, match=match) as error:
            kind(network, weights, state, weight).run(
                Program("p", (Project("bias"), *ops)), inputs, rates={"b": 0.1})
        assert "\n" not in str(error.value)


def test_what_raw_integers_cannot_do_is_reported_in_one_line():
    refused((Update("s", held="c", nudge=Nudge("x")),),
            r"^Update s: a held current and a nudge need two operands, an update has one")
    refused((Clear("s"), Update("s", slot="c")), r"Update s\.c: the gate of slot 'c' needs the",
            "logistic")
    refused((Update("s", nudge=Nudge("x", 9)),), r"nudge shift 9 is more than the 8 fraction bits",
            weight=Format(16, 8))
    refused((Residual("s", share=3),), r"share 3 is more than the 2 fraction bits of the weights",
            weight=Format(16, 2))
    refused((Update("s", noise=2.0),), r"noise 2 needs the multiplier 56756, the largest is 32767 "
                                       r"\(noise 1\.15\); use less noise or fewer")
    refused((Sample("s"),), r"^Sample s: tables need states of at most 14 fraction bits, s16\.15",
            state=Format(16, 15))
    refused((FlowRate("s"),), r"flow rates have both signs, states u16\.12 have none",
            state=Format(16, 12, False))
    refused((Snapshot("s", "kept", RATE),), r"the rate of 's' is read before its state is written",
            "logistic")
    refused((Relax(0, (Clear("s"),)), Difference("s", "a", RATE, STATE)),
            r"Difference s\.a: the rate of 's' is read before", "logistic")
    refused((Update("s", nudge=Nudge("x", of_rate=True)),), r"Update s: the rate of 's' is read",
            "logistic")
    refused((Learn("b", (Outer(("one", RATE), ("s", RATE)),)),), r"Learn b: the rate of 's' is",
            "logistic")
    refused((Relax(3, (Sample("s"),), 0.1),), r"noise never settles; give a fixed number of steps")


def test_rates_of_clamped_logistic_populations_are_refused():
    network = Network("n", (Population("x", 2, "logistic", clamped=True), Population("y", 2)),
                      (Matrix("w", 2, 2),), (Projection("p", "x", "y", "w"),))
    executor = FixedExecutor(network, {"w": np.ones((2, 2), np.int64)})
    with pytest.raises(MisuseError, match="'x' is clamped and logistic, its rate is not stored"):
        executor.run(Program("p", (Project("p"),)), {"x": np.zeros((1, 2), np.int64)})


def test_vectors_and_matrices_have_numbers():
    many = tuple(Snapshot("s", f"copy{i}") for i in range(126))
    refused(many, "has 129 vectors, at most 128 can be numbered")
    matrices = tuple(Matrix(f"m{i}", 1, 1) for i in range(128))
    network = Network("n", (Population("x", 1, clamped=True), Population("y", 1)), matrices,
                      (Projection("p", "x", "y", "m0"),))
    executor = FixedExecutor(network, {m.name: np.zeros((1, 1), np.int64) for m in matrices})
    with pytest.raises(MisuseError, match="has 128 matrices, at most 127 can be numbered"):
        executor.run(Program("p", (Project("p"),)), {"x": np.zeros((1, 1), np.int64)})
