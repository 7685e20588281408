"""What a board is given to do: a network, its weights, images; in raw integers of its engine."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...golden.errors import MisuseError
from ...golden.learning.data import Dataset, load
from ...golden.learning.fixed import raw_values
from ...golden.learning.pretrained import trained_model
from ...golden.network import Network, layered
from ...golden.numbers.quantize import quantize_network
from ...golden.program import Program, walk
from ...golden.program.layered import inference
from ...golden.storage.model import Model, load_model
from ...hw.assembler.assembler import assemble
from ...hw.interface.config import EngineConfig

#: Layers where none are given, by data.
LAYERS = {"digits": (64, 32, 10), "mnist": (784, 64, 10), "fashion-mnist": (784, 64, 10)}


#: Relaxation steps where neither a model nor a user says how many.
STEPS = 6


@dataclass(frozen=True, eq=False)
class Workload:
    """Images for a network.

    Attributes
    ----------
    network : Network
    program : Program
    weights : dict of str to ndarray of int64
        Raw.
    inputs : dict of str to ndarray of shape (images, n), int
        Raw.
    labels : ndarray of shape (images,), int64
    data : str
    """

    network: Network
    program: Program
    weights: dict
    inputs: dict
    labels: np.ndarray
    data: str

    @property
    def density(self) -> dict:
        """Share of inputs that are not zero, by population."""
        return density(self.inputs)

    def accuracy(self, predictions) -> float:
        """Share of right predictions."""
        return float(np.mean(predictions == self.labels))


def density(inputs) -> dict:
    """Share of values that are not zero, by population."""
    return {name: float(np.count_nonzero(values)) / max(1, values.size)
            for name, values in inputs.items() if name == "x"}


def dataset_for(layers, name) -> Dataset:
    """A data set whose images and classes are those of the layers."""
    dataset = load(name)
    if dataset.width != layers[0] or dataset.classes != layers[-1]:
        raise MisuseError(f"data '{name}' have {dataset.width} pixels and {dataset.classes} "
                          f"classes, layers {'-'.join(map(str, layers))} need {layers[0]} and "
                          f"{layers[-1]}; change --layers or --data")
    return dataset


def stored_weights(stored: Model, config: EngineConfig) -> dict:
    """Raw weights of a model in the formats of an engine: dict of ndarray of int64."""
    if stored.quantized and stored.formats == (config.state, config.weight):
        return {name: np.asarray(w, np.int64) for name, w in stored.weights.items()}
    return quantize_network(stored.network, stored.real_weights(), config.state,
                            config.weight).weights


def _labelled(stored, path):
    """Layers of a model that puts images into classes."""
    network = stored.network
    names = [p.name for p in network.populations]
    if "x" not in names or "y" not in names:
        raise MisuseError(f"model '{path}' puts no images into classes (it has no outputs 'y'); a "
                          "Boltzmann machine draws and repairs images: apical sample")
    # Ghosts are beside the layers.
    return (network.population("x").size,
            *(p.size for p in network.free if not p.name.startswith("g")))


def _puts_into_classes(stored):
    """Whether the program of a model, if it has one, needs nothing but images and decides."""
    program = stored.program
    return (program is not None and set(program.inputs(stored.network)) == {"x"}
            and any(op.decides for op in walk(program.ops)))


def workload(config: EngineConfig, data="digits", layers=None, images=100, *, seed=0, steps=None,
             model=None, progress=None, say=lambda text: None) -> Workload:
    """Test images of a data set with trained weights.

    Parameters
    ----------
    config : EngineConfig
        Its number formats.
    data : str
    layers : tuple of int, optional
        By default those of the data, or of the model.
    images : int
    seed : int
        Of the default weights.
    steps : int, optional
        Relaxation steps of layers; by default the program of the model runs, or `STEPS`.
    model : path, optional
        A model file; without it, weights are trained once by the defaults and kept.
    progress, say : callable, optional
        Of that training, see :func:`apical.golden.learning.pretrained.trained_model`.
    """
    if data not in LAYERS:
        raise MisuseError(f"unknown data '{data}'; known: {', '.join(LAYERS)}")
    state, weight = config.state, config.weight
    raw = program = None
    if model is not None:
        stored = load_model(model)
        network, sizes = stored.network, _labelled(stored, model)
        if layers is not None and tuple(layers) != sizes:
            raise MisuseError(f"model '{model}' has layers {'-'.join(map(str, sizes))}, requested "
                              f"are {'-'.join(map(str, layers))}")
        dataset = dataset_for(sizes, data)
        raw = stored_weights(stored, config)
        program = stored.program if steps is None and _puts_into_classes(stored) else None
    else:
        sizes = tuple(layers or LAYERS[data])
        dataset = dataset_for(sizes, data)
        network = layered(sizes)
    if not 1 <= images <= len(dataset.test):
        raise MisuseError(f"{images} images are requested; data '{data}' have 1 to "
                          f"{len(dataset.test)} test images")
    inputs = {"x": raw_values(dataset.test[:images], state).astype(np.int64)}
    program = program or inference(network, STEPS if steps is None else steps)
    if raw is None:
        # Refuses what does not fit before minutes go by.
        assemble(network, program, config, density(inputs))
        trained = trained_model(sizes, dataset, seed, progress=progress, say=say)
        raw = quantize_network(network, trained.weights, state, weight).weights
    return Workload(network, program, raw, inputs, dataset.test_labels[:images], data)
