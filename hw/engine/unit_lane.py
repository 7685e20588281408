"""One update lane of `hw.engine.unit_pipeline`: force, shift, rounding, clipping."""

from __future__ import annotations

from amaranth.hdl import Cat, Const, Module, Mux, Signal, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from ...golden.program import RATE_SHIFT
from ..interface.config import EngineConfig
from ..interface.isa import WORD, Limits
from .lanes import Multiplier
from .rounding import halves_shift_by, round_shift

#: Controls of a lane by the stage that looks at them: of all engines, and of some only.
_CONTROLS = {
    "leak": {"relax": 1, "subtract": 1, "nudge": 1, "nudge_negative": 1, "nudge_shift": 4},
    "force": {"nudge_shift": 4, "moves": 1, "zero": 1},
    "move": {"shift": 3},
    "clip": {"limits": 2},
}
_PLAIN = {"leak": {"plain": 1}, "move": {"negate": 1}}
_SCALES = {"leak": {"factor": WORD, "noisy": 1}, "force": {"scale": 1, "noisy": 1}}
_SERIAL = {"leak": {"factor_negative": 1}}
_SMOOTH = {"leak": {"flow": 1}}


def lane_controls(config: EngineConfig):
    """What an operation asks of a lane, a field for each of the stages 2, 3, 4 and clip."""
    layout = {}
    for stage, fields in _CONTROLS.items():
        for there, more in ((config.plain, _PLAIN), (config.learning or config.noise, _SCALES),
                            (config.serial_learning, _SERIAL), (config.smooth, _SMOOTH)):
            if there:
                fields = fields | more.get(stage, {})
        layout[stage] = data.StructLayout(fields)
    return data.StructLayout(layout)


def clip_stage(config: EngineConfig) -> int:
    """Stage at which a lane looks at the limits, counted as in `hw.engine.unit_pipeline`."""
    return 4 + min(config.update_latency - 1, 2)


def byte_total(word):
    """Sum of the four bytes of random words less its mean, signed."""
    return sum((word.word_select(i, 8) for i in range(1, 4)), word[:8]) - 510


