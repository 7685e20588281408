"""Feedforward initialization on a trained network: how many steps the sweep saves.

    python -m bench.settling MODEL.npz --data mnist --json out.json

Relaxes the test images on the weights of a model of ``apical train``, from the bottom-up sweep and
from zero, and tells the steps until the mean over the images of the greatest projected force falls
to given levels, and the test error after each number of steps.
"""

from __future__ import annotations

import argparse

import numpy as np

from apical.cli.common import write_json
from apical.golden.executors.float.executor import FloatExecutor
from apical.golden.learning.data import load
from apical.golden.network.energy import projected_force
from apical.golden.program import STATE
from apical.golden.program.layered import inference
from apical.golden.storage.model import load_model

#: Requested residuals, and numbers of steps at which the test error is reported.
LEVELS, TOLD = (0.1, 0.03, 0.01, 0.003, 0.001), (0, 1, 2, 3, 4, 6, 8, 10, 15, 20, 30, 50, 100)
_BATCH = 500


def relax(network, weights, images, labels, start, steps):
    """Residual and test error by step.

    Parameters
    ----------
    network : Network
    weights : dict of str to ndarray
    images : ndarray of shape (images, width)
    labels : ndarray of shape (images,)
    start : str
        ``"sweep"`` or ``"zero"``.
    steps : int

    Returns
    -------
    residual : ndarray of shape (steps + 1,)
        Mean over the images of the greatest absolute projected force of a unit.
    error : ndarray of shape (steps + 1,)
        Share of wrong predictions.
    """
    program, executor = inference(network, steps, start), FloatExecutor(network, weights)
    forces, wrong = np.zeros(steps + 1), np.zeros(steps + 1)
    for begin in range(0, len(labels), _BATCH):
        part = labels[begin:begin + _BATCH]

        def watch(where, n, states, part=part):
            greatest = [np.abs(f).max(axis=1)
                        for f in projected_force(network, weights, states).values()]
            forces[n] += np.max(greatest, axis=0).sum()
            wrong[n] += np.count_nonzero(states["y", STATE].argmax(axis=1) != part)

        executor.run(program, {"x": images[begin:begin + _BATCH]}, on_step=watch, collect=False)
    return forces / len(labels), wrong / len(labels)


def steps_to(residual, level):
    """First step from which the residual stays at or below a level; None if none does."""
    above = np.flatnonzero(residual > level)
    first = 0 if not len(above) else int(above[-1]) + 1
    return first if first < len(residual) else None


def main(argv=None):
    """Measure both starts and print a line for each level."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", metavar="MODEL.npz", help="written by apical train")
    parser.add_argument("--data", default="mnist", help="digits, mnist or fashion-mnist")
    parser.add_argument("--images", type=int, default=2000, help="test images (default: 2000)")
    parser.add_argument("--steps", type=int, default=300, help="most steps (default: 300)")
    parser.add_argument("--json", metavar="FILE", help="write the result as JSON")
    args = parser.parse_args(argv)
    model, data = load_model(args.model), load(args.data)
    weights = model.real_weights()
    found = {start: relax(model.network, weights, data.test[:args.images],
                          data.test_labels[:args.images], start, args.steps)
             for start in ("sweep", "zero")}
    report = {"network": model.network.name, "data": args.data, "images": args.images,
              "seed": model.meta.get("seed"), "rule": model.meta.get("rule"),
              "levels": list(LEVELS), "told": [n for n in TOLD if n <= args.steps]}
    for start, (residual, error) in found.items():
        report[start] = {"steps_to": [steps_to(residual, level) for level in LEVELS],
                         "test_error": [float(error[n]) for n in report["told"]],
                         "residual": residual.tolist()}
    for level, *steps in zip(LEVELS, report["sweep"]["steps_to"], report["zero"]["steps_to"]):
        print(f"{model.network.name}: steps to a residual of {level}: {steps[0]} from the sweep, "
              f"{steps[1]} from zero")
    if args.json:
        write_json(args.json, report)


if __name__ == "__main__":
    main()
