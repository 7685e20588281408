"""Model and program files.

A model file is an ``.npz`` archive: an entry ``header`` (UTF-8 JSON as bytes: format name, version,
network, number formats, program, meta) and an entry ``weights/<matrix>`` for every matrix, so that
``numpy.load`` opens it without this package.  Nothing in it is pickled, and equal models give equal
bytes.  A program file is plain JSON.

Whatever is wrong with a file is told in one line that names the file.
"""

from __future__ import annotations

import contextlib
import io
import json
import math
import os
import types
import typing
import zipfile
import zlib
from dataclasses import MISSING, dataclass, field, fields, is_dataclass
from urllib.parse import quote

import numpy as np

from ..errors import MisuseError
from ..network import Network
from ..numbers.formats import Format, dequantize
from ..program import KINDS, Program
from .atomic import write_atomically

MODEL_FORMAT = "apical-model"
PROGRAM_FORMAT = "apical-program"
VERSION = 1

#: Greatest header that is read; a real one is a few kB.
_HEADER_LIMIT = 1 << 26
#: Room for what precedes the values of an array in its entry.
_ARRAY_HEADER = 1 << 12


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


# Descriptions as JSON

def to_dict(item):
    """JSON-able form of a network, program or operation.

    Dataclasses become dicts whose ``"type"`` is the class name, tuples become lists.
    """
    if is_dataclass(item):
        return {"type": type(item).__name__,
                **{f.name: to_dict(getattr(item, f.name)) for f in fields(item)}}
    if isinstance(item, tuple | list):
        return [to_dict(one) for one in item]
    if isinstance(item, np.generic):
        return item.item()
    return item


def program_from_dict(data) -> Program:
    """Program of the dict that :func:`to_dict` made of it.

    Raises
    ------
    MisuseError
        Naming the operation or field that is unknown, missing or of a wrong type.
    """
    return _decode(data, Program, "program")


def network_from_dict(data) -> Network:
    """Network of the dict that :func:`to_dict` made of it; errors as `program_from_dict`."""
    return _decode(data, Network, "network")


def _decode(data, kind, where):
    """A `kind` from its dict; `kind` None takes any operation."""
    if not isinstance(data, dict) or not isinstance(data.get("type"), str):
        raise MisuseError(f"{where}: not the description of "
                          f"{'an operation' if kind is None else f'a {kind.__name__}'}")
    name = data["type"]
    if kind is None:
        kind = KINDS.get(name)
        if kind is None:
            raise MisuseError(f"{where}: unknown operation '{name}' "
                              f"(known: {', '.join(sorted(KINDS))})")
    elif name != kind.__name__:
        raise MisuseError(f"{where}: a {kind.__name__} was expected, not '{name}'")
    hints = typing.get_type_hints(kind)
    arguments = {}
    for entry in fields(kind):
        if entry.name in data:
            arguments[entry.name] = _value(data[entry.name], hints[entry.name],
                                           f"{where}.{entry.name}")
        elif entry.default is MISSING and entry.default_factory is MISSING:
            raise MisuseError(f"{where}: {name} needs a '{entry.name}'")
    for key in data:
        if key != "type" and key not in arguments:
            raise MisuseError(f"{where}: {name} has no '{key}'")
    return kind(**arguments)


def _value(data, hint, where):
    """A field's value, checked against its annotation."""
    choices = typing.get_args(hint) if isinstance(hint, types.UnionType) else (hint,)
    if data is None and type(None) in choices:
        return None
    for choice in choices:
        if choice is tuple and isinstance(data, list):
            return tuple(_decode(one, None, f"{where}[{i}]") for i, one in enumerate(data))
        if typing.get_origin(choice) is tuple and isinstance(data, list):
            inner = typing.get_args(choice)
            if len(inner) == 2 and inner[1] is Ellipsis:
                inner = inner[:1] * len(data)
            if len(inner) == len(data):
                return tuple(_value(one, kind, f"{where}[{i}]")
                             for i, (one, kind) in enumerate(zip(data, inner, strict=True)))
        if isinstance(choice, type) and is_dataclass(choice):
            return _decode(data, choice, where)
        if choice is float and isinstance(data, int | float) and not isinstance(data, bool):
            return data
        if choice in (int, str, bool) and type(data) is choice:
            return data
    wanted = " or ".join(getattr(choice, "__name__", str(choice)) for choice in choices)
    raise MisuseError(f"{where}: {json.dumps(data)[:40]} is not of type {wanted}")


