"""Comparison of weight records: every kind of difference, the first one named."""

import numpy as np
import pytest

from apical.golden.executors.fixed.executor import FixedExecutor
from apical.golden.executors.trace import WeightEntry
from apical.golden.network import layered
from apical.golden.numbers.formats import STATE, WEIGHT
from apical.golden.systems import equilibrium
from apical.sim.bench.streams import state_stream, weight_stream
from apical.sim.compare.compare import Expectation, compare_sums, compare_trace
from apical.sim.cosim.learning import joined

LANES = 3
NETWORK = layered((5, 4, 3))
PROGRAM = equilibrium.training(NETWORK, 1, 2)
RATES = {m.name: 0.4 for m in NETWORK.matrices}


def run(first_image=0, images=2):
    """A recorded run of two images."""
    rng = np.random.default_rng(2)
    weights = {m.name: rng.integers(-800, 1400, m.shape) for m in NETWORK.matrices}
    inputs = {"x": rng.integers(0, 4097, (2, 5)), "d": 4096 * np.eye(3, dtype=int)[[0, 2]]}
    executor = FixedExecutor(NETWORK, weights)
    return executor.run(PROGRAM, {name: values[:images] for name, values in inputs.items()},
                        first_image=first_image, record=True, rates=RATES)


@pytest.fixture(scope="module")
def result():
    return run()


def state_records(result):
    """State records of an engine that updates 8 units a cycle: one for each operation."""
    entries = [e for e in result.trace.entries if not isinstance(e, WeightEntry)]
    made = np.zeros(len(entries), state_stream(8).dtype)
    for row, entry in zip(made, entries, strict=True):
        row["image"], row["operation"] = entry.images[0], entry.counts[0]
        row["vector"], row["count"] = entry.number, entry.values.shape[1]
        row["values"][:row["count"]] = entry.values[0]
        row["cycle"] = 1000 * row["image"] + 10 * row["operation"]
    return made


@pytest.fixture
def states(result):
    return state_records(result)


