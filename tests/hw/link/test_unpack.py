"""Packed images in pysim, compared with the unpacker in Python, request by request."""

import random

import numpy as np
import pytest
from amaranth.sim import Simulator

from apical.boards.host.packing import Packer, SoftwareUnpacker, decoded, scale_for
from apical.hw.assembler.image import event_words
from apical.hw.interface.config import EngineConfig
from apical.hw.interface.isa import REGISTERS, Space, address
from apical.hw.interface.protocol import PACKED, SCALE
from apical.hw.link.unpack import Unpacker

COMMIT = REGISTERS["commit"].address


def play(config, requests, seed=0):
    """What reaches the port of (write, address, data) requests, and the cycles it takes."""
    unpacker, rng, log = Unpacker(config), random.Random(seed), []
    cycles = 0

    async def host(ctx):
        nonlocal cycles
        for write, where, data in requests:
            ctx.set(unpacker.host.valid, 1)
            ctx.set(unpacker.host.write, write)
            ctx.set(unpacker.host.address, where)
            ctx.set(unpacker.host.write_data, data)
            ready = 0
            while not ready:
                *_, ready = await ctx.tick().sample(unpacker.host.ready)
                cycles += 1
            ctx.set(unpacker.host.valid, 0)
            for _ in range(rng.choice((0, 0, 0, 1, 30))):
                await ctx.tick()
        for _ in range(80):
            await ctx.tick()

    async def port(ctx):
        while True:
            ctx.set(unpacker.port.ready, rng.random() < 0.5)
            *_, valid, ready, write, where, data = await ctx.tick().sample(
                unpacker.port.valid, unpacker.port.ready, unpacker.port.write,
                unpacker.port.address, unpacker.port.write_data)
            if valid and ready:
                log.append((write, where, data))

    simulator = Simulator(unpacker)
    simulator.add_clock(1e-6)
    simulator.add_testbench(port, background=True)
    simulator.add_testbench(host)
    simulator.run()
    return log, cycles


def expect(config, requests):
    """The same by the unpacker in Python."""
    model, log = SoftwareUnpacker(config.input_banks, config.event_depth), []
    for write, where, data in requests:
        if write:
            log += [(1, int(a), int(w)) for a, w in zip(*model.writes([where], [data]))]
        else:
            log.append((0, where, data))
    return log


@pytest.mark.parametrize("banks", [1, 2])
@pytest.mark.parametrize("seed", range(3))
def test_any_requests(banks, seed):
    """Also such as no good host sends."""
    config, rng, requests = EngineConfig(input_banks=banks, event_depth=20), random.Random(seed), []
    for _ in range(300):
        kind = rng.choice(("packed",) * 6 + ("commit", "scale", "write", "read"))
        byte = [rng.choice((0, 0, 1, 255, rng.randrange(256))) for _ in range(2)]
        word = byte[0] | byte[1] << 8
        where = address(rng.choice(list(Space)), rng.randrange(70))
        requests.append({"packed": (1, PACKED | rng.randrange(1 << 10), word),
                         "commit": (1, COMMIT, rng.getrandbits(32)),
                         "scale": (1, SCALE | rng.randrange(4), rng.getrandbits(16)),
                         "write": (1, where, rng.getrandbits(32)),
                         "read": (0, where, 0)}[kind])
    log, _ = play(config, requests, seed)
    assert log == expect(config, requests)


@pytest.mark.parametrize("size", [1, 7, 64, 600])
def test_packed_images_are_their_events(size):
    """In either bank, with runs of zeros longer than a byte tells; at the rate of any line."""
    config, rng = EngineConfig(event_depth=1024), np.random.default_rng(size)
    requests, events, sent = [], [], 0
    for image in range(3):
        values = decoded(rng.integers(1, 256, size), 4112) * (rng.random(size) < 0.5)
        values[size // 8:size // 2] = 0
        values[0] = 4096
        packer = Packer(scale_for(values), config.lanes)
        made = packer.payload(values)
        words = np.frombuffer(made, "<u2")
        requests += [(1, SCALE, packer.scale), *((1, PACKED, int(word)) for word in words),
                     (1, COMMIT, 1)]
        start = address(Space.EVENTS, config.event_depth * (image % 2))
        events.append({start + i: int(word) for i, word in enumerate(event_words(values))})
        sent += len(made)
    log, cycles = play(config, requests)
    for wanted in events:
        at = next(i for i, (_, where, _) in enumerate(log) if where == COMMIT)
        found = {where: word for _, where, word in log[:at]}
        log = log[at + 1:]
        assert found == wanted
    # A line has at least 4 cycles a bit, 10 bits a byte.
    assert cycles < 20 * sent + 60
