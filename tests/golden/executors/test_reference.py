"""Both executors of raw integers against the slow reference, on random programs.

The executors share their arithmetic, so agreement between them proves little about it.  Each is
compared with `slow_reference`, which shares nothing; the last test changes the arithmetic and sees
the comparison fail.
"""

import pytest
from compare_executors import compare
from random_programs import FORMATS, case_of, features
from slow_reference import Machine

from apical.golden.executors import arithmetic, rows
from apical.golden.executors.compiled import kernels as compiled_kernels
from apical.golden.executors.compiled.executor import HANDLERS, CompiledExecutor
from apical.golden.executors.fixed import kernels, weights
from apical.golden.executors.fixed.executor import FixedExecutor
from apical.golden.executors.fixed.weights import multipliers
from apical.golden.numbers import addressed, tables
from apical.golden.program import walk

#: The last two have what the others lack in one format.
SEEDS = [*range(126), 150, 180]
IMAGES = 3


def outcome(result, image):
    """Counts, prediction and states of an image, as the reference has them."""
    return ([int(getattr(result, name)[image]) for name in (
        "steps", "operations", "saturations", "signatures", "predictions")],
        {key: values[image].tolist() for key, values in result.states.items()})


def told(machine):
    """The same of the reference."""
    return ([machine.steps, machine.operations, machine.clipped, machine.signature,
             machine.prediction], machine.vectors)


class Case:
    """A random program with what the reference finds."""

    def __init__(self, seed, images=IMAGES):
        self.network, self.program, self.weights, self.inputs, self.formats, self.rates = \
            case_of(seed, images)
        self.seed, self.first, self.images = seed, seed ** 3, images

    def run(self, kind, **options):
        executor = kind(self.network, self.weights, *self.formats)
        return executor, executor.run(self.program, self.inputs, self.seed, self.first,
                                      rates=self.rates, **options)

    def reference(self):
        """The machine, after each image."""
        machine = Machine(self.network, self.weights, *self.formats,
                          multipliers(self.program, self.rates, *self.formats))
        for image in range(self.images):
            read = {name: self.inputs[name][image]
                    for name in self.program.inputs(self.network)}
            yield machine.image(self.program, read, self.seed, self.first + image)


@pytest.mark.parametrize("seed", SEEDS)
def test_random_programs_write_what_the_reference_writes(seed):
    case = Case(seed)
    (batched, traced), (compiled, result) = (case.run(FixedExecutor, record=True),
                                             case.run(CompiledExecutor))
    for image, machine in enumerate(case.reference()):
        trace = traced.trace.image(image)
        assert [(entry.vector, trace.values[a:b].tolist()) for entry, a, b in zip(
            trace.entries, trace.offsets, trace.offsets[1:], strict=False)
            if entry.vector[1] != "weights"] == machine.writes
        assert [(e.matrix, i, j, v) for e in trace.weights for i, j, v in zip(
            e.rows.tolist(), e.cols.tolist(), e.values.tolist())] == machine.weight_writes
        assert outcome(traced, image) == told(machine)
        assert outcome(result, image) == told(machine)
        written = sum(len(values) for _, values in machine.writes) + len(machine.weight_writes)
        assert traced.writes[image] == result.writes[image] == written
    for name, values in machine.weights.items():
        assert batched.weights[name].tolist() == compiled.weights[name].tolist() == values


@pytest.mark.parametrize("seed", range(20))
def test_a_batch_is_its_images_one_by_one(seed):
    """Programs that do not learn run a batch at once, with draws and early stops of each image."""
    network, program, raw, inputs, formats, _ = case_of(1000 + seed, images=6, quiet=True)
    executor = FixedExecutor(network, raw, *formats)
    whole = executor.run(program, inputs, 3, 50)
    compare(network, raw, program, inputs, *formats, None, 3, 50)
    for image in range(6):
        part = executor.run(program, {k: v[image:image + 1] for k, v in inputs.items()}, 3,
                            50 + image)
        assert part.signatures[0] == whole.signatures[image]


def test_every_operation_and_option_meets_every_format():
    seen, operations = {}, set()
    for seed in SEEDS:
        network, program, _, _, numbers, _ = case_of(seed)
        for op in walk(program.ops):
            operations.add(type(op))
            for feature in features(op, network):
                seen.setdefault(feature, set()).add(numbers)
    assert operations == set(HANDLERS)
    assert {feature: set(FORMATS) - formats for feature, formats in seen.items()
            if set(FORMATS) - formats} == {}
    assert len(seen) == 36


# Changed arithmetic.  Run by Python, where a changed constant counts at once.


@pytest.fixture
def interpreted(monkeypatch):
    for module, names in ((kernels, ("write", "update", "sample", "flow_rate", "residual",
                                     "rates")), (compiled_kernels, ("run_images",))):
        for name in names:
            monkeypatch.setattr(module, name, getattr(module, name).py_func)
    # Kept samples would hide a change, and outlive it.
    tables.samples.cache_clear()
    yield monkeypatch
    tables.samples.cache_clear()


def differing(seeds):
    """Names of the executors that differ from the reference on one of the seeds."""
    found = set()
    for seed in seeds:
        case = Case(seed, images=1)
        machine, = case.reference()
        for kind in {FixedExecutor, CompiledExecutor} - found:
            if outcome(case.run(kind)[1], 0) != told(machine):
                found.add(kind)
    return found


def test_the_interpreted_arithmetic_is_that_of_the_reference(interpreted):
    assert differing(range(20)) == set()


#: What is changed: (module or modules, name, wrong value), by the formula it belongs to.
CHANGES = {
    "rounding of updates": (rows, "round_shift", lambda raw, shift: raw >> shift if shift > 0
                            else raw << -shift),
    "other rounding": (arithmetic, "round_shift", lambda raw, shift: raw + 1 >> shift),
    "table of slopes": (rows, "SLOPE", 0),
    "table of rates": (rows, "LOGISTIC", 1),
    "table of flows": (rows, "HALF_EXPONENTIAL", 0),
    "mode of samples": (rows, "SAMPLE", 1),
    "share of residuals": (rows, "residual", lambda u, current, share, numbers:
                           arithmetic.residual(u, current, share + 1, numbers)),
    "limit of flows": (arithmetic, "FLOW_LIMIT", 1),
    "bits of samples": (arithmetic, "WORD_BITS", 15),
    "shift of factors and noise": (arithmetic, "RATE_SHIFT", 9),
    "sign of beta": ((kernels, compiled_kernels, weights), "beta_sign", lambda key: 1),
    "reach of tables": (tables, "REACH", 4),
    "step of tables": (tables, "STEP_BITS", 3),
    "mean of noise": (addressed, "BYTE_SUM_MEAN", 511),
    "bits of rounding": (addressed, "WORD_BITS", 15),
    "words of columns": (addressed, "COLUMN", 2 << 16),
    "keys of draws": (addressed, "DRAW", 254),
    "rounds of keys": (addressed, "KEY_ROUNDS", 7),
    "crossing": (addressed, "CROSS_ROTATIONS", ((9, 7, 3), 3, (5, 11, 1))),
    "written weights": (addressed, "WRITTEN_SHIFTS", (3, 6)),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_is_seen_in_both_executors(interpreted, change):
    module, name, value = CHANGES[change]
    for place in module if isinstance(module, tuple) else (module,):
        interpreted.setattr(place, name, value)
    assert differing(range(30)) == {FixedExecutor, CompiledExecutor}
