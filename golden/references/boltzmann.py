"""Independent references of Boltzmann machines: enumeration, and scikit-learn's machine.

They share no code with the executors: energies, flips and partition functions follow the equations,
on the full coupling matrix.
"""

from __future__ import annotations

import numpy as np

from ..errors import MisuseError
from ..learning.sampling import free_energy, is_restricted, restricted
from ..network import Network
from ..network.boltzmann import boltzmann, full_matrix, visible

#: The largest number of units that is enumerated: 2**20 states.
ENUMERATED = 20


def energy(couplings, biases, states):
    """``E(s) = -1/2 s^T W s - b^T s`` of each row of states: ndarray of shape (rows,), float64.

    Parameters
    ----------
    couplings : ndarray of shape (n, n)
        Symmetric, zero diagonal.
    biases : ndarray of shape (n,)
    states : ndarray of shape (rows, n)
        0 or 1.
    """
    states = np.asarray(states, np.float64)
    return -0.5 * np.einsum("ki,ij,kj->k", states, couplings, states, optimize=True) \
        - states @ biases


def flow_by_flips(couplings, biases, states, units):
    """Flow objective by flips: mean of ``sum_i exp((E(s) - E(s with i flipped)) / 2)``.

    This is the form of Sohl-Dickstein, Battaglino and DeWeese (2011), in which no field appears.

    Parameters
    ----------
    states : ndarray of shape (rows, n)
    units : sequence of int
        Units whose flips count.
    """
    here, total = energy(couplings, biases, states), 0.0
    for unit in units:
        flipped = np.array(states, np.float64)
        flipped[:, unit] = 1 - flipped[:, unit]
        total += np.exp(0.5 * (here - energy(couplings, biases, flipped))).mean()
    return float(total)


def all_states(units):
    """All 2**units binary states: ndarray of shape (2**units, units), float64."""
    if units > ENUMERATED:
        raise MisuseError(f"{units} units have too many states to enumerate; "
                          f"use at most {ENUMERATED}")
    return (np.arange(2 ** units)[:, None] >> np.arange(units) & 1).astype(np.float64)


def log_sum_exp(values):
    """``log sum exp`` without overflow: float."""
    top = values.max()
    return float(top + np.log(np.exp(values - top).sum()))


def log_partition(network: Network, weights) -> float:
    """Exact ``log Z`` by enumeration; for a restricted machine, over its smaller side only.

    Raises
    ------
    MisuseError
        For machines with more than `ENUMERATED` units to enumerate.
    """
    if not is_restricted(network):
        couplings, biases = full_matrix(network, weights)
        return log_sum_exp(-energy(couplings, biases, all_states(len(biases))))
    W, b, c = restricted(network, weights)
    if len(b) < len(c):
        W, b, c = W.T, c, b
    # The larger side sums out: log sum over x of exp(x (b + W h)) = sum log(1 + exp(b + W h)).
    total = [log_sum_exp(h @ c + np.logaddexp(0, b + h @ W.T).sum(axis=1))
             for h in np.array_split(all_states(len(c)), max(1, 2 ** len(c) // 1024))]
    return log_sum_exp(np.array(total))


def log_likelihood(network: Network, weights, images, log_z=None) -> float:
    """Mean log-likelihood of images in nats.

    Parameters
    ----------
    images : ndarray of shape (images, width)
    log_z : float, optional
        ``log Z`` if it is known or estimated; by default it is enumerated.
    """
    log_z = log_partition(network, weights) if log_z is None else log_z
    if is_restricted(network):
        return float(-free_energy(network, weights, images).mean() - log_z)
    couplings, biases = full_matrix(network, weights)
    x = np.asarray(images, np.float64)
    rest = all_states(len(biases) - x.shape[1])
    return float(np.mean([log_sum_exp(-energy(couplings, biases, np.hstack(
        [np.repeat(row[None], len(rest), 0), rest]))) for row in x]) - log_z)


def marginals(network: Network, weights):
    """Exact probabilities of the visible units of a small machine, single and in pairs.

    Returns
    -------
    means : ndarray of shape (width,)
    pairs : ndarray of shape (width, width)
    """
    couplings, biases = full_matrix(network, weights)
    states = all_states(len(biases))
    log_p = -energy(couplings, biases, states)
    p = np.exp(log_p - log_sum_exp(log_p))
    x = states[:, :sum(network.population(v).size for _, v in visible(network))]
    return p @ x, (x * p[:, None]).T @ x


def scikit_learn_machine(images, hidden_units, epochs, rate, batch=100, seed=0):
    """A machine trained by scikit-learn's BernoulliRBM (persistent contrastive divergence).

    Parameters
    ----------
    images : ndarray of shape (images, width)
        Binary.
    hidden_units, epochs, batch : int
    rate : float
    seed : int

    Returns
    -------
    network : Network
    weights : dict of str to ndarray
    """
    from sklearn.neural_network import BernoulliRBM

    machine = BernoulliRBM(hidden_units, learning_rate=rate, batch_size=batch, n_iter=epochs,
                           random_state=seed).fit(np.asarray(images, np.float32))
    weights = {"W1": machine.components_.T, "bv": machine.intercept_visible_[None],
               "bh1": machine.intercept_hidden_[None]}
    return boltzmann((images.shape[1], hidden_units)), {
        name: np.array(values, np.float64) for name, values in weights.items()}
