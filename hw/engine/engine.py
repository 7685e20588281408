"""The engine: memories, lanes, unit pipeline, sequencer and host port put together.

Data path::

    host port -> memories          program -> sequencer -> start of one operation at a time
    events / state words -> issue -> weights x rates -> lanes -> accumulators
    accumulators, states -> unit pipeline -> states, signature, trace
"""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Mux, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

from ..interface.config import EngineConfig
from ..interface.isa import ADDRESS_BITS, LEARN, MATRIX, PROJECT, UNIT, VECTOR
from .host import HostPort
from .issue import ProjectionIssue
from .lanes import Lanes
from .learn import LearnUnit
from .learn_serial import SerialLearnUnit
from .memory import ChunkMemory, LaneMemory, WordMemory, address_bits
from .mixing import SignatureUnit
from .random_words import DrawUnit
from .registers import registers
from .sequencer import Sequencer
from .unit_pipeline import UnitPipeline
from .write_trace import observe, trace_ports

#: Ports of every engine beside clock and reset.
HOST_MEMBERS = {
    "host_valid": In(1), "host_write": In(1), "host_address": In(ADDRESS_BITS),
    "host_write_data": In(32), "host_ready": Out(1),
    "host_read_valid": Out(1), "host_read_data": Out(32),
    "busy": Out(1), "done": Out(1)}


