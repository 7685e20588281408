"""A new operation needs one declaration and one handler an executor, wherever it is written."""

import importlib
import json
import sys

import numpy as np
import pytest
from engine_case import SEED, compare, random_inputs, random_weights

from apical.golden.errors import MisuseError
from apical.golden.executors.compiled import executor as compiled
from apical.golden.executors.fixed import executor as fixed
from apical.golden.executors.float import binding
from apical.golden.executors.float.executor import FloatExecutor
from apical.golden.network import layered
from apical.golden.numbers.formats import STATE, WEIGHT
from apical.golden.program import KINDS, Decide, Difference, Program, Project, Relax
from apical.golden.program import layered as lay
from apical.golden.storage.model import load_program, save_program
from apical.hw.assembler import handlers
from apical.hw.assembler.assembler import assemble, config_for, reasons
from apical.hw.interface.config import EngineConfig

DECLARATION = '''
from dataclasses import dataclass

from apical.golden.program import PLAIN, STATE, FromCurrent, Into, Operation


@dataclass(frozen=True)
class Surprise(Into, FromCurrent, Operation):
    """What a current does not predict of a clamped population: ``into = target - A``.

    In raw integers ``sat(-rnd(A - target 2**fw, fw))``.
    """

    population: str
    target: str
    into: str = "surprise"
    current: str = "current"

    def reads(self):
        return ((self.target, STATE),)

    def state_terms(self):
        return 1

    def needs(self):
        return ((PLAIN, "a surprise"),)

    def complaints(self, network):
        sizes = {network.population(name).size for name in (self.population, self.target)}
        if len(sizes) > 1:
            yield f"'{self.target}' and '{self.population}' have different sizes"
'''

HANDLERS = '''
import numpy as np

from apical.golden.executors.compiled import executor as compiled
from apical.golden.executors.fixed import executor as fixed
from apical.golden.executors.float import binding
from apical.golden.numbers.formats import round_shift
from apical.golden.program import STATE
from apical.hw.assembler import handlers
from apical.hw.interface.isa import Mode, Opcode

from . import Surprise


def in_float(bound, op, position, monitor):
    target, current = bound.vectors[op.target, STATE], bound.sums[op.population, op.current]
    into = bound.vectors[op.population, op.into]
    return [lambda: np.subtract(target, current, out=into), *bound.spoil(op.population, op.into)]


def in_integers(executor, op, run, path):
    scale = executor.weight.frac
    target = run.states[op.target, STATE][run.rows].astype(np.int64) << scale
    current = run.accumulators[op.population, op.current][run.rows].astype(np.int64)
    executor.write(op, run, path, (op.population, op.into), -round_shift(current - target, scale))


def compiled_in(table, op, depth):
    table.emit(table.kernels.RESIDUAL, *table.written(op.population, op.into), table.current(op),
               table.place(op.target, STATE), 0)


def assembled(writer, op):
    target, into = (op.target, STATE), (op.population, op.into)
    writer.emit(Opcode.UNIT, op, (target,), into, mode=Mode.ASSIGN, a=writer.vector(*target),
                b=writer.vector(*target), t=writer.vector(*into), shift=1,
                c=writer.accumulator(op.population, op.current), nudge=1, nudge_negative=1,
                plain=1, nudge_shift=writer.config.weight.frac, negate=1)
    writer.rate(op, into)


binding.HANDLERS[Surprise] = in_float
fixed.HANDLERS[Surprise] = in_integers
compiled.HANDLERS[Surprise] = compiled_in
handlers.HANDLERS[Surprise] = handlers.Handler(assembled)
'''

NET = layered((6, 5, 4))
TABLES = (KINDS, binding.HANDLERS, fixed.HANDLERS, compiled.HANDLERS, handlers.HANDLERS)


@pytest.fixture
def toy(tmp_path, monkeypatch):
    """The declaration, imported from a package outside the tree; taken back afterwards."""
    package = tmp_path / "toy_operation"
    package.mkdir()
    (package / "__init__.py").write_text(DECLARATION)
    (package / "handlers.py").write_text(HANDLERS)
    monkeypatch.syspath_prepend(tmp_path)
    before = [dict(table) for table in TABLES]
    yield importlib.import_module("toy_operation").Surprise
    for table, kept in zip(TABLES, before, strict=True):
        table.clear()
        table.update(kept)
    for name in [name for name in sys.modules if name.partition(".")[0] == "toy_operation"]:
        del sys.modules[name]


