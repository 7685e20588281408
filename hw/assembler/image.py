"""Host-port writes that load an assembly, its weights and its inputs into an engine.

Everything is computed for whole arrays: one (addresses, data) pair of uint32 arrays a call, to be
played in order by whatever link reaches the engine.
"""

from __future__ import annotations

import numpy as np

from ...golden.errors import MisuseError
from ...golden.numbers.tables import all_samples
from ..interface.config import TABLE_STRIDE
from ..interface.isa import (
    EVENT,
    REGISTERS,
    Kind,
    Opcode,
    Post,
    Space,
    address,
    decode,
    lane_bits,
)
from .assembler import Assembly


def _joined(parts):
    addresses = np.concatenate([np.asarray(a, np.uint32).ravel() for a, _ in parts])
    data = np.concatenate([np.asarray(d, np.uint32).ravel() for _, d in parts])
    return addresses, data


def _halves(space, words):
    words = np.asarray(words, np.uint64)
    data = np.stack([words & np.uint64(0xFFFFFFFF), words >> np.uint64(32)], axis=1)
    return address(space) + np.arange(2 * len(words)), data


def _lanes(space, base, values):
    """Writes of whole words: `values` has shape (words, lanes)."""
    words, lanes = values.shape
    places = (base + np.arange(words))[:, None] << lane_bits(lanes) | np.arange(lanes)
    return address(space) | places, values & 0xFFFF


def _blocked(values, blocks, lanes):
    """Values along the last axis, zero-padded and split in blocks of lanes."""
    padded = np.zeros((*values.shape[:-1], blocks * lanes), np.int64)
    padded[..., :values.shape[-1]] = values
    return padded.reshape(*values.shape[:-1], blocks, lanes)


def program_writes(assembly: Assembly):
    """Instructions and descriptors, and the tables of the serial table unit where it looks up."""
    return _joined([_halves(Space.PROGRAM, assembly.instructions),
                    _halves(Space.DESCRIPTORS, assembly.descriptors), *written_tables(assembly)])


def written_tables(assembly: Assembly) -> list:
    """The writes of :func:`table_writes` where the program looks up, else none."""
    looks_up = assembly.config.serial_tables and any(
        opcode == Opcode.UNIT and fields["post"] not in (Post.NONE, Post.THRESHOLD)
        for opcode, fields in map(decode, map(int, assembly.instructions)))
    return list(table_writes(assembly.config)) if looks_up else []


