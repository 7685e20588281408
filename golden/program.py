"""Programs: an algorithm as a short list of operations, run alike by every executor.

Operations name populations, projections, state *vectors* ``(population, slot)`` and *accumulators*
``(population, name)``.  Slot ``"state"`` is the state u itself; other slots hold snapshots and
differences; slot ``"rate"`` is read only and stands for rho(u), which is u itself where the rate is
hard.  Accumulators are exact sums of currents; nothing is rounded until an `Update`.

Arithmetic is stated in raw integers: states have ``fs`` fraction bits, weights ``fw``, accumulators
``fa = fs + fw``; ``rnd(v, s)`` is :func:`~apical.golden.formats.round_shift`.
In floating point the same lines hold without the rounding.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

from .errors import MisuseError
from .network import Network

STATE = "state"
RATE = "rate"


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
        Pull the rate, ``beta * (d - rho(u))``, instead of the state (paper 2).
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
    ``u = clip(u + rnd(T, fw + shift) + noise)``, so the step is ``eps = 2**-shift``.
    Without leak (a sweep assigns): ``u = clip(rnd(A, fw + shift))``.

    On another slot than the state it makes that vector follow a current (a held current that
    tracks feedback, paper 2); such a vector is limited by the number format only.

    rho' of the hard rates is 1 on the closed range the state is clipped to: the clip is the gate.

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
        state, xi standard normal from addressed random words (papers 4 and 5).

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

    Parameters
    ----------
    population : str
    current : str
    mode : str
        ``"sample"``; ``"mean"`` writes the chance itself (mean field); ``"threshold"`` writes 1
        where it is above 1/2.
    """

    population: str
    current: str = "current"
    mode: str = "sample"


