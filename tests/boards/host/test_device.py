"""The driver over the fixed executor: identification, loading, results, learning, refusals."""

import numpy as np
import pytest
from device_case import (
    CONFIG,
    DENSITY,
    INFERENCE,
    NETWORK,
    RATES,
    SEED,
    TRAINING,
    WEIGHTS,
    agree,
    drive,
    expected,
    inputs,
)

from apical.boards.host.device import Device
from apical.boards.host.golden_port import GoldenPort
from apical.boards.host.links import Link
from apical.boards.host.training import DeviceExecutor
from apical.golden.errors import ApicalError, DoesNotFitError, MisuseError
from apical.golden.network import layered
from apical.golden.program.layered import inference
from apical.hw.interface.config import ENGINE_VERSION
from apical.hw.interface.isa import REGISTERS, Space, address
from apical.hw.interface.presets import PRESETS, preset


def golden(config=CONFIG):
    return Link.over_port(GoldenPort(config), config, "the fixed executor")


def test_everything_a_device_does():
    device = Device.open(golden(), CONFIG)
    drive(device)
    assert device.register("image") == 6
    assert device.registers()["done"] == 6


def test_two_input_banks_and_one():
    for banks in (1, 2):
        config = CONFIG.replace(input_banks=banks)
        device = Device.open(golden(config), config)
        given = {"x": inputs(3)["x"]}
        device.load(NETWORK, INFERENCE, WEIGHTS, seed=SEED, density=DENSITY)
        agree(device.run(given), expected(INFERENCE, given)[0])
        assert device.state("y").tolist() == \
            expected(INFERENCE, given)[0].states["y", "state"][-1].tolist()


@pytest.mark.parametrize(("tiles", "lanes"), [(2, 3), (3, 22)])
def test_an_engine_of_tiles_is_one_of_all_their_lanes(tiles, lanes):
    """Addresses of more than 64 lanes have another bit."""
    config = CONFIG.replace(tiles=tiles, lanes=lanes, update_lanes=1)
    device = Device.open(golden(config), config)
    given = {"x": inputs(3)["x"]}
    device.load(NETWORK, INFERENCE, WEIGHTS, seed=SEED, density=DENSITY)
    agree(device.run(given), expected(INFERENCE, given)[0])
    assert device.state("y").tolist() == \
        expected(INFERENCE, given)[0].states["y", "state"][-1].tolist()
    assert all(np.array_equal(raw, WEIGHTS[name]) for name, raw in device.weights().items())


def test_without_a_configuration_any_preset_is_taken():
    for config in PRESETS.values():
        assert Device.open(golden(config)).config == config
    with pytest.raises(MisuseError, match=f"has configuration {CONFIG.hash}, 4 lanes, 2 update "
                                          "lanes, which is none of this version's presets; name"):
        Device.open(golden())


def test_another_engine_is_refused_in_words():
    other = preset("icebreaker")
    with pytest.raises(MisuseError, match=rf"^the engine at the fixed executor has configuration "
                       rf"{other.hash} \(4 lanes, 1 update lanes, preset icebreaker\), wanted is "
                       rf"{CONFIG.hash} \(4 lanes, 2 update lanes\); load the right bitstream"):
        Device.open(golden(other), CONFIG)


@pytest.mark.parametrize(("register", "told"), [
    ("identity", "^what answers at the fixed executor is no engine .identity 00000005, expected"),
    ("version", f"has version 5, this driver is for version {ENGINE_VERSION}; build and load"),
])
def test_no_engine_and_an_old_one(register, told):
    link = golden()
    link.transport.endpoint.port._held[register] = 5
    with pytest.raises(ApicalError, match=told):
        Device.open(link, CONFIG)


def test_what_does_not_fit_is_refused_before_anything_is_written():
    device = Device.open(golden(), CONFIG)
    wide = layered((12, 400, 4))
    before = device.link.sent
    with pytest.raises(DoesNotFitError, match="needs"):
        device.load(wide, inference(wide, 2),
                    {m.name: np.zeros(m.shape, np.int64) for m in wide.matrices})
    assert device.link.sent == before
    with pytest.raises(MisuseError, match="^nothing is loaded into the device; load a network"):
        device.run({})


def test_learning_goes_on_where_it_was():
    device = Device.open(golden(), CONFIG)
    executor = DeviceExecutor(device, NETWORK, WEIGHTS, CONFIG.state, CONFIG.weight,
                              CONFIG.update_frac)
    assert executor.weights is WEIGHTS
    given = inputs(6)
    found, learned = expected(TRAINING, given)
    halves = [{name: values[part] for name, values in given.items()}
              for part in (slice(0, 2), slice(2, 6))]
    told = [executor.run(TRAINING, half, SEED, first, rates=RATES)
            for half, first in zip(halves, (0, 2))]
    assert [*told[0].signatures, *told[1].signatures] == found.signatures.tolist()
    assert all((executor.weights[name] == learned[name]).all() for name in WEIGHTS)
    executor.run(TRAINING, halves[0], SEED, 40, rates=dict.fromkeys(RATES, 0.01))
    assert device.register("image") == 42


def test_an_image_that_was_not_started_is_told():
    port = GoldenPort(CONFIG)
    with pytest.raises(ApicalError, match="none was started"):
        port.image()
    port.stop()
    port.write([REGISTERS["start"].address], [1])
    with pytest.raises(ApicalError, match="an image was started, but no program is loaded"):
        port.image()


def test_a_program_that_is_not_the_one_announced_is_told():
    device = Device.open(golden(), CONFIG)
    device.load(NETWORK, INFERENCE, WEIGHTS, density=DENSITY)
    device.link.write([address(Space.PROGRAM, 5)], [99])
    with pytest.raises(ApicalError, match=r"word 2 of the program is not that of .* \(image 0 of"):
        device.run({"x": inputs(1)["x"]})


def test_an_engine_that_miscounts_is_told():
    device = Device.open(golden(), CONFIG)
    device.load(NETWORK, INFERENCE, WEIGHTS, density=DENSITY)
    device.link.transport.endpoint.port._held["done"] = 7
    with pytest.raises(ApicalError, match=r"counts 8 images, expected 1 \(image 0 of 2\)"):
        device.run({"x": inputs(2)["x"]})


def test_most_of_the_line_carries_words():
    """Frames, escapes and answers included: what is asked for is nine tenths of what is sent."""
    config = preset("ulx3s-25f")
    network = layered((784, 64, 10))
    device = Device.open(golden(config), config)
    rng = np.random.default_rng(0)
    weights = {m.name: rng.integers(-2000, 2000, m.shape) for m in network.matrices}
    device.load(network, inference(network, 2), weights)
    link = device.link
    assert link.sent_payload >= 0.96 * link.sent
    before = link.sent, link.sent_payload
    device.run({"x": rng.integers(0, 4097, (5, 784)) * (rng.random((5, 784)) < 0.19)})
    assert link.sent_payload - before[1] >= 0.9 * (link.sent - before[0])
