"""Record of every state and weight write of a run, in the order an engine makes them.

An image's writes are numbered by its own count of writing operations; each operation on states
writes every unit of one vector once.  That makes a flat list of expected values with a known
place for each (operation, unit), so that a trace from anywhere is compared with one gather.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Entry:
    """One state-writing operation over the images that ran it.

    Attributes
    ----------
    path : tuple of int
        Positions in the program, loop steps between them: ``(3, 0, 2)`` is operation 2 of step 0
        of the loop at position 3.
    op : operation
    number : int
        Vector number.
    vector : (str, str)
        Population and slot.
    images : ndarray of shape (k,), int64
        Images of the batch that ran it.
    counts : ndarray of shape (k,), int64
        Operation count of each of them.
    values : ndarray of shape (k, n), int64
        Raw values written.
    """

    path: tuple
    op: object
    number: int
    vector: tuple
    images: np.ndarray
    counts: np.ndarray
    values: np.ndarray

    @property
    def step(self):
        """Step of the innermost loop, or None outside loops."""
        return self.path[-2] if len(self.path) > 1 else None


@dataclass(frozen=True)
class WeightEntry:
    """The weight writes of one operation of one image.

    Attributes
    ----------
    path, op
        As those of `Entry`.
    number : int
        128 + number of the matrix.
    matrix : str
    images, counts : ndarray of shape (1,), int64
        The image of the batch and its operation count.
    rows, cols : ndarray of shape (k,), int64
        Addresses of the weights that are written, in row order.
    values : ndarray of shape (k,), int64
        New raw weights.
    """

    path: tuple
    op: object
    number: int
    matrix: str
    images: np.ndarray
    counts: np.ndarray
    rows: np.ndarray
    cols: np.ndarray
    values: np.ndarray

    #: As `Entry.step`.
    step = Entry.step

    @property
    def vector(self):
        """(matrix, ``"weights"``), where reports show a population and slot."""
        return self.matrix, "weights"


@dataclass(frozen=True)
class ImageTrace:
    """The writes of one image, flat.

    Attributes
    ----------
    entries : list of Entry and WeightEntry
        By operation count.
    numbers : ndarray of shape (operations,), int64
        Vector number of each operation.
    offsets : ndarray of shape (operations + 1,), int64
        Operation ``c`` wrote ``values[offsets[c]:offsets[c + 1]]``; empty where it wrote weights.
    values : ndarray of int64
        States written.
    """

    entries: list
    numbers: np.ndarray
    offsets: np.ndarray
    values: np.ndarray

    @property
    def weights(self):
        """The entries that wrote weights."""
        return [entry for entry in self.entries if isinstance(entry, WeightEntry)]

    def locate(self, place):
        """(operation count, unit) of a place in `values`."""
        count = int(np.searchsorted(self.offsets, place, side="right")) - 1
        return count, int(place - self.offsets[count])


class Trace:
    """Every write of a batch.

    Parameters
    ----------
    batch : int
    """

    def __init__(self, batch):
        self.batch = batch
        self.entries = []

    def append(self, path, op, number, vector, images, counts, values):
        """Add one operation's writes (see `Entry`)."""
        self.entries.append(Entry(path, op, number, vector, images, counts, values))

    def append_weights(self, path, op, number, matrix, image, count, rows, cols, values):
        """Add the weight writes of one operation of one image (see `WeightEntry`)."""
        self.entries.append(WeightEntry(path, op, number, matrix, np.array([image]),
                                        np.array([count]), rows, cols, values))

    def image(self, image) -> ImageTrace:
        """The writes of one image of the batch."""
        mine, values = [], []
        for entry in self.entries:
            if len(entry.images) == self.batch:
                row = image
            else:
                row = int(np.searchsorted(entry.images, image))
                if row == len(entry.images) or entry.images[row] != image:
                    continue
            mine.append(entry)
            weights = isinstance(entry, WeightEntry)
            values.append(entry.values[:0] if weights else entry.values[row])
        sizes = [len(v) for v in values]
        return ImageTrace(mine, np.array([e.number for e in mine], np.int64),
                          np.concatenate([[0], np.cumsum(sizes, dtype=np.int64)]).astype(np.int64),
                          np.concatenate(values) if values else np.zeros(0, np.int64))
