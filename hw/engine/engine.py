"""The engine: memories, lanes, unit pipeline, sequencer and host port put together.

Data path::

    host port -> memories          program -> sequencer -> start of one operation at a time
    events / state words -> issue -> weights x rates -> lanes -> accumulators
    accumulators, states -> unit pipeline -> states, signature, trace

The parts are connected by the interfaces of :mod:`apical.hw.engine.ports`.
"""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Mux
from amaranth.lib import wiring
from amaranth.lib.wiring import Out, connect, flipped

from ..interface.config import EngineConfig
from .host import HostPort
from .issue import ProjectionIssue
from .lanes import Lanes
from .learn import LearnUnit
from .learn_serial import SerialLearnUnit
from .memory import WordMemory
from .mixing import SignatureUnit
from .operands import Operands
from .ports import HostSignature, OperandSignature, flat_members, flat_view
from .random_words import DrawUnit
from .registers import Registers, count
from .sequencer import Sequencer
from .stores import CodeStore, StateStore, SumStore, WeightStore
from .unit_pipeline import UnitPipeline
from .write_trace import WriteTrace, trace_ports

#: Ports of every engine beside clock and reset.
HOST_MEMBERS = {**flat_members("host", HostSignature().flip()), "busy": Out(1), "done": Out(1)}


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
        Host port, see :mod:`apical.hw.engine.host`; as an interface it is :attr:`host`.
    busy : Out(1)
        An image is running.
    done : Out(1)
        Pulse at the end of each image.
    trace_* : Out
        Only with `trace`, see :class:`~apical.hw.engine.ports.TraceSignature`.
    """

    def __init__(self, config: EngineConfig, trace=False, portable=False, held=False):
        self.config, self.trace, self.hash, self.held = config, trace, config.hash, held
        if portable:
            self.config = config.replace(primitives="portable")
        members = dict(HOST_MEMBERS)
        if trace:
            members |= {name: Out(width) for name, width in trace_ports(config).items()}
        super().__init__(members)

    @property
    def host(self):
        """The host port as an interface to connect to."""
        return flat_view(self, "host", HostSignature().flip())

    def elaborate(self, platform):
        m = Module()
        config = self.config
        m.submodules.host = self.port = HostPort(config, self.held)
        m.submodules.sequencer = self.sequencer = Sequencer(config)
        m.submodules.operands = self.operands = Operands(config)
        m.submodules.issue = self.issue = ProjectionIssue(config)
        m.submodules.lanes = self.lanes = Lanes(config)
        m.submodules.unit = self.unit = UnitPipeline(config)
        m.submodules.code = self.code = CodeStore(config)
        m.submodules.events = self.events = WordMemory(
            32, config.input_banks * config.event_depth, config.event_latency, config.primitives)
        m.submodules.weights = self.weights = WeightStore(config)
        m.submodules.states = self.states = StateStore(config)
        m.submodules.sums = self.sums = SumStore(config)
        m.submodules.signature = self.signing = SignatureUnit(
            config.update_lanes, config.primitives, config.serial_learning, config.serial_draws)
        m.submodules.registers = self.registers = Registers(
            config, self.hash, config.diagnostics or self.trace)
        self.learn = None
        if config.learning:
            unit_of = SerialLearnUnit if config.serial_learning else LearnUnit
            m.submodules.learn = self.learn = unit_of(config)
        self._host(m)
        self._control(m)
        self._projection(m)
        self._units(m)
        self._count(m)
        if config.serial_learning:
            self._learning_serial(m)
        elif config.learning:
            self._learning_pipelined(m)
        if self.trace:
            self._trace(m)
        return m

    def _host(self, m):
        port, run = self.port, self.sequencer.run
        connect(m, flipped(self.host), port.port)
        connect(m, port.registers, self.registers.bus)
        connect(m, port.code, self.code.host)
        connect(m, port.events, self.events.write)
        connect(m, port.states, self.states.host)
        connect(m, port.weights, self.weights.host)
        m.d.comb += [
            port.active.eq(run.active), port.begin.eq(run.begin),
            port.state_taken.eq(self.unit.write.taken),
            port.inputs_taken.eq(run.active | (run.started & (run.ready != 0))),
            self.busy.eq(run.active), self.done.eq(run.finish)]

    def _control(self, m):
        """The sequencer: its program, the units it waits for, the operands it hands out."""
        sequencer, code, unit, lanes = self.sequencer, self.code, self.unit, self.lanes
        connect(m, self.registers.run, sequencer.run)
        connect(m, sequencer.operation, self.operands.operation)
        connect(m, self.operands.projection, self.issue.operation)
        connect(m, self.operands.unit, unit.operation)
        m.d.comb += [
            code.program_address.eq(sequencer.program_address),
            code.descriptor_address.eq(sequencer.descriptor_address),
            code.describing.eq(sequencer.describing), sequencer.code.eq(code.code),
            sequencer.projecting.eq(self.issue.issuing),
            sequencer.updating.eq(unit.states.issuing),
            sequencer.projected.eq(lanes.sum.busy), sequencer.updated.eq(unit.busy),
            sequencer.measuring.eq(unit.measuring), sequencer.signing.eq(self.signing.busy),
            sequencer.hold.eq(self.port.reading), sequencer.moved.eq(unit.moved),
            unit.clear_moved.eq(sequencer.clear_moved), sequencer.take_key.eq(unit.take_key)]
        if self.config.one_at_a_time:
            self._one_at_a_time(m)
        elif self.config.noise:
            m.submodules.draw = draw = DrawUnit()
            m.d.comb += [draw.start.eq(sequencer.start_draws), draw.key.eq(sequencer.draw_key),
                         unit.random.eq(Cat(draw.x, draw.y))]

    def _one_at_a_time(self, m):
        """The serial table unit, with what the other units have."""
        sequencer, unit, signing = self.sequencer, self.unit, self.signing
        connect(m, unit.draw, sequencer.draw)
        connect(m, unit.samples, self.port.samples)
        m.d.comb += [
            signing.drawing.eq(unit.crossing), signing.draw_key.eq(sequencer.draw_key),
            signing.draw_word.eq(sequencer.mixed), unit.random.eq(Cat(signing.x, signing.y))]

    def _projection(self, m):
        issue, lanes, states = self.issue, self.lanes, self.states
        connect(m, issue.events, self.events.read)
        connect(m, issue.flags, states.flags)
        connect(m, issue.rates, states.rates)
        connect(m, issue.dot, states.dot)
        connect(m, lanes.sums, self.sums.lanes)
        connect(m, lanes.write, self.sums.lanes_write)
        address = issue.weight_address
        if self.config.serial_tables:
            samples = self.unit.samples
            address = Mux(samples.busy, samples.address, address)
        m.d.comb += [self.weights.address.eq(address),
                     lanes.weights.eq(self.weights.word), lanes.rates.eq(issue.dot.word),
                     lanes.coming.eq(issue.issuing)]
        beats, updates = issue.operand, None
        if self.config.serial_tables:
            beats = self._gate_beats(m, beats)
        if self.config.pipelined_learning:
            updates = self.learn.operand
        for name in beats.signature.members:
            value = getattr(beats, name)
            if updates is not None:
                value = Mux(self.learn.busy, getattr(updates, name), value)
            m.d.comb += getattr(lanes.operand, name).eq(value)

    def _gate_beats(self, m, issued):
        """Beats, and those that write currents of the serial table unit."""
        unit, beats = self.unit, OperandSignature(self.config).create()
        gating, beat = unit.gating, beats.beat
        m.d.comb += [self.lanes.gating.eq(gating), self.lanes.gated.eq(unit.gate.value),
                     beats.value.eq(issued.value), beat.eq(issued.beat)]
        with m.If(gating):
            m.d.comb += [
                beat.valid.eq(unit.gate.enable), beat.dot.eq(1), beat.first.eq(1), beat.last.eq(1),
                beat.started.eq(0), beat.negative.eq(0), beat.into.eq(unit.write.address),
                beat.lane.eq(unit.write.number)]
        return beats

    def _units(self, m):
        """What the unit pipeline reads and writes; each write is signed."""
        unit, signature = self.unit, self.signing
        connect(m, unit.states, self.states.units)
        connect(m, unit.sums, self.sums.units)
        connect(m, unit.write, self.states.write, self.sums.states)
        connect(m, unit.gate, self.sums.gate)
        m.d.comb += [
            self.sums.units_issuing.eq(unit.states.issuing),
            signature.valid.eq(unit.write.counted), signature.key.eq(self.sequencer.key),
            signature.address.eq(unit.write.unit), signature.values.eq(unit.write.data),
            signature.clear.eq(self.registers.clear_signature)]

    def _count(self, m):
        registers, issue, unit = self.registers, self.issue, self.unit
        m.d.comb += [
            registers.states.written.eq(count(unit.write.counted)),
            registers.states.clipped.eq(unit.clipped), registers.unit_issue.eq(unit.issue),
            registers.beat.eq(issue.operand.beat.valid), registers.useful.eq(issue.useful),
            registers.prediction.eq(unit.winner), registers.total.eq(self.signing.total)]
        if self.learn is not None:
            connect(m, self.learn.counts, registers.weights)

    def _learning(self, m):
        """What both learning units are connected to."""
        learn = self.learn
        connect(m, self.operands.learn, learn.operation)
        connect(m, learn.walk, self.issue.walk)
        connect(m, learn.side, self.states.side)
        connect(m, learn.weights, self.weights.update)
        m.d.comb += self.sequencer.learning.eq(learn.busy)

    def _learning_pipelined(self, m):
        """Weight updates in the lanes."""
        learn, sequencer = self.learn, self.sequencer
        self._learning(m)
        connect(m, self.lanes.sum, learn.sum)
        m.d.comb += [
            sequencer.closing.eq(learn.closing), learn.key.eq(sequencer.key),
            sequencer.signing.eq(self.signing.busy | learn.signing),
            self.signing.extra.eq(learn.mixed)]

    def _learning_serial(self, m):
        """Weight updates with what the other units have."""
        learn, sequencer = self.learn, self.sequencer
        self._learning(m)
        connect(m, learn.mix, sequencer.mix)
        connect(m, learn.product, self.unit.product)
        connect(m, learn.cross, self.signing.cross)
        connect(m, learn.lanes, self.port.update)
        m.d.comb += sequencer.closing.eq(~learn.busy)

    def _trace(self, m):
        m.submodules.trace = trace = WriteTrace(self.config)
        m.d.comb += [trace.image.eq(self.registers.run.image),
                     trace.operation.eq(self.sequencer.count)]
        connect(m, self.unit.write, trace.states)
        if self.learn is not None:
            connect(m, self.operands.learn, trace.update)
            connect(m, self.learn.writes, trace.weights)
        connect(m, trace.trace, flipped(flat_view(self, "trace", trace.trace.signature)))
