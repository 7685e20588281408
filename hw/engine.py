"""The engine: memories, lanes, unit pipeline, sequencer and host port put together.

Data path::

    host port -> memories          program -> sequencer -> start of one operation at a time
    events / state words -> issue -> weights x rates -> lanes -> accumulators
    accumulators, states -> unit pipeline -> states, signature, trace
"""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from .config import ENGINE_VERSION, EngineConfig
from .host import HostPort
from .isa import ADDRESS_BITS, IDENTITY, MATRIX, PROJECT, REGISTERS, UNIT, VECTOR
from .issue import ProjectionIssue
from .lanes import Lanes
from .memory import LaneMemory, WordMemory
from .mix import SignatureUnit
from .sequencer import Sequencer
from .unit import UnitPipeline


#: Ports of every engine beside clock and reset.
HOST_MEMBERS = {
    "host_valid": In(1), "host_write": In(1), "host_address": In(ADDRESS_BITS),
    "host_write_data": In(32), "host_ready": Out(1),
    "host_read_valid": Out(1), "host_read_data": Out(32),
    "busy": Out(1), "done": Out(1)}


def trace_ports(config: EngineConfig) -> dict:
    """Names and widths of the trace port: one record a cycle, Q units or fewer of one write."""
    return {"trace_valid": 1, "trace_image": 32, "trace_operation": 16, "trace_vector": 8,
            "trace_unit": 16, "trace_count": 7, "trace_values": 16 * config.update_lanes}


