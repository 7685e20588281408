"""Hazards: which instructions may enter a pipeline right after the one before."""

from __future__ import annotations

from dataclasses import dataclass

from ..interface.isa import Opcode


@dataclass
class Instruction:
    """An instruction before it is encoded."""

    opcode: Opcode
    fields: dict
    origin: object = None
    #: What the hazard analysis needs: names of vectors and accumulators.
    reads: tuple = ()
    writes: object = None
    #: Beats between two instructions' uses of one place, see `mark_overlaps`.
    span: int = 0


def mark_overlaps(instructions):
    """Set `overlap` where an instruction may enter the pipeline right after the one before.

    Instructions of one unit pass the same stages in order, so an instruction only waits to read
    what is still on its way (numbers of cycles: ``hw/engine/lanes.py``).  Between the two units,
    after control instructions and from dot to broadcast direction the engine always waits.
    """
    unit, pending, dots = None, {}, False
    for instruction in instructions:
        opcode = instruction.opcode
        # The table unit and noise take one unit a cycle, on another path through the pipeline.
        alone = instruction.fields.get("post") or instruction.fields.get("draws")
        dot = bool(instruction.fields.get("dot"))
        overlap = (opcode == unit and not (dots and not dot) and not alone
                   and _ready(instruction, pending, dot))
        if opcode not in (Opcode.PROJECT, Opcode.UNIT):
            unit, pending, dots = None, {}, False
            continue
        if alone:
            unit, pending, dots = None, {}, False
            continue
        if overlap:
            instruction.fields["overlap"] = 1
        else:
            unit, pending, dots = opcode, {}, False
        dots |= dot
        if instruction.writes is not None:
            pending[instruction.writes] = instruction


def _ready(instruction, pending, dot):
    for read in instruction.reads:
        writer = pending.get(read)
        if writer is None:
            continue
        if instruction.opcode == Opcode.UNIT:
            return False
        # A sum is read again 2 beats after it was written in broadcast direction (3 from
        # dot to dot); from broadcast to dot the adder tree is delay enough.
        from_dot = bool(writer.fields.get("dot"))
        least = 3 if from_dot else 0 if dot else 1
        if instruction.span < least:
            return False
    return True
