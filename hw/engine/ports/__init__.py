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
    SampleSignature,
)
from .sizes import (
    Widths,
    address_bits,
    flat_members,
    flat_view,
)
from .writes import (
    GateSignature,
    SideSignature,
    StateWriteSignature,
    TraceSignature,
    UnitReadSignature,
    WeightUpdateSignature,
    WeightWriteSignature,
)

__all__ = [
    "ChunkReadSignature",
    "ChunkSelectSignature",
    "ChunkWriteSignature",
    "CodeAccessSignature",
    "CountSignature",
    "CrossSignature",
    "DotSignature",
    "DrawSignature",
    "GateSignature",
    "HostSignature",
    "ItemSignature",
    "LaneAccessSignature",
    "LaneWordSignature",
    "LearnSignature",
    "MixSignature",
    "OperandSignature",
    "OperationSignature",
    "ProductSignature",
    "ProjectionSignature",
    "ReadSignature",
    "RegisterSignature",
    "RunSignature",
    "SampleSignature",
    "SideSignature",
    "StateWriteSignature",
    "SumSignature",
    "TraceSignature",
    "UnitReadSignature",
    "UnitSignature",
    "WalkSignature",
    "WeightUpdateSignature",
    "WeightWriteSignature",
    "Widths",
    "WriteSignature",
    "address_bits",
    "beat_layout",
    "flat_members",
    "flat_view",
]
