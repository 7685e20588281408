"""Contrasts of fixed points in plain NumPy: the references of rules that nudge or clamp outputs.

Like :mod:`apical.golden.references.gradients`, they share nothing with the executors; ``weights``
is a list of (W, b), and feedback a list of matrices B of shape (n_{k+1}, n_k), from layer k + 1
down to layer k, for k = 1 .. L - 1.
"""

from __future__ import annotations

import numpy as np

from .gradients import LIMITS, _rho, _slope, fixed_point

#: Fixed points: a step moves no state by more.
_REST, _STEPS = 1e-13, 20000


def rates_at(weights, x, d, rate, beta=0.0):
    """Rates of the layers, the input first, at the fixed point of a nudge."""
    states = fixed_point(weights, x, rate, beta=beta, d=d)
    return [_rho(np.asarray(x, np.float64), rate), *(_rho(u, rate) for u in states)]


def products(rates):
    """Mean products of neighbouring layers and mean rates: a pair for each layer of weights."""
    return [(below.T @ above / len(below), above.mean(axis=0))
            for below, above in zip(rates, rates[1:], strict=False)]


def weighted_contrast(weights, x, d, rate, terms):
    """Sum of the products at several nudges, each times a factor.

    Parameters
    ----------
    terms : dict of float to float
        Factor by strength of the nudge: ``{beta: 1 / beta, 0: -1 / beta}`` is the one-sided
        contrast.

    Returns
    -------
    list of (ndarray, ndarray)
        For every layer.
    """
    total = None
    for beta, factor in terms.items():
        found = products(rates_at(weights, x, d, rate, beta))
        found = [tuple(factor * part for part in pair) for pair in found]
        total = found if total is None else [
            tuple(a + b for a, b in zip(*pairs, strict=True))
            for pairs in zip(total, found, strict=True)]
    return total


def _energy(weights, states, rates):
    """Mean energy of states of the layers after the input."""
    total = sum(0.5 * np.square(u).sum(axis=1) for u in states)
    for (matrix, bias), below, above in zip(weights, rates, rates[1:], strict=False):
        total = total - ((below @ matrix + bias) * above).sum(axis=1)
    return total.mean()


def clamped_fixed_point(weights, x, d, rate, eps=0.5):
    """States with the output held at d, the last of them d itself."""
    states = [*fixed_point(weights, x, rate)[:-1], np.asarray(d, np.float64)]
    low, high = LIMITS[rate]
    for _ in range(_STEPS):
        r = [_rho(np.asarray(x, np.float64), rate), *(_rho(u, rate) for u in states)]
        new = [np.clip(u + eps * (_slope(u, rate) * (
            r[k] @ weights[k][0] + weights[k][1] + r[k + 2] @ weights[k + 1][0].T) - u), low, high)
            for k, u in enumerate(states[:-1])]
        moved = max((np.abs(a - b).max() for a, b in zip(new, states, strict=False)), default=0.0)
        states = [*new, states[-1]]
        if moved <= _REST:
            return states
    raise ArithmeticError(f"no clamped fixed point within {_STEPS} steps")


def hebbian_objective(weights, x, d, rate):
    """``min E(outputs at d) - min E``, which contrastive Hebbian learning descends (Movellan)."""
    rates_x = _rho(np.asarray(x, np.float64), rate)
    ends = []
    for states in (clamped_fixed_point(weights, x, d, rate), fixed_point(weights, x, rate)):
        ends.append(_energy(weights, states, [rates_x, *(_rho(u, rate) for u in states)]))
    return ends[0] - ends[1]


def differences(weights, objective, step=1e-5):
    """Gradient of ``objective(weights)`` by central differences, a pair for each layer."""
    found = []
    for pair in weights:
        both = []
        for values in pair:
            gradient = np.zeros_like(values)
            for index in np.ndindex(values.shape):
                kept = values[index]
                values[index] = kept + step
                above = objective(weights)
                values[index] = kept - step
                gradient[index] = (above - objective(weights)) / (2 * step)
                values[index] = kept
            both.append(gradient)
        found.append(tuple(both))
    return found


def feedback_fixed_point(weights, feedback, x, rate, beta=0.0, d=None, eps=0.5):
    """States of the layered network whose feedback has matrices of its own."""
    low, high = LIMITS[rate]
    states = [np.zeros((len(x), matrix.shape[1])) for matrix, _ in weights]
    for _ in range(_STEPS):
        r = [_rho(np.asarray(x, np.float64), rate), *(_rho(u, rate) for u in states)]
        new = []
        for k, u in enumerate(states):
            current = r[k] @ weights[k][0] + weights[k][1]
            if k + 1 < len(states):
                current = current + r[k + 2] @ feedback[k]
            force = _slope(u, rate) * current - u
            if beta and k + 1 == len(states):
                force = force + beta * (d - u)
            new.append(np.clip(u + eps * force, low, high))
        moved = max(np.abs(a - b).max() for a, b in zip(new, states, strict=True))
        states = new
        if moved <= _REST:
            return states
    raise ArithmeticError(f"no fixed point with feedback within {_STEPS} steps")


def vector_field_update(weights, feedback, x, d, rate, beta):
    """What vector-field equilibrium propagation adds at rate 1: changes of all W, and of all B."""
    ends = [[_rho(u, rate) for u in feedback_fixed_point(weights, feedback, x, rate, b, d)]
            for b in (0.0, beta)]
    free = [_rho(np.asarray(x, np.float64), rate), *ends[0]]
    change = [None, *((b - a) / beta for a, b in zip(*ends, strict=True))]
    up = [free[k].T @ change[k + 1] / len(x) for k in range(len(weights))]
    down = [free[k + 2].T @ change[k + 1] / len(x) for k in range(len(feedback))]
    return up, down


def alignment_update(weights, feedback, x, d):
    """What feedback alignment adds at rate 1, with the slope of hard-sigmoid units as a product.

    Returns
    -------
    list of ndarray
        Changes of W of every layer.
    """
    rates, inside = [np.asarray(x, np.float64)], []
    for matrix, bias in weights:
        current = rates[-1] @ matrix + bias
        inside.append((current > 0) & (current < 1))
        rates.append(np.clip(current, 0, 1))
    error, found = d - rates[-1], []
    for k in range(len(weights) - 1, -1, -1):
        found.append(rates[k].T @ error / len(x))
        if k:
            error = (error @ feedback[k - 1]) * inside[k - 1]
    return found[::-1]