@dataclass(frozen=True)
class FlowRate:
    """Flow factor of every unit from its field A (primitive P10, paper 3).

    ``q = (s - 1/2) exp((1/2 - s) A)``, the exponent clipped to +-6.

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

    ``into = u 2**-share - A``, rounded and saturated to the state format.

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

    Random words are addressed by (seed, image, draw count, unit); `Sample` and noisy `Update` raise
    the draw count by one each.
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
       j) by :func:`~apical.golden.mix.mix_weight`, placed at the top of the discarded bits
       (:func:`~apical.golden.mix.rounding_addend`).  A weight is written where for at least one
       term ``rows[i]`` and ``v[j]`` both are not 0; elsewhere nothing could change.

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
        Stop after a step in which ``max |u' - u| <= settled`` over all its updates (after the
        clip).  In raw integers the threshold is ``floor(settled * 2**fs)``.
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


@dataclass(frozen=True)
class Program:
    """An algorithm over a network, run once an image (or batch).

    Parameters
    ----------
    name : str
    ops : tuple of operations

    Raises
    ------
    MisuseError
        From :meth:`check`, for operations that do not match the network.
    """

    name: str
    ops: tuple

    def check(self, network: Network):
        """Raise `MisuseError` for the first operation that cannot run on this network."""
        written = {(p.name, STATE) for p in network.populations if p.fixed_rate}
        filled = set()
        self._check(self.ops, network, written, filled, depth=0)

    def _check(self, ops, network, written, filled, depth):
        if depth > MAX_DEPTH:
            raise MisuseError(f"program '{self.name}' nests loops deeper than {MAX_DEPTH}")
        for op in ops:
            where = f"program '{self.name}', {describe(op)}"
            if (written_vector(op) or (None, None))[1] == RATE:
                raise MisuseError(f"{where}: the rate follows from the state and is never written")
            if isinstance(op, Project):
                projection = network.projection(op.projection)
                if op.start is not None and (projection.target, op.start) not in filled:
                    raise MisuseError(f"{where}: accumulator '{op.start}' of "
                                      f"'{projection.target}' is used before it is filled")
                if not 0 <= op.shift <= 15:
                    raise MisuseError(f"{where}: shift {op.shift} is outside 0..15")
                if op.shift and not network.population(projection.source).constant:
                    raise MisuseError(f"{where}: only rates of the constant population can be "
                                      "shifted")
                filled.add((projection.target, op.into))
            elif isinstance(op, Update | Sample | FlowRate | Residual):
                population = network.population(op.population)
                written_state = written_vector(op) == (op.population, STATE)
                if written_state and population.fixed_rate:
                    raise MisuseError(f"{where}: '{op.population}' is clamped or constant")
                if (op.population, op.current) not in filled:
                    raise MisuseError(f"{where}: accumulator '{op.current}' is used before it "
                                      "is filled")
                if isinstance(op, Update):
                    self._check_update(op, population, network, where)
                elif isinstance(op, Sample) and op.mode not in SAMPLE_MODES:
                    raise MisuseError(f"{where}: unknown mode '{op.mode}'; known: "
                                      f"{', '.join(SAMPLE_MODES)}")
                elif isinstance(op, Residual) and not 0 <= op.share <= 3:
                    raise MisuseError(f"{where}: share {op.share} is outside 0..3")
                written.add(written_vector(op))
            elif isinstance(op, Clear | Snapshot | Difference):
                population = network.population(op.population)
                if population.fixed_rate and written_vector(op)[1] == STATE:
                    raise MisuseError(f"{where}: '{op.population}' is clamped or constant")
                if isinstance(op, Difference):
                    for name, _ in op.operands:
                        if network.population(name).size != population.size:
                            raise MisuseError(
                                f"{where}: '{name}' has {network.population(name).size} units, "
                                f"'{op.population}' {population.size}")
                written.add(written_vector(op))
            elif isinstance(op, Reseed):
                if not 0 <= op.count <= 65535:
                    raise MisuseError(f"{where}: count {op.count} is outside 0..65535")
            elif isinstance(op, Relax):
                if op.steps < 0:
                    raise MisuseError(f"{where}: {op.steps} steps")
                if op.settled is not None and not op.settled >= 0:
                    raise MisuseError(f"{where}: settled threshold {op.settled} is negative")
                if op.settled is not None and any(
                        isinstance(inner, Relax) and inner.settled is not None
                        for inner in walk(op.body)):
                    raise MisuseError(f"{where}: a loop until settled cannot hold another one")
                # A loop without steps leaves nothing behind.
                left = (written, filled) if op.steps else (set(written), set(filled))
                self._check(op.body, network, *left, depth + 1)
            elif isinstance(op, Decide):
                network.population(op.population)
            elif isinstance(op, Learn):
                shape = network.matrix(op.matrix).shape
                for term in op.terms:
                    got = (network.population(term.rows[0]).size,
                           network.population(term.cols[0]).size)
                    if got != shape:
                        raise MisuseError(f"{where}: a term of {got[0]} x {got[1]} cannot update "
                                          f"a matrix of {shape[0]} x {shape[1]}")
            else:
                raise MisuseError(f"{where}: not an operation")

    @classmethod
    def _check_update(cls, op, population, network, where):
        if not -1 <= op.shift <= 6:
            raise MisuseError(f"{where}: shift {op.shift} is outside -1..6 (eps is 2**-shift)")
        if not 0 <= op.noise < 16:
            raise MisuseError(f"{where}: noise {op.noise} is outside 0..16")
        if op.slot != STATE and (op.nudge is not None or op.noise):
            raise MisuseError(f"{where}: only states are nudged or get noise, not '{op.slot}'")
        if op.nudge is not None:
            cls._check_nudge(op, population, network, where)

    @staticmethod
    def _check_nudge(op, population, network, where):
        target = network.population(op.nudge.target)
        if not target.clamped or target.size != population.size:
            raise MisuseError(f"{where}: the target of a nudge must be a clamped population of "
                              f"{population.size} units, '{target.name}' is not")
        if not 0 <= op.nudge.shift <= 15:
            raise MisuseError(f"{where}: nudge shift {op.nudge.shift} is outside 0..15 "
                              "(beta is 2**-shift)")
        if op.nudge.sign not in (1, -1):
            raise MisuseError(f"{where}: nudge sign {op.nudge.sign}; use 1 or -1")

    def inputs(self, network: Network):
        """Names of the clamped populations whose states the program reads, in network order."""
        read = set()
        for op in walk(self.ops):
            if isinstance(op, Project):
                read.add(network.projection(op.projection).source)
            elif isinstance(op, Update) and op.nudge is not None:
                read.add(op.nudge.target)
            elif isinstance(op, Snapshot | Decide | FlowRate | Residual):
                read.add(op.population)
            elif isinstance(op, Difference):
                read.update(name for name, _ in op.operands)
            elif isinstance(op, Learn):
                read.update(name for t in op.terms for name in (t.rows[0], t.cols[0]))
        return [p.name for p in network.clamped if p.name in read]


#: Loops inside loops.
MAX_DEPTH = 4
#: Bits that a scaled factor loses (see `Learn`), and its fraction bits of a weight's last place.
RATE_SHIFT, UPDATE_FRAC = 10, 6
#: Slots of the scaled factors of the first, second .. term of an update.
SCALED = ("scaled0", "scaled1", "scaled2", "scaled3")
#: What `Sample` may write.
SAMPLE_MODES = ("sample", "mean", "threshold")


def vectors(network: Network, program: Program):
    """All state vectors, in the order that numbers them (the number enters the signature).

    Returns
    -------
    list of (str, str)
        (population, slot): the states of all populations in network order, then further slots in
        the order the program first names them, then the scaled factors of weight updates.
    """
    found = [(p.name, STATE) for p in network.populations]
    for op in walk(program.ops):
        named = [written_vector(op)]
        if isinstance(op, Snapshot):
            named.append((op.population, op.source))
        elif isinstance(op, Difference):
            named += op.operands
        elif isinstance(op, Update) and op.held is not None:
            named.append((op.population, op.held))
        elif isinstance(op, Learn):
            named += [pair for t in op.terms for pair in (t.rows, t.cols)]
        for pair in named:
            if pair is not None and pair[1] != RATE and pair not in found:
                found.append(pair)
    for op in walk(program.ops):
        if isinstance(op, Learn):
            scaled = [(term.cols[0], slot) for term, slot in zip(op.terms, SCALED)]
            found += [pair for pair in scaled if pair not in found]
    return found


def accumulators(network: Network, program: Program):
    """All accumulators (population, name), in the order the program first names them."""
    found = []
    for op in walk(program.ops):
        if isinstance(op, Project):
            pair = network.projection(op.projection).target, op.into
            if pair not in found:
                found.append(pair)
    return found


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
