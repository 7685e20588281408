"""The host's side of a tile: lanes of words, which never leave it whole.

The root sends one lane at a time.  The lanes of a weight word come in order, so they are shifted
in here; the last lane of the tile stores them.  A lane that is read is selected here.
"""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

from ..interface.config import EngineConfig
from ..interface.isa import LANE_BITS, WORD
from ..primitives import family
from ..primitives.portable import delayed, select_chunk
from .ports import LaneAccessSignature, LaneSignature, LaneWordSignature, Widths

#: With more lanes than that one is selected in two steps.
FAR = 8


class LaneHost(wiring.Component):
    """Makes accesses of the memories of a tile from those of single lanes.

    Latency: none for writes; `value` follows 1 cycle after the word.

    Parameters
    ----------
    config : EngineConfig
    number : int
        Which tile.

    Members
    -------
    states, weights : In(LaneSignature)
        What the root asks.
    state_words, weight_words : Out(LaneAccessSignature)
        Of states one is written at a time, of weights the lanes of this tile.
    update : In(LaneWordSignature)
        Serial learning unit only: weights are read and words put together for it.
    samples : In(1), sample_lane : In, sample : Out(16)
        Serial table unit only: a lane of the word of weights that is read.
    """

    def __init__(self, config: EngineConfig, number=0):
        self.config, self.number = config, number
        widths = Widths(config)
        super().__init__({
            "states": In(LaneSignature(config)), "weights": In(LaneSignature(config)),
            "state_words": Out(LaneAccessSignature(WORD, widths.chunk)),
            "weight_words": Out(LaneAccessSignature(widths.word, widths.word)),
            "update": In(LaneWordSignature(config)), "samples": In(1),
            "sample_lane": In(LANE_BITS), "sample": Out(WORD)})

    def elaborate(self, platform):
        m = Module()
        for asked, access in ((self.states, self.state_words), (self.weights, self.weight_words)):
            mine = self._mine(asked)
            m.d.comb += [access.reading.eq(asked.reading), access.lane.eq(asked.lane),
                         access.address.eq(asked.address),
                         access.write.eq(asked.write if mine is None else asked.write & mine)]
        m.d.comb += self.state_words.data.eq(self.states.data)
        self._stage(m)
        self._select(m)
        return m

    def _mine(self, asked):
        """Whether a lane is of this tile; None where there is one tile only."""
        return asked.tiles[self.number] if self.config.tiles > 1 else None

    def _stage(self, m):
        """Lanes come in order, so that they shift in."""
        config, update = self.config, self.update
        staged = Signal(WORD * (config.lanes - 1), reset_less=True)
        word, mine = Signal(WORD * config.lanes), self._mine(self.weights)
        newest = self.weights.data
        comes = self.weights.shift if mine is None else self.weights.shift & mine
        if config.serial_learning:
            newest = Mux(update.busy, update.new, newest)
            comes = comes | update.shift
        m.d.comb += [word.eq(Cat(staged, newest)), self.weight_words.data.eq(word),
                     update.word.eq(word)]
        with m.If(comes):
            m.d.sync += staged.eq(word >> WORD)

    def _select(self, m):
        """The lane of states and of weights that is read, two cycles after its number."""
        cells = family(self.config.primitives)
        for name, asked, words in (("state", self.states, self.state_words.word),
                                   ("weight", self.weights, self.weight_words.word)):
            number, serial = asked.lane, self.config.shared_product
            if self.config.serial_tables and name == "weight":
                number = Mux(self.samples, self.sample_lane, number)
            if self.config.serial_learning and name == "weight":
                number = Mux(self.update.busy, self.update.lane, number)
            select = number[:ceil_log2(len(words) // WORD)]
            if len(words) // WORD > FAR and not serial:
                # Lanes are spread all over the tile.
                near = [select_chunk(words[i:i + 4 * WORD], select[:2], WORD)
                        for i in range(0, len(words), 4 * WORD)]
                words, select = delayed(m, Cat(*near), 1, f"near_{name}"), select[2:]
            word = cells.select(m, words, select, WORD, f"select_{name}")
            # Complements of states are a register of the unit pipeline too.
            turn = (lambda value: ~value) if name == "state" else (lambda value: value)
            chosen = turn(delayed(m, turn(word), 1, f"chosen_{name}"))
            if name == "weight":
                m.d.comb += [self.update.old.eq(chosen), self.sample.eq(chosen)]
            if self.config.tiles > 1:
                # The root takes the values of all tiles together.
                chosen = chosen & self._mine(asked).replicate(WORD)
            m.d.comb += asked.value.eq(chosen)
