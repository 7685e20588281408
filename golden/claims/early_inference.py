"""Checks of paper 5, early inference (Bengio and Fischer 2015, arXiv 1510.02777).

Cosines are means over 20 random networks with one image each.  In some rows the reference has
eps = 0.1 and beta = 0.001; here they are 1/8 and 2**-10.
"""

from __future__ import annotations

import numpy as np

from ..executors.fixed.executor import FixedExecutor
from ..executors.float.executor import FloatExecutor
from ..network import glorot, layered
from ..numbers.formats import Format, dequantize, quantize
from ..program import STATE
from ..references.gradients import cosine
from ..systems.early_inference import EARLY, FREE, NUDGED, backpropagated, early_change
from . import Figure, Row

SYSTEM = "early-inference"
SOURCE = "arXiv 1510.02777"
SIZES, NOISY_SIZES, NETWORKS = (30, 24, 20, 16, 10), (30, 24, 16, 10), 20
#: Of random hard-sigmoid networks: factor on Glorot weights, range of the currents.
GAIN, CURRENTS = 0.4, (-0.1, 1.1)
#: Free steps: to a fixed point of float64.
FREE_STEPS = 2000


def _row(check, value, tolerance):
    return Row(SYSTEM, check, value, tolerance, SOURCE)


def _problems(seed, sizes, rate):
    """20 random networks, each with an image, a target and starting states."""
    network = layered(sizes, rate)
    for number in range(NETWORKS):
        rng = np.random.default_rng([seed, number])
        weights = glorot(network, int(rng.integers(2**31)))
        x, d = rng.random((1, sizes[0])), rng.random((1, sizes[-1]))
        states = {}
        if rate == "logistic":  # slopes of 1/4 at most: greater weights keep the signal
            weights = {name: 3 * w for name, w in weights.items()}
        else:
            # Currents drawn a little beyond the range: biases make the clipped ones a fixed point
            # with some units at a limit.
            weights = {name: GAIN * w for name, w in weights.items()}
            current = [_apart(rng.uniform(*CURRENTS, (1, size))) for size in sizes[1:]]
            u = [x] + [np.clip(c, 0, 1) for c in current]
            for k, c in enumerate(current, 1):
                weights[f"b{k}"] = c - u[k - 1] @ weights[f"W{k}"]
                if k < len(current):
                    weights[f"b{k}"] -= u[k + 1] @ weights[f"W{k + 1}"].T
            states = {p.name: value for p, value in zip(network.free, u[1:], strict=True)}
        yield network, weights, x, d, states


def _apart(currents, gap=0.01):
    """Currents with a gap around both limits.

    Whether a unit nearer than its own change can move depends on rounding, and a single such unit
    decides the cosine of a small layer.
    """
    for limit in (0.0, 1.0):
        near = np.abs(currents - limit) < gap
        currents[near] = limit + np.where(currents[near] < limit, -gap, gap)
    return currents


def _paths(problem, steps, beta_shift, shift):
    """Changes after 1 .. steps nudged steps, a list of dicts by population, and the free states."""
    network, weights, x, d, states = problem
    free = [p.name for p in network.free]
    program = early_change(network, FREE_STEPS, steps, beta_shift, shift,
                           start="keep" if states else "sweep")
    runs = {}

    def watch(where, n, vectors):
        runs.setdefault(where, []).append({name: vectors[name, STATE].copy() for name in free})

    result = FloatExecutor(network, weights, np.float64).run(program, {"x": x, "d": d}, states,
                                                             on_step=watch)
    _, nudged, twin = runs.values()  # the free phase, and the two runs after it
    return [{name: a[name] - b[name] for name in free}
            for a, b in zip(nudged[1:], twin[1:], strict=True)], result.states


def _cosines(seed, rate, steps, beta_shift, shift, sizes=SIZES, masked=True):
    """Mean cosine of -change and error: ndarray of shape (steps, populations).

    Without the mask, units at a limit keep the error they would have inside the range.
    """
    found = []
    for problem in _problems(seed, sizes, rate):
        path, states = _paths(problem, steps, beta_shift, shift)
        if not masked:
            states = {key: np.clip(v, 1e-9, 1 - 1e-9) for key, v in states.items()}
        errors = backpropagated(problem[0], problem[1], states, problem[3])
        found.append([[cosine(-change[name], errors[name]) for name in errors]
                      for change in path])
    return np.mean(found, axis=0)


