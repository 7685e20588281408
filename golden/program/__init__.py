"""Programs: an algorithm as a short list of operations, run alike by every executor.

Operations name populations, projections, state *vectors* ``(population, slot)`` and *accumulators*
``(population, name)``.  Slot ``"state"`` is the state u itself; other slots hold snapshots and
differences; slot ``"rate"`` is read only and stands for rho(u), which is u itself where the rate is
hard.  Accumulators are exact sums of currents; nothing is rounded until an operation on states.

Arithmetic is stated in raw integers: states have ``fs`` fraction bits, weights ``fw``, accumulators
``fa = fs + fw``; ``rnd(v, s)`` is :func:`~apical.golden.numbers.formats.round_shift`, ``sat`` clips
to the state format and ``clip`` to the range of the vector: that of the rate for states, else the
format. In floating point the same lines hold without the rounding.

Writes are counted, and each operation that writes has a number of its own, which enters the
signature (:mod:`~apical.golden.numbers.addressed`).  What a write clips is counted as a saturation;
``sat`` inside an expression is not.

The rate of a logistic population is a vector of its own in raw integers, ``(population, "rate")``.
Every operation that writes the state u of such a population is followed at once by a further write,
counted as an operation, of the logistic table at u (:mod:`~apical.golden.numbers.tables`).  A
program that reads such a rate before it first writes the state is refused, and so are rates of
clamped logistic populations.
"""

from .check import MAX_DEPTH
from .operations import (
    FLOW_LIMIT,
    RATE,
    RATE_SHIFT,
    SAMPLE_MODES,
    SCALED,
    STATE,
    UPDATE_FRAC,
    WRITES_STATE,
    Clear,
    Decide,
    Difference,
    FlowRate,
    Learn,
    Nudge,
    Outer,
    Project,
    Relax,
    Reseed,
    Residual,
    Sample,
    Snapshot,
    Update,
    describe,
    draws,
    walk,
    written_vector,
)
from .program import Program, accumulators, stored, stored_rates, vectors

__all__ = [
    "Clear", "Decide", "Difference", "FLOW_LIMIT", "FlowRate", "Learn", "MAX_DEPTH", "Nudge",
    "Outer", "Program", "Project", "RATE", "RATE_SHIFT", "Relax", "Reseed", "Residual",
    "SAMPLE_MODES", "SCALED", "STATE", "Sample", "Snapshot", "UPDATE_FRAC", "Update",
    "WRITES_STATE", "accumulators", "describe", "draws", "stored", "stored_rates", "vectors",
    "walk", "written_vector",
]
