"""Training in raw integers, one image at a time, exactly as an engine does it.

Every epoch hands the shuffled images to the compiled executor; image ``k`` of the run (counted over
all epochs) has the image number k, so an engine that is given the same seed and the same images
ends at the same weights and the same signature.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import SimpleNamespace

import numpy as np

from ..executors.compiled.executor import CompiledExecutor
from ..executors.fixed.executor import FixedExecutor
from ..network import Network
from ..numbers.formats import Format, dequantize, quantize
from ..numbers.quantize import quantize_network
from ..systems.registry import trainer
from ..systems.settings import FACTOR_FRAC, FixedFlowConfig, FixedTrainingConfig
from .data import Dataset, one_hot
from .float import TrainResult, final_errors
from .loop import PART, EpochReport, Evaluation, check_data, run_epochs
from .variation import varied

__all__ = ["FACTOR_FRAC", "EpochReport", "FixedFlowConfig", "FixedTrainResult",
           "FixedTrainingConfig", "default_fixed_config", "evaluate_fixed", "raw_values",
           "train_fixed"]


def default_fixed_config(data, sizes, rule="ep", **changes):
    """Default settings of a system, data set and network in raw integers.

    Parameters
    ----------
    data : str
    sizes : sequence of int
        Units of the layers.
    rule : str
        Name of a system.
    **changes
        Fields to be replaced; None leaves the default.

    Returns
    -------
    FixedTrainingConfig or FixedFlowConfig
    """
    return trainer(rule).config("fixed", data, sizes, **changes)


@dataclass(frozen=True, eq=False)
class FixedTrainResult(TrainResult):
    """A finished training run in raw integers.

    Attributes
    ----------
    weights : dict of str to ndarray of int64
        Raw.
    config : FixedTrainingConfig or FixedFlowConfig
    signature : int
        Sum of the signatures of all training images, modulo 2**32.
    writes, saturations : int
        Values that were written, and those of them that were clipped, over the run.
    saturated_weights, changed_weights : float
        Share of the final weights at an end of their format, and of those that differ from where
        they started.
    **others
        As of :class:`~apical.golden.learning.float.TrainResult`.
    """

    signature: int = 0
    writes: int = 0
    saturations: int = 0
    saturated_weights: float = 0.0
    changed_weights: float = 0.0


class RawProblem:
    """What a run in raw integers starts from: images, first weights and the program that learns.

    Parameters
    ----------
    system : System
    network : Network
    dataset : Dataset
    config : FixedTrainingConfig or FixedFlowConfig

    Attributes
    ----------
    inputs : dict of str to ndarray of shape (training images, n), int
        Raw clamped states, by population.
    program : Program
    prepared : (ndarray, ndarray)
        Real training and test images.
    """

    def __init__(self, system, network, dataset, config):
        system.check("fixed")
        check_data(system, network, dataset)
        self.system, self.network, self.dataset, self.config = system, network, dataset, config
        self.program = system.program(network, config)
        self.prepared = system.data.prepare(dataset)
        targets = (one_hot(dataset.train_labels, dataset.classes) if system.data.labelled
                   else None)
        self.inputs = self.raw(system.data.inputs(network, self.prepared[0], targets))
        self.look = system.inference(network, config)

    def first_weights(self) -> dict:
        """Raw first weights of the seed: dict of ndarray of int64."""
        config = self.config
        real = self.system.weights(self.network, config, self.prepared[0])
        return quantize_network(self.network, real, config.state, config.weight,
                                saturate=True).weights

    def raw(self, inputs) -> dict:
        """Raw clamped states of real ones."""
        return {name: raw_values(values, self.config.state) for name, values in inputs.items()}

    def evaluation(self, images=None, labels=None) -> Evaluation:
        """How errors of images are measured; by default of the test images after an epoch."""
        if images is None:
            watched = slice(self.system.data.watched)
            images, labels = self.prepared[1][watched], self.dataset.test_labels
            labels = None if labels is None else labels[watched]
        return Evaluation(self.system, self.network, self.look, images, labels)

    def runner(self, weights):
        """``run(program, inputs)`` of the batched executor, with real states as its results."""
        config = self.config
        batched = FixedExecutor(self.network, weights, config.state, config.weight,
                                config.update_frac)

        def run(program, inputs):
            found = batched.run(program, inputs)
            return SimpleNamespace(predictions=found.predictions,
                                   states=RealStates(found.states, config.state))
        return run


class RealStates(dict):
    """Raw states by (population, slot), read as real numbers."""

    def __init__(self, raw, state: Format):
        super().__init__(raw)
        self._state = state

    def __getitem__(self, key):
        return dequantize(super().__getitem__(key), self._state)


class FixedLearner:
    """Images on an executor of raw integers, see :class:`~apical.golden.learning.loop.Learner`.

    Parameters
    ----------
    problem : RawProblem
    weights : dict of str to ndarray of int
        Raw.
    totals : dict of str to int
        Counts of the epochs before.
    executor : callable
        As for :func:`train_fixed`.
    """

    def __init__(self, problem: RawProblem, weights, totals, executor):
        config = problem.config
        self.problem = problem
        self.totals = {"signature": 0, "writes": 0, "saturations": 0, **totals}
        self.executor = executor(problem.network, weights, config.state, config.weight,
                                 config.update_frac)
        self.evaluation = problem.evaluation()
        self.given = problem.raw(self.evaluation.inputs())

    @property
    def weights(self):
        """The present raw weights."""
        return self.executor.weights

    def epoch(self, order, epoch, rates, rng):
        """Train on all images of an order and add up what the executor counted."""
        totals, config = self.totals, self.problem.config
        seed, every = config.seed, self.problem.inputs
        if "x" in every:
            every = {**every, "x": varied(every["x"], config, epoch, config.state.one)}
        for begin in range(0, len(order), PART):
            chosen = order[begin:begin + PART]
            inputs = {name: values[chosen] for name, values in every.items()}
            result = self.executor.run(self.problem.program, inputs, seed,
                                       epoch * len(order) + begin, rates=rates, collect=False)
            totals["signature"] = (totals["signature"]
                                   + int(result.signatures.sum())) & 0xFFFFFFFF
            totals["writes"] += int(result.writes.sum())
            totals["saturations"] += int(result.saturations.sum())

    def error(self) -> float:
        """Error of the watched test images, by the batched executor."""
        return self.evaluation.error(self.problem.runner(self.weights), self.given)

    def check(self, epoch, rates):
        """Raw weights are always finite; how many are saturated is reported at the end."""


def train_fixed(network: Network, dataset: Dataset, config, weights=None, progress=None,
                checkpoint=None, resume=None, executor=CompiledExecutor) -> FixedTrainResult:
    """Train a network in raw integers.

    Parameters
    ----------
    network, dataset, progress, checkpoint, resume
        As for :func:`apical.golden.learning.float.train`.
    config : FixedTrainingConfig or FixedFlowConfig
        Its rule names the system.
    weights : dict of str to ndarray of int, optional
        Raw starting weights; by default those of the seed, rounded.
    executor : callable
        What runs the images: called as the class `CompiledExecutor`, returns what has its ``run``,
        ``network`` and ``weights``.  A device, for example.

    Raises
    ------
    MisuseError
        As :func:`~apical.golden.learning.float.train`, for rates that no multiplier holds, and for
        a system that raw integers cannot train.
    """
    problem = RawProblem(trainer(config.rule), network, dataset, config)
    first = problem.first_weights() if weights is None else weights
    done = run_epochs(problem.system, network, dataset, config, first,
                      lambda now, totals: FixedLearner(problem, now, totals, executor),
                      progress, checkpoint, resume)
    final = done.learner.weights
    test, train_error, levels = final_errors(problem.system, network, dataset, problem.prepared,
                                             problem.look, problem.runner(final), problem.raw)
    low, high = config.weight.min, config.weight.max
    return FixedTrainResult(
        final, config, test, train_error, done.errors, done.images_per_second,
        max(float(np.abs(dequantize(w, config.weight)).max()) for w in final.values()), levels,
        **done.learner.totals,
        saturated_weights=_share(final, lambda name, w: (w == low) | (w == high)),
        changed_weights=_share(final, lambda name, w: w != first[name]))


def evaluate_fixed(network: Network, weights, images, labels, config) -> float:
    """Share of images, 0..1, that raw weights put in a wrong class.

    Parameters
    ----------
    weights : dict of str to ndarray of int
        Raw.
    images : ndarray of shape (images, width)
        Real values.
    labels : ndarray of shape (images,)
    config : FixedTrainingConfig
        Its system, formats and `inference_steps` count.
    """
    system = trainer(config.rule)
    executor = FixedExecutor(network, weights, config.state, config.weight, config.update_frac)
    measured = Evaluation(system, network, system.inference(network, config), images, labels)
    return measured.error(executor.run, {name: raw_values(values, config.state)
                                         for name, values in measured.inputs().items()})


def raw_values(real, state: Format):
    """Real values as raw states in the narrowest integers that hold them."""
    dtype = np.int16 if state.width <= 16 else np.int32
    raw = np.empty(np.shape(real), dtype)
    for begin in range(0, len(raw), PART):
        part = slice(begin, begin + PART)
        raw[part] = np.minimum(quantize(real[part], state, "images")[0], state.one)
    return raw


def _share(weights, test):
    """Share of all weights that pass a test of (matrix name, raw weights)."""
    found = sum(int(np.count_nonzero(test(name, values))) for name, values in weights.items())
    return found / sum(values.size for values in weights.values())
