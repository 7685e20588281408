"""Checkpoints of a training run: weights, epoch, state of the random generator.

An ``.npz`` archive without pickles, replaced as a whole, so that a run that is killed at any
moment leaves the checkpoint of the last whole epoch.
"""

from __future__ import annotations

import io
import json
import os
import zipfile
import zlib
from dataclasses import dataclass, field

import numpy as np

from ..errors import MisuseError
from ..network import Network
from .atomic import write_atomically

FORMAT = "apical-checkpoint"
VERSION = 1


@dataclass(frozen=True, eq=False)
class State:
    """Where a training run stands.

    Attributes
    ----------
    weights : dict of str to ndarray of float32
    epoch : int
        Epochs done.
    rng : dict
        State of the bit generator.
    test_errors : list of float
        Of the epochs done.
    totals : dict of str to int
        Counts over the epochs done (training in raw integers).
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
        What must be equal where it is resumed; JSON values.
    """
    header = json.dumps({"format": FORMAT, "version": VERSION, "identity": identity,
                         "epoch": state.epoch, "rng": state.rng,
                         "test_errors": state.test_errors, "totals": state.totals})
    memory = io.BytesIO()
    np.savez(memory, header=np.frombuffer(header.encode(), np.uint8),
             **{f"weights_{name}": values for name, values in state.weights.items()})
    write_atomically(path, memory.getvalue())


def load_checkpoint(path, identity: dict, network: Network) -> State:
    """Read a checkpoint of the same run.

    Raises
    ------
    MisuseError
        For a file that is missing, damaged or no checkpoint, and for one of another run, naming
        what differs.
    """
    name = os.fspath(path)
    try:
        with open(path, "rb") as file:
            if not zipfile.is_zipfile(file):
                raise ValueError("no archive, or its end is missing")
        with np.load(path, allow_pickle=False) as archive:
            header = json.loads(archive["header"].tobytes())
            if header["format"] != FORMAT:
                raise ValueError(f"its format is {header['format']}")
            if header["version"] != VERSION:
                raise MisuseError(f"checkpoint '{name}' has version {header['version']}, this is "
                                  f"a reader of version {VERSION}")
            weights = {m.name: archive[f"weights_{m.name}"] for m in network.matrices
                       if f"weights_{m.name}" in archive}
            state = State(weights, int(header["epoch"]), header["rng"], header["test_errors"],
                          dict(header.get("totals", {})))
            saved = dict(header["identity"])
    except FileNotFoundError as error:
        raise MisuseError(f"checkpoint '{name}' does not exist") from error
    except MisuseError:
        raise
    except OSError as error:
        raise MisuseError(f"checkpoint '{name}' cannot be read: "
                          f"{(error.strerror or str(error)).lower()}") from error
    except (ValueError, KeyError, TypeError, AttributeError, EOFError, zipfile.BadZipFile,
            zlib.error) as error:
        raise MisuseError(f"'{name}' is not an Apical checkpoint, or it is damaged "
                          f"({' '.join(str(error).split())[:80]})") from error
    for key, value in identity.items():
        if saved.get(key) != value:
            raise MisuseError(f"checkpoint '{name}' is of another run: its {key} is "
                              f"{saved.get(key)}, asked for is {value}")
    network.check_weights(state.weights)
    return state
