"""scikit-learn's BernoulliRBM, measured as ``apical train --rule flow`` measures our machines.

    python -m bench.boltzmann --data mnist --epochs 5 --json out.json

trains it on the same binarized images (pixel > 1/2) and prints the share of wrong pixels after a
mean-field pass from 10, 20 and 30 % flips (the same flips), and the log-likelihood of the test
images by annealed importance sampling.
"""

from __future__ import annotations

import argparse
import time

from apical.cli.common import write_json
from apical.cli.train_report import CHAINS, TEMPERATURES
from apical.golden.learning.data import load
from apical.golden.learning.flow import evaluate
from apical.golden.network.boltzmann import binarize
from apical.golden.references.boltzmann import scikit_learn_machine
from apical.golden.references.likelihood import likelihood, words


def main():
    """Train, measure, print one line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", default="mnist", help="digits, mnist or fashion-mnist")
    parser.add_argument("--hidden", type=int, default=500, help="hidden units")
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--batch", type=int, default=50)
    parser.add_argument("--rate", type=float, default=0.05)
    parser.add_argument("--temperatures", type=int, default=TEMPERATURES)
    parser.add_argument("--chains", type=int, default=CHAINS)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", metavar="FILE", help="write the result as JSON")
    args = parser.parse_args()
    data = load(args.data)
    images, test = binarize(data.train), binarize(data.test)
    begin = time.perf_counter()
    network, weights = scikit_learn_machine(images, args.hidden, args.epochs, args.rate,
                                            args.batch, args.seed)
    seconds = time.perf_counter() - begin
    errors = evaluate(network, weights, test)
    found = likelihood(network, weights, images, test, args.temperatures, args.chains, args.seed)
    given = {key: value for key, value in vars(args).items() if key != "json"}
    report = {**given, "seconds": seconds, **found,
              "reconstruction_error": {f"{share:g}": error for share, error in errors.items()}}
    if args.json is not None:
        write_json(args.json, report)
    told = ", ".join(f"{share:.0%} flips {100 * error:.2f} %" for share, error in errors.items())
    print(f"BernoulliRBM {network.name} on {args.data}: wrong pixels reconstructed from {told}, "
          f"{words(found)} ({seconds:.1f} s)")


if __name__ == "__main__":
    main()
