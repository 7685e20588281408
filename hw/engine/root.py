"""The root of an engine: program, host port, input events, and when everything happens.

The root sends beats, chunks and addresses to the tiles, which all do the same; it knows how long
that takes.  What it has to ask them for (items of state words, maxima, the signature) comes back
later than it would from one tile, by :attr:`apical.hw.engine.stages.Stages.report`.
"""

from __future__ import annotations

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from ..interface.config import EngineConfig
from ..interface.isa import INDEX
from .changes import ChangeQueue
from .host import HostPort
from .issue import ProjectionIssue
from .lanes import InFlight
from .learn import LearnUnit
from .learn_serial import SerialLearnUnit
from .memory import WordMemory
from .operands import Operands
from .ports import (
    HostSignature,
    LearnSignature,
    OperandSignature,
    TileSignature,
    WeightWriteSignature,
)
from .registers import Registers
from .sequencer import Sequencer
from .stages import Stages
from .stores import CodeStore
from .tables_serial import SerialTableUnit
from .unit_issue import UnitControl


class Root(wiring.Component):
    """Everything that is not as wide as the lanes.

    Parameters
    ----------
    config : EngineConfig
    config_hash : str
        What the registers report.
    diagnostics, held : bool
        Further counters; requests stand until they are taken
        (:class:`~apical.hw.engine.host.HostPort`).

    Members
    -------
    host : In(HostSignature), busy, done : Out(1)
        As of the engine.
    tiles : Out(TileSignature)
        All tiles, as if they were one.
    image : Out(32), count : Out(16), update : Out(LearnSignature)
        For the trace: image, operation count of the writes, operands of the weight update.
    updated : Out(WeightWriteSignature)
        Serial learning unit only: what it writes.
    """

    def __init__(self, config: EngineConfig, config_hash: str, diagnostics: bool, held=False):
        self.config, self.hash, self.diagnostics = config, config_hash, diagnostics
        self.held = held
        members = {"host": In(HostSignature()), "busy": Out(1), "done": Out(1),
                   "tiles": Out(TileSignature(config)), "image": Out(32), "count": Out(INDEX),
                   "update": Out(LearnSignature(config))}
        if config.serial_learning:
            members["updated"] = Out(WeightWriteSignature(config))
        super().__init__(members)

    def elaborate(self, platform):
        m = Module()
        config = self.config
        m.submodules.host = self.port = HostPort(config, self.held)
        m.submodules.sequencer = self.sequencer = Sequencer(config)
        m.submodules.operands = self.operands = Operands(config)
        m.submodules.issue = self.issue = ProjectionIssue(config)
        m.submodules.unit = self.unit = UnitControl(config)
        m.submodules.flight = self.flight = InFlight(config)
        m.submodules.code = self.code = CodeStore(config)
        m.submodules.events = self.events = WordMemory(
            32, config.input_banks * config.event_depth, config.event_latency, config.primitives)
        m.submodules.registers = self.registers = Registers(config, self.hash, self.diagnostics)
        self.learn = None
        if config.learning:
            unit_of = SerialLearnUnit if config.serial_learning else LearnUnit
            m.submodules.learn = self.learn = unit_of(config)
        self._host(m)
        self._control(m)
        self._projection(m)
        self._units(m)
        self._count(m)
        if config.serial_table_unit:
            self._table(m)
        if config.serial_learning:
            self._learning_serial(m)
        elif config.learning:
            self._learning_pipelined(m)
        m.d.comb += [self.image.eq(self.registers.run.image), self.count.eq(self.sequencer.count)]
        return m

    def _host(self, m):
        port, run = self.port, self.sequencer.run
        connect(m, flipped(self.host), port.port)
        connect(m, port.registers, self.registers.bus)
        connect(m, port.code, self.code.host)
        connect(m, port.events, self.events.write)
        connect(m, port.states, flipped(self.tiles.states))
        connect(m, port.weights, flipped(self.tiles.weights))
        m.d.comb += [
            port.active.eq(run.active), port.begin.eq(run.begin),
            port.state_taken.eq(self.unit.taken),
            port.inputs_taken.eq(run.active | (run.started & (run.ready != 0))),
            self.busy.eq(run.active), self.done.eq(run.finish)]

    def _control(self, m):
        """The sequencer: its program, the units it waits for, the operands it hands out."""
        sequencer, code, unit, tiles = self.sequencer, self.code, self.unit, self.tiles.units
        connect(m, self.registers.run, sequencer.run)
        connect(m, sequencer.operation, self.operands.operation)
        connect(m, self.operands.projection, self.issue.operation)
        connect(m, self.operands.unit, unit.operation, flipped(tiles.operation))
        if self.config.learning:
            connect(m, self.operands.learn, self.learn.operation, flipped(self.update))
        writing = unit.busy | sequencer.learning if self.config.learning else unit.busy
        m.d.comb += [
            code.program_address.eq(sequencer.program_address),
            code.descriptor_address.eq(sequencer.descriptor_address),
            code.describing.eq(sequencer.describing), sequencer.code.eq(code.code),
            sequencer.projecting.eq(self.issue.issuing),
            sequencer.updating.eq(unit.issuing),
            sequencer.projected.eq(self.flight.busy), sequencer.updated.eq(unit.busy),
            sequencer.summing.eq(self.flight.near), sequencer.writing.eq(unit.near),
            sequencer.measuring.eq(self._still(
                m, tiles.measuring, unit.busy | sequencer.clear_moved, "measuring")),
            sequencer.signing.eq(self._still(m, tiles.signing, writing, "signing")),
            sequencer.hold.eq(self.port.reading), sequencer.moved.eq(tiles.moved),
            tiles.clear_moved.eq(sequencer.clear_moved), sequencer.take_key.eq(unit.take_key),
            tiles.key.eq(sequencer.key), tiles.draw.eq(sequencer.start_draws),
            tiles.draw_key.eq(sequencer.draw_key)]

    def _still(self, m, asked, work, name):
        """Whether the tiles may have something to report: until the answer to `work` has come.

        The answer passes the tree of the fabric, which what they say about it (`asked`) does not.
        """
        table, found = Stages(self.config), asked
        for what, flag, cycles in (("asked", asked, table.levels), ("work", work, table.report)):
            for i in range(cycles):
                late = Signal(name=f"{name}_{what}{i}")
                m.d.sync += late.eq(flag)
                flag, found = late, found | late
        return found

    def _projection(self, m):
        issue, tiles, flight = self.issue, self.tiles, self.flight
        connect(m, issue.events, self.events.read)
        connect(m, issue.items, flipped(tiles.items))
        connect(m, issue.dot, flipped(tiles.beats.dot))
        # Partial sums of all tiles have been added up on their way; all tiles get the sum.
        m.d.comb += tiles.sums.total.eq(tiles.sums.partial)
        if self.config.serial_table_unit:
            m.submodules.table = self.table = SerialTableUnit(self.config)
        address = issue.weight_address
        if self.config.serial_tables:
            address = Mux(tiles.table.busy, self.table.sample, address)
        m.d.comb += [tiles.beats.weight.eq(address), flight.coming.eq(issue.issuing),
                     flight.beat.eq(tiles.beats.operand.beat)]
        beats, updates = issue.operand, None
        if self.config.serial_tables and self.config.gate:
            beats = self._gate_beats(m, beats)
        if self.config.pipelined_learning:
            updates = self.learn.operand
        for name in beats.signature.members:
            value = getattr(beats, name)
            if updates is not None:
                value = Mux(self.learn.busy, getattr(updates, name), value)
            m.d.comb += getattr(tiles.beats.operand, name).eq(value)

    def _gate_beats(self, m, issued):
        """Beats, and those that write currents of the serial table unit."""
        table, port, beats = self.table, self.tiles.table, OperandSignature(self.config).create()
        beat = beats.beat
        m.d.comb += [beats.value.eq(issued.value), beat.eq(issued.beat)]
        with m.If(port.gating):
            m.d.comb += [
                beat.valid.eq(table.gate), beat.dot.eq(1), beat.first.eq(1), beat.last.eq(1),
                beat.started.eq(0), beat.negative.eq(0), beat.into.eq(port.address),
                beat.lane.eq(port.lane)]
        return beats

    def _table(self, m):
        """Functions and random words, one unit at a time."""
        table, unit, sequencer = self.table, self.unit, self.sequencer
        connect(m, self.operands.unit, table.operation)
        connect(m, table.tile, flipped(self.tiles.table))
        connect(m, table.draw, sequencer.draw)
        m.d.comb += [table.slow.eq(unit.slow), table.mixed.eq(sequencer.mixed),
                     unit.token.eq(table.token), unit.advance.eq(table.advance)]

    def _units(self, m):
        unit, issue = self.unit, self.issue
        connect(m, unit.chunk, flipped(self.tiles.units.chunk))
        # A cycle in which projections read states or sums is theirs.
        m.d.sync += unit.pause.eq(issue.reading | self.flight.asking)
        if self.config.change_depth:
            m.submodules.changes = queue = ChangeQueue(self.config)
            connect(m, flipped(self.tiles.units.changes), queue.changes)
            connect(m, queue.item, issue.changes)
            m.d.comb += [queue.take.eq(issue.take_change), issue.unit_issuing.eq(unit.issuing),
                         issue.unit_started.eq(unit.operation.start)]

    def _count(self, m):
        registers, issue, tiles = self.registers, self.issue, self.tiles.units
        connect(m, flipped(tiles.states), registers.states)
        m.d.comb += [
            registers.unit_issue.eq(self.unit.issue),
            registers.beat.eq(issue.operand.beat.valid), registers.useful.eq(issue.useful),
            registers.prediction.eq(tiles.winner), registers.total.eq(tiles.total),
            tiles.clear_signature.eq(registers.clear_signature)]

    def _learning(self, m):
        """What both learning units are connected to."""
        learn = self.learn
        connect(m, learn.walk, self.issue.walk)
        connect(m, learn.side, flipped(self.tiles.side))
        m.d.comb += self.sequencer.learning.eq(learn.busy)

    def _learning_pipelined(self, m):
        """Weight updates in the lanes."""
        learn, sequencer = self.learn, self.sequencer
        self._learning(m)
        connect(m, learn.updates, flipped(self.tiles.updates))
        connect(m, flipped(self.tiles.units.weights), self.registers.weights)
        m.d.comb += [sequencer.closing.eq(learn.closing), learn.key.eq(sequencer.key),
                     learn.flying.eq(self.flight.busy)]

    def _learning_serial(self, m):
        """Weight updates with what the other units have."""
        learn, sequencer, borrow = self.learn, self.sequencer, self.tiles.borrow
        self._learning(m)
        connect(m, learn.mix, sequencer.mix)
        connect(m, learn.product, flipped(borrow.product))
        connect(m, learn.cross, flipped(borrow.cross))
        connect(m, learn.lanes, flipped(borrow.lanes))
        connect(m, learn.counts, self.registers.weights)
        connect(m, learn.writes, flipped(self.updated))
        m.d.comb += [borrow.store.eq(learn.store), sequencer.closing.eq(~learn.busy)]
