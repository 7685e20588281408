"""A full engine (learning, tables, noise) of few lanes, and every system on it."""

import numpy as np

from apical.golden.executors.fixed.executor import FixedExecutor
from apical.golden.numbers.formats import Format
from apical.golden.systems.cases import case_names, learning_case
from apical.hw.assembler.assembler import reasons
from apical.hw.interface.config import EngineConfig

#: Number formats of the presets; of the learning cases.
FULL = EngineConfig(lanes=4, update_lanes=2, accumulator_width=40, weight=Format(16, 14),
                    weight_depth=4096, state_depth=128, accumulator_depth=128, event_depth=256,
                    input_banks=1, program_depth=256, descriptor_depth=128, learning=True,
                    update_frac=4, smooth=True, noise=True)
CASES = FULL.replace(weight=Format(16, 12), update_frac=6)


def _reasons(name):
    case = learning_case(name)
    return reasons(case.network, case.program, CASES)


#: Systems that an engine can hold, if it has every unit.
SYSTEMS = [name for name in case_names() if not _reasons(name)]


def expected(name, images=2):
    """(results, weights) of the fixed executor."""
    case = learning_case(name)
    executor = FixedExecutor(case.network, case.weights, case.state, case.weight,
                             case.update_frac)
    inputs = {key: values[:images] for key, values in case.inputs.items()}
    return executor.run(case.program, inputs, case.seed, rates=case.rates), executor.weights


def agrees(device, name, images=2):
    """Run a system on a device with the engine `CASES` and compare it with the fixed executor."""
    case, (found, weights) = learning_case(name), expected(name, images)
    device.load(case.network, case.program, case.weights, seed=case.seed, rates=case.rates)
    reported = device.run({key: values[:images] for key, values in case.inputs.items()})
    assert reported.signatures.tolist() == found.signatures.tolist()
    assert reported.signature == int(found.signatures.sum()) & 0xFFFFFFFF
    assert reported.writes.tolist() == found.writes.tolist()
    kept = device.weights()
    assert kept and all(np.array_equal(values, weights[matrix]) for matrix, values in kept.items())
    return reported.signature
