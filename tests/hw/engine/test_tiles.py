"""Engines of several tiles: every bit is that of the fixed executor, and faults are named."""

import numpy as np
import pytest
from amaranth.hdl import Signal
from engine_case import compare, random_inputs, random_weights
from learn_case import run as learn
from test_mutants import words_program

import apical.hw.engine.engine
from apical.golden.errors import MisuseError
from apical.golden.executors.fixed.executor import FixedExecutor
from apical.golden.network import layered
from apical.golden.program.layered import inference
from apical.golden.systems import equilibrium
from apical.hw.assembler.assembler import assemble, config_for
from apical.hw.engine.fabric import Fabric
from apical.hw.interface.config import EngineConfig, most_words
from apical.hw.interface.isa import Space, lane_address
from apical.hw.interface.protocol import next_addresses
from apical.sim.bench.job import answers, inference_job
from apical.sim.compare.compare import Expectation, compare_reports, compare_trace
from apical.sim.simulators.pysim import PysimEngine

#: The engine of the faults: two tiles of two lanes.
NETWORK = layered((6, 8, 4))
PROGRAM = inference(NETWORK, 1)
RNG = np.random.default_rng(5)
WEIGHTS = {name: np.abs(raw) + 1 for name, raw in random_weights(NETWORK, RNG, 900).items()}
INPUTS = {"x": RNG.integers(1, 4097, (1, 6))}


def test_one_tile_keeps_the_name_it_had():
    plain = EngineConfig(lanes=8)
    assert plain.hash == plain.replace(tiles=1, hop=1).hash != plain.replace(tiles=2).hash
    assert (plain.hops, plain.replace(tiles=2, hop=3).hops) == (0, 3)
    assert EngineConfig.from_dict(plain.replace(tiles=2).to_dict()) == plain.replace(tiles=2)


@pytest.mark.parametrize(("fields", "message"), [
    ({"tiles": 9}, "tiles is 9; it goes from 1 to 8"),
    ({"tiles": 2, "lanes": 64}, "2 tiles of 64 lanes are 128 lanes; an engine has 127 at most"),
    ({"tiles": 2, "update_lanes": 1, "learning": True, "learn_unit": "serial"},
     "the serial learning unit works in one tile, not in 2"),
    ({"tiles": 4, "lanes": 22, "weight_depth": 1 << 15},
     "weight depth is 32768; it goes from 2 to 16384"),
])
def test_tiles_that_cannot_be(fields, message):
    with pytest.raises(MisuseError, match=message):
        EngineConfig(**fields)


@pytest.mark.parametrize("lanes", [1, 44, 64, 65, 88, 127])
def test_bursts_go_through_all_lanes_and_reach_the_last_word(lanes):
    last = lane_address(Space.WEIGHTS, most_words(lanes) - 1, lanes - 1, lanes)
    assert last >> 21 == Space.WEIGHTS
    place = lane_address(Space.STATE, 3, lanes - 1, lanes)
    assert next_addresses(place, lanes) == lane_address(Space.STATE, 4, 0, lanes)
    assert lanes == 1 or next_addresses(place - 1, lanes) == place


def test_state_words_on_tiles_are_bit_exact():
    """Items of state words from three tiles, two of which are full."""
    rng = np.random.default_rng(3)
    network = layered((5, 4, 4))
    made = words_program(network)
    config = config_for(network, made, 1, tiles=3, hop=2)
    differences, reports = compare(network, made, config, random_weights(network, rng),
                                   random_inputs(network, made, rng, 1, 0.6))
    assert differences == [] and reports[0]["writes"] > 15


def test_a_loop_waits_for_the_movement_of_the_last_unit():
    """The hidden units stand still at 1; the one that moves is written last."""
    network = layered((3, 4, 1))
    made = inference(network, 20, start="zero", settled=0.1)
    weights = {"W1": np.full((3, 4), 9000), "W2": np.full((4, 1), 900), "b1": np.full((1, 4), 900),
               "b2": np.full((1, 1), 100)}
    config = config_for(network, made, 1, tiles=3)
    differences, reports = compare(network, made, config, weights, {"x": np.full((1, 3), 4096)})
    assert differences == [] and 2 < reports[0]["image_steps"] < 20


