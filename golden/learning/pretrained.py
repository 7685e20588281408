"""Default weights: trained once for a network, a data set and a seed, then kept.

The file is named by everything that decides the weights, so a changed default trains anew.
"""

from __future__ import annotations

import hashlib
from dataclasses import asdict

import numpy as np

from ..errors import ApicalError
from ..network import glorot, layered
from ..storage import cache as kept
from ..storage.model import Model, load_model, save_model
from .data import Dataset
from .float import default_config, train

#: Raised when the meaning of a training configuration changes.
TRAINING_VERSION = 1


def trained_model(layers, dataset: Dataset, seed=0, rule="ep", cache=None, progress=None,
                  say=lambda text: None) -> Model:
    """Weights of a layered network trained with the defaults, from the cache when they are there.

    Parameters
    ----------
    layers : sequence of int
    dataset : Dataset
    seed : int
    rule : str
    cache : path, optional
        Another cache than that of the user.
    progress : callable, optional
        As for :func:`apical.golden.learning.float.train`.
    say : callable
        Takes a line when the weights must be trained.

    Raises
    ------
    ApicalError
        When the cache cannot be written; before the training.
    """
    config = default_config(dataset.name, layers, rule, seed=seed)
    facts = repr((TRAINING_VERSION, tuple(layers), dataset.name, dataset.fingerprint(),
                  sorted(asdict(config).items())))
    name = f"{'-'.join(map(str, layers))}-{dataset.name}-" \
           f"{hashlib.sha256(facts.encode()).hexdigest()[:12]}.npz"
    path = kept.folder("weights", cache) / name
    if (found := _kept(path)) is not None:
        return found
    with kept.exclusive(path):
        if (found := _kept(path)) is not None:
            return found
        say(f"training default weights: {'-'.join(map(str, layers))} on {dataset.name}, rule "
            f"{rule}, {config.epochs} epochs (kept for the next run)")
        model = _trained(layers, dataset, config, progress)
        save_model(path, model)
    return model


def _kept(path):
    if not path.is_file():
        return None
    try:
        model = load_model(path)
    except ApicalError:
        return None  # a damaged entry only costs the time to train again
    kept.used(path)
    return model


def _trained(layers, dataset, config, progress):
    network = layered(layers)
    result = train(network, dataset, config, progress=progress)
    return Model(network, {name: np.asarray(w, np.float64) for name, w in result.weights.items()},
                 meta={"data": dataset.name, "seed": config.seed, "rule": config.rule,
                       "test_error": result.test_error})


def random_weights(network, seed=0) -> dict:
    """Weights that keep random inputs within the range of the rates: Glorot, biases up to 1/4."""
    rng = np.random.default_rng(seed)
    weights = glorot(network, seed)
    for name, values in weights.items():
        if not values.any():
            weights[name] = rng.uniform(-0.25, 0.25, values.shape)
    return weights
