"""Cells of each family against the portable forms, cycle by cycle, in Verilator."""

import pytest
from amaranth.sim import Simulator
from primitive_bench import PAIRS, disagreements

from apical.golden.errors import MisuseError
from apical.hw.engine.lanes import Multiplier
from apical.hw.interface.config import PRIMITIVES, EngineConfig
from apical.hw.interface.presets import preset
from apical.hw.primitives import segmented


@pytest.mark.slow
@pytest.mark.parametrize("family", PAIRS)
def test_tuned_cells_do_what_the_portable_forms_do(family):
    wrong, compared = disagreements(family)
    assert wrong == [0] * len(PAIRS[family])
    assert compared > 10_000 * len(PAIRS[family])


@pytest.mark.slow
def test_the_bench_sees_a_wrong_cell():
    """One partial product of the multiplier model is lost."""
    def broken(text):
        assert text.count("assign p_Al_Bl = Al * Bl;") == 1
        return text.replace("assign p_Al_Bl = Al * Bl;", "assign p_Al_Bl = 0;")

    wrong, _ = disagreements("ice40", 2000, broken)
    assert all(wrong[:4]) and wrong[-1]
    assert not any(wrong[4:-1])  # the others multiply nothing


@pytest.mark.parametrize("latency", [1, 2, 3, 4])
def test_the_portable_multiplier_is_exact_at_its_corners(latency):
    multiplier = Multiplier(latency)
    corners = [(a, b) for a in (-32768, -1, 0, 32767) for b in (-32768, -1, 0, 32767, 32768)]

    async def bench(ctx):
        for a, b in corners:
            ctx.set(multiplier.a, a)
            ctx.set(multiplier.b, b)
            await ctx.tick().repeat(latency)
            assert ctx.get(multiplier.product) == a * b

    simulator = Simulator(multiplier)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()


@pytest.mark.parametrize(("width", "depth", "blocks"), [
    (352, 2560, 50),   # 22 lanes of 16 bits: 784-64-10 beside 6 block RAMs for the rest
    (32, 2048, 4), (32, 192, 1), (176, 5120, 50), (36, 512, 1), (1, 16384, 1),
])
def test_segments_take_the_fewest_block_rams(width, depth, blocks):
    chosen = segmented.segments(width, depth)
    assert sum(chosen) >= depth
    assert segmented.block_rams(width, chosen) == blocks


def test_unknown_primitives_are_refused():
    with pytest.raises(MisuseError, match="^unknown primitives 'nexus'; known: portable, ice40"):
        EngineConfig(primitives="nexus")


@pytest.mark.parametrize("name", ["icebreaker", "ulx3s-25f", "tang-nano-9k"])
def test_presets_use_the_cells_of_their_device(name):
    assert preset(name).primitives in PRIMITIVES[1:]
