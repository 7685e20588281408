"""Fixed executor against a slow reference in Python integers, image by image, unit by unit."""

import numpy as np
import pytest
from slow_reference import Machine

from apical.golden.errors import MisuseError
from apical.golden.executors.fixed.executor import FixedExecutor
from apical.golden.network import layered
from apical.golden.numbers.bounds import accumulator_bounds
from apical.golden.numbers.formats import Format
from apical.golden.program import Decide, Difference, Program, Relax, Snapshot
from apical.golden.program.layered import drive, inference, nudged, start_state, step

STATE, WEIGHT = Format(16, 12), Format(16, 12)


def reference(network, weights, program, image, state=STATE, weight=WEIGHT, seed=0, number=0):
    """Run one image in Python integers."""
    return Machine(network, weights, state, weight).image(program, image, seed, number)


def two_phases(network, steps=3):
    """Free phase, snapshot, nudged phase, difference: all operations of the fixed executor."""
    ops = (*drive(network), *start_state(network, "zero"), Relax(steps, step(network)),
           Snapshot("y", "free"), Relax(2, step(network, nudges=nudged(shift=2, sign=-1))),
           Difference("y", "delta"), Decide("y"))
    return Program("two phases", ops)


def case(seed, sizes, settled=None, reach=2500, program=None, state=STATE, weight=WEIGHT):
    rng = np.random.default_rng(seed)
    network = layered(sizes, rng.choice(["hard-sigmoid", "hard-tanh"]))
    program = program(network) if program else inference(network, 5, settled=settled)
    reach = min(reach, weight.max)
    weights = {m.name: rng.integers(-reach, reach + 1, m.shape) for m in network.matrices}
    inputs = {name: rng.integers(0, state.one + 1, (6, network.population(name).size))
              for name in program.inputs(network)}
    return network, program, weights, inputs


CASES = [(0, [7, 5, 3], {}), (1, [9, 4], {}), (2, [6, 5, 4, 3], {"settled": 0.05}),
         (3, [5, 6, 4], {"program": two_phases}), (4, [8, 3, 2], {"settled": 0.0}),
         (5, [6, 4, 3], {"state": Format(12, 8), "weight": Format(8, 5)})]


@pytest.mark.parametrize(("seed", "sizes", "options"), CASES)
def test_every_write_is_that_of_the_reference(seed, sizes, options):
    network, program, weights, inputs = case(seed, sizes, **options)
    formats = options.get("state", STATE), options.get("weight", WEIGHT)
    result = FixedExecutor(network, weights, *formats).run(program, inputs, seed=9, first_image=4,
                                                           record=True)
    for image in range(6):
        told = reference(network, weights, program, {k: v[image] for k, v in inputs.items()},
                         *formats, seed=9, number=4 + image)
        trace = result.trace.image(image)
        assert [(entry.vector, list(map(int, trace.values[a:b]))) for entry, a, b in zip(
            trace.entries, trace.offsets, trace.offsets[1:], strict=False)] == told.writes
        assert result.predictions[image] == told.prediction
        assert result.steps[image] == told.steps
        assert result.saturations[image] == told.clipped
        assert result.signatures[image] == told.signature
        assert result.writes[image] == sum(len(values) for _, values in told.writes)


def test_a_batch_is_its_images_one_by_one():
    network, program, weights, inputs = case(2, [6, 5, 4, 3], settled=0.05)
    executor = FixedExecutor(network, weights)
    whole = executor.run(program, inputs)
    assert len(set(whole.steps.tolist())) > 1, "the case must stop early at different steps"
    for image in range(6):
        part = executor.run(program, {k: v[image:image + 1] for k, v in inputs.items()},
                            first_image=image)
        assert part.signatures[0] == whole.signatures[image]
        assert part.steps[0] == whole.steps[image]


def test_extreme_values_stay_exact_and_within_the_bound():
    network = layered([300, 40, 5])
    program = inference(network, 3)
    weights = {m.name: np.full(m.shape, WEIGHT.min) for m in network.matrices}
    inputs = {"x": np.full((2, 300), STATE.one)}
    executor = FixedExecutor(network, weights)
    result = executor.run(program, inputs, record=True)
    told = reference(network, weights, program, {"x": inputs["x"][0]})
    assert result.signatures[0] == told.signature
    bounds = accumulator_bounds(network, program, STATE, WEIGHT)
    assert bounds["h1", "input"] == 300 * 4096 * 32768


def test_bad_input_is_refused_in_words():
    network, program, weights, inputs = case(0, [7, 5, 3])
    executor = FixedExecutor(network, weights)
    with pytest.raises(MisuseError, match="reads population 'x', for which no input is given"):
        executor.run(program, {})
    with pytest.raises(MisuseError, match=r"input of 'x' has shape \(6, 6\), expected \(images, 7"):
        executor.run(program, {"x": inputs["x"][:, 1:]})
    with pytest.raises(MisuseError, match="is float64, not raw integers; quantize it first"):
        executor.run(program, {"x": inputs["x"] * 1.0})
    wrong = inputs["x"].copy()
    wrong[1, 2] = 32767
    with pytest.raises(MisuseError, match="has raw value 32767 in image 1, unit 2; its range is"):
        executor.run(program, {"x": wrong})
    with pytest.raises(MisuseError, match=r"raw weight 40000 of matrix 'W1' is outside format"):
        FixedExecutor(network, {**weights, "W1": np.full((7, 5), 40000)})
