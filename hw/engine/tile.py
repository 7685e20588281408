"""A tile: everything that is as wide as its lanes.

Weights, multipliers, sums, states, update lanes, random words and the sum of the signature of some
lanes.  A tile does what the root says, in a fixed number of cycles; it decides nothing and knows
nothing of the program.
"""

from __future__ import annotations

from amaranth.hdl import Cat, Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from ..interface.config import EngineConfig
from .lane_host import LaneHost
from .lanes import Lanes
from .learn_lanes import LearnLanes
from .mixing import SignatureUnit
from .ports import StateWriteSignature, TileSignature, WeightWriteSignature
from .random_words import DrawUnit
from .registers import count
from .scan import WordScan
from .stores import StateStore, SumStore, WeightStore
from .unit_pipeline import UnitPipeline


class Tile(wiring.Component):
    """The lanes ``number * lanes`` and on of every word.

    Latency: that of its parts, see :class:`apical.hw.engine.stages.Stages`.

    Parameters
    ----------
    config : EngineConfig
    number : int

    Members
    -------
    port : In(TileSignature)
        Operand port (`beats`), item port (`items`), sum port (`sums`), elementwise operations
        (`units`), host accesses and learning.
    written : Out(StateWriteSignature), updated : Out(WeightWriteSignature)
        What is written, for the trace; `updated` with the pipelined learning unit only.
    """

    def __init__(self, config: EngineConfig, number=0):
        self.config, self.number = config, number
        members = {"port": In(TileSignature(config)), "written": Out(StateWriteSignature(config))}
        if config.pipelined_learning:
            members["updated"] = Out(WeightWriteSignature(config))
        super().__init__(members)

    def elaborate(self, platform):
        m = Module()
        config, number = self.config, self.number
        m.submodules.host = self.host = LaneHost(config, number)
        m.submodules.weights = self.weights = WeightStore(config)
        m.submodules.states = self.states = StateStore(config)
        m.submodules.sums = self.sums = SumStore(config)
        m.submodules.scan = self.scan = WordScan(config, number)
        m.submodules.lanes = self.lanes = Lanes(config, number)
        m.submodules.unit = self.unit = UnitPipeline(config, number)
        m.submodules.signature = self.signing = SignatureUnit(
            config.update_lanes, config.primitives, config.serial_learning, config.serial_draws)
        self._host(m)
        self._projection(m)
        self._units(m)
        if config.learning:
            connect(m, flipped(self.port.side), self.states.side)
        if config.pipelined_learning:
            self._updates(m)
        elif config.learning:
            self._borrow(m)
        if config.serial_table_unit:
            self._table(m)
        return m

    def _host(self, m):
        host = self.host
        connect(m, flipped(self.port.states), host.states)
        connect(m, flipped(self.port.weights), host.weights)
        connect(m, host.state_words, self.states.host)
        connect(m, host.weight_words, self.weights.host)

    def _projection(self, m):
        port, scan, lanes, states = self.port, self.scan, self.lanes, self.states
        connect(m, flipped(port.items.scan), scan.scan)
        connect(m, scan.item, flipped(port.items.item))
        if self.config.tiles > 1:
            m.d.comb += [scan.mine.eq(port.items.mine), port.items.passed.eq(scan.passed)]
        connect(m, scan.flags, states.flags)
        connect(m, scan.rates, states.rates)
        connect(m, flipped(port.beats.operand), lanes.operand)
        connect(m, flipped(port.beats.dot), states.dot)
        connect(m, flipped(port.sums), lanes.across)
        connect(m, lanes.sums, self.sums.lanes)
        connect(m, lanes.write, self.sums.lanes_write)
        m.d.comb += [self.weights.address.eq(port.beats.weight),
                     lanes.weights.eq(self.weights.word), lanes.rates.eq(states.word)]

    def _units(self, m):
        """What the unit pipeline reads and writes; each write is signed."""
        port, unit, signature = self.port.units, self.unit, self.signing
        connect(m, flipped(port.operation), unit.operation)
        connect(m, flipped(port.chunk), unit.chunk)
        connect(m, unit.states, self.states.units)
        connect(m, unit.sums, self.sums.units)
        connect(m, unit.write, self.states.write, self.sums.states, flipped(self.written))
        connect(m, unit.gate, self.sums.gate)
        if self.config.change_depth:
            connect(m, unit.changes, flipped(port.changes))
        m.d.comb += [
            self.sums.units_issuing.eq(unit.states.issuing),
            signature.valid.eq(unit.write.counted), signature.key.eq(port.key),
            signature.address.eq(unit.write.unit), signature.values.eq(unit.write.data),
            signature.clear.eq(port.clear_signature), unit.clear_moved.eq(port.clear_moved),
            port.moved.eq(unit.moved), port.score.eq(unit.score), port.winner.eq(unit.winner),
            port.measuring.eq(unit.measuring), port.total.eq(signature.total),
            port.signing.eq(signature.busy), port.states.clipped.eq(unit.clipped),
            port.states.written.eq(count(unit.write.counted))]
        if self.config.noise and not self.config.serial_draws:
            m.submodules.draw = draw = DrawUnit(self.config, self.number)
            m.d.comb += [draw.start.eq(port.draw), draw.key.eq(port.draw_key),
                         unit.random.eq(Cat(draw.x, draw.y))]

    def _updates(self, m):
        """Weight updates in the lanes."""
        port, lanes = self.port, self.lanes
        m.submodules.learn = learn = LearnLanes(self.config, self.number)
        connect(m, flipped(port.updates), learn.updates)
        connect(m, lanes.sum, learn.sum)
        connect(m, learn.weights, self.weights.update)
        connect(m, learn.counts, flipped(port.units.weights))
        connect(m, learn.writes, flipped(self.updated))
        m.d.comb += [learn.word.eq(self.states.word), self.signing.extra.eq(learn.mixed),
                     port.units.signing.eq(self.signing.busy | learn.signing)]

    def _borrow(self, m):
        """Weight updates with what the other units have."""
        borrow = self.port.borrow
        connect(m, flipped(borrow.product), self.unit.product)
        connect(m, flipped(borrow.cross), self.signing.cross)
        connect(m, flipped(borrow.lanes), self.host.update)
        m.d.comb += self.weights.update.enable.eq(borrow.store)

    def _table(self, m):
        """The table unit, one unit at a time, with what the other units have."""
        table, unit, signing, lanes = self.port.table, self.unit, self.signing, self.lanes
        connect(m, flipped(table), unit.table)
        m.d.comb += [
            self.host.samples.eq(table.busy), self.host.sample_lane.eq(table.sample_lane),
            unit.table_sample.eq(self.host.sample), lanes.gating.eq(table.gating),
            lanes.gated.eq(table.gated), signing.drawing.eq(table.crossing),
            signing.draw_key.eq(self.port.units.draw_key), signing.draw_word.eq(table.word),
            unit.random.eq(Cat(signing.x, signing.y))]
