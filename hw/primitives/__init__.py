"""Cells of device families for the memories and the multiplier of the engine.

Each family is one module with eight functions, ``word_memory(m, memory)``,
``lane_memory(m, memory)``, ``chunk_memory(m, memory)``, ``multiplier(m, multiplier)``,
``accumulator(m, accumulator)`` and ``product_sum(m, product)``: they add to module `m` what drives
the outputs of a component of :mod:`apical.hw.engine.memory`, :mod:`apical.hw.engine.lanes`,
:mod:`apical.hw.engine.counter` or :mod:`apical.hw.engine.product` from its inputs; and
``select(m, word, select, size, name)``, which returns one of the parts of a word, and
``register(m, value, late, clears)``, one of several registers of the same value.
Latency and ports belong to the component, so that all families behave alike, cycle by cycle.
"""

from __future__ import annotations

import importlib


def family(name: str):
    """The module of a family named in :data:`apical.hw.interface.config.PRIMITIVES`."""
    return importlib.import_module(f".{name}", __package__)
