"""Memory images: what a host writes, and where."""

import numpy as np
import pytest

from apical.golden.errors import MisuseError
from apical.golden.network import layered
from apical.golden.program import Decide, Program, Relax
from apical.golden.program.layered import drive, inference, nudged, step, sweep
from apical.hw.assembler.assembler import assemble, config_for
from apical.hw.assembler.image import (
    event_words,
    input_writes,
    program_writes,
    register_write,
    weight_place,
    weight_words,
    weight_writes,
)
from apical.hw.interface.isa import EVENT, REGISTERS, Kind, Space, address, lane_address

RNG = np.random.default_rng(9)


def nudged_program(network):
    """A program that reads inputs as events and targets as words."""
    return Program("nudged", (*drive(network), *sweep(network),
                              Relax(2, step(network, nudges=nudged())), Decide("y")))


def assembly(sizes=(9, 7, 5), lanes=4, program=inference, **options):
    network = layered(sizes)
    made = program(network, **options)
    return assemble(network, made, config_for(network, made, lanes))


@pytest.mark.parametrize(("sizes", "lanes"), [((9, 7, 5), 4), ((3, 20, 2), 7), ((5, 5), 1),
                                              ((2, 3, 2), 64)])
def test_every_weight_is_where_it_should_be(sizes, lanes):
    made = assembly(sizes, lanes)
    weights = {m.name: RNG.integers(-3000, 3000, m.shape) for m in made.network.matrices}
    memory = weight_words(made, weights)
    used = np.zeros(memory.shape, bool)
    for name, raw in weights.items():
        for (row, col), value in np.ndenumerate(raw):
            place = weight_place(made, name, row, col)
            assert memory[place] == value and not used[place]
            used[place] = True
    assert not memory[~used].any(), "padding is not 0"
    addresses, data = weight_writes(made, weights)
    for word, lane in np.ndindex(memory.shape):
        position = word * lanes + lane  # lanes of a word in order
        assert addresses[position] == lane_address(Space.WEIGHTS, word, lane)
        assert data[position] == memory[word, lane] & 0xFFFF
    assert len(addresses) == memory.size


@pytest.mark.parametrize(("values", "events"), [
    ([0, 5, 0, -3], [(1, 5), (3, 0xFFFD)]), ([7], [(0, 7)]), ([0, 0, 0], [(0, 0)]),
    ([1, 2, 3], [(0, 1), (1, 2), (2, 3)])])
def test_events(values, events):
    words = [EVENT.decode(int(word)) for word in event_words(np.array(values))]
    assert [(word["index"], word["value"]) for word in words] == events
    assert [word["last"] for word in words] == [0] * (len(events) - 1) + [1]


@pytest.mark.parametrize("bank", [0, 1])
def test_inputs_go_into_their_bank(bank):
    made = assembly(program=nudged_program)
    places = made.placement.vectors
    assert places["x", "state"].kind == Kind.EVENT and places["d", "state"].kind == Kind.STATE
    inputs = {"x": RNG.integers(-5, 5, (3, 9)), "d": RNG.integers(1, 4096, (3, 5))}
    writes = dict(zip(*map(np.ndarray.tolist, input_writes(made, inputs, 2, bank)), strict=True))
    first = address(Space.EVENTS, bank * made.config.event_depth)
    for number, word in enumerate(event_words(inputs["x"][2])):
        assert writes.pop(first + number) == word
    base = places["d", "state"].base + 2 * bank  # 5 units are 2 words of 4
    for unit in range(8):
        value = inputs["d"][2][unit] if unit < 5 else 0
        assert writes.pop(lane_address(Space.STATE, base + unit // 4, unit % 4)) == value
    assert not writes


def test_a_missing_input_is_named():
    with pytest.raises(MisuseError, match="no input for population 'x', which program 'inference"):
        input_writes(assembly(), {}, 0, 0)


def test_instructions_and_descriptors_low_half_first():
    made = assembly()
    addresses, data = program_writes(made)
    count = 2 * len(made.instructions)
    assert addresses[:count].tolist() == [address(Space.PROGRAM, i) for i in range(count)]
    for words, offset in ((made.instructions, 0), (made.descriptors, count)):
        for number, word in enumerate(words):
            low, high = (int(x) for x in data[offset + 2 * number:offset + 2 * number + 2])
            assert high << 32 | low == int(word)
    assert addresses[count] == address(Space.DESCRIPTORS) and addresses.dtype == np.uint32


def test_register_write():
    addresses, data = register_write("signature", -1)
    assert (addresses.tolist(), data.tolist()) == ([REGISTERS["signature"].address], [0xFFFFFFFF])
