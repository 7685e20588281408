"""The fabric between the root and the tiles: the only wires that cross from one part to another.

Out goes what the root says, the same to every tile; back come items, partial sums, and what is
found out about writes.  Everything is registered `hop` times on the way out and `hop` times on the
way back.  What the tiles answer is put together by rules (`RULES`): flags, items and values read by
the host, of which there is one at a time, by or-ing them; sums and maxima by a tree of registered
pairs.  The turn to give items goes from a tile to its neighbour.
"""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from ..interface.config import EngineConfig
from ..primitives import family
from .ports import TileSignature


def _either(pair):
    return pair[0] | pair[1]


def _sum(pair):
    return pair[0] + pair[1]


def _greater(pair):
    return Mux(pair[0] > pair[1], pair[0], pair[1])


#: How the answers of all tiles become one, by the last name of a port: (function of a pair, whether
#: it is registered).
RULES = {
    **dict.fromkeys(("valid", "last", "index", "value", "other", "measuring", "signing"),
                    (_either, False)),
    **dict.fromkeys(("partial", "total", "written", "clipped"), (_sum, True)),
    "moved": (_greater, True)}
#: Ports that are treated by name.
DECISION, TURN = ("score", "winner"), ("mine", "passed")


class Fabric(wiring.Component):
    """Connects the root to its tiles.

    Latency: none with one tile, which is connected by wires; else `hop` cycles to the tiles, `hop`
    back, and with the tree ``ceil(log2(tiles))`` more.

    Parameters
    ----------
    config : EngineConfig

    Members
    -------
    root : In(TileSignature)
        All tiles, as if they were one.
    tiles : Out(TileSignature), an array
    """

    def __init__(self, config: EngineConfig):
        self.config = config
        signature = TileSignature(config)
        super().__init__({"root": In(signature), "tiles": Out(signature).array(config.tiles)})

    def elaborate(self, platform):
        m = Module()
        if self.config.tiles == 1:
            connect(m, flipped(self.root), flipped(self.tiles[0]))
            return m
        signature = TileSignature(self.config)
        ports = [{path: port for path, _, port in signature.flatten(tile)} for tile in self.tiles]
        decision, turns = {}, {}
        for path, member, port in signature.flatten(self.root):
            mine = [tile[path] for tile in ports]
            if path[-1] in TURN:
                turns[path[-1]] = mine
            elif member.flow == Out:
                self._tell(m, path, port, mine)
            elif path[-1] in DECISION:
                decision[path[-1]] = port, mine
            else:
                self._answer(m, path, port, mine)
        self._decide(m, *(decision[name] for name in DECISION))
        self._turn(m, turns)
        return m

    def _late(self, m, value, name):
        """The value `hop` cycles later."""
        for i in range(self.config.hop):
            late = Signal(len(value), name=f"{name}{i}")
            m.d.sync += late.eq(value)
            value = late
        return value

    def _tell(self, m, path, port, tiles):
        """What the root says; the last register stands at the tile."""
        name, value = "__".join(map(str, path)), _plain(port)
        for i in range(self.config.hop - 1):
            late = Signal(len(value), name=f"{name}{i}")
            m.d.sync += late.eq(value)
            value = late
        for number, tile in enumerate(tiles):
            late = Signal(len(value), name=f"{name}_to{number}")
            family(self.config.primitives).register(m, value, late, clears=True)
            m.d.comb += _plain(tile).eq(late)

    def _answer(self, m, path, port, tiles):
        """What the tiles answer, made one."""
        name, (join, registered) = "__".join(map(str, path)), RULES[path[-1]]
        values = []
        for number, tile in enumerate(tiles):
            value = _plain(tile)
            if path[:2] == ("items", "item"):
                valid = self.tiles[number].items.item.valid
                value = value & valid.replicate(len(value))
            late = self._late(m, value, f"{name}_of{number}_")
            values.append(late.as_signed() if port.shape().signed else late)
        m.d.comb += port.eq(self._tree(m, values, join, name if registered else None))

    def _tree(self, m, values, join, name):
        """Values made one by pairs; registered after each level where there is a name."""
        level = 0
        while len(values) > 1:
            joined = []
            for i in range(0, len(values), 2):
                value = join(values[i:i + 2]) if i + 1 < len(values) else values[i]
                if name is not None:
                    late = Signal.like(value, name=f"{name}_level{level}_{i // 2}")
                    m.d.sync += late.eq(value)
                    value = late
                joined.append(value)
            values, level = joined, level + 1
        return values[0]

    def _decide(self, m, score, winner):
        """The greatest score; of equal ones the lower unit."""
        (score, scores), (winner, winners) = score, winner
        pairs = [self._late(m, Cat(~unit, value), f"decision_of{number}_")
                 for number, (value, unit) in enumerate(zip(scores, winners, strict=True))]
        best = self._tree(m, pairs, _greater, "decision")
        m.d.comb += [winner.eq(~best[:len(winner)]), score.eq(best[len(winner):])]

    def _turn(self, m, turns):
        """A tile that has given its items of a pass hands the turn to the one before it."""
        mine, passed = (turns[name] for name in TURN)
        for number, turn in enumerate(mine):
            source = passed[(number + 1) % len(mine)]
            m.d.comb += turn.eq(self._late(m, source, f"turn_to{number}_"))


def _plain(port):
    """A port as bits."""
    return port.as_value() if hasattr(port, "as_value") else port
