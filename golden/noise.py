"""Addressed random numbers of the float executor: the same address gives the same number.

A word is a function of (seed, image, draw count, unit) and of nothing else: neither the batch an
image runs in nor what was drawn before changes it.  Putting the draw count back
(:class:`~apical.golden.program.Reseed`) therefore gives a second run the noise of the first, which
is what the twin runs of papers 2 and 5 need.

The generator is counter based (Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3"):
a key for each (seed, image, count), and two rounds of a 32-bit finalizer on (key, unit).
"""

from __future__ import annotations

import numpy as np

_GOLDEN = 0x9E3779B97F4A7C15
_MASK = 0xFFFFFFFFFFFFFFFF


def _split_mix(values):
    """The finalizer of splitmix64 on an array of uint64 (Steele et al. 2014)."""
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))


def _finalize(words, scratch):
    """A 32-bit finalizer of low bias, in place (multipliers of a published search by Wellons)."""
    for shift, factor in ((16, 0x7FEB352D), (15, 0x846CA68B), (16, None)):
        np.right_shift(words, np.uint32(shift), out=scratch)
        np.bitwise_xor(words, scratch, out=words)
        if factor is not None:
            np.multiply(words, np.uint32(factor), out=words)


class Noise:
    """Random numbers of one run over a batch of images.

    Parameters
    ----------
    seed : int
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

    def _keys(self, images):
        """Two 32-bit keys an image for the present count: uint32 arrays of shape (images, 1)."""
        base = (self.seed * _GOLDEN + 1) & _MASK
        image = np.arange(self.first_image, self.first_image + images, dtype=np.uint64)
        key = _split_mix(np.uint64(base) + image * np.uint64(_GOLDEN))
        key = _split_mix(key + np.uint64((self.count * _GOLDEN + _GOLDEN) & _MASK))[:, None]
        return key.astype(np.uint32), (key >> np.uint64(32)).astype(np.uint32)

    def words(self, shape):
        """Raw words; raises the count.

        Returns
        -------
        ndarray of `shape` (batch, units), uint32
            A buffer that the next call of equal shape overwrites.
        """
        shape = tuple(shape)
        if shape not in self._buffers:
            unit = np.arange(shape[1], dtype=np.uint32) * np.uint32(0x9E3779B1)
            self._buffers[shape] = unit, np.empty(shape, np.uint32), np.empty(shape, np.uint32)
        unit, words, scratch = self._buffers[shape]
        with np.errstate(over="ignore"):
            low, high = self._keys(shape[0])
            np.bitwise_xor(unit, low, out=words)
            _finalize(words, scratch)
            np.add(words, high, out=words)
            _finalize(words, scratch)
        self.count += 1
        return words

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
        # 23 bits and the middle of the cell are exact in float32, and neither 0 nor 1 appears.
        values = (self.words(shape) >> np.uint32(9)).astype(self.dtype)
        values += self.dtype.type(0.5)
        values *= self.dtype.type(2.0 ** -23)
        return values

    def normal(self, shape):
        """Standard normal numbers by inversion of the uniform ones: ndarray of `shape`.

        The greatest is 5.3, which a sample of 10**7 normal numbers reaches.
        """
        from scipy.special import ndtri

        return ndtri(self.uniform(shape))
