"""What sub-commands share: argument types, tables, JSON reports.  Imports nothing heavy."""

from __future__ import annotations

import argparse
import contextlib
import json
import math
import os
import re
import sys

from ..golden.errors import MisuseError
from ..golden.storage.atomic import check_writable, write_atomically

__all__ = ["argument", "check_writable", "number", "parse_layers", "reserve_stdout", "say",
           "show_epoch", "table", "whole", "whole_number", "write_json"]

#: Most units a layer can have (addresses have 16 bits).
MAX_UNITS = 65535


def argument(parse):
    """Turn a parser that raises `MisuseError` into an argparse ``type`` that keeps its message."""
    def convert(text):
        try:
            return parse(text)
        except MisuseError as error:
            raise argparse.ArgumentTypeError(str(error)) from error
    return convert


def whole_number(text) -> int:
    """Whole number in the digits 0..9, with or without a sign.

    `int` would also take digits of other scripts, underscores and spaces.

    Raises
    ------
    MisuseError
    """
    if re.fullmatch(r"[+-]?[0-9]{1,4000}", text) is None:  # Python converts 4300 digits at most
        raise MisuseError(f"'{text}' is not a whole number")
    return int(text)


def number(text) -> float:
    """Number such as ``0.5`` or ``1e-3``, in the digits 0..9.

    Raises
    ------
    MisuseError
    """
    try:
        if text.isascii() and "_" not in text:
            return float(text)
    except ValueError:
        pass
    raise MisuseError(f"'{text}' is not a number")


def whole(name, low, high):
    """Parser of a whole number in a range, with an error that says so."""
    def parse(text):
        try:
            value = whole_number(text)
        except MisuseError as error:
            raise MisuseError(f"{name} {error}") from None
        if not low <= value <= high:
            raise MisuseError(f"{name} is {value}; it goes from {low} to {high}")
        return value
    return parse


def say(text):
    """Print a line about what goes on, where it does not disturb the result."""
    print(text, file=sys.stderr, flush=True)


def show_epoch(report):
    """Rewrite the progress line of a training; the argument of its `progress`."""
    print(f"\repoch {report.epoch} of {report.epochs}: test error "
          f"{100 * report.test_error:.2f} %, {report.images_per_second:.0f} images/s ",
          end="" if report.epoch < report.epochs else "\n", file=sys.stderr, flush=True)


def parse_layers(text):
    """Layer sizes of a text such as ``64-32-10``.

    Returns
    -------
    tuple of int
        Two layers or more, 1..65535 units each.

    Raises
    ------
    MisuseError
        Naming the part that is wrong.
    """
    # A dash after a dash is a sign: "64--3-10" has the part "-3", "64-32-" an empty one.
    parts = re.split(r"(?<=[^-])-", text.strip())
    for part in parts:
        if part == "":
            raise MisuseError(f"layers '{text}' have an empty part; write them as 64-32-10")
        digits = part.removeprefix("-")
        if not (digits.isascii() and digits.isdigit()):
            raise MisuseError(f"layer '{part}' of '{text}' is not a whole number; "
                              "write layers as 64-32-10")
        if part.startswith("-") or int(digits[:20]) == 0:
            raise MisuseError(f"layer '{part}' of '{text}' is not positive; "
                              "every layer needs a unit at least")
        if len(digits) > 9 or int(digits) > MAX_UNITS:
            raise MisuseError(f"layer '{part}' of '{text}' is too large; "
                              f"a layer has at most {MAX_UNITS} units")
    if len(parts) < 2:
        raise MisuseError(f"layers '{text}' are too few; an input and an output layer are needed, "
                          "for example 64-32-10")
    return tuple(map(int, parts))


@contextlib.contextmanager
def reserve_stdout(*paths):
    """Send what is printed for people to stderr, if one of the paths is the standard output.

    ``--json /dev/stdout`` then has nothing but JSON on that stream.
    """
    if any(path is not None and _is_stdout(path) for path in paths):
        with contextlib.redirect_stdout(sys.stderr):
            yield
    else:
        yield


def _is_stdout(path):
    try:
        # A descriptor, not the Python stream: a test may have put another in its place.
        return os.path.samestat(os.stat(path), os.fstat(1))
    except OSError:
        return False


def table(headers, rows):
    """Aligned text table; columns of numbers are set to the right.

    Parameters
    ----------
    headers : sequence of str
    rows : sequence of sequences
        Cells; floats are shown with 6 digits, None as nothing.

    Returns
    -------
    str
        Lines without a newline at the end.
    """
    cells = [[_cell(value) for value in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(headers, *cells, strict=True)]
    right = [bool(rows) and all(_is_number(row[i]) for row in rows) for i in range(len(headers))]
    lines = [headers, ["-" * width for width in widths], *cells]
    return "\n".join(
        "  ".join(text.rjust(width) if end else text.ljust(width)
                  for text, width, end in zip(line, widths, right, strict=True)).rstrip()
        for line in lines)


def _is_number(value):
    return value is None or isinstance(value, int | float) and not isinstance(value, bool)


def _cell(value):
    if value is None:
        return ""
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def write_json(path, data):
    """Write a report as JSON, atomically.

    NumPy scalars and arrays become numbers and lists; NaN and infinity become null, since JSON
    has no other word for them.
    """
    text = json.dumps(_plain(data), indent=2, allow_nan=False) + "\n"
    write_atomically(path, text.encode())


def _plain(data):
    if isinstance(data, dict):
        return {str(key): _plain(value) for key, value in data.items()}
    if isinstance(data, list | tuple):
        return [_plain(value) for value in data]
    if hasattr(data, "tolist"):
        return _plain(data.tolist())
    if isinstance(data, float):
        return data if math.isfinite(data) else None
    if data is None or isinstance(data, str | int):
        return data
    return str(data)
