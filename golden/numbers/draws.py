"""Random words of a batch of images, compiled."""

from __future__ import annotations

from .addressed import draw_row
from .compiling import compiled


@compiled()
def draw(x, y, keys):
    """Random words of units, :func:`~apical.golden.numbers.addressed.draw_words`.

    Parameters
    ----------
    x, y : ndarray of shape (batch, units), uint16
        Take the words.
    keys : ndarray of shape (batch,), int64
        Draw key of each image.
    """
    for b in range(len(keys)):
        draw_row(x[b], y[b], keys[b])
