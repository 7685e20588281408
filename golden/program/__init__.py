"""Programs: an algorithm as a short list of operations, run alike by every executor.

An operation declares what it touches (:class:`Operation`): checks, bounds, numbering, program files
and the assembler follow from that.  Each executor has one handler for it in a table ``HANDLERS``.

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
from .loops import Relax
from .operation import (
    KINDS,
    LEARNING,
    NOISE,
    PLAIN,
    RATE,
    SCALED,
    SMOOTH,
    STATE,
    FromCurrent,
    Into,
    Operation,
    describe,
    handler_of,
)
from .program import Program, accumulators, vectors
from .states import (
    RATE_SHIFT,
    Clear,
    Decide,
    Difference,
    Nudge,
    Residual,
    Snapshot,
    Update,
    noise_multiplier,
)
from .stochastic import FLOW_LIMIT, SAMPLE_MODES, FlowRate, Reseed, Sample
from .touched import (
    draws,
    matrices_used,
    rates_read,
    scaled_factors,
    stored,
    stored_rates,
    vectors_read,
    vectors_written,
    walk,
    written_vector,
)
from .weights import UPDATE_FRAC, Learn, Outer, Project

__all__ = [
    "Clear", "Decide", "Difference", "FLOW_LIMIT", "FlowRate", "FromCurrent", "Into", "KINDS",
    "LEARNING", "Learn", "MAX_DEPTH", "NOISE", "Nudge", "Operation", "Outer", "PLAIN", "Program",
    "Project", "RATE", "RATE_SHIFT", "Relax", "Reseed", "Residual", "SAMPLE_MODES", "SCALED",
    "SMOOTH", "STATE", "Sample", "Snapshot", "UPDATE_FRAC", "Update", "accumulators", "describe",
    "draws", "handler_of", "matrices_used", "noise_multiplier", "rates_read", "scaled_factors",
    "stored", "stored_rates", "vectors", "vectors_read", "vectors_written", "walk",
    "written_vector",
]
