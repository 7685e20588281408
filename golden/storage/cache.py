"""The cache of this user: simulators, Verilog, default weights and compiled code.

Everything in it can be made again. It is stored in the cache folder of the platform (on Linux
``~/.cache/apical``), or in the folder that the environment variable APICAL_CACHE names, so that all
working folders share it. An entry appears under its name in one step, when it is complete; one
process makes it, others that want it wait. Nothing here needs NumPy.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ..errors import ApicalError, MisuseError

try:
    import fcntl
except ImportError:  # not POSIX: two processes may both make an entry, one of them wins
    fcntl = None

#: Environment variable that names another folder.
VARIABLE = "APICAL_CACHE"

#: Kind of entry, which is the name of its folder -> what it is for.
KINDS = {
    "simulators": "engines compiled for simulation",
    "verilog": "Verilog of engines and netlists",
    "weights": "default weights of networks",
    "compiled": "machine code of the compiled executor",
    "runs": "logs and wave files of simulations",
}

#: Endings of what is no entry: locks, and the log of a build that failed.
_LOCK, _FAILED = ".lock", ".failed"


@dataclass(frozen=True)
class Entry:
    """One thing that is kept.

    Attributes
    ----------
    kind : str
        Key of `KINDS`.
    path : Path
        File or folder.
    size : int
        Bytes.
    used : float
        Time of the last use, seconds since the epoch.
    """

    kind: str
    path: Path
    size: int
    used: float


def root(within=None) -> Path:
    """The folder of the whole cache, which need not exist: `within`, or that of the user."""
    named = within or os.environ.get(VARIABLE)
    if named:
        return Path(named).expanduser().absolute()
    from platformdirs import user_cache_path

    return user_cache_path("apical", appauthor=False)


def folder(kind: str, within=None) -> Path:
    """The folder of one kind of entries, made if it does not exist.

    Parameters
    ----------
    kind : str
        Key of `KINDS`.
    within : path, optional
        Another cache than that of the user.

    Raises
    ------
    ApicalError
        When it cannot be made.
    """
    path = root(within) / kind
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise refusal(path, error) from error
    return path


def refusal(path, error) -> ApicalError:
    """The error that says that the cache cannot be written, and what to do."""
    return ApicalError(f"cannot write the cache '{os.fspath(path)}': "
                       f"{(error.strerror or str(error)).lower()}; name another folder with the "
                       f"environment variable {VARIABLE}")


@contextlib.contextmanager
def exclusive(path: Path) -> Iterator[None]:
    """Let one process at a time make the entry `path`; others wait here, then look again.

    The lock ends with the process that holds it, whatever ends that.

    Raises
    ------
    ApicalError
        When the folder of the entry cannot be written.
    """
    lock = path.with_name(f".{path.name}{_LOCK}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = _locked(lock)
    except OSError as error:
        raise refusal(path.parent, error) from error
    try:
        yield
    finally:
        # Removed while it is locked: whoever waited for it sees that it is gone.
        with contextlib.suppress(OSError):
            lock.unlink()
        os.close(handle)


def _locked(lock):
    while True:
        handle = os.open(lock, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            if fcntl is not None:
                fcntl.flock(handle, fcntl.LOCK_EX)
            if os.fstat(handle).st_ino == lock.stat().st_ino:
                return handle
        except FileNotFoundError:
            pass
        except BaseException:
            os.close(handle)
            raise
        os.close(handle)


def make_once(path: Path, fill, mark: str, making=lambda: None) -> bool:
    """Make a folder of the cache unless it is there; as :func:`publish`, one process at a time.

    Parameters
    ----------
    making : callable
        Called when it must be made, before that.

    Returns
    -------
    bool
        Whether it was there.
    """
    if not (path / mark).is_file():
        with exclusive(path):
            if not (path / mark).is_file():
                making()
                publish(path, fill, mark)
                return False
    used(path)
    return True


def publish(path: Path, fill, mark: str):
    """Let ``fill(temporary)`` write a folder beside `path`; give it that name when it is complete.

    Parameters
    ----------
    path : Path
    fill : callable
        Writes the folder; an `ApicalError` of it names files there.
    mark : str
        File that a complete entry has.

    Raises
    ------
    ApicalError
        That of `fill`; what it has written is kept as ``PATH.failed``.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=f".{path.name}-", dir=path.parent))
    # mkdtemp makes folders for one user only; a cache may be shared.
    temporary.chmod(0o755)
    try:
        fill(temporary)
        try:
            temporary.rename(path)
        except OSError:
            # Another process was faster: its entry is as good as this one.
            if not (path / mark).is_file():
                raise
    except ApicalError as error:
        kept = path.with_name(path.name + _FAILED)
        shutil.rmtree(kept, ignore_errors=True)
        temporary.rename(kept)
        raise ApicalError(str(error).replace(str(temporary), str(kept))) from None
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def used(path: Path):
    """Note that an entry is used now, where that can be written."""
    with contextlib.suppress(OSError):
        os.utime(path)


def entries(kind: str | None = None) -> list[Entry]:
    """What is kept, by kind and then by name.

    Raises
    ------
    MisuseError
        For an unknown kind.
    """
    found = []
    for name in _kinds(kind):
        with contextlib.suppress(FileNotFoundError):
            for path in sorted((root() / name).iterdir()):
                if path.name.endswith(_LOCK):
                    continue
                with contextlib.suppress(FileNotFoundError):  # cleared by another process
                    found.append(Entry(name, path, _size(path), path.stat().st_mtime))
    return found


def clear(kind: str | None = None) -> list[Entry]:
    """Remove what is kept and return it; without a kind, everything.

    Folders that an entry is being made in stay. A simulation that runs goes on.

    Raises
    ------
    MisuseError
        For an unknown kind.
    ApicalError
        For an entry that cannot be removed.
    """
    removed = []
    for entry in entries(kind):
        if _in_work(entry):
            continue
        try:
            if entry.path.is_dir():
                # Renamed first: nobody meets half an entry.
                gone = Path(tempfile.mkdtemp(prefix=".gone-", dir=entry.path.parent))
                entry.path.rename(gone / "x")
                shutil.rmtree(gone)
            else:
                entry.path.unlink()
        except FileNotFoundError:
            continue
        except OSError as error:
            raise refusal(entry.path, error) from error
        removed.append(entry)
    return removed


def _in_work(entry):
    """Whether something is probably being made there: a folder of a process of today."""
    hidden = entry.path.name.startswith(".") or entry.kind == "runs"
    return hidden and entry.path.is_dir() and time.time() - entry.used < 24 * 3600


def _kinds(kind):
    if kind is None:
        return tuple(KINDS)
    if kind not in KINDS:
        raise MisuseError(f"unknown kind '{kind}' of cache entries; known: {', '.join(KINDS)}")
    return (kind,)


def _size(path):
    if not path.is_dir():
        return path.stat().st_size
    total = 0
    for inner in path.rglob("*"):
        with contextlib.suppress(FileNotFoundError):
            if inner.is_file() and not inner.is_symlink():
                total += inner.stat().st_size
    return total
