"""Start of a board: the reset lasts until clock and block RAM can be trusted."""

from amaranth.sim import Simulator

from apical.boards.build.catalog import BOARDS
from apical.boards.build.top import BLOCK_RAM_READY, RESET_CYCLES, StartUp


def test_reset_ends_so_many_cycles_after_the_lock_and_comes_back():
    start = StartUp()

    async def bench(ctx):
        for _ in range(2):
            await ctx.tick().repeat(40)
            assert ctx.get(start.reset), "no lock yet"
            ctx.set(start.locked, 1)
            for _ in range(RESET_CYCLES + 3):
                assert ctx.get(start.reset)
                await ctx.tick()
            assert not ctx.get(start.reset)
            await ctx.tick().repeat(RESET_CYCLES)
            assert not ctx.get(start.reset), "the counter goes no further"
            ctx.set(start.locked, 0)
            await ctx.tick().repeat(4)
            assert ctx.get(start.reset)

    simulator = Simulator(start)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()


def test_the_reset_covers_the_time_in_which_block_ram_reads_zero():
    boards = [board for board in BOARDS.values() if board.device.family.name == "ice40"]
    assert boards
    for board in boards:
        assert RESET_CYCLES / board.fastest > 2 * BLOCK_RAM_READY, board.name
