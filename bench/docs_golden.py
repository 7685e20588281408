"""The pages of results of the golden model, from the records that ``bench.record`` keeps.

Names of records decide where they go: ``train-*`` (``apical train`` of a network), ``machine-*``
(of a Boltzmann machine, and ``bench.boltzmann``), ``settling-*``, ``speed-golden``; checks
(``reproduce-*``) are those of :mod:`bench.docs_checks`.
"""

from __future__ import annotations

import json
import re
import statistics
from pathlib import Path

from apical.golden.references.annealed import LEAST_EFFECTIVE, MOST_APART
from apical.hw.export.verilog import markdown_table as _table
from bench import docs_checks

RECORDED = Path(__file__).resolve().parent.parent / "docs" / "recorded"

#: What a test error has to be at most, by (data, layers, rule).
LIMITS = {
    ("mnist", "784-512-10", "ep"): "2.0 % (goal 1.8)",
    ("mnist", "784-500-500-10", "ep"): "2.1 %",
    ("fashion-mnist", "784-512-10", "ep"): "11 %",
    ("mnist", "784-512-10", "stdp-integrated"): "2.5 %",
    ("mnist", "784-512-10", "stdp-contrast"): "2.5 %",
    ("mnist", "784-300-100-10", "ghost"): "backprop + 0.3 points",
}
_GENERATED = "Generated from `docs/recorded` by `python -m bench.docs`; do not edit."


def records(pattern) -> list[dict]:
    """Records whose names match, by name: dicts of ``command`` and ``report``."""
    return [json.loads(path.read_text()) for path in sorted(RECORDED.glob(f"{pattern}.json"))]


def _percent(value):
    return f"{100 * value:.2f} %"


def _groups():
    """Training records by (data, layers, rule), in the order of `LIMITS`, then the others."""
    found = {}
    for record in records("train-*"):
        report = record["report"]
        if report.get("executor") == "fixed" or "layers" not in report:
            continue  # these have their own table
        key = report["data"], "-".join(map(str, report["layers"])), report["rule"]
        found.setdefault(key, []).append(record)
    return {key: found[key] for key in [*LIMITS, *sorted(set(found) - set(LIMITS))] if key in found}


def training_summary() -> list[str]:
    """Lines of the table of learned networks: one row a network and rule."""
    rows = []
    for key, group in _groups().items():
        group.sort(key=lambda record: record["report"]["seed"])
        errors = [record["report"]["test_error"] for record in group]
        seeds = [record["report"]["seed"] for record in group]
        spread = f"{100 * min(errors):.2f} .. {100 * max(errors):.2f}" if len(errors) > 1 else ""
        command = group[0]["command"].partition(" --save")[0]
        rows.append([*key, ", ".join(map(str, seeds)), _percent(statistics.mean(errors)), spread,
                     LIMITS.get(key, ""), f"`{command}`"])
    return _table(["data", "layers", "rule", "seeds", "test error, mean", "range", "at most",
                   "command of the first seed"], rows)


#: Most test error of learning in raw integers, by layers and weights.
FIXED_LIMITS = {("784-64-10", "s16.14"): "3.2 %", ("784-128-10", "s16.14"): "2.6 %",
                ("784-256-10", "s16.14"): "2.4 %", ("784-512-10", "s8.8"): "3.3 %"}


def fixed_training() -> list[str]:
    """Lines of the table of networks that learned in raw integers."""
    rows = []
    for record in records("train-fixed-*"):
        r = record["report"]
        layers = "-".join(map(str, r["layers"]))
        rows.append([r["data"], layers, r["state"], r["weight"], r["update_frac"], r["epochs"],
                     r["seed"], _percent(r["test_error"]), _percent(r["train_error"]),
                     FIXED_LIMITS.get((layers, r["weight"]), ""), r["signature"],
                     f"{r['seconds']:.0f}", f"`{record['command']}`"])
    return _table(["data", "layers", "states", "weights", "update bits", "epochs", "seed",
                   "test error", "training error", "at most", "signature", "seconds", "command"],
                  rows)


#: Figures to reach, test errors in per cent: (data, layers, weights in raw integers or None, must,
#: goal).  All are equilibrium propagation.
TARGETS = (("mnist", "784-512-10", None, 1.8, 1.5), ("mnist", "784-500-500-10", None, 1.8, 1.5),
           ("mnist", "784-500-500-500-10", None, 2.5, 1.6),
           ("fashion-mnist", "784-512-10", None, 10.5, 9.8),
           ("mnist", "784-64-10", "s16.14", 2.9, 2.6), ("mnist", "784-128-10", "s16.14", 2.3, 2.0),
           ("mnist", "784-256-10", "s16.14", 1.9, 1.7), ("mnist", "784-512-10", "s8.8", 2.8, 2.2))


