"""A learning run in pysim, played and compared as the Verilator bench does it."""

from dataclasses import dataclass

import numpy as np

from apical.golden.executors.fixed.executor import FixedExecutor
from apical.golden.executors.fixed.weights import multipliers
from apical.golden.numbers.formats import STATE, WEIGHT
from apical.hw.assembler.assembler import assemble, config_for
from apical.sim.bench.job import answers, learning_job, read_weights
from apical.sim.compare.compare import (
    Comparison,
    Expectation,
    compare_reports,
    compare_trace,
)
from apical.sim.cosim.learning import joined
from apical.sim.simulators.pysim import PysimEngine

SEED = 77


@dataclass(frozen=True)
class Outcome:
    """What the bench says: the comparison, registers that differ, matrices that differ."""

    comparison: Comparison
    registers: list
    weights: list
    changed: float

    @property
    def first(self):
        return self.comparison.first

    @property
    def good(self):
        return not (self.comparison.mismatches or self.registers or self.weights)


def compare_run(network, program, config, weights, inputs, passes, engine=None, seed=SEED,
                density=None):
    """Run passes of images, each with its rates, in pysim and on the fixed executor."""
    assembly = assemble(network, program, config, density)
    executor = FixedExecutor(network, weights, config.state, config.weight, config.update_frac)
    results, begin, raised = [], 0, []
    for count, rates in passes:
        part = {name: values[begin:begin + count] for name, values in inputs.items()}
        results.append(executor.run(program, part, seed, begin, record=True, rates=rates))
        raised.append((count, multipliers(program, rates, config.state, config.weight,
                                          config.update_frac)))
        begin += count
    expected = joined(results)
    job = learning_job(assembly, weights, inputs, raised, seed, read_back=bool(assembly.factors))
    simulator = PysimEngine(config, engine)
    words = simulator.play(job.words)
    records = simulator.records()
    comparison = compare_trace(Expectation(expected), records["state"],
                               weight_records=records.get("weight"))
    agree = compare_reports(expected, answers(job, words)[0])
    final = read_weights(job, assembly, words) if assembly.factors else {}
    changed = [np.mean(executor.weights[name] != weights[name]) for name in assembly.factors]
    return Outcome(comparison, [name for name, ok in agree.items() if not ok.all()],
                   [name for name, raw in final.items()
                    if not np.array_equal(raw, executor.weights[name])],
                   float(np.mean(changed)) if changed else 0.0)


def problem(network, program, rng, images, state=STATE, weight=WEIGHT, density=0.7):
    """Raw weights and inputs: weights up to 1/2, inputs from 0 to 1 with zeros among them."""
    weights = {m.name: rng.integers(-(weight.one >> 2), weight.one >> 1, m.shape)
               for m in network.matrices}
    inputs = {}
    for name in program.inputs(network):
        shape = images, network.population(name).size
        inputs[name] = rng.integers(0, state.one + 1, shape) * (rng.random(shape) < density)
    return weights, inputs


def run(network, program, rates, lanes=3, quick=1, images=2, seed=0, density=0.7, engine=None,
        passes=None, **fields):
    """A small random problem on an engine that just holds it."""
    rng = np.random.default_rng(seed)
    config = config_for(network, program, lanes, update_lanes=quick, **fields)
    weights, inputs = problem(network, program, rng, images, config.state, config.weight, density)
    return compare_run(network, program, config, weights, inputs,
                       passes or [(images, rates)], engine)
