"""Endpoint of the byte protocol in pysim, compared with the endpoint in Python, byte by byte."""

import random

import numpy as np
import pytest
from amaranth.sim import Simulator

from apical.boards.host.frames import AnswerReader, bursts, frame, pack, plain, request, unpack
from apical.boards.host.software_endpoint import SoftwareEndpoint
from apical.hw.interface.isa import REGISTERS, Space, address, lane_address
from apical.hw.interface.protocol import ESCAPE, FLAG, PAYLOAD, RESULTS, Operation, Part, Status
from apical.hw.link.endpoint import Endpoint

LANES = 4
COMMIT = REGISTERS["commit"].address


class Memory:
    """A port that is nothing but words, with a note of what was done to it."""

    def __init__(self):
        self.words, self.log = {}, []

    def write(self, addresses, data):
        for where, word in zip(addresses, data):
            self.words[int(where)] = int(word)
            self.log.append((int(where), int(word)))

    def read(self, addresses):
        return np.array([self.words.get(int(where), int(where) * 0x01000193 & 0xFFFFFFFF)
                         for where in addresses], np.int64)

    def image(self):
        self.write([COMMIT], [0])

    def stop(self):
        self.log.append("stop")


def run(chunks, seed=0, pace=3):
    """Send chunks of bytes, each after the answer to the one before; (answers, memory)."""
    endpoint, memory, rng = Endpoint(LANES), Memory(), random.Random(seed)
    answers = []

    async def host(ctx):
        for chunk in chunks:
            for byte in chunk:
                ctx.set(endpoint.received, 1)
                ctx.set(endpoint.received_byte, byte)
                await ctx.tick()
                ctx.set(endpoint.received, 0)
                for _ in range(rng.randrange(pace)):
                    await ctx.tick()
            quiet = 0
            while quiet < 60:
                await ctx.tick()
                busy = ctx.get(endpoint.send) or ctx.get(endpoint.host.valid)
                quiet = 0 if busy else quiet + 1

    async def port(ctx):
        while True:
            ctx.set(endpoint.host.ready, rng.random() < 0.5)
            taken = ctx.get(endpoint.host.valid) and ctx.get(endpoint.host.ready)
            write, where, word = (ctx.get(endpoint.host.write), ctx.get(endpoint.host.address),
                                  ctx.get(endpoint.host.write_data))
            if ctx.get(endpoint.stop):
                memory.stop()
            await ctx.tick()
            if not taken:
                continue
            ctx.set(endpoint.host.ready, 0)
            if write:
                # What is written to `commit` has no meaning.
                memory.write([where], [0 if where == COMMIT else word])
                answer = endpoint.done if where == COMMIT else None
            else:
                ctx.set(endpoint.host.read_data, int(memory.read([where])[0]))
                answer = endpoint.host.read_valid
            if answer is not None:
                for _ in range(1 + rng.randrange(9)):
                    await ctx.tick()
                ctx.set(answer, 1)
                await ctx.tick()
                ctx.set(answer, 0)

    async def line(ctx):
        while True:
            ctx.set(endpoint.send_ready, rng.random() < 0.3)
            sends = ctx.get(endpoint.send) and ctx.get(endpoint.send_ready)
            byte = ctx.get(endpoint.send_byte)
            await ctx.tick()
            if sends:
                answers.append(byte)

    simulator = Simulator(endpoint)
    simulator.add_clock(1e-6)
    simulator.add_testbench(host)
    simulator.add_testbench(port, background=True)
    simulator.add_testbench(line, background=True)
    simulator.run()
    return bytes(answers), memory


def expect(chunks):
    """What the endpoint in Python makes of the same bytes."""
    memory = Memory()
    model = SoftwareEndpoint(memory, LANES)
    return b"".join(model.feed(chunk) for chunk in chunks), memory, model


def check(chunks, seed=0):
    """Compare the two; returns what the endpoint in Python said."""
    answers, memory = run(chunks, seed)
    expected, model_memory, model = expect(chunks)
    assert answers == expected, (answers.hex(), expected.hex())
    assert memory.log == model_memory.log
    return model


class Session:
    """Makes requests with the right tags."""

    def __init__(self, session=5):
        self.tag = session << 4

    def __call__(self, operation, *args, **options):
        made = request(self.tag, operation, *args, **options)
        self.tag = self.tag & 0xF0 | self.tag + 1 & 0xF
        return made


def write(session, space, offset, words, operation=Operation.WRITE_WIDE):
    return session(operation, address(space, offset), pack(words, 4 if operation & 4 else 2))


WEIGHT = lane_address(Space.WEIGHTS, 70, 2)


