"""Compiled functions whose machine code is stored in the cache of the user."""

from __future__ import annotations

from numba import config, njit

from ...errors import ApicalError
from ...storage import cache


def njit_kept(function):
    """Compile as :func:`numba.njit` does, and keep the machine code in the cache.

    The environment variable NUMBA_CACHE_DIR names another folder. Where neither can be written,
    the function is compiled anew by each process.
    """
    # Numba reads this setting when a function is decorated: other code keeps its own folder.
    before = config.CACHE_DIR
    try:
        config.CACHE_DIR = before or str(cache.folder("compiled"))
        return njit(cache=True)(function)
    except (ApicalError, RuntimeError):  # RuntimeError: Numba has no folder that can be written
        return njit(function)
    finally:
        config.CACHE_DIR = before
