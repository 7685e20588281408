"""Widths and flat names of interfaces."""

from __future__ import annotations

from types import SimpleNamespace

from amaranth.lib.wiring import Signature
from amaranth.utils import ceil_log2

from ...interface.config import EngineConfig
from ...interface.isa import WORD


def address_bits(depth: int) -> int:
    """Bits of an address of `depth` words, at least 1."""
    return max(1, ceil_log2(depth))


class Widths:
    """Widths of addresses and words that follow from a configuration.

    Attributes
    ----------
    states, sums, weights, events : int
        Bits of an address in these memories.
    sides : int
        Bits of the words that are counted with the blocks of a matrix: sums, or both sides of an
        update by the serial learning unit.
    targets : int
        Bits of an address of states or sums.
    word, chunk, sum_word, sum_chunk : int
        Bits of P and of Q values, and of as many sums.
    """

    def __init__(self, config: EngineConfig):
        self.states = address_bits(config.state_depth)
        self.sums = address_bits(config.accumulator_depth)
        self.weights = address_bits(config.weight_words)
        self.events = address_bits(config.input_banks * config.event_depth)
        self.targets = max(self.states, self.sums)
        self.sides = self.targets if config.serial_learning else self.sums
        self.word, self.chunk = WORD * config.lanes, WORD * config.update_lanes
        self.sum_word = config.accumulator_width * config.lanes
        self.sum_chunk = config.accumulator_width * config.update_lanes


def flat_members(prefix: str, signature: Signature) -> dict:
    """Members of a component that make up an interface, named ``prefix_member``.

    Nested interfaces give ports with two underscores; these names are part of the product.
    """
    return {f"{prefix}_{name}": member for name, member in signature.members.items()}


def flat_view(component, prefix: str, signature: Signature):
    """The interface that :func:`flat_members` of a component make up."""
    return SimpleNamespace(signature=signature, **{
        name: getattr(component, f"{prefix}_{name}") for name in signature.members})
