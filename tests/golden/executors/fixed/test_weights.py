"""Learning in raw integers: against a slow reference, single updates, misuse."""

import mixing_reference as mixing
import numpy as np
import pytest

from apical.golden.errors import MisuseError
from apical.golden.executors.arithmetic import beta_sign
from apical.golden.executors.fixed.executor import FixedExecutor
from apical.golden.executors.fixed.weights import greatest_rate, rate_multiplier
from apical.golden.network import Matrix, Network, Population, layered
from apical.golden.numbers.addressed import mix_key
from apical.golden.numbers.formats import STATE, WEIGHT, Format
from apical.golden.program import Learn, Outer, Program, Relax, vectors
from apical.golden.systems.equilibrium import learning_rates, training


def round_half_up(value, shift):
    return (2 * value + 2 ** shift) // 2 ** (shift + 1)


def clip(value, low, high):
    return min(max(value, low), high)


class Reference:
    """One training image of equilibrium propagation in plain Python integers.

    Written from the equations and the definition of `Learn`, for layered networks; the mixing
    functions are those of `mixing_reference`, the keys those of the package.
    """

    def __init__(self, sizes, weights, state, weight, update_frac, multipliers):
        self.sizes, self.state, self.weight = sizes, state, weight
        self.drop, self.multipliers = state.frac + update_frac, multipliers
        self.depth = len(sizes) - 1
        self.w = [None] + [weights[f"W{k}"].tolist() for k in range(1, self.depth + 1)]
        self.b = [None] + [weights[f"b{k}"].tolist()[0] for k in range(1, self.depth + 1)]
        self.names = ["x", *(f"h{k}" for k in range(1, self.depth)), "y"]
        free = self.names[1:]
        order = [*((n, "state") for n in [*self.names, "d", "one"]),
                 *((n, "free") for n in free), *((n, "delta") for n in free)]
        order += [(n, "scaled0") for n in free[:1]]
        for n in free[1:]:
            order += [(n, "scaled0"), (n, "scaled1")]
        self.number = {vector: i for i, vector in enumerate(order)}
        self.count = self.writes = self.saturated = self.signature = 0
        self.weight_writes = []

    def written(self, name, slot, values, low, high):
        key = mix_key(self.key, self.count * 256 + self.number[name, slot])
        self.count += 1
        kept = [clip(v, low, high) for v in values]
        self.saturated += sum(a != b for a, b in zip(kept, values))
        self.writes += len(kept)
        for unit, value in enumerate(kept):
            self.signature = (self.signature + mixing.element(key, unit, value)) % 2 ** 32
        return kept

    def image(self, pixels, target, key, steps, nudge_steps, beta_shift):
        self.key, one = key, 2 ** self.state.frac
        self.sign = -1 if key >> 31 else 1
        fw = self.weight.frac
        u = [list(pixels)] + [[0] * n for n in self.sizes[1:]]
        up = lambda k, r: [sum(r[i] * self.w[k][i][j] for i in range(self.sizes[k - 1]))  # noqa: E731
                           for j in range(self.sizes[k])]
        down = lambda k, r: [sum(r[j] * self.w[k][i][j] for j in range(self.sizes[k]))  # noqa: E731
                             for i in range(self.sizes[k - 1])]
        # Sweep: gain 2 for hidden layers with the bias halved, then doubled with the current.
        for k in range(1, self.depth + 1):
            hidden = k < self.depth
            total = [a + (one // 2 if hidden else one) * b
                     for a, b in zip(up(k, u[k - 1]), self.b[k])]
            u[k] = self.written(self.names[k], "state",
                                [round_half_up(a, fw - hidden) for a in total], 0, one)
        free = None
        for step in range(steps + nudge_steps):
            if step == steps:
                free = [u[0]] + [self.written(self.names[k], "free", u[k], *self.range)
                                 for k in range(1, self.depth + 1)]
            currents = []
            for k in range(1, self.depth + 1):
                current = [a + one * b for a, b in zip(up(k, u[k - 1]), self.b[k])]
                if k < self.depth:
                    current = [a + b for a, b in zip(current, down(k + 1, u[k + 1]))]
                force = [a - v * 2 ** fw for a, v in zip(current, u[k])]
                if k == self.depth and step >= steps:
                    force = [f + self.sign * (t - v) * 2 ** (fw - beta_shift)
                             for f, t, v in zip(force, target, u[k])]
                currents.append(force)
            u = [u[0]] + [self.written(self.names[k], "state", [
                v + round_half_up(f, fw + 1) for v, f in zip(u[k], currents[k - 1])], 0, one)
                for k in range(1, self.depth + 1)]
        delta = [None] + [self.written(self.names[k], "delta", [
            a - b for a, b in zip(u[k], free[k])], *self.range) for k in range(1, self.depth + 1)]
        for k in range(1, self.depth + 1):
            if k == 1:
                self.learn(0, "W1", self.w[1], [(u[0], delta[1], 1)], self.names[1])
            else:
                self.learn(2 * k - 2, f"W{k}", self.w[k],
                           [(u[k - 1], u[k], 1), (free[k - 1], free[k], -1)], self.names[k])
            rows = [self.b[k]]
            self.learn(2 * k - 1, f"b{k}", rows, [([one], delta[k], 1)], self.names[k])
            self.b[k] = rows[0]
        return u

    @property
    def range(self):
        return -2 ** (self.state.width - 1), 2 ** (self.state.width - 1) - 1

    def learn(self, matrix, name, weights, terms, cols):
        m = self.sign * self.multipliers[name]
        scaled = [self.written(cols, f"scaled{t}", [round_half_up(m * v, 10) for v in values],
                               *self.range) for t, (_, values, _) in enumerate(terms)]
        key = mix_key(self.key, self.count * 256 + 128 + matrix)
        self.count += 1
        top = 2 ** (self.weight.width - 1)
        for i, row in enumerate(weights):
            for j, old in enumerate(row):
                total = sum(s * r[i] * v[j] for (r, _, s), v in zip(terms, scaled))
                if not any(r[i] and v[j] for (r, _, _), v in zip(terms, scaled)):
                    continue
                x, y = mixing.weight(key, i, j)
                r = mixing.addend(y, self.drop)
                wanted = old + (total + r) // 2 ** self.drop
                row[j] = clip(wanted, -top, top - 1)
                self.saturated += row[j] != wanted
                self.writes += 1
                self.signature = (self.signature + mixing.written(x, y, row[j])) % 2 ** 32
                self.weight_writes.append((name, i, j, row[j]))


def random_case(sizes, seed, weight, scale=1.0):
    rng = np.random.default_rng(seed)
    network = layered(sizes)
    most = int(min(weight.max, scale * 2 ** weight.frac))
    weights = {m.name: rng.integers(-most - 1, most + 1, m.shape) for m in network.matrices}
    return network, weights, rng


@pytest.mark.parametrize(("sizes", "state", "weight", "update_frac", "rate", "scale"), [
    ((6, 5, 3), STATE, WEIGHT, 6, 0.1, 0.7),
    ((7, 4, 5, 3), STATE, Format(16, 14), 6, 0.01, 0.9),
    ((6, 3), Format(10, 8), Format(8, 6), 8, 0.2, 1.0),
    ((5, 6, 4), STATE, Format(8, 6), 12, 0.1, 1.0),
    # Rates so great that factors and weights saturate.
    ((6, 5, 3), STATE, WEIGHT, 6, 0.24, 2.0),
    ((5, 3, 3), STATE, Format(8, 7), 10, 0.45, 1.0),
])
@pytest.mark.parametrize("seed", [0, 1])
def test_training_images_match_the_reference(sizes, state, weight, update_frac, rate, scale, seed):
    network, weights, rng = random_case(sizes, seed, weight, scale)
    program = training(network, steps=3, nudge_steps=2)
    rates = learning_rates(network, rate)
    images = 6
    x = rng.integers(0, state.one + 1, (images, sizes[0])) * (rng.random((images, sizes[0])) < 0.7)
    d = state.one * np.eye(sizes[-1], dtype=np.int64)[rng.integers(0, sizes[-1], images)]
    executor = FixedExecutor(network, weights, state, weight, update_frac)
    found = executor.run(program, {"x": x, "d": d}, seed=seed, first_image=40, record=True,
                         rates=rates)
    slow = Reference(sizes, weights, state, weight, update_frac, {
        name: rate_multiplier(r, state, weight, update_frac) for name, r in rates.items()})
    signs, saturated, written = set(), 0, 0
    for image in range(images):
        slow.count = slow.writes = slow.saturated = slow.signature = 0
        slow.weight_writes = []
        u = slow.image(x[image].tolist(), d[image].tolist(), mix_key(seed, 40 + image),
                       3, 2, 1)
        signs.add(slow.sign)
        saturated += slow.saturated
        got = found.operations[image], found.writes[image], found.saturations[image]
        assert got == (slow.count, slow.writes, slow.saturated)
        assert found.signatures[image] == slow.signature
        traced = [(e.matrix, i, j, v) for e in found.trace.image(image).weights
                  for i, j, v in zip(e.rows.tolist(), e.cols.tolist(), e.values.tolist())]
        assert traced == slow.weight_writes
        written += len(traced)
        for name, values in zip(slow.names, u):
            assert found.states[name, "state"][image].tolist() == values
    assert signs == {1, -1} or seed  # both signs of beta in one case at least
    assert saturated or scale < 2
    assert written
    final = executor.weights
    for k in range(1, slow.depth + 1):
        assert final[f"W{k}"].tolist() == slow.w[k]
        assert final[f"b{k}"].tolist() == [slow.b[k]]


# Single updates.


def outer_network(rows, cols):
    network = Network("outer", (Population("x", rows, "hard-tanh", clamped=True),
                                Population("d", cols, "hard-tanh", clamped=True)),
                      (Matrix("m", rows, cols),), ())
    term = Outer(("x", "state"), ("d", "state"))
    return network, Program("outer", (Learn("m", (term,)),))


def test_stochastic_rounding_is_right_in_the_mean():
    network, program = outer_network(64, 64)
    start = {"m": np.zeros((64, 64), np.int64)}
    x = np.full((1, 64), 4096)
    # v = 5 keeps 5/64 of a last place.
    d = np.where(np.arange(64) % 2, -80, 80)[None]
    rate = 64 / 2 ** 16
    total, runs = np.zeros((64, 64)), 200
    for image in range(runs):
        executor = FixedExecutor(network, start)
        executor.run(program, {"x": x, "d": d}, first_image=image, rates={"m": rate})
        assert set(executor.weights["m"][:, ::2].ravel().tolist()) == {0, 1}
        assert set(executor.weights["m"][:, 1::2].ravel().tolist()) == {0, -1}
        total += executor.weights["m"]
    means = total[:, ::2].mean() / runs, -total[:, 1::2].mean() / runs
    error = np.sqrt(5 / 64 * 59 / 64 / (64 * 32 * runs))
    assert np.abs(np.array(means) - 5 / 64).max() < 5 * error
    # No row or column is favoured.
    share = total * np.where(np.arange(64) % 2, -1, 1) / runs
    for axis in (0, 1):
        assert np.abs(share.mean(axis=axis) - 5 / 64).max() < 5 * np.sqrt(32) * error


def test_rates_mean_what_they_say():
    network, program = outer_network(3, 2)
    for weight, update_frac in ((WEIGHT, 6), (Format(16, 14), 4), (Format(8, 6), 12)):
        executor = FixedExecutor(network, {"m": np.zeros((3, 2), np.int64)}, STATE, weight,
                                 update_frac)
        executor.run(program, {"x": np.array([[4096, 2048, 0]]), "d": np.array([[4096, -4096]])},
                     rates={"m": 1 / 16})
        unit = 2 ** weight.frac
        assert executor.weights["m"].tolist() == [[unit // 16, -unit // 16],
                                                  [unit // 32, -unit // 32], [0, 0]]


def test_zero_factors_are_no_writes():
    network, program = outer_network(4, 3)
    executor = FixedExecutor(network, {"m": np.arange(12).reshape(4, 3)})
    result = executor.run(program, {"x": np.array([[0, 4096, 0, -9]]), "d": np.array([[0, 90, 1]])},
                          rates={"m": 0.25}, record=True)
    entry, = result.trace.image(0).weights
    assert (entry.rows.tolist(), entry.cols.tolist()) == ([1, 1, 3, 3], [1, 2, 1, 2])
    assert entry.vector == ("m", "weights") and entry.number == 128 and entry.counts == [1]
    assert entry.values.tolist() == executor.weights["m"][entry.rows, entry.cols].tolist()
    # Three scaled factors and four weights; two operations.
    assert (result.writes[0], result.operations[0]) == (7, 2)
    trace = result.trace.image(0)
    assert trace.numbers.tolist() == [2, 128] and trace.offsets.tolist() == [0, 3, 3]
    # The contrast of two equal phases adds zeros: written where both factors are there, unchanged.
    before = executor.weights["m"]
    equal = Program("equal", (Learn("m", (program.ops[0].terms[0],
                                          Outer(("x", "rate"), ("d", "rate"), -1))),))
    result = executor.run(equal, {"x": np.array([[1, 2, 3, 4]]), "d": np.array([[5, 6, 7]])},
                          rates={"m": 0.25})
    assert (result.writes[0], result.operations[0]) == (6 + 12, 3)
    assert (executor.weights["m"] == before).all()


def test_saturated_weights_are_counted():
    network, program = outer_network(2, 2)
    start = {"m": np.array([[32767, 32767], [-32768, 0]])}
    executor = FixedExecutor(network, start)
    result = executor.run(program, {"x": np.array([[4096, -4096]]), "d": np.array([[4096, -4096]])},
                          rates={"m": 1 / 16})
    assert executor.weights["m"].tolist() == [[32767, 32767 - 256], [-32768, 256]]
    assert result.saturations[0] == 2
    # A scaled factor holds a step of less than 1/8 for rates of 1.
    executor = FixedExecutor(network, {"m": np.zeros((2, 2), np.int64)})
    result = executor.run(program, {"x": np.array([[4096, 0]]), "d": np.array([[4096, 1024]])},
                          rates={"m": 0.25})
    assert result.states["d", "scaled0"].tolist() == [[32767, 16384]]
    assert abs(executor.weights["m"][0, 0] - 512) <= 1 and executor.weights["m"][0, 1] == 256
    assert result.saturations[0] == 1


def test_scaled_factors_come_last_in_the_numbering():
    network = layered((4, 3, 2))
    names = vectors(network, training(network))
    assert names[-3:] == [("h1", "scaled0"), ("y", "scaled0"), ("y", "scaled1")]
    assert not any(slot.startswith("scaled") for _, slot in names[:-3])


def test_sign_of_beta_follows_the_image_key():
    keys = mix_key(11, np.arange(4000))
    signs = beta_sign(keys)
    assert set(signs.tolist()) == {1, -1} and abs(signs.mean()) < 5 / np.sqrt(4000)
    assert (signs == np.where(keys >= 2 ** 31, -1, 1)).all()


def test_misuse_is_reported_in_one_line():
    network, program = outer_network(3, 2)
    start, inputs = {"m": np.zeros((3, 2), np.int64)}, {"x": np.zeros((1, 3), np.int64),
                                                        "d": np.zeros((1, 2), np.int64)}
    run = FixedExecutor(network, start).run
    for rates, match in ((None, "no rate is given"), ({"m": 0.6}, "multiplier 39322"),
                         ({"m": -0.1}, "at least 0"), ({"m": float("nan")}, "at least 0")):
        with pytest.raises(MisuseError, match=match):
            run(program, inputs, rates=rates)
    # 0.49999 rounds to 32767.
    run(program, inputs, rates={"m": 0.49999})
    term = program.ops[0].terms[0]
    for ops, match in (((Learn("m", (term,), normalize=True),), "floating point only"),
                       ((Learn("m", (term,) * 5),), "at most 4 have slots")):
        with pytest.raises(MisuseError, match=match):
            run(Program("p", (Relax(1, ops),)), inputs, rates={"m": 0.1})
    with pytest.raises(MisuseError, match="33 bits of rounding"):
        FixedExecutor(network, start, update_frac=21).run(program, inputs, rates={"m": 0.0})


def test_images_learn_one_after_the_other():
    rng = np.random.default_rng(2)
    network, weights, _ = random_case((5, 4, 3), 2, WEIGHT, 0.5)
    program, rates = training(network), learning_rates(network, 0.1)
    x, d = rng.integers(0, 4097, (5, 5)), 4096 * np.eye(3, dtype=np.int64)[[0, 1, 2, 0, 1]]
    whole, single = FixedExecutor(network, weights), FixedExecutor(network, weights)
    expected = whole.run(program, {"x": x, "d": d}, 4, 10, rates=rates, record=True)
    for image in range(5):
        found = single.run(program, {"x": x[image:image + 1], "d": d[image:image + 1]}, 4,
                           10 + image, rates=rates, record=True)
        assert found.signatures[0] == expected.signatures[image]
        one, other = found.trace.image(0), expected.trace.image(image)
        assert one.values.tolist() == other.values.tolist()
        assert [e.counts[0] for e in one.weights] == [e.counts[0] for e in other.weights]
    assert all((whole.weights[n] == single.weights[n]).all() for n in weights)


@pytest.mark.parametrize(("state", "weight", "update_frac"), [
    (Format(16, 12), Format(16, 12), 6), (Format(16, 12), Format(16, 14), 4)])
def test_the_greatest_rate_has_the_greatest_multiplier(state, weight, update_frac):
    most = greatest_rate(state, weight, update_frac)
    assert rate_multiplier(most, state, weight, update_frac) == 32767
    with pytest.raises(MisuseError, match="needs the multiplier 32768, the largest is 32767"):
        rate_multiplier(most * 32768 / 32767, state, weight, update_frac)