class Engine(wiring.Component):
    """A relaxation engine.

    Parameters
    ----------
    config : EngineConfig
    trace : bool
        Add the trace port (simulation only): every state write with its operation count, vector
        number, first unit and values.

    Members
    -------
    host_* :
        Host port, see :mod:`apical.hw.host`.
    busy : Out(1)
        An image is running.
    done : Out(1)
        Pulse at the end of each image.
    trace_* : Out
        Only with `trace`.
    """

    def __init__(self, config: EngineConfig, trace=False):
        self.config, self.trace = config, trace
        members = dict(HOST_MEMBERS)
        if trace:
            members |= {name: Out(width) for name, width in trace_ports(config).items()}
        super().__init__(members)

    def elaborate(self, platform):
        m = Module()
        config = self.config
        lanes, width, family = config.lanes, config.accumulator_width, config.primitives
        self.image_number = Signal(32)
        m.submodules.host = host = HostPort(config)
        m.submodules.sequencer = sequencer = Sequencer(config)
        m.submodules.issue = issue = ProjectionIssue(config)
        m.submodules.lanes = mac = Lanes(config)
        m.submodules.unit = unit = UnitPipeline(config)
        m.submodules.signature = signature = SignatureUnit(config.update_lanes)
        m.submodules.program = program = WordMemory(64, config.program_depth, primitives=family)
        m.submodules.descriptors = descriptors = WordMemory(
            64, config.descriptor_depth, primitives=family)
        m.submodules.events = events = WordMemory(32, 2 * config.event_depth, primitives=family)
        m.submodules.weights = weights = WordMemory(16 * lanes, config.weight_depth,
                                                    config.weight_latency, family)
        m.submodules.states = states = LaneMemory(lanes, 16, config.state_depth, 2, family)
        m.submodules.sums = sums = LaneMemory(lanes, width, config.accumulator_depth, 1, family)

        for name in ("valid", "write", "address", "write_data"):
            m.d.comb += getattr(host, f"host_{name}").eq(getattr(self, f"host_{name}"))
        for name in ("ready", "read_valid", "read_data"):
            m.d.comb += getattr(self, f"host_{name}").eq(getattr(host, f"host_{name}"))
        m.d.comb += [self.busy.eq(sequencer.active), self.done.eq(sequencer.finish)]
        self._control(m, host, sequencer, issue, mac, unit, signature)
        self._program(m, host, sequencer, program, descriptors)
        self._projection(m, host, issue, mac, events, weights, states)
        self._units(m, host, unit, mac, issue, states, sums)
        self._observe(m, sequencer, unit, signature)
        self._registers(m, host, sequencer, unit, issue, signature)
        return m

    def _control(self, m, host, sequencer, issue, mac, unit, signature):
        """Operands of the operation that starts."""
        flags, a, b, c, t = (sequencer.flags, sequencer.a, sequencer.b, sequencer.c, sequencer.t)
        base_a = (VECTOR.slice(a, "base") + sequencer.bank_offset)[:16]
        base_b = (VECTOR.slice(b, "base") + sequencer.bank_offset_b)[:16]
        m.d.comb += [
            sequencer.projecting.eq(issue.issuing), sequencer.updating.eq(unit.issuing),
            sequencer.projected.eq(mac.busy), sequencer.updated.eq(unit.busy),
            sequencer.signing.eq(signature.busy), sequencer.hold.eq(host.reading),
            sequencer.moved.eq(unit.moved), unit.clear_moved.eq(sequencer.clear_moved),
            host.active.eq(sequencer.active),
            issue.start.eq(sequencer.start_projection), issue.kind.eq(VECTOR.slice(a, "kind")),
            issue.source.eq(base_a), issue.source_blocks.eq(VECTOR.slice(a, "blocks")),
            issue.source_tail.eq(VECTOR.slice(a, "tail")),
            issue.matrix.eq(MATRIX.slice(b, "base")), issue.rows.eq(MATRIX.slice(b, "rows")),
            issue.blocks.eq(MATRIX.slice(b, "blocks")), issue.tail.eq(MATRIX.slice(b, "tail")),
            issue.into.eq(VECTOR.slice(t, "base")), issue.from_.eq(VECTOR.slice(c, "base")),
            unit.start.eq(sequencer.start_unit), unit.key_slot.eq(sequencer.key_slot),
            unit.a.eq(base_a), unit.b.eq(base_b), unit.c.eq(VECTOR.slice(c, "base")),
            unit.t.eq(VECTOR.slice(t, "base")), unit.blocks.eq(VECTOR.slice(t, "blocks")),
            unit.tail.eq(VECTOR.slice(t, "tail")), unit.limits.eq(VECTOR.slice(t, "limits")),
            unit.number.eq(VECTOR.slice(t, "number"))]
        for name in ("dot", "negative", "started"):
            m.d.comb += getattr(issue, name).eq(PROJECT.slice(flags, name))
        for name in ("mode", "nudge", "nudge_negative", "shift", "nudge_shift"):
            m.d.comb += getattr(unit, name).eq(UNIT.slice(flags, name))

    def _program(self, m, host, sequencer, program, descriptors):
        # The host reads and writes these only while no image runs.
        chosen = Mux(host.reading, host.address[1:], sequencer.program_address)
        m.d.comb += [
            program.read_address.eq(chosen), program.write_address.eq(host.address[1:]),
            program.write.eq(host.program_write), program.write_data.eq(host.word),
            descriptors.read_address.eq(Mux(host.reading, host.address[1:],
                                            sequencer.descriptor_address)),
            descriptors.write_address.eq(host.address[1:]),
            descriptors.write.eq(host.descriptor_write), descriptors.write_data.eq(host.word),
            sequencer.program_data.eq(program.read_data),
            sequencer.descriptor_data.eq(descriptors.read_data),
            host.program_data.eq(program.read_data),
            host.descriptor_data.eq(descriptors.read_data)]

    def _projection(self, m, host, issue, mac, events, weights, states):
        # The state word of a dot beat is asked one cycle before its weights arrive.
        word = issue.word
        dot = issue.beat.valid & issue.beat.dot
        for i in range(self.config.weight_latency - 1):
            late, late_dot = Signal.like(word, name=f"word{i}"), Signal(name=f"dot{i}")
            m.d.sync += [late.eq(word), late_dot.eq(dot)]
            word, dot = late, late_dot
        self.dot_word, self.dot_reads = word, dot
        m.d.comb += [
            events.read_address.eq(issue.event_address), issue.event_data.eq(events.read_data),
            events.write.eq(host.event_write), events.write_address.eq(host.address),
            events.write_data.eq(host.data),
            weights.read_address.eq(Mux(host.reading, host.lane_word, issue.weight_address)),
            weights.write.eq(host.weight_write), weights.write_address.eq(host.lane_word),
            weights.write_data.eq(host.weight_word), host.weight_data.eq(weights.read_data),
            mac.beat.eq(issue.beat), mac.value.eq(issue.value), mac.weights.eq(weights.read_data),
            mac.rates.eq(states.read_data0), issue.state_data.eq(states.read_data0)]

    def _units(self, m, host, unit, mac, issue, states, sums):
        """State and accumulator memories, and the chunks of Q lanes selected from their words."""
        config = self.config
        lanes, quick, width = config.lanes, config.update_lanes, config.accumulator_width
        with m.If(unit.issue):
            m.d.comb += states.read_address0.eq(unit.a_address)
        with m.Elif(self.dot_reads):
            m.d.comb += states.read_address0.eq(self.dot_word)
        with m.Elif(host.reading):
            m.d.comb += states.read_address0.eq(host.lane_word)
        with m.Else():
            m.d.comb += states.read_address0.eq(issue.state_address)
        m.d.comb += [states.read_address1.eq(unit.b_address), host.state_data.eq(states.read_data0),
                     sums.read_address0.eq(Mux(mac.sum_read, mac.sum_address, unit.sum_address)),
                     sums.write_lanes.eq(mac.write_lanes), sums.write_address.eq(mac.write_address),
                     sums.write_data.eq(mac.write_data), mac.sums.eq(sums.read_data0)]
        dot_next = Signal()
        m.d.sync += dot_next.eq(mac.sum_read)
        select = Mux(dot_next, mac.dot_chunk, unit.chunk_select)
        chunks = [self._chunk(m, words, bits, select, name) for words, bits, name in (
            (states.read_data0, 16, "a"), (states.read_data1, 16, "b"),
            (sums.read_data0, width, "sum"))]
        m.d.comb += [unit.state_a.eq(chunks[0]), unit.state_b.eq(chunks[1]),
                     unit.sums.eq(chunks[2]), mac.chunk.eq(chunks[2])]
        written = unit.write_valid.any()
        m.d.comb += host.state_taken.eq(written)
        with m.If(written):
            m.d.comb += states.write_address.eq(unit.write_word)
        with m.Else():
            m.d.comb += states.write_address.eq(host.lane_word)
        for lane in range(lanes):
            mine = (unit.write_chunk == lane // quick) & unit.write_valid[lane % quick]
            m.d.comb += [
                states.write_lanes[lane].eq(mine | (host.state_write & (host.lane == lane))),
                states.write_data.word_select(lane, 16).eq(
                    Mux(written, unit.write_values.word_select(lane % quick, 16),
                        host.data[:16]))]

    def _chunk(self, m, words, bits, select, name):
        """Q lanes of a word, registered."""
        quick = self.config.update_lanes
        chunk = Signal(bits * quick, name=f"chunk_{name}")
        with m.Switch(select):
            for number in range(-(-self.config.lanes // quick)):
                with m.Case(number):
                    m.d.sync += chunk.eq(words[number * bits * quick:(number + 1) * bits * quick])
        return chunk

    def _observe(self, m, sequencer, unit, signature):
        """Signature and trace see the same writes."""
        config = self.config
        key = Mux(unit.write_slot, sequencer.keys[32:], sequencer.keys[:32])
        m.d.comb += [signature.valid.eq(unit.write_valid), signature.key.eq(key),
                     signature.address.eq(unit.write_unit),
                     signature.values.eq(unit.write_values)]
        if self.trace:
            m.d.comb += [
                self.trace_valid.eq(unit.write_valid.any()),
                self.trace_operation.eq(Mux(unit.write_slot, sequencer.counts[16:],
                                            sequencer.counts[:16])),
                self.trace_vector.eq(unit.write_number), self.trace_unit.eq(unit.write_unit),
                self.trace_count.eq(sum(unit.write_valid[1:], unit.write_valid[0])
                                    if config.update_lanes > 1 else unit.write_valid),
                self.trace_values.eq(unit.write_values),
                self.trace_image.eq(self.image_number)]

    def _registers(self, m, host, sequencer, unit, issue, signature):
        config = self.config
        number = {name: register.number for name, register in REGISTERS.items()}
        held = {name: Signal(32, name=name) for name in (
            "seed", "image", "done", "prediction", "image_cycles", "image_steps", "writes",
            "saturations", "mac_useful", "mac_cycles", "cycles")}
        steps, cycle = Signal(32), Signal(32)
        projecting = Signal()
        written = sum(unit.write_valid[1:], unit.write_valid[0]) if config.update_lanes > 1 \
            else unit.write_valid
        # From the first beat of a projection to the first issue of the operation behind it.
        with m.If(issue.beat.valid):
            m.d.sync += projecting.eq(1)
        with m.Elif(unit.issue | ~sequencer.active):
            m.d.sync += projecting.eq(0)
        m.d.sync += [held["writes"].eq(held["writes"] + written),
                     held["saturations"].eq(held["saturations"] + unit.clipped)]
        with m.If(issue.beat.valid):
            m.d.sync += held["mac_useful"].eq(held["mac_useful"] + issue.useful)
        with m.If((projecting & ~unit.issue) | issue.beat.valid):
            m.d.sync += held["mac_cycles"].eq(held["mac_cycles"] + 1)
        with m.If(sequencer.stepped):
            m.d.sync += steps.eq(steps + 1)
        with m.If(sequencer.active):
            m.d.sync += [cycle.eq(cycle + 1), held["cycles"].eq(held["cycles"] + 1)]
        with m.If(sequencer.begin):
            m.d.sync += [cycle.eq(0), steps.eq(0)]
        with m.If(sequencer.finish):
            m.d.sync += [held["done"].eq(held["done"] + 1), held["image"].eq(held["image"] + 1),
                         held["prediction"].eq(unit.winner), held["image_cycles"].eq(cycle + 1),
                         held["image_steps"].eq(steps)]
        m.d.comb += [sequencer.seed.eq(held["seed"]), sequencer.image.eq(held["image"]),
                     self.image_number.eq(held["image"]),
                     sequencer.images.eq(host.data), signature.clear_to.eq(host.data)]
        shown = {"identity": IDENTITY, "version": ENGINE_VERSION,
                 "config_hash": int(config.hash, 16),
                 "shape": config.lanes | config.update_lanes << 8,
                 "status": Cat(sequencer.active, sequencer.bank, sequencer.ready),
                 "signature": signature.total, **held}
        with m.Switch(host.register):
            for name, value in shown.items():
                with m.Case(number[name]):
                    m.d.comb += host.register_data.eq(value)
        with m.If(host.register_write):
            with m.Switch(host.register):
                for name, register in REGISTERS.items():
                    if "w" not in register.access:
                        continue
                    with m.Case(register.number):
                        if name in held:
                            m.d.sync += held[name].eq(host.data)
                        elif name == "signature":
                            m.d.comb += signature.clear.eq(1)
                        else:
                            m.d.comb += getattr(sequencer, name).eq(1)

