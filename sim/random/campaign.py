"""Random networks and programs on random engines, every bit compared.

The cases draw several inputs, lateral and inhibitory projections, shared and transposed matrices,
chains of currents, nested and early ended loops, nudges, snapshots, weight updates and extreme
values, and run one after the other without a reset of the memories.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...golden.errors import ApicalError, DoesNotFitError, MisuseError
from ...golden.executors.fixed.executor import FixedExecutor
from ...golden.executors.fixed.weights import multipliers
from ...hw.assembler.assembler import assemble
from ...hw.assembler.readback import word_addresses
from ...hw.interface.isa import Space
from ..bench import commands
from ..bench.job import Job, answers, learning_job, read_weights
from ..bench.simulation import simulate_job
from ..compare.compare import Expectation, compare_reports, compare_trace
from ..cosim.learning import joined
from ..simulators.runner import SimulationError, check_tools
from ..simulators.simulator import build_engine
from .case import IMAGES, Case, random_engine

#: Images a case may have: image numbers tell the cases apart.
SPAN = 16
#: Cases of one run of a simulator.
TOGETHER = 100
#: Cases that are drawn until one fits the engine.
ATTEMPTS = 100
#: Largest population of a case, the large ones rarely.
SIZES = (6, 12, 24, 24, 40, 40, 80, 200)
#: Weight visits of an image and lane: larger cases take too long.
WORK = 60_000


@dataclass(frozen=True, eq=False)
class _Drawn:
    """A case that fits, with its seed, its place in the run, and what the host plays."""

    seed: int
    case: Case
    assembly: object
    job: Job
    first: int
    words: np.ndarray
    expected: object
    final: dict


def draw_case(seed, config, number=0, largest=None):
    """The first case of a seed that fits an engine.

    Parameters
    ----------
    number : int
        Place in the run; decides the numbers of the images.
    largest : int, optional
        Units of the largest population; by default one of `SIZES`.
    """
    for attempt in range(ATTEMPTS):
        size = SIZES[(seed * 7 + attempt * 3) % len(SIZES)] if largest is None else largest
        case = Case(seed, size, config, attempt)
        if case.work > WORK * config.width:
            continue
        try:
            assembly = assemble(case.network, case.program, config, case.density)
            passes = [(count, multipliers(case.program, rates, config.state, config.weight,
                                          config.update_frac)) for count, rates in case.passes]
            # What the fixed executor refuses is no case either.
            expected, final = _expect(case, config, seed, SPAN * number)
        except (DoesNotFitError, MisuseError):
            continue
        first = SPAN * number
        job = learning_job(assembly, case.weights, case.inputs, passes, seed, first,
                           read_back=bool(assembly.factors))
        # What an earlier case left in the states must not matter, here or when it runs alone.
        states = word_addresses(Space.STATE, 0, config.state_depth, config.width)
        garbage = np.random.default_rng([seed, 1]).integers(0, 1 << 16, states.size)
        words = commands.join(commands.reset(),
                              commands.writes(states, garbage),
                              *job.parts)
        return _Drawn(seed, case, assembly, job, first, words, expected, final)
    raise ApicalError(f"seed {seed}: none of {ATTEMPTS} random cases fits engine {config.hash}")


def _expect(case, config, seed, first):
    """What the fixed executor makes of a case: result and final weights."""
    results, begin = [], 0
    executor = FixedExecutor(case.network, case.weights, config.state, config.weight,
                             config.update_frac)
    for count, rates in case.passes:
        part = {name: values[begin:begin + count] for name, values in case.inputs.items()}
        results.append(executor.run(case.program, part, seed, first + begin, record=True,
                                    rates=rates))
        begin += count
    return joined(results), executor.weights


def run_cases(config, seeds, largest=None, simulator="verilator", cache=None,
              say=lambda text: None) -> dict:
    """Run one case of each seed on an engine.

    Returns
    -------
    dict
        ``cases``, ``compared``, ``weights_compared``, ``mismatches``, ``failing`` seeds, and
        ``failures``: one line a case.
    """
    build = build_engine(config, simulator, cache=cache, say=say)
    report = {"cases": 0, "compared": 0, "weights_compared": 0, "mismatches": 0, "failing": [],
            "failures": []}
    seeds = list(seeds)
    for begin in range(0, len(seeds), TOGETHER):
        drawn = [draw_case(seed, config, number, largest)
                 for number, seed in enumerate(seeds[begin:begin + TOGETHER])]
        _play(build, drawn, config, cache, report)
    return report


def _play(build, drawn, config, cache, report):
    """Play cases together; where the simulator gives up, in halves until one is left."""
    try:
        played = simulate_job(build, [one.words for one in drawn], cache=cache)
    except SimulationError as error:
        if len(drawn) > 1:
            half = len(drawn) // 2
            for part in (slice(None, half), slice(half, None)):
                _play(build, drawn[part], config, cache, report)
            return
        report["cases"] += 1
        _fail(report, drawn[0].seed, 1, str(error))
        return
    start, records = 0, {name: _by_case(rows) for name, rows in played.records.items()}
    nothing = {name: rows[:0] for name, rows in played.records.items()}
    for one in drawn:
        words = played.answers[start:start + one.job.answers]
        start += one.job.answers
        reported, _ = answers(one.job, words)
        number = one.first // SPAN
        mine = {name: records[name].get(number, nothing[name]) for name in records}
        outcome = compare_trace(Expectation(one.expected), mine["state"], one.first,
                                mine.get("weight"))
        agree = compare_reports(one.expected, reported)
        differ = {name: int((~ok).sum()) for name, ok in agree.items() if not ok.all()}
        if one.assembly.factors:
            back = read_weights(one.job, one.assembly, words)
            wrong = {name: int((raw != one.final[name]).sum()) for name, raw in back.items()}
            differ |= {f"weights of {name}": count for name, count in wrong.items() if count}
        report["cases"] += 1
        report["compared"] += outcome.compared
        report["weights_compared"] += outcome.weights_compared
        wrong = outcome.mismatches or sum(differ.values())
        if wrong:
            what = (outcome.first.sentence(config.state, config.weight) if outcome.first
                    else f"{differ} differ")
            _fail(report, one.seed, wrong, what)


def _by_case(records):
    """Records by number of the case."""
    if not len(records):  # the split of nothing is one empty part
        return {}
    whose = records["image"] // SPAN
    order = np.argsort(whose, kind="stable")
    numbers, starts = np.unique(whose[order], return_index=True)
    return dict(zip(numbers.tolist(), np.split(records[order], starts[1:]), strict=True))


def _fail(report, seed, mismatches, what):
    report["mismatches"] += mismatches
    report["failing"].append(seed)
    report["failures"].append(f"seed {seed}: {what}")


def fuzz(cases, configs=3, seed=0, simulator="verilator", cache=None,
         say=lambda text: None) -> dict:
    """Run random cases over random engines.

    Case ``s`` of the seeds ``seed .. seed + cases - 1`` runs on engine ``s % configs``; engines are
    the same for every seed.

    Returns
    -------
    dict
        ``cases``, ``configs``, ``compared``, ``weights_compared``, ``mismatches``,
        ``failing_seed`` (the first, or None), ``failures``, and ``engines``: configurations.
    """
    check_tools(simulator)
    report = {"cases": 0, "configs": configs, "compared": 0, "weights_compared": 0, "mismatches": 0,
            "failing_seed": None, "failures": [], "seed": seed, "simulator": simulator,
            "engines": [], "images": IMAGES * cases}
    failing = []
    for number in range(configs):
        seeds = [s for s in range(seed, seed + cases) if s % configs == number]
        if not seeds:
            continue
        config = random_engine(number)
        say(f"engine {number}, {config.hash}: {config.width} lanes, {len(seeds)} cases")
        found = run_cases(config, seeds, None, simulator, cache, say)
        for key in ("cases", "compared", "weights_compared", "mismatches"):
            report[key] += found[key]
        failing += found["failing"]
        report["failures"] += found["failures"]
        report["engines"].append(config.to_dict())
    report["failing_seed"] = min(failing, default=None)
    return report
