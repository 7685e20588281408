"""Bounds of checks: what a tolerance says, and what recorded seeds make of it.

``bounds.json`` has, for each row that is not a claim, its bound from the recorded seeds: the worst
value plus three standard deviations of the worst value of a seed.  ``python -m bench.bounds``
writes it from the records; no number in it is typed.  A bound only ever gets tighter: where the
tolerance in the code is the tighter one, it stays.
"""

from __future__ import annotations

import functools
import json
import math
import operator
import re
import statistics
from dataclasses import replace
from pathlib import Path

import numpy as np

from ..errors import ApicalError

#: Standard deviations between the worst value and the bound.
DEVIATIONS = 3
#: Reasons of rows that give none.
RECORDED = "worst of {count} recorded seeds ({seeds}) plus three standard deviations"
TIGHTER = ("set in the code; the worst of {count} recorded seeds ({seeds}) plus three standard "
           "deviations is looser: {tolerance}")
UNRECORDED = "set in the code; no seeds are recorded"
EXACT = "claim: it holds or it does not, there is no distance"
#: Tables by executor.
FILE = Path(__file__).with_name("bounds.json")

_COMPARE = {"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge,
            "=": operator.eq}
_NUMBER = r"([-+]?[0-9.]+(?:e[-+]?[0-9]+)?)"


def holds(value, tolerance: str) -> bool:
    """Whether a value, or each of several, is inside a tolerance; see `Row`.

    Raises
    ------
    ValueError
        For a tolerance that cannot be read.
    """
    values = np.atleast_1d(np.asarray(value, np.float64))
    return all(_holds(values, part) for part in parts(tolerance))


def _holds(values, part):
    kind, last, *numbers = part
    if not (values.size and np.isfinite(values).all()):
        return False
    if last:
        values = values[-1:]
    if kind == "decreasing":
        return bool((np.diff(values) < 0).all())
    if kind == "increasing":
        return bool((np.diff(values) > 0).all())
    if kind == "..":
        return bool(((values >= numbers[0]) & (values <= numbers[1])).all())
    return bool(_COMPARE[kind](values, numbers[0]).all())


def parts(tolerance: str) -> list[tuple]:
    """Conditions of a tolerance: (kind, whether of the last value only, numbers ..).

    Raises
    ------
    ValueError
        For a tolerance that cannot be read.
    """
    found = []
    for text in tolerance.split(" and "):
        text, last = text.strip(), text.strip().startswith("last ")
        text = text.removeprefix("last ")
        if text in ("decreasing", "increasing"):
            found.append((text, last))
        elif match := re.fullmatch(rf"(<=|>=|<|>|=) {_NUMBER}", text):
            found.append((match[1], last, float(match[2])))
        elif match := re.fullmatch(rf"{_NUMBER} \.\. {_NUMBER}", text):
            found.append(("..", last, float(match[1]), float(match[2])))
        else:
            raise ValueError(f"tolerance '{tolerance}' cannot be read")
    return found


def _text(part):
    kind, last, *numbers = part
    shown = [f"{number:.12g}" for number in numbers]
    text = f"{shown[0]} .. {shown[1]}" if kind == ".." else " ".join([kind, *shown])
    return f"last {text}" if last else text


def derived(tolerance: str, values) -> str:
    """The bound that recorded values make: worst plus three standard deviations.

    Parameters
    ----------
    tolerance : str
        Its form is kept: which side is bounded, and of which values.
    values : sequence
        The value, or values, of each seed; two seeds at least.

    Returns
    -------
    str
        Bounds are rounded away from the values, to three digits.  ``= x``, ``decreasing`` and
        ``increasing`` have no distance and stay.
    """
    values = [np.atleast_1d(np.asarray(v, np.float64)) for v in values]
    found = []
    for kind, last, *numbers in parts(tolerance):
        seen = [v[-1:] for v in values] if last else values
        if kind in ("<", "<="):
            found.append(("<=", last, _beyond([v.max() for v in seen], 1)))
        elif kind in (">", ">="):
            found.append((">=", last, _beyond([v.min() for v in seen], -1)))
        elif kind == "..":
            found.append(("..", last, _beyond([v.min() for v in seen], -1),
                          _beyond([v.max() for v in seen], 1)))
        else:
            found.append((kind, last, *numbers))
    return " and ".join(map(_text, found))


def _beyond(worst, sign):
    """The most extreme value plus `DEVIATIONS` standard deviations, in a direction."""
    far = sign * (max(sign * w for w in worst) + DEVIATIONS * statistics.stdev(worst))
    if not math.isfinite(far):
        return float(far)
    digits = 2 - math.floor(math.log10(abs(far))) if far else 0
    rounded = (math.ceil if sign > 0 else math.floor)(far * 10.0 ** digits) / 10.0 ** digits
    return rounded if sign * rounded >= sign * far else far


def tighter(tolerance: str, other: str) -> str:
    """The tighter of two tolerances of one form, condition by condition."""
    found = []
    for own, theirs in zip(parts(tolerance), parts(other), strict=True):
        (kind, last, *numbers), (_, _, *bounds) = own, theirs
        if kind in ("<", "<="):
            found.append(own if numbers[0] <= bounds[0] else theirs)
        elif kind in (">", ">="):
            found.append(own if numbers[0] >= bounds[0] else theirs)
        elif kind == "..":
            found.append((kind, last, max(numbers[0], bounds[0]), min(numbers[1], bounds[1])))
        else:
            found.append(own)
    return " and ".join(map(_text, found))


def key(check: str, seen: dict) -> str:
    """Key of a row within its group: its check, without counts that depend on the seed.

    Parameters
    ----------
    seen : dict of str to int
        Counts equal checks of a group; changed.
    """
    plain = re.sub(r" \([0-9]+ / [0-9]+\)", "", check)
    seen[plain] = seen.get(plain, 0) + 1
    return plain if seen[plain] == 1 else f"{plain} #{seen[plain]}"


@functools.cache
def table() -> dict:
    """The content of `FILE`: executor, then ``system/group``, then key of the row -> bound."""
    try:
        return json.loads(FILE.read_text())
    except (OSError, ValueError) as error:
        raise ApicalError(f"bounds of checks '{FILE}' cannot be read: {error}; install the "
                          "package again") from error


class Bounds:
    """Bounds of the rows of one group, in the order in which it yields them.

    Parameters
    ----------
    executor, system, group : str
    """

    def __init__(self, executor, system, group):
        self.bounds = table().get(executor, {}).get(f"{system}/{group}", {})
        self.seen = {}

    def applied(self, row):
        """The row with the tighter of its bounds, and the reason of the one that counts."""
        name = key(row.check, self.seen)
        if row.reason:
            return row
        if all(kind in ("=", "decreasing", "increasing") for kind, *_ in parts(row.tolerance)):
            return replace(row, reason=EXACT)
        bound = self.bounds.get(name)
        if bound is None:
            return replace(row, limit=row.tolerance, reason=UNRECORDED)
        best = tighter(row.tolerance, bound["tolerance"])
        same = best == tighter(row.tolerance, row.tolerance)
        return replace(row, tolerance=row.tolerance if same else best, limit=row.tolerance,
                       reason=(TIGHTER if same else RECORDED).format(**bound))
