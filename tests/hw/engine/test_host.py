"""Host port: the five rules of `hw/engine/host.py`, on an engine that runs images."""

import numpy as np
from amaranth.sim import Simulator
from engine_case import random_inputs, random_weights

from apical.golden.executors.fixed.executor import FixedExecutor
from apical.golden.network import layered
from apical.golden.program.layered import inference
from apical.hw.assembler.assembler import assemble, config_for
from apical.hw.assembler.image import (
    input_writes,
    program_writes,
    register_write,
    weight_words,
    weight_writes,
)
from apical.hw.engine.engine import Engine
from apical.hw.export.verilog import ENGINE_VERSION
from apical.hw.interface.isa import IDENTITY, REGISTERS, Space, address, lane_address

RNG = np.random.default_rng(4)
NETWORK = layered((9, 6, 5))
PROGRAM = inference(NETWORK, 2)
CONFIG = config_for(NETWORK, PROGRAM, 3, update_lanes=2)
WEIGHTS = random_weights(NETWORK, RNG)
INPUTS = random_inputs(NETWORK, PROGRAM, RNG, 3)
ASSEMBLY = assemble(NETWORK, PROGRAM, CONFIG)
EXPECTED = FixedExecutor(NETWORK, WEIGHTS).run(PROGRAM, INPUTS, seed=5)


class Port:
    """The pins of a host port, one request at a time or as fast as they are taken."""

    def __init__(self, ctx, engine):
        self.ctx, self.engine = ctx, engine
        #: (cycle, word) of every answer; cycles of every request taken.
        self.answers, self.taken, self.cycle = [], [], 0
        #: Input bank that the next image takes.
        self.bank = 0

    async def tick(self):
        self.cycle += 1
        await self.ctx.tick()
        if self.ctx.get(self.engine.host_read_valid):
            self.answers.append((self.cycle, self.ctx.get(self.engine.host_read_data)))

    async def request(self, write, where, data=0, patience=5000):
        """Hold a request until it is taken."""
        ctx, engine = self.ctx, self.engine
        ctx.set(engine.host_valid, 1)
        ctx.set(engine.host_write, write)
        ctx.set(engine.host_address, int(where))
        ctx.set(engine.host_write_data, int(data) & 0xFFFFFFFF)
        for _ in range(patience):
            ready = ctx.get(engine.host_ready)
            await self.tick()
            if ready:
                self.taken.append(self.cycle)
                ctx.set(engine.host_valid, 0)
                return
        raise AssertionError("the request was not taken")

    async def play(self, *pairs):
        for addresses, words in pairs:
            for where, word in zip(addresses, words, strict=True):
                await self.request(1, where, word)

    async def read(self, where):
        count = len(self.answers)
        await self.request(0, where)
        while len(self.answers) == count:
            await self.tick()
        return self.answers[-1][1]

    async def register(self, name):
        return await self.read(REGISTERS[name].address)

    async def load(self):
        """Load everything but images; counts start anew."""
        await self.play(program_writes(ASSEMBLY), weight_writes(ASSEMBLY, WEIGHTS),
                        register_write("seed", 5), *(register_write(name, 0) for name in (
                            "image", "done", "signature", "writes")))

    async def commit(self, image):
        await self.play(input_writes(ASSEMBLY, INPUTS, image, self.bank),
                        register_write("commit", 1))
        self.bank ^= 1

    async def start(self, images=1):
        await self.play(register_write("start", images))

    async def rest(self, cycles):
        for _ in range(cycles):
            await self.tick()

    @property
    def busy(self):
        return self.ctx.get(self.engine.busy)

    async def run(self):
        """The image that was committed and started, from its begin to its end."""
        await self.until(1)
        await self.until(0)

    async def until(self, busy):
        for _ in range(5000):
            if self.busy == busy:
                return
            await self.tick()
        raise AssertionError(f"busy is not {busy}")

    async def check(self, images):
        """The images were run as the fixed executor ran them."""
        for name, values in (("done", images), ("signature", EXPECTED.signatures[:images].sum()),
                             ("writes", EXPECTED.writes[:images].sum())):
            assert await self.register(name) == int(values) & 0xFFFFFFFF, name


def play(script, config=CONFIG):
    """Run ``await script(port)`` on an engine."""
    engine = Engine(config)
    simulator = Simulator(engine)
    simulator.add_clock(1e-6)

    async def bench(ctx):
        await script(Port(ctx, engine))

    simulator.add_testbench(bench)
    simulator.run()


