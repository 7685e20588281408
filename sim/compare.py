"""Compares what an engine did with what the fixed executor said it would do."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..golden.fixed import FixedResult
from ..golden.formats import Format, dequantize
from ..golden.program import describe


@dataclass(frozen=True)
class Divergence:
    """The first value that differs.

    Attributes
    ----------
    kind : str
        ``"value"``, ``"unexpected"`` (a write nobody expected), ``"missing"`` or ``"twice"``.
    image : int
        Image of the batch.
    operation : str
        As :func:`apical.golden.program.describe` says it; ``"operation N"`` for an unexpected one.
    step : int or None
        Step of the innermost loop.
    population : str
    unit : int
    expected, got : int or None
        Raw values.
    cycle : int or None
        Clock cycle of the write since the simulation began.
    """

    kind: str
    image: int
    operation: str
    step: int | None
    population: str
    unit: int
    expected: int | None
    got: int | None
    cycle: int | None

    def place(self) -> dict:
        """The keys reports give."""
        return {"operation": self.operation, "step": self.step, "population": self.population,
                "unit": self.unit}

    def to_dict(self) -> dict:
        """All attributes."""
        return {**self.place(), "kind": self.kind, "image": self.image, "expected": self.expected,
                "got": self.got, "cycle": self.cycle}

    def sentence(self, state: Format) -> str:
        """The report a person reads."""
        def both(raw):
            return "nothing" if raw is None else f"{raw} ({float(dequantize(raw, state)):.6f})"

        step = "" if self.step is None else f", step {self.step}"
        cycle = "" if self.cycle is None else f", cycle {self.cycle}"
        return (f"first divergence: image {self.image}, {self.operation}{step}, population "
                f"{self.population}, unit {self.unit}: expected {both(self.expected)}, got "
                f"{both(self.got)}{cycle}")


class Expectation:
    """Flat form of a recorded batch, ready for comparison.

    Parameters
    ----------
    result : FixedResult
        With its trace.
    """

    def __init__(self, result: FixedResult):
        self.images = result.trace.batch
        traces = [result.trace.image(image) for image in range(self.images)]
        self.entries = [trace.entries for trace in traces]
        most = max((len(trace.numbers) for trace in traces), default=0)
        #: First place of each (image, operation), and one past the last.
        self.places = np.zeros((self.images, most + 1), np.int64)
        self.numbers = np.full((self.images, most), -1, np.int64)
        base = 0
        for image, trace in enumerate(traces):
            count = len(trace.numbers)
            self.places[image, :count + 1] = base + trace.offsets
            self.places[image, count + 1:] = base + len(trace.values)
            self.numbers[image, :count] = trace.numbers
            base += len(trace.values)
        self.values = np.concatenate([trace.values for trace in traces]) if traces \
            else np.zeros(0, np.int64)

    def locate(self, place) -> tuple[int, int, int]:
        """(image, operation count, unit) of a place in `values`."""
        image = int(np.searchsorted(self.places[:, 0], place, side="right")) - 1
        row = self.places[image]
        count = int(np.searchsorted(row, place, side="right")) - 1
        return image, count, int(place - row[count])

    def divergence(self, place, kind="value", got=None, cycle=None) -> Divergence:
        """The report of one place."""
        image, count, unit = self.locate(place)
        entry = self.entries[image][count]
        return Divergence(kind, image, describe(entry.op), entry.step, entry.vector[0], unit,
                          int(self.values[place]), got, cycle)

    def first_difference(self, other: Expectation) -> Divergence | None:
        """Where another run of the same program first differs from this one."""
        length = min(len(self.values), len(other.values))
        different = np.flatnonzero(self.values[:length] != other.values[:length])
        if not different.size:
            return None
        place = int(different[0])
        return self.divergence(place, got=int(other.values[place]))


@dataclass(frozen=True)
class Comparison:
    """Outcome of a comparison.

    Attributes
    ----------
    compared : int
        Scalar values compared.
    mismatches : int
        Values that differ, are missing, came twice or unexpected.
    first : Divergence or None
    """

    compared: int
    mismatches: int
    first: Divergence | None


def compare_trace(expected: Expectation, records, first_image=0) -> Comparison:
    """Compare every traced write with the fixed executor.

    Parameters
    ----------
    records : structured ndarray
        Trace records in order of time (``cycle, image, operation, vector, unit, count, values``).
    first_image : int
        Number of image 0 of the batch.
    """
    lanes = records["values"].shape[1]
    image = records["image"].astype(np.int64) - first_image
    operation = records["operation"].astype(np.int64)
    known = ((image >= 0) & (image < expected.images)
             & (operation < expected.numbers.shape[1]))
    image, operation = np.where(known, image, 0), np.where(known, operation, 0)
    if expected.numbers.size:
        known &= expected.numbers[image, operation] == records["vector"]
        start, end = expected.places[image, operation], expected.places[image, operation + 1]
    else:
        start = end = np.zeros(len(records), np.int64)
    lane = np.arange(lanes)
    place = (start + records["unit"])[:, None] + lane
    real = lane < records["count"][:, None]
    valid = real & known[:, None] & (place < end[:, None])
    wrong_place = real & ~valid
    wrong_value = np.zeros_like(valid)
    wrong_value[valid] = expected.values[place[valid]] != records["values"][valid]
    hits = np.bincount(place[valid], minlength=len(expected.values))
    missing, repeated = np.flatnonzero(hits == 0), int(np.maximum(hits - 1, 0).sum())
    mismatches = int(wrong_place.sum() + wrong_value.sum()) + len(missing) + repeated
    first = None
    bad = np.argwhere(wrong_place | wrong_value)
    if len(bad):
        row, column = bad[0]
        record, got = records[row], int(records["values"][row, column])
        if wrong_value[row, column]:
            first = expected.divergence(int(place[row, column]), "value", got, int(record["cycle"]))
        else:
            first = Divergence("unexpected", int(record["image"]) - first_image,
                               f"operation {record['operation']}", None,
                               f"vector {record['vector']}", int(record["unit"]) + int(column),
                               None, got, int(record["cycle"]))
    elif len(missing):
        first = expected.divergence(int(missing[0]), "missing")
    elif repeated:
        first = expected.divergence(int(np.flatnonzero(hits > 1)[0]), "twice")
    return Comparison(len(expected.values), mismatches, first)


def compare_reports(result: FixedResult, reported: dict) -> dict:
    """Compare what the engine tells of each image with the fixed executor.

    Returns
    -------
    dict of str to ndarray of shape (images,), bool
        By register: whether it agrees.  Signature, writes and saturations run on from image to
        image in the engine; here they are compared as such sums.
    """
    def running(values):
        return np.cumsum(values) & 0xFFFFFFFF

    told = {"image_steps": result.steps, "signature": running(result.signatures),
            "writes": running(result.writes), "saturations": running(result.saturations)}
    if result.predictions is not None:
        told["prediction"] = result.predictions
    return {name: reported[name] == values for name, values in told.items()}
