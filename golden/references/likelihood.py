"""The log-likelihood of images under a machine, as a report: estimate, and how far to trust it."""

from __future__ import annotations

from ..learning.sampling import is_restricted
from ..network import Network
from ..network.boltzmann import starting_weights
from .annealed import estimate_log_z


def likelihood(network: Network, weights, train, test, temperatures, chains, seed=0) -> dict:
    """Log-likelihood of test images by annealed importance sampling, as report entries.

    Parameters
    ----------
    network : Network
    weights : dict of str to ndarray
    train, test : ndarray of shape (images, width)
        Binary.  Chains start from independent pixels, each as often 1 as in the training images,
        and go back from training images.
    temperatures, chains, seed : int

    Returns
    -------
    dict
        ``log_likelihood`` in nats; ``log_likelihood_interval``, 95 %, or None where it would mean
        nothing (:attr:`~apical.golden.references.annealed.Estimate.trusted`);
        ``log_likelihood_reverse``, by the chains that go back; ``effective_chains`` and
        ``effective_chains_reverse``; what was used.
    """
    base = starting_weights(network, train, 0)["bv"][0]
    found = estimate_log_z(network, weights, base, temperatures, chains, seed, start=train)
    mean, low, high = found.log_likelihood(network, weights, test)
    return {"log_likelihood": mean,
            "log_likelihood_interval": [low, high] if found.trusted else None,
            "log_likelihood_reverse": mean + found.log_z - found.reverse,
            "log_likelihood_is": ("exact but for log Z" if is_restricted(network)
                                  else "a mean-field lower bound"),
            "log_z": found.log_z, "temperatures": temperatures, "chains": chains,
            "effective_chains": found.effective,
            "effective_chains_reverse": found.reverse_effective}


def words(report) -> str:
    """The log-likelihood of a report in words."""
    bound = "" if report["log_likelihood_is"].startswith("exact") else "at least "
    said = f"log-likelihood {bound}{report['log_likelihood']:.1f}"
    if report["log_likelihood_interval"] is None:
        return (f"{said} nats forward, {report['log_likelihood_reverse']:.1f} back, not to be "
                f"trusted: {report['effective_chains']:.1f} of {report['chains']} chains count; "
                "use more temperatures")
    low, high = report["log_likelihood_interval"]
    return f"{said} [{low:.1f}, {high:.1f}] nats"
