"""Registers of an engine: identity, counters, results of the last image, start and commit."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ..interface.config import ENGINE_VERSION, EngineConfig
from ..interface.isa import IDENTITY, INDEX, LANE_BITS, REGISTERS
from ..primitives.portable import delayed
from .counter import Accumulator
from .ports import CountSignature, RegisterSignature, RunSignature


class Registers(wiring.Component):
    """Counts what an engine does, and shows it.

    Latency: a register is shown 2 cycles after its number, a counter counts 1 cycle after its
    event (`done`, `image`, and in pipelined learning engines the writes, 1 cycle later).

    Parameters
    ----------
    config : EngineConfig
    config_hash : str
        Hash that is reported.
    diagnostics : bool
        Whether there are counters of multiplications and of all cycles.

    Members
    -------
    bus : In(RegisterSignature)
    run : Out(RunSignature)
    clear_signature : Out(1)
    states, weights : In(CountSignature)
        Writes of either kind; there are never both in one cycle.
    beat : In(1), useful : In(7)
        A beat of a projection, and lanes in it with a real weight.
    unit_issue : In(1)
        An elementwise operation issues.
    prediction : In(16), total : In(32)
        Unit decided for, and sum of the signature.
    """

    def __init__(self, config: EngineConfig, config_hash: str, diagnostics: bool):
        self.config, self.config_hash, self.diagnostics = config, config_hash, diagnostics
        super().__init__({
            "bus": In(RegisterSignature()), "run": Out(RunSignature()),
            "clear_signature": Out(1), "states": In(CountSignature()),
            "weights": In(CountSignature()), "beat": In(1), "useful": In(LANE_BITS + 1),
            "unit_issue": In(1), "prediction": In(INDEX), "total": In(32)})

    def elaborate(self, platform):
        m = Module()
        config, run, bus = self.config, self.run, self.bus
        held = {"seed": Signal(32, name="seed"), "done": Signal(16, name="done"),
                "image_steps": Signal(16, name="image_steps")}
        # These and the signature take the four multipliers of the UP5K that have no lane; serial
        # units want one of them.
        celled = ("image", "writes", "image_cycles")[:2 if config.shared_product else 3]
        extra = ("mac_useful", "mac_cycles", "cycles") if self.diagnostics else ()
        sums = {name: Accumulator(config.primitives if name in celled else "portable")
                for name in ("image", "image_cycles", "writes", "saturations", *extra)}
        for name, total in sums.items():
            m.submodules[f"register_{name}"] = total
            held[name] = total.value
        finished = Signal()
        m.d.sync += finished.eq(run.finish)
        for name, amount in self._amounts(m, finished).items():
            if name in sums:
                m.d.comb += sums[name].amount.eq(amount)
        for name, amount in (("image_steps", run.stepped), ("done", finished)):
            m.d.sync += held[name].eq(held[name] + amount)
        with m.If(run.begin):
            m.d.comb += sums["image_cycles"].load.eq(1)
            m.d.sync += held["image_steps"].eq(0)
        m.d.comb += [run.seed.eq(held["seed"]), run.image.eq(held["image"]),
                     run.images.eq(bus.data), sums["image"].data.eq(bus.data)]
        self._show(m, held)
        self._write(m, held, sums)
        return m

    def _amounts(self, m, finished):
        """What each counter adds: 0 or 1 instead of an enable leaves it one cell a bit."""
        config, beat = self.config, self.beat
        written, clipped = self.states.written, self.states.clipped
        if config.learning:
            # States and weights are never written in one cycle.
            written, clipped = written | self.weights.written, clipped | self.weights.clipped
        if config.pipelined_learning:
            # There is time: signatures take longer.
            written, clipped = delayed(m, written, 1, "written"), delayed(m, clipped, 1, "clipped")
        # From the first beat of a projection to the first issue of the operation after it.
        projecting = Signal()
        with m.If(beat):
            m.d.sync += projecting.eq(1)
        with m.Elif(self.unit_issue | ~self.run.active):
            m.d.sync += projecting.eq(0)
        return {"writes": written, "saturations": clipped, "image_cycles": self.run.active,
                "image": finished, "mac_useful": Mux(beat, self.useful, 0),
                "mac_cycles": (projecting & ~self.unit_issue) | beat, "cycles": self.run.active}

    def _show(self, m, held):
        """Two steps, registered between them."""
        config, run, bus = self.config, self.run, self.bus
        shown = {"identity": IDENTITY, "version": ENGINE_VERSION,
                 "config_hash": int(self.config_hash, 16),
                 "shape": config.width | config.update_lanes << 8,
                 "status": Cat(run.active, run.bank, run.ready),
                 "prediction": self.prediction, "signature": self.total, **held}
        number = Signal.like(bus.number)
        m.d.sync += number.eq(bus.number)
        for group in range(0, len(REGISTERS), 8):
            part = Signal(32, name=f"shown{group}", reset_less=True)
            m.d.sync += part.eq(0)
            with m.Switch(number[:3]):
                for name, value in shown.items():
                    if REGISTERS[name].number & ~7 == group:
                        with m.Case(REGISTERS[name].number & 7):
                            m.d.sync += part.eq(value)
            with m.If(number[3:] == group >> 3):
                m.d.comb += bus.value.eq(part)

    def _write(self, m, held, sums):
        run, bus = self.run, self.bus
        with m.If(bus.write), m.Switch(bus.number):
            for name, register in REGISTERS.items():
                if "w" not in register.access:
                    continue
                with m.Case(register.number):
                    if name in sums:
                        m.d.comb += sums[name].load.eq(1)
                    elif name in held:
                        m.d.sync += held[name].eq(bus.data if name == "seed" else 0)
                    elif name == "signature":
                        m.d.comb += self.clear_signature.eq(1)
                    elif name in ("start", "commit"):
                        m.d.comb += getattr(run, name).eq(1)


def count(flags):
    """How many of some flags are set."""
    return sum(flags[1:], flags[0]) if len(flags) > 1 else flags
