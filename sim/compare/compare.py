"""Compares what an engine did with what the fixed executor said it would do."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...golden.executors.fixed.executor import FixedResult
from .expectation import Divergence, Expectation, weight_key

__all__ = ["Comparison", "Divergence", "Expectation", "compare_reports", "compare_sums",
           "compare_trace"]


@dataclass(frozen=True)
class Comparison:
    """Outcome of a comparison.

    Attributes
    ----------
    compared : int
        Scalar values compared, states and weights.
    mismatches : int
        Values that differ, are missing, came twice or unexpected.
    first : Divergence or None
    weights_compared : int
        Those of the values that are weights.
    """

    compared: int
    mismatches: int
    first: Divergence | None
    weights_compared: int = 0


@dataclass(frozen=True)
class _Found:
    """Differences in one kind of record."""

    mismatches: int
    #: The first wrong record in time: (cycle, image and operation or None, report).
    wrong: tuple | None
    #: Expected places that no record or several records hit, the first of each: (image,
    #: operation, report).
    others: list


def compare_trace(expected: Expectation, records, first_image=0,
                  weight_records=None) -> Comparison:
    """Compare every traced write with the fixed executor.

    Records may come in any order; their cycles decide which is first.

    Parameters
    ----------
    records : structured ndarray
        State records (``cycle, image, operation, vector, unit, count, values``).
    first_image : int
        Number of image 0 of the batch.
    weight_records : structured ndarray, optional
        Weight records (``cycle, image, operation, matrix, scalar, first, turned, mask, values``);
        without them no weight may have been expected.
    """
    found = [_states(expected, records, first_image)]
    if weight_records is not None:
        found.append(_weights(expected, weight_records, first_image))
    elif len(expected.weight_keys):
        found.append(_Found(len(expected.weight_keys), None,
                            [(*expected.locate_weight(0)[:2],
                              expected.weight_divergence(0, "missing"))]))
    weights = len(expected.weight_keys)
    return Comparison(len(expected.values) + weights, sum(f.mismatches for f in found),
                      _first(found), weights)


def _first(found):
    """The first report: in time, or in program order where a write is missing."""
    wrong = min((f.wrong for f in found if f.wrong), key=lambda w: w[0], default=None)
    other = min((o for f in found for o in f.others), key=lambda o: o[:2], default=None)
    if wrong is None or (other is not None and wrong[1] is not None and other[:2] < wrong[1]):
        return None if other is None else other[2]
    return wrong[2]


def _addressed(expected, records, number, first_image):
    """(image, operation, whether such an operation is expected) of each record."""
    image = records["image"].astype(np.int64) - first_image
    operation = records["operation"].astype(np.int64)
    known = ((image >= 0) & (image < expected.images)
             & (operation < expected.numbers.shape[1]))
    image, operation = np.where(known, image, 0), np.where(known, operation, 0)
    if not expected.numbers.size:
        return image, operation, np.zeros(len(records), bool)
    return image, operation, known & (expected.numbers[image, operation] == number)


def _judge(places, valid, wanted, records, wrong_place, report, unexpected, where):
    """Wrong, missing and repeated writes of one kind of record.

    Parameters
    ----------
    places : ndarray of shape (records, lanes), int64
        Place of each value among the expected ones, where `valid`.
    wanted : ndarray of int64
        Expected value at each place.
    wrong_place : ndarray of shape (records, lanes), bool
        Values that have no place.
    report : callable
        (place, kind, got, cycle) -> Divergence.
    unexpected : callable
        (record, lane) -> Divergence.
    where : callable
        place -> (image, operation).
    """
    wrong_value = np.zeros_like(valid)
    wrong_value[valid] = wanted[places[valid]] != records["values"][valid]
    hits = np.bincount(places[valid], minlength=len(wanted))
    lost, again = np.flatnonzero(hits == 0), np.flatnonzero(hits > 1)
    mismatches = (int(wrong_place.sum() + wrong_value.sum()) + len(lost)
                  + int((hits[again] - 1).sum()))
    first, rows = None, np.flatnonzero((wrong_place | wrong_value).any(axis=1))
    if len(rows):
        row = int(rows[np.argmin(records["cycle"][rows])])
        lane = int(np.argmax(wrong_place[row] | wrong_value[row]))
        record = records[row]
        cycle, got = int(record["cycle"]), int(record["values"][lane])
        if wrong_value[row, lane]:
            place = int(places[row, lane])
            first = cycle, where(place), report(place, "value", got, cycle)
        else:
            first = cycle, None, unexpected(record, lane, got, cycle)
    others = [(*where(int(some[0])), report(int(some[0]), kind))
              for some, kind in ((lost, "missing"), (again, "twice")) if len(some)]
    return _Found(mismatches, first, others)


def _states(expected, records, first_image):
    image, operation, known = _addressed(expected, records, records["vector"], first_image)
    if expected.numbers.size:
        start, end = expected.places[image, operation], expected.places[image, operation + 1]
    else:
        start = end = np.zeros(len(records), np.int64)
    lane = np.arange(records["values"].shape[1])
    places = (start + records["unit"])[:, None] + lane
    real = lane < records["count"][:, None]
    valid = real & known[:, None] & (places < end[:, None])

    def unexpected(record, lane, got, cycle):
        return Divergence("unexpected", int(record["image"]) - first_image,
                          f"operation {record['operation']}", None,
                          f"vector {record['vector']}", int(record["unit"]) + lane, None, got,
                          cycle)

    return _judge(places, valid, expected.values, records, real & ~valid, expected.divergence,
                  unexpected, lambda place: expected.locate(place)[:2])


def _weights(expected, records, first_image):
    image, operation, known = _addressed(expected, records, records["matrix"], first_image)
    ordinal = (expected.ordinals[image, operation] if expected.ordinals.size
               else np.full(len(records), -1, np.int64))
    lane = np.arange(records["values"].shape[1])
    real = (records["mask"].astype(np.uint64)[:, None] >> lane.astype(np.uint64) & 1).astype(bool)
    along = records["first"].astype(np.int64)[:, None] + lane
    scalar = np.broadcast_to(records["scalar"].astype(np.int64)[:, None], along.shape)
    turned = records["turned"].astype(bool)[:, None]
    rows, cols = np.where(turned, along, scalar), np.where(turned, scalar, along)
    valid = real & (known & (ordinal >= 0))[:, None] & (along < 1 << 16)
    places = np.zeros(along.shape, np.int64)
    keys = weight_key(np.broadcast_to(ordinal[:, None], along.shape)[valid], rows[valid],
                      cols[valid])
    at = np.searchsorted(expected.weight_keys, keys)
    found = at < len(expected.weight_keys)
    found[found] = expected.weight_keys[at[found]] == keys[found]
    places[valid] = np.where(found, at, 0)
    valid[valid] = found

    def unexpected(record, lane, got, cycle):
        pair = int(record["scalar"]), int(record["first"]) + lane
        row, column = pair[::-1] if record["turned"] else pair
        return Divergence("unexpected", int(record["image"]) - first_image,
                          f"operation {record['operation']}", None, None, None, None, got, cycle,
                          expected.matrix(record["matrix"]), row, column)

    return _judge(places, valid, expected.weight_values, records, real & ~valid,
                  expected.weight_divergence, unexpected,
                  lambda place: expected.locate_weight(place)[:2])


def _running(values):
    """Sums up to each image, as in the 32-bit registers."""
    return np.cumsum(values) & 0xFFFFFFFF


def compare_reports(result: FixedResult, reported: dict) -> dict:
    """Compare what the engine reports of each image with the fixed executor.

    Returns
    -------
    dict of str to ndarray of shape (images,), bool
        By register: whether it agrees.  Signature, writes and saturations run on from image to
        image in the engine; here they are compared as such sums.
    """
    expected = {"image_steps": result.steps, "signature": _running(result.signatures),
                "writes": _running(result.writes), "saturations": _running(result.saturations)}
    if result.predictions is not None:
        expected["prediction"] = result.predictions
    return {name: reported[name] == values for name, values in expected.items()}


def compare_sums(result: FixedResult, reported: dict, images) -> dict:
    """Compare sums that were read now and then, over all images so far.

    Parameters
    ----------
    reported : dict of str to ndarray
        ``signature``, ``writes`` and ``saturations``, one value each time they were read.
    images : ndarray of int64
        How many images had run each time.

    Returns
    -------
    dict of str to ndarray of bool
    """
    sums = {"signature": result.signatures, "writes": result.writes,
            "saturations": result.saturations}
    at = np.asarray(images) - 1
    return {name: reported[name] == _running(values)[at] for name, values in sums.items()}