class Engine(wiring.Component):
    """A relaxation engine.

    Parameters
    ----------
    config : EngineConfig
    trace : bool
        Add the trace port (simulation only): every state write with its operation count, vector
        number, first unit and values.
    held : bool
        Requests stand until they are taken, see :class:`~apical.hw.engine.host.HostPort`.
    portable : bool
        Build it of portable primitives whatever the configuration says: the same engine cycle for
        cycle, under the same hash, for simulators that have no models of the cells.

    Members
    -------
    host_* :
        Host port, see :mod:`apical.hw.engine.host`.
    busy : Out(1)
        An image is running.
    done : Out(1)
        Pulse at the end of each image.
    trace_* : Out
        Only with `trace`.
    """

    def __init__(self, config: EngineConfig, trace=False, portable=False, held=False):
        self.config, self.trace, self.hash, self.held = config, trace, config.hash, held
        if portable:
            self.config = config.replace(primitives="portable")
        members = dict(HOST_MEMBERS)
        if trace:
            members |= {name: Out(width) for name, width in trace_ports(config).items()}
        super().__init__(members)

    def elaborate(self, platform):
        m = Module()
        config = self.config
        lanes, width, family = config.lanes, config.accumulator_width, config.primitives
        self.image_number = Signal(32)
        m.submodules.host = host = HostPort(config, self.held)
        m.submodules.sequencer = sequencer = Sequencer(config)
        m.submodules.issue = issue = ProjectionIssue(config)
        m.submodules.lanes = mac = Lanes(config)
        m.submodules.unit = unit = UnitPipeline(config)
        self.learn = self.draw = None
        if config.noise:
            m.submodules.draw = self.draw = DrawUnit()
        if config.learning:
            unit_of = SerialLearnUnit if config.serial_learning else LearnUnit
            m.submodules.learn = self.learn = unit_of(config)
        m.submodules.signature = signature = SignatureUnit(config.update_lanes, family,
                                                           config.serial_learning)
        # Instructions and descriptors are never read in the same cycle: one memory holds both.
        self.code_bits = max(address_bits(config.program_depth),
                             address_bits(config.descriptor_depth))
        halves = [WordMemory(32, (1 << self.code_bits) + config.descriptor_depth,
                             config.code_latency, family) for _ in range(2)]
        m.submodules.code_low, m.submodules.code_high = halves
        m.submodules.events = events = WordMemory(
            32, config.input_banks * config.event_depth, config.event_latency, family)
        m.submodules.weights = weights = WordMemory(
            config.weight.width * lanes, config.weight_depth, config.weight_latency, family)
        # Two copies of the states: one read by words, one by chunks; and which of them are not 0.
        quick = config.update_lanes
        m.submodules.states = states = LaneMemory(lanes, 16, config.state_depth, family, quick)
        m.submodules.flags = flags = LaneMemory(lanes, 1, config.state_depth, family)
        m.submodules.chunks = chunks = ChunkMemory(lanes, quick, 16, config.state_depth,
                                                   family)
        m.submodules.sums = sums = LaneMemory(lanes, width, config.accumulator_depth, family, quick)

        for name in ("valid", "write", "address", "write_data"):
            m.d.comb += getattr(host, f"host_{name}").eq(getattr(self, f"host_{name}"))
        for name in ("ready", "read_valid", "read_data"):
            m.d.comb += getattr(self, f"host_{name}").eq(getattr(host, f"host_{name}"))
        m.d.comb += [self.busy.eq(sequencer.active), self.done.eq(sequencer.finish)]
        self._control(m, host, sequencer, issue, mac, unit, signature)
        self._code(m, host, sequencer, halves)
        self._projection(m, host, issue, mac, events, weights, states)
        self._units(m, host, unit, mac, issue, states, flags, chunks, sums)
        observe(m, self, host, sequencer, unit, signature)
        registers(m, self, host, sequencer, unit, issue, signature)
        return m

    def _control(self, m, host, sequencer, issue, mac, unit, signature):
        """Operands of the operation that starts."""
        flags, a, b, c, t = (sequencer.flags, sequencer.a, sequencer.b, sequencer.c, sequencer.t)
        base_a = (VECTOR.slice(a, "base") + sequencer.bank_offset)[:16]
        base_b = (VECTOR.slice(b, "base") + sequencer.bank_offset_b)[:16]
        m.d.comb += [
            sequencer.projecting.eq(issue.issuing), sequencer.updating.eq(unit.issuing),
            sequencer.projected.eq(mac.busy), sequencer.updated.eq(unit.busy),
            sequencer.measuring.eq(unit.measuring), mac.coming.eq(issue.issuing),
            sequencer.signing.eq(signature.busy), sequencer.hold.eq(host.reading),
            sequencer.moved.eq(unit.moved), unit.clear_moved.eq(sequencer.clear_moved),
            host.active.eq(sequencer.active), host.begin.eq(sequencer.begin),
            host.inputs_taken.eq(sequencer.active
                                 | (sequencer.started & (sequencer.ready != 0))),
            issue.start.eq(sequencer.start_projection), issue.kind.eq(VECTOR.slice(a, "kind")),
            issue.source.eq(base_a), issue.source_blocks.eq(VECTOR.slice(a, "blocks")),
            issue.source_tail.eq(VECTOR.slice(a, "tail")),
            issue.matrix.eq(MATRIX.slice(b, "base")), issue.rows.eq(MATRIX.slice(b, "rows")),
            issue.blocks.eq(MATRIX.slice(b, "blocks")), issue.tail.eq(MATRIX.slice(b, "tail")),
            issue.into.eq(VECTOR.slice(t, "base")), issue.from_.eq(VECTOR.slice(c, "base")),
            unit.factor.eq(VECTOR.slice(b, "base")),
            unit.start.eq(sequencer.start_unit), sequencer.take_key.eq(unit.take_key),
            unit.a.eq(base_a), unit.b.eq(base_b), unit.c.eq(VECTOR.slice(c, "base")),
            unit.t.eq(VECTOR.slice(t, "base")), unit.blocks.eq(VECTOR.slice(t, "blocks")),
            unit.tail.eq(VECTOR.slice(t, "tail")), unit.limits.eq(VECTOR.slice(t, "limits")),
            unit.number.eq(VECTOR.slice(t, "number"))]
        for name in ("dot", "negative", "started"):
            m.d.comb += getattr(issue, name).eq(PROJECT.slice(flags, name))
        if self.draw is not None:
            m.d.comb += [self.draw.start.eq(sequencer.start_draws),
                         self.draw.key.eq(sequencer.draw_key),
                         unit.random.eq(Cat(self.draw.x, self.draw.y))]
        for name in ("mode", "nudge", "nudge_negative", "plain", "negate", "silent", "shift",
                     "nudge_shift", "post", "draws", "noisy"):
            m.d.comb += getattr(unit, name).eq(UNIT.slice(flags, name))
        if self.learn is not None:
            self._learning(m, sequencer, issue, unit)
            if self.config.serial_learning:
                self._learning_serial(m, host, sequencer, issue, unit, signature)
            else:
                self._learning_pipelined(m, sequencer, issue, mac, unit, signature)
        if self.draw is not None:
            with m.If(UNIT.slice(flags, "noisy")):
                m.d.comb += unit.factor.eq(sequencer.noise_factor)

    def _learning(self, m, sequencer, issue, unit):
        """Operands of weight updates, and the sign of beta."""
        learn, flags, b = self.learn, sequencer.flags, sequencer.b
        turn = sequencer.sign & UNIT.slice(flags, "by_sign")
        factor = VECTOR.slice(b, "base").as_signed()
        if not self.config.serial_learning:
            m.d.comb += unit.factor.eq(Mux(turn, -factor, factor))
        two, busy = LEARN.slice(flags, "two"), learn.busy
        paired, closing = ((two, ~busy) if self.config.serial_learning
                           else (learn.paired, learn.closing))
        m.d.comb += [
            unit.nudge_negative.eq(UNIT.slice(flags, "nudge_negative") ^ turn),
            unit.factor_negative.eq(turn),
            sequencer.learning.eq(busy), sequencer.closing.eq(closing),
            learn.start.eq(sequencer.start_learn),
            learn.two.eq(two), learn.turned.eq(LEARN.slice(flags, "turned")),
            learn.negative.eq(LEARN.slice(flags, "negative")),
            learn.tail.eq(MATRIX.slice(b, "tail")), learn.issuing.eq(issue.issuing),
            learn.item_valid.eq(issue.item_valid), learn.item_index.eq(issue.item_index)]
        # Operands stand still: registered, these are off the way to the memories.
        m.d.sync += [issue.apart.eq(LEARN.slice(flags, "other") - issue.source),
                     issue.learn.eq(busy), issue.dense.eq(busy & paired),
                     issue.paced.eq(busy & (paired | (self.config.weight_ports == 1)))]

    def _learning_pipelined(self, m, sequencer, issue, mac, unit, signature):
        """Weight updates in the lanes."""
        learn, states, b, c, t = (self.learn, len(unit.a), sequencer.b, sequencer.c, sequencer.t)
        m.d.comb += [
            sequencer.signing.eq(signature.busy | learn.signing),
            signature.extra.eq(learn.mixed),
            learn.matrix.eq(MATRIX.slice(b, "base")), learn.rows.eq(MATRIX.slice(b, "rows")),
            learn.blocks.eq(MATRIX.slice(b, "blocks")),
            learn.lane_bases.as_value().eq(Cat(VECTOR.slice(c, "base")[:states],
                                               VECTOR.slice(t, "base")[:states])),
            learn.key.eq(sequencer.key),
            learn.item_value.eq(issue.item_value), learn.item_other.eq(issue.item_other),
            learn.last.eq(mac.learned), learn.flags.eq(mac.scalars),
            learn.totals.eq(mac.write_data), learn.lanes_busy.eq(mac.busy),
            mac.begin.eq(learn.begin)]
        with m.If(learn.busy):
            m.d.comb += [issue.start.eq(learn.start_issue), issue.dot.eq(0), issue.blocks.eq(1)]

    def _learning_serial(self, m, host, sequencer, issue, unit, signature):
        """Weight updates with what the other units have."""
        learn = self.learn
        m.d.comb += [
            issue.start.eq(sequencer.start_projection | learn.start_issue),
            issue.advance.eq(learn.advance), issue.second.eq(learn.second),
            learn.item_last.eq(issue.item_last), learn.final.eq(issue.final),
            learn.value.eq(issue.item_value), learn.a.eq(unit.state_a),
            learn.total.eq(unit.total), learn.x.eq(signature.x), learn.y.eq(signature.y),
            learn.old.eq(host.old),
            sequencer.hash_start.eq(learn.hash_start), sequencer.hash_word.eq(learn.hash_word),
            sequencer.take_mix.eq(learn.take_mix),
            unit.learning.eq(learn.busy), unit.learn_value.eq(issue.item_value),
            unit.learn_load.eq(learn.load), unit.learn_add.eq(learn.add),
            unit.learn_subtract.eq(learn.subtract), unit.learn_begin.eq(learn.begin),
            signature.weights.eq(learn.busy), signature.word.eq(sequencer.mixed),
            signature.sign.eq(learn.sign), signature.mixed.eq(learn.mixed),
            host.learning.eq(learn.busy), host.learn_shift.eq(learn.shift),
            host.learn_lane.eq(learn.lane), host.learn_word.eq(learn.new)]

    def _code(self, m, host, sequencer, halves):
        # The host reads and writes these only while no image runs.
        bits = self.code_bits
        address, place = Signal(bits + 1), Cat(host.address[1:bits + 1], host.descriptor)
        with m.If(host.reading):
            m.d.comb += address.eq(place)
        with m.Elif(sequencer.describing):
            m.d.comb += address.eq(sequencer.descriptor_address | 1 << bits)
        with m.Else():
            m.d.comb += address.eq(sequencer.program_address)
        writes = host.program_write | host.descriptor_write
        for number, half in enumerate(halves):
            m.d.comb += [half.read_address.eq(address), half.write_address.eq(place),
                         half.write.eq(writes & (host.address[0] == number)),
                         half.write_data.eq(host.data)]
        word = Cat(*(half.read_data for half in halves))
        m.d.comb += [sequencer.code.eq(word), host.code_data.eq(word)]

    def _projection(self, m, host, issue, mac, events, weights, states):
        # The state word of a dot beat is asked one cycle before its weights arrive.
        word = issue.word
        dot = issue.beat.valid & issue.beat.dot
        for i in range(self.config.weight_latency - 1):
            late, late_dot = Signal.like(word, name=f"word{i}"), Signal(name=f"dot{i}")
            m.d.sync += [late.eq(word), late_dot.eq(dot)]
            word, dot = late, late_dot
        self.dot_word, self.dot_reads = word, dot
        # Of one port there is one address.
        one = self.config.weight_ports == 1 and not self.config.pipelined_learning
        hosts = host.reading | host.weight_write if one else host.reading
        m.d.comb += [
            events.read_address.eq(issue.event_address), issue.event_data.eq(events.read_data),
            events.write.eq(host.event_write), events.write_address.eq(host.address),
            events.write_data.eq(host.data),
            weights.read_address.eq(Mux(hosts, host.lane_word, issue.weight_address)),
            weights.write_address.eq(weights.read_address if one else host.lane_word),
            weights.write.eq(host.weight_write),
            mac.beat.eq(issue.beat), mac.value.eq(issue.value),
            mac.weights.eq(host.weight_data),
            mac.rates.eq(states.read_data)]

        new_word = host.weight_word
        learn = self.learn
        if self.config.serial_learning:
            with m.If(learn.write):
                m.d.comb += weights.write.eq(1)
                if not one:
                    m.d.comb += weights.write_address.eq(issue.weight_address)
        elif learn is not None:
            m.d.comb += [learn.weights.eq(host.weight_data), learn.word.eq(states.read_data)]
            with m.If(learn.busy):
                m.d.comb += [weights.read_address.eq(learn.read_address),
                             mac.beat.eq(learn.beat), mac.value.eq(learn.value)]
            with m.If(learn.write):
                m.d.comb += [weights.write.eq(1), weights.write_address.eq(learn.write_address)]
            new_word = Mux(learn.write, learn.write_data, new_word)
        # Weights lie in memory in their own width, elsewhere in 16 bits.
        bits = self.config.weight.width
        for lane in range(self.config.lanes):
            m.d.comb += [
                weights.write_data.word_select(lane, bits).eq(
                    new_word.word_select(lane, 16)),
                host.weight_data.word_select(lane, 16).eq(
                    weights.read_data.word_select(lane, bits).as_signed())]

    def _units(self, m, host, unit, mac, issue, states, flags, copy, sums):
        """State and accumulator memories, and the chunks of Q lanes selected from their words."""
        config = self.config
        lanes, quick = config.lanes, config.update_lanes
        with m.If(host.reading):
            m.d.comb += [copy.read_address.eq(host.lane_word),
                         copy.read_chunk.eq(host.lane >> ceil_log2(quick))]
        with m.Elif(unit.issuing):
            m.d.comb += [copy.read_address.eq(unit.b_address), copy.read_chunk.eq(unit.chunk)]
        with m.Else():
            m.d.comb += [copy.read_address.eq(issue.rate_word),
                         copy.read_chunk.eq(issue.rate_chunk)]
        # Kept as its complement, which the subtraction behind it wants.
        not_b = Signal(16 * quick, reset_less=True)
        m.d.sync += not_b.eq(~copy.read_data)
        word = Mux(self.dot_reads, self.dot_word, unit.a_address)
        if self.learn is not None:
            learning = Signal()
            m.d.sync += learning.eq(self.learn.busy)
            serial = config.serial_learning
            side = issue.side_word if serial else self.learn.word_address
            word = Mux(learning, side, word)
        chunk, chunking = unit.chunk, unit.issuing
        if config.serial_learning:
            chunk, chunking = Mux(learning, self.learn.lane, chunk), chunking | learning
        m.d.comb += [
            states.read_address.eq(word),
            states.read_chunk.eq(chunk), states.chunking.eq(chunking),
            sums.read_address.eq(Mux(unit.issuing, unit.sum_address, mac.sum_address)),
            sums.read_chunk.eq(unit.chunk), sums.chunking.eq(unit.issuing),
            sums.write_lanes.eq(mac.write_lanes), sums.write_address.eq(mac.write_address),
            sums.write_data.eq(mac.write_data), mac.sums.eq(sums.read_data),
            unit.state_a.eq(states.chunk_data), unit.state_b.eq(~not_b),
            unit.sums.eq(sums.chunk_data), host.state_data.eq(copy.read_data),
            issue.rate_data.eq(copy.read_data),
            flags.read_address.eq(issue.flags_address), issue.flags_data.eq(flags.read_data),
            host.state_taken.eq(unit.taken)]
        if config.smooth:
            self._gates(m, unit, sums)
        # Lanes of one chunk are written at a time, by the host one lane.
        with m.If(unit.taken):
            m.d.comb += [copy.write_address.eq(unit.write_word),
                         copy.write_chunk.eq(unit.write_chunk),
                         copy.write_lanes.eq(unit.write_valid),
                         copy.write_data.eq(unit.write_values)]
        with m.Else():
            place = host.lane & (quick - 1)
            m.d.comb += [copy.write_address.eq(host.lane_word),
                         copy.write_chunk.eq(host.lane >> ceil_log2(quick)),
                         copy.write_lanes.eq(host.state_write << place),
                         copy.write_data.eq(host.data[:16].replicate(quick))]
        full = [copy.write_data.word_select(lane, 16).any() for lane in range(quick)]
        m.d.comb += [states.write_address.eq(copy.write_address),
                     flags.write_address.eq(copy.write_address),
                     flags.write_lanes.eq(states.write_lanes)]
        for lane in range(lanes):
            m.d.comb += [
                states.write_lanes[lane].eq(copy.write_lanes[lane % quick]
                                            & (copy.write_chunk == lane // quick)),
                states.write_data.word_select(lane, 16).eq(
                    copy.write_data.word_select(lane % quick, 16)),
                flags.write_data[lane].eq(full[lane % quick])]

    def _gates(self, m, unit, sums):
        """The table unit puts currents through the gate: lanes of a chunk of accumulators."""
        config = self.config
        quick, width = config.update_lanes, config.accumulator_width
        # A slice of a shorter value would not be extended by its sign.
        gated = Signal(signed(width))
        m.d.comb += gated.eq(unit.sum_value << config.weight.frac)
        with m.If(unit.sum_write.any()):
            m.d.comb += [sums.write_address.eq(unit.write_word),
                         sums.write_data.eq(gated.replicate(config.lanes))]
            for lane in range(config.lanes):
                m.d.comb += sums.write_lanes[lane].eq(unit.sum_write[lane % quick]
                                                      & (unit.write_chunk == lane // quick))
