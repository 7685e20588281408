"""Ports of a tile, written from the side of the root.

What a tile is told comes to every tile in the same cycle, and what they answer comes back in the
same cycle.  Words of lanes never leave a tile.
"""

from __future__ import annotations

from amaranth.hdl import signed
from amaranth.lib.wiring import In, Out, Signature
from amaranth.utils import ceil_log2

from ...interface.config import EngineConfig
from ...interface.isa import INDEX, LANE_BITS, WORD
from .host import CountSignature, LaneSignature
from .operations import UnitSignature
from .projections import DotSignature, ItemSignature, OperandSignature, ScanSignature
from .shared import CrossSignature, LaneWordSignature, ProductSignature, TableSignature
from .sizes import Widths
from .units import ChunkSignature
from .writes import ChangeSignature, SideSignature


class BeatsSignature(Signature):
    """Operand port: beats, and which words they meet.

    Members
    -------
    operand : Out(OperandSignature)
        The beat and its scalar.
    weight : Out
        Weight word of the beat.
    dot : Out(DotSignature)
        State word of a dot beat.
    """

    def __init__(self, config: EngineConfig):
        super().__init__({"operand": Out(OperandSignature(config)),
                          "weight": Out(Widths(config).weights), "dot": Out(DotSignature(config))})


class ItemsSignature(Signature):
    """Item port: the scan of state words for rates, and the items that it finds.

    With several tiles one has the turn to give items: `mine` hands it over, `passed` hands it on.
    """

    def __init__(self, config: EngineConfig):
        turn = {"mine": Out(1), "passed": In(1)} if config.tiles > 1 else {}
        super().__init__({"scan": Out(ScanSignature(config)), "item": In(ItemSignature()), **turn})


class PartialSignature(Signature):
    """Sum port: what the lanes of a tile add up to in dot direction, and what all lanes do."""

    def __init__(self, config: EngineConfig):
        width = signed(min(config.accumulator_width, 2 * WORD + ceil_log2(config.width)))
        super().__init__({"partial": In(width), "total": Out(width)})


class UnitsSignature(Signature):
    """Elementwise operations, and what is found out about their writes.

    Members
    -------
    operation : Out(UnitSignature), chunk : Out(ChunkSignature)
        Operands of what starts; the chunk that is issued.
    key : Out(32)
        Key of what is written.
    draw : Out(1), draw_key : Out(32)
        Begin to draw random words, with that key.
    clear_moved, clear_signature : Out(1)
    moved : In(16), score : In(17), winner : In(16), measuring : In(1)
        Largest |du|; score and unit of the last decision; they are not final yet.
    total : In(32), signing : In(1)
        Sum of the signature; it is not complete.
    states, weights : In(CountSignature)
    changes : In(ChangeSignature)
        Only with a queue of changes.
    """

    def __init__(self, config: EngineConfig):
        more = {"changes": In(ChangeSignature(config))} if config.change_depth else {}
        super().__init__({
            "operation": Out(UnitSignature(config)), "chunk": Out(ChunkSignature(config)),
            "key": Out(32), "draw": Out(1), "draw_key": Out(32), "clear_moved": Out(1),
            "clear_signature": Out(1), "moved": In(WORD), "score": In(WORD + 1),
            "winner": In(INDEX), "measuring": In(1), "total": In(32), "signing": In(1),
            "states": In(CountSignature()), "weights": In(CountSignature()), **more})


class UpdatesSignature(Signature):
    """Weight updates of the pipelined learning unit.

    Members
    -------
    busy, paired, turned, silent : Out(1), first : Out
        An update runs; it has two terms; its lane side are the rows; what it writes has been
        counted and signed before; first unit of the block.
    mix : Out(32)
        What comes out of the mix of numbers in this cycle:
    filled : Out(1), lane : Out
        that of a lane-side unit, of that lane, or
    met : Out(1), place, scalar : Out
        that of an item, whose weight word and number these are.
    limit : Out, enter : Out(1)
        Lanes of the block to come; it begins.
    looks : Out(2)
        The word of the lane side of either term has been read: which units are not 0.
    """

    def __init__(self, config: EngineConfig):
        super().__init__({
            "busy": Out(1), "paired": Out(1), "turned": Out(1), "silent": Out(1),
            "first": Out(INDEX),
            "mix": Out(32), "filled": Out(1), "lane": Out(LANE_BITS + 1), "met": Out(1),
            "place": Out(Widths(config).weights), "scalar": Out(INDEX),
            "limit": Out(LANE_BITS + 1), "enter": Out(1), "looks": Out(2)})


class BorrowSignature(Signature):
    """What the serial learning unit has of the one tile: multiplier, signature, weight word."""

    def __init__(self, config: EngineConfig):
        super().__init__({"product": Out(ProductSignature()), "cross": Out(CrossSignature()),
                          "lanes": Out(LaneWordSignature(config)), "store": Out(1)})


class TileSignature(Signature):
    """All ports of a tile."""

    def __init__(self, config: EngineConfig):
        members = {"beats": Out(BeatsSignature(config)), "items": Out(ItemsSignature(config)),
                   "sums": Out(PartialSignature(config)), "units": Out(UnitsSignature(config)),
                   "states": Out(LaneSignature(config)), "weights": Out(LaneSignature(config))}
        if config.learning:
            members["side"] = Out(SideSignature(config))
        if config.pipelined_learning:
            members["updates"] = Out(UpdatesSignature(config))
        if config.serial_learning:
            members["borrow"] = Out(BorrowSignature(config))
        if config.serial_table_unit:
            members["table"] = Out(TableSignature(config))
        super().__init__(members)