def test_registers():
    async def script(port):
        for name, value in (("identity", IDENTITY), ("version", ENGINE_VERSION),
                            ("config_hash", int(CONFIG.hash, 16)), ("shape", 3 | 2 << 8),
                            ("done", 0), ("status", 0)):
            assert await port.register(name) == value, name
        await port.load()
        await port.commit(0)
        await port.start()
        await port.run()
        for name, register in REGISTERS.items():
            before = await port.register(name)
            if name in ("seed", "image"):
                await port.play(register_write(name, 0x89ABCDEF))
                assert await port.register(name) == 0x89ABCDEF
            elif register.access == "rw":
                assert before > 0 or name == "saturations", name
                await port.play(register_write(name, 0))
                assert await port.register(name) == 0, name
            elif register.access == "r":
                await port.play(register_write(name, 0x55))
                assert await port.register(name) == before, name
            else:
                assert before == 0, f"{name} can only be written"
    play(script)


def test_one_write_a_cycle_and_answers_in_order():
    async def script(port):
        await port.play(program_writes(ASSEMBLY), weight_writes(ASSEMBLY, WEIGHTS))
        assert np.diff(port.taken).tolist() == [1] * (len(port.taken) - 1)
        for name in ("identity", "shape", "version", "identity"):
            await port.request(0, REGISTERS[name].address)
        await port.rest(20)
        words = [word for _, word in port.answers]
        assert words == [IDENTITY, 3 | 2 << 8, ENGINE_VERSION, IDENTITY]
    play(script)


def test_what_is_written_is_read_back():
    async def script(port):
        await port.load()
        for space, words in ((Space.PROGRAM, ASSEMBLY.instructions),
                             (Space.DESCRIPTORS, ASSEMBLY.descriptors)):
            for number, word in enumerate(words):
                low = await port.read(address(space, 2 * number))
                high = await port.read(address(space, 2 * number + 1))
                assert high << 32 | low == int(word)
        for word, row in enumerate(weight_words(ASSEMBLY, WEIGHTS)[::7]):
            for lane, value in enumerate(row):
                got = await port.read(lane_address(Space.WEIGHTS, 7 * word, lane))
                assert got == int(value) & 0xFFFFFFFF  # signed, in 32 bits
        for word, lane, value in ((0, 0, -1), (CONFIG.state_depth - 1, 2, 1234)):
            where = lane_address(Space.STATE, word, lane)
            await port.request(1, where, value)
            assert await port.read(where) == value & 0xFFFFFFFF
    play(script)


def test_a_read_while_an_image_runs_disturbs_nothing():
    """It waits (rule 3), and the image is what it would have been."""
    async def script(port):
        for where in (address(Space.PROGRAM, 5), address(Space.DESCRIPTORS, 2),
                      lane_address(Space.WEIGHTS, 4, 1), lane_address(Space.STATE, 1, 0),
                      address(Space.EVENTS, 1), address(Space.REGISTERS, 0)):
            waits = where >> 21 not in (Space.EVENTS, Space.REGISTERS)
            await port.load()
            quiet = await port.read(where)
            await port.commit(0)
            await port.start()
            await port.until(1)
            await port.rest(37)
            await port.request(0, where)
            await port.until(0)
            ended = port.cycle
            await port.rest(20)
            when, word = port.answers[-1]
            assert waits == (when > ended), hex(where)
            assert word == quiet or where >> 21 == Space.STATE, hex(where)
            await port.check(1)
    play(script)


def test_a_read_between_the_start_and_the_first_image():
    """Instructions are not taken from where the host reads."""
    async def script(port):
        word = int(ASSEMBLY.instructions[3])
        for delay in range(12):
            await port.load()
            await port.start()
            await port.rest(delay)
            assert await port.read(address(Space.PROGRAM, 6)) == word & 0xFFFFFFFF
            await port.commit(0)
            await port.run()
            await port.check(1)
    play(script)


def test_a_read_between_two_images():
    """The next image is committed already; the read is taken between the two or behind both."""
    async def script(port):
        word = int(ASSEMBLY.descriptors[1])
        for delay in range(9):
            await port.load()
            await port.commit(0)
            await port.commit(1)
            await port.start(2)
            await port.run()
            await port.rest(delay)
            assert await port.read(address(Space.DESCRIPTORS, 2)) == word & 0xFFFFFFFF
            while await port.register("done") < 2:
                pass
            await port.check(2)
    play(script)


