"""Samples and repairs on a device: those of the fixed executor."""

import numpy as np
import pytest
from full_case import FULL

from apical.boards.host.device import Device
from apical.boards.host.link_kinds import LINK_KINDS
from apical.boards.host.links import Link
from apical.boards.host.sampling import draw, mend, repair_of, starts
from apical.golden.errors import DoesNotFitError, MisuseError
from apical.golden.executors.fixed.executor import FixedExecutor
from apical.golden.network.boltzmann import boltzmann, join, split, visible
from apical.golden.numbers.formats import quantize
from apical.golden.program import STATE
from apical.golden.systems import machine_programs

MACHINES = {"restricted": boltzmann((12, 7)), "groups": boltzmann((12, 5), (2, 1)),
            "layers": boltzmann((10, 6, 4), (1, 2, 1))}


def machine(name):
    network = MACHINES[name]
    rng = np.random.default_rng(len(name))
    return network, {m.name: rng.integers(-16000, 16001, m.shape) for m in network.matrices}


def golden(config=FULL):
    return Device.open(LINK_KINDS["golden"].open(config), config)


def fixed(network, program, weights, images, seed):
    executor = FixedExecutor(network, weights, FULL.state, FULL.weight, FULL.update_frac)
    inputs = {name: quantize(part, FULL.state)[0] for name, part in images.items()}
    return executor.run(program, inputs, seed)


def check_samples(device, name, count=5, steps=4):
    network, weights = machine(name)
    drawn = draw(device, network, weights, count, steps, seed=3)
    found = fixed(network, machine_programs.gibbs(network, steps, from_image=True), weights,
                  starts(network, count, 3), 3)
    raw = join(network, found.states, machine_programs.DRAWN)
    assert (drawn.images == raw / FULL.state.one).all()
    assert (drawn.probabilities == join(network, found.states) / FULL.state.one).all()
    assert drawn.signature == int(found.signatures.sum()) & 0xFFFFFFFF
    assert 0 < drawn.images.mean() < 1


def check_repairs(device, name, share=0.2):
    network, weights = machine(name)
    width = sum(network.population(x).size for x, _ in visible(network))
    images = np.random.default_rng(4).integers(0, 2, (6, width))
    mended = mend(device, network, weights, images, share, seed=2)
    whole, program, evidence = repair_of(network, share, 3, FULL.weight)
    found = fixed(whole, program, {**weights, **evidence}, split(network, images), 2)
    assert (mended.probabilities == join(network, found.states) / FULL.state.one).all()
    assert (mended.images == (mended.probabilities > 0.5)).all()
    assert mended.signature == int(found.signatures.sum()) & 0xFFFFFFFF
    assert (mended.images != images).any()


@pytest.mark.parametrize("name", MACHINES)
def test_the_golden_link(name):
    device = golden()
    check_samples(device, name)
    check_repairs(device, name)


@pytest.mark.slow
def test_the_virtual_board(full_board):
    device = Device.open(Link.serial(full_board.path, 1_000_000), FULL)
    for name in MACHINES:
        check_samples(device, name)
        check_repairs(device, name)
    device.close()


def test_images_are_read_back_one_by_one():
    """What is gone at the end of an image is refused before anything runs."""
    device = golden()
    network, weights = machine("restricted")
    device.load(network, machine_programs.gibbs(network, 2, from_image=True), weights)
    inputs = {"x": np.zeros((3, 12), np.int64)}
    found = device.run(inputs, read=[("v", STATE), ("h1", STATE)])
    assert found.states["v", STATE].shape == (3, 12)
    assert found.states["h1", STATE].shape == (3, 7)
    before = device.images
    with pytest.raises(MisuseError, match="keeps no state 'gone' of population 'v'"):
        device.run(inputs, read=[("v", "gone")])
    assert device.images == before


def test_an_engine_without_noise_says_what_it_lacks():
    network, weights = machine("restricted")
    with pytest.raises(DoesNotFitError, match="noise unit"):
        draw(golden(FULL.replace(noise=False)), network, weights, 2, 2)
