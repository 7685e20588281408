"""Energy of a symmetric network, its force, and the nudged total energy.

Scellier and Bengio (2017), equations 1 to 6; the energy is that of Bengio et al. (2016, arXiv
1606.01651):

.. math:: E(u) = \\tfrac12 \\sum_i u_i^2 - \\sum_{i<j} W_{ij} \\rho(u_i) \\rho(u_j)
                 - \\sum_i b_i \\rho(u_i), \\qquad F = E + \\beta C, \\qquad
          C = \\tfrac12 \\lVert d - u_y \\rVert^2

A relaxation step moves along the force ``-dF/du`` and clips.  Within the range of hard rates, E is
quadratic.  Its curvature is at most ``1 + s``, where s is the largest singular value of the
settling weights (:func:`greatest_coupling`).  A step projected onto that range lowers E if
``eps < 2 / (1 + s)``: with ``eps = 1/2``, if ``s < 3``.
"""

from __future__ import annotations

import numpy as np

from ..errors import MisuseError
from . import Network, Projection


def rate(values, kind):
    """rho(u) of a rate function, a key of :data:`~apical.golden.network.RATES`.

    Hard rates are the identity, because states are clipped to their range.
    """
    return 0.5 * (1 + np.tanh(0.5 * values)) if kind == "logistic" else values


def slope(values, kind):
    """rho'(u); 1 on the closed range of the hard rates."""
    if kind == "logistic":
        r = rate(values, kind)
        return r * (1 - r)
    return np.ones_like(values)


def couplings(network: Network) -> tuple[Projection, ...]:
    """One projection for each term ``W rho rho`` of the energy, the untransposed one.

    Raises
    ------
    MisuseError
        If the network has no energy, because two settling populations are connected in one
        direction only, with opposite signs, or by different matrices.
    """
    ends = {}
    for p in network.projections:
        rows, cols = (p.target, p.source) if p.transpose else (p.source, p.target)
        ends.setdefault((p.matrix, rows, cols), []).append(p)
    for (matrix, rows, cols), uses in ends.items():
        fixed = any(network.population(name).fixed_rate for name in (rows, cols))
        directions = sorted(p.transpose for p in uses)
        if len({p.sign for p in uses}) > 1 or (not fixed and directions != [False, True]):
            raise MisuseError(f"network '{network.name}' has no energy: '{rows}' and '{cols}' are "
                              f"not connected symmetrically by matrix '{matrix}'")
    return tuple(min(uses, key=lambda p: p.transpose) for uses in ends.values())


def _state(network, states, name):
    """States of a population from a dict by population or by (population, slot), in float64."""
    population = network.population(name)
    for key in (name, (name, "state")):
        if key in states:
            return np.asarray(states[key], np.float64)
    if population.constant:
        return np.ones((1, population.size))
    raise MisuseError(f"no state is given for population '{name}'")


def _rate(network, states, name):
    return rate(_state(network, states, name), network.population(name).rate)


def energy(network: Network, weights, states):
    """Energy of a batch of states.

    The squares of clamped units are constant and therefore left out.

    Parameters
    ----------
    network : Network
        Symmetric, see :func:`couplings`.
    weights : dict of str to ndarray
    states : dict of ndarray of shape (batch, n)
        By population or by (population, slot), as the executors return them.

    Returns
    -------
    ndarray of shape (batch,), float64
    """
    total = sum(0.5 * np.square(_state(network, states, p.name)).sum(axis=1)
                for p in network.free)
    for p in couplings(network):
        matrix = np.asarray(weights[p.matrix], np.float64)
        matrix = matrix.T if p.transpose else matrix
        current = _rate(network, states, p.source) @ matrix
        total = total - p.sign * (current * _rate(network, states, p.target)).sum(axis=1)
    return total


def cost(network: Network, states, output="y", target="d"):
    """C = 1/2 ||d - u||^2 of each image: ndarray of shape (batch,), float64."""
    miss = _state(network, states, target) - _state(network, states, output)
    return 0.5 * np.square(miss).sum(axis=1)


def total_energy(network: Network, weights, states, beta, output="y", target="d"):
    """F = E + beta C of each image: ndarray of shape (batch,), float64."""
    return energy(network, weights, states) + beta * cost(network, states, output, target)


def force(network: Network, weights, states, beta=0.0, output="y", target="d"):
    """Negative gradient of the total energy in the states of every settling population.

    ``rho'(u) (sum of currents) - u``, plus ``beta (d - u)`` on the output.

    Returns
    -------
    dict of str to ndarray of shape (batch, n), float64
    """
    forces = {}
    for population in network.free:
        u = _state(network, states, population.name)
        current = np.zeros_like(u)
        for p in network.into(population.name):
            matrix = np.asarray(weights[p.matrix], np.float64)
            matrix = matrix.T if p.transpose else matrix
            current += p.sign * (_rate(network, states, p.source) @ matrix)
        forces[population.name] = slope(u, population.rate) * current - u
        if beta and population.name == output:
            forces[output] += beta * (_state(network, states, target) - u)
    return forces


def projected_force(network: Network, weights, states, **nudge):
    """:func:`force` without the part that pushes units against the limit of their range.

    This is zero at a fixed point, whereas the force on a unit that rests at a limit is not.
    """
    forces = force(network, weights, states, **nudge)
    for name, values in forces.items():
        limits = network.population(name).limits
        if limits is not None:
            u = _state(network, states, name)
            held = ((u <= limits[0]) & (values < 0)) | ((u >= limits[1]) & (values > 0))
            values[held] = 0.0
    return forces


def greatest_coupling(network: Network, weights) -> float:
    """Largest singular value of the symmetric matrix of all settling weights."""
    offset, size = {}, 0
    for population in network.free:
        offset[population.name] = size
        size += population.size
    matrix = np.zeros((size, size))
    for p in couplings(network):
        if p.source in offset and p.target in offset:
            block = np.asarray(weights[p.matrix], np.float64)
            block = p.sign * (block.T if p.transpose else block)
            i, j = offset[p.source], offset[p.target]
            matrix[i:i + block.shape[0], j:j + block.shape[1]] += block
            matrix[j:j + block.shape[1], i:i + block.shape[0]] += block.T
    return float(np.linalg.norm(matrix, 2)) if size else 0.0
