"""Stages of the pipelines: the only table of who looks at what when.

Cycles are counted from stage 0, in which the root sends a beat or a chunk.  Everything from the
root comes to the tiles `hop` cycles later, and so does everything that follows in them: stages are
those of a tile, and what the root itself knows about them is `hop` cycles ahead of it.
"""

from __future__ import annotations

from amaranth.utils import ceil_log2

from ..interface.config import EngineConfig

#: Stage of the unit pipeline at which values of the table unit are written, where those of a plain
#: operation are written at stage 5; the difference holds for every update latency.
LATE_STAGE = 10


def tree_stages(lanes: int) -> int:
    """Register stages of the adder tree of a tile: one a level, at least two.

    Two levels a stage would save cycles, but Yosys makes carry-save adders of them: 770 LUTs more
    for 22 lanes.
    """
    return max(2, ceil_log2(lanes))


class Stages:
    """The table of stages of an engine.

    Attributes
    ----------
    hop : int
        Cycles from the root to a tile, and back.
    levels : int
        Registered levels of what is made of the answers of all tiles: sums, maxima.
    meet : int
        Weights and operand meet (LW).
    product : int
        Products (S); a broadcast sum is complete one cycle later.
    tree : int
        Cycles of the adder tree of a tile (T).
    across : int
        Cycles of the partial sums to the root, through its tree, and back to the tiles (X).
    dot : int
        The sum of all products (D); a dot sum is complete one cycle later.
    move : int
        What is added to a state.
    write, late : int
        A chunk is written; with the table unit (W).
    report : int
        Cycles that the root waits more, because what it asks about comes from the tiles.
    """

    def __init__(self, config: EngineConfig):
        self.hop, self.levels = config.hops, ceil_log2(config.tiles)
        self.meet = config.weight_latency
        self.product = self.meet + config.multiplier_latency
        self.tree = tree_stages(config.lanes)
        self.across = 2 * self.hop + self.levels
        self.dot = self.product + self.tree + self.across
        self.move = 4
        self.write = self.move + config.update_latency
        self.late = self.write - 5 + LATE_STAGE
        self.report = 2 * self.hop + self.levels
