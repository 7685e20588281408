"""The record of a system: everything that the rest of the package has to know of it.

A system is one file: its equations as programs, and at its end a :class:`System` (or several, for
variants).  Commands, training, co-simulation, boards and tables read the record; nothing else names
a system.  :mod:`apical.golden.systems.registry` collects the records.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace

from ..errors import MisuseError
from ..network import Network, glorot
from ..network import layered as layered_network
from ..numbers.formats import Format
from ..program import layered
from .kinds import LABELLED, UNLABELLED, Kind
from .settings import TrainingConfig

#: Ways to run a system that learns: real numbers in batches, and raw integers image by image.
#: What runs raw integers can be the compiled executor, gateware in a simulator, or a board.
EXECUTORS = ("float", "fixed")


def glorot_weights(network: Network, config, images=None) -> dict:
    """First weights: Glorot-uniform of the seed times `gain`, hidden biases of the configuration.

    Parameters
    ----------
    config : TrainingConfig
        Its `seed`, `gain` and `hidden_bias` count.
    images : ndarray, optional
        Not used.
    """
    # Biases are 0 here, so the gain changes the weights between populations only.
    weights = {name: config.gain * values for name, values in glorot(network, config.seed).items()}
    for projection in network.projections:
        if network.population(projection.source).constant and projection.target != "y":
            weights[projection.matrix][...] = config.hidden_bias
    return weights


@dataclass(frozen=True, eq=False)
class System:
    """One system.

    Attributes
    ----------
    name : str
        What commands call it.
    summary : str
        What it is, in a few words.
    program : callable
        ``program(network, config)``: the `Program` that learns from a batch (or an image).
    rates : callable
        ``rates(network, config)``: learning rate of every matrix that learns, by name.
    network : callable
        ``network(sizes)``; by default layers of hard-sigmoid units.
    weights : callable
        ``weights(network, config, images)``: first weights; `images` are the training images, as
        the kind of data prepares them.
    inference : callable
        ``inference(network, config)``: the `Program` whose results an evaluation scores.
    data : Kind or None
        What it learns from (:mod:`apical.golden.systems.kinds`); None does not learn.
    settings : type
        `TrainingConfig` or `FlowConfig`.
    defaults : mapping
        Settings by (executor, data, number of layers of weights); where there are none, those of
        the same executor and data and the nearest depth, then those of the digits.
    layers : mapping
        Sizes by data where none are given; other data have those of the digits.
    case : callable or None
        ``case(rng)``: a problem small enough for a simulator of registers, see
        :class:`~apical.golden.systems.cases.Problem`.
    executors : tuple of str
        Of `EXECUTORS`: those that can hold it.
    why : str
        Why the others cannot, or why it does not learn.
    score : callable or None
        ``score(network, states, images)``: (wrong, of how much), for unlabelled images.
    rule : str
        Name in settings, checkpoints and reports, and another name of the system; variants of a
        rule share it.  By default `name`.
    reach : tuple of int
        In a study of number formats, states and weights reach two to these powers.
    update_frac : callable or None
        ``update_frac(state, weight, rate)``: there, the fraction bits of scaled factors for the
        largest of its rates, negative where they have no multiplier; by default those of the
        settings.
    """

    name: str
    summary: str
    program: Callable
    rates: Callable
    network: Callable = layered_network
    weights: Callable = glorot_weights
    inference: Callable = lambda network, config: layered.inference(network,
                                                                    config.inference_steps)
    data: Kind | None = LABELLED
    settings: type = TrainingConfig
    defaults: Mapping = field(default_factory=dict)
    layers: Mapping = field(default_factory=lambda: LAYERS)
    case: Callable | None = None
    executors: tuple = EXECUTORS
    why: str = ""
    score: Callable | None = None
    rule: str = ""
    reach: tuple = (1, 0)
    update_frac: Callable | None = None

    def __post_init__(self):
        if not self.rule:
            object.__setattr__(self, "rule", self.name)
        if self.data is UNLABELLED and self.score is None:
            raise MisuseError(f"system '{self.name}' learns from unlabelled images and has no "
                              "score; give score(network, states, images), its error")
        strange = [name for name in self.executors if name not in EXECUTORS]
        if strange:
            raise MisuseError(f"system '{self.name}' names the executor '{strange[0]}'; known: "
                              f"{', '.join(EXECUTORS)}")

    @property
    def learns(self) -> bool:
        """Whether it can be trained on images."""
        return self.data is not None

    def refusal(self, executor) -> str | None:
        """Why it cannot be trained by an executor, in words, or None."""
        because = f": {self.why}" if self.why else ""
        if not self.learns:
            return f"system '{self.name}' does not learn from data{because}"
        if executor not in self.executors:
            can = " or ".join(self.executors)
            return f"system '{self.name}' trains with --executor {can} only{because}"
        return None

    def check(self, executor):
        """Raise `MisuseError` where an executor cannot train it."""
        reason = self.refusal(executor)
        if reason:
            raise MisuseError(reason)

    def sizes(self, data) -> tuple:
        """Layers for a data set where none are given."""
        return self.layers.get(data, self.layers["digits"])

    def config(self, executor, data, sizes, **changes):
        """Default settings of an executor, data set and network.

        Parameters
        ----------
        executor : str
            One of `EXECUTORS`.
        data : str
            Name of the data set.
        sizes : sequence of int
            Units of the layers.
        **changes
            Fields to be replaced; None leaves the default.

        Returns
        -------
        TrainingConfig or FlowConfig, or their forms for raw integers

        Raises
        ------
        MisuseError
            For an unknown field, or an executor that cannot train it.
        """
        self.check(executor)
        form = self.settings if executor == "float" else self.settings.fixed
        changes = {name: value for name, value in changes.items() if value is not None}
        known = {f.name for f in fields(form)}
        unknown = sorted(set(changes) - known)
        if unknown:
            raise MisuseError(f"unknown training option '{unknown[0]}'; known: "
                              f"{', '.join(sorted(known))}")
        depth = len(sizes) - 1
        config = form(**{**self._nearest(executor, data, depth), "rule": self.rule}).fitted(depth)
        if executor == "fixed":
            # The number of update bits follows the formats unless it is given.
            changes = {"update_frac": None, **changes}
        return replace(config, **changes)

    def _nearest(self, executor, data, depth) -> Mapping:
        for wanted in (data, "digits"):
            near = [(abs(key[2] - depth), key[2]) for key in self.defaults
                    if key[:2] == (executor, wanted)]
            if near:
                return self.defaults[executor, wanted, min(near)[1]]
        return {}

    def formats(self, state_bits, weight_bits, weight_integer=None) -> tuple[Format, Format]:
        """Formats of that many bits that hold its states and weights."""
        integer = self.reach[1] if weight_integer is None else weight_integer
        return (Format(state_bits, max(state_bits - 1 - self.reach[0], 0)),
                Format(weight_bits, weight_bits - 1 - integer))


#: Layers of labelled data where a record has no others.
LAYERS = {"digits": (64, 32, 10), "mnist": (784, 64, 10), "fashion-mnist": (784, 64, 10)}
