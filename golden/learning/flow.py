"""Training of Boltzmann machines: the names of version 0.1.0 for what all systems now share.

A run is :func:`apical.golden.learning.float.train`; here are settings by the number of hidden
layers, the weights epoch by epoch, and the reconstruction errors of given weights.
"""

from __future__ import annotations

import numpy as np

from ..errors import MisuseError
from ..network import Network
from ..systems.kinds import CORRUPTION_SEED, CORRUPTIONS, EPOCH_CORRUPTION, EPOCH_IMAGES
from ..systems.machine_programs import SWEEPS
from ..systems.machine_records import machine
from ..systems.registry import trainer
from ..systems.settings import FlowConfig
from .data import Dataset
from .float import FloatLearner, TrainResult, train
from .loop import EpochReport
from .sampling import reconstruction_error

__all__ = ["CORRUPTIONS", "CORRUPTION_SEED", "EPOCH_CORRUPTION", "EPOCH_IMAGES", "EpochReport",
           "FlowConfig", "TrainResult", "default_config", "epochs", "evaluate", "machine", "train"]


def default_config(data, hidden_layers, rule="flow", **changes) -> FlowConfig:
    """Default settings of a rule of Boltzmann machines in floating point.

    Parameters
    ----------
    data : str
        Name of the data set.
    hidden_layers : int
    rule : str
    **changes
        Fields of `FlowConfig` to be replaced; None leaves the default.
    """
    system = trainer(rule)
    if not issubclass(system.settings, FlowConfig):
        raise MisuseError(f"rule '{rule}' trains no Boltzmann machines; use flow or cd")
    return system.config("float", data, (1,) * (hidden_layers + 1), **changes)


def epochs(network: Network, images, config: FlowConfig):
    """Train, epoch by epoch.

    Parameters
    ----------
    network : Network
    images : ndarray of shape (images, width)
        Binary.
    config : FlowConfig

    Yields
    ------
    FloatExecutor
        Holding the weights after each epoch; always the same one.
    """
    system, rng = trainer(config.rule), np.random.default_rng(config.seed)
    dataset = Dataset("images", images, images[:1])
    learner = FloatLearner(system, network, dataset, config, system.data.prepare(dataset),
                           system.weights(network, config, images))
    for epoch in range(config.epochs):
        rates = system.rates(network, config.at(epoch))
        learner.epoch(rng.permutation(len(images)), epoch, rates, rng)
        learner.check(epoch, rates)
        yield learner.executor


def evaluate(network: Network, weights, images, sweeps=SWEEPS) -> dict:
    """Reconstruction error by share of flips (`CORRUPTIONS`) of binary images."""
    from ..network.boltzmann import corrupt

    return {share: reconstruction_error(network, weights, images,
                                        corrupt(images, share, CORRUPTION_SEED), sweeps)
            for share in CORRUPTIONS}
