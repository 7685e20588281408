"""Operations: the steps that programs are made of, with their arithmetic.

See :mod:`apical.golden.program` for what they have in common.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

STATE = "state"
RATE = "rate"
#: Bits that a scaled factor and noise lose (see `Learn`, `Update`), and fraction bits of a weight's
#: last place that scaled factors keep.
RATE_SHIFT, UPDATE_FRAC = 10, 6
#: Slots of the scaled factors of the first, second .. term of an update.
SCALED = ("scaled0", "scaled1", "scaled2", "scaled3")
#: What `Sample` may write.
SAMPLE_MODES = ("sample", "mean", "threshold")
#: The exponent of a flow rate is clipped to plus and minus this: rates grow as exp.
FLOW_LIMIT = 6


@dataclass(frozen=True)
class Project:
    """Accumulate one projection (primitive P3, and P4 where the source is the constant 1).

    ``A[into] = (A[start] or 0) + sign * sum_i r_i 2**-shift * M[i, :]``, exact.

    Parameters
    ----------
    projection : str
    into : str
        Accumulator of the target population that is written.
    start : str or None
        Accumulator it starts from; None starts from 0.
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


@dataclass(frozen=True)
class Update:
    """Move a state along its force and clip (primitives P5, P6, P7, P8, P13).

    ``T = rho'(u) (A - c 2**fw) - u 2**fw + beta (d - u) 2**fw``;
    ``u = clip(u + rnd(T, fw + shift) + n)``, so the step is ``eps = 2**-shift``.
    Without leak (a sweep assigns) u stands neither in T nor before the sum:
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


@dataclass(frozen=True)
class Sample:
    """Draw binary states from their field A (primitive P9).

    ``s = 1`` with chance ``sigma(A) = 1 / (1 + exp(-A))``.

    In raw integers ``z = sat(rnd(A, fw))`` and p is the logistic table at z
    (:mod:`~apical.golden.numbers.tables`); with y the 16-bit random word of the unit
    (:func:`~apical.golden.numbers.addressed.draw_words`) s is one where
    ``floor(y 2**(fs - 16)) < p``, else 0.

    Parameters
    ----------
    population : str
    current : str
    mode : str
        ``"sample"``; ``"mean"`` writes the chance p itself (mean field); ``"threshold"`` writes
        1 where it is above 1/2 (in raw integers where z is above 0).  Only samples draw.
    """

    population: str
    current: str = "current"
    mode: str = "sample"


@dataclass(frozen=True)
class FlowRate:
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


@dataclass(frozen=True)
class Residual:
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


@dataclass(frozen=True)
class Reseed:
    """Set the count of drawn noise vectors, so that a second run sees the same noise (twin runs).

    Random words are addressed by (seed, image, draw count, unit), see
    :func:`~apical.golden.numbers.addressed.draw_words`.  The count is 0 at the start of an image; a
    drawing `Sample` and a noisy `Update` use it and raise it by one each.
    """

    count: int = 0


@dataclass(frozen=True)
class Clear:
    """Write zero to every unit of a state vector (primitive P1)."""

    population: str
    slot: str = STATE


@dataclass(frozen=True)
class Snapshot:
    """Copy one state vector of a population to another (primitive P11)."""

    population: str
    into: str
    source: str = STATE


@dataclass(frozen=True)
class Difference:
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


@dataclass(frozen=True)
class Decide:
    """Predict the class: index of the greatest state, the lowest index where states are equal."""

    population: str


@dataclass(frozen=True)
class Outer:
    """One product of a weight update: ``sign * rows (x) cols``; each a (population, slot)."""

    rows: tuple[str, str]
    cols: tuple[str, str]
    sign: int = 1


@dataclass(frozen=True)
class Learn:
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


@dataclass(frozen=True)
class Relax:
    """Repeat a body of operations, a fixed number of times or until settled.

    Parameters
    ----------
    steps : int
        Greatest number of repetitions; 0 skips the body.
    body : tuple of operations
    settled : float or None
        Stop after a step in which ``max |u' - u| <= settled`` over all its `Update` and `Sample`
        (after the clip).  In raw integers the threshold is ``floor(settled * 2**fs)``.  What
        draws random words never settles and is refused inside.
    """

    steps: int
    body: tuple
    settled: float | None = None


#: Operations that write a state vector; each is one state write operation of the signature.
WRITES_STATE = (Update, Sample, FlowRate, Residual, Clear, Snapshot, Difference)


def written_vector(op):
    """(population, slot) that an operation writes, or None."""
    if isinstance(op, Update):
        return op.population, op.slot
    if isinstance(op, Sample):
        return op.population, STATE
    if isinstance(op, Clear):
        return op.population, op.slot
    if isinstance(op, Snapshot | Difference | FlowRate | Residual):
        return op.population, op.into
    return None


def walk(ops):
    """All operations of a list, loop bodies included, in program order."""
    for op in ops:
        yield op
        if isinstance(op, Relax):
            yield from walk(op.body)


def draws(op):
    """Whether an operation draws random words for its units."""
    return (isinstance(op, Sample) and op.mode == "sample") or (
        isinstance(op, Update) and op.noise != 0)


def describe(op) -> str:
    """One line naming an operation, as reports show it: ``Update h1``."""
    if isinstance(op, Relax):
        until = "" if op.settled is None else f" until settled within {op.settled:g}"
        return f"Relax at most {op.steps} steps{until}" if until else f"Relax {op.steps} steps"
    first = getattr(op, fields(op)[0].name)
    slot = (f".{op.into}" if isinstance(op, Snapshot | Difference | FlowRate | Residual)
            else "")
    slot = f".{op.slot}" if isinstance(op, Clear | Update) and op.slot != STATE else slot
    return f"{type(op).__name__} {first}{slot}"
