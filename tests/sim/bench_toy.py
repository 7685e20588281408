"""cocotb tests of the bench's own parts on the toy design."""

import os
import time

import cocotb
import numpy as np
from cocotb.triggers import Timer

from apical.golden.errors import ApicalError
from apical.sim.bench import commands
from apical.sim.bench.player import CommandPlayer

TOY_FAIL_LIMIT = 2
LANES = int(os.environ.get("TOY_LANES", "3"))


def expected_records(count, first=0):
    """Return the values of records ``first`` and on, as the toy makes them."""
    n = np.arange(first, first + count, dtype=np.int64)
    return {
        "image": (~n).astype(np.uint32),
        "operation": (n >> 8).astype(np.uint16),
        "vector": ((n ^ 0x5A) & 0xFF).astype(np.uint8),
        "unit": (n * 3).astype(np.uint16),
        "count": ((n & 31) + 1).astype(np.uint8),
        "values": (n[:, None] * np.arange(1, LANES + 1) - 7).astype(np.int16),
    }


def check_records(records, first=0):
    """Compare every field of every record."""
    for name, values in expected_records(len(records), first).items():
        np.testing.assert_array_equal(records[name], values, err_msg=name)


@cocotb.test()
async def memory(dut):
    """Thousands of writes and reads in random order, also against a port that holds back."""
    port = CommandPlayer(dut, limit=1000)
    rng = np.random.default_rng(cocotb.RANDOM_SEED)
    model = np.zeros(4096, np.uint32)
    await port.play(commands.reset())
    for hold in (0, 0x5555, 0xFFF7, 0x0101):
        await port.play(commands.write(0x800003, hold))
        addresses = rng.integers(0, 4096, 3000)
        data = rng.integers(0, 1 << 32, 3000, dtype=np.uint32)
        reading = rng.random(3000) < 0.5
        kinds = np.where(reading, commands.READ, commands.WRITE)
        answers = await port.play(commands.encode(kinds, addresses, data))
        expected = []
        for read, address, word in zip(reading, addresses, data, strict=True):
            if read:
                expected.append(model[address])
            else:
                model[address] = word
        np.testing.assert_array_equal(answers, expected)
    assert (await port.read(0, 4096) == model).all()
    assert len(await port.play(commands.encode(commands.READ, np.empty(0, int)))) == 0
    start = port.cycles
    await port.play(commands.write(0x800003, 0))
    await port.play(commands.writes(0, rng.integers(0, 100, 2000)))
    assert port.cycles - start < 2000 + 100  # one request a cycle


@cocotb.test()
async def waits(dut):
    """Polls, pauses and the wait for the end of work; a wait without end is given up."""
    port = CommandPlayer(dut, limit=3000)
    await port.play(commands.reset())
    before, reads, busy = await port.play(
        commands.join(
            commands.read(0x800000),
            commands.write(0x800002, 500),
            commands.quiet(),
            commands.read(0x800000),
            commands.read(0x800002),
        )
    )
    assert (before, reads, busy) == (0, 1, 0)
    start = port.cycles
    await port.play(commands.idle(700))
    assert 700 <= port.cycles - start < 720
    # Progress counts down, so its two's complement counts up to 0: match is the end.
    await port.play(
        commands.join(commands.write(0x800001, 600), commands.match(0x800001, 0),
                      commands.write(5, 77))
    )
    assert (await port.read(5))[0] == 77
    await port.play(commands.wait(5, 77))
    check_records(port.recorder.take("state"))
    try:
        await port.play(commands.join(commands.write(7, 1), commands.wait(7, 2)))
    except ApicalError as error:
        assert "command 2 of 2 (wait 0x7, 0x2)" in str(error), error
    else:
        raise AssertionError("a wait without end was not given up")
    assert (await port.read(7))[0] == 1


@cocotb.test()
async def records(dut):
    """Trace records at all densities, across the seams of the files."""
    port = CommandPlayer(dut)
    await port.play(commands.reset())
    made = 0
    for count, pattern in ((1, 0), (5000, 0), (999, 0xAAAA), (100, 0xFFFE), (0, 0), (3001, 0x0F01)):
        await port.play(
            commands.join(commands.write(0x800001, count | pattern << 16), commands.quiet(6),
                          commands.idle(3))
        )
        taken = port.recorder.take("state")
        assert len(taken) == count
        check_records(taken, made)
        made += count
        steps = np.diff(taken["cycle"].astype(np.int64))
        assert (steps > 0).all()
        if pattern == 0:
            assert (steps == 1).all()
    # A record in each cycle while plays end and begin: none may be lost at the seams.
    await port.play(commands.write(0x800001, 4000))
    for _ in range(200):
        await port.play(commands.idle(1))
    await port.play(commands.join(commands.quiet(), commands.idle(3)))
    taken = port.recorder.take("state")
    assert len(taken) == 4000 and port.recorder.counts["state"] == made + 4000
    check_records(taken, made)


@cocotb.test()
async def timers(dut):
    """Timers fire when they should, between wakes and at the same time as clock edges."""
    from cocotb.utils import get_sim_time

    port = CommandPlayer(dut)
    await port.play(commands.reset())
    start = get_sim_time("ns")
    for step in (1, 5, 7, 10, 1000, 3, 2):
        await Timer(step, "ns")
        start += step
        assert get_sim_time("ns") == start
    await port.play(commands.idle(10))
    # The clock edge that a record's cycle stands for is where the waves show it.
    assert abs(get_sim_time("ns") - (port.cycles * 10 + 5)) <= 10


@cocotb.test(skip="TOY_EDGES" not in os.environ)
async def edges(dut):
    """With a visit at each edge, a test sees every value of a public signal."""
    await dut.cycle.value_change
    for _ in range(20):
        before = int(dut.cycle.value)
        await dut.cycle.value_change
        assert int(dut.cycle.value) == before + 1


@cocotb.test(skip="TOY_FAIL" not in os.environ)
async def failing(dut):
    """Fails on purpose."""
    assert TOY_FAIL_LIMIT < 1, "made to fail"


@cocotb.test(skip="TOY_HANG" not in os.environ)
async def hanging(dut):
    """Waits for what never comes."""
    await dut.wake.value_change


@cocotb.test(skip="TOY_SPEED" not in os.environ)
async def speed(dut):
    """How long a play takes, for the comparison with the bare model."""
    port = CommandPlayer(dut, record="TOY_RECORD" in os.environ, sink=lambda name, part: None)
    words = np.fromfile(os.environ["TOY_SPEED"], ">u8").astype(np.uint64)
    start, cycles = time.perf_counter(), port.cycles
    await port.play(words)
    seconds = time.perf_counter() - start
    print(f"SPEED {port.cycles - cycles} {seconds:.4f}")
