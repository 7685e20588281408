"""Early inference in raw integers: nothing before the arrival, the error at it, and twin runs.

Formats are s16.12 for states and weights, unless a row says otherwise.
"""

from __future__ import annotations

import numpy as np

from ..program import STATE
from ..references.gradients import cosine
from ..systems.early_inference import EARLY, FREE, NUDGED, backpropagated, early_change
from . import Row
from .early_inference import (
    NOISY_SIZES,
    SIZES,
    SOURCE,
    SYSTEM,
    _at_arrival,
    _cosines,
    _problems,
    raw_integers,
)
from .raw import raw_states, raw_weights, real_states, real_weights, run

_FREE_STEPS = 400


def _row(check, value, tolerance):
    return Row(SYSTEM, check, value, tolerance, SOURCE)


def _changes(problem, steps, beta_shift, sigma=0.0, seed=0, images=1):
    """States of a run in raw integers, and the errors to compare its changes with."""
    network, weights, x, d, _ = problem
    raw = raw_weights(weights)
    inputs = {"x": raw_states(np.repeat(x, images, axis=0)),
              "d": raw_states(np.repeat(d, images, axis=0))}
    program = early_change(network, _FREE_STEPS, steps, beta_shift, 1, sigma)
    states = real_states(run(network, raw, program, inputs, seed).states)
    one = {key: values[:1] for key, values in states.items()}
    return states, backpropagated(network, real_weights(raw), one, inputs["d"][:1] / 4096)


def arrival(seed):
    """The signal arrives layer by layer; its first change is the backpropagated error."""
    depth, early, found = len(SIZES) - 1, 0.0, []
    for problem in _problems(seed, SIZES, "hard-sigmoid"):
        names, row = [p.name for p in problem[0].free], []
        for steps in range(1, depth + 1):
            states, errors = _changes(problem, steps, 1)
            early = max([early, *(np.abs(states[name, EARLY]).max()
                                  for name in names[:depth - steps])])
            name = names[depth - steps]
            row.append(cosine(-states[name, EARLY], errors[name]))
        found.append(row[::-1])
    yield _row("raw integers: greatest change before the signal arrives", early, "= 0")
    # At beta 1/2 units cross the clip in floating point, too; at smaller beta the change of h1 is a
    # few last places (cosine at beta 1/8: .70).
    real = _at_arrival(_cosines(seed, "hard-sigmoid", depth, 1, 1))
    yield _row("raw integers, hard-sigmoid, beta 1/2, eps 1/2: cosine of -change and "
               "backpropagated error at the step the signal arrives, less that in float, h1 h2 "
               "h3 y", np.mean(found, axis=0) - real, "-0.05 .. 0.05")
    # In float, at this beta: h1 0.88 0.77 0.84 of seeds 0, 1, 2.
    yield _row("the same: cosine", np.mean(found, axis=0), "> 0.7")


def langevin(seed):
    """Noise by addressed words: the difference from a twin run keeps the direction."""
    clean, noisy, images = [], {}, 50
    for problem in _problems(seed, NOISY_SIZES, "hard-sigmoid"):
        states, errors = _changes(problem, 4, 1)
        clean.append([cosine(-states[name, EARLY], errors[name]) for name in errors])
        for sigma in (0.003, 0.01, 0.03):
            states, errors = _changes(problem, 4, 1, sigma, seed, images)
            row = []
            for name, error in errors.items():
                plain = states[name, NUDGED] - states[name, FREE]
                row.append((np.mean([cosine(-c, error) for c in plain]),
                            np.mean([cosine(-c, error) for c in states[name, EARLY]])))
            noisy.setdefault(sigma, []).append(row)
    clean = np.mean(clean, axis=0)
    yield _row("raw integers, no noise, beta 1/2, 4 steps: cosine, h1 h2 y", clean, "> 0.7")
    for sigma, rows in noisy.items():
        one, twin = np.mean(rows, axis=0).T
        yield _row(f"raw integers, sigma {sigma}: one run against its twin, cosine less the "
                   "noiseless one", twin - clean, "-0.1 .. 0.1")
        if sigma >= 0.01:
            yield _row(f"control in raw integers, sigma {sigma}: cosine that one run loses in h1 "
                       "without its twin", (twin - one)[0], "> 0.1")


def untouched(seed):
    """A run without a nudge leaves no difference from its twin, whatever the noise."""
    problem = next(iter(_problems(seed, NOISY_SIZES, "hard-sigmoid")))
    network, weights, x, _, _ = problem
    raw = raw_weights(weights)
    quiet = early_change(network, 50, 4, 10, 1, 0.05)
    inputs = {"x": raw_states(np.repeat(x, 20, axis=0))}
    # The force is beta = 2**-10 times less than half a last place, which is none: d = u.
    still = run(network, raw, early_change(network, 50, 4, 10, 1, 0.0, twin=False),
                {**inputs, "d": raw_states(np.zeros((20, NOISY_SIZES[-1])))})
    far = run(network, raw, quiet, {**inputs, "d": np.clip(still.states["y", FREE], 0, 4096)},
              seed)
    moved = max(np.abs(far.states[p.name, EARLY]).max() for p in network.free)
    yield _row("raw integers, target at the free state, beta 2**-10, sigma 0.05: greatest "
               "difference of twin runs, in last places", float(moved), "<= 1")
    spread = (far.states["y", STATE] - far.states["y", FREE]).std() / 4096
    yield _row("control: deviation that the noise of 4 steps leaves in y", float(spread),
               "> 0.01")


GROUPS = arrival, langevin, untouched, raw_integers
