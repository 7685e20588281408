"""The loop of every training run: epochs, errors, checkpoints, progress.

What differs between executors and kinds of data is handed in: what trains on an order of images
(:class:`Learner`), what measures (:class:`Evaluation`), and what a checkpoint must agree in.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from ..errors import MisuseError
from ..network import Network
from ..program import Program
from ..storage.checkpoint import State, load_checkpoint, save_checkpoint
from ..systems.kinds import EPOCH_CORRUPTION
from ..systems.system import System
from .variation import check_varied

#: Images that are evaluated at a time.
PART = 500


@dataclass(frozen=True)
class EpochReport:
    """What a progress callback gets after an epoch.

    Attributes
    ----------
    epoch : int
        Epochs done, from 1.
    epochs : int
        Epochs of the run.
    test_error : float
        Error of the test images that are watched, 0..1, as the kind of data measures it: of
        labelled images the share whose class is not the prediction.
    images_per_second : float
        Training images, evaluation not counted.
    """

    epoch: int
    epochs: int
    test_error: float
    images_per_second: float


class Learner(Protocol):
    """What trains on images: an executor with its program and its inputs.

    Attributes
    ----------
    weights : dict of str to ndarray
        The present weights.
    totals : dict of str to int
        Counts since the start of the run, empty where nothing is counted.
    """

    weights: dict
    totals: dict

    def epoch(self, order, epoch, rates, rng):
        """Train on the images of an order; `rates` are those of the epoch, by matrix."""

    def error(self) -> float:
        """Error of the watched test images."""

    def check(self, epoch, rates):
        """Raise `ApicalError` for weights that no longer learn."""


@dataclass(frozen=True, eq=False)
class Evaluation:
    """Images with a program and how its results are scored.

    Parameters
    ----------
    system : System
    network : Network
    program : Program
    images : ndarray of shape (images, width)
        As the kind of data prepares them.
    labels : ndarray of shape (images,), or None
    level : float
        Share of flipped pixels, of binarized images.
    """

    system: System
    network: Network
    program: Program
    images: np.ndarray
    labels: np.ndarray | None
    level: float = EPOCH_CORRUPTION

    def inputs(self) -> dict:
        """Clamped states, real, by population."""
        return self.system.data.given(self.network, self.images, self.level)

    def error(self, run, inputs) -> float:
        """Error, 0..1, of what ``run(program, inputs)`` makes of the inputs, part by part."""
        wrong = whole = 0
        for begin in range(0, len(self.images), PART):
            part = slice(begin, begin + PART)
            result = run(self.program, {name: values[part] for name, values in inputs.items()})
            labels = None if self.labels is None else self.labels[part]
            more, of = self.system.data.score(self.system, self.network, result,
                                              self.images[part], labels)
            wrong, whole = wrong + more, whole + of
        return wrong / (whole or 1)


@dataclass(frozen=True, eq=False)
class Trained:
    """How a run ended.

    Attributes
    ----------
    learner : Learner
    errors : list of float
        After each epoch.
    images_per_second : float
        Since the last resumption, evaluation not counted.
    """

    learner: Learner
    errors: list
    images_per_second: float


class Mean:
    """Mean of the weights after the last epochs, where the settings ask for it.

    Parameters
    ----------
    config : TrainingConfig or FlowConfig
    """

    def __init__(self, config):
        self.count = getattr(config, "average", 0)
        self.first, self.weights, self._seen = config.epochs - self.count, None, 0

    def check(self, epoch):
        """Raise `MisuseError` where a resumed run begins among the epochs to be averaged."""
        if self.count > 1 and epoch > max(self.first, 0):
            raise MisuseError(f"the checkpoint has {epoch} epochs, but the mean is of the last "
                              f"{self.count}, which it does not keep; train without --average, or "
                              "from the start")

    def add(self, epoch, weights):
        """Take the weights after an epoch, counted from 0."""
        if self.count < 2 or epoch < self.first:
            return
        self._seen += 1
        now = {name: np.asarray(values, np.float64) for name, values in weights.items()}
        self.weights = now if self.weights is None else {
            name: mean + (now[name] - mean) / self._seen for name, mean in self.weights.items()}


def check_data(system: System, network: Network, dataset):
    """Raise `MisuseError` for data that the network cannot learn from."""
    if not len(dataset.train):
        raise MisuseError(f"data '{dataset.name}' has no training images; one is needed at least")
    if not len(dataset.test):
        raise MisuseError(f"data '{dataset.name}' has no test images, so nothing could be said of "
                          "what was learned; keep some images back for the test")
    system.data.check(network, dataset)


def first_images(dataset, train, test):
    """The first training and test images of a data set; None takes all of them."""
    def part(values, count):
        return None if values is None else values[:count]

    return replace(dataset, train=dataset.train[:train], test=dataset.test[:test],
                   train_labels=part(dataset.train_labels, train),
                   test_labels=part(dataset.test_labels, test))


def held_out(dataset, count):
    """A data set whose test images are its last training images, which it no longer learns from.

    Raises
    ------
    MisuseError
        When none would be left to learn from.
    """
    if not 0 < count < len(dataset.train):
        raise MisuseError(f"{count} of {len(dataset.train)} training images cannot be held out; "
                          "hold out some and keep some")
    labels = dataset.train_labels
    return replace(dataset, train=dataset.train[:-count], test=dataset.train[-count:],
                   train_labels=None if labels is None else labels[:-count],
                   test_labels=None if labels is None else labels[-count:])


def identity(system: System, network: Network, dataset, config) -> dict:
    """What a checkpoint must agree in with the run that resumes it."""
    return {"network": network.name, **system.data.identity(network),
            "data": dataset.name, "images": dataset.fingerprint(), **config.identity()}


def run_epochs(system: System, network: Network, dataset, config, first_weights, make,
               progress=None, checkpoint=None, resume=None) -> Trained:
    """Train for the epochs of the settings.

    Parameters
    ----------
    config : TrainingConfig or FlowConfig
    first_weights : dict of str to ndarray
        Weights of a run that is not resumed.
    make : callable
        ``make(weights, totals)`` returns the `Learner`.
    progress : callable, optional
        Called with an `EpochReport` after each epoch.
    checkpoint : path-like, optional
        File that is replaced after each epoch.
    resume : path-like, optional
        Checkpoint to go on from.

    Raises
    ------
    MisuseError
        For a checkpoint of another run.
    ApicalError
        As `Learner.check`.
    """
    check_varied(config, dataset.width, dataset.name)
    same, averaged = identity(system, network, dataset, config), Mean(config)
    rng, weights = np.random.default_rng(config.seed), first_weights
    errors, first, totals = [], 0, {}
    if resume is not None:
        state = load_checkpoint(resume, same, network)
        weights, errors, first = state.weights, list(state.test_errors), state.epoch
        rng.bit_generator.state, totals = state.rng, dict(state.totals)
        if first > config.epochs:
            raise MisuseError(f"checkpoint '{resume}' has {first} epochs, which is more than the "
                              f"{config.epochs} requested")
    averaged.check(first)
    learner, count, images, seconds = make(weights, totals), len(dataset.train), 0, 0.0
    for epoch in range(first, config.epochs):
        begin = time.perf_counter()
        rates = system.rates(network, config.at(epoch))
        learner.epoch(rng.permutation(count), epoch, rates, rng)
        seconds, images = seconds + time.perf_counter() - begin, images + count
        learner.check(epoch, rates)
        averaged.add(epoch, learner.weights)
        if averaged.weights is not None and epoch + 1 == config.epochs:
            learner.load(averaged.weights)
        errors.append(learner.error())
        if checkpoint is not None:
            save_checkpoint(checkpoint, State(learner.weights, epoch + 1, rng.bit_generator.state,
                                              errors, learner.totals), same)
        if progress is not None:
            progress(EpochReport(epoch + 1, config.epochs, errors[-1], images / seconds))
    return Trained(learner, errors, images / seconds if seconds else 0.0)
