"""Operations on weights: projections and weight updates."""

from __future__ import annotations

from dataclasses import dataclass

from .operation import LEARNING, Operation

#: Fraction bits of a weight's last place that scaled factors keep, see `Learn`.
UPDATE_FRAC = 6


@dataclass(frozen=True)
class Project(Operation):
    """Accumulate one projection (primitive P3, and P4 where the source is the constant 1).

    ``A[into] = (A[start] or 0) + sign * sum_i r_i 2**-shift * M[i, :]``, exact.

    Parameters
    ----------
    projection : str
    into : str
        Accumulator of the target population that is written.
    start : str or None
        Accumulator that the sum starts from; None starts from 0.
    shift : int
        Rates are divided by ``2**shift``; only for constant sources (bias shares of a sweep).

    Notes
    -----
    Cycles on the engine: broadcast direction ``blocks * max(1, nonzero rates)``, dot direction
    ``rows * blocks``, plus at most 12 of exposed latency.
    """

    projection: str
    into: str = "current"
    start: str | None = None
    shift: int = 0

    def reads(self):
        """Nothing but the rates of its source."""
        return ()

    def writes(self):
        """No vector."""
        return ()

    def sums(self):
        """Itself."""
        return (self,)

    def complaints(self, network):
        """Range of the shift."""
        if not 0 <= self.shift <= 15:
            yield f"shift {self.shift} is outside 0..15"
        source = network.projection(self.projection).source
        if self.shift and not network.population(source).constant:
            yield "only rates of the constant population can be shifted"

    def fixed_complaints(self, network, state, weight):
        """What a shift leaves of 1.0."""
        if self.shift > state.frac:
            yield f"shift {self.shift} leaves nothing of 1.0 in {state}"


@dataclass(frozen=True)
class Outer:
    """One product of a weight update: ``sign * rows (x) cols``; each a (population, slot)."""

    rows: tuple[str, str]
    cols: tuple[str, str]
    sign: int = 1


@dataclass(frozen=True)
class Learn(Operation):
    """Outer-product update of a matrix (primitive P14).

    ``M += rate * sum of terms``, mean over the batch; terms are summed exactly before anything is
    rounded.

    In raw integers, one image at a time, with the rate as a 16-bit multiplier m:

    1. Each term scales its column factor, ``v = sat(rnd(+-m cols, RATE_SHIFT))``, a state write to
       slot `SCALED` of the term (``"scaled0"``, ``"scaled1"``) of the column population.  All
       terms are scaled before any weight changes.
    2. ``total[i, j] = sum of sign rows[i] v[j]`` over the terms, exact.
    3. ``M[i, j] = sat(M[i, j] + floor((total[i, j] + R) 2**-drop))`` with
       ``drop = fs + UPDATE_FRAC``: stochastic rounding.  R is the 16-bit word y of (operation, i,
       j) by :func:`~apical.golden.numbers.addressed.mix_weight`, placed at the top of the discarded
       bits (:func:`~apical.golden.numbers.addressed.rounding_addend`).  A weight is written where
       for at least one term ``rows[i]`` and ``v[j]`` both are not 0; elsewhere nothing could
       change.

    So ``rate = m 2**-(RATE_SHIFT + UPDATE_FRAC + fw - fs)``.  `UPDATE_FRAC` is the default of a
    parameter of the executor: formats with few weight bits need more.  The weight writes of an
    operation count as one in the operation count, after those of its scaled factors.

    Parameters
    ----------
    matrix : str
    terms : tuple of Outer
    by_sign : bool
        Multiply by the random sign of beta (contrast learning divides by beta).
    normalize : bool
        Divide by the batch mean of the squared length of the presynaptic rates (normalized LMS of
        learned ghosts); in floating point only.
    """

    matrix: str
    terms: tuple[Outer, ...]
    by_sign: bool = False
    normalize: bool = False

    def reads(self):
        """Nothing but the factors of its terms."""
        return ()

    def writes(self):
        """No vector but the scaled factors of its terms."""
        return ()

    def learns(self):
        """Itself."""
        return (self,)

    def needs(self):
        """The learning unit."""
        return ((LEARNING, "a weight update"),)

    def complaints(self, network):
        """Sizes of the terms."""
        shape = network.matrix(self.matrix).shape
        for term in self.terms:
            got = (network.population(term.rows[0]).size, network.population(term.cols[0]).size)
            if got != shape:
                yield (f"a term of {got[0]} x {got[1]} cannot update a matrix of {shape[0]} x "
                       f"{shape[1]}")
