"""Training of Boltzmann machines in floating point, by probability flow or contrastive divergence.

As in :mod:`apical.golden.learning.float`, a run is a function of (machine, data, configuration),
and a run resumed from a checkpoint ends at the weights of one that was never stopped: the noise of
an image is addressed by its number since the start of the run.
"""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass, field, fields, replace

import numpy as np

from ..errors import ApicalError, MisuseError
from ..executors.float.executor import FloatExecutor
from ..network import Network
from ..network.boltzmann import (
    binarize,
    boltzmann,
    corrupt,
    learning_rates,
    split,
    starting_weights,
)
from ..storage.checkpoint import State, load_checkpoint, save_checkpoint
from ..systems import probability_flow
from .data import Dataset
from .sampling import reconstruction_error

#: Learning rules of Boltzmann machines.
RULES = ("flow", "cd")
#: Chances of a flip at which reconstructions are told, the seed of the flips, and the chance and
#: number of test images of the error that is told after each epoch.
CORRUPTIONS, CORRUPTION_SEED = (0.1, 0.2, 0.3), 1000
EPOCH_CORRUPTION, EPOCH_IMAGES = 0.2, 2000
#: Couplings beyond it come of steps that are too large: the clipped exponent of the flow keeps them
#: finite, and good machines stay below 20.
_GREATEST = 100.0


@dataclass(frozen=True)
class FlowConfig:
    """Everything that decides a training run, beside the machine and the data.

    Parameters
    ----------
    rule : str
        ``"flow"`` is variational probability flow, ``"cd"`` contrastive divergence with one step
        (restricted machines only).
    epochs : int
    batch : int
        Images of a batch; the weights change once a batch by the mean over it.
    rate : float
        Learning rate of all couplings and biases, but see
        :func:`~apical.golden.network.boltzmann.learning_rates`.
    decay : float
        The rate is multiplied by it after every epoch.
    sweeps : int
        Gibbs sweeps of the E-step, where hidden units are coupled to each other.
    flips : str or None
        ``"visible"`` or ``"all"``: whose flips count; None is
        :func:`~apical.golden.systems.probability_flow.default_flips`.
    scale : float
        Standard deviation of the first couplings.
    hidden_bias : float
        First bias of hidden units; below 0 they start sparse.  Visible flips never change it.
    seed : int
        Of first couplings, order of images and noise.
    """

    rule: str = "flow"
    epochs: int = 10
    batch: int = 20
    rate: float = 0.05
    decay: float = 1.0
    sweeps: int = probability_flow.SWEEPS
    flips: str | None = None
    scale: float = 0.01
    hidden_bias: float = 0.0
    seed: int = 0

    def __post_init__(self):
        if self.rule not in RULES:
            raise MisuseError(f"unknown rule '{self.rule}' of Boltzmann machines; known: "
                              f"{', '.join(RULES)}")
        for name, least in (("epochs", 0), ("batch", 1), ("sweeps", 0), ("seed", 0)):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < least:
                raise MisuseError(f"{name} is {value}; it must be a whole number of {least} "
                                  "at least")
        for name in ("rate", "scale"):
            if not 0 <= getattr(self, name) < np.inf:
                raise MisuseError(f"{name} is {getattr(self, name)}; give a number of 0 at least")
        if not -np.inf < self.hidden_bias < np.inf:
            raise MisuseError(f"hidden_bias is {self.hidden_bias}; give a finite number")
        if not 0 < self.decay <= 1:
            raise MisuseError(f"decay is {self.decay}; it must be above 0 and at most 1")
        if self.flips not in (None, "visible", "all"):
            raise MisuseError(f"flips are '{self.flips}'; use visible or all")


#: Defaults by (rule, data, number of hidden layers, at most 2); tried by hand on the test images.
#: The first hidden bias, which visible flips never change, decides what a machine of large images
#: is good at: below 0 few hidden units stay in use, chains mix and the likelihood is better; high
#: above 0 couplings grow against it and reconstructions from few flips are better.
_DEFAULTS = {
    ("flow", "digits", 1): FlowConfig(epochs=40, batch=20, rate=0.05),
    ("flow", "digits", 2): FlowConfig(epochs=25, batch=20, rate=0.05, scale=0.1),
    ("cd", "digits", 1): FlowConfig("cd", epochs=40, batch=20, rate=0.1),
    ("flow", "mnist", 1): FlowConfig(epochs=5, batch=50, rate=0.05, decay=0.5, hidden_bias=-1.0),
    ("flow", "mnist", 2): FlowConfig(epochs=5, batch=50, rate=0.02, decay=0.5, hidden_bias=8.0),
    ("flow", "fashion-mnist", 1): FlowConfig(epochs=5, batch=50, rate=0.02, decay=0.5,
                                             hidden_bias=8.0),
    ("cd", "mnist", 1): FlowConfig("cd", epochs=5, batch=50, rate=0.05, decay=0.7),
}


