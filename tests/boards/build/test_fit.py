"""Which networks fit a board, and the list of boards."""

import json
import re

import pytest

from apical.boards.build.catalog import BOARDS, board
from apical.boards.build.fit import (
    build_line,
    fits,
    greatest_hidden,
    preset_for,
    presets_for,
    suggestion,
    systems_on_boards,
    with_weight_bits,
)
from apical.cli import main
from apical.golden.network import layered
from apical.golden.systems import equilibrium
from apical.golden.systems.cases import case_names, learning_case
from apical.golden.systems.registry import systems
from apical.hw.assembler.assembler import reasons
from apical.hw.export import synthesis
from apical.hw.interface.presets import preset
from apical.hw.primitives.segmented import block_rams, segments


@pytest.mark.parametrize(("name", "hidden"), [("icebreaker", 64), ("ulx3s-25f", 64),
                                              ("ulx3s-45f", 128), ("ulx3s-85f", 256),
                                              ("tang-nano-20k", 32)])
def test_the_presets_hold_a_network_for_mnist_at_16_bits(name, hidden):
    """And the block RAM of the device holds the memories."""
    chosen = board(name)
    config = preset(chosen.preset)
    assert fits((784, hidden, 10), config) == []
    if chosen.device.family.name != "ice40":
        rams = block_rams(16 * config.lanes, segments(16 * config.lanes, config.weight_depth))
        rams += 2 * block_rams(32, segments(32, config.event_depth))
        assert rams < chosen.device.rams


@pytest.mark.parametrize(("name", "hidden"), [("ulx3s-45f", 128), ("ulx3s-85f", 256)])
def test_the_presets_hold_what_learning_keeps(name, hidden):
    network = layered((784, hidden, 10))
    assert reasons(network, equilibrium.training(network), preset(name)) == []


def test_what_fits_grows_with_narrow_weights():
    config = preset("icebreaker")
    wide = greatest_hidden(784, 10, config)
    narrow = greatest_hidden(784, 10, with_weight_bits(config, 8))
    assert 64 <= wide < narrow
    assert fits((784, wide, 10), config) == []
    assert fits((784, wide + 1, 10), config)


def test_a_suggestion_fits():
    config = preset("ulx3s-25f")
    told = suggestion((784, 500, 500, 10), config)
    layers = tuple(map(int, told.split()[0].split("-")))
    assert fits(layers, config) == []


@pytest.mark.parametrize("name", ["icebreaker", "ulx3s-25f"])
def test_a_network_too_large_is_refused_before_any_tool_runs(name, capsys, monkeypatch):
    monkeypatch.setattr(synthesis, "find_tool", None)
    assert main(["build", "--board", name, "--layers", "784-512-10"]) == 2
    told = capsys.readouterr().err
    assert told.count("\n") == 1
    assert f"784-512-10 does not fit {name}: needs" in told
    assert "-10 would fit" in told


def test_the_list_of_boards_is_computed(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("apical.boards.build.fit.greatest_hidden", lambda i, o, c: c.weight.width)
    assert main(["boards", "--json", str(tmp_path / "boards.json")]) == 0
    listed = json.loads((tmp_path / "boards.json").read_text())
    assert [entry["board"] for entry in listed] == list(BOARDS)
    assert listed[0]["greatest_hidden"]["784-H-10"] == {"16": 16, "8": 8}
    assert "icebreaker" in capsys.readouterr().out


#: Systems that no engine runs, and why.
NOWHERE = {"ep-spiking": "an engine keeps what was there"}


@pytest.mark.parametrize("name", ["icebreaker", "ulx3s-12f", "ulx3s-25f", "colorlight-i5"])
def test_some_preset_of_the_board_runs_every_system(name):
    found = systems_on_boards()[name]
    assert list(found) == presets_for(board(name)) and next(iter(found)) == board(name).preset
    for one in systems():
        answers = [answer[one] for answer in found.values()]
        assert (True in answers) != (one in NOWHERE), one
        assert all(a is True or "needs" in a or NOWHERE.get(one, "-") in a for a in answers), one


@pytest.mark.parametrize(("system", "engine"), [
    ("ep", "icebreaker-learning"), ("ghost", "icebreaker-ghosts"),
    ("flow-visible", "icebreaker-ghosts"), ("flow-rbm", "icebreaker-sampling"),
    ("cd", "icebreaker-sampling"), ("early-inference", "icebreaker-langevin")])
def test_the_engine_of_the_fewest_units_that_runs_a_system_is_taken(system, engine):
    assert preset_for(board("icebreaker"), system) == engine


def test_a_full_engine_holds_every_case():
    for name in set(case_names()) - set(NOWHERE):
        case = learning_case(name)
        assert reasons(case.network, case.program, preset("ulx3s-25f-full")) == [], name


def test_the_line_that_builds_an_engine_for_a_program():
    case = learning_case("ghost-online")
    for engine, place, line in (
            ("icebreaker-langevin", None, "icebreaker --preset icebreaker-ghosts"),
            ("ulx3s-25f-learning", None, "ulx3s-25f --preset ulx3s-25f-full"),
            ("ulx3s-25f", "colorlight-i5", "colorlight-i5 --preset ulx3s-25f-full")):
        found = build_line(preset(engine), case.network, case.program, place and board(place))
        assert found == f"apical build --board {line}"
    assert build_line(preset("ulx3s-45f"), case.network, case.program) is None


def test_the_list_of_systems(tmp_path, capsys):
    assert main(["boards", "--systems", "--json", str(tmp_path / "systems.json")]) == 0
    assert json.loads((tmp_path / "systems.json").read_text()) == systems_on_boards()
    told = capsys.readouterr().out
    assert "needs the noise unit, which this engine lacks" in told
    assert re.search(r"^icebreaker-langevin: .*flow-rbm.*: needs the table \(smooth\) unit", told,
                     re.MULTILINE)
