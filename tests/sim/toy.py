"""A small design with the engine's ports: a memory, a read counter and a producer of trace records.

Addresses: 0 to 4095 are the memory; 0x800000 reads: requests to read taken so far; 0x800001 writes:
number of records to produce (bits 15:0) and a pause pattern (bits 31:16: no record in a cycle whose
low four bits choose a set bit of it), reads: records still to produce; 0x800002 writes: a number of
cycles to be busy; 0x800003 writes: a pause pattern for taking requests.
"""

from amaranth.hdl import Array, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out


class Toy(wiring.Component):
    """The toy design; ``lanes`` values of 16 bits in one trace record."""

    def __init__(self, lanes=3, trace=True):
        self.lanes = lanes
        self.trace = trace
        ports = {
            "host_valid": In(1),
            "host_write": In(1),
            "host_address": In(24),
            "host_write_data": In(32),
            "host_ready": Out(1),
            "host_read_valid": Out(1),
            "host_read_data": Out(32),
            "busy": Out(1),
            "done": Out(1),
        }
        if trace:
            ports |= {
                "trace_valid": Out(1),
                "trace_image": Out(32),
                "trace_operation": Out(16),
                "trace_vector": Out(8),
                "trace_unit": Out(16),
                "trace_count": Out(7),
                "trace_values": Out(lanes * 16),
            }
        super().__init__(ports)

    def elaborate(self, platform):
        m = Module()
        m.submodules.memory = memory = Memory(shape=32, depth=4096, init=[])
        write, read = memory.write_port(), memory.read_port()
        phase = Signal(4)
        reads = Signal(32)
        todo, pattern, hold = Signal(16), Signal(16), Signal(16)
        busy = Signal(16)
        m.d.sync += phase.eq(phase + 1)
        taken = Signal()
        plain = ~self.host_address[23]
        m.d.comb += [
            self.host_ready.eq(~hold.bit_select(phase, 1)),
            taken.eq(self.host_valid & self.host_ready),
            write.addr.eq(self.host_address),
            write.data.eq(self.host_write_data),
            write.en.eq(taken & self.host_write & plain),
            read.addr.eq(self.host_address),
            read.en.eq(1),
            self.busy.eq((busy != 0) | (todo != 0)),
            self.done.eq(~self.busy),
        ]
        produce = Signal()
        m.d.comb += produce.eq((todo != 0) & ~pattern.bit_select(phase, 1))
        with m.If(busy != 0):
            m.d.sync += busy.eq(busy - 1)
        with m.If(produce):
            m.d.sync += todo.eq(todo - 1)
        with m.If(taken & self.host_write & ~plain):
            with m.Switch(self.host_address[:2]):
                with m.Case(1):
                    m.d.sync += [
                        todo.eq(self.host_write_data[:16]),
                        pattern.eq(self.host_write_data[16:]),
                    ]
                with m.Case(2):
                    m.d.sync += busy.eq(self.host_write_data)
                with m.Case(3):
                    m.d.sync += hold.eq(self.host_write_data)
        # Two cycles of latency, as a memory with an output register has.
        first, plain_1, register = Signal(), Signal(), Signal(32)
        m.d.sync += [
            first.eq(taken & ~self.host_write),
            plain_1.eq(plain),
            register.eq(Array([reads, todo, busy, hold])[self.host_address[:2]]),
            self.host_read_valid.eq(first),
        ]
        with m.If(plain_1):
            m.d.sync += self.host_read_data.eq(read.data)
        with m.Else():
            m.d.sync += self.host_read_data.eq(register)
        with m.If(taken & ~self.host_write):
            m.d.sync += reads.eq(reads + 1)
        if self.trace:
            number = Signal(32)
            m.d.sync += self.trace_valid.eq(produce)
            with m.If(produce):
                m.d.sync += [
                    number.eq(number + 1),
                    self.trace_image.eq(~number),
                    self.trace_operation.eq(number >> 8),
                    self.trace_vector.eq(number ^ 0x5A),
                    self.trace_unit.eq(number * 3),
                    self.trace_count.eq(number[:5] + 1),
                    *(
                        self.trace_values.word_select(lane, 16).eq(number * (lane + 1) - 7)
                        for lane in range(self.lanes)
                    ),
                ]
        return m