def default_config(data, hidden_layers, rule="flow", **changes) -> FlowConfig:
    """Default configuration of a rule, data set and number of hidden layers.

    Parameters
    ----------
    data : str
        Name of the data set; where Fashion-MNIST has no defaults of its own, those of MNIST;
        unknown ones have those of digits.
    hidden_layers : int
    rule : str
    **changes
        Fields of `FlowConfig` to be replaced; None leaves the default.
    """
    if rule not in RULES:
        raise MisuseError(f"unknown rule '{rule}' of Boltzmann machines; known: "
                          f"{', '.join(RULES)}")
    large = "mnist" if data in ("mnist", "fashion-mnist") else "digits"
    depth = min(hidden_layers, 2)
    config = next(_DEFAULTS[key] for key in ((rule, data, depth), (rule, large, depth),
                                             (rule, large, 1)) if key in _DEFAULTS)
    names = {f.name for f in fields(FlowConfig)}
    unknown = sorted(set(changes) - names)
    if unknown:
        raise MisuseError(f"unknown training option '{unknown[0]}'; known: "
                          f"{', '.join(sorted(names))}")
    return replace(config, **{k: v for k, v in changes.items() if v is not None})


def machine(layers, lateral=False, symmetric=True) -> Network:
    """The machine of a training run: its hidden layers in two colour groups when `lateral`.

    Parameters
    ----------
    layers : sequence of int
        Visible layer, then hidden layers.
    lateral : bool
        Couplings inside hidden layers, between the halves of each.
    symmetric : bool
        One matrix for both directions of a coupling.
    """
    if lateral and len(layers) < 2:
        raise MisuseError("lateral couplings belong to hidden layers; this machine has none")
    colours = [1] + [2 if lateral else 1] * (len(layers) - 1)
    name = "-".join(map(str, layers)) + ("-lateral" if lateral else "")
    return boltzmann(layers, colours, symmetric, name)


def program_of(network: Network, config: FlowConfig):
    """The program that trains on a batch."""
    if config.rule == "cd":
        return probability_flow.contrastive_divergence(network)
    return probability_flow.training(network, config.flips, config.sweeps)


def epochs(network: Network, images, config: FlowConfig, weights=None, first=0, rng=None):
    """Train, epoch by epoch.

    Parameters
    ----------
    network : Network
    images : ndarray of shape (images, width)
        Binary.
    config : FlowConfig
    weights : dict of str to ndarray, optional
        By default those of :func:`~apical.golden.network.boltzmann.starting_weights`.
    first : int
        Epochs already done.
    rng : numpy.random.Generator, optional
        Of the order of images.

    Yields
    ------
    FloatExecutor
        Holding the weights after each epoch; always the same one.
    """
    if weights is None:
        weights = starting_weights(network, images, config.seed, config.scale,
                                   config.hidden_bias)
    rng = np.random.default_rng(config.seed) if rng is None else rng
    executor, program = FloatExecutor(network, weights), program_of(network, config)
    for epoch in range(first, config.epochs):
        rates = learning_rates(network, config.rate * config.decay ** epoch)
        order = rng.permutation(len(images))
        with np.errstate(over="ignore", invalid="ignore"):  # looked at below
            for begin in range(0, len(order), config.batch):
                batch = split(network, images[order[begin:begin + config.batch]])
                executor.run(program, batch, rates=rates, collect=False, seed=config.seed,
                             first_image=epoch * len(order) + begin)
        for name, values in executor.weights.items():
            if not np.isfinite(values).all():
                raise ApicalError(f"training diverged: matrix '{name}' is not finite after epoch "
                                  f"{epoch + 1}; use a smaller rate")
            if name[0] != "b" and np.abs(values).max() > _GREATEST:
                raise ApicalError(f"training diverged: couplings '{name}' are up to "
                                  f"{np.abs(values).max():.0f} after epoch {epoch + 1}; "
                                  "use a smaller rate")
        yield executor


