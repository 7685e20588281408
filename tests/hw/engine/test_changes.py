"""The queue of changes by itself: items, their order, when they come."""

import numpy as np
from component_bench import packed, put, simulate

from apical.hw.engine.changes import ChangeQueue
from apical.hw.interface.config import EngineConfig

QUICK = 4


def run(chunks, takes, depth=8):
    """Feed chunks (or None) a cycle.

    Returns
    -------
    list of (int, int, int, bool)
        Cycle after the chunk of cycle 0, index, value and `last` of each item that was taken.
    """
    queue = ChangeQueue(EngineConfig(lanes=22, update_lanes=QUICK, change_depth=depth))
    items = []

    async def bench(ctx):
        for cycle in range(200):
            chunk = chunks[cycle] if cycle < len(chunks) else None
            unit, old, new, enable, end = chunk or (0, [0] * QUICK, [0] * QUICK, 0, 0)
            put(ctx, queue.changes, unit=unit, old=packed(old, 16), new=packed(new, 16),
                enable=enable, end=end)
            take = int(takes(cycle) and ctx.get(queue.item.valid))
            ctx.set(queue.take, take)
            if take:
                items.append((cycle, ctx.get(queue.item.index), ctx.get(queue.item.value),
                              bool(ctx.get(queue.item.last))))
            await ctx.tick()

    simulate(queue, bench)
    return items


def test_the_first_item_comes_after_three_cycles_and_then_one_a_cycle():
    chunks = [(20, [1, 2, 3, 4], [5, 2, 1, 4], 0xF, 0), (24, [9, 9, 9, 9], [9, 9, 9, 8], 0xF, 1)]
    assert run(chunks, lambda cycle: True) == [
        (3, 20, 4, False), (4, 22, 0xFFFE, False), (5, 27, 0xFFFF, True)]


def test_unchanged_chunks_cost_nothing_and_the_last_one_ends_the_pass():
    same = [7, 7, 7, 7]
    chunks = [(0, same, [0] * 4, 0b0110, 0), *((4 * i, same, same, 0xF, i == 5)
                                               for i in range(1, 6))]
    assert run(chunks, lambda cycle: True) == [
        (3, 1, -7 & 0xFFFF, False), (4, 2, -7 & 0xFFFF, False), (8, 20, 0, True)]


def test_what_is_not_taken_waits_in_order():
    rng = np.random.default_rng(5)
    chunks, wanted = [], []
    for number in range(8):
        old, new = rng.integers(-5, 6, QUICK), rng.integers(-5, 6, QUICK)
        enable, end = int(rng.integers(1, 16)), number in (2, 7)
        changed = [lane for lane in range(QUICK) if enable >> lane & 1 and old[lane] != new[lane]]
        shown = changed or [0] * end
        for lane in shown:
            value = int(new[lane] - old[lane]) & 0xFFFF if changed else 0
            wanted.append((number * QUICK + lane, value, end and lane == shown[-1]))
        chunks.append((number * QUICK, old, new, enable, end))
    for takes in (lambda cycle: cycle > 30, lambda cycle: cycle % 3 == 0):
        assert [item[1:] for item in run(chunks, takes)] == wanted
