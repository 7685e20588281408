"""Claims of the papers as checks: each yields rows of (value, tolerance, verdict).

Each system has a module with ``GROUPS``, a tuple of functions ``group(seed)`` that yield a `Row`
for each line of the check table and a `Figure` for each plot; ``FULL``, where there is one, holds
further groups of MNIST size, which run only on request.  :func:`reproduce` runs them in order.  A
group can also be called alone, as quick tests do.

A row says why its bound is what it is.  Either it gives a `reason`, which begins with "claim": the
bound is a claim of the paper, or follows from theory.  Or it gives none, and its bound is the worst
of the recorded seeds plus three standard deviations (:mod:`apical.golden.claims.bounds`), unless
the tolerance in the code is tighter.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

import numpy as np

from ..errors import ApicalError, MisuseError
from .bounds import Bounds, holds

__all__ = ["EXECUTORS", "SYSTEMS", "Figure", "Row", "groups", "holds", "reproduce", "run_group"]

#: System -> module.
SYSTEMS = {
    "feedforward-init": ".feedforward_init",
    "ghost-units": ".ghost_units",
    "probability-flow": ".probability_flow",
    "stdp": ".stdp",
    "early-inference": ".early_inference",
    "equilibrium-propagation": ".equilibrium_propagation",
}


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
    reason : str
        Why the bound is what it is: ``"claim: ..."``; empty, if recorded seeds set it.
    name : str
        Short name of the row, in words and hyphens; empty for most rows.
    group : str
        Name of the function that yielded it; :func:`run_group` fills it in.
    limit : str
        The tolerance in the code, where recorded seeds can tighten it; filled in with the bound.
    """

    system: str
    check: str
    value: float | tuple[float, ...]
    tolerance: str
    source: str
    reason: str = ""
    name: str = ""
    group: str = ""
    limit: str = ""

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
        return {"system": self.system, "group": self.group, "name": self.name,
                "check": self.check, "value": self.value, "tolerance": self.tolerance,
                "limit": self.limit, "reason": self.reason, "passed": self.passed,
                "source": self.source}


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


def groups(name: str, executor="float", full=False) -> tuple[Callable, ...]:
    """The groups of checks of a system, by a key of `EXECUTORS`.

    Parameters
    ----------
    full : bool
        With those of MNIST size.

    Raises
    ------
    MisuseError
        For an unknown name.
    """
    if name not in SYSTEMS:
        raise MisuseError(f"unknown system '{name}'; known: {', '.join(SYSTEMS)}, all")
    if executor not in EXECUTORS:
        raise MisuseError(f"unknown executor '{executor}'; known: {', '.join(EXECUTORS)}")
    module = importlib.import_module(SYSTEMS[name] + EXECUTORS[executor], __package__)
    return module.GROUPS + (getattr(module, "FULL", ()) if full else ())


def run_group(system: str, group: Callable, seed: int, executor="float") -> Iterator[Row | Figure]:
    """Run one group of checks; its rows have the bounds of the recorded seeds and say so.

    Raises
    ------
    ApicalError
        Naming the group, if a run in it failed.
    """
    bounds = Bounds(executor, system, group.__name__)
    try:
        for item in group(seed):
            yield (bounds.applied(replace(item, group=group.__name__)) if isinstance(item, Row)
                   else item)
    except ApicalError as error:
        raise ApicalError(f"{system}, {group.__name__}: {error}") from error


def reproduce(name: str, seed: int = 0, executor="float", full=False) -> Iterator[Row | Figure]:
    """Run the checks of a system, or of ``"all"``.

    Parameters
    ----------
    name : str
        A key of `SYSTEMS`, or ``"all"``.
    seed : int
        Decides everything that is random.
    executor : str
        A key of `EXECUTORS`.
    full : bool
        With the groups of MNIST size.

    Yields
    ------
    Row or Figure
        As they are computed.
    """
    for system in SYSTEMS if name == "all" else (name,):
        for group in groups(system, executor, full):
            yield from run_group(system, group, seed, executor)