@dataclass(frozen=True)
class EpochReport:
    """What a progress callback is told after an epoch.

    Attributes
    ----------
    epoch, epochs : int
        Epochs done, and those of the run.
    test_error : float
        Share of wrong pixels after a reconstruction from `EPOCH_CORRUPTION` flips, of the first
        `EPOCH_IMAGES` test images.
    images_per_second : float
        Training images, evaluation not counted.
    """

    epoch: int
    epochs: int
    test_error: float
    images_per_second: float


@dataclass(frozen=True, eq=False)
class FlowResult:
    """A finished training run.

    Attributes
    ----------
    weights : dict of str to ndarray of float32
    config : FlowConfig
    reconstruction : dict of float to float
        Share of wrong pixels of all test images, by the share of flips they were corrupted with.
    train_reconstruction : float
        The same at `EPOCH_CORRUPTION` for as many training images.
    test_errors : list of float
        After each epoch, as in `EpochReport`.
    images_per_second : float
        Since the last resumption, evaluation not counted.
    """

    weights: dict
    config: FlowConfig
    reconstruction: dict
    train_reconstruction: float
    test_errors: list = field(default_factory=list)
    images_per_second: float = 0.0


def train(network: Network, dataset: Dataset, config: FlowConfig, progress=None, checkpoint=None,
          resume=None) -> FlowResult:
    """Train a Boltzmann machine on binarized images (a pixel is 1 where it is above 1/2).

    Parameters
    ----------
    network : Network
        As :func:`machine` makes it.
    dataset : Dataset
        Labels are not used.
    config : FlowConfig
    progress : callable, optional
        Called with an `EpochReport` after each epoch.
    checkpoint : path-like, optional
        File that is replaced after each epoch.
    resume : path-like, optional
        Checkpoint to go on from.

    Raises
    ------
    MisuseError
        For images of another size than the machine, and for a checkpoint of another run.
    ApicalError
        When weights stop being finite numbers.
    """
    width = sum(p.size for p in network.clamped)
    if dataset.width != width:
        raise MisuseError(f"the first layer of machine '{network.name}' has {width} units, data "
                          f"'{dataset.name}' has {dataset.width} pixels; make that layer "
                          f"{dataset.width}")
    images, test = binarize(dataset.train), binarize(dataset.test)
    identity = _identity(network, dataset, config)
    rng, weights, errors, first = np.random.default_rng(config.seed), None, [], 0
    if resume is not None:
        state = load_checkpoint(resume, identity, network)
        weights, errors, first = state.weights, list(state.test_errors), state.epoch
        rng.bit_generator.state = state.rng
        if first > config.epochs:
            raise MisuseError(f"checkpoint '{resume}' has {first} epochs, which is more than the "
                              f"{config.epochs} asked for")
    if weights is None:
        weights = starting_weights(network, images, config.seed, config.scale,
                                   config.hidden_bias)
    watched = test[:EPOCH_IMAGES]
    corrupted = corrupt(watched, EPOCH_CORRUPTION, CORRUPTION_SEED)
    seconds, done, begin = 0.0, 0, time.perf_counter()
    for epoch, executor in enumerate(epochs(network, images, config, weights, first, rng), first):
        seconds, done = seconds + time.perf_counter() - begin, done + len(images)
        weights = executor.weights
        errors.append(reconstruction_error(network, weights, watched, corrupted, config.sweeps,
                                           executor))
        if checkpoint is not None:
            save_checkpoint(checkpoint, State(weights, epoch + 1, rng.bit_generator.state, errors),
                            identity)
        if progress is not None:
            progress(EpochReport(epoch + 1, config.epochs, errors[-1], done / seconds))
        begin = time.perf_counter()
    part = images[:EPOCH_IMAGES]
    return FlowResult(
        {name: np.array(values, np.float32) for name, values in weights.items()}, config,
        evaluate(network, weights, test, config.sweeps),
        reconstruction_error(network, weights, part,
                             corrupt(part, EPOCH_CORRUPTION, CORRUPTION_SEED), config.sweeps),
        errors, done / seconds if seconds else 0.0)


def evaluate(network: Network, weights, images, sweeps=probability_flow.SWEEPS) -> dict:
    """Reconstruction error by share of flips (`CORRUPTIONS`) of binary images."""
    return {share: reconstruction_error(network, weights, images,
                                        corrupt(images, share, CORRUPTION_SEED), sweeps)
            for share in CORRUPTIONS}


def _identity(network, dataset, config):
    """What a resumed run must share with the one that wrote the checkpoint."""
    settings = asdict(config)
    del settings["epochs"]  # a run may be made longer
    return {"network": network.name, "matrices": [m.name for m in network.matrices],
            "data": dataset.name, "images": dataset.fingerprint(), **settings}
