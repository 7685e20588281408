"""Training in floating point: epochs of shuffled batches, evaluation, checkpoints.

A run is a function of (network, data, settings): the same seed gives the same weights, bit for
bit, on the same machine, and a run that is resumed from a checkpoint ends at the weights of one
that was never stopped.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from ..executors.float.executor import FloatExecutor
from ..network import Network
from ..systems.kinds import EPOCH_CORRUPTION
from ..systems.registry import trainer
from ..systems.settings import TrainingConfig
from ..systems.system import glorot_weights as starting_weights
from .data import Dataset, one_hot
from .loop import EpochReport, Evaluation, check_data, run_epochs
from .variation import varied

__all__ = ["EpochReport", "TrainResult", "TrainingConfig", "default_config", "evaluate",
           "starting_weights", "train"]


def default_config(data, sizes, rule="ep", **changes):
    """Default settings of a system, data set and network in floating point.

    Parameters
    ----------
    data : str
        Name of the data set.
    sizes : sequence of int
        Units of the layers.
    rule : str
        Name of a system, or ``"backprop"``.
    **changes
        Fields to be replaced; None leaves the default.

    Returns
    -------
    TrainingConfig or FlowConfig
    """
    return trainer(rule).config("float", data, sizes, **changes)


@dataclass(frozen=True, eq=False)
class TrainResult:
    """A finished training run.

    Attributes
    ----------
    weights : dict of str to ndarray of float32
    config : TrainingConfig or FlowConfig
    test_error, train_error : float
        Of the final weights, 0..1, as the kind of data measures it; of labelled images the share of
        wrong predictions.
    test_errors : list of float
        Test error after each epoch.
    images_per_second : float
        Training images a second, evaluation not counted (since the last resumption).
    greatest_weight : float
        Largest absolute weight or bias: what a weight format has to hold.
    reconstruction : dict of float to float
        Of binarized images: share of wrong pixels of all test images, by the share of flips they
        were corrupted with.
    """

    weights: dict
    config: object
    test_error: float
    train_error: float
    test_errors: list = field(default_factory=list)
    images_per_second: float = 0.0
    greatest_weight: float = 0.0
    reconstruction: dict = field(default_factory=dict)

    @property
    def test_accuracy(self) -> float:
        """1 less the test error: of labelled images, the share of right predictions."""
        return 1 - self.test_error


class FloatLearner:
    """Batches on the float executor, see :class:`~apical.golden.learning.loop.Learner`.

    Parameters
    ----------
    system : System
    network : Network
    dataset : Dataset
    config : TrainingConfig or FlowConfig
    prepared : (ndarray, ndarray)
        Training and test images as the kind of data prepares them.
    weights : dict of str to ndarray
    """

    def __init__(self, system, network, dataset, config, prepared, weights):
        self.system, self.config, self.totals = system, config, {}
        self.executor = FloatExecutor(network, weights)
        images, test = prepared
        targets = (one_hot(dataset.train_labels, dataset.classes) if system.data.labelled
                   else None)
        self.inputs = system.data.inputs(network, images, targets)
        # A reference trains by a function.
        self.batch = getattr(system, "batch", None)
        self.program = None if self.batch else system.program(network, config)
        self.look = system.inference(network, config)
        watched = slice(system.data.watched)
        labels = None if dataset.test_labels is None else dataset.test_labels[watched]
        self.evaluation = Evaluation(system, network, self.look, test[watched], labels)
        self.given = self.evaluation.inputs()

    @property
    def weights(self):
        """The live weights."""
        return self.executor.weights

    def epoch(self, order, epoch, rates, rng):
        """Train on the images of an order, batch by batch."""
        size, data = self.config.batch, self.system.data
        every = self.inputs
        if "x" in every:
            every = {**every, "x": varied(every["x"], self.config, epoch)}
        with np.errstate(over="ignore", invalid="ignore"):  # looked at by `check`
            for begin in range(0, len(order), size):
                chosen = order[begin:begin + size]
                inputs = {name: values[chosen] for name, values in every.items()}
                sign = data.sign(rng)
                if self.batch is not None:
                    self.batch(self.executor, inputs, rates)
                    self._decay(epoch, rates)
                    continue
                # Every image of every epoch has noise of its own.
                self.executor.run(self.program, inputs, rates=rates, beta_sign=sign, collect=False,
                                  seed=self.config.seed, first_image=epoch * len(order) + begin)
                self._decay(epoch, rates)

    def _decay(self, epoch, rates):
        """Shrink the weights that learn, as `weight_decay` says."""
        decay = getattr(self.config, "weight_decay", 0.0)
        if not decay:
            return
        keep = self.executor.dtype.type(1 - decay * self.config.share(epoch))
        for name in rates:
            if self.weights[name].shape[0] > 1:
                self.weights[name] *= keep
                self.executor.refresh(name)

    def load(self, weights):
        """Take other weights."""
        self.executor.load(weights)

    def error(self) -> float:
        """Error of the watched test images."""
        return self.evaluation.error(self.run, self.given)

    def run(self, program, inputs):
        """Results of a program that does not learn."""
        return self.executor.run(program, inputs, collect=not self.system.data.labelled)

    def check(self, epoch, rates):
        """Raise `ApicalError` for weights that no longer learn."""
        self.system.data.check_alive(self.executor, self.look, self.evaluation.images, epoch,
                                     rates)


def train(network: Network, dataset: Dataset, config, weights=None, progress=None,
          checkpoint=None, resume=None) -> TrainResult:
    """Train a network.

    Parameters
    ----------
    network : Network
        As the system makes it: ``system(config.rule).network(sizes)``.
    dataset : Dataset
    config : TrainingConfig or FlowConfig
        Its rule names the system.
    weights : dict of str to ndarray, optional
        Starting weights; by default those of the system.
    progress : callable, optional
        Called with an `EpochReport` after each epoch.
    checkpoint : path-like, optional
        File that is replaced after each epoch.
    resume : path-like, optional
        Checkpoint to go on from.

    Raises
    ------
    MisuseError
        For data that the network cannot learn from, and for a checkpoint of another run.
    ApicalError
        When weights stop being finite numbers, or outputs no longer depend on the image.
    """
    system = trainer(config.rule)
    system.check("float")
    check_data(system, network, dataset)
    prepared = system.data.prepare(dataset)
    if weights is None:
        weights = system.weights(network, config, prepared[0])
    done = run_epochs(system, network, dataset, config, weights,
                      lambda now, totals: FloatLearner(system, network, dataset, config, prepared,
                                                       now),
                      progress, checkpoint, resume)
    learner = done.learner
    test, train_error, levels = final_errors(system, network, dataset, prepared, learner.look,
                                             learner.run)
    return TrainResult(
        {name: np.array(values, np.float32) for name, values in learner.weights.items()}, config,
        test, train_error, done.errors, done.images_per_second,
        max(float(np.abs(values).max()) for values in learner.weights.values()), levels)


def final_errors(system, network, dataset, prepared, program, run, convert=lambda inputs: inputs):
    """(test error, training error, test error by share of flipped pixels) of final weights.

    Parameters
    ----------
    prepared : (ndarray, ndarray)
        Training and test images.
    run : callable
        ``run(program, inputs)``: results with real states.
    convert : callable
        Makes inputs of real ones.
    """
    def error(images, labels, level=EPOCH_CORRUPTION):
        measured = Evaluation(system, network, program, images, labels, level)
        return measured.error(run, convert(measured.inputs()))

    images, test = prepared
    watched = slice(system.data.watched)
    labels = None if dataset.train_labels is None else dataset.train_labels[watched]
    train_error = error(images[watched], labels)
    if not system.data.levels:
        return error(test, dataset.test_labels), train_error, {}
    levels = {level: error(test, dataset.test_labels, level) for level in system.data.levels}
    return levels[EPOCH_CORRUPTION], train_error, levels


def evaluate(network: Network, weights, images, labels, steps=6) -> float:
    """Share of images, 0..1, that the inference program of that many steps puts in a wrong class.

    Parameters
    ----------
    weights : dict of str to ndarray
        Real weights.
    images : ndarray of shape (images, width)
    labels : ndarray of shape (images,)
    """
    system, config = trainer("ep"), TrainingConfig(inference_steps=steps)
    executor = FloatExecutor(network, weights)
    measured = Evaluation(system, network, system.inference(network, config), images, labels)
    return measured.error(lambda program, inputs: executor.run(program, inputs, collect=False),
                          measured.inputs())