def targets() -> list[str]:
    """Lines of the table of figures to reach: one row a recipe that is recorded."""
    rows = []
    for data, layers, weight, must, goal in TARGETS:
        found = {}
        for record in records("train-*"):
            r = record["report"]
            if (r["data"], "-".join(map(str, r.get("layers", ()))), r.get("weight")) == (
                    data, layers, weight) and r["rule"].startswith("ep"):
                command = re.sub(r" --(seed|save|checkpoint) \S+", "", record["command"])
                found.setdefault(command, []).append((r["seed"], 100 * r["test_error"]))
        what = [data, layers, f"on chip, weights {weight}" if weight else "float",
                f"{must:g} %", f"{goal:g} %"]
        if not found:
            rows.append([*what, "", "not trained", "", ""])
        for command, runs in found.items():
            mean = statistics.mean(error for _, error in runs)
            rows.append([*what, ", ".join(str(seed) for seed, _ in sorted(runs)),
                         f"{mean:.2f} %" if mean <= must else f"**{mean:.2f} %**",
                         "reached" if mean <= goal else f"{mean - goal:.2f} points above",
                         f"`{command}`"])
    return _table(["data", "layers", "numbers", "must", "goal", "seeds", "test error, mean",
                   "goal is", "command, without seeds"], rows)


def _training():
    rows = []
    for key, group in _groups().items():
        for record in group:
            r = record["report"]
            rows.append([*key, r["seed"], _percent(r["test_error"]), _percent(r["train_error"]),
                         r["epochs"], r["batch"], ", ".join(f"{rate:g}" for rate in r["rates"]),
                         f"{r['images_per_second']:.0f}", f"{r['seconds']:.0f}"])
    return _table(["data", "layers", "rule", "seed", "test error", "training error", "epochs",
                   "batch", "rates", "images/s", "seconds"], rows)


def _settling():
    lines = []
    for record in records("settling-*"):
        r = record["report"]
        lines += [f"### {r['network']} on {r['data']}, learned by {r['rule']}, seed {r['seed']}",
                  "",
                  f"`{record['command']}`: {r['images']} test images. Steps (eps 1/2) until the "
                  "mean over the images of the largest projected force stays at or below a "
                  "level:", ""]
        lines += _table(["start", *r["levels"]],
                        [[start, *("more" if n is None else n for n in r[start]["steps_to"])]
                         for start in ("sweep", "zero")])
        lines += ["Test error by the number of free steps:", ""]
        lines += _table(["start", *r["told"]],
                        [[start, *(_percent(e) for e in r[start]["test_error"])]
                         for start in ("sweep", "zero")])
    return lines


def _machine_name(report):
    layers = report.get("layers") or ["784", report["hidden"]]
    return "-".join(map(str, layers)) + (", lateral" if report.get("lateral") else "")


def _machine_rule(report):
    """Name of a rule: a machine that flips no states learned by one-flip flow."""
    rule = report.get("rule", "scikit-learn")
    return "flow-one-flip" if rule == "flow" and report.get("flip") is None else rule


def _interval(report):
    """The interval of a log-likelihood, where it means something."""
    if report["effective_chains"] < LEAST_EFFECTIVE * report["chains"]:
        back = report.get("log_likelihood_reverse")
        if back is None:
            return ", too few chains count"
        if abs(back - report["log_likelihood"]) > MOST_APART:
            return f" forward, {back:.1f} back, too few chains count"
    low, high = report["log_likelihood_interval"]
    return f" [{low:.1f}, {high:.1f}]"


def flow_levers() -> list[str]:
    """Lines of the tables of ``bench.flow_levers``, one for each data set."""
    lines = []
    for record in records("flow-levers-*"):
        r, rows = record["report"], []
        for name, found in r["learners"].items():
            pixels, nats = found["runs"]["reconstruction"], found["runs"]["likelihood"]
            wrong = [[100 * run["wrong_pixels"][k] for run in pixels]
                     for k in range(len(r["levels"]))]
            trusted = sum(run["log_likelihood_interval"] is not None for run in nats)
            rows.append([name, f"{pixels[0]['rate']:g}", *(_middle(part, 2) for part in wrong),
                         f"{nats[0]['rate']:g}",
                         _middle([run["log_likelihood"] for run in nats], 1),
                         _middle([run["log_likelihood_reverse"] for run in nats], 1),
                         f"{trusted} of {len(nats)}"])
        lines += [f"`{record['command']}`: {r['data']}, {r['hidden']} hidden units, {r['epochs']} "
                  f"epochs, batches of {r['batch']}, rates times {r['decay']:g} after each epoch, "
                  f"{r['seeds']} seed{'s' if r['seeds'] > 1 else ''}; medians (smallest .. "
                  "largest). A learner has one rate for the wrong pixels and one for the "
                  "likelihood, chosen on training images that were held out.", ""]
        lines += _table(["learner", "rate", *(f"% wrong from {100 * share:.0f} % flips"
                                              for share in r["levels"]),
                         "rate", "nats, forward", "nats, back", "trusted"], rows)
    return lines


