"""Records of boards and families."""

import json
import re
from pathlib import Path

import pytest
from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from apical.boards.build import build as building
from apical.boards.build import flash as flashing
from apical.boards.build import top
from apical.boards.build.catalog import BOARDS, board
from apical.golden.errors import MisuseError
from apical.hw.export.families import FAMILIES, function_of
from apical.hw.interface.config import PRIMITIVES
from apical.hw.interface.presets import PRESETS, preset
from apical.hw.primitives import pll
from apical.sim.simulators.runner import lint
from apical.sim.simulators.virtual import Pins, board_bench

RECORDED = Path(__file__).resolve().parents[3] / "docs" / "recorded"


@pytest.mark.parametrize("name", BOARDS)
def test_records_are_whole(name):
    chosen = board(name)
    config = preset(chosen.preset)
    assert config.primitives == chosen.device.family.name
    assert config.width <= chosen.device.multipliers
    assert set(chosen.leds) <= {"alive", "busy", "error"}
    assert chosen.sram or chosen.flash
    for words in (chosen.sram, chosen.flash):
        assert words is None or words[0] in flashing.PACKAGES
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
    with pytest.raises(MisuseError, match="^unknown board 'nexys'; known: icebreaker, icesugar, "):
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


class Echo(wiring.Component):
    """In place of an engine with a serial line."""

    def __init__(self, config, divisor):
        super().__init__({"receive": In(1), "transmit": Out(1), "busy": Out(1), "error": Out(1)})

    def elaborate(self, platform):
        m = Module()
        m.d.sync += [self.transmit.eq(self.receive), self.busy.eq(~self.receive)]
        return m


#: One board of each preset has its engine in this test, the others only what is around it.
WHOLE = {chosen.preset: name for name, chosen in reversed(BOARDS.items())}


@pytest.mark.parametrize("name", BOARDS)
def test_every_top_level_can_be_generated(name, monkeypatch):
    pytest.importorskip("amaranth_boards")
    chosen = board(name)
    if name not in WHOLE.values():
        monkeypatch.setattr(top, "SerialEngine", Echo)
    config = preset(chosen.preset).replace(lanes=2, update_lanes=1, weight_depth=64)
    rtlil, constraints = building.board_files(chosen, config)
    assert "rx" in constraints
    assert "tx" in constraints
    made = re.findall(r"cell \\(\w*PLL\w*)", rtlil)
    assert made == ["SB_PLL40_CORE" if name == "upduino-v3" else
                    {"ice40": "SB_PLL40_PAD", "ecp5": "EHXPLLL", "gowin": "rPLL"}[
                        chosen.device.family.name]]


@pytest.mark.parametrize("name", ["upduino-v3", "tang-nano-9k", "icepi-zero"])
def test_the_virtual_board_takes_the_pins_and_the_pll(name, monkeypatch):
    """Pin cells of inputs, outputs and clock, and each form of PLL that needs a model."""
    monkeypatch.setattr(top, "SerialEngine", Echo)
    chosen = board(name)
    rtlil, _ = building.board_files(chosen, preset(chosen.preset))
    bench = board_bench(rtlil, chosen.device.family.name, Pins(**top.pin_names(chosen)))
    found = lint(bench.verilog, "board")
    assert not [line for line in found if "MODMISSING" in line or "MULTIDRIVEN" in line]


#: Ports of the top level and the pins that the makers of the boards name for them.
PINS = {
    "icesugar": {"clk12": "35", "rx": "4", "tx": "6", "led_g": "41"},
    "upduino-v3": {"clk12": "20", "rx": "28", "tx": "38", "led_0": "39"},
    "pico-ice": {"clk12": "35", "rx": "27", "tx": "25", "led_0": "39"},
    "icesugar-pro": {"clk25": "P6", "rx": "A9", "tx": "B9", "led_0": "A12"},
    "icepi-zero": {"clk50": "M1", "rx": "K16", "tx": "K15", "led_0": "E13"},
    "tang-nano-9k": {"clk27": "52", "rx": "18", "tx": "17", "led_0": "10"},
    "tang-nano-20k": {"clk27": "4", "rx": "70", "tx": "69", "led_0": "15"},
}


@pytest.mark.parametrize("name", PINS)
def test_pins_are_those_of_the_makers(name):
    pytest.importorskip("amaranth_boards")
    chosen = board(name)
    platform = top.platform_of(chosen)
    clock = platform.lookup(platform.default_clk)
    pins = {platform.default_clk: clock.ios[0]}
    pins |= {line.name: line.ios[0] for line in platform.lookup(*chosen.uart).ios}
    place, number = chosen.leds["alive"]
    pins[place if place != "led" else "led_0"] = platform.lookup(place, number).ios[0]
    found = {key: pin.map_names(platform._conn_pins, pin) for key, pin in pins.items()}
    assert {key: found[key][0] for key in PINS[name]} == PINS[name]
    assert clock.clock.frequency == chosen.clock_in


def test_divisors_of_a_pll_make_the_clock():
    for clock_in, clock in ((27_000_000, 27_000_000), (27_000_000, 54_000_000),
                            (27_000_000, 36_000_000), (27_000_000, 40_500_000)):
        divide, feed, out = pll.gowin_divisors(clock_in, clock)
        assert clock_in * feed == clock * divide
        assert 500e6 <= clock * out <= 1200e6
        assert clock_in / divide >= 3e6
        assert max(divide, feed) <= 64
    with pytest.raises(ValueError, match="no PLL setting from 27000000 to 31000000 Hz"):
        pll.gowin_divisors(27_000_000, 31_000_000)


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
        assert callable(function_of(family.pll))
        assert set(family.cells) >= {"luts", "dsps", "rams"}
        assert "ffs" in family.cells or family.flip_flops


def test_engines_of_a_board_are_presets_that_can_be_built():
    for name, chosen in BOARDS.items():
        assert chosen.preset in chosen.targets
        for engine, target in chosen.targets.items():
            assert engine in PRESETS
            assert board(name, engine).clock == target.clock <= chosen.fastest
