"""Contrastive divergence and persistent contrastive divergence in plain NumPy: references.

Hinton (2002, Neural Computation 14:1771) for CD-k, and Tieleman (2008, "Training restricted
Boltzmann machines using approximations to the likelihood gradient") for PCD, whose chains go on
from batch to batch.  They share no code with the executors.  Chains that outlive an image are no
program of an engine, so PCD is a reference only.
"""

from __future__ import annotations

import numpy as np

from ..errors import MisuseError


def contrastive(images, weights, epochs, batch=20, rate=0.1, decay=1.0, steps=1, persistent=False,
                seed=0):
    """Train a restricted machine, epoch by epoch.

    Parameters
    ----------
    images : ndarray of shape (images, width)
        Binary.
    weights : dict of str to ndarray
        First ``W1``, ``bv`` and ``bh1``; copied.
    epochs, batch : int
    rate : float
    decay : float
        The rate is multiplied by it after every epoch.
    steps : int
        Gibbs steps of a batch.
    persistent : bool
        Chains, as many as a batch has images, go on from batch to batch; else they start from the
        images.
    seed : int
        Of the order of images and of all draws.

    Yields
    ------
    dict of str to ndarray of float32
        Weights after each epoch; always the same arrays.
    """
    if steps < 1:
        raise MisuseError(f"steps is {steps}; contrastive divergence needs 1 at least")
    rng, images = np.random.default_rng(seed), np.asarray(images, np.float32)
    own = {name: np.array(weights[name], np.float32) for name in ("W1", "bv", "bh1")}
    W, b, c = own["W1"], own["bv"], own["bh1"]

    def draw(chance):
        return (rng.random(chance.shape, np.float32) < chance).astype(np.float32)

    chains = draw(np.tile(_logistic(b), (batch, 1)))
    for epoch in range(epochs):
        eta, order = rate * decay ** epoch, rng.permutation(len(images))
        for begin in range(0, len(order), batch):
            x = images[order[begin:begin + batch]]
            data = _logistic(x @ W + c)
            v, hidden = (chains, draw(_logistic(chains @ W + c))) if persistent else (x, draw(data))
            for step in range(steps):
                v = draw(_logistic(hidden @ W.T + b))
                if step + 1 < steps:
                    hidden = draw(_logistic(v @ W + c))
            model = _logistic(v @ W + c)
            if persistent:
                chains = v
            for values, up, down in ((W, x.T @ data, v.T @ model), (b, x.sum(0), v.sum(0)),
                                     (c, data.sum(0), model.sum(0))):
                values += np.float32(eta) * (up / np.float32(len(x)) - down / np.float32(len(v)))
        yield own


def _logistic(field):
    return 0.5 * np.tanh(0.5 * field) + 0.5
