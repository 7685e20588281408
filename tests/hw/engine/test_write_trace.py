"""The trace port by itself: records in the cycle of their writes, lanes that count only."""

import numpy as np
from component_bench import packed, put, simulate, unpacked

from apical.hw.engine.write_trace import WriteTrace, trace_ports
from apical.hw.interface.config import EngineConfig

CONFIG = EngineConfig(lanes=5, update_lanes=4, learning=True)


def test_states_begin_with_the_first_lane_that_counts():
    trace, rng = WriteTrace(CONFIG), np.random.default_rng(2)

    async def bench(ctx):
        for first in range(5):
            for count in range(5 - first):
                values = rng.integers(0, 1 << 16, 4)
                counted = [int(first <= lane < first + count) for lane in range(4)]
                put(ctx, trace, image=77, operation=5)
                put(ctx, trace.states, counted=packed(counted, 1), enable=15, vector=9, unit=40,
                    data=packed(values, 16))
                await ctx.delay(1e-7)
                shown = trace.trace
                assert ctx.get(shown.valid) == (count > 0)
                if count:
                    assert [ctx.get(getattr(shown, name)) for name in (
                        "image", "operation", "vector", "unit", "count")] == [
                            77, 5, 9, 40 + first, count]
                    assert (unpacked(ctx.get(shown.values), 16, count)
                            == values[first:first + count].tolist())

    simulate(trace, bench)


def test_weights_name_the_matrix_that_was_taken_at_the_start():
    trace = WriteTrace(CONFIG)
    values = {"scalar": 12, "first": 10, "turned": 1, "mask": 0b10110, "values": 0xABCDE}

    async def bench(ctx):
        put(ctx, trace.update, start=1, number=130)
        await ctx.tick()
        put(ctx, trace.update, start=0, number=131)
        put(ctx, trace.weights, valid=1, **values)
        put(ctx, trace, image=3, operation=8)
        await ctx.tick()
        for name, value in {"valid": 1, "image": 3, "operation": 8, "matrix": 130,
                            **values}.items():
            assert ctx.get(getattr(trace.trace, f"weight_{name}")) == value, name
        put(ctx, trace.weights, valid=0)
        await ctx.delay(1e-7)
        assert not ctx.get(trace.trace.weight_valid)

    simulate(trace, bench)


def test_ports_have_the_widths_of_the_engine():
    ports = trace_ports(CONFIG)
    assert ports["trace_values"] == 4 * 16 and ports["trace_weight_values"] == 5 * 16
    assert not [name for name in trace_ports(CONFIG.replace(learning=False)) if "weight" in name]
