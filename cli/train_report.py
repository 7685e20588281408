"""What ``apical train`` reports and prints of a run, for every executor and kind of data."""

from __future__ import annotations

import sys

#: Settings in a report, by name, in order.
_LAYERED = ("rates", "decay", "beta_shift", "steps", "nudge_steps", "inference_steps")
_MACHINE = ("rate", "decay", "sweeps", "flips", "flip", "scale", "hidden_bias")
#: Temperatures and chains of annealed importance sampling where none are given.
TEMPERATURES, CHAINS = 4000, 100


def settings(config, names=("epochs", "batch")) -> dict:
    """Settings of a run as JSON values."""
    names = (*names, *(_LAYERED if hasattr(config, "rates") else _MACHINE))
    # Settings of the recipe, where they are not as they were in version 0.1.0.
    names += tuple(name for name in ("schedule", "weight_decay", "image_shift", "image_noise",
                                     "average")
                   if getattr(config, name, None) not in (None, 0, "exponential"))
    if hasattr(config, "state"):
        names += ("state", "weight", "update_frac")
    found = {name: getattr(config, name) for name in names}
    return {name: list(value) if isinstance(value, tuple) else
            str(value) if name in ("state", "weight") else value
            for name, value in found.items()}


def errors(system, result) -> dict:
    """Errors of the final weights."""
    found = {"test_error": result.test_error, "train_error": result.train_error,
             "test_errors": result.test_errors}
    if system.data.labelled:
        return {"test_error": result.test_error, "train_error": result.train_error,
                "test_accuracy": result.test_accuracy, "test_errors": result.test_errors}
    found = {"error_is": system.data.error_is, **found}
    if result.reconstruction:
        found = {"binarized": "pixel > 1/2", **found, "reconstruction_error": {
            f"{share:g}": error for share, error in result.reconstruction.items()}}
    return found


def counts(result) -> dict:
    """What a run in raw integers counted."""
    return {"signature": f"{result.signature:08x}", "writes": result.writes,
            "saturations": result.saturations, "weights_saturated": result.saturated_weights,
            "weights_changed": result.changed_weights}


def outcome(system, result) -> str:
    """The errors in words."""
    if system.data.labelled:
        return (f"test accuracy {100 * result.test_accuracy:.2f} %, "
                f"train {100 * (1 - result.train_error):.2f} %")
    if result.reconstruction:
        found = ", ".join(f"{share:.0%} flips {100 * error:.2f} %"
                          for share, error in result.reconstruction.items())
        return f"wrong pixels reconstructed from {found}"
    return (f"{system.data.error_is}, test {100 * result.test_error:.2f} %, "
            f"train {100 * result.train_error:.2f} %")


def progress(args, system):
    """Callback that rewrites a line after every epoch, or None."""
    quiet = not sys.stderr.isatty() if args.quiet is None else args.quiet
    if quiet:
        return None
    what = "wrong pixels" if system.data.levels else "test error"

    def show(report):
        print(f"\repoch {report.epoch} of {report.epochs}: {what} {100 * report.test_error:.2f} "
              f"%, {report.images_per_second:.0f} images/s ",
              end="" if report.epoch < report.epochs else "\n", file=sys.stderr, flush=True)
    return show


def likelihood(network, weights, dataset, temperatures, seed) -> dict:
    """Log-likelihood of the test images by annealed importance sampling, as report entries."""
    if not temperatures:
        return {}
    from ..golden.network.boltzmann import binarize
    from ..golden.references.likelihood import likelihood as estimated

    return estimated(network, weights, binarize(dataset.train), binarize(dataset.test),
                     temperatures, CHAINS, seed)


def likelihood_words(report) -> str:
    """The log-likelihood of a report in words, or nothing."""
    if "log_likelihood" not in report:
        return ""
    from ..golden.references.likelihood import words

    return f", {words(report)}"
