"""The fabric by itself: what crosses between root and tiles, and when, by equality."""

import numpy as np
import pytest
from component_bench import put, simulate

from apical.hw.engine.fabric import Fabric
from apical.hw.engine.stages import Stages
from apical.hw.interface.config import EngineConfig


def fabric(tiles, hop):
    config = EngineConfig(lanes=2, update_lanes=1, tiles=tiles, hop=hop, learning=True)
    return Fabric(config), config, Stages(config)


@pytest.mark.parametrize(("tiles", "hop"), [(1, 1), (2, 1), (3, 2), (5, 3)])
def test_all_tiles_hear_the_root_in_the_same_cycle(tiles, hop):
    parts, config, stages = fabric(tiles, hop)

    async def bench(ctx):
        put(ctx, parts.root.beats.operand, value=77)
        put(ctx, parts.root.updates, looks=2)
        heard = []
        for _ in range(hop + 1):
            await ctx.delay(1e-8)
            heard.append([(ctx.get(tile.beats.operand.value), ctx.get(tile.updates.looks))
                          for tile in parts.tiles])
            await ctx.tick()
        assert stages.hop == config.hops == (hop if tiles > 1 else 0)
        assert [row == [(77, 2)] * tiles for row in heard] == [
            cycle >= config.hops for cycle in range(hop + 1)]

    simulate(parts, bench)


@pytest.mark.parametrize(("tiles", "hop"), [(1, 1), (2, 1), (3, 2), (8, 1)])
def test_sums_and_maxima_of_all_tiles(tiles, hop):
    parts, config, stages = fabric(tiles, hop)
    rng = np.random.default_rng(tiles)
    late = config.hops + stages.levels

    async def bench(ctx):
        for _ in range(4):
            partial, total = rng.integers(-1 << 31, 1 << 31, tiles), rng.integers(0, 1 << 32, tiles)
            moved, counts = rng.integers(0, 1 << 16, tiles), rng.integers(0, 3, tiles)
            # Equal scores: the lower unit wins, whatever its tile.
            scores, units = rng.integers(0, 2, tiles) + 70000, rng.permutation(tiles) + 9
            for i, tile in enumerate(parts.tiles):
                ctx.set(tile.sums.partial, int(partial[i]))
                put(ctx, tile.units, total=total[i], moved=moved[i], score=scores[i],
                    winner=units[i])
                put(ctx, tile.units.states, written=counts[i])
            for _ in range(late):
                await ctx.tick()
            await ctx.delay(1e-8)
            best = min((-score, unit) for score, unit in zip(scores, units, strict=True))
            root = parts.root
            assert ctx.get(root.sums.partial) == partial.sum()
            assert ctx.get(root.units.total) == total.sum() & 0xFFFFFFFF
            assert ctx.get(root.units.moved) == moved.max()
            assert (-ctx.get(root.units.score), ctx.get(root.units.winner)) == best
            assert ctx.get(root.units.states.written) == counts.sum()

    simulate(parts, bench)


def test_items_come_from_the_tile_that_has_one():
    parts, config, _ = fabric(3, 2)

    async def bench(ctx):
        for i, tile in enumerate(parts.tiles):
            put(ctx, tile.items.item, valid=i == 1, last=i == 1, index=40 + i, value=50 + i,
                other=60 + i)
        await ctx.tick().repeat(config.hops)
        await ctx.delay(1e-8)
        item = parts.root.items.item
        assert [ctx.get(port) for port in (item.valid, item.last, item.index, item.value,
                                           item.other)] == [1, 1, 41, 51, 61]

    simulate(parts, bench)


def test_the_turn_goes_down_and_around():
    parts, config, _ = fabric(3, 2)

    async def bench(ctx):
        for giver in range(3):
            put(ctx, parts.tiles[giver].items, passed=1)
            await ctx.tick()
            put(ctx, parts.tiles[giver].items, passed=0)
            await ctx.tick().repeat(config.hops - 1)
            await ctx.delay(1e-8)
            assert [ctx.get(tile.items.mine) for tile in parts.tiles] == [
                int(taker == (giver - 1) % 3) for taker in range(3)]
            await ctx.tick()

    simulate(parts, bench)
