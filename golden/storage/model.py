"""Model and program files.

A model file is an archive (:mod:`~apical.golden.storage.archive`): its header has the network,
number formats, program and meta, and an entry ``weights/<matrix>`` has the weights of each matrix.
A program file is plain JSON.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from urllib.parse import quote

import numpy as np

from ..errors import MisuseError
from ..network import Network
from ..numbers.formats import Format, dequantize
from ..program import Program
from .archive import check_header, content, open_archive, reading, within, write_archive
from .atomic import write_atomically
from .description import json_text, network_from_dict, program_from_dict, to_dict

MODEL_FORMAT = "apical-model"
PROGRAM_FORMAT = "apical-program"
VERSION = 1


@dataclass(frozen=True, eq=False)
class Model:
    """A network with its weights, in floating point or quantized.

    Parameters
    ----------
    network : Network
    weights : dict of str to ndarray
        By matrix name: float64 real values; int64 raw values of the weight format when `formats`
        is given.
    formats : (Format, Format) or None
        State and weight format of a quantized model.
    meta : dict
        Anything JSON holds: where the weights come from, errors reached.
    program : Program or None
        The algorithm the model is meant to run.

    Raises
    ------
    MisuseError
        For weights that are missing, unknown, of a wrong shape, not finite or outside the format,
        and for a program that does not match the network.
    """

    network: Network
    weights: dict
    formats: tuple[Format, Format] | None = None
    meta: dict = field(default_factory=dict)
    program: Program | None = None

    def __post_init__(self):
        self.network.check_weights(self.weights)
        known = [matrix.name for matrix in self.network.matrices]
        for name in self.weights:
            if name not in known:
                raise MisuseError(f"weights of matrix '{name}', which network "
                                  f"'{self.network.name}' does not have "
                                  f"(it has: {', '.join(known) or 'none'})")
        if self.formats is None:
            weights = {name: np.array(self.weights[name], np.float64) for name in known}
        else:
            object.__setattr__(self, "formats", tuple(self.formats))
            weights = {name: _raw(name, self.weights[name], self.formats[1]) for name in known}
        object.__setattr__(self, "weights", weights)
        object.__setattr__(self, "meta", dict(self.meta))
        if self.program is not None:
            self.program.check(self.network)

    @property
    def quantized(self) -> bool:
        """Whether the weights are raw values."""
        return self.formats is not None

    def real_weights(self):
        """Weights as real numbers: dict of float64 arrays by matrix name."""
        if not self.quantized:
            return {name: values.copy() for name, values in self.weights.items()}
        return {name: dequantize(raw, self.formats[1]) for name, raw in self.weights.items()}


def _raw(name, values, fmt):
    """Check raw weights and return them as int64."""
    values = np.asarray(values)
    if values.dtype.kind not in "iuf":
        raise MisuseError(f"raw weights of matrix '{name}' have type {values.dtype}; "
                          "raw values are integers")
    outside = (values < fmt.min) | (values > fmt.max) | (values != np.floor(values))
    if outside.any():
        at = tuple(int(i) for i in np.argwhere(outside)[0])
        raise MisuseError(f"raw weight {name}{list(at)} is {values[at]}, which is no value of "
                          f"format {fmt} ({fmt.min}..{fmt.max})")
    return values.astype(np.int64)


def save_program(path, program: Program):
    """Write a program as JSON, all or nothing."""
    header = {"format": PROGRAM_FORMAT, "version": VERSION, "program": to_dict(program)}
    write_atomically(path, (json_text(header, f"program '{program.name}'") + "\n").encode())


def load_program(path) -> Program:
    """Read a program that :func:`save_program` wrote.

    Raises
    ------
    MisuseError
        For a file that is missing or is no such file.
    """
    with reading(path, "program"):
        header = check_header(content(path), path, "program", PROGRAM_FORMAT, VERSION)
        with within(path):
            return program_from_dict(header.get("program"))


def save_model(path, model: Model):
    """Write a model, all or nothing; equal models give equal bytes."""
    header = {
        "format": MODEL_FORMAT,
        "version": VERSION,
        "network": to_dict(model.network),
        "formats": None if model.formats is None else [str(fmt) for fmt in model.formats],
        "program": None if model.program is None else to_dict(model.program),
        "meta": model.meta,
    }
    write_archive(path, json_text(header, f"model of network '{model.network.name}'"),
                  {_entry(name): values for name, values in model.weights.items()})


def load_model(path) -> Model:
    """Read a model that :func:`save_model` wrote.

    Raises
    ------
    MisuseError
        For a file that is missing, damaged, foreign, from a newer version, or whose weights do
        not match its network or format.
    """
    with open_archive(path, "model", MODEL_FORMAT, VERSION) as archive:
        network = network_from_dict(archive.header.get("network"))
        program, formats, meta = (archive.header.get(key) for key in ("program", "formats", "meta"))
        if program is not None:
            program = program_from_dict(program)
        if formats is not None:
            formats = _formats(formats)
        if not isinstance(meta, dict):
            raise MisuseError("meta is not a dict")
        weights = {}
        for matrix in network.matrices:
            entry = _entry(matrix.name)
            if entry not in archive.names:
                raise MisuseError(f"weights of matrix '{matrix.name}' are missing")
            weights[matrix.name] = archive.array(entry, matrix.rows * matrix.cols)
        known = {_entry(name) for name in weights}
        for name in archive.names:
            if name not in known:
                raise MisuseError(f"unknown entry '{name}'")
        return Model(network, weights, formats, meta, program)


def _entry(matrix):
    """Archive entry of a matrix; ordinary names stay as they are."""
    return f"weights/{quote(matrix, safe='')}"


def _formats(texts):
    """State and weight format from their names."""
    if (not isinstance(texts, list) or len(texts) != 2
            or not all(isinstance(text, str) for text in texts)):
        raise MisuseError("formats are not the state and the weight format")
    return tuple(Format.parse(text) for text in texts)
