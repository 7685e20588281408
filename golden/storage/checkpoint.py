"""Checkpoints of a training run: weights, epoch, state of the random generator.

An archive (:mod:`~apical.golden.storage.archive`) that is replaced as a whole: a run that is killed
at any moment leaves the checkpoint of its last complete epoch.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field

from ..errors import MisuseError
from ..network import Network
from .archive import open_archive, write_archive

FORMAT = "apical-checkpoint"
VERSION = 1


@dataclass(frozen=True, eq=False)
class State:
    """How far a training run has come.

    Attributes
    ----------
    weights : dict of str to ndarray
        By matrix name: float32, or int64 raw values.
    epoch : int
        Completed epochs.
    rng : dict
        State of the bit generator.
    test_errors : list of float
        One for each completed epoch.
    totals : dict of str to int
        Counts over the completed epochs (training in raw integers).
    """

    weights: dict
    epoch: int
    rng: dict
    test_errors: list
    totals: dict = field(default_factory=dict)


def save_checkpoint(path, state: State, identity: dict):
    """Write a checkpoint, all or nothing.

    Parameters
    ----------
    path : path-like
    state : State
    identity : dict
        What the run that resumes must agree in; JSON values.
    """
    header = json.dumps({"format": FORMAT, "version": VERSION, "identity": identity,
                         "epoch": state.epoch, "rng": state.rng,
                         "test_errors": state.test_errors, "totals": state.totals})
    write_archive(path, header, {f"weights_{name}": values
                                 for name, values in state.weights.items()}, compressed=False)


def load_checkpoint(path, identity: dict, network: Network) -> State:
    """Read a checkpoint of the same run.

    Raises
    ------
    MisuseError
        For a file that is missing, damaged or no checkpoint, and for the checkpoint of another
        run, naming what differs.
    """
    with open_archive(path, "checkpoint", FORMAT, VERSION) as archive:
        header = archive.header
        saved = dict(header["identity"])
        for key in {**identity, **saved}:  # a setting at its default is in neither
            if saved.get(key) != identity.get(key):
                raise MisuseError(f"this checkpoint is of another run: its {key} is "
                                  f"{saved.get(key)}, requested is {identity.get(key)}")
        weights = {m.name: archive.array(f"weights_{m.name}", m.rows * m.cols)
                   for m in network.matrices if f"weights_{m.name}" in archive.names}
        network.check_weights(weights)
        return State(weights, int(header["epoch"]), header["rng"], header["test_errors"],
                     dict(header.get("totals", {})))
