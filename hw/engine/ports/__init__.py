"""Interfaces between the components of the engine: who drives what, with which width.

Each signature is written from the side that asks or drives (its ``Out`` members are driven there);
the other side declares the same signature as ``In``.  :func:`amaranth.lib.wiring.connect` then
joins the members by name.
"""

from __future__ import annotations

from .host import (
    CodeAccessSignature,
    CountSignature,
    HostSignature,
    LaneAccessSignature,
    LaneSignature,
    RegisterSignature,
    RunSignature,
)
from .memories import (
    ChunkReadSignature,
    ChunkSelectSignature,
    ChunkWriteSignature,
    ReadSignature,
    WriteSignature,
)
from .operations import (
    LearnSignature,
    OperationSignature,
    ProjectionSignature,
    UnitSignature,
)
from .projections import (
    DotSignature,
    ItemSignature,
    OperandSignature,
    ScanSignature,
    SumSignature,
    WalkSignature,
    beat_layout,
)
from .shared import (
    CrossSignature,
    DrawSignature,
    LaneWordSignature,
    MixSignature,
    ProductSignature,
    TableSignature,
)
from .sizes import (
    Widths,
    address_bits,
    flat_members,
    flat_view,
)
from .tiles import (
    BeatsSignature,
    BorrowSignature,
    ItemsSignature,
    PartialSignature,
    TileSignature,
    UnitsSignature,
    UpdatesSignature,
)
from .units import (
    ChunkSignature,
    occupied,
    one_at_a_time,
    stage_layout,
)
from .writes import (
    ChangeSignature,
    GateSignature,
    SideSignature,
    StateWriteSignature,
    TraceSignature,
    UnitReadSignature,
    WeightUpdateSignature,
    WeightWriteSignature,
)

__all__ = [
    "BeatsSignature",
    "BorrowSignature",
    "ChangeSignature",
    "ChunkReadSignature",
    "ChunkSelectSignature",
    "ChunkSignature",
    "ChunkWriteSignature",
    "CodeAccessSignature",
    "CountSignature",
    "CrossSignature",
    "DotSignature",
    "DrawSignature",
    "GateSignature",
    "HostSignature",
    "ItemSignature",
    "ItemsSignature",
    "LaneAccessSignature",
    "LaneSignature",
    "LaneWordSignature",
    "LearnSignature",
    "MixSignature",
    "OperandSignature",
    "OperationSignature",
    "PartialSignature",
    "ProductSignature",
    "ProjectionSignature",
    "ReadSignature",
    "RegisterSignature",
    "RunSignature",
    "ScanSignature",
    "SideSignature",
    "StateWriteSignature",
    "SumSignature",
    "TableSignature",
    "TileSignature",
    "TraceSignature",
    "UnitReadSignature",
    "UnitSignature",
    "UnitsSignature",
    "UpdatesSignature",
    "WalkSignature",
    "WeightUpdateSignature",
    "WeightWriteSignature",
    "Widths",
    "WriteSignature",
    "address_bits",
    "beat_layout",
    "flat_members",
    "flat_view",
    "occupied",
    "one_at_a_time",
    "stage_layout",
]
