"""Operations on state vectors: updates, copies, differences, decisions."""

from __future__ import annotations

import math
from dataclasses import dataclass

from ..errors import MisuseError
from ..numbers.addressed import BYTE_SUM_VARIANCE
from .operation import LEARNING, NOISE, PLAIN, RATE, STATE, FromCurrent, Into, Operation, describe
from .touched import stored_rates

#: Bits that a scaled factor and noise lose (see `Learn`, `Update`).
RATE_SHIFT = 10
#: Largest multiplier of noise: a positive 16-bit word.
NOISE_MAX = 32767


@dataclass(frozen=True)
class Nudge:
    """Pull towards a clamped population: ``beta * (d - u)`` with ``beta = sign * 2**-shift``.

    In raw integers it adds ``sign (d - u) 2**(fw - shift)`` to the force of an `Update`, so shifts
    above fw are refused.

    Parameters
    ----------
    target : str
        Clamped population of the same size.
    shift : int
        0..15.
    sign : int
        +1 or -1.
    random_sign : bool
        Multiply beta by the sign drawn for this image or batch; learning divides by it again.
    of_rate : bool
        Pull the rate, ``beta * (d - rho(u))``, instead of the state (paper 2).  In raw integers
        rho(u) is the stored rate.
    """

    target: str
    shift: int = 0
    sign: int = 1
    random_sign: bool = False
    of_rate: bool = False

    def complaints(self, network, size):
        """Why it cannot pull a population of `size` units: yields texts."""
        target = network.population(self.target)
        if not target.clamped or target.size != size:
            yield (f"the target of a nudge must be a clamped population of {size} units, "
                   f"'{target.name}' is not")
        if not 0 <= self.shift <= 15:
            yield f"nudge shift {self.shift} is outside 0..15 (beta is 2**-shift)"
        if self.sign not in (1, -1):
            yield f"nudge sign {self.sign}; use 1 or -1"


@dataclass(frozen=True)
class Update(FromCurrent, Operation):
    """Move a state along its force and clip (primitives P5, P6, P7, P8, P13).

    ``T = rho'(u) (A - c 2**fw) - u 2**fw + beta (d - u) 2**fw``;
    ``u = clip(u + rnd(T, fw + shift) + n)``, so the step is ``eps = 2**-shift``.
    Without leak (a sweep assigns) u is neither in T nor added to the result:
    ``u = clip(rnd(T, fw + shift) + n)``.

    rho' of the hard rates is 1 on the closed range the state is clipped to: the clip is the gate.
    The gate of logistic populations acts with leak only.  In raw integers, with
    ``a = sat(rnd(A - c 2**fw, fw))`` and ``slope`` the table of r (1 - r)
    (:mod:`~apical.golden.numbers.tables`), it makes the current ``rnd(slope(u) a, fs) 2**fw``.

    The noise is ``n = rnd(m (sum of the four bytes of w - 510), RATE_SHIFT)`` with w the 32-bit
    word of the unit (:func:`~apical.golden.numbers.addressed.draw_words`), and
    ``m = floor(sigma sqrt(2 eps) 2**(fs + RATE_SHIFT) / sqrt(21845) + 1/2)``, at most 32767.
    A byte sum has the variance 21845, so n is near normal with the deviation
    ``sigma sqrt(2 eps)``.

    On another slot than the state the same lines hold with that vector as u, limited by the state
    format only (a held current that tracks feedback, paper 2).

    In raw integers an update has one operand besides u, the current and the rate: a held current
    and a nudge in one update are refused, and so is the gate of another slot of a logistic
    population.

    Parameters
    ----------
    population : str
    current : str
        Accumulator A.
    shift : int
        -1..6; -1 doubles (the gain of a sweep).
    leak : bool
    gate : bool
        Multiply the current by rho'(u); off in systems that are no gradient systems (paper 2).
    nudge : Nudge or None
    slot : str
        The vector that moves.
    held : str or None
        Slot of the population whose vector c is subtracted from the current.
    noise : float
        Temperature parameter sigma of Langevin noise: ``sigma sqrt(2 eps) xi`` is added to the
        state, xi of variance 1 from addressed random words (papers 4 and 5).

    Notes
    -----
    Cycles: ``ceil(block / update lanes)`` a block, plus at most 12 of exposed latency.
    """

    population: str
    current: str = "current"
    shift: int = 1
    leak: bool = True
    gate: bool = True
    nudge: Nudge | None = None
    slot: str = STATE
    held: str | None = None
    noise: float = 0.0

    moves = True

    def reads(self):
        """What enters the force: the vector itself, target and pulled rate of a nudge, `held`."""
        pairs, nudge = [], self.nudge
        if self.leak or nudge is not None:
            pairs.append((self.population, self.slot))
        if nudge is not None:
            pairs.append((nudge.target, STATE))
            if nudge.of_rate:
                pairs.append((self.population, RATE))
        if self.held is not None:
            pairs.append((self.population, self.held))
        return tuple(pairs)

    def writes(self):
        """The vector that moves."""
        return ((self.population, self.slot),)

    def state_terms(self):
        """Leak, held current, and both sides of a nudge."""
        return self.leak + (self.held is not None) + 2 * (self.nudge is not None)

    def draws(self):
        """With noise."""
        return self.noise != 0

    def needs(self):
        """Units for the sign of beta, a held current and noise."""
        found = []
        if self.nudge is not None and self.nudge.random_sign:
            found.append((LEARNING, "a random sign of beta"))
        if self.held is not None:
            found.append((PLAIN, "a held current"))
        if self.noise:
            found.append((NOISE, "Langevin noise"))
        return tuple(found)

    def complaints(self, network):
        """Ranges of step, noise and nudge; size of the target."""
        if not -1 <= self.shift <= 6:
            yield f"shift {self.shift} is outside -1..6 (eps is 2**-shift)"
        if not 0 <= self.noise < 16:
            yield f"noise {self.noise} is outside 0..16"
        if self.slot != STATE and (self.nudge is not None or self.noise):
            yield f"only states are nudged or get noise, not '{self.slot}'"
        if self.nudge is not None:
            yield from self.nudge.complaints(network, network.population(self.population).size)

    def fixed_complaints(self, network, state, weight):
        """Operands, range of the nudge, strength of the noise."""
        if self.held is not None and self.nudge is not None:
            yield ("a held current and a nudge need two operands, an update has one; nudge "
                   "another population or hold no current")
        if (self.gate and self.leak and self.slot != STATE
                and self.population in stored_rates(network)):
            yield (f"the gate of slot '{self.slot}' needs the state as well, which runs in "
                   "floating point only; use gate=False")
        if self.nudge is not None and self.nudge.shift > weight.frac:
            yield (f"nudge shift {self.nudge.shift} is more than the {weight.frac} fraction bits "
                   "of the weights")
        if self.noise:
            noise_multiplier(self, state)


