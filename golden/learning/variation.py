"""Variation of training images: shifts and noise, drawn anew for every epoch.

Test images are never varied.  The draws depend on the seed and the epoch alone, so a run that is
resumed sees the same images as one that was never stopped, and every executor sees the same.
"""

from __future__ import annotations

import math

import numpy as np

from ..errors import MisuseError

#: Distinguishes these draws from others of the same seed.
_STREAM = 0x5647


def check_varied(config, width, name):
    """Raise `MisuseError` for shifts of images that are no squares, or of a whole image."""
    pixels = getattr(config, "image_shift", 0)
    side = math.isqrt(width)
    if pixels and side * side != width:
        raise MisuseError(f"image_shift is {pixels}, but images of data '{name}' have {width} "
                          "pixels, which is no square; use 0")
    if pixels and pixels >= side:
        raise MisuseError(f"image_shift is {pixels}; images of data '{name}' are only {side} "
                          "pixels wide")


def varied(images, config, epoch, one=1.0):
    """Training images of one epoch.

    Parameters
    ----------
    images : ndarray of shape (images, pixels)
        Real, 0..1, or raw states.
    config : TrainingConfig
        Its `image_shift`, `image_noise` and `seed` count; other settings have neither.
    epoch : int
    one : number
        What a white pixel is.

    Returns
    -------
    ndarray of shape (images, pixels)
        Of the same type; `images` itself where nothing varies.
    """
    pixels, noise = getattr(config, "image_shift", 0), getattr(config, "image_noise", 0.0)
    if not pixels and not noise:
        return images
    rng = np.random.default_rng([_STREAM, config.seed, epoch])
    if pixels:
        images = _shifted(images, rng.integers(-pixels, pixels + 1, (len(images), 2)))
    if noise:
        scale, moved = noise * one, np.empty_like(images)
        for begin in range(0, len(images), 1000):
            part = slice(begin, begin + 1000)
            values = images[part] + scale * rng.standard_normal(images[part].shape)
            if images.dtype.kind == "i":
                values = np.rint(values)
            moved[part] = np.clip(values, 0, one)
        images = moved
    return images


def _shifted(images, moves):
    """Images moved by (down, right) pixels each; what comes in from outside is black."""
    side = math.isqrt(images.shape[1])
    square, found = images.reshape(-1, side, side), np.zeros_like(images)
    into = found.reshape(-1, side, side)
    for down, right in np.unique(moves, axis=0):
        chosen = np.flatnonzero((moves == (down, right)).all(axis=1))
        rows, cols = (slice(max(n, 0), side + min(n, 0)) for n in (down, right))
        from_rows, from_cols = (slice(max(-n, 0), side + min(-n, 0)) for n in (down, right))
        into[chosen[:, None, None], np.arange(side)[rows][:, None], np.arange(side)[cols]] = \
            square[chosen][:, from_rows, from_cols]
    return found
