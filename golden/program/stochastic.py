"""Operations on binary units, and the count of random words."""

from __future__ import annotations

from dataclasses import dataclass

from ..errors import MisuseError
from ..numbers.tables import LOGISTIC, samples
from .operation import NOISE, SMOOTH, STATE, FromCurrent, Into, Operation

#: What `Sample` may write.
SAMPLE_MODES = ("sample", "mean", "threshold")
#: The exponent of a flow rate is clipped to plus and minus this: rates grow as exp.
FLOW_LIMIT = 6


@dataclass(frozen=True)
class Sample(FromCurrent, Operation):
    """Draw binary states from their field A (primitive P9).

    ``s = 1`` with probability ``sigma(A) = 1 / (1 + exp(-A))``.

    In raw integers ``z = sat(rnd(A, fw))`` and p is the logistic table at z
    (:mod:`~apical.golden.numbers.tables`); with y the 16-bit random word of the unit
    (:func:`~apical.golden.numbers.addressed.draw_words`) s is one where
    ``floor(y 2**(fs - 16)) < p``, else 0.

    Parameters
    ----------
    population : str
    current : str
    mode : str
        ``"sample"``; ``"mean"`` writes the probability p itself (mean field); ``"threshold"``
        writes 1 where it is above 1/2 (in raw integers where z is above 0).  Only samples draw.
    """

    population: str
    current: str = "current"
    mode: str = "sample"

    moves = True

    def reads(self):
        """No vector."""
        return ()

    def writes(self):
        """The state."""
        return ((self.population, STATE),)

    def draws(self):
        """Samples only."""
        return self.mode == "sample"

    def needs(self):
        """The table unit; random words for samples."""
        table = (SMOOTH, "sampling"),
        return (*table, (NOISE, "sampling")) if self.draws() else table

    def complaints(self, network):
        """Name of the mode."""
        if self.mode not in SAMPLE_MODES:
            yield f"unknown mode '{self.mode}'; known: {', '.join(SAMPLE_MODES)}"

    def fixed_complaints(self, network, state, weight):
        """Formats without a table."""
        return _without_table(state)


@dataclass(frozen=True)
class FlowRate(Into, FromCurrent, Operation):
    """Flow factor of every unit from its field A (primitive P10, paper 3).

    ``q = (s - 1/2) exp((1/2 - s) A)``, the exponent clipped to +-6.

    In raw integers the exponent is ``e = sat(rnd(-A, fw + 1))`` where s is one and
    ``e = sat(rnd(A, fw + 1))`` elsewhere, clipped to +-6; q is T where s is one and -T elsewhere,
    with T the table of ``exp(e) / 2`` (:mod:`~apical.golden.numbers.tables`), saturated.

    Parameters
    ----------
    population : str
        Its states s are 0 or 1.
    into : str
        Slot that takes q.
    current : str
    """

    population: str
    into: str = "flow"
    current: str = "current"

    def reads(self):
        """The state s."""
        return ((self.population, STATE),)

    def needs(self):
        """The table unit."""
        return ((SMOOTH, "a flow rate"),)

    def fixed_complaints(self, network, state, weight):
        """Formats without a table or a sign."""
        yield from _without_table(state)
        if not state.signed:
            yield f"flow rates have both signs, states {state} have none"


@dataclass(frozen=True)
class Reseed(Operation):
    """Set the count of drawn noise vectors, so that a second run sees the same noise (twin runs).

    Random words are addressed by (seed, image, draw count, unit), see
    :func:`~apical.golden.numbers.addressed.draw_words`.  The count is 0 at the start of an image; a
    drawing `Sample` and a noisy `Update` use it and raise it by one each.
    """

    count: int = 0

    def reads(self):
        """No vector."""
        return ()

    def writes(self):
        """No vector."""
        return ()

    def needs(self):
        """Random words."""
        return ((NOISE, "a count of draws"),)

    def complaints(self, network):
        """Range of the count."""
        if not 0 <= self.count <= 65535:
            yield f"count {self.count} is outside 0..65535"


def _without_table(state):
    """Why there is no table of a state format."""
    try:
        samples(LOGISTIC, state)
    except MisuseError as error:
        yield str(error)
