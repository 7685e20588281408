"""Hazards: what each instruction must wait for.

The two units run side by side.  An instruction enters its own unit as soon as the one before it has
been issued; it waits until all projections, or all elementwise operations, have retired only where
it could otherwise read what is still on its way, or write what is still to be read.
"""

from __future__ import annotations

from dataclasses import dataclass

from ..interface.isa import Opcode


@dataclass
class Instruction:
    """An instruction before it is encoded."""

    opcode: Opcode
    fields: dict
    origin: object = None
    #: What the hazard analysis needs: vectors and accumulators that are read and written.
    reads: tuple = ()
    writes: object = None
    #: Beats between two projections' uses of one place, see `_ready`.
    span: int = 0
    #: Cycles that an elementwise operation issues.
    chunks: int = 0
    #: Whether a projection takes the queue of changes.
    queued: bool = False
    #: The elementwise operation that a held projection waits for.
    releases: object = None

    @property
    def alone(self):
        """Whether it takes one unit a cycle, on another path: tables, random words."""
        return bool(self.fields.get("post") or self.fields.get("draws"))

    def touches(self, earlier):
        """Whether it must come after another one, of the other unit, has retired."""
        written, before = self.writes, earlier.writes
        return ((before is not None and (before in self.reads or before == written))
                or (written is not None and written in earlier.reads))


def mark_waits(instructions, write_stage):
    """Set `after_projections` and `after_units` where an instruction must wait.

    Parameters
    ----------
    instructions : list of Instruction
    write_stage : int
        Cycles from the issue of a chunk to its write.
    """
    projections, units, waits = [], [], True
    for instruction in instructions:
        opcode = instruction.opcode
        if opcode not in (Opcode.PROJECT, Opcode.UNIT):
            if opcode == Opcode.LEARN:
                instruction.fields.update(after_projections=1, after_units=1)
            # The first instruction of a loop has two predecessors.
            waits = waits or opcode not in (Opcode.FACTOR, Opcode.LOOP)
            continue
        if opcode == Opcode.UNIT:
            for earlier in projections:
                if earlier.fields.get("held") and earlier.releases is None:
                    earlier.releases = instruction
        mine, others = ((projections, units) if opcode == Opcode.PROJECT else (units, projections))
        own = other = waits or instruction.alone or any(i.alone for i in (*projections, *units))
        own = own or not (_ready(instruction, mine) if opcode == Opcode.PROJECT
                          else _forwards(instruction, mine, write_stage))
        other = other or any(_touches(instruction, earlier) for earlier in others)
        # It would wait for what waits for it.
        assert not (other and any(i.releases is instruction for i in projections)), instruction
        if own:
            mine.clear()
        if other:
            others.clear()
        names = ("after_projections", "after_units")
        for name, flag in zip(names if opcode == Opcode.PROJECT else names[::-1], (own, other),
                              strict=True):
            if flag:
                instruction.fields[name] = 1
        mine.append(instruction)
        waits = False


def _touches(instruction, earlier):
    """Of a projection that is held, the next elementwise operation reads the sum of before."""
    if earlier.fields.get("held") and instruction is earlier.releases:
        return False
    return instruction.touches(earlier)


def _ready(instruction, pending):
    """Whether a projection may follow those before it (numbers: ``hw/engine/lanes.py``)."""
    dot = bool(instruction.fields.get("dot"))
    # (what comes from the queue of changes waits by itself)
    if not dot and not instruction.queued and any(earlier.fields.get("dot") for earlier in pending):
        return False  # it would overtake
    writers = {earlier.writes: earlier for earlier in pending}
    for read in instruction.reads:
        writer = writers.get(read)
        if writer is None:
            continue
        # A sum is read again 2 beats after it was written in broadcast direction (3 from
        # dot to dot); from broadcast to dot the adder tree is delay enough.
        from_dot = bool(writer.fields.get("dot"))
        least = 3 if from_dot else 0 if dot else 1
        if instruction.span < least:
            return False
    return True


def _forwards(instruction, pending, write_stage):
    """Whether an elementwise operation may follow those before it.

    It begins to issue after the last chunk of the one before; its chunk k reads what chunk k of an
    earlier one wrote.
    """
    between = 0
    for earlier in reversed(pending):
        between += earlier.chunks
        if earlier.writes in instruction.reads and between < write_stage:
            return False
    return True