def _middle(values, digits):
    """Median and range of figures of several seeds."""
    text = f"{statistics.median(values):.{digits}f}"
    if len(values) < 2:
        return text
    return f"{text} ({min(values):.{digits}f} .. {max(values):.{digits}f})"


def machine_table() -> list[str]:
    """Lines of the table of Boltzmann machines."""
    rows = []
    for record in sorted(records("machine-*"), key=lambda r: (
            r["report"]["data"] != "mnist", _machine_name(r["report"]),
            r["report"].get("rule", "z"), r["report"]["seed"])):
        r = record["report"]
        bound = "" if r.get("log_likelihood_is", "exact").startswith("exact") else "at least "
        rows.append([r["data"], _machine_name(r), _machine_rule(r), r["seed"],
                     *map(_percent, r["reconstruction_error"].values()),
                     f"{bound}{r['log_likelihood']:.1f}{_interval(r)}",
                     f"{r['effective_chains']:.0f} of {r['chains']}",
                     f"`{record['command'].partition(' --save')[0]}`"])
    return _table(["data", "machine", "rule", "seed", "from 10 % flips", "from 20 %", "from 30 %",
                   "log-likelihood, nats", "chains that count", "command"], rows)


def _samples():
    """Pictures ``docs/samples-*.png`` of ``apical sample``."""
    lines = []
    for path in sorted(RECORDED.parent.glob("samples-*.png")):
        name = path.stem.removeprefix("samples-")
        lines += [f"![Samples of {name}]({path.name})", "",
                  f"*{name}: probabilities of the pixels in 100 chains after 1000 Gibbs steps from "
                  "fair coins, `apical sample MODEL --png FILE`.*", ""]
    return lines


def _speed():
    lines = []
    for record in records("speed-golden"):
        r = record["report"]
        torch = r.get("torch")
        rows = []
        for name, case in r["cases"].items():
            ratios = sorted(case["ratios"])
            rows.append([name, f"{case['images_per_cpu_second']:.0f}",
                         f"{case['ratio']:.1f} ({ratios[0]:.1f} .. {ratios[-1]:.1f})",
                         {"512": "5", "500": "1.4"}[name.split("_")[0]],
                         _percent(case["limit_share"]),
                         *([f"{case['ratio_torch_naive']:.1f}",
                            f"{case['ratio_torch_hoisted']:.1f}"] if torch else [])])
        lines += [f"`{record['command']}`, medians of {r['rounds']} rounds, NumPy {r['numpy']}"
                  + (f", PyTorch {torch}" if torch else "") + ".", ""]
        lines += _table(["case", "images a CPU second", "over naive NumPy (rounds)", "at least",
                         "share of the least-work limit",
                         *(["over naive PyTorch", "over hoisted PyTorch"] if torch else [])], rows)
    return lines


def results_golden() -> str:
    """The page of results of the golden model."""
    parts = ["# Results of the golden model", "", _GENERATED, "",
             "Measured with one BLAS thread on a machine of two cores that other work shared, so "
             "images a second say little. Errors are shares of wrong images after the last epoch. "
             "Options that a command does not name have their defaults. Defaults were chosen by "
             "hand on the test images, so test errors are slightly optimistic.", "",
             "## Learning: `apical train`", "", *training_summary(), "### Figures to reach", "",
             "Errors above what must be reached are **bold**.", "", *targets(), "### Every run", "",
             *_training(), "## Feedforward initialization on trained networks", "", *_settling(),
             "## Boltzmann machines", "",
             "Images are binarized at 1/2. Reconstruction is the share of wrong pixels of the "
             "10,000 test images after a mean-field pass from flipped pixels. The log-likelihood "
             "of the test images is estimated by annealed importance sampling, with its 95 % "
             "interval (of the spread between chains) where enough chains count, or where chains "
             "that go back agree.", "", *machine_table(),
             *(["### Levers of probability flow", "", *flow_levers()] if flow_levers() else []),
             *_samples(),
             "## Speed: equilibrium propagation in the float executor", "", *_speed(),
             "## Checks: `apical reproduce all --seed S`", "",
             "Number of checks that hold over the recorded seeds; [checks](checks.md) has every "
             "row with its values.", "", *docs_checks.summary()]
    return "\n".join(parts).rstrip() + "\n"


def checks() -> str:
    """The page of every check with its bound, why, and its values."""
    return docs_checks.checks(_GENERATED)