def test_learning_on_tiles_is_bit_exact():
    network = layered((5, 4, 3))
    program = equilibrium.training(network, steps=1, nudge_steps=1)
    told = learn(network, program, {m.name: 0.4 for m in network.matrices}, 2, 1, images=1,
                 tiles=2)
    assert told.good, told
    assert told.comparison.weights_compared > 20 and told.changed > 0.1


def drops_an_item(self, m, path, port, tiles):
    """The second beat after the reset does not come to tile 1."""
    if path[-2:] == ("operand", "beat"):
        seen = Signal(range(3))
        with m.If(port.valid & (seen != 2)):
            m.d.sync += seen.eq(seen + 1)
        kept = Signal.like(port)
        m.d.comb += [kept.eq(port), kept.valid.eq(port.valid & (seen != 1))]
        Fabric._tell(self, m, (*path, "kept"), kept, tiles[1:])
        tiles = tiles[:1]
    Fabric._tell(self, m, path, port, tiles)


def is_late(self, m, path, port, tiles):
    """The partial sum of tile 1 comes one cycle late."""
    if path[-1] == "partial":
        late = Signal.like(tiles[1])
        m.d.sync += late.eq(tiles[1])
        tiles = [tiles[0], late]
    Fabric._answer(self, m, path, port, tiles)


def swaps_tiles(self, m, path, port, tiles):
    """What the host loads into one tile comes to the other."""
    if path[-1] == "tiles":
        port = port[::-1]
    Fabric._tell(self, m, path, port, tiles)


def bench(monkeypatch, **wrong):
    """What the bench says of one image on an engine with such a fabric: (comparison, registers)."""
    faulty = type("FaultyFabric", (Fabric,), wrong)
    monkeypatch.setattr(apical.hw.engine.engine, "Fabric", faulty)
    config = config_for(NETWORK, PROGRAM, 2, update_lanes=1, tiles=2)
    expected = FixedExecutor(NETWORK, WEIGHTS).run(PROGRAM, INPUTS, seed=5, record=True)
    job = inference_job(assemble(NETWORK, PROGRAM, config), WEIGHTS, INPUTS, seed=5)
    engine = PysimEngine(config)
    words = engine.play(job.words)
    outcome = compare_trace(Expectation(expected), engine.records()["state"])
    agree = compare_reports(expected, answers(job, words)[0])
    return outcome, [name for name, ok in agree.items() if not ok.all()]


def where(weights):
    """Where weights that differ show first, as the fixed executor says it."""
    healthy, other = (Expectation(FixedExecutor(NETWORK, raw).run(PROGRAM, INPUTS, seed=5,
                                                                  record=True))
                      for raw in (WEIGHTS, weights))
    return healthy.first_difference(other)


def test_an_item_that_a_tile_misses_is_named(monkeypatch):
    outcome, registers = bench(monkeypatch, _tell=drops_an_item)
    # The second pixel is missing in lanes 2 and 3 of the first block.
    weights = {**WEIGHTS, "W1": WEIGHTS["W1"].copy()}
    weights["W1"][1, 2:4] = 0
    first = where(weights)
    assert first.place() == {"operation": "Update h1", "step": None, "population": "h1", "unit": 2}
    assert outcome.first.place() == first.place()
    assert (outcome.first.expected, outcome.first.got) == (first.expected, first.got)
    assert "signature" in registers


def test_a_partial_sum_that_is_late_is_named(monkeypatch):
    outcome, registers = bench(monkeypatch, _answer=is_late)
    first = outcome.first
    # Sums of one tile come to those of another unit: in the first step, which reads a dot sum.
    assert (first.kind, first.image) == ("value", 0) and first.expected != first.got
    assert (first.operation, first.population, first.step) == ("Update h1", "h1", 0)
    assert "signature" in registers


def test_swapped_tiles_are_named(monkeypatch):
    outcome, registers = bench(monkeypatch, _tell=swaps_tiles)
    # Lanes 0, 1 and 2, 3 of each word change places.
    swapped = {name: raw.reshape(len(raw), -1, 2, 2)[:, :, ::-1].reshape(raw.shape)
               for name, raw in WEIGHTS.items()}
    first = where(swapped)
    assert outcome.first.place() == first.place()
    assert (outcome.first.expected, outcome.first.got) == (first.expected, first.got)
    assert "signature" in registers


def test_the_healthy_fabric_is_not_named(monkeypatch):
    outcome, registers = bench(monkeypatch)
    assert (outcome.mismatches, registers) == (0, []) and outcome.compared > 20