def table_writes(config):
    """Samples of the tables as words of the weight memory, one (addresses, data) pair a table."""
    lanes = config.table_lanes
    for number, values in enumerate(all_samples(config.state)):
        words = np.zeros((-(-len(values) // lanes), config.lanes), np.int64)
        words[:, :lanes] = np.resize(values, words.shape[0] * lanes).reshape(-1, lanes)
        yield _lanes(Space.WEIGHTS, config.table_base + number * TABLE_STRIDE // lanes, words)


def weight_words(assembly: Assembly, weights) -> np.ndarray:
    """The weight memory of an assembly.

    Parameters
    ----------
    weights : dict of str to ndarray of int64
        Raw weights by matrix name.

    Returns
    -------
    ndarray of shape (words, lanes), int64
        Padding lanes are 0.
    """
    lanes = assembly.config.width
    memory = np.zeros((assembly.placement.used["weight_depth"], lanes), np.int64)
    placement = assembly.placement
    for name, place in (*placement.matrices.items(), *placement.twins.items()):
        raw = np.asarray(weights[name])
        by_scalar = raw if place.lanes_are_cols else raw.T
        # (scalar, block, lane) -> word base + block * rows + scalar
        words = _blocked(by_scalar, place.blocks, lanes).transpose(1, 0, 2).reshape(-1, lanes)
        memory[place.base:place.base + len(words)] = words
    return memory


def weight_place(assembly: Assembly, matrix: str, row: int, col: int):
    """(word, lane) of one weight."""
    place = assembly.placement.matrices[matrix]
    scalar, along = (row, col) if place.lanes_are_cols else (col, row)
    block, lane = divmod(along, assembly.config.width)
    return place.base + block * place.rows + scalar, lane


def weight_writes(assembly: Assembly, weights):
    """All weights."""
    return _joined([_lanes(Space.WEIGHTS, 0, weight_words(assembly, weights))])


def rate_writes(assembly: Assembly, multipliers):
    """Multipliers of the weight updates.

    Parameters
    ----------
    multipliers : dict of str to int
        By matrix (:func:`apical.golden.executors.fixed.weights.multipliers`).
    """
    parts = [(np.zeros(0, np.uint32), np.zeros(0, np.uint32))]
    for matrix, number in assembly.factors.items():
        word = int(assembly.descriptors[number]) | multipliers[matrix] & 0xFFFF
        parts.append((address(Space.DESCRIPTORS, 2 * number) + np.arange(2),
                      [word & 0xFFFFFFFF, word >> 32]))
    return _joined(parts)


def weights_from(assembly: Assembly, memory) -> dict:
    """Raw weights by matrix from a weight memory: the reverse of :func:`weight_words`.

    Parameters
    ----------
    memory : ndarray of shape (words, lanes), int
        Lanes taken modulo 2**16.
    """
    memory, found = np.asarray(memory, np.int64), {}
    for name, place in assembly.placement.matrices.items():
        words = memory[place.base:place.base + place.blocks * place.rows]
        lanes = words.reshape(place.blocks, place.rows, -1).transpose(1, 0, 2)
        by_scalar = lanes.reshape(place.rows, -1)
        by_scalar = by_scalar[:, :(place.blocks - 1) * memory.shape[1] + place.tail]
        raw = (by_scalar & 0xFFFF ^ 0x8000) - 0x8000
        found[name] = raw if place.lanes_are_cols else raw.T
    return found


def input_writes(assembly: Assembly, inputs, image: int, bank: int, packed=None):
    """The clamped populations of one image, into one input bank.

    Parameters
    ----------
    inputs : dict of str to ndarray of shape (images, n), int
        Raw states.
    image : int
        Row of the arrays.
    bank : int
        0 or 1; banks are used in turn, starting with 0 after reset.  An engine with one input
        bank makes the writes wait until the bank is free.
    packed : callable, optional
        Takes the first vector of events; returns (addresses, data) that say the same in fewer
        bytes, or None.
    """
    parts = [(np.zeros(0, np.uint32), np.zeros(0, np.uint32))]
    config = assembly.config
    bank %= config.input_banks
    for (name, _), place in assembly.placement.vectors.items():
        if not place.banked:
            continue
        if name not in inputs:
            raise MisuseError(f"no input for population '{name}', which program "
                              f"'{assembly.program.name}' reads")
        values = np.asarray(inputs[name][image], np.int64)
        if place.kind == Kind.EVENT:
            start = address(Space.EVENTS, bank * config.event_depth + place.base)
            words = event_words(values)
            shorter = packed(values) if packed is not None and place.base == 0 else None
            parts.append(shorter or (start + np.arange(len(words)), words))
        else:
            words = _blocked(values, place.blocks, config.width)
            parts.append(_lanes(Space.STATE, place.base + bank * place.blocks, words))
    return _joined(parts)


def event_words(values) -> np.ndarray:
    """Event words of one vector: its non-zero values in order, the last one marked."""
    index = np.flatnonzero(values)
    if not index.size:
        index = np.zeros(1, np.int64)
    fields = EVENT.fields
    words = (index << fields["index"].low) | (np.asarray(values)[index] & 0xFFFF)
    words[-1] |= 1 << fields["last"].low
    return words.astype(np.uint32)


def register_write(name: str, value: int):
    """One register."""
    return (np.array([REGISTERS[name].address], np.uint32),
            np.array([value & 0xFFFFFFFF], np.uint32))
