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
import os
from pathlib import Path

import numba
from numba.extending import register_jitable

from . import addressed, formats, tables

_DEFINITIONS = (formats, tables, addressed)


@functools.cache
def _register(module):
    """Let compiled functions call the functions of a module.

    Functions of other folders take vectors.  Inlined, they count no references to them, which
    would cost more than the arithmetic of a small vector; those of this folder are left to the
    compiler, since inlining all of them doubles its time.
    """
    inline = module not in _DEFINITIONS
    for function in vars(module).values():
        if inspect.isfunction(function) and function.__module__ == module.__name__:
            register_jitable(forceinline=inline)(function)


def _folder(modules):
    """Folder of the code of these sources, or None where nothing can be kept.

    Numba looks at the file of the entry point alone: a changed definition must not meet code that
    was kept, so its sources name the folder.
    """
    base = numba.config.CACHE_DIR
    if not base:
        here = Path(__file__).resolve().parent
        if not os.access(here, os.W_OK):
            return None
        base = here / "__pycache__"
    sources = b"".join(Path(module.__file__).read_bytes() for module in modules)
    return str(Path(base) / f"compiled-{hashlib.sha256(sources).hexdigest()[:16]}")


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

    def compile_later(function):
        folder, before = _folder(modules), numba.config.CACHE_DIR
        # Numba reads the folder when a function is declared.
        numba.config.CACHE_DIR = folder or before
        try:
            return numba.njit(cache=folder is not None)(function)
        finally:
            numba.config.CACHE_DIR = before
    return compile_later
