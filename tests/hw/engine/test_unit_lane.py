"""One update lane by itself: every mode against NumPy, latency by equality."""

import numpy as np
import pytest
from component_bench import put, simulate

from apical.golden.numbers.formats import round_shift, saturate
from apical.golden.program import RATE_SHIFT
from apical.hw.engine.unit_lane import UpdateLane
from apical.hw.interface.config import EngineConfig
from apical.hw.interface.isa import Limits, Mode

PLAIN = EngineConfig(lanes=4, update_lanes=1)
ALL = PLAIN.replace(learning=True, smooth=True, noise=True)
SERIAL = PLAIN.replace(learning=True, learn_unit="serial", smooth=True)


def bounds(limits, state):
    return {Limits.UNIT: (0, state.one), Limits.SYMMETRIC: (-state.one, state.one),
            Limits.FORMAT: (state.min, state.max)}[limits]


def model(config, mode, a, b, total, limits, shift=0, nudge=0, nudge_shift=0, plain=False,
          negate=False, flow=False, factor=0, noise=None):
    """New values: what the fixed executor computes, in the integers of the lane."""
    frac, zero = config.weight.frac, np.zeros_like(a)
    amount = frac - 1 + shift
    if flow:  # -A / 2 at 1, A / 2 at 0
        total = np.where(a == config.state.one, -total, total)
    force = total - ((a << frac) if mode == Mode.RELAX else zero)
    force = force + nudge * ((b - (0 if plain else a)) << nudge_shift)
    start = zero if mode in (Mode.ASSIGN, Mode.CLEAR, Mode.SCALE) else a
    if mode == Mode.SUBTRACT:
        start = (zero if plain else a) - b
    if mode == Mode.SCALE:
        force = (a * factor) << max(0, frac - RATE_SHIFT)
    elif mode not in (Mode.RELAX, Mode.ASSIGN):
        force = zero
    if noise is not None:
        start = start + round_shift(noise * factor, RATE_SHIFT)
    moved = round_shift(force, amount)
    if negate:  # the halves before rounding are complemented
        moved = (1 + ~(force >> amount - 1)) >> 1
    return saturate(start + moved, *bounds(limits, config.state))[0], start + moved


CASES = [
    # configuration, mode, options
    *((PLAIN, Mode.RELAX, {"shift": s, "limits": limits}) for s in (0, 3, 7) for limits in Limits),
    *((PLAIN.replace(update_latency=n), Mode.RELAX, {"shift": 2, "nudge": 1, "nudge_shift": 5})
      for n in (1, 2, 3)),
    (PLAIN, Mode.RELAX, {"nudge": -1, "nudge_shift": 15, "shift": 1}),
    (PLAIN, Mode.ASSIGN, {"shift": 1, "limits": Limits.SYMMETRIC}),
    (PLAIN, Mode.COPY, {"limits": Limits.FORMAT}),
    (PLAIN, Mode.CLEAR, {}),
    (PLAIN, Mode.SUBTRACT, {"limits": Limits.FORMAT}),
    (ALL, Mode.RELAX, {"nudge": 1, "nudge_shift": 12, "plain": True, "shift": 1}),
    (ALL, Mode.ASSIGN, {"negate": True, "limits": Limits.FORMAT, "shift": 2}),
    (ALL, Mode.SCALE, {"factor": -1234, "limits": Limits.FORMAT, "shift": 1}),
    (ALL, Mode.ASSIGN, {"flow": True, "limits": Limits.FORMAT}),
    (ALL, Mode.RELAX, {"factor": 321, "noise": True, "limits": Limits.FORMAT, "shift": 4}),
    (SERIAL, Mode.SCALE, {"factor": 77, "limits": Limits.FORMAT, "shift": 3}),
]


@pytest.mark.parametrize(("config", "mode", "options"), CASES)
def test_values_and_latency(config, mode, options):
    rng = np.random.default_rng(11)
    options = {"limits": Limits.UNIT, **options}
    state, count = config.state, 60
    a, b = rng.integers(state.min, state.max + 1, (2, count))
    a[:8] = [0, state.one, -state.one, state.max, state.min, 1, -1, state.one]
    reach = 1 << 31
    total = rng.integers(-reach, reach, count) >> rng.integers(0, 20, count)
    random = rng.integers(0, 1 << 32, count)
    noise = None
    if options.get("noise"):
        noise = sum(random >> 8 * i & 255 for i in range(4)) - 510
    expected, exact = model(config, mode, a, b, total, **{**options, "noise": noise})
    lane = UpdateLane(config)
    latency, got = 2 + config.update_latency, []

    async def bench(ctx):
        at = lane.controls
        nudge = options.get("nudge", 0)
        for stage, values in {
                "leak": {"relax": mode == Mode.RELAX, "subtract": mode == Mode.SUBTRACT,
                         "nudge": nudge != 0, "nudge_negative": nudge < 0,
                         "nudge_shift": options.get("nudge_shift", 0),
                         "plain": options.get("plain", False), "flow": options.get("flow", False),
                         "factor": options.get("factor", 0),
                         "noisy": options.get("noise", False)},
                "force": {"nudge_shift": options.get("nudge_shift", 0),
                          "moves": mode in (Mode.RELAX, Mode.ASSIGN),
                          "zero": mode in (Mode.ASSIGN, Mode.CLEAR, Mode.SCALE),
                          "scale": mode == Mode.SCALE, "noisy": options.get("noise", False)},
                "move": {"shift": options.get("shift", 0), "negate": options.get("negate", False)},
                "clip": {"limits": options["limits"]}}.items():
            fields = dict(getattr(at, stage).shape())
            put(ctx, getattr(at, stage), **{k: v for k, v in values.items() if k in fields})
        for cycle in range(count + latency):
            i = min(cycle, count - 1)
            put(ctx, lane, a=a[i], b=b[i], sum=total[i], random=random[i])
            if cycle:  # the shared multiplier answers one cycle after its operands
                put(ctx, lane, product=a[min(cycle - 1, count - 1)] * options.get("factor", 0))
            if cycle >= latency:
                got.append([ctx.get(getattr(lane, name))
                            for name in ("new", "old", "distance", "clipped")])
            await ctx.tick()

    simulate(lane, bench)
    got = np.array(got)
    np.testing.assert_array_equal(got[:, 0], expected)
    np.testing.assert_array_equal(got[:, 3], expected != exact)
    if mode != Mode.SUBTRACT:
        np.testing.assert_array_equal(got[:, 1], a)
    np.testing.assert_array_equal(got[:, 2], np.abs(got[:, 0] - got[:, 1]))
