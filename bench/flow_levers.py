"""Probability flow against contrastive divergence: learners and rates at an equal budget.

``python -m bench.flow_levers --data digits --seeds 5 --json FILE`` trains restricted machines.
Each learner first tries rates, a factor of 2 apart, on a part of the training images; the rest of
them says which is best.  The grid grows until the best is not at its edge.  Then each learner runs
once per seed on all training images with its best rate and is measured on the test images:
wrong pixels after one mean-field pass from flipped pixels, and the log-likelihood.  Rates are
chosen twice, for wrong pixels (the mean over all shares of flips) and for the likelihood.

All learners see the same number of images in the same batches, with the same decay of the rates.
Finished runs are kept beside FILE (``FILE.part``), so that a stopped study goes on.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

from apical.cli.common import write_json
from apical.golden.errors import ApicalError
from apical.golden.learning.data import load
from apical.golden.learning.flow import FlowConfig, epochs
from apical.golden.learning.sampling import reconstruction_error
from apical.golden.network.boltzmann import binarize, corrupt, starting_weights
from apical.golden.references.divergence import contrastive
from apical.golden.references.likelihood import likelihood
from apical.golden.systems import flipped_flow, probability_flow
from apical.golden.systems.contrastive_divergence import CD, CD10
from apical.golden.systems.registry import register, system

#: Shares of flips that are reconstructed, and the seed of the flips.
LEVELS, FLIP_SEED = (0.0, 0.1, 0.2, 0.3), 1000
#: Budgets: hidden units, epochs, batch, decay; images held out, and of a run that looks for rates
#: how many images it trains on and how many epochs; temperatures; the first rates of the grid.
BUDGETS = {
    "digits": {"hidden": 64, "epochs": 30, "batch": 20, "decay": 0.93, "held": 300,
               "search_images": None, "search_epochs": 30, "temperatures": 1000,
               "rates": (0.1, 0.2, 0.4)},
    "mnist": {"hidden": 500, "epochs": 5, "batch": 50, "decay": 0.6, "held": 2000,
              "search_images": 10000, "search_epochs": 5, "temperatures": 3000,
              "rates": (0.1, 0.2, 0.4)},
}
BUDGETS["fashion-mnist"] = BUDGETS["mnist"]
#: Edges beyond which no grid grows.
SMALLEST, LARGEST = 0.003, 4.0
#: Temperatures of the likelihood of a run that looks for rates.
SEARCH_TEMPERATURES = 300
#: What a rate is chosen for.
MEASURES = ("reconstruction", "likelihood")


def _variant(name, summary, program):
    return register(replace(flipped_flow.RBM, name=name, rule=name, summary=summary, case=None,
                            program=program))


_variant("flipped-drawn", "from flipped data, hidden states drawn",
         lambda network, config: flipped_flow.training(network, config.sweeps, "sample"))
_variant("logistic", "one flip, logistic rates",
         lambda network, config: probability_flow.training(network, form="logistic"))
#: Learners: rule and settings.  None is a reference of NumPy.
LEARNERS = {
    "flow, flips .05": ("flow", {"flip": 0.05}),
    "CD-1": (CD.rule, {}),
    "flow, one flip": ("flow-one-flip", {}),
    "PCD": (None, {}),
    "flow, flips .1": ("flow", {"flip": 0.1}),
    "CD-10": (CD10.rule, {}),
    "flow, flips .02": ("flow", {"flip": 0.02}),
    "flow, flips .05, drawn": ("flipped-drawn", {"flip": 0.05}),
    "flow, one flip, logistic": ("logistic", {}),
}


def trained(learner, images, budget, rate, seed, length):
    """(network, weights) of a learner after so many epochs."""
    rule, changes = LEARNERS[learner]
    record = CD if rule is None else system(rule)
    network = record.network((images.shape[1], budget["hidden"]))
    if rule is None:
        *_, weights = contrastive(images, starting_weights(network, images, seed), length,
                                  budget["batch"], rate, budget["decay"], persistent=True,
                                  seed=seed)
        return network, weights
    config = FlowConfig(record.rule, epochs=length, batch=budget["batch"], rate=rate,
                        decay=budget["decay"], seed=seed, **changes)
    *_, executor = epochs(network, images, config)
    return network, executor.weights


def wrong(network, weights, images):
    """Shares of wrong pixels by share of flips."""
    return [reconstruction_error(network, weights, images, corrupt(images, share, FLIP_SEED))
            for share in LEVELS]


def measured(learner, train, test, budget, rate, seed, length, temperatures):
    """What a run of a learner reaches; nothing but its rate where it diverges."""
    begin = time.process_time()
    try:
        network, weights = trained(learner, train, budget, rate, seed, length)
    except ApicalError:
        return {"rate": rate, "diverged": True}
    seconds = time.process_time() - begin
    report = likelihood(network, weights, train, test, temperatures, 100, seed)
    kept = ("log_likelihood", "log_likelihood_interval", "log_likelihood_reverse",
            "effective_chains", "effective_chains_reverse")
    return {"rate": rate, "wrong_pixels": wrong(network, weights, test), "cpu_seconds": seconds,
            "largest_weight": float(np.abs(weights["W1"]).max()), "temperatures": temperatures,
            **{name: report[name] for name in kept}}


def merit(run, measure):
    """What is maximized; a diverged run is worst."""
    if "diverged" in run:
        return -np.inf
    if measure == "reconstruction":
        return -float(np.mean(run["wrong_pixels"]))
    # Of two estimates of one quantity the lower one: neither way of sampling may flatter.
    return min(run["log_likelihood"], run["log_likelihood_reverse"])


class Study:
    """Runs by key, kept in a file as they end."""

    def __init__(self, data, budget, path):
        self.budget, self.path, self.runs = budget, path, {}
        whole = load(data)
        self.train, self.test = binarize(whole.train), binarize(whole.test)
        order = np.random.default_rng(0).permutation(len(self.train))
        first = budget["held"]
        last = None if budget["search_images"] is None else first + budget["search_images"]
        self.held = self.train[order[:first]]
        self.part = self.train[order[first:last]]
        self.identity = json.loads(json.dumps({"data": data, **budget}))
        if path is not None and path.exists():
            kept = json.loads(path.read_text())
            if kept["identity"] == self.identity:
                self.runs = kept["runs"]

    def run(self, key, *arguments):
        """The run of a key, made if there is none."""
        if key not in self.runs:
            print(key, end=": ", file=sys.stderr, flush=True)
            found = self.runs[key] = measured(*arguments)
            shown = ("diverged" if "diverged" in found else
                     " ".join(f"{100 * w:.2f}" for w in found["wrong_pixels"])
                     + f" % wrong, {found['log_likelihood']:.2f} / "
                     f"{found['log_likelihood_reverse']:.2f} nats, "
                     f"{found['effective_chains']:.0f} chains")
            print(shown, file=sys.stderr, flush=True)
            if self.path is not None:
                write_json(self.path, {"identity": self.identity, "runs": self.runs})
        return self.runs[key]

    def search(self, learner):
        """Runs by rate, on a grid whose best is not at its edge, for every measure."""
        budget, found = self.budget, {}
        wanted = list(budget["rates"])
        while wanted:
            for rate in wanted:
                found[rate] = self.run(f"search {learner} {rate:g}", learner, self.part, self.held,
                                       budget, rate, 0, budget["search_epochs"],
                                       SEARCH_TEMPERATURES)
            wanted, rates = set(), sorted(found)
            for measure in MEASURES:
                best = max(rates, key=lambda rate: merit(found[rate], measure))
                if best == rates[0] and best / 2 >= SMALLEST:
                    wanted.add(best / 2)
                if best == rates[-1] and best * 2 <= LARGEST:
                    wanted.add(best * 2)
        return found

    def learner(self, name, seeds):
        """Search and final runs of a learner."""
        budget, found = self.budget, self.search(name)
        report = {"search": [found[rate] for rate in sorted(found)], "runs": {}}
        for measure in MEASURES:
            best = max(found, key=lambda rate: merit(found[rate], measure))
            report["runs"][measure] = [
                self.run(f"final {name} {best:g} seed {seed}", name, self.train, self.test, budget,
                         best, seed, budget["epochs"], budget["temperatures"])
                for seed in seeds]
        return report


def line(name, report):
    """One line of a learner, medians over the seeds."""
    pixels, nats = (report["runs"][measure] for measure in MEASURES)
    shown = " / ".join(f"{100 * statistics.median(run['wrong_pixels'][k] for run in pixels):.2f}"
                       for k in range(len(LEVELS)))
    worth = statistics.median(run["log_likelihood"] for run in nats)
    chains = min(run["effective_chains"] for run in nats)
    return (f"{name}: rate {pixels[0]['rate']:g}, wrong pixels {shown} %; rate "
            f"{nats[0]['rate']:g}, {worth:.2f} nats, at least {chains:.0f} of 100 chains")


def main():
    """Run what the arguments name; print a line a learner."""
    parser = argparse.ArgumentParser(prog="python -m bench.flow_levers", description=__doc__)
    parser.add_argument("--data", choices=sorted(BUDGETS), default="digits")
    parser.add_argument("--seeds", type=int, default=5, help="seeds 0 .. N-1; 0 only looks for "
                        "rates")
    parser.add_argument("--learners", default=None,
                        help=f"names joined by ';' (default: all): {'; '.join(LEARNERS)}")
    parser.add_argument("--search-images", type=int, help="training images of the search for rates")
    parser.add_argument("--temperatures", type=int)
    parser.add_argument("--keep", metavar="FILE", help="where finished runs are kept (default: "
                        "beside the JSON file)")
    parser.add_argument("--json", metavar="FILE")
    args = parser.parse_args()
    budget = dict(BUDGETS[args.data])
    for option in ("search_images", "temperatures"):
        if getattr(args, option) is not None:
            budget[option] = getattr(args, option)
    names = list(LEARNERS) if args.learners is None else [
        name.strip() for name in args.learners.split(";")]
    unknown = [name for name in names if name not in LEARNERS]
    if unknown:
        parser.error(f"unknown learner '{unknown[0]}'; known: {'; '.join(LEARNERS)}")
    kept = args.keep or (args.json and f"{args.json}.part")
    study = Study(args.data, budget, Path(kept) if kept else None)
    report = {"data": args.data, **budget, "levels": list(LEVELS), "seeds": args.seeds,
              "learners": {}}
    for name in names:
        report["learners"][name] = study.learner(name, range(args.seeds))
        if args.seeds:
            print(line(name, report["learners"][name]), flush=True)
    if args.json:
        write_json(args.json, report)


if __name__ == "__main__":
    main()
