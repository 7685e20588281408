"""Networks and programs as JSON: dataclasses to dicts, and dicts checked back into dataclasses."""

from __future__ import annotations

import json
import types
import typing
from dataclasses import MISSING, fields, is_dataclass

import numpy as np

from ..errors import MisuseError
from ..network import Network
from ..program import KINDS, Program


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
    """Program from the dict that :func:`to_dict` makes.

    Raises
    ------
    MisuseError
        Naming the operation or field that is unknown, missing or of a wrong type.
    """
    return _decode(data, Program, "program")


def network_from_dict(data) -> Network:
    """Network from the dict that :func:`to_dict` makes; errors as in `program_from_dict`."""
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


def json_text(data, what) -> str:
    """Strict JSON text of a dict.

    Raises
    ------
    MisuseError
        Naming `what`, when JSON has no word for a value.
    """
    try:
        return json.dumps(data, indent=1, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise MisuseError(f"{what} cannot be stored: {error}; "
                          "use texts, finite numbers, lists and dicts") from error
