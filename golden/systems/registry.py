"""The registry of systems: records found in this package, registered, or of other packages.

Records of this package are found by importing its modules, so a new system is a new file and
nothing else.  Other packages bring systems in three ways: :func:`register`, the name
``package.module:NAME`` wherever a system is named, and entry points of the group `apical.systems`.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import pkgutil

from ..errors import MisuseError
from .system import System

#: Group of entry points, each ``name = package.module:RECORD``.
GROUP = "apical.systems"

_records: dict[str, System] = {}
_broken: dict[str, str] = {}
_scanned = False


def register(record: System) -> System:
    """Add a system for this process; returns it.

    Raises
    ------
    MisuseError
        For what is no `System`, and for a name that another system has.
    """
    if not isinstance(record, System):
        raise MisuseError(f"{record!r} is no System; see apical.golden.systems.system")
    _scan()
    return _add(record)


def _add(record):
    for other in _records.values():
        if other is not record and (record.name in (other.name, other.rule)
                                    or record.rule == other.name):
            raise MisuseError(f"there is a system '{other.name}' already; choose another name "
                              f"than '{record.name}'")
    _records[record.name] = record
    return record


def _by_rule(name):
    return next((record for record in _records.values() if record.rule == name), None)


def _scan():
    """Collect the records of this package's modules, then those of entry points."""
    global _scanned
    if _scanned:
        return
    _scanned = True
    package = importlib.import_module(__package__)
    for module in pkgutil.iter_modules(package.__path__):
        found = vars(importlib.import_module(f"{__package__}.{module.name}"))
        for record in list(found.values()):
            if isinstance(record, System):
                _add(record)
    for entry in importlib.metadata.entry_points(group=GROUP):
        try:
            record = entry.load()
            if not isinstance(record, System):
                raise MisuseError(f"{entry.value} is no System")
            _add(record)
        except Exception as error:  # a foreign package may fail in any way
            _broken[entry.name] = f"{type(error).__name__}: {error}"


def systems() -> dict[str, System]:
    """All systems, by name, in the order of their names."""
    _scan()
    return {name: _records[name] for name in sorted(_records)}


def names() -> list[str]:
    """Every name of a system, in order: names of records, and of the rules that variants share."""
    return sorted({name for record in systems().values() for name in (record.name, record.rule)})


def system(name: str) -> System:
    """The system of a name, a rule, or ``package.module:NAME``.

    Raises
    ------
    MisuseError
        For an unknown name, listing the known ones, and for a module that cannot be imported.
    """
    return _find(name, "system", names)


def _find(name, what, known):
    _scan()
    if name in _records:
        return _records[name]
    if ":" in name:
        return _from_outside(name)
    found = _by_rule(name)
    if found is not None:
        return found
    if name in _broken:
        raise MisuseError(f"system '{name}' of another package cannot be loaded "
                          f"({_broken[name]}); repair or uninstall that package")
    raise MisuseError(f"unknown {what} '{name}'; known: {', '.join(known())}; of another package: "
                      "package.module:NAME")


def _from_outside(name):
    path, _, attribute = name.partition(":")
    try:
        module = importlib.import_module(path)
    except (ImportError, ValueError) as error:
        raise MisuseError(f"system '{name}': module '{path}' cannot be imported ({error}); is its "
                          "folder on PYTHONPATH?") from error
    record = getattr(module, attribute, None)
    if not isinstance(record, System):
        what = "has no" if record is None else "has no System"
        raise MisuseError(f"system '{name}': module '{path}' {what} '{attribute}'")
    return register(record)


def trainer(name: str) -> System:
    """A system, or a reference that is trained like one: ``"backprop"``.

    Raises
    ------
    MisuseError
        For an unknown name.
    """
    from ..references.backpropagation import REFERENCES

    if name in REFERENCES:
        return REFERENCES[name]
    return _find(name, "rule", trainer_names)


def trainer_names() -> list[str]:
    """Names that :func:`trainer` takes and that learn, in order."""
    from ..references.backpropagation import REFERENCES

    learning = [name for name in names() if system(name).learns]
    return sorted([*learning, *REFERENCES])
