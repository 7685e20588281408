"""Traces: who wrote what and when, and the flat form of one image."""

import numpy as np
import pytest

from apical.golden.executors.fixed.executor import FixedExecutor
from apical.golden.network import layered
from apical.golden.program import STATE, Relax, written_vector
from apical.golden.program.layered import inference


@pytest.fixture(scope="module")
def recorded():
    """(network, program, result) of a run whose images settle at different steps."""
    rng = np.random.default_rng(3)
    network = layered((9, 6, 4))
    program = inference(network, 12, settled=0.004)
    weights = {m.name: rng.integers(-1200, 1200, m.shape) for m in network.matrices}
    inputs = {"x": rng.integers(0, 4097, (5, 9)) * (rng.random((5, 1)) < 0.8)}
    result = FixedExecutor(network, weights).run(program, inputs, record=True)
    assert len(set(result.steps.tolist())) > 1, "the images must not all settle together"
    return network, program, result


def test_counts_agree_with_the_result(recorded):
    _, _, result = recorded
    for image in range(5):
        trace = result.trace.image(image)
        assert len(trace.entries) == len(trace.numbers) == result.operations[image]
        assert len(trace.values) == trace.offsets[-1] == result.writes[image]
        for count, entry in enumerate(trace.entries):
            row = entry.images.tolist().index(image)
            assert entry.counts[row] == count and trace.numbers[count] == entry.number
            written = trace.values[trace.offsets[count]:trace.offsets[count + 1]]
            np.testing.assert_array_equal(written, entry.values[row])


def test_the_last_write_is_the_state(recorded):
    network, _, result = recorded
    for image in range(5):
        trace = result.trace.image(image)
        for population in network.free:
            last = max(i for i, e in enumerate(trace.entries)
                       if e.vector == (population.name, STATE))
            np.testing.assert_array_equal(
                trace.values[trace.offsets[last]:trace.offsets[last + 1]],
                result.states[population.name, STATE][image])


def test_paths_lead_to_operations(recorded):
    _, program, result = recorded
    for entry in result.trace.entries:
        op = program.ops[entry.path[0]]
        if isinstance(op, Relax):
            assert entry.step == entry.path[1] < result.steps.max()
            op = op.body[entry.path[2]]
        else:
            assert entry.step is None and len(entry.path) == 1
        assert op is entry.op and written_vector(op) == entry.vector


def test_locate(recorded):
    _, _, result = recorded
    trace = result.trace.image(1)
    places = [trace.locate(place) for place in range(len(trace.values))]
    expected = [(count, unit) for count, entry in enumerate(trace.entries)
                for unit in range(entry.values.shape[1])]
    assert places == expected


def test_an_image_alone_has_the_trace_it_has_in_a_batch(recorded):
    network, program, result = recorded
    rng = np.random.default_rng(3)
    weights = {m.name: rng.integers(-1200, 1200, m.shape) for m in network.matrices}
    inputs = rng.integers(0, 4097, (5, 9)) * (rng.random((5, 1)) < 0.8)
    for image in range(5):
        alone = FixedExecutor(network, weights).run(
            program, {"x": inputs[image:image + 1]}, first_image=image, record=True)
        mine, theirs = alone.trace.image(0), result.trace.image(image)
        np.testing.assert_array_equal(mine.values, theirs.values)
        np.testing.assert_array_equal(mine.numbers, theirs.numbers)
        assert alone.signatures[0] == result.signatures[image]


def test_a_run_without_record_has_no_trace(recorded):
    network, program, _ = recorded
    weights = {m.name: np.zeros(m.shape, np.int64) for m in network.matrices}
    assert FixedExecutor(network, weights).run(
        program, {"x": np.zeros((1, 9), np.int64)}).trace is None