def _at_arrival(by_step):
    """Cosine of every population at the step its signal arrives."""
    depth = by_step.shape[1]
    return [by_step[depth - k - 1][k] for k in range(depth)]


def arrival(seed):
    """The first change of every layer is the backpropagated error, and nothing comes earlier."""
    depth, names = len(SIZES) - 1, [p.name for p in layered(SIZES).free]
    for rate, shift, tolerance in (("logistic", 1, "> 0.9999"), ("logistic", 3, "> 0.9999"),
                                   ("hard-sigmoid", 1, "> 0.999")):
        by_step = _cosines(seed, rate, 8, 10, shift)
        yield _row(f"{rate}, eps 2**-{shift}, beta 2**-10: cosine of -change and backpropagated "
                   "error at the step the signal arrives, h1 h2 h3 y", _at_arrival(by_step),
                   tolerance)
        late = {"logistic": "> 0.7" if shift == 1 else "> 0.97", "hard-sigmoid": "> 0.99"}[rate]
        yield _row(f"{rate}, eps 2**-{shift}: the same after 8 steps", by_step[7], late)
        if rate == "logistic" and shift == 1:
            yield _row("the same less that at arrival: it decays",
                       by_step[7] - _at_arrival(by_step), "< 0")
        yield Figure(f"early-inference-{rate}-{2 ** shift}", "Early changes against "
                     f"backpropagation ({rate}, eps 1/{2 ** shift})", "nudged step", "cosine",
                     {name: (np.arange(depth - k, 9), by_step[depth - k - 1:, k])
                      for k, name in enumerate(names)})
    before = 0.0
    for problem in _problems(seed, SIZES, "logistic"):
        path, _ = _paths(problem, depth, 10, 1)
        before = max([before, *(np.abs(path[n][name]).max() for n in range(depth - 1)
                                for name in names[:depth - 1 - n])])
    yield _row("greatest change before the signal arrives", before, "= 0")
    for shift in (1, 0):
        yield _row(f"finite beta {2.0 ** -shift:g}, eps 1/2: cosine at arrival, h1 h2 h3 y",
                   _at_arrival(_cosines(seed, "logistic", depth, shift, 1)), "> 0.98")
    bare = _at_arrival(_cosines(seed, "hard-sigmoid", depth, 10, 1, masked=False))
    yield _row("control, units on a limit not masked: cosine at arrival, h1 h2 h3", bare[:3],
               "< 0.9")


def _noisy(seed, sigma, runs=1000, steps=4, beta_shift=1):
    """Mean cosines over the networks: one run, mean of all runs, one run against its twin."""
    found = []
    for network, weights, x, d, states in _problems(seed, NOISY_SIZES, "hard-sigmoid"):
        many = {"x": np.repeat(x, runs, axis=0), "d": np.repeat(d, runs, axis=0)}
        first = {name: np.repeat(u, runs, axis=0) for name, u in states.items()}
        program = early_change(network, 0, steps, beta_shift, 1, sigma, start="keep")
        result = FloatExecutor(network, weights, np.float64).run(
            program, many, first, seed=seed).states
        errors = backpropagated(network, weights,
                                {(name, FREE): u for name, u in states.items()}, d)
        row = []
        for name, error in errors.items():
            plain = result[name, NUDGED] - result[name, FREE]
            one = np.mean([cosine(-change, error) for change in plain[:50]])
            twin = np.mean([cosine(-change, error) for change in result[name, EARLY][:50]])
            row.append((one, cosine(-plain.mean(axis=0), error), twin,
                        cosine(-result[name, EARLY].mean(axis=0), error)))
        found.append(row)
    return np.mean(found, axis=0).T


