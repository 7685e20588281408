"""Addressed random numbers of the float executor: the same address gives the same number.

A word is a function of (seed, image, draw count, unit) and of nothing else: neither the batch an
image runs in nor what was drawn before changes it.  Putting the draw count back
(:class:`~apical.golden.program.Reseed`) therefore gives a second run the noise of the first, which
is what the twin runs of papers 2 and 5 need.

The words are those of raw integers, :func:`~apical.golden.numbers.addressed.draw_words`; ``y`` is
the upper half.  Real numbers take all 32 bits where raw integers take as many as a state has.
"""

from __future__ import annotations

import numpy as np

from .addressed import BYTE_SUM_MEAN, BYTE_SUM_VARIANCE, draw_key, mix_key


class Noise:
    """Random numbers of one run over a batch of images.

    Parameters
    ----------
    seed : int
        32 bits of it count.
    first_image : int
        Number of the first image of the batch; the others follow it.  Runs that are to be
        independent need another one, or another seed.
    dtype : dtype
        Of the numbers returned.

    Attributes
    ----------
    count : int
        Vectors drawn; every call of `uniform` and `normal` raises it by one.
    """

    def __init__(self, seed=0, first_image=0, dtype=np.float64):
        self.dtype = np.dtype(dtype)
        self._buffers = {}
        self.start(seed, first_image)

    def start(self, seed, first_image=0):
        """Begin another run: new seed and images, count 0."""
        self.seed, self.first_image, self.count = int(seed), int(first_image), 0

    def reseed(self, count=0):
        """Set the draw count."""
        self.count = int(count)

    def words(self, shape):
        """Raw words, :func:`~apical.golden.numbers.addressed.draw_words`; raises the count.

        Returns
        -------
        x, y : ndarray of `shape` (batch, units), uint16
            Buffers that the next call of equal shape overwrites.
        """
        from .draws import draw  # numba is imported on first use

        shape = tuple(shape)
        if shape not in self._buffers:
            self._buffers[shape] = np.empty((2, *shape), np.uint16)
        images = np.arange(self.first_image, self.first_image + shape[0], dtype=np.int64)
        keys = draw_key(mix_key(np.int64(self.seed & 0xFFFFFFFF), images), self.count)
        self.count += 1
        x, y = self._buffers[shape]
        draw(x, y, keys)
        return x, y

    def uniform(self, shape):
        """Numbers above 0 and below 1, the middles of 2**23 equal cells.

        Parameters
        ----------
        shape : (int, int)
            Images and units.

        Returns
        -------
        ndarray of `shape`, of the dtype
        """
        x, y = self.words(shape)
        # 23 bits and the middle of the cell are exact in float32, and neither 0 nor 1 appears.
        values = y.astype(self.dtype)
        values *= self.dtype.type(128)
        values += x >> np.uint16(9)
        values += self.dtype.type(0.5)
        values *= self.dtype.type(2.0 ** -23)
        return values

    def normal(self, shape):
        """Near normal numbers of mean 0 and variance 1: ndarray of `shape`.

        :func:`~apical.golden.numbers.addressed.byte_sum` over its deviation; the largest is 3.45.
        """
        x, y = self.words(shape)
        total = (x >> np.uint16(8)) + (x & np.uint16(0xFF))
        total += y >> np.uint16(8)
        total += y & np.uint16(0xFF)
        values = total.astype(self.dtype)
        values -= self.dtype.type(BYTE_SUM_MEAN)
        values *= self.dtype.type(BYTE_SUM_VARIANCE ** -0.5)
        return values
