"""One update lane of `hw.engine.unit_pipeline`: force, shift, rounding, clipping."""

from __future__ import annotations

from amaranth.hdl import Cat, Mux, Signal, signed

from ...golden.program import RATE_SHIFT
from ..interface.isa import Limits
from .lanes import Multiplier
from .rounding import halves_shift_by, round_shift


def update_lane(m, unit, lane, stages):
    """Build one update lane from stage 2 on.

    Returns
    -------
    tuple
        (value, |du|, clipped, old) at stage W.
    """
    config = unit.config
    width, frac = config.accumulator_width, config.weight.frac

    def register(shape, value, name):
        signal = Signal(shape, name=f"{name}_{lane}", reset_less=True)
        m.d.sync += signal.eq(value)
        return signal

    a = unit.state_a.word_select(lane, 16).as_signed()
    b = unit.state_b.word_select(lane, 16).as_signed()
    current = unit.sums.word_select(lane, width).as_signed()
    # Stage 2 -> 3; `kept` is what a mode that does not move writes.
    at = unit.at[2]
    other = Mux(at["relax"], a << frac, 0)
    if config.smooth:
        # The exponent of a flow rate is -A / 2 where the state is 1: ~A - (-1).
        turned = at["flow"] & (a == config.state.one)
        current = _turned(current, turned)
        other = Mux(at["relax"], a << frac, turned.replicate(2).as_signed())
    leaky = register(signed(width + 1), current - other, "leaky")
    apart = Signal(signed(17), name=f"apart_{lane}")
    m.d.comb += apart.eq((Mux(at["plain"], 0, a) if config.plain else a) - b)
    kept = register(signed(17), Mux(at["subtract"], apart, a), "kept3")
    # The nudge is b - a: the difference is subtracted, or added where beta is negative.
    minus = at["nudge"] & ~at["nudge_negative"]
    aligned = Mux(at["nudge"], apart, 0)
    # Shifted by 0..3 here, by multiples of 4 in the next stage.
    for i, bit in enumerate(at["nudge_shift"][:2]):
        aligned = Mux(bit, aligned << (1 << i), aligned)
    aligned = register(signed(20), aligned, "aligned")
    minus = register(1, minus, "minus")
    product = None
    if config.serial_learning:
        product = unit.serial_product(m, stages[2], a, at).as_signed()
    if unit.scales:
        m.submodules[f"scale{lane}"] = scale = Multiplier(1, config.primitives)
        total = sum((unit.random.word_select(i, 8) for i in range(1, 4)),
                    unit.random[:8]) - 510
        m.d.comb += [scale.a.eq(Mux(at["noisy"], total, a) if config.noise else a),
                     scale.b.eq(at["factor"].as_signed())]
    # Stage 3 -> 4; nothing moves in other modes.
    at = unit.at[3]
    for i, bit in enumerate(at["nudge_shift"][2:], 2):
        aligned = Mux(bit, aligned << (1 << i), aligned)
    aligned = _turned(aligned, minus)
    # leaky - x is leaky + ~x + 1; the 1 goes into the carry.
    force = (Cat(1, leaky).as_signed() + Cat(minus, aligned).as_signed()) >> 1
    force = Mux(at["moves"], force, 0)
    if config.learning:
        product = scale.product if product is None else product
        force = Mux(at["scale"], product << max(0, frac - RATE_SHIFT), force)
    force = register(signed(width + 2), force, "force")
    start = Mux(at["zero"], 0, kept)
    if config.noise:
        start = start + Mux(at["noisy"], round_shift(scale.product, RATE_SHIFT), 0)
    start = register(signed(19 if config.noise else 17), start, "start")
    kept = register(signed(16), kept, "kept4")
    # Stage 4 -> W: shift; add, round by the carry; clip
    def cut(value, name, registers):
        for i in range(registers):
            value = register(value.shape(), value, f"{name}{i}_")
        return value

    second, third, fourth = (int(config.update_latency >= i) for i in (2, 3, 4))

    halves = halves_shift_by(m, force, unit.at[4]["shift"], frac - 1, frac + 6,
                             f"move_{lane}")
    wide = Signal(signed(max(len(halves), len(start) + 1) + 1), name=f"wide_{lane}")
    if config.plain:
        halves = _turned(halves, unit.at[4]["negate"])
    halves, start = cut(halves, "halves", second), cut(start, "begin", second)
    m.d.comb += wide.eq((Cat(1, start).as_signed() + halves) >> 1)
    kept = cut(kept, "stay", second + third + fourth)
    low, clip, limit = _clip(unit.config.state, cut(wide, "sum", third), unit.at["clip"]["limits"])
    low, clip, limit = (cut(part, f"part{i}_", fourth)
                        for i, part in enumerate((low, clip, limit)))
    # A clipped value is 0 but for the bits that its limit has.
    value = ((low & ~clip.replicate(16)) | limit).as_signed()
    moved = Signal(signed(17), name=f"moved_{lane}")
    new = register(signed(16), value, "new")
    # Its complement is what the subtraction behind it wants.
    old = ~register(signed(16), ~kept, "old")
    m.d.comb += moved.eq(new - old)
    negative = moved[-1]
    distance = ((moved[:16] ^ negative.replicate(16)) + negative)[:16]
    return new, distance, register(1, clip, "clip"), old


def _clip(state, wide, code):
    """(low bits, whether to clip, limit): ranges end at powers of two, bits tell, not sums."""
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
    low = Mux(unit, 0, Mux(symmetric, -state.one & 0xFFFF, state.min & 0xFFFF))
    limit = (Mux(above, high, 0) | Mux(below, low, 0))[:16]
    return wide[:16], clip, limit


def _turned(value, flag):
    """A signed value, or its complement."""
    return (value.as_unsigned() ^ flag.replicate(len(value))).as_signed()
