"""Comparison of records with what was expected: every kind of difference, the first one named."""

import numpy as np
import pytest

from apical.golden.executors.fixed.executor import FixedExecutor
from apical.golden.network import layered
from apical.golden.numbers.formats import Format
from apical.golden.program import STATE
from apical.golden.program.layered import inference
from apical.sim.bench.streams import state_stream
from apical.sim.compare.compare import Expectation, compare_reports, compare_trace

LANES = 2
NETWORK = layered((5, 3, 2))
PROGRAM = inference(NETWORK, 2)


@pytest.fixture(scope="module")
def result():
    rng = np.random.default_rng(2)
    weights = {m.name: rng.integers(-3000, 3000, m.shape) for m in NETWORK.matrices}
    return FixedExecutor(NETWORK, weights).run(PROGRAM, {"x": rng.integers(0, 4097, (2, 5))},
                                               record=True)


@pytest.fixture
def records(result):
    """The records that an engine of two update lanes would make."""
    rows = []
    for image in range(2):
        trace = result.trace.image(image)
        for count, entry in enumerate(trace.entries):
            values = trace.values[trace.offsets[count]:trace.offsets[count + 1]]
            for unit in range(0, len(values), LANES):
                rows.append((image, count, entry.number, unit, values[unit:unit + LANES]))
    made = np.zeros(len(rows), state_stream(LANES).dtype)
    for row, (image, count, number, unit, values) in zip(made, rows, strict=True):
        row["image"], row["operation"], row["vector"], row["unit"] = image, count, number, unit
        row["count"] = len(values)
        row["values"][:len(values)] = values
    made["cycle"] = 100 + 3 * np.arange(len(rows))
    return made


def outcome(result, records, **options):
    return compare_trace(Expectation(result), records, **options)


def test_what_agrees(result, records):
    told = outcome(result, records)
    assert (told.compared, told.mismatches, told.first) == (result.writes.sum(), 0, None)
    assert told.compared == 2 * 3 * 5  # images, updates, units


def test_order_does_not_matter(result, records):
    assert outcome(result, records[::-1]).mismatches == 0


def test_padding_of_a_record_is_not_looked_at(result, records):
    records["values"][records["count"] == 1, 1] = 77
    assert outcome(result, records).mismatches == 0


@pytest.mark.parametrize("place", [0, 4, -1])
def test_a_wrong_value(result, records, place):
    record = records[place]
    lane = record["count"] - 1
    healthy = int(record["values"][lane])
    record["values"][lane] = healthy ^ 1
    told = outcome(result, records)
    assert (told.compared, told.mismatches) == (30, 1)
    first = told.first
    entry = result.trace.image(record["image"]).entries[record["operation"]]
    assert (first.kind, first.image, first.cycle) == ("value", record["image"], record["cycle"])
    assert (first.population, first.unit) == (entry.vector[0], record["unit"] + lane)
    assert (first.expected, first.got, first.step) == (healthy, healthy ^ 1, entry.step)
    assert first.operation == f"Update {entry.vector[0]}"


def test_the_first_in_time_is_named(result, records):
    records["values"][[7, 3], 0] ^= 4
    told = outcome(result, records)
    assert told.mismatches == 2 and told.first.cycle == records["cycle"][3]


def test_a_missing_record(result, records):
    gone = records[5]
    told = outcome(result, np.delete(records, 5))
    assert told.mismatches == gone["count"] and told.first.kind == "missing"
    assert (told.first.unit, told.first.got, told.first.cycle) == (gone["unit"], None, None)
    assert told.first.expected == gone["values"][0]


def test_nothing_at_all(result, records):
    told = outcome(result, records[:0])
    assert told.mismatches == told.compared == 30
    assert (told.first.kind, told.first.image, told.first.unit) == ("missing", 0, 0)


