"""The compiled road against the NumPy road: equal to the bit, whatever the network and program."""

import numpy as np
import pytest

from apical.golden import online
from apical.golden.equilibrium import learning_rates, training
from apical.golden.errors import MisuseError
from apical.golden.fixed import FixedExecutor
from apical.golden.formats import STATE, WEIGHT, Format
from apical.golden.layered import inference
from apical.golden.mix import mix_key
from apical.golden.network import Matrix, Network, Population, Projection, layered
from apical.golden.online import OnlineExecutor
from apical.golden.program import (
    RATE,
    Clear,
    Decide,
    Difference,
    Learn,
    Nudge,
    Outer,
    Program,
    Project,
    Relax,
    Reseed,
    Snapshot,
    Update,
    walk,
)

FORMATS = [(STATE, WEIGHT, 6), (STATE, Format(16, 14), 4), (Format(10, 8), Format(8, 6), 8),
           (Format(8, 6), Format(8, 7), 1), (STATE, Format(8, 6), 20), (Format(12, 9), WEIGHT, 0)]
COUNTS = ("steps", "operations", "writes", "saturations", "signatures")


def compare(network, weights, program, inputs, state=STATE, weight=WEIGHT, update_frac=6,
            rates=None, seed=0, first_image=0):
    """Run both roads, assert that they agree; returns (result, final weights) of the NumPy road."""
    slow = FixedExecutor(network, weights, state, weight, update_frac)
    fast = OnlineExecutor(network, weights, state, weight, update_frac)
    a = slow.run(program, inputs, seed, first_image, rates=rates)
    b = fast.run(program, inputs, seed, first_image, rates=rates)
    for name in COUNTS:
        np.testing.assert_array_equal(getattr(a, name), getattr(b, name), name)
    assert (a.predictions is None) == (b.predictions is None)
    if a.predictions is not None:
        np.testing.assert_array_equal(a.predictions, b.predictions)
    assert a.states.keys() == b.states.keys()
    for key, values in a.states.items():
        np.testing.assert_array_equal(values, b.states[key], str(key))
    for name, values in slow.weights.items():
        np.testing.assert_array_equal(values, fast.weights[name], name)
    return a, slow.weights


def images_for(network, rng, images, state):
    """Raw inputs of all clamped populations, half of them 0, some at the ends of their range."""
    inputs = {}
    for population in network.clamped:
        low = -state.one if population.limits[0] < 0 else 0
        values = rng.integers(low, state.one + 1, (images, population.size))
        values = np.where(rng.random(values.shape) < 0.5, values, 0)
        inputs[population.name] = np.where(rng.random(values.shape) < 0.1, state.one, values)
    return inputs


def weights_for(network, rng, weight, scale):
    most = int(min(weight.max, scale * 2 ** weight.frac))
    return {m.name: rng.integers(-most - (most == weight.max), most + 1, m.shape)
            for m in network.matrices}


@pytest.mark.parametrize(("state", "weight", "update_frac"), FORMATS)
@pytest.mark.parametrize("sizes", [(20, 3), (30, 17, 4), (9, 12, 7, 5)])
@pytest.mark.parametrize("options", [{}, {"start": "zero", "settled": 0.05, "steps": 20}])
def test_equilibrium_propagation(sizes, state, weight, update_frac, options):
    rng = np.random.default_rng(len(sizes))
    network = layered(sizes)
    weights = weights_for(network, rng, weight, 0.4)
    program = training(network, **{"steps": 4, "nudge_steps": 2, **options})
    # A quarter of the greatest rate that has a multiplier.
    greatest = 32767 * 2.0 ** -(10 + update_frac + weight.frac - state.frac)
    result, learned = compare(network, weights, program, images_for(network, rng, 12, state),
                              state, weight, update_frac,
                              learning_rates(network, greatest / 8), seed=9, first_image=7)
    # With 20 update bits the greatest rate is a few last places of a weight.
    assert update_frac == 20 or any((learned[n] != w).any() for n, w in weights.items())
    keys = mix_key(9, np.arange(7, 19))
    assert len(set((keys >> 31).tolist())) == 2
    if "settled" in options and state == STATE:
        assert len(set(result.steps.tolist())) > 1


