"""Host-port addresses to read weights and states back: the reverse of `hw.assembler.image`."""

from __future__ import annotations

import numpy as np

from ...golden.errors import MisuseError
from ..interface.isa import Kind, Space, address, lane_bits
from .assembler import Assembly
from .image import weights_from


def word_addresses(space: Space, base: int, words: int, lanes: int) -> np.ndarray:
    """Addresses of all lanes of whole words, in order."""
    places = (base + np.arange(words))[:, None] << lane_bits(lanes) | np.arange(lanes)
    return address(space) | places.ravel()


def weight_addresses(assembly: Assembly) -> np.ndarray:
    """Addresses of the weight memory that an assembly uses."""
    return word_addresses(Space.WEIGHTS, 0, assembly.placement.used["weight_depth"],
                          assembly.config.width)


def weights_read(assembly: Assembly, words) -> dict:
    """Raw weights by matrix from the words at :func:`weight_addresses`."""
    return weights_from(assembly, np.asarray(words).reshape(-1, assembly.config.width))


def state_addresses(assembly: Assembly, population: str, slot: str, bank=0) -> np.ndarray:
    """Addresses of the units of a vector in state memory.

    Raises
    ------
    MisuseError
        For a vector that the program lacks, that is stored as events, or whose words another one
        has taken since.
    """
    place = assembly.placement.vectors.get((population, slot))
    if place is None or place.kind != Kind.STATE:
        raise MisuseError(f"program '{assembly.program.name}' keeps no state '{slot}' of "
                          f"population '{population}' that can be read")
    if (population, slot) in assembly.placement.overwritten:
        raise MisuseError(f"slot '{slot}' of population '{population}' is gone at the end of an "
                          "image: the state memory is too small to keep it; use an engine with "
                          "more words of states")
    base = place.base + (bank * place.blocks if place.banked else 0)
    return word_addresses(Space.STATE, base, place.blocks, assembly.config.width)[:place.size]


def signed(words) -> np.ndarray:
    """Words of 32 bits as signed integers."""
    words = np.asarray(words, np.int64)
    return (words & 0xFFFFFFFF ^ 0x80000000) - 0x80000000
