"""Training on data in the simulated gateware, through the host port.

The run is that of ``apical train --executor fixed``: the same starting weights, the same order of
images and the same rates, so the weights that are read back at the end are those of
:func:`apical.golden.learning.fixed.train_fixed`.  Expected values come from the fixed executor, or
of runs whose signatures alone are compared from the compiled one.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...golden.errors import MisuseError
from ...golden.executors.compiled.executor import CompiledExecutor
from ...golden.executors.fixed.executor import FixedExecutor
from ...golden.executors.fixed.weights import multipliers
from ...golden.executors.float.executor import FloatExecutor
from ...golden.learning.data import load
from ...golden.learning.fixed import RawProblem
from ...golden.network.boltzmann import visible
from ...golden.numbers.formats import dequantize
from ...golden.systems.registry import system as find
from ...hw.assembler.assembler import assemble
from ..bench.job import answers, inference_job
from ..bench.simulation import simulate_job
from ..simulators.runner import check_tools
from ..simulators.simulator import build_engine
from .inference import BY_WIDTH
from .learning import LearnOptions, Run, density_of, engine_for, failure, joined, simulate

#: Most images of a run whose every write is compared: a trace of more does not fit in memory.
MOST_TRACED = 600
#: Share of the weights that must have changed; small updates take some back to their start.
LEAST_CHANGED = 0.9
#: Images of a run where neither images nor epochs are named: minutes on every system.
IMAGES = 300
#: Test images that are run in the gateware at most.
MOST_TESTED = 1000
#: Images that light a pixel whose weights take part, and the part of 1 that is light.
LEAST_LIT, FAINT = 5, 16


@dataclass(frozen=True)
class TrainOptions(LearnOptions):
    """What to train, beside what `LearnOptions` say.

    Attributes
    ----------
    layers : tuple of int, optional
    data : str, optional
    epochs : int or None
        Of the whole training set.
    images : int or None
        Instead of epochs: the first images of the first one.
    """

    layers: tuple | None = None
    data: str | None = None
    epochs: int | None = None
    images: int | None = None


def cosim_training(options: TrainOptions, say=lambda text: None) -> dict:
    """Train in the gateware and compare; see :func:`apical.sim.cosim.learning.cosim_systems`.

    Raises
    ------
    MisuseError
        For a system that raw integers cannot train, and for data that it cannot learn from.
    """
    chosen = [find(name) for name in options.systems]
    for system in chosen:
        system.check("fixed")
    check_tools(options.simulator)
    reports = {system.name: _train(system, options, say) for system in chosen}
    sums = {key: sum(report[key] for report in reports.values())
            for key in ("compared", "mismatches", "weights_compared")}
    return {"seed": options.seed, "simulator": options.simulator, **sums, "systems": reports,
            "failures": {name: why for name, report in reports.items()
                         if (why := failure(report, LEAST_CHANGED))}}


def _train(system, options, say) -> dict:
    data = options.data or (BY_WIDTH.get(options.layers[0]) if options.layers else "digits")
    if data is None or data == "random":
        raise MisuseError(f"training needs images to learn from: {system.data.words} of --data "
                          "digits, mnist or fashion-mnist")
    layers = tuple(options.layers or system.sizes(data))
    network, dataset = system.network(layers), load(data)
    tried = system.config("fixed", dataset.name, layers)
    config = engine_for(network, system.program(network, tried), options, state=tried.state,
                        weight=tried.weight, update_frac=tried.update_frac)
    training = system.config(
        "fixed", dataset.name, layers, state=config.state, weight=config.weight,
        update_frac=config.update_frac, seed=options.seed, epochs=options.epochs)
    problem = RawProblem(system, network, dataset, training)
    say(f"expecting: the fixed executor trains {system.name} {network.name} on {dataset.name}")
    traced = not options.fast and options.epochs is None
    run = _expect(problem, config, options, traced)
    report = simulate(run, options, traced, say)
    final = report.pop("final_weights")
    return report | {
        "layers": list(layers), "data": dataset.name, "weights": "starting",
        "seed": options.seed, "simulator": options.simulator, "netlist": options.netlist,
        "epochs": options.epochs, "learns": True, **_shares(network, run, final),
        **_errors(problem, config, final, options, say)}


def _orders(count, options, training, data):
    """The images of every epoch, in the order of ``apical train``."""
    rng, images = np.random.default_rng(training.seed), options.images
    if images is None and options.epochs is None:
        images = min(IMAGES, count)
    if images is not None and count < images:
        raise MisuseError(f"data '{data}' has {count} training images, {images} are requested")
    return [rng.permutation(count)[:images] for _ in range(options.epochs or 1)]


def _expect(problem, config, options, traced):
    """The run with what the fixed executor makes of it."""
    system, network, training = problem.system, problem.network, problem.config
    program, weights = problem.program, problem.first_weights()
    count = len(next(iter(problem.inputs.values())))
    orders = _orders(count, options, training, problem.dataset.name)
    if traced and sum(map(len, orders)) > MOST_TRACED:
        raise MisuseError(f"{sum(map(len, orders))} training images: more than {MOST_TRACED} are "
                          "compared with --fast only")
    order = np.concatenate(orders)
    inputs = {name: problem.inputs[name][order] for name in program.inputs(network)}
    executor = (FixedExecutor if traced else CompiledExecutor)(
        network, weights, training.state, training.weight, training.update_frac)
    results, raised, begin = [], [], 0
    for epoch, images in enumerate(orders):
        rates = system.rates(network, training.at(epoch))
        part = {name: values[begin:begin + len(images)] for name, values in inputs.items()}
        kept = {"record": True} if traced else {"collect": False}
        results.append(executor.run(program, part, training.seed, begin, rates=rates, **kept))
        raised.append((len(images), multipliers(program, rates, training.state, training.weight,
                                                training.update_frac)))
        begin += len(images)
    # Targets do not decide where vectors are placed.
    density = density_of({name: values[:1000] for name, values in inputs.items() if name != "d"})
    assembly = assemble(network, program, config, density)
    learned = set(program.learned())
    return Run(config, assembly, weights, inputs, raised, joined(results), executor.weights,
               [m.name for m in network.matrices if m.name in learned])


def _shares(network, run, final):
    """Shares of the weights that changed and that are saturated.

    Weights of inputs that are lit in fewer than `LEAST_LIT` images take no part: one or two small
    updates are mostly rounded away.
    """
    fmt, taken, changed, saturated = run.config.weight, 0, 0, 0
    least = run.config.state.one // FAINT
    lit = {name: np.count_nonzero(np.abs(values) >= least, axis=0) >= LEAST_LIT
           for name, values in run.inputs.items()}
    # Free twins of the pixels of a Boltzmann machine are as dark as they.
    lit |= {twin: lit[pixels] for pixels, twin in visible(network)
            if pixels in lit and twin != pixels}
    for name in run.learned:
        rows, cols = (np.ones(size, bool) for size in network.matrix(name).shape)
        for projection in network.projections:
            if projection.matrix == name:
                ends = projection.source, projection.target
                for part, population in zip((rows, cols), ends[::-1] if projection.transpose
                                            else ends):
                    part &= lit.get(population, True)
        now, before = (weights[name][np.ix_(rows, cols)] for weights in (final, run.weights))
        taken += now.size
        changed += int(np.count_nonzero(now != before))
        saturated += int(np.count_nonzero((now == fmt.min) | (now == fmt.max)))
    return {"weights_changed": changed / max(taken, 1),
            "weights_saturated": saturated / max(taken, 1)}


def _errors(problem, config, final, options, say):
    """Test errors of the weights that were read back; of labelled images accuracies."""
    system, network, dataset = problem.system, problem.network, problem.dataset
    measured = problem.evaluation(problem.prepared[1], dataset.test_labels)
    learned = {**problem.first_weights(), **final}
    real = {name: dequantize(raw, problem.config.weight) for name, raw in learned.items()}
    fixed = measured.error(problem.runner(learned), problem.raw(measured.inputs()))
    floats = measured.error(FloatExecutor(network, real).run, measured.inputs())
    if not system.data.labelled:
        return {"accuracy_fixed": None, "accuracy_float": None, "accuracy_rtl": None,
                "tested_rtl": 0, "error_is": system.data.error_is, "error_fixed": fixed,
                "error_float": floats}
    found = {"accuracy_fixed": 1 - fixed, "accuracy_float": 1 - floats, "accuracy_rtl": None,
             "tested_rtl": 0}
    if options.epochs is None:
        return found
    count = min(len(measured.images), MOST_TESTED)
    say(f"testing the learned weights in the gateware on {count} images")
    inputs = problem.raw({name: values[:count] for name, values in measured.inputs().items()})
    assembly = assemble(network, problem.look, config, density_of(inputs))
    job = inference_job(assembly, learned, inputs, options.seed)
    build = build_engine(config, options.simulator, options.waves, options.cache)
    reported, _ = answers(job, simulate_job(build, job.parts, False, options.cache).answers)
    right = reported["prediction"] == dataset.test_labels[:count]
    return found | {"accuracy_rtl": float(np.mean(right)), "tested_rtl": count}