@pytest.mark.parametrize("settled", [None, 0.02])
def test_inference_of_a_batch(settled):
    rng = np.random.default_rng(3)
    network = layered((40, 25, 10))
    weights = weights_for(network, rng, WEIGHT, 0.5)
    program = inference(network, 30 if settled else 6, settled=settled)
    result, _ = compare(network, weights, program, {"x": images_for(network, rng, 50, STATE)["x"]})
    assert len(set(result.predictions.tolist())) > 1
    assert (len(set(result.steps.tolist())) > 1) == bool(settled)


def random_network(rng):
    """Two to five populations, lateral, tied and negative projections."""
    rates = ("hard-sigmoid", "hard-tanh")
    size = lambda: int(rng.integers(1, 14))  # noqa: E731
    last = size()
    populations = [Population("x", size(), rates[rng.integers(2)], clamped=True)]
    populations += [Population(f"h{k}", size(), rates[rng.integers(2)])
                    for k in range(rng.integers(0, 3))]
    populations += [Population("y", last, rates[rng.integers(2)]),
                    Population("d", last, rates[rng.integers(2)], clamped=True),
                    Population("one", 1, "constant")]
    matrices, projections = [], []
    for source in populations:
        for target in populations:
            if target.fixed_rate or source.name == "d" or rng.random() < 0.3:
                continue
            name = f"{source.name}-{target.name}"
            matrices.append(Matrix(name, source.size, target.size))
            sign = int(rng.choice([1, 1, -1]))
            projections.append(Projection(name, source.name, target.name, name, sign=sign))
            if not source.fixed_rate and rng.random() < 0.5:
                projections.append(Projection(f"{name}-back", target.name, source.name, name,
                                              True, int(rng.choice([1, -1]))))
    if not projections:
        matrices.append(Matrix("m", populations[0].size, last))
        projections.append(Projection("p", "x", "y", "m"))
    return Network("random", tuple(populations), tuple(matrices), tuple(projections))


def random_program(rng, network):
    """Drive, loops of updates, copies, differences, weight updates in and after loops."""
    def project(into):
        ops, targets = [], set()
        for p in network.projections:
            shift = int(rng.integers(0, 4)) if p.source == "one" else 0
            ops.append(Project(p.name, into, into if p.target in targets else None, shift))
            targets.add(p.target)
        return ops, targets

    def updates(targets):
        for name in sorted(targets):
            size = network.population(name).size
            nudge = None
            if rng.random() < 0.4 and size == network.population("d").size:
                nudge = Nudge("d", int(rng.integers(0, 5)), int(rng.choice([1, -1])),
                              bool(rng.integers(2)))
            yield Update(name, "current", int(rng.integers(-1, 7)), bool(rng.integers(4)),
                         nudge=nudge)

    def factor_slot(name):
        slots = ["state", RATE]
        if not network.population(name).fixed_rate:
            slots += ["kept", "delta"]
        return str(rng.choice(slots))

    def learning():
        for p in network.projections:
            if rng.random() < 0.5:
                pair = (p.target, p.source) if p.transpose else (p.source, p.target)
                factors = [(name, factor_slot(name)) for name in pair * int(rng.integers(1, 4))]
                terms = tuple(Outer(a, b, int(rng.choice([1, -1])))
                              for a, b in zip(factors[::2], factors[1::2]))
                yield Learn(p.matrix, terms, bool(rng.integers(2)))

    free = [p.name for p in network.free]
    first, targets = project("current")
    inner, _ = project("current")
    settled = None if rng.random() < 0.5 else float(rng.choice([0.0, 0.01, 0.1]))
    body = [*inner, *updates(targets), *(learning() if rng.random() < 0.3 else ())]
    if rng.random() < 0.3:
        body.append(Relax(2, tuple(updates(targets))))
    ops = [*first, *updates(targets), *(Snapshot(n, "kept") for n in free),
           Relax(int(rng.integers(0, 6)), tuple(body), settled),
           *(Difference(n, "delta", "state", "kept") for n in free),
           Difference("y", "error", ("d", "state"), "state"), *learning(),
           Clear(free[0], "kept"), Clear(free[-1]), Decide("y"), *updates(targets)]
    return Program("random", tuple(ops))


