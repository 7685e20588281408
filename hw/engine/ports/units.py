"""Chunks of the unit pipeline."""

from __future__ import annotations

from amaranth.lib import data
from amaranth.lib.wiring import Out, Signature

from ...interface.config import EngineConfig
from ...interface.isa import LANE_BITS
from .sizes import Widths


def one_at_a_time(config: EngineConfig) -> bool:
    """Whether some operations issue one unit a cycle: table look-ups, random words."""
    return (config.smooth or config.noise) and not config.serial_table_unit


def stage_layout(config: EngineConfig):
    """What travels with a chunk: lanes with a unit, first chunk of all, last chunk of its word.

    With a queue of changes, `end` marks the last chunk of all.  Where units may come one at a time,
    `step` says that the last unit of a chunk passes.  There, and where there are several tiles, of
    which one may have no unit, `valid` says that there is a chunk.
    """
    more = {"valid": 1} if one_at_a_time(config) or config.tiles > 1 else {}
    more |= {"step": 1} if one_at_a_time(config) else {}
    more |= {"end": 1} if config.change_depth else {}
    return data.StructLayout({"lanes": config.update_lanes, "first": 1, "turn": 1, **more})


def occupied(stage):
    """Whether a stage holds a chunk."""
    return stage.valid if "valid" in dict(stage.shape()) else stage.lanes[0]


class ChunkSignature(Signature):
    """The chunk that is issued.

    Members
    -------
    issuing : Out(1)
        These addresses count in this cycle.
    stage : Out(`stage_layout`)
        The chunk, as it is in tile 0.
    others : Out
        Lanes with a unit in all other tiles, by tile.
    number, a, b, c : Out
        Its number in the word; words of state a, of state b and of sums.
    """

    def __init__(self, config: EngineConfig):
        widths = Widths(config)
        super().__init__({
            "issuing": Out(1), "stage": Out(stage_layout(config)),
            "others": Out(config.update_lanes * (config.tiles - 1)), "number": Out(LANE_BITS),
            "a": Out(widths.states), "b": Out(widths.states), "c": Out(widths.sums)})
