"""Compiled inner loop of the float executor, the same numbers in one pass instead of four.

On large batches a relaxation step is bound by the passes over the states, not by the products.
Numba is imported on first use: small networks never pay for it.
"""

from __future__ import annotations

import functools


def _move(u, force, keep, eps, low, high):
    for i in range(u.shape[0]):
        for j in range(u.shape[1]):
            # The order of operations of the NumPy path, so that results are equal bit for bit.
            value = (u[i, j] * keep + force[i, j]) * eps
            value = low if value < low else value
            u[i, j] = high if value > high else value


@functools.cache
def mover(dtype: str):
    """Compiled ``u = clip((u * keep + force) * eps, low, high)``, in place.

    Parameters
    ----------
    dtype : str
        Type of all arguments, ``"float32"`` or ``"float64"``.

    Returns
    -------
    callable
        ``move(u, force, keep, eps, low, high)`` with C-contiguous arrays of shape (batch, n).
    """
    import numba

    # An explicit signature compiles here, not within the first step that is timed; no fast-math,
    # which would contract multiply and add.
    array = f"{dtype}[:,::1]"
    return numba.njit(f"void({array},{array},{dtype},{dtype},{dtype},{dtype})")(_move)