def langevin(seed):
    """Noise hides the change in one run, but not in the difference of two runs with equal noise."""
    clean = _cosines(seed, "hard-sigmoid", 4, 1, 1, NOISY_SIZES)[-1]
    fine = _cosines(seed, "hard-sigmoid", 4, 2, 1, NOISY_SIZES)[-1]
    yield _row("no noise, beta 1/2, 4 steps: cosine, h1 h2 y", clean, "> 0.7")
    yield _row("no noise: cosine at beta 1/4 less that at 1/2 (fewer units cross the clip)",
               fine - clean, "> -0.02")
    sigmas, curves = (0.003, 0.01, 0.03, 0.1), {}
    for sigma in sigmas:
        one, mean, twin, both = curves[sigma] = _noisy(seed, sigma)
        if sigma <= 0.01:
            yield _row(f"sigma {sigma}: mean of 1000 runs, cosine less the noiseless one",
                       mean - clean, "-0.05 .. 0.05")
        if sigma <= 0.03:
            yield _row(f"sigma {sigma}: one run against its twin, cosine less the noiseless one",
                       twin - clean, "-0.1 .. 0.1")
        if sigma >= 0.01:
            yield _row(f"control, sigma {sigma}: cosine that one run loses in h1 without its twin",
                       (twin - one)[0], "> 0.1")
        if sigma == 0.1:
            yield _row("sigma 0.1: mean of 1000 twin differences, cosine less that of the plain "
                       "mean, which the clip biases, h1", (both - mean)[0], "> 0.2")
    yield Figure("early-inference-noise", "Langevin noise (h1, 4 steps, beta 1/2)", "sigma",
                 "cosine", {name: (sigmas, [curves[s][k][0] for s in sigmas]) for k, name in
                            enumerate(("one run", "mean of 1000 runs", "one run against its twin",
                                       "mean of 1000 twins"))}, log_x=True)


#: Formats of the raw rows: (state, weight), by fraction bits.
FORMATS = {"8/8": (Format(12, 8), Format(12, 8)), "10/8": (Format(14, 10), Format(12, 8)),
           "12/10": (Format(16, 12), Format(14, 10)), "14/12": (Format(18, 14), Format(16, 12)),
           "16/12": (Format(20, 16), Format(16, 12))}


def raw_integers(seed):
    """The same in raw integers: from 12 fraction bits of state and 10 of weight as in float."""
    real, found, far, early = {}, {}, {name: [] for name in FORMATS}, 0
    for shift in (1, 2):
        real[shift] = _cosines(seed, "hard-sigmoid", 4, shift, 1, NOISY_SIZES)[-1]
        for name, (state, weight) in FORMATS.items():
            rows = []
            for network, weights, x, d, fixed_point in _problems(seed, NOISY_SIZES,
                                                                 "hard-sigmoid"):
                raw = {m: quantize(w, weight)[0] for m, w in weights.items()}
                executor = FixedExecutor(network, raw, state, weight)
                inputs = {"x": quantize(x, state)[0], "d": quantize(d, state)[0]}
                states = executor.run(early_change(network, 200, 4, shift, 1), inputs).states
                errors = backpropagated(network, weights, {
                    key: dequantize(v, state) for key, v in states.items()}, d)
                rows.append([cosine(-states[p, EARLY], error) for p, error in errors.items()])
                far[name].append(max(np.abs(dequantize(states[p, FREE], state) - u).max()
                                     for p, u in fixed_point.items()))
                if shift == 1 and name == "12/10":
                    for steps in (1, 2):
                        states = executor.run(early_change(network, 200, steps, shift, 1),
                                              inputs).states
                        early = max([early, *(np.abs(states[p, EARLY]).max()
                                              for p in ("h1", "h2")[:3 - steps])])
            found[shift, name] = np.mean(rows, axis=0)
    yield _row("raw integers: greatest change before the signal arrives", early, "= 0")
    for shift in (1, 2):
        for name in list(FORMATS)[2:]:
            yield _row(f"raw integers, fraction bits {name}, beta {2.0 ** -shift:g}: cosine less "
                       "that in float, h1 h2 y", found[shift, name] - real[shift],
                       "-0.01 .. 0.01")
        for name in list(FORMATS)[:2]:
            yield _row(f"raw integers, fraction bits {name}, beta {2.0 ** -shift:g}: cosine, "
                       "h1 h2 y", found[shift, name], "> 0.5")
    yield _row(f"raw integers, fraction bits {', '.join(FORMATS)}: greatest distance of the free "
               "state from that in float, mean of the networks",
               [np.mean(far[name]) for name in FORMATS], "< 0.05 and last < 0.002")


GROUPS = arrival, langevin, raw_integers
