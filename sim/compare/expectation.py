"""Writes that the fixed executor expects of an engine, in flat arrays; reports of differences."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...golden.executors.fixed.executor import FixedResult
from ...golden.executors.trace import WeightEntry
from ...golden.numbers.formats import Format, dequantize
from ...golden.program import describe


@dataclass(frozen=True)
class Divergence:
    """The first value that differs.

    Attributes
    ----------
    kind : str
        ``"value"``, ``"unexpected"`` (a write that should not be), ``"missing"`` or ``"twice"``.
    image : int
        Image of the batch.
    operation : str
        As :func:`apical.golden.program.describe` says it; ``"operation N"`` for an unexpected one.
    step : int or None
        Step of the innermost loop.
    population, unit : str, int; None for a weight
    expected, got : int or None
        Raw values.
    cycle : int or None
        Clock cycle of the write since the simulation began.
    matrix, row, column : str, int, int; None for a state
    """

    kind: str
    image: int
    operation: str
    step: int | None
    population: str | None
    unit: int | None
    expected: int | None
    got: int | None
    cycle: int | None
    matrix: str | None = None
    row: int | None = None
    column: int | None = None

    def place(self) -> dict:
        """The keys reports give."""
        if self.matrix is not None:
            return {"operation": self.operation, "step": self.step, "matrix": self.matrix,
                    "row": self.row, "column": self.column}
        return {"operation": self.operation, "step": self.step, "population": self.population,
                "unit": self.unit}

    def to_dict(self) -> dict:
        """All attributes that apply."""
        return {**self.place(), "kind": self.kind, "image": self.image, "expected": self.expected,
                "got": self.got, "cycle": self.cycle}

    def sentence(self, state: Format, weight: Format | None = None) -> str:
        """The report for people."""
        fmt = state if self.matrix is None else weight

        def both(raw):
            if raw is None:
                return "nothing"
            real = "" if fmt is None else f" ({float(dequantize(raw, fmt)):.6f})"
            return f"{raw}{real}"

        step = "" if self.step is None else f", step {self.step}"
        cycle = "" if self.cycle is None else f", cycle {self.cycle}"
        where = (f"population {self.population}, unit {self.unit}" if self.matrix is None
                 else f"matrix {self.matrix}, row {self.row}, column {self.column}")
        what = {"twice": "written twice, ", "missing": "never written, "}.get(self.kind, "")
        return (f"first divergence: image {self.image}, {self.operation}{step}, {where}: {what}"
                f"expected {both(self.expected)}, got {both(self.got)}{cycle}")


class Expectation:
    """Flat form of a recorded batch, ready for comparison.

    Parameters
    ----------
    result : FixedResult
        With its trace.

    Attributes
    ----------
    values : ndarray of int64
        States, by image, operation and unit.
    places : ndarray of shape (images, operations + 1), int64
        First place of each (image, operation), and one past the last.
    numbers : ndarray of shape (images, operations), int64
        Vector (or 128 + matrix) number of each operation; -1 where there is none.
    ordinals : ndarray of shape (images, operations), int64
        Which weight update an operation is, in order of time; -1 where it is none.
    weight_keys, weight_values : ndarray of int64
        ``ordinal << 32 | row << 16 | column`` of each weight that is written, in order, and what.
    """

    def __init__(self, result: FixedResult):
        trace = result.trace
        self.images = trace.batch
        most = int(result.operations.max()) if len(result.operations) else 0
        shape = self.images, most
        sizes, self.numbers = np.zeros(shape, np.int64), np.full(shape, -1, np.int64)
        #: Trace entry of each operation.
        self.index = np.full(shape, -1, np.int64)
        self.trace, self._matrices = trace.entries, {}
        for index, entry in enumerate(trace.entries):
            at = entry.images, entry.counts
            self.numbers[at], self.index[at] = entry.number, index
            if isinstance(entry, WeightEntry):
                self._matrices[entry.number] = entry.matrix
            else:
                sizes[at] = entry.values.shape[1]
        ends = np.cumsum(sizes.ravel()).reshape(shape)
        first = np.zeros((self.images, 1), np.int64) if not most else (ends - sizes)[:, :1]
        self.places = np.concatenate([first, ends], axis=1)
        self.values = np.zeros(int(ends[-1, -1]) if ends.size else 0, np.int64)
        weights = []
        for entry in trace.entries:
            if isinstance(entry, WeightEntry):
                weights.append((int(entry.images[0]), int(entry.counts[0]), entry))
            else:
                begin = self.places[entry.images, entry.counts]
                self.values[begin[:, None] + np.arange(entry.values.shape[1])] = entry.values
        self._weights(weights, shape)

    def _weights(self, entries, shape):
        self.ordinals, keys, values = np.full(shape, -1, np.int64), [], []
        entries.sort(key=lambda item: item[:2])
        for ordinal, (image, count, entry) in enumerate(entries):
            self.ordinals[image, count] = ordinal
            keys.append(weight_key(ordinal, entry.rows, entry.cols))
            values.append(entry.values)
        self._updates = [item[:2] for item in entries]
        nothing = [np.zeros(0, np.int64)]
        keys, values = np.concatenate(keys or nothing), np.concatenate(values or nothing)
        order = np.argsort(keys, kind="stable")
        self.weight_keys, self.weight_values = keys[order], values[order]

    def matrix(self, number) -> str:
        """Name of the matrix of a number, where there is one."""
        return self._matrices.get(int(number), f"number {int(number)}")

    def locate(self, place) -> tuple[int, int, int]:
        """(image, operation count, unit) of a place in `values`."""
        image = int(np.searchsorted(self.places[:, 0], place, side="right")) - 1
        row = self.places[image]
        count = int(np.searchsorted(row, place, side="right")) - 1
        return image, count, int(place - row[count])

    def locate_weight(self, place) -> tuple[int, int, int, int]:
        """(image, operation count, row, column) of a place in `weight_values`."""
        ordinal, address = divmod(int(self.weight_keys[place]), 1 << 32)
        return (*self._updates[ordinal], *divmod(address, 1 << 16))

    def divergence(self, place, kind="value", got=None, cycle=None) -> Divergence:
        """The report of one place."""
        image, count, unit = self.locate(place)
        entry = self.trace[self.index[image, count]]
        return Divergence(kind, image, describe(entry.op), entry.step, entry.vector[0], unit,
                          int(self.values[place]), got, cycle)

    def weight_divergence(self, place, kind="value", got=None, cycle=None) -> Divergence:
        """The report of one place of `weight_values`."""
        image, count, row, column = self.locate_weight(place)
        entry = self.trace[self.index[image, count]]
        return Divergence(kind, image, describe(entry.op), entry.step, None, None,
                          int(self.weight_values[place]), got, cycle, entry.matrix, row, column)

    def first_difference(self, other: Expectation) -> Divergence | None:
        """Where the states of another run of the same program first differ from this one's."""
        length = min(len(self.values), len(other.values))
        different = np.flatnonzero(self.values[:length] != other.values[:length])
        if not different.size:
            return None
        place = int(different[0])
        return self.divergence(place, got=int(other.values[place]))


def weight_key(ordinal, rows, cols):
    """One number for a weight of an update (see `Expectation`)."""
    return (np.asarray(ordinal, np.int64) << 32 | np.asarray(rows, np.int64) << 16
            | np.asarray(cols, np.int64))
