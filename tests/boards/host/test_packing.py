"""Packed images: exactness, length, and that they go when they are the shorter way."""

import numpy as np
import pytest
from device_case import CONFIG, INFERENCE, NETWORK, SEED, WEIGHTS, agree, expected, inputs

from apical.boards.host.device import Device
from apical.boards.host.golden_port import GoldenPort
from apical.boards.host.links import Link
from apical.boards.host.packing import Packer, decoded, plain_bytes, scale_for
from apical.golden.learning.fixed import raw_values
from apical.golden.numbers.formats import STATE, Format
from apical.hw.interface.isa import LANE_BITS, SPACE_LOW, Space
from apical.hw.interface.presets import preset
from apical.hw.interface.protocol import PACKED, next_addresses, unpacks


@pytest.mark.parametrize("levels", [2, 16, 17, 64, 256])
@pytest.mark.parametrize("state", [STATE, Format(16, 14), Format(12, 8), Format(8, 6)])
def test_pixels_of_so_many_levels_are_exact(levels, state):
    """Of bytes and of fewer levels, in any format of states: the same raw values come back."""
    raw = raw_values(np.arange(levels) / (levels - 1), state).astype(int)
    scale = scale_for(raw)
    packer = Packer(scale, 4)
    assert packer.fits(raw)
    codes = packer._codes[raw]
    assert decoded(codes[1:], scale).tolist() == raw[1:].tolist()
    assert codes[0] == 0


@pytest.mark.parametrize("values", [[], [0, 0], [5, -1], [4096, 4095, 3, 2, 1], [32767] * 3 + [1]])
def test_what_no_byte_says_is_not_packed(values):
    scale = scale_for(np.array(values, int))
    assert scale is None or Packer(scale, 4).fits(values)
    assert not Packer(4112, 4).fits(values or [-1]) or not any(values)


def test_addresses_go_on_as_those_of_a_burst():
    values = np.full(300, 4096)
    places, words = Packer(scale_for(values), 22).writes(values)
    assert len(words) == 150
    assert (places[1:] == next_addresses(places[:-1].astype(int), 22)).all()
    assert places[0] == PACKED
    assert places[22] == PACKED | 1 << LANE_BITS


def test_events_go_where_they_are_as_short():
    packer = Packer(4112, 4)
    one = np.zeros(50, int)
    assert packer.writes(one) is None
    one[9] = 4096
    assert packer.writes(one) is None
    one[30] = 16
    assert len(packer.writes(one)[1]) == 3


def sent(config, given):
    """Writes to packed images and to events of a run, the results, the device."""
    link = Link.over_port(GoldenPort(config), config, "the fixed executor")
    device, seen = Device.open(link, config), []
    device.load(NETWORK, INFERENCE, WEIGHTS, seed=SEED)
    link.record = seen.append
    found = device.run(given)
    spaces = [int(what["addresses"][0]) >> SPACE_LOW for what in seen if len(what["addresses"])]
    return spaces.count(PACKED >> SPACE_LOW), spaces.count(Space.EVENTS), found, device


def test_a_device_packs_what_it_can():
    """Byte images are packed, others and empty ones go as events; results are the same."""
    given = {"x": inputs(4)["x"]}
    assert sent(CONFIG, given)[:2] == (0, 4)
    given["x"] = decoded(given["x"] % 256, 4112) * (given["x"] > 0)
    packed, events, found, device = sent(CONFIG, given)
    assert (packed, events) == (3, 1)  # the first image of `inputs` is empty
    agree(found, expected(INFERENCE, given)[0])
    link = device.link
    shorter = link.sent_payload - device.effective_payload
    assert shorter == 4 + sum(2 * len(device._packer.writes(x)[1]) for x in given["x"][1:]) \
        - sum(map(plain_bytes, given["x"]))
    # Another scale when other images need it.
    small = {"x": (given["x"] > 0) * 100}
    before = device._packer.scale
    agree(device.run(small), expected(INFERENCE, small, first_image=4)[0])
    assert device._packer.scale != before


def test_a_small_device_gets_events():
    config = preset("icebreaker")
    assert not unpacks(config)
    given = {"x": decoded(inputs(4)["x"] % 256, 4112)}
    packed, events, found, _ = sent(config, given)
    assert (packed, events) == (0, 4)
    assert found.signatures.tolist() == sent(CONFIG.replace(weight=config.weight),
                                             given)[2].signatures.tolist()
