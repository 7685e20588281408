"""Training on data in the simulated gateware, through the host port.

The run is that of ``apical train --executor fixed``: the same starting weights, the same order of
images and the same rates, so the weights that are read back at the end are those of
:func:`apical.golden.learning.fixed.train_fixed`.  Expected values come from the compiled road.
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
from ...golden.learning.fixed import RawImages, default_fixed_config
from ...golden.learning.float import check_sizes, starting_weights
from ...golden.network import layered
from ...golden.numbers.formats import dequantize
from ...golden.numbers.quantize import quantize_network
from ...golden.program.layered import inference
from ...golden.systems import equilibrium
from ...hw.assembler.assembler import assemble
from ..bench.job import answers, inference_job
from ..bench.simulation import simulate_job
from ..simulators.runner import check_tools
from ..simulators.simulator import build_engine
from .inference import BY_WIDTH, DEFAULT_LAYERS
from .learning import LearnOptions, Run, density_of, engine_for, failure, joined, simulate

#: Most images of a run whose every write is compared: a trace of more does not fit in memory.
MOST_TRACED = 600
#: Test images that are run in the gateware at most.
MOST_TESTED = 1000
#: Images that light a pixel whose weights take part.
LEAST_LIT = 5


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
    """Train in the gateware and compare; see :func:`apical.sim.cosim.learning.cosim_systems`."""
    if options.systems != ("ep",):
        raise MisuseError(f"system '{', '.join(options.systems)}' does not train on data; only ep "
                          "does")
    check_tools(options.simulator)
    layers = tuple(options.layers or DEFAULT_LAYERS)
    network, dataset = layered(layers), _data(options, layers)
    check_sizes(network, dataset)
    program = equilibrium.training(network)
    tried = default_fixed_config(dataset.name, layers)
    config = engine_for(network, program, options, state=tried.state, weight=tried.weight,
                        update_frac=tried.update_frac)
    training = default_fixed_config(
        dataset.name, layers, state=config.state, weight=config.weight,
        update_frac=config.update_frac, seed=options.seed, epochs=options.epochs)
    say(f"expecting: the fixed executor trains {network.name} on {dataset.name}")
    traced = not options.fast and options.epochs is None
    run, images = _expect(network, dataset, training, config, options, traced)
    report = simulate(run, options, traced, say)
    final = report.pop("final_weights")
    report |= {"layers": list(layers), "data": dataset.name, "weights": "starting",
               "seed": options.seed, "simulator": options.simulator, "netlist": options.netlist,
               "epochs": options.epochs, "learns": True,
               **_shares(network, run, final),
               **_accuracies(network, dataset, training, config, final, options, images, say)}
    sums = {key: report[key] for key in ("compared", "mismatches", "weights_compared")}
    why = failure(report)
    return {"seed": options.seed, "simulator": options.simulator, **sums,
            "systems": {"ep": report}, "failures": {"ep": why} if why else {}}


def _data(options, layers):
    name = options.data or BY_WIDTH.get(layers[0])
    if name is None or name == "random":
        raise MisuseError("training needs images with classes: --data digits, mnist or "
                          "fashion-mnist")
    return load(name)


def _expect(network, dataset, training, config, options, traced):
    """The run with what the fixed executor makes of it, and the raw images."""
    program = equilibrium.training(network, training.steps, training.nudge_steps,
                                   training.beta_shift)
    rates = equilibrium.learning_rates(
        network, training.rates[0] if len(training.rates) == 1 else training.rates,
        training.beta_shift)
    weights = quantize_network(network, starting_weights(network, training), training.state,
                               training.weight, saturate=True).weights
    raw, rng = RawImages(dataset, training.state), np.random.default_rng(training.seed)
    passes, orders = [], []
    for epoch in range(1 if options.epochs is None else options.epochs):
        order = rng.permutation(len(raw.train))[:options.images]
        if options.images is not None and len(order) < options.images:
            raise MisuseError(f"data '{dataset.name}' has {len(order)} training images, "
                              f"{options.images} are asked for")
        decayed = {name: rate * training.decay ** epoch for name, rate in rates.items()}
        passes.append((len(order), decayed))
        orders.append(order)
    if traced and sum(map(len, orders)) > MOST_TRACED:
        raise MisuseError(f"{sum(map(len, orders))} training images: more than {MOST_TRACED} are "
                          "compared with --fast only")
    order = np.concatenate(orders)
    inputs = {"x": raw.train[order], "d": raw.targets[order]}
    executor = (FixedExecutor if traced else CompiledExecutor)(
        network, weights, training.state, training.weight, training.update_frac)
    results, begin = [], 0
    for count, found in passes:
        part = {name: values[begin:begin + count] for name, values in inputs.items()}
        kept = {"record": True} if traced else {"collect": False}
        results.append(executor.run(program, part, training.seed, begin, rates=found, **kept))
        begin += count
    assembly = assemble(network, program, config, density_of({"x": inputs["x"][:1000]}))
    raised = [(count, multipliers(program, found, training.state, training.weight,
                                  training.update_frac)) for count, found in passes]
    return Run(config, assembly, weights, inputs, raised, joined(results), executor.weights,
               [m.name for m in network.matrices]), raw


def _shares(network, run, final):
    """Shares of the weights that changed and that are saturated.

    Weights of pixels that are lit in fewer than `LEAST_LIT` images take no part: one or two small
    updates are mostly rounded away.
    """
    fmt, taken, changed, saturated = run.config.weight, 0, 0, 0
    lit = np.count_nonzero(run.inputs["x"], axis=0) >= LEAST_LIT
    for matrix in network.matrices:
        rows = lit if matrix.rows == len(lit) else slice(None)
        now, before = final[matrix.name][rows], run.weights[matrix.name][rows]
        taken += now.size
        changed += int(np.count_nonzero(now != before))
        saturated += int(np.count_nonzero((now == fmt.min) | (now == fmt.max)))
    return {"weights_changed": changed / taken, "weights_saturated": saturated / taken}


def _accuracies(network, dataset, training, config, final, options, images, say):
    """Test accuracy of the weights that were read back."""
    program, labels = inference(network, training.inference_steps), dataset.test_labels
    executor = FixedExecutor(network, final, training.state, training.weight)
    floats = FloatExecutor(network, {name: dequantize(raw, training.weight)
                                     for name, raw in final.items()})

    def accuracy(runner, values):
        parts = [runner.run(program, {"x": values[begin:begin + 500]}).predictions
                 for begin in range(0, len(labels), 500)]
        return float(np.mean(np.concatenate(parts) == labels))

    told = {"accuracy_fixed": accuracy(executor, images.test),
            "accuracy_float": accuracy(floats, dataset.test), "accuracy_rtl": None,
            "tested_rtl": 0}
    if options.epochs is None:
        return told
    count = min(len(labels), MOST_TESTED)
    say(f"testing the learned weights in the gateware on {count} images")
    inputs = {"x": images.test[:count]}
    assembly = assemble(network, program, config, density_of(inputs))
    job = inference_job(assembly, final, inputs, options.seed)
    build = build_engine(config, options.simulator, options.waves, options.cache)
    reported, _ = answers(job, simulate_job(build, job.parts, False, options.cache).answers)
    return told | {"accuracy_rtl": float(np.mean(reported["prediction"] == labels[:count])),
                   "tested_rtl": count}
