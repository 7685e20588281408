"""Archives: named arrays and a JSON header in one ``.npz`` file, read without trusting it.

``numpy.load`` opens such a file without this package: the header is an array of bytes (UTF-8 JSON).
Nothing is pickled, and equal contents give equal bytes.  Whatever is wrong with a file is reported
in one line that names the file.
"""

from __future__ import annotations

import contextlib
import io
import json
import math
import os
import zipfile
import zlib

import numpy as np

from ..errors import MisuseError
from .atomic import write_atomically

#: Largest header that is read, in bytes; a real one has a few thousand.
_HEADER_LIMIT = 1 << 26
#: Room for what precedes the values of an array in its entry, in bytes.
_ARRAY_HEADER = 1 << 12


def write_archive(path, header: str, arrays: dict, compressed=True):
    """Write an archive, all or nothing.

    Parameters
    ----------
    path : path-like
    header : str
        JSON text.
    arrays : dict of str to ndarray
        By entry name, written in this order.
    compressed : bool
        Whether entries are deflated.
    """
    memory = io.BytesIO()
    method = zipfile.ZIP_DEFLATED if compressed else zipfile.ZIP_STORED
    with zipfile.ZipFile(memory, "w", method) as archive:
        for name, values in {"header": np.frombuffer(header.encode(), np.uint8), **arrays}.items():
            buffer = io.BytesIO()
            np.lib.format.write_array(buffer, np.ascontiguousarray(values), allow_pickle=False)
            # The default date is the present, which would make every file differ.
            info = zipfile.ZipInfo(name + ".npy", date_time=(1980, 1, 1, 0, 0, 0))
            info.compress_type = method
            archive.writestr(info, buffer.getvalue())
    write_atomically(path, memory.getvalue())


class Archive:
    """An archive that is open for reading; :func:`open_archive` makes it.

    Attributes
    ----------
    header : dict
        Checked for its format name and version only.
    names : list of str
        Entries other than the header.
    """

    def __init__(self, archive, header, names):
        self._archive = archive
        self.header = header
        self.names = names

    def array(self, name, size):
        """Array of an entry.

        Parameters
        ----------
        name : str
        size : int
            Values it has at most, of 8 bytes each.

        Returns
        -------
        ndarray
            Of integers or floats.

        Raises
        ------
        MisuseError
            When it is larger than that, or of another type.
        """
        return _read(self._archive, name, 8 * size)


@contextlib.contextmanager
def open_archive(path, what, format_name, version):
    """Open an archive that :func:`write_archive` wrote; a context manager that gives an `Archive`.

    Parameters
    ----------
    path : path-like
    what : str
        For messages: ``"model"``.
    format_name : str
        The header's ``"format"`` must be equal.
    version : int
        The header's ``"version"`` must be no newer.

    Raises
    ------
    MisuseError
        For a file that is missing, damaged, foreign or from a newer version.  Errors that are
        raised while it is open become a `MisuseError` that names the file.
    """
    # Read whole: a damaged directory of the archive then cannot cause strange file operations.
    with reading(path, what), zipfile.ZipFile(io.BytesIO(content(path))) as archive:
        names = archive.namelist()
        if "header.npy" not in names:
            raise MisuseError(f"'{os.fspath(path)}' is not an Apical {what}: "
                              "the archive has no header")
        header = check_header(_read(archive, "header", _HEADER_LIMIT).tobytes(), path, what,
                              format_name, version)
        with within(path):
            yield Archive(archive, header,
                          [name.removesuffix(".npy") for name in names if name != "header.npy"])


def _read(archive, name, limit):
    """Array of an entry that has at most `limit` bytes of values."""
    size = archive.getinfo(name + ".npy").file_size
    if size > limit + _ARRAY_HEADER:
        raise MisuseError(f"entry '{name}' has {size} bytes, more than its shape needs")
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


def content(path) -> bytes:
    """Content of a file."""
    with open(path, "rb") as file:
        return file.read()


def check_header(data, path, what, format_name, version) -> dict:
    """Header of a file, checked for its format name and version.

    Parameters
    ----------
    data : bytes
        JSON text.
    path, what, format_name, version
        As for :func:`open_archive`.
    """
    path = os.fspath(path)
    try:
        header = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise MisuseError(f"'{path}' is not an Apical {what}: its header is not JSON") from error
    if not isinstance(header, dict) or header.get("format") != format_name:
        raise MisuseError(f"'{path}' is not an Apical {what}: "
                          f"its format name is not '{format_name}'")
    found = header.get("version")
    if type(found) is not int or found < 1:
        raise MisuseError(f"'{path}': version {json.dumps(found)} of the format is not a number "
                          "from 1 on")
    if found > version:
        raise MisuseError(f"'{path}' has version {found} of the format, this apical reads up to "
                          f"version {version}; install a newer apical")
    return header


@contextlib.contextmanager
def within(path):
    """Name the file in errors about its contents."""
    try:
        yield
    except MisuseError as error:
        raise MisuseError(f"'{os.fspath(path)}': {error}") from error


@contextlib.contextmanager
def reading(path, what):
    """Turn every way of failing to read a file into one line."""
    path = os.fspath(path)
    try:
        yield
    except MisuseError:
        raise
    except FileNotFoundError as error:
        raise MisuseError(f"{what} file '{path}' does not exist") from error
    except IsADirectoryError as error:
        raise MisuseError(f"'{path}' is a folder, not a {what} file") from error
    except OSError as error:
        raise MisuseError(f"{what} file '{path}' cannot be read: "
                          f"{(error.strerror or str(error)).lower()}") from error
    except (zipfile.BadZipFile, zlib.error, EOFError, AttributeError, KeyError, TypeError,
            ValueError, RuntimeError, NotImplementedError, MemoryError, SyntaxError) as error:
        short = " ".join(str(error).split())[:100] or type(error).__name__
        raise MisuseError(f"'{path}' is not an Apical {what}, "
                          f"or it is damaged ({short})") from error
