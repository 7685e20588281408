"""Records of boards and families."""

import json
from pathlib import Path

import pytest

from apical.boards.build import build as building
from apical.boards.build import flash as flashing
from apical.boards.build.catalog import BOARDS, board
from apical.golden.errors import MisuseError
from apical.hw.export.families import FAMILIES
from apical.hw.interface.config import PRIMITIVES
from apical.hw.interface.presets import PRESETS, preset

RECORDED = Path(__file__).resolve().parents[3] / "docs" / "recorded"


@pytest.mark.parametrize("name", BOARDS)
def test_records_are_whole(name):
    chosen = board(name)
    config = preset(chosen.preset)
    assert config.primitives == chosen.device.family.name
    assert config.lanes <= chosen.device.multipliers
    assert set(chosen.leds) <= {"alive", "busy", "error"}
    assert chosen.sram or chosen.flash
    assert chosen.divisor >= 4
    # What the receiver makes of a byte depends on the last of its ten bits.
    assert abs(chosen.divisor * chosen.baud / chosen.clock - 1) < 0.02


@pytest.mark.parametrize("path", sorted(RECORDED.glob("build-*.json")), ids=lambda path: path.stem)
def test_a_board_begins_with_the_seed_that_was_recorded(path):
    made = json.loads(path.read_text())["report"]
    chosen = board(made["board"], made["preset"])
    assert made["seed"] == chosen.seed
    assert made["fmax_mhz"] >= made["clock_mhz"] == chosen.clock / 1e6


def test_an_unknown_board_is_refused_with_the_known_ones():
    with pytest.raises(MisuseError, match="^unknown board 'nexys'; known: icebreaker, ulx3s-12f"):
        board("nexys")


def test_another_preset_for_a_board():
    chosen = board("ulx3s-25f", "ulx3s-25f-learning")
    assert preset(chosen.preset).learning
    assert board("ulx3s-25f").preset == "ulx3s-25f"
    assert chosen.clock == board("ulx3s-25f").clock == 100_000_000
    assert chosen.seed != board("ulx3s-25f").seed
    # A slower engine lowers the clock, and the serial rate still divides it.
    slow = board("ulx3s-25f", "ulx3s-45f")
    assert slow.clock == 80_000_000 == slow.divisor * slow.baud
    assert board("orangecrab-25f", "ulx3s-45f").clock == board("orangecrab-25f").clock
    assert board("ulx3s-45f", "ulx3s-25f").clock == 100_000_000 > board("ulx3s-45f").clock
    with pytest.raises(MisuseError, match="^preset 'icebreaker' is made of ice40 cells, board"):
        board("ulx3s-25f", "icebreaker")


@pytest.mark.parametrize("name", BOARDS)
def test_every_top_level_can_be_generated(name):
    pytest.importorskip("amaranth_boards")
    config = preset(board(name).preset).replace(lanes=2, update_lanes=1, weight_depth=64)
    rtlil, constraints = building.board_files(board(name), config)
    assert "top" in rtlil
    assert "rx" in constraints
    assert "tx" in constraints


def test_the_command_of_the_ulx3s():
    chosen = board("ulx3s-25f")
    assert flashing.command(chosen, "x.bit", "sram") == [
        "openFPGALoader", "-b", "ulx3s", "-m", "x.bit"]
    assert flashing.command(chosen, "x.bit", "flash") == [
        "openFPGALoader", "-b", "ulx3s", "-f", "x.bit"]


def test_every_family_of_cells_is_a_record():
    assert set(FAMILIES) == set(PRIMITIVES) - {"portable"}
    for name, family in FAMILIES.items():
        assert family.name == name
        assert callable(family.make_pll())
        assert set(family.cells) >= {"luts", "dsps", "rams"}
        assert "ffs" in family.cells or family.flip_flops


def test_engines_of_a_board_are_presets_that_can_be_built():
    for name, chosen in BOARDS.items():
        assert chosen.preset in chosen.targets
        for engine, target in chosen.targets.items():
            assert engine in PRESETS
            assert board(name, engine).clock == target.clock <= chosen.fastest
