"""Claims of the papers as checks: each yields rows of (value, tolerance, verdict).

Each system has a module with ``GROUPS``, a tuple of functions ``group(seed)`` that yield a `Row`
for each line of the check table and a `Figure` for each plot.  :func:`reproduce` runs them in
order.  A group can also be called alone, as quick tests do.
"""

from __future__ import annotations

import importlib
import operator
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np

from ..errors import ApicalError, MisuseError

#: System -> module.
SYSTEMS = {
    "feedforward-init": ".feedforward_init",
    "ghost-units": ".ghost_units",
    "probability-flow": ".probability_flow",
    "stdp": ".stdp",
    "early-inference": ".early_inference",
    "equilibrium-propagation": ".equilibrium_propagation",
}

_COMPARE = {"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge,
            "=": operator.eq}


@dataclass(frozen=True)
class Row:
    """One check.

    Parameters
    ----------
    system : str
        A key of `SYSTEMS`.
    check : str
        What was measured, in one line.
    value : float or tuple of float
        Several values belong to several layers (or times); all of them must hold.
    tolerance : str
        ``"< 0.3"``, ``"<= 0"``, ``"> 0.5"``, ``">= 3"``, ``"= 0"``, ``"26 .. 32"``; or
        ``"decreasing"`` / ``"increasing"`` (strictly, along the values).  Several conditions are
        joined by ``" and "``; ``"last < 0.1"`` looks at the last value only.
    source : str
        Where the claim is stated.
    """

    system: str
    check: str
    value: float | tuple[float, ...]
    tolerance: str
    source: str

    def __post_init__(self):
        values = np.atleast_1d(np.asarray(self.value, np.float64))
        plain = tuple(float(v) for v in values)
        object.__setattr__(self, "value", plain if np.ndim(self.value) else plain[0])

    @property
    def passed(self) -> bool:
        """Whether every value is inside the tolerance; NaN never is."""
        return holds(self.value, self.tolerance)

    def as_dict(self) -> dict:
        """The row as JSON values."""
        return {"system": self.system, "check": self.check, "value": self.value,
                "tolerance": self.tolerance, "passed": self.passed, "source": self.source}


def holds(value, tolerance: str) -> bool:
    """Whether a value, or each of several, is inside a tolerance; see `Row`.

    Raises
    ------
    ValueError
        For a tolerance that cannot be read.
    """
    values = np.atleast_1d(np.asarray(value, np.float64))
    return all(_holds(values, part.strip()) for part in tolerance.split(" and "))


def _holds(values, tolerance):
    if not (values.size and np.isfinite(values).all()):
        return False
    if tolerance == "decreasing":
        return bool((np.diff(values) < 0).all())
    if tolerance == "increasing":
        return bool((np.diff(values) > 0).all())
    if tolerance.startswith("last "):
        return _holds(values[-1:], tolerance.removeprefix("last "))
    number = r"([-+]?[0-9.]+(?:e[-+]?[0-9]+)?)"
    if found := re.fullmatch(rf"(<=|>=|<|>|=) {number}", tolerance):
        return bool(_COMPARE[found[1]](values, float(found[2])).all())
    if found := re.fullmatch(rf"{number} \.\. {number}", tolerance):
        return bool(((values >= float(found[1])) & (values <= float(found[2]))).all())
    raise ValueError(f"tolerance '{tolerance}' cannot be read")


@dataclass(frozen=True)
class Figure:
    """The content of a plot, as numbers; ``apical reproduce --plots`` draws it.

    Parameters
    ----------
    name : str
        File name without its ending.
    title, x_label, y_label : str
    lines : dict of str to (sequence, sequence)
        Curves (x, y) by their legend.
    points : dict of str to (sequence, sequence)
        The same, drawn as points.
    images : sequence of (str, ndarray of shape (height, width))
        Drawn side by side instead of curves.
    log_x, log_y : bool
        Logarithmic axes.
    """

    name: str
    title: str
    x_label: str = ""
    y_label: str = ""
    lines: dict = field(default_factory=dict)
    points: dict = field(default_factory=dict)
    images: tuple = ()
    log_x: bool = False
    log_y: bool = False


#: Executors that check claims, and the ending of their modules: floating point, or raw integers for
#: the claims that can hold there.
EXECUTORS = {"float": "", "fixed": "_fixed"}


def groups(name: str, executor="float") -> tuple[Callable, ...]:
    """The groups of checks of a system, by a key of `EXECUTORS`.

    Raises
    ------
    MisuseError
        For an unknown name.
    """
    if name not in SYSTEMS:
        raise MisuseError(f"unknown system '{name}'; known: {', '.join(SYSTEMS)}, all")
    if executor not in EXECUTORS:
        raise MisuseError(f"unknown executor '{executor}'; known: {', '.join(EXECUTORS)}")
    return importlib.import_module(SYSTEMS[name] + EXECUTORS[executor], __package__).GROUPS


def reproduce(name: str, seed: int = 0, executor="float") -> Iterator[Row | Figure]:
    """Run the checks of a system, or of ``"all"``.

    Parameters
    ----------
    name : str
        A key of `SYSTEMS`, or ``"all"``.
    seed : int
        Decides everything that is random.
    executor : str
        A key of `EXECUTORS`.

    Yields
    ------
    Row or Figure
        As they are computed.
    """
    for system in SYSTEMS if name == "all" else (name,):
        for group in groups(system, executor):
            try:
                yield from group(seed)
            except ApicalError as error:
                raise ApicalError(f"{system}, {group.__name__}: {error}") from error