@pytest.fixture
def weights(result):
    """The records of an engine of three lanes, hidden matrices turned; in no order."""
    rows, dtype = [], weight_stream(LANES).dtype
    for entry in result.trace.entries:
        if not isinstance(entry, WeightEntry):
            continue
        turned = entry.matrix == "W2"
        scalar, lane = (entry.cols, entry.rows) if turned else (entry.rows, entry.cols)
        words = sorted(set(zip(scalar.tolist(), (lane // LANES).tolist(), strict=True)))
        for place, block in words:
            row = np.zeros((), dtype)
            row["image"], row["operation"] = entry.images[0], entry.counts[0]
            row["matrix"], row["turned"] = entry.number, turned
            row["scalar"], row["first"] = place, block * LANES
            for s, x, value in zip(scalar, lane, entry.values, strict=True):
                if s == place and x // LANES == block:
                    row["mask"] = int(row["mask"]) | 1 << int(x) % LANES
                    row["values"][x % LANES] = value
            row["cycle"] = 1000 * row["image"] + 10 * row["operation"] + 1 + len(rows) % 7
            rows.append(row)
    made = np.array(rows, dtype)
    return made[np.random.default_rng(0).permutation(len(made))]


def outcome(result, states, weights, **options):
    return compare_trace(Expectation(result), states, weight_records=weights, **options)


def lanes_of(record):
    return [lane for lane in range(LANES) if record["mask"] >> lane & 1]


def place_of(record, lane):
    pair = int(record["scalar"]), int(record["first"]) + lane
    return pair[::-1] if record["turned"] else pair


def test_what_agrees(result, states, weights):
    told = outcome(result, states, weights)
    written = sum(len(e.values) for e in result.trace.entries if isinstance(e, WeightEntry))
    assert (told.mismatches, told.first) == (0, None)
    assert told.compared == result.writes.sum() and told.weights_compared == written > 50
    assert {bool(r["turned"]) for r in weights} == {True, False}


def test_lanes_that_are_not_written_are_not_looked_at(result, states, weights):
    for record in weights:
        for lane in set(range(LANES)) - set(lanes_of(record)):
            record["values"][lane] = 77
    assert outcome(result, states, weights).mismatches == 0


@pytest.mark.parametrize("turned", [False, True])
def test_a_wrong_weight(result, states, weights, turned):
    record = weights[np.flatnonzero(weights["turned"] == turned)[3]]
    lane = lanes_of(record)[-1]
    healthy = int(record["values"][lane])
    record["values"][lane] = healthy ^ 1
    told = outcome(result, states, weights)
    first = told.first
    assert told.mismatches == 1 and told.compared == result.writes.sum()
    assert (first.kind, first.image, first.cycle) == ("value", record["image"], record["cycle"])
    matrix = "W2" if turned else first.matrix
    assert (first.matrix, first.row, first.column) == (matrix, *place_of(record, lane))
    assert (first.expected, first.got) == (healthy, healthy ^ 1)
    assert first.operation == f"Learn {first.matrix}" and first.step is None
    assert set(first.to_dict()) == {"operation", "step", "matrix", "row", "column", "kind",
                                    "image", "expected", "got", "cycle"}
    assert first.sentence(STATE, WEIGHT) == (
        f"first divergence: image {first.image}, Learn {matrix}, matrix {matrix}, row "
        f"{first.row}, column {first.column}: expected {healthy} ({healthy / 4096:.6f}), got "
        f"{healthy ^ 1} ({(healthy ^ 1) / 4096:.6f}), cycle {first.cycle}")


def test_the_first_in_time_of_states_and_weights(result, states, weights):
    late, early = np.argmax(weights["cycle"]), np.argmin(weights["cycle"])
    weights["values"][late, lanes_of(weights[late])[0]] ^= 1
    states["values"][-1, 0] ^= 1
    told = outcome(result, states, weights)
    assert told.mismatches == 2
    assert told.first.cycle == min(weights["cycle"][late], states["cycle"][-1])
    weights["values"][early, lanes_of(weights[early])[0]] ^= 1
    assert outcome(result, states, weights).first.matrix is not None


def test_a_missing_record(result, states, weights):
    gone = weights[5].copy()
    told = outcome(result, states, np.delete(weights, 5))
    first = told.first
    assert told.mismatches == len(lanes_of(gone)) and first.kind == "missing"
    assert (first.row, first.column) in [place_of(gone, lane) for lane in lanes_of(gone)]
    assert (first.got, first.cycle) == (None, None) and first.image == gone["image"]
    assert "never written, expected" in first.sentence(STATE, WEIGHT)


def test_a_missing_write_comes_before_what_follows_from_it(result, states, weights):
    """The write that did not come is earlier than the wrong ones behind it."""
    early = int(np.argmin(weights["cycle"]))
    late = int(np.argmax(weights["operation"] + 100 * weights["image"]))
    weights["values"][late, lanes_of(weights[late])[0]] ^= 1
    gone = weights[early].copy()
    told = outcome(result, states, np.delete(weights, early))
    assert (told.first.kind, told.first.image) == ("missing", gone["image"])


@pytest.mark.parametrize("records", ["none", None])
def test_no_weights_at_all(result, states, weights, records):
    told = outcome(result, states, weights[:0] if records else None)
    assert told.mismatches == told.weights_compared > 0
    assert (told.first.kind, told.first.matrix, told.first.image) == ("missing", "W1", 0)


def test_a_record_that_comes_twice(result, states, weights):
    told = outcome(result, states, np.concatenate([weights, weights[4:5]]))
    assert told.mismatches == len(lanes_of(weights[4])) and told.first.kind == "twice"
    assert "written twice" in told.first.sentence(STATE, WEIGHT)


@pytest.mark.parametrize(("field", "value"), [
    ("matrix", 140), ("matrix", 3), ("operation", 900), ("operation", 0), ("image", 2),
    ("image", 1 << 31), ("scalar", 60), ("first", 65535)])
def test_an_unexpected_record(result, states, weights, field, value):
    """It is no write of the program; the one whose place it took is missing."""
    record = weights[2]
    record[field] = value
    count = len(lanes_of(record))
    told = outcome(result, states, weights)
    first = told.first
    assert told.mismatches == 2 * count
    assert (first.kind, first.expected, first.cycle) == ("unexpected", None, record["cycle"])
    assert first.operation == f"operation {record['operation']}"
    assert first.got == record["values"][lanes_of(record)[0]]
    assert (first.row, first.column) == place_of(record, lanes_of(record)[0])


def test_a_lane_too_many(result, states, weights):
    part = next(r for r in weights if len(lanes_of(r)) < LANES)
    part["mask"] = (1 << LANES) - 1
    told = outcome(result, states, weights)
    assert told.first.kind == "unexpected" and told.mismatches > 0


def test_weights_nobody_learns(result, weights):
    """Weight records of a program without updates are unexpected, each of their lanes."""
    from apical.golden.program.layered import inference

    rng = np.random.default_rng(1)
    raw = {m.name: rng.integers(-1000, 1000, m.shape) for m in NETWORK.matrices}
    inputs = {"x": rng.integers(0, 9, (2, 5))}
    other = FixedExecutor(NETWORK, raw).run(inference(NETWORK, 1), inputs, record=True)
    rows = []
    for image in range(2):
        trace = other.trace.image(image)
        for count, entry in enumerate(trace.entries):
            row = np.zeros((), state_stream(8).dtype)
            row["image"], row["operation"], row["vector"] = image, count, entry.number
            row["count"] = entry.values.shape[1]
            row["values"][:row["count"]] = entry.values[image]
            rows.append(row)
    told = outcome(other, np.array(rows), weights[:1])
    assert told.mismatches == len(lanes_of(weights[0])) and told.weights_compared == 0
    assert told.first.kind == "unexpected"


def test_numbers_of_images_go_on(result, states, weights):
    states["image"] += 70
    weights["image"] += 70
    assert outcome(result, states, weights, first_image=70).mismatches == 0
    assert outcome(result, states, weights).first.kind == "unexpected"


def test_passes_are_joined(result, states, weights):
    """Two runs that follow each other are one of both."""
    both = joined([run(0, 1), run(0, 1)])
    assert both.trace.batch == 2 and len(both.writes) == 2
    doubled = []
    for records in (states, weights):
        again = records[records["image"] == 0].copy()
        again["image"] = 1
        doubled.append(np.concatenate([records[records["image"] == 0], again]))
    told = outcome(both, *doubled)
    assert told.mismatches == 0 and told.compared == both.writes.sum()


def test_sums_now_and_then(result):
    at = np.array([1, 2])
    told = {name: np.cumsum(getattr(result, key))[at - 1] & 0xFFFFFFFF for name, key in (
        ("signature", "signatures"), ("writes", "writes"), ("saturations", "saturations"))}
    assert all(ok.all() for ok in compare_sums(result, told, at).values())
    told["signature"] = told["signature"] ^ np.array([0, 1])
    assert compare_sums(result, told, at)["signature"].tolist() == [True, False]