def _to_json(data, what):
    """Strict JSON text of a dict."""
    try:
        return json.dumps(data, indent=1, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise MisuseError(f"{what} cannot be stored: {error}; "
                          "use texts, finite numbers, lists and dicts") from error


# Program files

def save_program(path, program: Program):
    """Write a program as JSON, atomically."""
    header = {"format": PROGRAM_FORMAT, "version": VERSION, "program": to_dict(program)}
    write_atomically(path, (_to_json(header, f"program '{program.name}'") + "\n").encode())


def load_program(path) -> Program:
    """Read a program that :func:`save_program` wrote.

    Raises
    ------
    MisuseError
        For a file that is not there or not such a file.
    """
    with _reading(path, "program"):
        header = _header(_content(path), PROGRAM_FORMAT, path, "program")
        with _within(path):
            return program_from_dict(header.get("program"))


# Model files

def save_model(path, model: Model):
    """Write a model, atomically; equal models give equal bytes."""
    header = {
        "format": MODEL_FORMAT,
        "version": VERSION,
        "network": to_dict(model.network),
        "formats": None if model.formats is None else [str(fmt) for fmt in model.formats],
        "program": None if model.program is None else to_dict(model.program),
        "meta": model.meta,
    }
    text = _to_json(header, f"model of network '{model.network.name}'")
    memory = io.BytesIO()
    with zipfile.ZipFile(memory, "w", zipfile.ZIP_DEFLATED) as archive:
        _add(archive, "header", np.frombuffer(text.encode(), np.uint8))
        for name, values in model.weights.items():
            _add(archive, _entry(name), values)
    write_atomically(path, memory.getvalue())


def _entry(matrix):
    """Archive entry of a matrix; ordinary names stay as they are."""
    return f"weights/{quote(matrix, safe='')}"


def _add(archive, name, values):
    buffer = io.BytesIO()
    np.lib.format.write_array(buffer, np.ascontiguousarray(values), allow_pickle=False)
    # The default date is the present, which would make every file differ.
    info = zipfile.ZipInfo(name + ".npy", date_time=(1980, 1, 1, 0, 0, 0))
    info.compress_type = zipfile.ZIP_DEFLATED
    archive.writestr(info, buffer.getvalue())


def load_model(path) -> Model:
    """Read a model that :func:`save_model` wrote.

    Raises
    ------
    MisuseError
        For a file that is not there, damaged, foreign, from a newer version, or whose weights do
        not match its network or format.
    """
    # Read whole: a damaged directory of the archive then cannot cause strange file operations.
    with _reading(path, "model"), zipfile.ZipFile(io.BytesIO(_content(path))) as archive:
        if "header.npy" not in archive.namelist():
            raise MisuseError(f"'{path}' is not an Apical model: the archive has no header")
        header = _header(_read(archive, "header", _HEADER_LIMIT).tobytes(), MODEL_FORMAT, path,
                         "model")
        with _within(path):
            network = network_from_dict(header.get("network"))
            program, formats, meta = (header.get(key) for key in ("program", "formats", "meta"))
            if program is not None:
                program = program_from_dict(program)
            if formats is not None:
                formats = _formats(formats)
            if not isinstance(meta, dict):
                raise MisuseError("meta is not a dict")
            weights = {}
            for matrix in network.matrices:
                entry = _entry(matrix.name)
                if entry + ".npy" not in archive.namelist():
                    raise MisuseError(f"weights of matrix '{matrix.name}' are missing")
                weights[matrix.name] = _read(archive, entry, 8 * matrix.rows * matrix.cols)
            known = {"header.npy"} | {_entry(name) + ".npy" for name in weights}
            for name in archive.namelist():
                if name not in known:
                    raise MisuseError(f"unknown entry '{name}'")
            return Model(network, weights, formats, meta, program)


def _content(path):
    with open(path, "rb") as file:
        return file.read()


def _formats(texts):
    if not isinstance(texts, list) or len(texts) != 2 or not all(isinstance(t, str)
                                                                for t in texts):
        raise MisuseError("formats are not the state and the weight format")
    return tuple(Format.parse(text) for text in texts)


def _read(archive, name, limit):
    """Array of an archive entry of at most `limit` bytes of values."""
    size = archive.getinfo(name + ".npy").file_size
    if size > limit + _ARRAY_HEADER:
        raise MisuseError(f"entry '{name}' has {size} bytes, which is more than its shape needs")
    buffer = io.BytesIO(archive.read(name + ".npy"))
    version = np.lib.format.read_magic(buffer)
    read = {(1, 0): np.lib.format.read_array_header_1_0,
            (2, 0): np.lib.format.read_array_header_2_0}.get(version)
    if read is None:
        raise ValueError(f"array version {version} of entry '{name}'")
    shape, _, dtype = read(buffer)
    # Checked before the array is made: a forged shape must not claim memory.
    if dtype.kind not in "iuf" or math.prod(shape) * dtype.itemsize > limit:
        raise MisuseError(f"entry '{name}' holds {shape} values of type {dtype}, "
                          "which is not what the network needs")
    buffer.seek(0)
    return np.lib.format.read_array(buffer, allow_pickle=False)


def _header(data, name, path, what):
    """Header dict of a file, checked for its format name and version."""
    try:
        header = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise MisuseError(f"'{path}' is not an Apical {what}: "
                          "its header is no JSON text") from error
    if not isinstance(header, dict) or header.get("format") != name:
        raise MisuseError(f"'{path}' is not an Apical {what}: its format name is not '{name}'")
    version = header.get("version")
    if type(version) is not int or version < 1:
        raise MisuseError(f"'{path}': version {json.dumps(version)} of the format is no number")
    if version > VERSION:
        raise MisuseError(f"'{path}' has version {version} of the format, this is a reader of "
                          f"version {VERSION}; install a newer apical")
    return header


@contextlib.contextmanager
def _within(path):
    """Name the file in errors about its contents."""
    try:
        yield
    except MisuseError as error:
        raise MisuseError(f"'{path}': {error}") from error


@contextlib.contextmanager
def _reading(path, what):
    """Turn every way of failing to read a file into one line."""
    try:
        yield
    except FileNotFoundError as error:
        raise MisuseError(f"{what} file '{os.fspath(path)}' does not exist") from error
    except IsADirectoryError as error:
        raise MisuseError(f"'{os.fspath(path)}' is a folder, not a {what} file") from error
    except OSError as error:
        raise MisuseError(f"{what} file '{os.fspath(path)}' cannot be read: "
                          f"{(error.strerror or str(error)).lower()}") from error
    except MisuseError:
        raise
    except (zipfile.BadZipFile, zlib.error, EOFError, KeyError, ValueError, RuntimeError,
            NotImplementedError, MemoryError, SyntaxError) as error:
        raise MisuseError(f"'{os.fspath(path)}' is not an Apical {what}, "
                          f"or it is damaged ({_short(error)})") from error


def _short(error):
    return " ".join(str(error).split())[:100] or type(error).__name__
