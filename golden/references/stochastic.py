"""Expectations of small binary networks by counting every state: the reference of spiking rules."""

from __future__ import annotations

import itertools

import numpy as np


def _states(sizes):
    """All joint states of layers of those sizes: list of ndarray of shape (2**n, size)."""
    whole = np.array(list(itertools.product((0.0, 1.0), repeat=sum(sizes))))
    return np.split(whole, np.cumsum(sizes)[:-1], axis=1)


def _probabilities(weights, layers, x, beta, d):
    """p(s) ~ exp(-E(s) - beta C(s)) of every joint state, and the cost C of each."""
    field = np.zeros(len(layers[0]))
    below = np.broadcast_to(x, (len(field), len(x)))
    for (matrix, bias), s in zip(weights, layers, strict=True):
        field += ((below @ matrix + bias) * s).sum(axis=1)
        below = s
    cost = 0.5 * np.square(layers[-1] - d).sum(axis=1)
    field -= beta * cost
    p = np.exp(field - field.max())
    return p / p.sum(), cost


def _products(layers, x, p):
    """Expected products of neighbouring layers, and expected states: a pair for each layer."""
    below, found = np.broadcast_to(x, (len(p), len(x))), []
    for s in layers:
        found.append((below.T @ (p[:, None] * s), p @ s))
        below = s
    return found


def free_energy_cost(weights, x, d, beta):
    """Mean over images of ``-log <exp(-beta C)> / beta``; the expected cost itself at beta 0."""
    layers, found = _states([matrix.shape[1] for matrix, _ in weights]), []
    for image, target in zip(x, d, strict=True):
        p, cost = _probabilities(weights, layers, image, 0.0, target)
        found.append(-np.log(p @ np.exp(-beta * cost)) / beta if beta else p @ cost)
    return float(np.mean(found))


def expected_contrast(weights, x, d, beta):
    """Exact contrast of a nudge, ``(<s s>_beta - <s s>_0) / beta``, mean over images.

    Parameters
    ----------
    weights : list of (ndarray, ndarray)
        As in :mod:`apical.golden.references.gradients`.
    x, d : ndarray of shape (images, n)

    Returns
    -------
    list of (ndarray, ndarray)
        For every layer.
    """
    layers = _states([matrix.shape[1] for matrix, _ in weights])
    total = [[np.zeros_like(matrix), np.zeros_like(bias)] for matrix, bias in weights]
    for image, target in zip(x, d, strict=True):
        nudged, free = (_products(layers, image, _probabilities(
            weights, layers, image, strength, target)[0]) for strength in (beta, 0.0))
        for into, plus, minus in zip(total, nudged, free, strict=True):
            for k in range(2):
                into[k] += (plus[k] - minus[k]) / (beta * len(x))
    return [tuple(pair) for pair in total]
