"""Co-simulation of a network: fixed executor and gateware side by side, every bit compared.

The expected values are computed by the fixed executor before the simulator starts; nothing of the
simulation reaches it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ...golden.errors import MisuseError
from ...golden.executors.fixed.executor import FixedExecutor
from ...golden.executors.float.executor import FloatExecutor
from ...golden.learning.data import load
from ...golden.learning.pretrained import random_weights, trained_model
from ...golden.network import layered
from ...golden.numbers.formats import STATE, WEIGHT, Format, quantize
from ...golden.numbers.quantize import quantize_network
from ...golden.program.layered import inference
from ...hw.assembler.assembler import assemble, config_for
from ...hw.interface.presets import preset
from ..bench.job import answers, inference_job
from ..bench.simulation import Simulated, simulate_job
from ..compare.compare import Comparison, Expectation, compare_reports, compare_trace
from ..compare.inject import choose_fault
from ..compare.report import measured
from ..simulators.runner import check_tools
from ..simulators.simulator import build_engine

DEFAULT_LAYERS = (64, 32, 10)
#: Data sets by width of their images, for the default.
BY_WIDTH = {64: "digits", 784: "mnist"}
DEFAULT_LANES = 16


@dataclass(frozen=True)
class CosimOptions:
    """Options of a co-simulation; see ``apical cosim --help``."""

    layers: tuple | None = None
    lanes: int | None = None
    preset: str | None = None
    engine: dict = field(default_factory=dict)
    seed: int = 0
    images: int = 100
    data: str | None = None
    density: float | None = None
    weights: str | None = None
    steps: int = 6
    settled: float | None = None
    fast: bool = False
    simulator: str = "verilator"
    waves: bool = False
    inject: str | None = None
    netlist: bool = False
    cache: Path | None = None


@dataclass(frozen=True)
class Case:
    """A network, its program, its weights and its images, in floats and in raw integers."""

    network: object
    program: object
    real_weights: dict
    weights: dict
    images: np.ndarray
    labels: np.ndarray | None
    inputs: dict
    config: object
    assembly: object
    data: str
    trained: bool


def resolve(options: CosimOptions, progress=None, say=lambda text: None) -> Case:
    """Find data and weights, quantize, choose the engine and assemble."""
    layers = tuple(options.layers or DEFAULT_LAYERS)
    network = layered(layers)
    dataset = _data(options, layers)
    images, labels = dataset.test[:options.images], dataset.test_labels
    if len(images) < options.images:
        raise MisuseError(f"data '{dataset.name}' has {len(images)} test images, "
                          f"{options.images} are requested")
    labels = None if labels is None else labels[:options.images]
    program = inference(network, options.steps, settled=options.settled)
    state, weight = (_format(options, "state", STATE), _format(options, "weight", WEIGHT))
    wanted = options.weights or ("random" if dataset.train_labels is None else "trained")
    if wanted == "trained":
        if dataset.train_labels is None:
            raise MisuseError("random data have no classes to train on; use --weights random, or "
                              "--data digits, mnist or fashion-mnist")
        real = trained_model(layers, dataset, options.seed, cache=options.cache,
                             progress=progress, say=say).weights
    elif wanted == "random":
        real = random_weights(network, options.seed)
    else:
        raise MisuseError(f"unknown weights '{wanted}'; known: trained, random")
    raw = quantize_network(network, real, state, weight).weights
    inputs = {"x": quantize(images, state, "images")[0]}
    density = {"x": float(np.count_nonzero(inputs["x"])) / max(1, inputs["x"].size)}
    if options.preset is not None:
        if options.lanes is not None:
            raise MisuseError("--preset and --lanes exclude each other; a preset has its lanes")
        config = preset(options.preset).replace(**options.engine)
    else:
        lanes = DEFAULT_LANES if options.lanes is None else options.lanes
        config = config_for(network, program, lanes, density, **options.engine)
    return Case(network, program, real, raw, images, labels, inputs, config,
                assemble(network, program, config, density), dataset.name, wanted == "trained")


def _data(options, layers):
    name = options.data
    if name is None:
        name = BY_WIDTH.get(layers[0]) if layers[-1] == 10 else None
        if options.weights == "random" or name is None:
            name = "random"
    if name == "random":
        density = 1.0 if options.density is None else options.density
        return load("random", width=layers[0], count=options.images, density=density,
                    seed=options.seed)
    if options.density is not None:
        raise MisuseError("--density is for random data; real images have their own")
    dataset = load(name)
    if dataset.width != layers[0] or (dataset.classes != layers[-1]):
        raise MisuseError(f"data '{name}' have {dataset.width} pixels and {dataset.classes} "
                          f"classes, layers {'-'.join(map(str, layers))} need {layers[0]} and "
                          f"{layers[-1]}; change --layers or --data")
    return dataset


def _format(options, name, default) -> Format:
    if name in options.engine:
        return options.engine[name]
    return getattr(preset(options.preset), name) if options.preset else default


def cosim(options: CosimOptions, progress=None, say=lambda text: None) -> dict:
    """Co-simulate and report.

    Parameters
    ----------
    options : CosimOptions
    progress : callable, optional
        Of training, when weights must be trained first.
    say : callable
        Takes a line about what goes on.

    Returns
    -------
    dict
        The report (``apical cosim --json``); ``report["mismatches"] == 0`` and
        ``report["signature_match"]`` when the gateware did what the fixed executor said.
    """
    if options.images < 1:
        raise MisuseError(f"{options.images} images; at least one is needed")
    check_tools(options.simulator)
    case = resolve(options, progress, say)
    executor = FixedExecutor(case.network, case.weights, case.config.state, case.config.weight)
    whole = not options.fast or options.inject is not None
    expected = executor.run(case.program, case.inputs, seed=options.seed, record=whole)
    fault = None
    if options.inject is not None:
        fault = choose_fault(options.inject, case, expected, options.seed)
    say(f"engine {case.config.hash}, {case.config.width} lanes")
    build = build_engine(case.config, options.simulator, options.waves, options.cache,
                         options.netlist, say=say)
    say(f"simulating {options.images} images on {options.simulator}")
    outcome = _simulate(build, case, options, whole, fault)
    report = _report(case, options, expected, outcome, fault)
    if options.netlist:
        say("simulating the shipped netlist, without the trace port")
        build = build_engine(case.config, options.simulator, False, options.cache, True, False,
                             say)
        shipped = _simulate(build, case, options, False, fault)
        agree = compare_reports(expected, shipped.reported)
        report["shipped_signature_match"] = bool(agree["signature"].all() & agree["writes"].all())
        report["mismatches"] += 0 if report["shipped_signature_match"] else 1
    return report


@dataclass(frozen=True)
class _Outcome:
    reported: dict
    totals: dict
    played: Simulated
    job: object


def _simulate(build, case, options, whole, fault) -> _Outcome:
    job = inference_job(case.assembly, case.weights, case.inputs, options.seed,
                        extra=None if fault is None else fault.writes)
    played = simulate_job(build, job.parts, whole, options.cache, options.waves)
    return _Outcome(*answers(job, played.answers), played, job)


def _report(case, options, expected, outcome, fault) -> dict:
    agree = compare_reports(expected, outcome.reported)
    images = options.images
    if not outcome.played.records:
        wrong = int(np.count_nonzero(~(agree["signature"] & agree["writes"])))
        comparison = Comparison(images, wrong, None)
    else:
        records = outcome.played.records
        comparison = compare_trace(Expectation(expected), records["state"],
                                   weight_records=records.get("weight"))
    floats = FloatExecutor(case.network, case.real_weights).run(case.program, {"x": case.images})
    labels = case.labels

    def accuracy(predictions):
        return None if labels is None else float(np.mean(predictions == labels))

    report = {
        "layers": [p.size for p in (case.network.population("x"), *case.network.free)],
        "data": case.data, "weights": "trained" if case.trained else "random",
        "seed": options.seed, "simulator": options.simulator, "netlist": options.netlist,
        "accuracy_rtl": accuracy(outcome.reported["prediction"]),
        "accuracy_fixed": accuracy(expected.predictions),
        "accuracy_float": accuracy(floats.predictions),
        **measured(case.config, outcome.job, outcome.reported, outcome.totals, outcome.played,
                   expected, comparison, agree),
    }
    if fault is not None:
        report["injected"] = fault.to_dict()
    return report
