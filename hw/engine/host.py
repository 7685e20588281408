"""Host port: one request a cycle reaches every register and memory.

Rules

1. A request is taken in each cycle in which ``host_valid`` and ``host_ready`` are high.  (Behind
   the endpoint of a board it is to stand until then, and the address of a read until its answer.)
2. Answers to reads come in order, each with ``host_read_valid`` high for one cycle; the data stay
   until the next read.
3. Program, descriptors, weights, and reads of states wait while an image runs (``host_ready`` stays
   low); registers, events and writes of states do not, so the next input bank loads while an
   image runs (with one input bank they wait too, until the started images are done).
4. The lanes of a weight word are written in order; the last lane stores the word.
5. Unknown addresses are ignored when written and read as 0.
"""

from __future__ import annotations

from amaranth.hdl import Cat, Const, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

from ..interface.config import EngineConfig
from ..interface.isa import ADDRESS_BITS, LANE_BITS, SPACE_LOW, Space
from ..primitives import family
from ..primitives.portable import delayed, select_chunk

#: Cycles from address to data that a read of any memory is given.
READ_WAIT = 7
#: With more lanes than that one is selected in two steps.
FAR = 8


class HostPort(wiring.Component):
    """Decodes host requests.

    Throughput: one write a cycle; a read takes `READ_WAIT` + 2 cycles.

    Parameters
    ----------
    held : bool
        The one who asks holds a request, and the address of a read until it is answered: requests
        have no registers here (about 60 logic cells), and one is taken in two cycles at most.

    Members
    -------
    active, begin : In(1)
        An image is running; one begins.
    state_taken : In(1)
        The engine may write a state in this cycle.
    inputs_taken : In(1)
        The committed inputs are in use, or will be.
    register : Out(5), register_write : Out(1), data : Out(32), register_data : In(32)
    {program,descriptor,event}_write, address : Out
        Of a 64-bit memory, bit 0 of the address tells the half that is written.
    state_write, weight_write, weight_word, lane, lane_word : Out
    state_data : In
        Chunk of the state memory with that lane.
    weight_data : In(16 * P)
    learning, learn_shift : In(1), learn_lane : In(6), learn_word : In(16), old : Out(16)
        Serial learning unit only.  In a weight update it shows the weight of a lane two cycles
        later, and takes the lanes of a word as if the host wrote them.
    reading : Out(1)
        Memory ports are used by the host; no image may begin.
    """

    def __init__(self, config: EngineConfig, held=False):
        self.config, self.held = config, held
        super().__init__({
            "host_valid": In(1), "host_write": In(1), "host_address": In(ADDRESS_BITS),
            "host_write_data": In(32), "host_ready": Out(1),
            "host_read_valid": Out(1), "host_read_data": Out(32),
            "active": In(1), "begin": In(1), "state_taken": In(1), "inputs_taken": In(1),
            "register": Out(5), "register_write": Out(1), "data": Out(32),
            "register_data": In(32),
            "address": Out(SPACE_LOW),
            "program_write": Out(1), "descriptor_write": Out(1), "event_write": Out(1),
            "state_write": Out(1), "weight_write": Out(1),
            "weight_word": Out(16 * config.lanes),
            "code_data": In(64), "descriptor": Out(1),
            "state_data": In(16 * config.update_lanes), "weight_data": In(16 * config.lanes),
            "learning": In(1), "learn_shift": In(1), "learn_lane": In(LANE_BITS),
            "learn_word": In(16), "old": Out(16),
            "reading": Out(1), "lane": Out(LANE_BITS), "lane_word": Out(SPACE_LOW - LANE_BITS)})

    def elaborate(self, platform):
        m = Module()
        valid, write, known, shifts, stores, states = (
            Signal(name=name) for name in ("valid", "write", "known", "shifts", "stores", "states"))
        space, address = Signal(3), self.address
        request = [write.eq(self.host_write), self.data.eq(self.host_write_data),
                   space.eq(self.host_address[SPACE_LOW:]),
                   address.eq(self.host_address[:SPACE_LOW])]
        # The request is registered, then carried out: `go` says in which cycle.
        free, go = Signal(), Signal()
        fixed = self.inputs_taken if self.config.input_banks == 1 else 0
        with m.Switch(space):
            with m.Case(Space.REGISTERS):
                m.d.comb += free.eq(1)
            with m.Case(Space.EVENTS):
                m.d.comb += free.eq(~(write & fixed))
            with m.Case(Space.STATE):
                m.d.comb += free.eq(Mux(write, ~(self.state_taken | fixed), self.reading))
            with m.Default():
                m.d.comb += free.eq(Mux(write, ~self.active, self.reading))
        wait = Signal(range(READ_WAIT + 1))
        pending = Signal()
        m.d.comb += [go.eq(valid & free & ~pending), self.lane.eq(address[:LANE_BITS]),
                     self.lane_word.eq(address[LANE_BITS:])]
        # A read that waits must not take the memories of the image that runs.
        m.d.sync += self.reading.eq(valid & ~write & ~self.active & ~self.begin
                                    & (space != Space.REGISTERS) & (space != Space.EVENTS))
        there, lane = self._known(m), self.host_address[:LANE_BITS]
        weights, state = (there & self.host_write & (self.host_address[SPACE_LOW:] == wanted)
                          for wanted in (Space.WEIGHTS, Space.STATE))
        found = [known.eq(there), shifts.eq(weights), states.eq(state),
                 stores.eq(weights & (lane == self.config.lanes - 1))]
        with m.If(go & write):
            m.d.sync += valid.eq(0)
        if self.held:
            m.d.comb += [*request, self.host_ready.eq(go)]
            m.d.sync += found
            with m.If(self.host_valid & ~valid):
                m.d.sync += valid.eq(1)
        else:
            m.d.comb += self.host_ready.eq(~valid | (go & write))
            with m.If(self.host_valid & self.host_ready):
                m.d.sync += [valid.eq(1), *request, *found]
        self._writes(m, go & write & known, space, valid & ~self.active, shifts, stores)
        m.d.comb += self.state_write.eq(valid & states & ~(self.state_taken | fixed))
        # Reads hold their address for READ_WAIT cycles, which every memory meets.
        m.d.sync += self.host_read_valid.eq(0)
        with m.If(go & ~write):
            m.d.sync += [pending.eq(1), wait.eq(READ_WAIT)]
        with m.If(pending):
            m.d.sync += wait.eq(wait - 1)
            with m.If(wait == 0):
                m.d.sync += [pending.eq(0), valid.eq(0), self.reading.eq(0),
                             self.host_read_valid.eq(1)]
        half = address[0]
        chosen = {}
        for case, words in ((Space.STATE, self.state_data), (Space.WEIGHTS, self.weight_data)):
            lane = self.lane
            if self.config.serial_learning and case == Space.WEIGHTS:
                lane = Mux(self.learning, self.learn_lane, lane)
            select = lane[:ceil_log2(len(words) // 16)]
            cells = family(self.config.primitives)
            if len(words) // 16 > FAR and not self.config.serial_learning:
                # Lanes lie all over the device.
                near = [select_chunk(words[i:i + 64], select[:2], 16)
                        for i in range(0, len(words), 64)]
                words, select = delayed(m, Cat(*near), 1, f"near{int(case)}_"), select[2:]
            word = cells.select(m, words, select, 16, f"select{int(case)}")
            # Complements of states are a register of the unit pipeline too.
            turn = (lambda value: ~value) if case == Space.STATE else (lambda value: value)
            chosen[case] = turn(delayed(m, turn(word), 1, f"chosen{int(case)}_"))
        m.d.comb += self.old.eq(chosen[Space.WEIGHTS])
        with m.If(pending):
            with m.Switch(space):
                with m.Case(Space.REGISTERS):
                    m.d.sync += self.host_read_data.eq(self.register_data)
                with m.Case(Space.PROGRAM, Space.DESCRIPTORS):
                    words = self.code_data if self.config.diagnostics else Const(0, 64)
                    m.d.sync += self.host_read_data.eq(Mux(half, words[32:], words[:32]))
                for case, word in chosen.items():
                    with m.Case(case):
                        m.d.sync += self.host_read_data.eq(word.as_signed())
            with m.If(~known | (space == Space.EVENTS)):
                m.d.sync += self.host_read_data.eq(0)
        m.d.comb += [self.register.eq(address[:5]),
                     self.descriptor.eq(space == Space.DESCRIPTORS)]
        return m

    def _known(self, m):
        """Whether the address of a request is one of its space."""
        config, address, known = self.config, self.host_address[:SPACE_LOW], Signal()
        lane, word = address[:LANE_BITS] < config.lanes, address[LANE_BITS:]
        with m.Switch(self.host_address[SPACE_LOW:]):
            for case, there in (
                    (Space.REGISTERS, address[5:] == 0),
                    (Space.PROGRAM, address[1:] < config.program_depth),
                    (Space.DESCRIPTORS, address[1:] < config.descriptor_depth),
                    (Space.EVENTS, address < config.input_banks * config.event_depth),
                    (Space.STATE, lane & (word < config.state_depth)),
                    (Space.WEIGHTS, lane & (word < config.weight_depth))):
                with m.Case(case):
                    m.d.comb += known.eq(there)
        return known

    def _writes(self, m, go, space, quiet, shifts, stores):
        lanes = self.config.lanes
        # Lanes come in order, so that they shift in.
        staged = Signal(16 * (lanes - 1), reset_less=True)
        newest, comes = self.data[:16], quiet & shifts
        if self.config.serial_learning:
            newest = Mux(self.learning, self.learn_word, newest)
            comes = comes | self.learn_shift
        m.d.comb += self.weight_word.eq(Cat(staged, newest))
        # What a request does to weights (and to states) was found when it came: the way to them is
        # long.
        m.d.comb += self.weight_write.eq(quiet & stores)
        with m.If(comes):
            m.d.sync += staged.eq(self.weight_word >> 16)
        with m.If(go):
            with m.Switch(space):
                with m.Case(Space.REGISTERS):
                    m.d.comb += self.register_write.eq(1)
                for case, strobe in ((Space.PROGRAM, self.program_write),
                                     (Space.DESCRIPTORS, self.descriptor_write)):
                    with m.Case(case):
                        m.d.comb += strobe.eq(1)
                with m.Case(Space.EVENTS):
                    m.d.comb += self.event_write.eq(1)
