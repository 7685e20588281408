"""Writing result files: all or nothing, and refused before the long work instead of after it.

Nothing here needs NumPy, so the command line can check its outputs at once.
"""

from __future__ import annotations

import contextlib
import os
import secrets

from ..errors import ApicalError


def write_atomically(path, data: bytes):
    """Write a file beside its final place, flush it to the disk, then rename it.

    A reader sees the old content or the new one, never half of it.  Devices (``/dev/stdout``) are
    written directly: renaming over them would replace them.

    Raises
    ------
    ApicalError
        If the file cannot be written; no part of it remains.
    """
    try:
        if _is_device(path):
            with open(path, "wb") as file:
                file.write(data)
            return
        # Through a link the file it points at is replaced, not the link.
        final = os.path.realpath(path)
        part = _beside(final)
        try:
            with open(part, "xb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            os.replace(part, final)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(part)
            raise
    except BrokenPipeError:
        raise
    except OSError as error:
        raise _refusal(path, error) from error


def check_writable(path):
    """Raise `ApicalError` unless a file can be written at `path`; leaves no file there.

    Commands call this before their long work.  It creates a file beside the final place and removes
    it, because permissions alone are not enough (read-only mounts, the superuser).
    """
    if _is_device(path):
        if not os.access(path, os.W_OK):
            raise ApicalError(f"cannot write '{os.fspath(path)}': permission denied")
        return
    if os.path.isdir(path):
        raise ApicalError(f"cannot write '{os.fspath(path)}': it is a folder; give a file name")
    try:
        with contextlib.suppress(FileNotFoundError):
            os.stat(path)  # refuses names that are too long
        part = _beside(os.path.realpath(path))
        with open(part, "xb"):
            pass
        os.unlink(part)
    except OSError as error:
        raise _refusal(path, error) from error


def _is_device(path):
    """Whether a path names something that renaming would destroy."""
    text = os.path.abspath(path)
    there = os.path.exists(text) and not os.path.isfile(text) and not os.path.isdir(text)
    return there or text.startswith("/dev/")


def _beside(path):
    folder, name = os.path.split(path)
    return os.path.join(folder, f".{name[:200]}.{secrets.token_hex(4)}.part")


def _refusal(path, error):
    path = os.fspath(path)
    folder = os.path.dirname(path)
    if isinstance(error, FileNotFoundError) and not os.path.isdir(folder or "."):
        return ApicalError(f"cannot write '{path}': folder '{folder}' does not exist; create it")
    return ApicalError(f"cannot write '{path}': {(error.strerror or str(error)).lower()}")