@dataclass(frozen=True)
class Residual(Into, FromCurrent, Operation):
    """Error of one branch in predicting its share of the state (primitive P12, paper 1).

    ``into = u 2**-share - A``; in raw integers ``sat(-rnd(A - u 2**(fw - share), fw))``, so
    shares above fw are refused.

    Parameters
    ----------
    population : str
    into : str
    current : str
        What the branch alone (and its share of the bias) predicts.
    share : int
        The state is divided by ``2**share``, the number of input groups.
    """

    population: str
    into: str = "error"
    current: str = "current"
    share: int = 0

    def reads(self):
        """The state u."""
        return ((self.population, STATE),)

    def state_terms(self):
        """The share of the state."""
        return 1

    def needs(self):
        """A sum of a current and a whole vector."""
        return ((PLAIN, "a branch error"),)

    def complaints(self, network):
        """Range of the share."""
        if not 0 <= self.share <= 3:
            yield f"share {self.share} is outside 0..3"

    def fixed_complaints(self, network, state, weight):
        """Range of the share."""
        if self.share > weight.frac:
            yield (f"share {self.share} is more than the {weight.frac} fraction bits of the "
                   "weights")


@dataclass(frozen=True)
class Clear(Operation):
    """Write zero to every unit of a state vector (primitive P1)."""

    population: str
    slot: str = STATE

    def reads(self):
        """Nothing."""
        return ()

    def writes(self):
        """The vector that becomes zero."""
        return ((self.population, self.slot),)


@dataclass(frozen=True)
class Snapshot(Into, Operation):
    """Copy one state vector of a population to another (primitive P11)."""

    population: str
    into: str
    source: str = STATE

    def reads(self):
        """The source."""
        return ((self.population, self.source),)


@dataclass(frozen=True)
class Difference(Into, Operation):
    """``into = a - b`` elementwise, saturated to the state format (primitives P11, P12).

    Parameters
    ----------
    population : str
        Population that takes the difference.
    into : str
        Its slot.
    a, b : str or (str, str)
        Slots of the population, or (population, slot) of another one of the same size.
    """

    population: str
    into: str
    a: str | tuple[str, str] = STATE
    b: str | tuple[str, str] = "free"

    @property
    def operands(self):
        """Both operands as (population, slot)."""
        return tuple((self.population, x) if isinstance(x, str) else tuple(x)
                     for x in (self.a, self.b))

    def reads(self):
        """Both operands."""
        return self.operands

    def complaints(self, network):
        """Sizes of the operands."""
        size = network.population(self.population).size
        for name, _ in self.operands:
            other = network.population(name).size
            if other != size:
                yield f"'{name}' has {other} units, '{self.population}' {size}"


@dataclass(frozen=True)
class Decide(Operation):
    """Predict the class: index of the largest state, the lowest index where states are equal."""

    population: str

    decides = True

    def reads(self):
        """The state."""
        return ((self.population, STATE),)

    def writes(self):
        """No vector."""
        return ()


def noise_multiplier(op: Update, state) -> int:
    """Multiplier m of the noise of an update in a state `Format`, see `Update`.

    Raises
    ------
    MisuseError
        For noise too strong for a 16-bit multiplier.
    """
    deviation = op.noise * math.sqrt(2 * 2.0 ** -op.shift)
    scale = 2.0 ** (state.frac + RATE_SHIFT) / math.sqrt(BYTE_SUM_VARIANCE)
    multiplier = math.floor(deviation * scale + 0.5)
    if multiplier > NOISE_MAX:
        raise MisuseError(f"{describe(op)}: noise {op.noise:g} needs the multiplier {multiplier}, "
                          f"the largest is {NOISE_MAX} (noise "
                          f"{NOISE_MAX / scale / math.sqrt(2 * 2.0 ** -op.shift):.3g}); use less "
                          "noise or fewer state fraction bits")
    return multiplier