def program(surprise):
    """Relaxes, measures what the output does not predict of the target, and puts it there."""
    loop = Relax(2, (*lay.step(NET), Project("up2"), surprise("y", "d"),
                     Difference("y", "left", "surprise", ("d", "state"))))
    ops = (*lay.drive(NET), *lay.sweep(NET), loop, surprise("y", "d", "state"), Decide("y"))
    return Program("surprised", ops)


def problem(made):
    rng = np.random.default_rng(3)
    return random_weights(NET, rng), random_inputs(NET, made, rng, 3)


def test_a_new_operation_runs_everywhere(toy, tmp_path):
    importlib.import_module("toy_operation.handlers")
    made = program(toy)
    made.check(NET)
    assert made.inputs(NET) == ["x", "d"]
    save_program(tmp_path / "program.json", made)
    made = load_program(tmp_path / "program.json")
    assert made == program(toy) and any(isinstance(op, toy) for op in made.ops)
    weights, inputs = problem(made)
    # Raw integers, by batches and compiled, and the engine.
    expected = fixed.FixedExecutor(NET, weights).run(made, inputs, seed=SEED)
    again = compiled.CompiledExecutor(NET, weights).run(made, inputs, seed=SEED)
    assert expected.signatures.tolist() == again.signatures.tolist()
    assert (expected.states["y", "surprise"] != 0).any()
    assert all((expected.states[key] == again.states[key]).all() for key in expected.states)
    config = config_for(NET, made, 3)
    assert config.learning and not config.smooth
    differences, reports = compare(NET, made, config, weights, inputs)
    assert differences == []
    total = np.cumsum(expected.signatures) & 0xFFFFFFFF
    assert [report["signature"] for report in reports] == total.tolist()
    # Real numbers, of which slots take any.
    real = FloatExecutor(NET, {name: raw / WEIGHT.one for name, raw in weights.items()}, np.float64)
    states = real.run(made, {name: raw / STATE.one for name, raw in inputs.items()}).states
    for slot in ("surprise", "left"):
        np.testing.assert_allclose(states["y", slot], expected.states["y", slot] / STATE.one,
                                   atol=0.01)


def test_checks_follow_from_the_declaration(toy):
    importlib.import_module("toy_operation.handlers")
    current = (Project("up2"),)
    for ops, message in (
            ((toy("y", "d"),), r"^program 'p', Surprise y\.surprise: accumulator 'current' is used "
                               r"before it is filled$"),
            ((*current, toy("y", "x")), r"Surprise y\.surprise: 'x' and 'y' have different sizes$"),
            ((*current, toy("y", "z")), r"has no populations entry 'z'"),
            ((*current, toy("d", "y", "rate")), r"the rate follows from the state and is never")):
        with pytest.raises(MisuseError, match=message):
            Program("p", ops).check(NET)
    told = reasons(NET, program(toy), EngineConfig(lanes=3, update_lanes=1))
    assert told.count("Surprise y.surprise: a surprise needs the learning or table (smooth) unit, "
                      "which this engine lacks") == 1


def test_every_executor_names_the_handler_it_lacks(toy):
    made = program(toy)
    weights, inputs = problem(made)
    real = {name: values / 1.0 for name, values in weights.items()}
    for run, whose in (
            (lambda: FloatExecutor(NET, real).run(made, {n: v * 0.0 for n, v in inputs.items()}),
             "float executor"),
            (lambda: fixed.FixedExecutor(NET, weights).run(made, inputs), "fixed executor"),
            (lambda: compiled.CompiledExecutor(NET, weights).run(made, inputs),
             "compiled executor"),
            (lambda: assemble(NET, made, EngineConfig()), "assembler")):
        with pytest.raises(MisuseError, match=rf"^Surprise y\.surprise: the {whose} \(apical\..*\) "
                                              "has no handler for operation Surprise; add one"):
            run()


def test_a_program_file_needs_the_declaration(toy, tmp_path):
    path = tmp_path / "program.json"
    save_program(path, program(toy))
    assert json.loads(path.read_text())["program"]["ops"][-2]["type"] == "Surprise"
    del KINDS["Surprise"]
    with pytest.raises(MisuseError, match=r"unknown operation 'Surprise' \(known: Clear, Decide, "):
        load_program(path)
