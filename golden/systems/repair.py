"""Repair of corrupted images by a Boltzmann machine: what it believes, given a noisy image.

Each pixel of an image was flipped with probability p.  By Bayes' rule the image that was meant has,
given the corrupted image x, the energy of the machine and an *evidence* of each pixel,

.. math:: a_i = \\sum_j W_{ij} s_j + b_i + (2 x_i - 1) \\log \\frac{1 - p}{p}

Mean-field sweeps, hidden groups then visible ones, settle on the probabilities.  One pass without
evidence (:func:`~apical.golden.systems.machine_programs.reconstruction`) forgets what it was shown.

The evidence is a diagonal matrix and a row of biases beside those of the machine, so a repair runs
on whatever runs the machine.
"""

from __future__ import annotations

import math

import numpy as np

from ..errors import MisuseError
from ..network import Matrix, Network, Projection
from ..network.boltzmann import check_machine, hidden, visible
from ..numbers.formats import Format
from ..program import Program, Project, Relax, Sample
from .machine_programs import accumulate, checked, copy_image

#: Mean-field sweeps of a repair.
SWEEPS = 3


def evidence_network(network: Network) -> Network:
    """A machine with evidence: matrices ``Ev`` (diagonal) and ``ev`` for each visible group."""
    check_machine(network)
    matrices, projections = [], []
    for x, v in visible(network):
        size = network.population(v).size
        matrices += [Matrix(f"E{v}", size, size), Matrix(f"e{v}", 1, size)]
        projections += [Projection(f"evidence>{v}", x, v, f"E{v}"),
                        Projection(f"no-evidence>{v}", "one", v, f"e{v}")]
    return Network(f"{network.name}-repair", network.populations,
                   (*network.matrices, *matrices), (*network.projections, *projections))


def parts(share, weight: Format) -> int:
    """How many times the evidence is added up, so that its weights are inside a format.

    Raises
    ------
    MisuseError
        For a share of flips that leaves nothing to believe.
    """
    return max(1, math.ceil(2 * _strength(share) * weight.one / weight.max))


def _strength(share):
    if not 0 < share < 0.5:
        raise MisuseError(f"the share of flipped pixels is {share:g}; it must be above 0 and below "
                          "0.5")
    return math.log((1 - share) / share)


def evidence_weights(network: Network, share, count) -> dict:
    """Weights of the evidence: dict of float64, for :func:`parts` of the same share."""
    found, strength = {}, _strength(share) / count
    for _, v in visible(network):
        size = network.population(v).size
        found |= {f"E{v}": 2 * strength * np.eye(size), f"e{v}": np.full((1, size), -strength)}
    return found


def repair(network: Network, count, sweeps=SWEEPS) -> Program:
    """Mean-field sweeps of the whole machine from a corrupted image.

    Probabilities of the visible units stay in their states.

    Parameters
    ----------
    network : Network
        With evidence (:func:`evidence_network`).
    count : int
        Of :func:`parts`.
    sweeps : int
        1 at least.
    """
    if sweeps < 1:
        raise MisuseError(f"sweeps is {sweeps}; a repair needs one at least")
    twins, inner = [v for _, v in visible(network)], hidden(network)
    believed, ops = {*inner, *twins}, copy_image(network)
    for v in twins:
        start = None
        for _ in range(count):
            for name in (f"evidence>{v}", f"no-evidence>{v}"):
                ops.append(Project(name, "drive", start))
                start = "drive"
        ops.append(Project(f"one>{v}", "drive", "drive"))
    for name in inner:
        ops += accumulate(network, name, {"one"}, "drive")
        # The first sweep of a group reads those above it.
        ops.append(Sample(name, "drive", "mean"))
    body = []
    for name in [*inner, *twins]:
        field = accumulate(network, name, believed, "field", "drive")
        body += [*field, Sample(name, "field" if field else "drive", "mean")]
    ops.append(Relax(sweeps, tuple(body)))
    return checked(f"repair-{sweeps}", network, ops)
