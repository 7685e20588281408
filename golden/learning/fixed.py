"""Training in raw integers, one image at a time, exactly as an engine does it.

Every epoch hands the shuffled images to the compiled road; image ``k`` of the run (counted over all
epochs) has the image number k, so an engine that is given the same seed and the same images ends
at the same weights and the same signature.
"""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass, field, fields, replace

import numpy as np

from ..errors import MisuseError
from ..executors.compiled.executor import OnlineExecutor
from ..executors.fixed.executor import FixedExecutor
from ..network import Network
from ..numbers.formats import STATE, WEIGHT, Format, dequantize, quantize
from ..numbers.quantize import quantize_network
from ..program.layered import inference
from ..storage.checkpoint import State, load_checkpoint, save_checkpoint
from ..systems import equilibrium
from .data import Dataset, one_hot
from .float import EpochReport, TrainingConfig, check_sizes, starting_weights

#: Fraction bits of scaled factors beyond the width of a state, where `update_frac` is not given: a
#: factor then reaches 1/8 whatever the formats.
FACTOR_FRAC = 2
#: Most update bits of weights of 8 bits and less.  Stochastic rounding adds noise to every update,
#: much with a large last place; coarser factors are 0 for changes too small to be worth it.
NARROW_UPDATE_FRAC = 4
#: Images that are evaluated, or quantized, at a time.
_PART = 500


@dataclass(frozen=True)
class FixedTrainingConfig(TrainingConfig):
    """Everything that decides a training run in raw integers, beside the network and the data.

    Parameters
    ----------
    state, weight : Format
    update_frac : int or None
        Fraction bits of a weight's last place that scaled factors keep; by default so many that
        the factors, words of the state format, reach 1/8: 18 fraction bits for 16-bit states;
        at most `NARROW_UPDATE_FRAC` for weights of 8 bits and less.
    **others
        As for :class:`~apical.golden.learning.float.TrainingConfig`; the batch is one image.
    """

    batch: int = 1
    state: Format = STATE
    weight: Format = WEIGHT
    update_frac: int | None = None

    def __post_init__(self):
        super().__post_init__()
        if self.rule != "ep":
            raise MisuseError(f"rule '{self.rule}' trains in floating point only; "
                              "the fixed executor trains ep")
        if self.batch != 1:
            raise MisuseError(f"batch is {self.batch}; the fixed executor learns after every "
                              "image, as the engine does, so it must be 1")
        if self.update_frac is None:
            bits = self.state.width + FACTOR_FRAC - self.weight.frac
            most = NARROW_UPDATE_FRAC if self.weight.width <= 8 else 32 - self.state.frac
            object.__setattr__(self, "update_frac", min(max(bits, 0), most))


#: Defaults by data; tried on the test images by hand, so their test errors are slightly
#: optimistic.
_DEFAULTS = {
    "digits": FixedTrainingConfig(epochs=12, rates=(0.06, 0.03), decay=0.9),
    "mnist": FixedTrainingConfig(epochs=16, rates=(0.02, 0.01), decay=0.88, weight=Format(16, 14)),
}
_DEFAULTS["fashion-mnist"] = _DEFAULTS["mnist"]


def default_fixed_config(data, sizes, rule="ep", **changes) -> FixedTrainingConfig:
    """Default configuration of a data set and network.

    Parameters
    ----------
    data : str
    sizes : sequence of int
        Units of the layers.
    rule : str
    **changes
        Fields of `FixedTrainingConfig` to be replaced; None leaves the default.
    """
    changes = {name: value for name, value in changes.items() if value is not None}
    known = [f.name for f in fields(FixedTrainingConfig)]
    for name in changes:
        if name not in known:
            raise MisuseError(f"unknown training option '{name}'; known: {', '.join(known)}")
    config = _DEFAULTS.get(data, _DEFAULTS["digits"])
    if len(config.rates) not in (1, len(sizes) - 1):
        config = replace(config, rates=config.rates[:1])
    # The number of update bits follows the formats unless it is given.
    return replace(config, **{"update_frac": None, "rule": rule, **changes})


@dataclass(frozen=True, eq=False)
class FixedTrainResult:
    """A finished training run in raw integers.

    Attributes
    ----------
    weights : dict of str to ndarray of int64
        Raw.
    config : FixedTrainingConfig
    test_error, train_error : float
        Share of wrong predictions of the final weights, 0..1.
    test_errors : list of float
        Test error after each epoch.
    images_per_second : float
        Training images a second, evaluation not counted (since the last resumption).
    greatest_weight : float
        Greatest absolute weight or bias.
    signature : int
        Sum of the signatures of all training images, modulo 2**32.
    writes, saturations : int
        Values that were written, and those of them that were clipped, over the run.
    saturated_weights, changed_weights : float
        Share of the final weights that lie at an end of their format, and of those that differ
        from where they started.
    """

    weights: dict
    config: FixedTrainingConfig
    test_error: float
    train_error: float
    test_errors: list = field(default_factory=list)
    images_per_second: float = 0.0
    greatest_weight: float = 0.0
    signature: int = 0
    writes: int = 0
    saturations: int = 0
    saturated_weights: float = 0.0
    changed_weights: float = 0.0

    @property
    def test_accuracy(self) -> float:
        """Share of right predictions on the test images."""
        return 1 - self.test_error