def test_each_operation():
    session = Session()
    model = check([
        session(Operation.OPEN),
        write(session, Space.REGISTERS, 7, [0x12345678]),
        write(session, Space.EVENTS, 0x1FE, [0x7D7E7D7E, 0, 0xFFFFFFFF]),
        session(Operation.WRITE, WEIGHT, pack([1, 2, 3, 4, 5, 0xFFFF, 0x7E7D], 2)),
        session(Operation.READ, WEIGHT, length=14),
        session(Operation.READ_WIDE, address(Space.EVENTS, 0x1FE), length=12),
        write(session, Space.EVENTS, 0, [5], Operation.RUN_WIDE),
        session(Operation.RUN, lane_address(Space.STATE, 3, 3), pack([9, 8], 2)),
        session(Operation.STOP)])
    assert model.statuses == [Status.DONE] * 9
    assert model.refused == 0


def test_the_longest_frames():
    session, rng = Session(), np.random.default_rng(1)
    words = rng.integers(0, 1 << 32, PAYLOAD // 4)
    check([session(Operation.OPEN), write(session, Space.PROGRAM, 0, words),
           session(Operation.READ_WIDE, address(Space.PROGRAM), length=PAYLOAD),
           session(Operation.WRITE, lane_address(Space.STATE, 0, 0), pack(words[:3], 4)),
           session(Operation.READ, lane_address(Space.STATE, 0, 0), length=PAYLOAD)])


def test_a_burst_goes_on_as_addresses_do():
    session = Session()
    first = lane_address(Space.WEIGHTS, 0x7FFF, 2)
    model = check([session(Operation.OPEN), session(Operation.WRITE, first, pack(range(8), 2)),
                   write(session, Space.EVENTS, 0x1FFFFF, [1, 2])])
    assert [where for where, _ in model.port.log[:3]] == [first, first + 1, 6 << 21]


@pytest.mark.parametrize("bad", [
    request(0x51, 0, 0), request(0x51, Operation.STOP | Part.READ), request(0x51, 0xFF),
    request(0x51, Operation.WRITE_WIDE, 7, b"abc"), request(0x51, Operation.WRITE, 7, b"abc"),
    request(0x51, Operation.READ_WIDE, 7, length=2), request(0x52, Operation.WRITE, 7, b"ab"),
    request(0x41, Operation.WRITE, 7, b"ab"), request(0x5F, Operation.WRITE, 7, b"ab"),
    bytes([FLAG]) + b"\x51\x01\x01\0\0\0ab\0\0", b"no frame at all", bytes([FLAG] * 9),
    request(0x51, Operation.WRITE, 7, b"ab")[:-1] + bytes([FLAG, ESCAPE, ESCAPE, 3]),
])
def test_a_bad_frame_is_named_and_does_nothing(bad):
    session = Session()
    model = check([session(Operation.OPEN), bad,
                   session(Operation.WRITE, 7, b"cd")])
    assert model.statuses[0] == model.statuses[-1] == Status.DONE
    assert [entry[0] for entry in model.port.log] == [7]


def test_what_is_sent_again_is_not_done_again():
    session = Session()
    opened, first, image, ask = (
        session(Operation.OPEN), write(session, Space.REGISTERS, 4, [1]),
        write(session, Space.EVENTS, 0, [5], Operation.RUN_WIDE),
        session(Operation.READ_WIDE, 0, length=8))
    model = check([opened, first, first, image, image, ask, ask, first, opened, first])
    assert model.statuses == [Status.DONE, Status.DONE, Status.AGAIN, Status.DONE, Status.AGAIN,
                              Status.DONE, Status.AGAIN, Status.SEQUENCE, Status.DONE, Status.DONE]
    assert [where for where, _ in model.port.log] == [4, Space.EVENTS << 21, COMMIT, 4]


def test_nothing_is_carried_out_before_a_session_is_open():
    model = check([request(0, Operation.WRITE, 7, b"ab"), request(7, Operation.WRITE, 7, b"ab")])
    assert model.statuses == [Status.ABORTED, Status.SEQUENCE]
    assert model.port.log == []


def test_a_flag_ends_a_request_that_waits_and_its_repetition_is_told():
    """The engine takes no write: the host gives up, and learns that it was not all written."""
    endpoint = Endpoint(LANES)
    answers = []

    async def host(ctx):
        async def send(data):
            for byte in data:
                ctx.set(endpoint.received, 1)
                ctx.set(endpoint.received_byte, byte)
                await ctx.tick()
            ctx.set(endpoint.received, 0)
            for _ in range(60):
                if ctx.get(endpoint.send):
                    answers.append(ctx.get(endpoint.send_byte))
                await ctx.tick()

        ctx.set(endpoint.send_ready, 1)
        session = Session()
        await send(session(Operation.OPEN))
        stuck = write(session, Space.EVENTS, 0, [1, 2])
        await send(stuck)
        await send(stuck)
        ctx.set(endpoint.host.ready, 1)
        await send(write(session, Space.EVENTS, 0, [1, 2]))

    simulator = Simulator(endpoint)
    simulator.add_clock(1e-6)
    simulator.add_testbench(host)
    simulator.run()
    reader = AnswerReader()
    reader.feed(bytes(answers))
    assert [reader.take(0).status for _ in range(3)] == [Status.DONE, Status.ABORTED, Status.DONE]


@pytest.mark.parametrize("operation", [Operation.READ_WIDE, Operation.WRITE,
                                       Operation.RUN_WIDE])
def test_a_new_session_in_any_cycle_of_a_request_finds_nothing_of_it(operation):
    """A host is killed while the endpoint carries a request out; the next one is answered right."""
    endpoint, memory = Endpoint(LANES), Memory()
    size = 4 if operation & Part.WIDE else 2
    # Both bytes that are escaped are in what is answered; the address carries into its high byte.
    where = lane_address(Space.WEIGHTS, 255, LANES - 1) if size == 2 else \
        address(Space.EVENTS, 0xFFFF)
    words = np.array([0x7D7E7E7D, 0x7E7D])
    memory.write([where, address(Space.REGISTERS, 2), address(Space.REGISTERS, 3)],
                 [0x7E7D, *words])
    asks = request(0x11, Operation.READ_WIDE, address(Space.REGISTERS, 2), length=8)

    async def host(ctx):
        async def send(data):
            for byte in data:
                ctx.set(endpoint.received, 1)
                ctx.set(endpoint.received_byte, byte)
                await ctx.tick()
            ctx.set(endpoint.received, 0)

        async def answered(cycles):
            reader = AnswerReader()
            for _ in range(cycles):
                if ctx.get(endpoint.send):
                    reader.feed(bytes([ctx.get(endpoint.send_byte)]))
                await ctx.tick()
            return reader

        ctx.set(endpoint.send_ready, 1)
        payload = pack(words[:2], size) if operation & Part.WRITE else b""
        for delay in range(75):
            await send(request(0x20, Operation.OPEN))
            await answered(30)
            await send(request(0x21, operation, where, payload, length=2 * size))
            for _ in range(delay):
                await ctx.tick()
            await send(request(0x10, Operation.OPEN))
            opened = (await answered(30)).take(0)
            assert opened is not None and opened.status == Status.DONE, delay
            await send(asks)
            told = (await answered(80)).take(8)
            assert told is not None and told.data == pack(words, 4), (delay, told)

    async def port(ctx):
        ctx.set(endpoint.host.ready, 1)
        while True:
            asked = ctx.get(endpoint.host.valid) and not ctx.get(endpoint.host.write)
            done = ctx.get(endpoint.host.valid) and ctx.get(endpoint.host.address) == COMMIT
            place = ctx.get(endpoint.host.address)
            await ctx.tick()
            if asked:
                ctx.set(endpoint.host.read_data, int(memory.read([place])[0]))
            ctx.set(endpoint.host.read_valid, asked)
            ctx.set(endpoint.done, done)

    simulator = Simulator(endpoint)
    simulator.add_clock(1e-6)
    simulator.add_testbench(host)
    simulator.add_testbench(port, background=True)
    simulator.run()


@pytest.mark.parametrize("seed", range(3))
def test_random_frames(seed):
    rng = random.Random(seed)
    session, chunks = Session(rng.randrange(16)), []
    chunks.append(session(Operation.OPEN))
    for _ in range(25):
        operation = rng.choice(list(Operation))
        size = 4 if operation & Part.WIDE else 2
        length = size * rng.choice([1, 2, 3, rng.randrange(1, PAYLOAD // size + 1)])
        payload = bytes(rng.choice([0, 255, FLAG, ESCAPE, rng.randrange(256)])
                        for _ in range(length)) if operation & Part.WRITE else b""
        made = session(operation, rng.randrange(6) << 21 | rng.randrange(1 << 21), payload,
                       length=length)
        spoil = rng.randrange(8)
        if spoil == 0:
            place = rng.randrange(len(made))
            made = made[:place] + bytes([made[place] ^ 1 << rng.randrange(8)]) + made[place + 1:]
        elif spoil == 1:
            made = made[:rng.randrange(len(made))]
        elif spoil == 2:
            made = made + made
        chunks.append(made)
    # A frame behind another must wait for its answer.
    chunks = [bytes([FLAG]) + part for chunk in chunks
              for part in chunk.split(bytes([FLAG])) if part]
    check(chunks, seed)


def test_frames_and_bursts_of_the_python_side():
    assert plain(frame(bytes(range(256)))[1:])[:-2] == bytes(range(256))
    where = np.concatenate([lane_address(Space.WEIGHTS, 0, 0) + (np.arange(60)[:, None] * 64
                                                               + np.arange(LANES)).ravel(),
                            address(Space.EVENTS) + np.arange(70), [address(Space.REGISTERS, 5)]])
    parts = [where[part] for part in bursts(where, LANES)]
    assert [len(part) for part in parts] == [128, 112, 64, 6, 1]
    assert np.array_equal(np.concatenate(parts), where)
    assert unpack(pack([-1, 5], 2), 2).tolist() == [0xFFFFFFFF, 5]
    assert len(RESULTS) * 4 < PAYLOAD
