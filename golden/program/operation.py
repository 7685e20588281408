"""What every operation declares, so that passes over programs know no operation by name."""

from __future__ import annotations

from dataclasses import fields, is_dataclass

from ..errors import MisuseError

#: Slots of a population: its state, and its rate, which is read only.
STATE, RATE = "state", "rate"
#: Slots of the scaled factors of the first, second .. term of a weight update.
SCALED = ("scaled0", "scaled1", "scaled2", "scaled3")
#: Optional units of an engine: weight updates and the sign of beta; tables; random words; sums of
#: a current and a whole vector.
LEARNING, SMOOTH, NOISE, PLAIN = "learning", "smooth", "noise", "plain"

#: All operations by name: program files name them so.
KINDS: dict[str, type] = {}


class Operation:
    """Base of all operations: says what one touches.

    An operation is a frozen dataclass that inherits from this class.  It declares `reads` and
    `writes`, and of the rest what is not "nothing".  Checks, bounds, program files, the assembler
    and the documentation follow from that; each executor adds one handler (``HANDLERS``).

    A vector is ``(population, slot)``, an accumulator ``(population, name)``.

    Attributes
    ----------
    moves : bool
        Whether a loop until settled waits until the written vector rests.
    decides : bool
        Whether it decides the class of the image.

    Raises
    ------
    TypeError
        For a class without `reads` or `writes`, or with the name of another operation.
    """

    moves = False
    decides = False

    def __init_subclass__(cls, **arguments):
        super().__init_subclass__(**arguments)
        for name in ("reads", "writes"):
            if getattr(cls, name) is getattr(Operation, name):
                raise TypeError(f"operation {cls.__name__} does not declare what it {name}; define "
                                f"{name}(), with an empty tuple for nothing")
        known = KINDS.get(cls.__name__, cls)
        if (known.__module__, known.__qualname__) != (cls.__module__, cls.__qualname__):
            raise TypeError(f"operation {cls.__name__} of {cls.__module__} has the name of one in "
                            f"{known.__module__}; program files need different names")
        KINDS[cls.__name__] = cls

    def reads(self):
        """Vectors that it reads, besides those of `sums` and `learns`: tuple of (str, str)."""
        raise NotImplementedError

    def writes(self):
        """Vectors that it writes, each a counted state write: tuple of (str, str).

        The rate that follows from a state is written too and is not named here.
        """
        raise NotImplementedError

    def sums(self):
        """Projections that it accumulates: tuple of `Project`.  They come before all else."""
        return ()

    def currents(self):
        """Accumulators that it reads, besides the starts of `sums`: tuple of (str, str)."""
        return ()

    def state_terms(self):
        """How many vectors it adds to a current before it rounds the sum (a bound): int."""
        return 0

    def learns(self):
        """Weight updates that it makes: tuple of `Learn`.  They come after all else."""
        return ()

    def draws(self):
        """Whether it draws a random word for each unit."""
        return False

    def loop(self):
        """``(times, body)`` of a loop, the most times that it runs; None for all others."""
        return None

    def needs(self):
        """Optional units of an engine that it needs: tuple of (unit, what needs it)."""
        return ()

    def complaints(self, network):
        """Why it cannot run on a network: yields texts.  Fields, ranges, sizes."""
        return ()

    def fixed_complaints(self, network, state, weight):
        """Why raw integers of a state and a weight `Format` cannot do it: yields texts."""
        return ()

    def label(self):
        """One line that names it in reports, see `describe`."""
        written = self.writes()
        slot = f".{written[0][1]}" if written and written[0][1] != STATE else ""
        return _title(self) + slot


class Into:
    """What operations share that write slot `into` of a population, which reports always show."""

    def writes(self):
        """One vector."""
        return ((self.population, self.into),)

    def label(self):
        """As of `Operation`."""
        return f"{_title(self)}.{self.into}"


class FromCurrent:
    """What operations share that take the accumulator `current` of a population."""

    def currents(self):
        """One accumulator."""
        return ((self.population, self.current),)


def _title(op):
    """Name of an operation and its first field."""
    return f"{type(op).__name__} {getattr(op, fields(op)[0].name)}"


def describe(op) -> str:
    """One line naming an operation, as reports show it: ``Update h1``."""
    if isinstance(op, Operation):
        return op.label()
    return _title(op) if is_dataclass(op) else repr(op)


def handler_of(handlers, op, whose):
    """The handler of an operation.

    Parameters
    ----------
    handlers : dict of type to handler
    op : Operation
    whose : str
        Whose table that is, and where: ``"float executor (module.HANDLERS)"``.

    Raises
    ------
    MisuseError
        When the table has none.
    """
    handler = handlers.get(type(op))
    if handler is None:
        raise MisuseError(f"{describe(op)}: the {whose} has no handler for operation "
                          f"{type(op).__name__}; add one to the table")
    return handler
