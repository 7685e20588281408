"""Addressed random numbers of the float executor: the same address gives the same number.

A word is a function of (seed, image, draw count, unit) and of nothing else: neither the batch an
image runs in nor what was drawn before changes it.  Putting the draw count back
(:class:`~apical.golden.program.Reseed`) therefore gives a second run the noise of the first, which
is what the twin runs of papers 2 and 5 need.

The words are those of raw integers, :func:`~apical.golden.numbers.addressed.draw_words`, computed
here on whole batches of 16-bit words; ``y`` is the upper half.  Real numbers take all 32 bits where
raw integers take as many as a state has.
"""

from __future__ import annotations

import numpy as np

from .addressed import BYTE_SUM_VARIANCE, COLUMN, CROSS_ROTATIONS, KEY_ROUNDS, draw_key, mix_key


def _turn(word, count, into, scratch):
    """Rotate 16 bits left, out of place."""
    np.left_shift(word, np.uint16(count), out=into)
    np.right_shift(word, np.uint16(16 - count), out=scratch)
    np.bitwise_or(into, scratch, out=into)


class _Words:
    """Buffers of one shape, in which words are mixed."""

    def __init__(self, shape):
        self.units = np.arange(shape[1]).astype(np.uint16)
        self.x, self.y, *self.scratch = (np.empty(shape, np.uint16) for _ in range(5))
        self.words = np.empty(shape, np.uint32)

    def _mix_units(self, high, low):
        """Unit words ``mix_key(key, COLUMN | unit)`` into x (high half) and y."""
        x, y, (turned, spare, _) = self.x, self.y, self.scratch
        # The halves of key ^ word; units have 16 bits, so the upper half is the same for all.
        np.copyto(x, high ^ np.uint16(COLUMN >> 16))
        np.bitwise_xor(self.units, low, out=y)
        for i in range(KEY_ROUNDS):
            _turn(x, 9, turned, spare)
            np.add(turned, y, out=x)
            np.bitwise_xor(x, (low if i & 1 else high) ^ np.uint16(i), out=x)
            _turn(y, 2, turned, spare)
            np.bitwise_xor(turned, x, out=y)

    def _product(self, x, rotations):
        """``rotl(x, s) ^ (rotl(x, t) & rotl(x, u))`` into the first scratch buffer."""
        first, second, spare = self.scratch
        _turn(x, rotations[1], first, spare)
        _turn(x, rotations[2], second, spare)
        np.bitwise_and(first, second, out=first)
        _turn(x, rotations[0], second, spare)
        np.bitwise_xor(first, second, out=first)
        return first

    def draw(self, keys):
        """Both words of all units, for the draw keys of the images."""
        high, low = ((keys >> shift & 0xFFFF).astype(np.uint16)[:, None] for shift in (16, 0))
        self._mix_units(high, low)
        x, y = self.x, self.y
        np.add(x, high, out=x)
        np.bitwise_xor(y, low, out=y)
        np.bitwise_xor(y, self._product(x, CROSS_ROTATIONS[0]), out=y)
        _turn(y, CROSS_ROTATIONS[1], self.scratch[0], self.scratch[1])
        np.add(x, self.scratch[0], out=x)
        np.bitwise_xor(y, self._product(x, CROSS_ROTATIONS[2]), out=y)
        return x, y


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
        shape = tuple(shape)
        if shape not in self._buffers:
            self._buffers[shape] = _Words(shape)
        images = np.arange(self.first_image, self.first_image + shape[0], dtype=np.int64)
        keys = draw_key(mix_key(np.int64(self.seed & 0xFFFFFFFF), images), self.count)
        self.count += 1
        return self._buffers[shape].draw(keys)

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

        :func:`~apical.golden.numbers.addressed.byte_sum` over its deviation; the greatest is 3.45.
        """
        x, y = self.words(shape)
        total = (x >> np.uint16(8)) + (x & np.uint16(0xFF))
        total += y >> np.uint16(8)
        total += y & np.uint16(0xFF)
        values = total.astype(self.dtype)
        values -= self.dtype.type(510)
        values *= self.dtype.type(BYTE_SUM_VARIANCE ** -0.5)
        return values