class UpdateLane(wiring.Component):
    """New value of one unit.

    ``clip(round((sum - (a << weight.frac) - nudge * (b - a)) / 2**shift) + a)`` and its relatives,
    see :class:`apical.golden.executors.fixed.executor.FixedExecutor`.

    Latency: 2 + `update_latency` cycles from `a`, `b` and `sum` (stage 2) to the outputs (stage W).
    Throughput: one unit a cycle.

    Members
    -------
    a, b : In(signed(16)), sum : In(signed(width))
        Stage 2.
    controls : In(`lane_controls`)
        What the operation asks, each stage when it looks at it.
    random : In(32)
        Stage 2, for noise only: the sum of its bytes is added.
    product : In(signed(32))
        Stage 3, of a shared multiplier only: the product of `a`, or of the noise, and the factor.
    new, old : Out(signed(16))
        What is written; the value before.
    distance : Out(16)
        ``abs(new - old)``.
    clipped : Out(1)
    """

    def __init__(self, config: EngineConfig):
        self.config = config
        super().__init__({
            "a": In(signed(WORD)), "b": In(signed(WORD)),
            "sum": In(signed(config.accumulator_width)), "controls": In(lane_controls(config)),
            "random": In(32), "product": In(signed(2 * WORD)),
            "new": Out(signed(WORD)), "old": Out(signed(WORD)), "distance": Out(WORD),
            "clipped": Out(1)})

    def elaborate(self, platform):
        m = Module()
        config, frac = self.config, self.config.weight.frac

        def register(shape, value, name):
            signal = Signal(shape, name=name, reset_less=True)
            m.d.sync += signal.eq(value)
            return signal

        a, b, current = self.a, self.b, self.sum
        # Stage 2 -> 3; `kept` is what a mode that does not move writes.
        at = self.controls.leak
        other = Mux(at["relax"], a << frac, 0)
        if config.smooth:
            # The exponent of a flow rate is -A / 2 where the state is 1: ~A - (-1).
            turned = at["flow"] & (a == config.state.one)
            current = _turned(current, turned)
            other = Mux(at["relax"], a << frac, turned.replicate(2).as_signed())
        leaky = register(signed(config.accumulator_width + 1), current - other, "leaky")
        apart = Signal(signed(WORD + 1))
        m.d.comb += apart.eq((Mux(at["plain"], 0, a) if config.plain else a) - b)
        kept = register(signed(WORD + 1), Mux(at["subtract"], apart, a), "kept3")
        # The nudge is b - a: the difference is subtracted, or added where beta is negative.
        minus = at["nudge"] & ~at["nudge_negative"]
        aligned = Mux(at["nudge"], apart, 0)
        # Shifted by 0..3 here, by multiples of 4 in the next stage.
        for i, bit in enumerate(at["nudge_shift"][:2]):
            aligned = Mux(bit, aligned << (1 << i), aligned)
        aligned = register(signed(WORD + 4), aligned, "aligned")
        minus = register(1, minus, "minus")
        product = self.product
        own = config.pipelined_learning or (config.noise and not config.serial_draws)
        if own:
            m.submodules.scale = scale = Multiplier(1, config.primitives)
            m.d.comb += [scale.a.eq(Mux(at["noisy"], byte_total(self.random), a)
                                    if config.noise else a),
                         scale.b.eq(at["factor"].as_signed())]
            if not config.serial_learning:
                product = scale.product
        # Stage 3 -> 4; nothing moves in other modes.
        at = self.controls.force
        for i, bit in enumerate(at["nudge_shift"][2:], 2):
            aligned = Mux(bit, aligned << (1 << i), aligned)
        aligned = _turned(aligned, minus)
        # leaky - x is leaky + ~x + 1; the 1 goes into the carry.
        force = (Cat(1, leaky).as_signed() + Cat(minus, aligned).as_signed()) >> 1
        force = Mux(at["moves"], force, 0)
        if config.learning:
            force = Mux(at["scale"], product << max(0, frac - RATE_SHIFT), force)
        force = register(signed(config.accumulator_width + 2), force, "force")
        start = Mux(at["zero"], 0, kept)
        if config.noise:
            noise = product if config.serial_draws else scale.product
            start = start + Mux(at["noisy"], round_shift(noise, RATE_SHIFT), 0)
        start = register(signed(WORD + (3 if config.noise else 1)), start, "start")
        kept = register(signed(WORD), kept, "kept4")
        self._move(m, register, force, start, kept)
        return m

    def _move(self, m, register, force, start, kept):
        """Stage 4 -> W: shift; add, round by the carry; clip."""
        config, frac = self.config, self.config.weight.frac

        def cut(value, name, registers):
            for i in range(registers):
                value = register(value.shape(), value, f"{name}{i}")
            return value

        second, third, fourth = (int(config.update_latency >= i) for i in (2, 3, 4))
        halves = halves_shift_by(m, force, self.controls.move["shift"], frac - 1, frac + 6, "move")
        wide = Signal(signed(max(len(halves), len(start) + 1) + 1))
        if config.plain:
            halves = _turned(halves, self.controls.move["negate"])
        halves, start = cut(halves, "halves", second), cut(start, "begin", second)
        m.d.comb += wide.eq((Cat(1, start).as_signed() + halves) >> 1)
        kept = cut(kept, "stay", second + third + fourth)
        low, clip, limit = _clip(config.state, cut(wide, "sum", third),
                                 self.controls.clip["limits"])
        low, clip, limit = (cut(part, f"part{i}_", fourth)
                            for i, part in enumerate((low, clip, limit)))
        # A clipped value is 0 but for the bits that its limit has.
        value = ((low & ~clip.replicate(WORD)) | limit).as_signed()
        moved = Signal(signed(WORD + 1))
        new, clipped = register(signed(WORD), value, "new_kept"), register(1, clip, "clip_kept")
        # Its complement is what the subtraction after it wants.
        old = ~register(signed(WORD), ~kept, "not_old")
        m.d.comb += [self.new.eq(new), self.clipped.eq(clipped), self.old.eq(old),
                     moved.eq(new - old)]
        negative = moved[-1]
        m.d.comb += self.distance.eq((moved[:WORD] ^ negative.replicate(WORD)) + negative)


def _clip(state, wide, code):
    """(low bits, whether to clip, limit): ranges end at powers of two, so bits decide, not sums."""
    one, top = state.frac, state.width - 1
    negative = wide[-1]
    over_one = ~negative & (wide[one + 1:].any() | (wide[one] & wide[:one].any()))
    under_one = negative & ~wide[one:].all()
    over, under = ~negative & wide[top:].any(), negative & ~wide[top:].all()
    unit, symmetric = code == Limits.UNIT, code == Limits.SYMMETRIC
    above = Mux(unit | symmetric, over_one, over)
    below = Mux(unit, negative, Mux(symmetric, under_one, under))
    clip = above | below
    high = Mux(unit | symmetric, state.one, state.max)
    low = Mux(unit, 0, Mux(symmetric, Const(-state.one, WORD), Const(state.min, WORD)))
    limit = (Mux(above, high, 0) | Mux(below, low, 0))[:WORD]
    return wide[:WORD], clip, limit


def _turned(value, flag):
    """A signed value, or its complement."""
    return (value.as_unsigned() ^ flag.replicate(len(value))).as_signed()
