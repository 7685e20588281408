"""Co-simulation of learning systems: state and weight writes, registers and final weights compared.

The small problems of :mod:`apical.golden.systems.cases` run on one common engine.  The expected
values are computed by the fixed executor before the simulator starts.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from ...golden.errors import DoesNotFitError, MisuseError
from ...golden.executors.fixed.executor import FixedResult
from ...golden.executors.fixed.weights import greatest_rate, multipliers
from ...golden.executors.trace import Trace
from ...golden.systems.cases import (
    LEAST_CHANGED,
    MOST_SATURATED,
    case_names,
    learning_case,
    run_case,
)
from ...golden.systems.registry import system
from ...hw.assembler.assembler import assemble, config_for
from ...hw.interface.config import EngineConfig
from ...hw.interface.presets import PRESETS, preset
from ..bench.job import answers, learning_job, read_weights
from ..bench.simulation import simulate_job
from ..compare.compare import Comparison, Expectation, compare_reports, compare_sums, compare_trace
from ..compare.report import measured
from ..simulators.runner import check_tools
from ..simulators.simulator import build_engine

#: Lanes of the engine that cases share.
LANES = 8
#: Its depths: every case fits, so that one simulator is built for all.
DEPTHS = {"weight_depth": 2048, "state_depth": 128, "accumulator_depth": 128, "event_depth": 256,
          "program_depth": 512, "descriptor_depth": 256}
#: It has every unit.
UNITS = {"learning": True, "smooth": True, "noise": True}
#: Images after which signatures are read in runs that compare signatures only.
EVERY = 100


@dataclass(frozen=True)
class LearnOptions:
    """What to co-simulate; see ``apical cosim --help``."""

    systems: tuple = ("ep",)
    seed: int = 0
    lanes: int | None = None
    preset: str | None = None
    engine: dict = field(default_factory=dict)
    fast: bool = False
    simulator: str = "verilator"
    waves: bool = False
    netlist: bool = False
    cache: Path | None = None


@dataclass(frozen=True, eq=False)
class Run:
    """A learning run with everything that is expected of it.

    Attributes
    ----------
    config : EngineConfig
    assembly : Assembly
    weights, inputs : dict of str to ndarray of int64
        Raw; the inputs of all passes, one after the other.
    passes : list of (int, dict of str to int)
        As :func:`apical.sim.bench.job.learning_job` takes them.
    expected : FixedResult
        Of all passes.
    final : dict of str to ndarray of int64
        Weights after the last pass.
    learned : list of str
        Matrices that learn.
    """

    config: EngineConfig
    assembly: object
    weights: dict
    inputs: dict
    passes: list
    expected: FixedResult
    final: dict
    learned: list


def system_names(wanted) -> tuple:
    """Names of systems: of one, or for ``"all"`` of all that have a case.

    Parameters
    ----------
    wanted : str
        As :func:`apical.golden.systems.registry.system` takes it, or ``"all"``.
    """
    return tuple(case_names()) if wanted == "all" else (system(wanted).name,)


def engine_for(network, program, options, density=None, **formats) -> EngineConfig:
    """The engine that options name, or the common one, deeper where it must be.

    Of a preset that comes with and without weight updates the one that learns is taken.
    """
    if options.preset is not None:
        if options.lanes is not None:
            raise MisuseError("--preset and --lanes exclude each other; a preset has its lanes")
        learning = f"{options.preset}-learning"
        name = learning if learning in PRESETS else options.preset
        return preset(name).replace(**options.engine)
    lanes = LANES if options.lanes is None else options.lanes
    fields = {"update_lanes": min(4, 1 << lanes.bit_length() - 1), **UNITS, **formats,
              **options.engine}
    config = EngineConfig(lanes=lanes, **DEPTHS, **fields)
    try:
        assemble(network, program, config, density)
        return config
    except DoesNotFitError:
        needed = config_for(network, program, lanes, density, **fields)
        return config.replace(**{name: max(depth, getattr(needed, name))
                                 for name, depth in DEPTHS.items()})


def density_of(inputs) -> dict:
    """Share of inputs that are not zero, by population."""
    return {name: float(np.count_nonzero(values)) / max(1, values.size)
            for name, values in inputs.items()}


def joined(results) -> FixedResult:
    """One result of runs that follow each other."""
    if len(results) == 1:
        return results[0]
    starts = np.cumsum([0, *(len(r.steps) for r in results)])
    trace = None
    if results[0].trace is not None:
        trace = Trace(int(starts[-1]))
        for result, start in zip(results, starts, strict=False):
            trace.entries += [replace(entry, images=entry.images + start)
                              for entry in result.trace.entries]
    predictions = (None if results[0].predictions is None
                   else np.concatenate([r.predictions for r in results]))
    return FixedResult({}, predictions, *(
        np.concatenate([getattr(r, name) for r in results])
        for name in ("steps", "operations", "writes", "saturations", "signatures")), trace)


def simulate(run: Run, options, record, say) -> dict:
    """Run it on the simulator and report; a netlist also as it is shipped, without trace ports."""
    say(f"engine {run.config.hash}, {run.config.width} lanes")
    build = build_engine(run.config, options.simulator, options.waves, options.cache,
                         options.netlist, say=say)
    report = _played(run, options, build, record, say)
    if options.netlist:
        say("simulating the shipped netlist, without the trace port")
        build = build_engine(run.config, options.simulator, False, options.cache, True, False,
                             say)
        shipped = _played(run, options, build, False, say)
        report["shipped_signature_match"] = not shipped["mismatches"]
        report["mismatches"] += shipped["mismatches"]
    return report


def _played(run, options, build, record, say) -> dict:
    job = learning_job(run.assembly, run.weights, run.inputs, run.passes, options.seed,
                       every=1 if record else EVERY, read_back=bool(run.learned))
    say(f"simulating {job.images} images on {options.simulator}")
    played = simulate_job(build, job.parts, record, options.cache, options.waves)
    reported, totals = answers(job, played.answers)
    final = read_weights(job, run.assembly, played.answers) if run.learned else {}
    if record:
        agree = compare_reports(run.expected, reported)
        comparison = compare_trace(Expectation(run.expected), played.records["state"],
                                   weight_records=played.records.get("weight"))
    else:
        agree = compare_sums(run.expected, reported, job.at)
        wrong = int(np.count_nonzero(~(agree["signature"] & agree["writes"])))
        comparison = Comparison(len(job.at), wrong, None)
    report = measured(run.config, job, reported, totals, played, run.expected, comparison, agree)
    differ = {name: int(np.count_nonzero(final[name] != run.final[name])) for name in run.learned}
    back = sum(run.final[name].size for name in run.learned)
    report["mismatches"] += sum(differ.values())
    report["compared"] += back
    return report | {
        "weights_compared": comparison.weights_compared + back,
        "weights_differ": {name: count for name, count in differ.items() if count},
        "final_weights": final,
    }


def cosim_systems(options: LearnOptions, say=lambda text: None) -> dict:
    """Co-simulate learning of one system or several.

    Returns
    -------
    dict
        ``systems`` (name -> report), and ``mismatches``, ``compared``, ``weights_compared`` over
        all of them; ``failures`` names every system that does not hold, and why.
    """
    check_tools(options.simulator)
    systems = {}
    for name in options.systems:
        say(f"system {name}, seed {options.seed}")
        systems[name] = _system(name, options, say)
    sums = {key: sum(report[key] for report in systems.values())
            for key in ("compared", "mismatches", "weights_compared")}
    return {"seed": options.seed, "simulator": options.simulator, **sums, "systems": systems,
            "failures": {name: why for name, report in systems.items()
                         if (why := failure(report))}}


def _system(name, options, say):
    case = learning_case(name, options.seed)
    formats = {"state": case.state, "weight": case.weight, "update_frac": case.update_frac}
    density = density_of(case.inputs)
    config = engine_for(case.network, case.program, options, density, **formats)
    # The numbers are those of the engine, where options change them.
    formats = {"state": config.state, "weight": config.weight, "update_frac": config.update_frac}
    # Rates of a case are for its own formats; finer weights have a lower largest rate.
    most = greatest_rate(**formats)
    rates = {key: min(rate, most) for key, rate in case.rates.items()}
    case = replace(case, rates=rates, **formats)
    assembly = assemble(case.network, case.program, config, density)
    expected = run_case(case)
    rates = multipliers(case.program, case.rates, case.state, case.weight, case.update_frac)
    inputs = {key: np.concatenate([values] * case.passes) for key, values in case.inputs.items()}
    run = Run(config, assembly, case.weights, inputs, [(case.images, rates)] * case.passes,
              joined(expected.results), expected.weights, case.learned)
    report = simulate(run, options, not options.fast, say)
    del report["final_weights"]
    return {"layers": [p.size for p in case.network.populations if not p.constant],
            "data": "case", "weights": "case", "seed": options.seed,
            "simulator": options.simulator, "netlist": options.netlist, "accuracy_rtl": None,
            "accuracy_fixed": None, "accuracy_float": None, **report,
            "weights_changed": expected.changed, "weights_saturated": expected.saturated,
            "learns": bool(case.learned)}


def failure(report, least=None) -> str | None:
    """Why a run does not hold, or None.

    Parameters
    ----------
    least : float, optional
        Share of the weights that must have changed; by default that of cases.
    """
    least = LEAST_CHANGED if least is None else least
    if report["sentence"]:
        return report["sentence"]
    if report["registers_differ"]:
        return f"registers that differ: {report['registers_differ']}"
    if report["weights_differ"]:
        return f"final weights that differ: {report['weights_differ']}"
    if not report.get("shipped_signature_match", True):
        return "the shipped netlist, without its trace port, differs"
    if report["mismatches"] or not report["signature_match"]:
        return f"{report['mismatches']} mismatches"
    if not report["learns"]:
        return None
    if report["weights_changed"] < least:
        return (f"only {report['weights_changed']:.1%} of the weights that take part changed, "
                f"{least:.0%} must")
    if report["weights_saturated"] > MOST_SATURATED:
        return (f"{report['weights_saturated']:.1%} of the weights that take part are saturated, "
                f"{MOST_SATURATED:.0%} may")
    return None
