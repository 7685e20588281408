"""Settings of a training run: everything that decides it, beside the network and the data.

Two families: :class:`TrainingConfig` for layered networks, one learning rate a layer of weights,
and :class:`FlowConfig` for Boltzmann machines.  Each has a form for raw integers, which adds the
number formats and learns after every image.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import ClassVar

import numpy as np

from ..errors import MisuseError
from ..numbers.formats import STATE, WEIGHT, Format

#: Fraction bits of scaled factors beyond the width of a state, where `update_frac` is not given: a
#: factor then reaches 1/8 whatever the formats.
FACTOR_FRAC = 2
#: Most update bits of weights of 8 bits and less.  Stochastic rounding adds noise to every update,
#: much with a large last place; coarser factors are 0 for changes too small to be worth it.
NARROW_UPDATE_FRAC = 4
#: Largest beta_shift: 2**-15 is the weakest nudge that a program can have.
_WEAKEST = 15


#: Courses of the rates over the epochs.
SCHEDULES = ("exponential", "linear", "cosine")
#: Settings that version 0.1.0 did not have, and what they were then.
_LATER = {"schedule": "exponential", "weight_decay": 0.0, "image_shift": 0, "image_noise": 0.0,
          "average": 0}


def _check_whole(config, **least):
    """Raise `MisuseError` for a field that is not a whole number of its least value or more."""
    for name, low in least.items():
        value = getattr(config, name)
        if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < low:
            raise MisuseError(f"{name} is {value}; it must be a whole number of at least {low}")


def _check_decay(config):
    if not 0 < config.decay <= 1:
        raise MisuseError(f"decay is {config.decay}; it must be above 0 and at most 1")


def _trainer(name):
    from .registry import trainer

    return trainer(name)


@dataclass(frozen=True)
class TrainingConfig:
    """Settings of a layered network.

    Parameters
    ----------
    rule : str
        Name of a system, see :func:`apical.golden.systems.registry.trainer`; ``"ep"`` is
        equilibrium propagation.
    epochs : int
    batch : int
        Images of a batch; the weights change once a batch by the mean over it.
    rates : tuple of float
        Learning rate of each layer of weights (and its biases), from the input on; a single
        number counts for all.
    decay : float
        Rates are multiplied by it after every epoch.
    beta_shift : int
        The nudge is ``beta = +-2**-beta_shift``, its sign drawn for each batch.
    steps, nudge_steps : int
        Relaxation steps of the free phase (after the sweep) and of the nudged phase.
        The free phase of ghost units needs none.
    inference_steps : int
        Relaxation steps (after the sweep) of the evaluation.
    gain : float
        Factor on the Glorot-uniform starting weights (of ghost units: deviation times the root of
        the fan-in).  With 1 some hard-sigmoid outputs start so far below 0 that no nudge reaches
        them, and their class is never learned; with 1/2 none did.
    hidden_bias : float
        First bias of hidden units; with 0 half of them start silent.
    seed : int
        Of starting weights, order of images and signs of beta.
    shift : int or None
        Step of the relaxation while learning, ``eps = 2**-shift``; None is that of the system.
    schedule : str
        ``"exponential"`` multiplies the rates by `decay` after every epoch; ``"linear"`` and
        ``"cosine"`` lower them to 0 over the epochs, and `decay` does not count.
    weight_decay : float
        After every batch, weights between populations (no biases) are multiplied by
        1 - weight_decay times the present share of the first rates; in floating point only.
    image_shift : int
        Training images are moved by up to that many pixels each way, drawn for each epoch.
    image_noise : float
        Standard deviation of the noise on pixels of training images, drawn for each epoch.
    average : int
        The final weights are the mean of those after the last epochs, so many; 0 and 1 take the
        last alone.  In floating point only.
    """

    rule: str = "ep"
    epochs: int = 10
    batch: int = 20
    rates: tuple[float, ...] = (0.1,)
    decay: float = 1.0
    beta_shift: int = 1
    steps: int = 6
    nudge_steps: int = 3
    inference_steps: int = 6
    gain: float = 0.5
    hidden_bias: float = 0.25
    seed: int = 0
    shift: int | None = None
    schedule: str = "exponential"
    weight_decay: float = 0.0
    image_shift: int = 0
    image_noise: float = 0.0
    average: int = 0

    #: The form for raw integers.
    fixed: ClassVar[type]

    def __post_init__(self):
        object.__setattr__(self, "rates", tuple(float(rate) for rate in self.rates))
        object.__setattr__(self, "rule", _trainer(self.rule).rule)
        _check_whole(self, epochs=0, batch=1, beta_shift=0, steps=0, nudge_steps=1,
                     inference_steps=0, seed=0)
        if self.shift is not None:
            _check_whole(self, shift=0)
        _check_whole(self, image_shift=0, average=0)
        if self.schedule not in SCHEDULES:
            raise MisuseError(f"schedule is '{self.schedule}'; known: {', '.join(SCHEDULES)}")
        if not 0 <= self.weight_decay < 1:
            raise MisuseError(f"weight_decay is {self.weight_decay}; it goes from 0 to below 1")
        if not 0 <= self.image_noise < np.inf:
            raise MisuseError(f"image_noise is {self.image_noise}; give a number of at least 0")
        if self.beta_shift > _WEAKEST:
            raise MisuseError(f"beta_shift is {self.beta_shift}; the contrast is divided by beta, "
                              f"which must not vanish: use 0 .. {_WEAKEST}")
        if not self.rates or not all(0 <= rate < np.inf for rate in self.rates):
            raise MisuseError(f"rates are {self.rates}; give one or more numbers of at least 0")
        if not (0 < self.gain < np.inf and -np.inf < self.hidden_bias < np.inf):
            raise MisuseError(f"gain {self.gain} must be above 0 and hidden_bias "
                              f"{self.hidden_bias} finite")
        _check_decay(self)

    @property
    def one_or_all(self):
        """The single rate, or the rates of all layers."""
        return self.rates[0] if len(self.rates) == 1 else self.rates

    def share(self, epoch) -> float:
        """Factor on the first rates in an epoch, counted from 0."""
        if self.schedule == "exponential":
            return self.decay ** epoch
        done = epoch / max(self.epochs, 1)
        return 1 - done if self.schedule == "linear" else 0.5 + 0.5 * float(np.cos(np.pi * done))

    def at(self, epoch) -> TrainingConfig:
        """These settings with the rates of an epoch, counted from 0."""
        factor = self.share(epoch)
        return replace(self, rates=tuple(rate * factor for rate in self.rates))

    def fitted(self, depth) -> TrainingConfig:
        """These settings for another number of layers: rates that cannot be theirs become one."""
        return self if len(self.rates) in (1, depth) else replace(self, rates=self.rates[:1])

    def identity(self) -> dict:
        """What a checkpoint must agree in with the run that resumes it: JSON values."""
        settings = asdict(self)
        if self.schedule == "exponential":
            del settings["epochs"]  # a run may be made longer
        # Checkpoints of before know nothing of these.
        for name, plain in _LATER.items():
            if settings[name] == plain:
                del settings[name]
        return settings | {"rates": list(self.rates)}


@dataclass(frozen=True)
class FlowConfig:
    """Settings of a Boltzmann machine.

    Parameters
    ----------
    rule : str
        ``"flow"`` is variational probability flow, ``"cd"`` contrastive divergence with one step
        (restricted machines only), or another system that trains machines.
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
    flip : float or None
        Probability of a flip, of machines that flip their states
        (:mod:`~apical.golden.systems.flipped_flow`); None is that of the rule.
    """

    rule: str = "flow"
    epochs: int = 10
    batch: int = 20
    rate: float = 0.05
    decay: float = 1.0
    sweeps: int = 2
    flips: str | None = None
    scale: float = 0.01
    hidden_bias: float = 0.0
    seed: int = 0
    flip: float | None = None

    #: The form for raw integers.
    fixed: ClassVar[type]

    def __post_init__(self):
        chosen = _trainer(self.rule)
        if not issubclass(chosen.settings, FlowConfig):
            raise MisuseError(f"rule '{self.rule}' trains no Boltzmann machines; use flow or cd")
        object.__setattr__(self, "rule", chosen.rule)
        _check_whole(self, epochs=0, batch=1, sweeps=0, seed=0)
        for name in ("rate", "scale"):
            if not 0 <= getattr(self, name) < np.inf:
                raise MisuseError(f"{name} is {getattr(self, name)}; give a number of at least 0")
        if not -np.inf < self.hidden_bias < np.inf:
            raise MisuseError(f"hidden_bias is {self.hidden_bias}; give a finite number")
        _check_decay(self)
        if self.flip is not None and not 0 < self.flip < 1:
            raise MisuseError(f"flip is {self.flip}; give a probability between 0 and 1")
        if self.flips not in (None, "visible", "all"):
            raise MisuseError(f"flips are '{self.flips}'; use visible or all")

    def at(self, epoch) -> FlowConfig:
        """These settings with the rate of an epoch, counted from 0."""
        return replace(self, rate=self.rate * self.decay ** epoch)

    def fitted(self, depth) -> FlowConfig:
        """These settings for another number of layers."""
        return self

    def identity(self) -> dict:
        """What a checkpoint must agree in with the run that resumes it: JSON values."""
        settings = asdict(self)
        del settings["epochs"]  # a run may be made longer
        if self.flip is None:  # as in checkpoints of version 0.1.0
            del settings["flip"]
        return settings


@dataclass(frozen=True)
class _RawSettings:
    """What settings in raw integers have besides those in floating point."""

    batch: int = 1
    state: Format = STATE
    weight: Format = WEIGHT
    update_frac: int | None = None

    def __post_init__(self):
        super().__post_init__()
        for name in ("weight_decay", "average"):
            if getattr(self, name, 0):
                raise MisuseError(f"{name} is {getattr(self, name)}; raw integers learn as the "
                                  "engine does, which has no operation for it, so it must be 0")
        if self.batch != 1:
            raise MisuseError(f"batch is {self.batch}; the fixed executor learns after every "
                              "image, as the engine does, so it must be 1")
        if self.update_frac is None:
            bits = self.state.width + FACTOR_FRAC - self.weight.frac
            most = NARROW_UPDATE_FRAC if self.weight.width <= 8 else 32 - self.state.frac
            object.__setattr__(self, "update_frac", min(max(bits, 0), most))

    def identity(self) -> dict:
        """What a checkpoint must agree in with the run that resumes it: JSON values."""
        return {"executor": "fixed", **super().identity(), "state": str(self.state),
                "weight": str(self.weight)}


@dataclass(frozen=True)
class FixedTrainingConfig(_RawSettings, TrainingConfig):
    """Settings of a layered network in raw integers.

    Parameters
    ----------
    state, weight : Format
    update_frac : int or None
        Fraction bits of a weight's last place that scaled factors keep; by default so many that
        the factors, words of the state format, reach 1/8: 18 fraction bits for 16-bit states;
        at most `NARROW_UPDATE_FRAC` for weights of 8 bits and less.
    **others
        As for :class:`TrainingConfig`; the batch is one image.
    """


@dataclass(frozen=True)
class FixedFlowConfig(_RawSettings, FlowConfig):
    """Settings of a Boltzmann machine in raw integers.

    Parameters
    ----------
    state, weight, update_frac
        As for :class:`FixedTrainingConfig`.
    **others
        As for :class:`FlowConfig`; the batch is one image.
    """


TrainingConfig.fixed = FixedTrainingConfig
FlowConfig.fixed = FixedFlowConfig
