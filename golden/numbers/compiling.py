"""Compiles integer arithmetic with Numba, and keeps the code: the place that says where.

Definitions are plain Python functions, in this folder and in :mod:`apical.golden.executors`.
:func:`compiled` makes them known to the compiler and compiles the function that calls them.  Only
such entry points are compiled objects: with ``entry.py_func`` everything runs as Python, which is
how tests change a constant and see the comparison fail.
"""

from __future__ import annotations

import functools
import hashlib
import inspect
from pathlib import Path

import numba
from numba.extending import register_jitable

from ..errors import ApicalError
from ..storage import cache
from . import addressed, formats, tables

_DEFINITIONS = (formats, tables, addressed)


@functools.cache
def _register(module):
    """Let compiled functions call the functions of a module."""
    for function in vars(module).values():
        if inspect.isfunction(function) and function.__module__ == module.__name__:
            register_jitable(function)


def _kept(function, modules):
    """Compile and keep the code in the cache of the user, or in the folder NUMBA_CACHE_DIR.

    Where neither can be written, each process compiles anew.  Numba looks at the file of the entry
    point alone: a changed definition must not meet code that was kept, so its sources name the
    folder.
    """
    files = [__file__, *(module.__file__ for module in modules)]
    sources = b"".join(Path(file).read_bytes() for file in files)
    name = hashlib.sha256(sources).hexdigest()[:16]
    # Numba reads this setting when a function is declared: other code keeps its own folder.
    before = numba.config.CACHE_DIR
    try:
        numba.config.CACHE_DIR = str(Path(before or cache.folder("compiled")) / name)
        return numba.njit(cache=True)(function)
    except (ApicalError, RuntimeError):  # RuntimeError: Numba has no folder that can be written
        return numba.njit(function)
    finally:
        numba.config.CACHE_DIR = before


def compiled(*modules):
    """Decorator that compiles an entry point on its first call and keeps the code.

    Parameters
    ----------
    *modules : module
        Modules whose functions the entry point calls, besides those of this folder.
    """
    modules = (*_DEFINITIONS, *modules)
    for module in modules:
        _register(module)
    return lambda function: _kept(function, modules)
