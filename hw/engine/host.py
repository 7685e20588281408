"""Host port: one request a cycle reaches every register and memory.

Rules

1. A request is taken in each cycle in which ``host_valid`` and ``host_ready`` are high.  (After
   the endpoint of a board it must stand until then, and the address of a read until its answer.)
2. Answers to reads come in order, each with ``host_read_valid`` high for one cycle; the data stay
   until the next read.
3. Program, descriptors, weights, and reads of states wait while an image runs (``host_ready`` stays
   low); registers, events and writes of states do not, so the next input bank loads while an
   image runs (with one input bank they wait too, until the started images are done).
4. The lanes of a weight word are written in order; the last lane of a tile stores those of the
   tile.
5. Unknown addresses are ignored when written and read as 0.
"""

from __future__ import annotations

from amaranth.hdl import Const, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ..interface.config import EngineConfig
from ..interface.isa import SPACE_LOW, Space, lane_bits
from .ports import (
    CodeAccessSignature,
    HostSignature,
    LaneSignature,
    RegisterSignature,
    Widths,
    WriteSignature,
)

#: Cycles from address to data that a read of any memory is given; the way to tiles comes on top.
READ_WAIT = 7


class HostPort(wiring.Component):
    """Decodes host requests.

    Throughput: one write a cycle; a read takes `READ_WAIT` + 2 cycles.

    Parameters
    ----------
    held : bool
        The other side holds a request, and the address of a read until it is answered: requests
        have no registers here (about 60 logic cells less), and one takes two cycles or more.

    Members
    -------
    port : In(HostSignature)
    active, begin : In(1)
        An image is running; one begins.
    state_taken : In(1)
        The engine may write a state in this cycle.
    inputs_taken : In(1)
        The committed inputs are in use, or will be.
    registers : Out(RegisterSignature), code : Out(CodeAccessSignature)
    events : Out(WriteSignature)
    states, weights : Out(LaneSignature)
        One lane at a time; of weights the last lane of a tile stores the lanes of the tile.
    reading : Out(1)
        Memory ports are used by the host; no image may begin.
    """

    def __init__(self, config: EngineConfig, held=False):
        self.config, self.held = config, held
        widths = Widths(config)
        super().__init__({
            "port": In(HostSignature()), "active": In(1), "begin": In(1), "state_taken": In(1),
            "inputs_taken": In(1), "registers": Out(RegisterSignature()),
            "code": Out(CodeAccessSignature()), "events": Out(WriteSignature(widths.events, 32)),
            "states": Out(LaneSignature(config)), "weights": Out(LaneSignature(config)),
            "reading": Out(1)})

    def elaborate(self, platform):
        m = Module()
        valid, write, known, shifts, stores, states = (
            Signal(name=name) for name in ("valid", "write", "known", "shifts", "stores", "states"))
        space, address, data = Signal(3), Signal(SPACE_LOW), Signal(32)
        port, config = self.port, self.config
        request = [write.eq(port.write), data.eq(port.write_data),
                   space.eq(port.address[SPACE_LOW:]), address.eq(port.address[:SPACE_LOW])]
        # The request is registered, then carried out: `go` says in which cycle.
        free, go = Signal(), Signal()
        fixed = self.inputs_taken if config.input_banks == 1 else 0
        with m.Switch(space):
            with m.Case(Space.REGISTERS):
                m.d.comb += free.eq(1)
            with m.Case(Space.EVENTS):
                m.d.comb += free.eq(~(write & fixed))
            with m.Case(Space.STATE):
                m.d.comb += free.eq(Mux(write, ~(self.state_taken | fixed), self.reading))
            with m.Default():
                m.d.comb += free.eq(Mux(write, ~self.active, self.reading))
        read_wait = READ_WAIT + 2 * config.hops
        wait = Signal(range(read_wait + 1))
        pending = Signal()
        m.d.comb += [go.eq(valid & free & ~pending), self.registers.number.eq(address),
                     self.registers.data.eq(data), self.code.address.eq(address),
                     self.code.data.eq(data), self.code.descriptor.eq(space == Space.DESCRIPTORS),
                     self.events.address.eq(address), self.events.data.eq(data)]
        for access in (self.states, self.weights):
            m.d.comb += [access.address.eq(address[lane_bits(config.width):]),
                         access.reading.eq(self.reading), access.data.eq(data)]
        # A read that waits must not take the memories of the image that runs.
        m.d.sync += self.reading.eq(valid & ~write & ~self.active & ~self.begin
                                    & (space != Space.REGISTERS) & (space != Space.EVENTS))
        there, stored = self._known(m), self._place(m, address)
        weights, state = (there & port.write & (port.address[SPACE_LOW:] == wanted)
                          for wanted in (Space.WEIGHTS, Space.STATE))
        found = [known.eq(there), shifts.eq(weights), states.eq(state),
                 stores.eq(weights & stored)]
        with m.If(go & write):
            m.d.sync += valid.eq(0)
        if self.held:
            m.d.comb += [*request, port.ready.eq(go)]
            m.d.sync += found
            with m.If(port.valid & ~valid):
                m.d.sync += valid.eq(1)
        else:
            m.d.comb += port.ready.eq(~valid | (go & write))
            with m.If(port.valid & port.ready):
                m.d.sync += [valid.eq(1), *request, *found]
        self._writes(m, go & write & known, space, valid & ~self.active, shifts, stores)
        m.d.comb += [self.states.write.eq(valid & states & ~(self.state_taken | fixed)),
                     self.code.reading.eq(self.reading)]
        # Reads hold their address for READ_WAIT cycles, which every memory meets.
        m.d.sync += port.read_valid.eq(0)
        with m.If(go & ~write):
            m.d.sync += [pending.eq(1), wait.eq(read_wait)]
        with m.If(pending):
            m.d.sync += wait.eq(wait - 1)
            with m.If(wait == 0):
                m.d.sync += [pending.eq(0), valid.eq(0), self.reading.eq(0),
                             port.read_valid.eq(1)]
        with m.If(pending):
            with m.Switch(space):
                with m.Case(Space.REGISTERS):
                    m.d.sync += port.read_data.eq(self.registers.value)
                with m.Case(Space.PROGRAM, Space.DESCRIPTORS):
                    words = self.code.code if config.diagnostics else Const(0, 64)
                    m.d.sync += port.read_data.eq(Mux(address[0], words[32:], words[:32]))
                for case, access in ((Space.STATE, self.states), (Space.WEIGHTS, self.weights)):
                    with m.Case(case):
                        m.d.sync += port.read_data.eq(access.value.as_signed())
            with m.If(~known | (space == Space.EVENTS)):
                m.d.sync += port.read_data.eq(0)
        return m

    def _place(self, m, address):
        """Tile and lane of a request; returns whether the coming one is the last of a tile."""
        config, bits = self.config, lane_bits(self.config.width)
        coming, accesses = self.port.address[:bits], (self.states, self.weights)
        if config.tiles == 1:
            m.d.comb += [access.lane.eq(address[:bits]) for access in accesses]
            return coming == config.lanes - 1
        # Found when the request comes, and held as long as it.
        tiles, lane, last = Signal(config.tiles), Signal(range(config.lanes)), 0
        with m.If(self.port.valid & (self.port.ready if not self.held else 1)):
            for tile in range(config.tiles):
                first = tile * config.lanes
                mine = (coming >= first) & (coming < first + config.lanes)
                m.d.sync += tiles[tile].eq(mine)
                with m.If(mine):
                    m.d.sync += lane.eq(coming - first)
        for tile in range(1, config.tiles + 1):
            last |= coming == tile * config.lanes - 1
        for access in accesses:
            m.d.comb += [access.tiles.eq(tiles), access.lane.eq(lane)]
        return last

    def _known(self, m):
        """Whether the address of a request is one of its space."""
        config, address, known = self.config, self.port.address[:SPACE_LOW], Signal()
        bits = lane_bits(config.width)
        lane, word = address[:bits] < config.width, address[bits:]
        with m.Switch(self.port.address[SPACE_LOW:]):
            for case, there in (
                    (Space.REGISTERS, address[5:] == 0),
                    (Space.PROGRAM, address[1:] < config.program_depth),
                    (Space.DESCRIPTORS, address[1:] < config.descriptor_depth),
                    (Space.EVENTS, address < config.input_banks * config.event_depth),
                    (Space.STATE, lane & (word < config.state_depth)),
                    (Space.WEIGHTS, lane & (word < config.weight_words))):
                with m.Case(case):
                    m.d.comb += known.eq(there)
        return known

    def _writes(self, m, go, space, quiet, shifts, stores):
        # What a request does to weights (and to states) was found when it came: the way to them is
        # long.
        m.d.comb += [self.weights.write.eq(quiet & stores), self.weights.shift.eq(quiet & shifts)]
        with m.If(go), m.Switch(space):
            for cases, strobe in (((Space.REGISTERS,), self.registers.write),
                                  ((Space.PROGRAM, Space.DESCRIPTORS), self.code.write),
                                  ((Space.EVENTS,), self.events.enable)):
                with m.Case(*cases):
                    m.d.comb += strobe.eq(1)