def test_the_next_bank_loads_while_an_image_runs():
    async def script(port):
        await port.load()
        await port.commit(0)
        await port.start(2)
        await port.until(1)
        first = port.cycle
        await port.play(input_writes(ASSEMBLY, INPUTS, 1, 1))
        assert port.busy and port.cycle - first < 20, "loading waited"
        status = await port.register("status")
        assert status & 1 and status >> 2 == 1
        await port.play(register_write("commit", 1))
        assert (await port.register("status")) >> 2 == 2
        while await port.register("done") < 2:
            pass
        await port.check(2)
        assert await port.register("status") == 0
    play(script)


def test_one_bank_loads_when_no_image_wants_it():
    async def script(port):
        await port.load()
        await port.play(input_writes(ASSEMBLY, INPUTS, 0, 0), register_write("commit", 1))
        await port.start(2)
        # Behind the first image, but before the second, which has no inputs yet.
        await port.play(input_writes(ASSEMBLY, INPUTS, 1, 0))
        assert not port.busy
        await port.play(register_write("commit", 1))
        while await port.register("done") < 2:
            pass
        await port.check(2)
    play(script, CONFIG.replace(input_banks=1))


def test_program_and_weights_wait_while_an_image_runs():
    async def script(port):
        await port.load()
        await port.commit(0)
        await port.start()
        await port.until(1)
        await port.request(1, address(Space.PROGRAM, 1), 0)  # registered; the next one waits
        await port.request(1, lane_address(Space.WEIGHTS, 0, 0), 7)
        assert not port.busy
        await port.check(1)
    play(script)


def test_an_image_waits_for_its_bank_and_its_start():
    async def script(port):
        await port.load()
        await port.start(2)
        await port.rest(60)
        assert not port.busy
        for image in range(2):
            await port.commit(image)
            await port.run()
        await port.rest(60)
        assert not port.busy
        await port.check(2)
        await port.commit(2)
        await port.rest(60)
        assert not port.busy
        await port.start()
        await port.run()
        await port.check(3)
    play(script)


UNKNOWN = [
    address(Space.REGISTERS, len(REGISTERS)), address(Space.REGISTERS, 31),
    address(Space.REGISTERS, 32), address(Space.REGISTERS, 1 << 20),
    address(Space.PROGRAM, 2 * CONFIG.program_depth + 6),
    address(Space.DESCRIPTORS, 2 * CONFIG.descriptor_depth + 2),
    address(Space.EVENTS, 2 * CONFIG.event_depth), lane_address(Space.STATE, 0, 3),
    lane_address(Space.STATE, CONFIG.state_depth, 0), lane_address(Space.WEIGHTS, 0, 3),
    lane_address(Space.WEIGHTS, CONFIG.weight_depth, 2), 6 << 21, 7 << 21 | 5]


def test_unknown_addresses():
    """Ignored when written, 0 when read, and never another place's."""
    async def script(port):
        await port.load()
        for where in UNKNOWN:
            for half in (0, 1) if where >> 21 in (Space.PROGRAM, Space.DESCRIPTORS) else (0,):
                await port.request(1, where + half, 0xFFFF)
            assert await port.read(where) == 0, hex(where)
        await port.commit(0)
        await port.start()
        await port.run()
        await port.check(1)
    play(script)


def test_addresses_of_the_last_word_are_known():
    async def script(port):
        for space, depth in ((Space.PROGRAM, CONFIG.program_depth),
                             (Space.DESCRIPTORS, CONFIG.descriptor_depth)):
            for half, word in enumerate((0x11112222, 0x33334444)):
                await port.request(1, address(space, 2 * depth - 2 + half), word)
            assert await port.read(address(space, 2 * depth - 1)) == 0x33334444
        for space, depth in ((Space.STATE, CONFIG.state_depth),
                             (Space.WEIGHTS, CONFIG.weight_depth)):
            for lane in range(3):
                await port.request(1, lane_address(space, depth - 1, lane), 100 + lane)
            for lane in range(3):
                assert await port.read(lane_address(space, depth - 1, lane)) == 100 + lane
    play(script)
