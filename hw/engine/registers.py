"""Registers of an engine: identity, counters, results of the last image, start and commit."""

from __future__ import annotations

from amaranth.hdl import Cat, Mux, Signal

from ..interface.config import ENGINE_VERSION
from ..interface.isa import IDENTITY, REGISTERS
from ..primitives.portable import delayed
from .counter import Accumulator


def registers(m, engine, host, sequencer, unit, issue, signature):
    """Connect registers and counters of an engine to its host port."""
    config = engine.config
    number = {name: register.number for name, register in REGISTERS.items()}
    held = {"seed": Signal(32, name="seed"), "done": Signal(16, name="done"),
            "image_steps": Signal(16, name="image_steps")}
    # These and the signature take the four multipliers of the UP5K that have no lane; weight
    # updates one at a time want one of them.
    celled = ("image", "writes", "image_cycles")[:2 if config.serial_learning else 3]
    extra = ("mac_useful", "mac_cycles", "cycles")
    if not (config.diagnostics or engine.trace):
        extra = ()
    sums = {name: Accumulator(config.primitives if name in celled else "portable")
            for name in ("image", "image_cycles", "writes", "saturations", *extra)}
    for name, total in sums.items():
        m.submodules[f"register_{name}"] = total
        held[name] = total.value
    projecting = Signal()
    written, clipped = count(unit.write_counted), unit.clipped
    if engine.learn is not None:
        # States and weights are never written in one cycle.
        written, clipped = written | engine.learn.written, clipped | engine.learn.clipped
    if config.pipelined_learning:
        # There is time: signatures take longer.
        written, clipped = delayed(m, written, 1, "written"), delayed(m, clipped, 1, "clipped")
    # From the first beat of a projection to the first issue of the operation behind it.
    with m.If(issue.beat.valid):
        m.d.sync += projecting.eq(1)
    with m.Elif(unit.issue | ~sequencer.active):
        m.d.sync += projecting.eq(0)
    finished = Signal()
    m.d.sync += finished.eq(sequencer.finish)
    # Adding 0 or 1 instead of enabling leaves a counter one cell a bit.
    beat = issue.beat.valid
    amounts = {"writes": written, "saturations": clipped,
               "image_cycles": sequencer.active, "image": finished,
               "mac_useful": Mux(beat, issue.useful, 0),
               "mac_cycles": (projecting & ~unit.issue) | beat, "cycles": sequencer.active}
    for name, total in sums.items():
        m.d.comb += total.amount.eq(amounts[name])
    for name, amount in (("image_steps", sequencer.stepped), ("done", finished)):
        m.d.sync += held[name].eq(held[name] + amount)
    with m.If(sequencer.begin):
        m.d.comb += sums["image_cycles"].load.eq(1)
        m.d.sync += held["image_steps"].eq(0)
    m.d.comb += [sequencer.seed.eq(held["seed"]), sequencer.image.eq(held["image"]),
                 sums["image"].data.eq(host.data),
                 engine.image_number.eq(held["image"]),
                 sequencer.images.eq(host.data)]
    shown = {"identity": IDENTITY, "version": ENGINE_VERSION,
             "config_hash": int(engine.hash, 16),
             "shape": config.lanes | config.update_lanes << 8,
             "status": Cat(sequencer.active, sequencer.bank, sequencer.ready),
             "prediction": unit.winner, "signature": signature.total, **held}
    # Two steps, registered between them.
    register = Signal.like(host.register)
    m.d.sync += register.eq(host.register)
    for group in range(0, len(REGISTERS), 8):
        part = Signal(32, name=f"shown{group}", reset_less=True)
        m.d.sync += part.eq(0)
        with m.Switch(register[:3]):
            for name, value in shown.items():
                if number[name] & ~7 == group:
                    with m.Case(number[name] & 7):
                        m.d.sync += part.eq(value)
        with m.If(register[3:] == group >> 3):
            m.d.comb += host.register_data.eq(part)
    with m.If(host.register_write):
        with m.Switch(host.register):
            for name, register in REGISTERS.items():
                if "w" not in register.access:
                    continue
                with m.Case(register.number):
                    if name in sums:
                        m.d.comb += sums[name].load.eq(1)
                    elif name in held:
                        m.d.sync += held[name].eq(host.data if name == "seed" else 0)
                    elif name == "signature":
                        m.d.comb += signature.clear.eq(1)
                    elif name in ("start", "commit"):
                        m.d.comb += getattr(sequencer, name).eq(1)


def count(flags):
    """How many of some flags are set."""
    return sum(flags[1:], flags[0]) if len(flags) > 1 else flags
