"""Default weights: trained once for a network, a data set and a seed, then kept.

The file is named by everything that decides the weights, so a changed default trains anew.
"""

from __future__ import annotations

import hashlib
from dataclasses import asdict
from pathlib import Path

import numpy as np

from ..errors import ApicalError
from ..network import glorot, layered
from ..storage.model import Model, load_model, save_model
from .data import Dataset
from .float import default_config, train

#: Raised when the meaning of a training configuration changes.
TRAINING_VERSION = 1


def trained_model(layers, dataset: Dataset, seed=0, rule="ep", cache="build/weights",
                  progress=None) -> Model:
    """Weights of a layered network trained with the defaults, from the cache when they are there.

    Parameters
    ----------
    layers : sequence of int
    dataset : Dataset
    seed : int
    rule : str
    cache : path
        Folder of the kept models.
    progress : callable, optional
        As for :func:`apical.golden.learning.float.train`.
    """
    config = default_config(dataset.name, layers, rule, seed=seed)
    facts = repr((TRAINING_VERSION, tuple(layers), dataset.name, dataset.fingerprint(),
                  sorted(asdict(config).items())))
    name = f"{'-'.join(map(str, layers))}-{dataset.name}-" \
           f"{hashlib.sha256(facts.encode()).hexdigest()[:12]}.npz"
    path = Path(cache) / name
    if path.is_file():
        try:
            return load_model(path)
        except ApicalError:
            path.unlink()  # a damaged cache entry is only time lost
    network = layered(layers)
    result = train(network, dataset, config, progress=progress)
    model = Model(network, {name: np.asarray(w, np.float64) for name, w in result.weights.items()},
                  meta={"data": dataset.name, "seed": seed, "rule": rule,
                        "test_error": result.test_error})
    path.parent.mkdir(parents=True, exist_ok=True)
    save_model(path, model)
    return model


def random_weights(network, seed=0) -> dict:
    """Weights that keep random inputs within the range of the rates: Glorot, biases up to 1/4."""
    rng = np.random.default_rng(seed)
    weights = glorot(network, seed)
    for name, values in weights.items():
        if not values.any():
            weights[name] = rng.uniform(-0.25, 0.25, values.shape)
    return weights