def test_a_record_that_comes_twice(result, records):
    told = outcome(result, np.concatenate([records, records[4:5]]))
    assert told.mismatches == records["count"][4] and told.first.kind == "twice"
    assert told.first.unit == records["unit"][4] and told.first.image == records["image"][4]


@pytest.mark.parametrize(("field", "value"), [
    ("vector", 9), ("operation", 500), ("image", 2), ("image", 1 << 31), ("unit", 40)])
def test_an_unexpected_record(result, records, field, value):
    """It is no write of the program; the one whose place it took is missing."""
    records[2][field] = value
    told = outcome(result, records)
    assert told.mismatches == 2 * records["count"][2]
    first = told.first
    assert (first.kind, first.expected, first.cycle) == ("unexpected", None, records["cycle"][2])
    assert first.got == records["values"][2][0]
    assert first.operation == f"operation {records['operation'][2]}"


def test_more_units_than_the_vector_has(result, records):
    short = int(np.flatnonzero(records["count"] == 1)[0])
    records["count"][short] = 2
    told = outcome(result, records)
    assert told.mismatches == 1 and told.first.kind == "unexpected"


def test_numbers_of_images_go_on(result, records):
    records["image"] += 70
    assert outcome(result, records, first_image=70).mismatches == 0
    assert outcome(result, records).first.kind == "unexpected"


def test_images_that_settle_at_different_steps():
    rng = np.random.default_rng(5)
    program = inference(NETWORK, 30, settled=0.002)
    weights = {m.name: rng.integers(-2000, 2000, m.shape) for m in NETWORK.matrices}
    inputs = {"x": rng.integers(0, 4097, (4, 5))}
    result = FixedExecutor(NETWORK, weights).run(program, inputs, record=True)
    assert len(set(result.steps.tolist())) > 1
    expected = Expectation(result)
    for place in range(len(expected.values)):
        image, count, unit = expected.locate(place)
        trace = result.trace.image(image)
        assert expected.values[place] == trace.values[trace.offsets[count] + unit]


def test_the_sentence(result, records):
    records["values"][0, 0] = -5
    first = outcome(result, records).first
    healthy = result.trace.image(0).values[0]
    assert first.sentence(Format(16, 12)) == (
        f"first divergence: image 0, Update h1, population h1, unit 0: expected {healthy} "
        f"({healthy / 4096:.6f}), got -5 (-0.001221), cycle 100")
    assert set(first.to_dict()) == {"operation", "step", "population", "unit", "kind", "image",
                                    "expected", "got", "cycle"}


def test_registers(result):
    sums = {name: np.cumsum(getattr(result, name)) & 0xFFFFFFFF
            for name in ("writes", "saturations")}
    told = {"prediction": result.predictions.copy(), "image_steps": result.steps.copy(),
            "signature": np.cumsum(result.signatures) & 0xFFFFFFFF, **sums}
    assert all(ok.all() for ok in compare_reports(result, told).values())
    for name in told:
        wrong = {**told, name: told[name] ^ np.array([0, 1])}
        agree = compare_reports(result, wrong)
        assert [n for n, ok in agree.items() if not ok.all()] == [name]
        assert agree[name].tolist() == [True, False]


def test_first_difference_of_two_runs(result):
    rng = np.random.default_rng(2)
    weights = {m.name: rng.integers(-3000, 3000, m.shape) for m in NETWORK.matrices}
    inputs = {"x": rng.integers(0, 4097, (2, 5))}
    weights["b2"][0, 1] += 4096
    other = FixedExecutor(NETWORK, weights).run(PROGRAM, inputs, record=True)
    healthy = Expectation(result)
    assert healthy.first_difference(healthy) is None
    first = healthy.first_difference(Expectation(other))
    assert (first.operation, first.unit, first.step) == ("Update y", 1, None)
    image, count = first.image, 1
    assert first.got == other.trace.image(image).values[
        other.trace.image(image).offsets[count] + 1]
    assert other.states["y", STATE].shape == (2, 2)