@pytest.mark.parametrize("seed", range(60))
def test_random_networks_and_programs(seed):
    rng = np.random.default_rng(seed)
    network = random_network(rng)
    program = random_program(rng, network)
    state, weight, update_frac = FORMATS[seed % len(FORMATS)]
    scale = float(rng.choice([0.1, 0.5, 100.0]))
    greatest = 32767 * 2.0 ** -(10 + update_frac + weight.frac - state.frac)
    rates = {m.name: greatest * rng.random() ** 2 for m in network.matrices}
    inputs = images_for(network, rng, 5, state)
    if seed % 10 == 0:
        inputs = {name: np.zeros_like(values) for name, values in inputs.items()}
    compare(network, weights_for(network, rng, weight, scale), program, inputs, state, weight,
            update_frac, rates, seed=int(rng.integers(2 ** 32)),
            first_image=int(rng.integers(2 ** 20)))


def test_random_programs_cover_every_operation():
    seen, learned = set(), 0
    for seed in range(60):
        rng = np.random.default_rng(seed)
        program = random_program(rng, random_network(rng))
        seen |= {type(op) for op in walk(program.ops)}
        learned += sum(isinstance(op, Learn) for op in walk(program.ops))
    assert seen == set(online.Table._EMITTERS) and learned > 60


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
    weights, inputs = weights_for(network, rng, WEIGHT, 0.4), images_for(network, rng, 11, STATE)
    program, rates = training(network), learning_rates(network, 0.1)
    whole = OnlineExecutor(network, weights)
    expected = whole.run(program, inputs, 3, 100, rates=rates)
    parts = OnlineExecutor(network, weights)
    monkeypatch.setattr(online, "CHUNK", 3)
    found = [parts.run(program, {k: v[a:b] for k, v in inputs.items()}, 3, 100 + a, rates=rates,
                       collect=False) for a, b in ((0, 4), (4, 11))]
    assert np.concatenate([r.signatures for r in found]).tolist() == expected.signatures.tolist()
    assert found[0].states == {}
    for name, values in whole.weights.items():
        np.testing.assert_array_equal(values, parts.weights[name])
    # The weights that one image leaves are those of the next: another order ends elsewhere.
    back = OnlineExecutor(network, weights)
    back.run(program, {k: v[::-1] for k, v in inputs.items()}, 3, 100, rates=rates)
    assert any((whole.weights[name] != back.weights[name]).any() for name in weights)


def test_rates_may_change_between_runs():
    rng = np.random.default_rng(6)
    network = layered((12, 8, 4))
    weights, inputs = weights_for(network, rng, WEIGHT, 0.4), images_for(network, rng, 6, STATE)
    program, fast, slow = (training(network), OnlineExecutor(network, weights),
                           FixedExecutor(network, weights))
    for rate in (0.2, 0.0, 0.05):
        before = fast.weights
        for executor in (fast, slow):
            executor.run(program, inputs, rates=learning_rates(network, rate))
        changed = [(fast.weights[n] != before[n]).any() for n in before]
        assert any(changed) == (rate > 0)
        assert all((fast.weights[n] == slow.weights[n]).all() for n in before)


def test_misuse_is_told_in_one_line():
    network = layered((4, 3, 2))
    weights = {m.name: np.zeros(m.shape, np.int64) for m in network.matrices}
    executor = OnlineExecutor(network, weights)
    inputs = {"x": np.zeros((1, 4), np.int64), "d": np.zeros((1, 2), np.int64)}
    with pytest.raises(MisuseError, match="records no trace"):
        executor.run(training(network), inputs, record=True)
    with pytest.raises(MisuseError, match="no rate is given"):
        executor.run(training(network), inputs)
    with pytest.raises(MisuseError, match="no operation Reseed"):
        executor.run(Program("p", (Reseed(0),)), inputs)
    with pytest.raises(MisuseError, match="for which no input"):
        executor.run(inference(network), {})


def test_constants_of_compiled_code_are_checked(monkeypatch):
    network = layered((4, 2))
    weights = {m.name: np.zeros(m.shape, np.int64) for m in network.matrices}
    monkeypatch.setattr(online.mix, "CROSS_ROTATIONS", ((9, 7, 3), 3, (5, 11, 1)))
    with pytest.raises(AssertionError, match="other constants"):
        OnlineExecutor(network, weights).run(inference(network), {"x": np.zeros((1, 4), np.int64)})
