"""Commands for the player of the bench: one request of a host, or a pause, each.

A command is one 64-bit number; lists of commands are NumPy arrays, made by `write`, `writes`,
`read`, `reads`, `wait`, `match`, `idle`, `quiet` and `reset` and joined by `join`. Nothing here
handles single words in a Python loop.
"""

from pathlib import Path

import numpy as np

from ...golden.errors import MisuseError

WRITE, READ, WAIT, MATCH, IDLE, QUIET, RESET = range(7)


def encode(kind, address=0, data=0):
    """Return an array of commands; the arguments are broadcast against each other."""
    address = np.asarray(address)
    data = np.asarray(data)
    if address.size and (address.min() < 0 or address.max() >= 1 << 24):
        raise MisuseError(f"a host address must fit in 24 bits, got {address.min()} "
                          f"to {address.max()}")
    if data.size and (data.min() < -(1 << 31) or data.max() >= 1 << 32):
        raise MisuseError(f"a host word must fit in 32 bits, got {data.min()} to {data.max()}")
    word = data.astype(np.int64) & 0xFFFFFFFF
    packed = (np.asarray(kind, np.int64) << 60) | (address.astype(np.int64) << 32) | word
    return np.atleast_1d(packed).astype(np.uint64).ravel()


def write(address, data):
    """Return the command that writes one word."""
    return encode(WRITE, address, data)


def writes(addresses, data):
    """Return the commands that write words: to a first address and on, or to given addresses."""
    data = np.ravel(data)
    addresses = np.asarray(addresses)
    if addresses.ndim == 0:
        addresses = addresses + np.arange(data.size)
    elif addresses.shape != data.shape:
        raise MisuseError(f"{addresses.size} addresses for {data.size} words")
    return encode(WRITE, addresses, data)


def read(address):
    """Return the command that reads one word."""
    return encode(READ, address)


def reads(addresses, count=None):
    """Return the commands that read words: ``count`` from a first address, or given addresses."""
    addresses = np.asarray(addresses)
    return encode(READ, addresses if count is None else addresses + np.arange(count))


def wait(address, least):
    """Return the command that polls until the word at ``address`` is ``least`` or more."""
    return encode(WAIT, address, least)


def match(address, data):
    """Return the command that polls until the word at ``address`` is ``data``."""
    return encode(MATCH, address, data)


def idle(cycles):
    """Return the command that lets cycles pass."""
    return encode(IDLE, 0, cycles)


def quiet(cycles=4):
    """Return the command that lets cycles pass, then waits until the engine is not busy."""
    return encode(QUIET, 0, cycles)


def reset(cycles=2):
    """Return the command that resets the design."""
    return encode(RESET, 0, cycles)


def join(*lists):
    """Return one list of commands made of several."""
    return np.concatenate([np.asarray(part, np.uint64) for part in lists] or [encode(IDLE, 0, 1)])


def save_commands(path, words):
    """Write a list of commands as the player reads it."""
    Path(path).write_bytes(np.asarray(words, np.uint64).astype(">u8").tobytes())


def describe(word):
    """Return a command in words, for messages."""
    word = int(word)
    kind, address, data = word >> 60, word >> 32 & 0xFFFFFF, word & 0xFFFFFFFF
    names = ("write", "read", "wait", "match", "idle", "quiet", "reset")
    name = names[kind] if kind < len(names) else f"kind {kind}"
    if kind in (IDLE, QUIET, RESET):
        return f"{name} {data}"
    return f"{name} {address:#x}" if kind == READ else f"{name} {address:#x}, {data:#x}"