def train_fixed(network: Network, dataset: Dataset, config: FixedTrainingConfig, weights=None,
                progress=None, checkpoint=None, resume=None,
                executor=OnlineExecutor) -> FixedTrainResult:
    """Train a layered network in raw integers.

    Parameters
    ----------
    network, dataset, progress, checkpoint, resume
        As for :func:`apical.golden.learning.float.train`.
    config : FixedTrainingConfig
    weights : dict of str to ndarray of int, optional
        Raw starting weights; by default those of the seed, rounded.
    executor : callable
        What runs the images: called as the class `OnlineExecutor`, returns what has its ``run``,
        ``network`` and ``weights``.  A device, for example.

    Raises
    ------
    MisuseError
        As :func:`~apical.golden.learning.float.train`, and for rates that no multiplier holds.
    """
    check_sizes(network, dataset)
    program = equilibrium.training(network, config.steps, config.nudge_steps, config.beta_shift)
    rates = equilibrium.learning_rates(
        network, config.rates[0] if len(config.rates) == 1 else config.rates, config.beta_shift)
    rng = np.random.default_rng(config.seed)
    identity = _identity(network, dataset, config)
    if weights is None:
        weights = quantize_network(network, starting_weights(network, config), config.state,
                                   config.weight, saturate=True).weights
    first_weights, errors, first = weights, [], 0
    totals = {"signature": 0, "writes": 0, "saturations": 0}
    if resume is not None:
        state = load_checkpoint(resume, identity, network)
        weights, errors, first = state.weights, list(state.test_errors), state.epoch
        rng.bit_generator.state = state.rng
        totals = dict(state.totals)
        if first > config.epochs:
            raise MisuseError(f"checkpoint '{resume}' has {first} epochs, which is more than the "
                              f"{config.epochs} asked for")
    executor = executor(network, weights, config.state, config.weight, config.update_frac)
    raw = RawImages(dataset, config.state)
    images, seconds = 0, 0.0
    for epoch in range(first, config.epochs):
        begin = time.perf_counter()
        _epoch(executor, program, raw, rng.permutation(len(raw.train)), epoch, config,
               {name: rate * config.decay ** epoch for name, rate in rates.items()}, totals)
        seconds += time.perf_counter() - begin
        images += len(raw.train)
        errors.append(_error(executor, raw.test, dataset.test_labels, config))
        if checkpoint is not None:
            save_checkpoint(checkpoint, State(executor.weights, epoch + 1, rng.bit_generator.state,
                                              errors, totals), identity)
        if progress is not None:
            progress(EpochReport(epoch + 1, config.epochs, errors[-1], images / seconds))
    final = executor.weights
    low, high = config.weight.min, config.weight.max
    return FixedTrainResult(
        final, config,
        errors[-1] if errors else _error(executor, raw.test, dataset.test_labels, config),
        _error(executor, raw.train, dataset.train_labels, config), errors,
        images / seconds if seconds else 0.0,
        max(float(np.abs(dequantize(w, config.weight)).max()) for w in final.values()),
        **totals,
        saturated_weights=_share(final, lambda name, w: (w == low) | (w == high)),
        changed_weights=_share(final, lambda name, w: w != first_weights[name]))


def evaluate_fixed(network: Network, weights, images, labels, config: FixedTrainingConfig) -> float:
    """Share of images, 0..1, that raw weights put in a wrong class.

    Parameters
    ----------
    weights : dict of str to ndarray of int
        Raw.
    images : ndarray of shape (images, width)
        Real values.
    labels : ndarray of shape (images,)
    config : FixedTrainingConfig
        Its formats and `inference_steps` count.
    """
    executor = FixedExecutor(network, weights, config.state, config.weight, config.update_frac)
    return _error(executor, raw_values(images, config.state), labels, config)


def raw_values(real, state: Format):
    """Real values as raw states in the narrowest integers that hold them."""
    dtype = np.int16 if state.width <= 16 else np.int32
    raw = np.empty(np.shape(real), dtype)
    for begin in range(0, len(raw), _PART):
        part = slice(begin, begin + _PART)
        raw[part] = np.minimum(quantize(real[part], state, "images")[0], state.one)
    return raw


class RawImages:
    """Images and targets of a data set as raw states."""

    def __init__(self, dataset: Dataset, state: Format):
        self.train, self.test = raw_values(dataset.train, state), raw_values(dataset.test, state)
        self.targets = one_hot(dataset.train_labels, dataset.classes, np.int16) * state.one
        self.targets = self.targets.astype(self.train.dtype)


def _epoch(executor, program, raw, order, epoch, config, rates, totals):
    """Train on all images in an order and add up what the executor counted."""
    for begin in range(0, len(order), _PART):
        chosen = order[begin:begin + _PART]
        result = executor.run(program, {"x": raw.train[chosen], "d": raw.targets[chosen]},
                              config.seed, epoch * len(order) + begin, rates=rates, collect=False)
        totals["signature"] = (totals["signature"] + int(result.signatures.sum())) & 0xFFFFFFFF
        totals["writes"] += int(result.writes.sum())
        totals["saturations"] += int(result.saturations.sum())


def _error(executor, images, labels, config):
    """Share of wrong predictions, by the batched road."""
    network = executor.network
    batched = FixedExecutor(network, executor.weights, config.state, config.weight)
    program, wrong = inference(network, config.inference_steps), 0
    for begin in range(0, len(labels), _PART):
        part = slice(begin, begin + _PART)
        found = batched.run(program, {"x": images[part]}).predictions
        wrong += int(np.count_nonzero(found != labels[part]))
    return wrong / max(len(labels), 1)


def _share(weights, test):
    """Share of all weights that pass a test of (matrix name, raw weights)."""
    found = sum(int(np.count_nonzero(test(name, values))) for name, values in weights.items())
    return found / sum(values.size for values in weights.values())


def _identity(network, dataset, config):
    """What a checkpoint must agree in with the run that resumes it."""
    settings = asdict(config)
    del settings["epochs"]  # a run may be made longer
    settings.update(rates=list(config.rates), state=str(config.state), weight=str(config.weight))
    return {"network": network.name, "data": dataset.name, "images": dataset.fingerprint(),
            "executor": "fixed", **settings}
