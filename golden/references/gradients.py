"""Independent references that rules are compared with: backpropagation, finite differences, BPTT.

They are plain NumPy on lists of matrices, written from the equations, and share nothing with the
executors.  ``weights`` is a list of (W of shape (n_{k-1}, n_k), b of shape (n_k,)).
"""

from __future__ import annotations

import numpy as np


def logistic(values):
    """1 / (1 + exp(-u))."""
    return 0.5 * (1 + np.tanh(0.5 * np.asarray(values)))


def layers_of(weights):
    """The matrices of a layered network as a list, the form used here."""
    count = sum(name[0] == "W" for name in weights)
    return [(np.asarray(weights[f"W{k}"], np.float64),
             np.asarray(weights[f"b{k}"], np.float64).reshape(-1)) for k in range(1, count + 1)]


def cosine(a, b) -> float:
    """Cosine of two arrays as vectors; 0 if one of them is 0."""
    a, b = np.ravel(a), np.ravel(b)
    length = np.linalg.norm(a) * np.linalg.norm(b)
    return float(a @ b / length) if length else 0.0


def backprop(weights, x, d):
    """Gradient of the mean of ``1/2 |d - rho(u_L)|**2`` through a logistic feedforward network.

    Parameters
    ----------
    weights : list of (ndarray, ndarray)
    x, d : ndarray of shape (batch, n_0) and (batch, n_L)

    Returns
    -------
    list of (ndarray, ndarray)
        dC/dW and dC/db of every layer.
    """
    rates = [np.asarray(x, np.float64)]
    for matrix, bias in weights:
        rates.append(logistic(rates[-1] @ matrix + bias))
    delta = (rates[-1] - d) * rates[-1] * (1 - rates[-1])
    gradients = []
    for k in range(len(weights) - 1, -1, -1):
        gradients.append((rates[k].T @ delta / len(x), delta.mean(axis=0)))
        delta = (delta @ weights[k][0].T) * rates[k] * (1 - rates[k])
    return gradients[::-1]


def _rho(u, rate):
    return logistic(u) if rate == "logistic" else u


def _slope(u, rate):
    return _rho(u, rate) * (1 - _rho(u, rate)) if rate == "logistic" else np.ones_like(u)


LIMITS = {"logistic": (-np.inf, np.inf), "hard-sigmoid": (0.0, 1.0), "hard-tanh": (-1.0, 1.0)}


def energy_step(weights, states, x, rate, eps, beta=0.0, d=None):
    """One synchronous step of the layered energy network (papers 1, 4 and 5).

    Parameters
    ----------
    states : list of ndarray of shape (batch, n_k), k = 1..L
    x : ndarray of shape (batch, n_0)
        The clamped state; its rate enters.
    """
    low, high = LIMITS[rate]
    rates = [_rho(np.asarray(x, np.float64), rate)] + [_rho(u, rate) for u in states]
    new = []
    for k, u in enumerate(states):
        current = rates[k] @ weights[k][0] + weights[k][1]
        if k + 1 < len(states):
            current = current + rates[k + 2] @ weights[k + 1][0].T
        force = _slope(u, rate) * current - u
        if beta and k + 1 == len(states):
            force = force + beta * (d - u)
        new.append(np.clip(u + eps * force, low, high))
    return new


def fixed_point(weights, x, rate, states=None, eps=0.5, beta=0.0, d=None, tolerance=1e-13,
                steps=20000):
    """States that a step moves by at most the tolerance."""
    if states is None:
        states = [np.zeros((len(x), matrix.shape[1])) for matrix, _ in weights]
    for _ in range(steps):
        new = energy_step(weights, states, x, rate, eps, beta, d)
        moved = max(np.abs(a - b).max() for a, b in zip(new, states, strict=True))
        states = new
        if moved <= tolerance:
            return states
    raise ArithmeticError(f"no fixed point within {steps} steps (the last moved {moved:g})")


def finite_differences(weights, x, d, rate, step=1e-5, eps=0.5):
    """dJ/dW by central differences, ``J`` the mean cost ``1/2 |d - u_L|**2`` at the free fixed
    point of the energy network.

    Returns
    -------
    list of (ndarray, ndarray)
        For every layer.
    """  # noqa: D205
    free = fixed_point(weights, x, rate, eps=eps)

    def objective():
        last = fixed_point(weights, x, rate, free, eps)[-1]
        return 0.5 * np.square(d - last).sum(axis=1).mean()

    gradients = []
    for pair in weights:
        both = []
        for values in pair:
            gradient = np.zeros_like(values)
            for index in np.ndindex(values.shape):
                kept = values[index]
                values[index] = kept + step
                above = objective()
                values[index] = kept - step
                gradient[index] = (above - objective()) / (2 * step)
                values[index] = kept
            both.append(gradient)
        gradients.append(tuple(both))
    return gradients


def through_time(weights, x, d, rate, steps, eps=0.5, start=None):
    """Backpropagation through the last `steps` relaxation steps from the free fixed point.

    The gradient of ``C = mean 1/2 |d - u_L(T)|**2``, truncated to that many steps (Ernoult et al.
    2019).  Equilibrium propagation with as many nudged steps computes it as beta goes to 0.

    Parameters
    ----------
    start : list of ndarray or None
        The fixed point, if it is known.

    Returns
    -------
    list of (ndarray, ndarray)
    """
    states = fixed_point(weights, x, rate, start, eps) if start is None else start
    low, high = LIMITS[rate]
    r = [_rho(np.asarray(x, np.float64), rate)] + [_rho(u, rate) for u in states]
    slopes = [_slope(u, rate) for u in states]
    currents = [r[k] @ weights[k][0] + weights[k][1]
                + (r[k + 2] @ weights[k + 1][0].T if k + 1 < len(states) else 0.0)
                for k in range(len(states))]
    bend = [s * (1 - 2 * _rho(u, rate)) if rate == "logistic" else 0.0
            for s, u in zip(slopes, states, strict=True)]
    # At a limit of the range the clip passes no derivative.
    inside = [((u > low) & (u < high)).astype(np.float64) for u in states]
    adjoint = [np.zeros_like(u) for u in states]
    adjoint[-1] = (states[-1] - d) / len(x)
    gradients = [[np.zeros_like(w), np.zeros_like(b)] for w, b in weights]
    for _ in range(steps):
        passed = [a * m for a, m in zip(adjoint, inside, strict=True)]
        driven = [eps * p * s for p, s in zip(passed, slopes, strict=True)]
        for k, g in enumerate(gradients):
            g[0] += r[k].T @ driven[k]
            g[1] += driven[k].sum(axis=0)
            if k:  # the same matrix drives the layer below
                g[0] += driven[k - 1].T @ r[k + 1]
        new = []
        for k in range(len(states)):
            back = (1 - eps) * passed[k] + eps * passed[k] * bend[k] * currents[k]
            if k + 1 < len(states):
                back = back + slopes[k] * (driven[k + 1] @ weights[k + 1][0].T)
            if k:
                back = back + slopes[k] * (driven[k - 1] @ weights[k][0])
            new.append(back)
        adjoint = new
    return [tuple(g) for g in gradients]
