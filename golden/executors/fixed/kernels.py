"""Fixed executor: the rows of :mod:`apical.golden.executors.rows` mapped over a batch of images.

Each function takes the index array `images` of those that run; row b of `wanted` belongs to image
``images[b]``.  Other arrays have a row for every image of the batch.  Optional ones have no columns
when they are absent.  Numba is imported with this module, which is imported on first use.
"""

from __future__ import annotations

import numpy as np

from ...numbers.addressed import draw_key
from ...numbers.compiling import compiled
from .. import arithmetic, rows
from ..arithmetic import beta_sign
from ..rows import DRAWS


@compiled(arithmetic, rows)
def write(images, wanted, values, low, high, keys, number, counts, moved):
    """Clip, count, sign and store a vector; `moved` keeps the largest move of an image.

    Parameters
    ----------
    images : ndarray of shape (running,), int64
    wanted : ndarray of shape (running, n), int64
        Clipped in place.
    values : ndarray of shape (batch, n), float64
    low, high : int
    keys : ndarray of shape (batch,), int64
        Image keys.
    number : int
        Of the vector.
    counts : ndarray of shape (batch, columns), int64
    moved : ndarray of shape (batch,) or (0,), int64
    """
    for b in range(len(images)):
        image = images[b]
        move = rows.write(values[image], wanted[b], low, high, keys[image], number, counts[image])
        if len(moved):
            moved[image] = max(moved[image], move)


@compiled(arithmetic, rows)
def update(images, wanted, values, current, held, target, pulled, pull, by_sign, gate, leak, drop,
           multiplier, keys, counts, tables, numbers):
    """`Update`; noise where the multiplier is not below 0."""
    words = np.empty((2, wanted.shape[1]), np.int64)
    for b in range(len(images)):
        image = images[b]
        signed = pull * beta_sign(keys[image]) if by_sign else pull
        rows.update(wanted[b], values[image], current[image], held[image], target[image],
                    pulled[image], signed, gate, leak, drop, tables, numbers)
        if multiplier >= 0:
            key = draw_key(keys[image], counts[image, DRAWS])
            rows.add_noise(wanted[b], multiplier, key, words)
            counts[image, DRAWS] += 1


@compiled(arithmetic, rows)
def sample(images, wanted, current, mode, keys, counts, tables, numbers):
    """`Sample`."""
    words = np.empty((2, wanted.shape[1]), np.int64)
    for b in range(len(images)):
        image = images[b]
        rows.sample(wanted[b], current[image], mode, draw_key(keys[image], counts[image, DRAWS]),
                    words, tables, numbers)
        counts[image, DRAWS] += mode == rows.SAMPLE


@compiled(arithmetic, rows)
def flow_rate(images, wanted, states, current, tables, numbers):
    """`FlowRate`."""
    for b in range(len(images)):
        rows.flow_rate(wanted[b], states[images[b]], current[images[b]], tables, numbers)


@compiled(arithmetic, rows)
def residual(images, wanted, states, current, share, numbers):
    """`Residual`."""
    for b in range(len(images)):
        rows.residuals(wanted[b], states[images[b]], current[images[b]], share, numbers)


@compiled(arithmetic, rows)
def rates(wanted, states, tables, numbers):
    """Stored rates of states, which have the shape of `wanted`."""
    for b in range(len(wanted)):
        rows.rates(wanted[b], states[b], tables, numbers)
