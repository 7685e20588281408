"""The fixed executor as a host port: the device without gateware and without a simulator.

Words that a host writes are kept as an engine keeps them. To run an image, weights and inputs are
read back from those words, and the results of the fixed executor are written into them.  So
every memory on the way is part of the comparison.  Instructions are not interpreted:
the port is given the program that they encode, and checks that they match it.
"""

from __future__ import annotations

import math

import numpy as np

from ...golden.errors import ApicalError
from ...golden.executors.compiled.executor import CompiledExecutor
from ...golden.executors.fixed.executor import FixedExecutor
from ...golden.program import RATE_SHIFT
from ...hw.assembler.image import weight_words, weights_from, written_tables
from ...hw.interface.config import ENGINE_VERSION, EngineConfig
from ...hw.interface.isa import EVENT, IDENTITY, REGISTERS, SPACE_LOW, Kind, Space, lane_bits

_NUMBERS = {register.number: name for name, register in REGISTERS.items()}
_MASK = 0xFFFFFFFF


class GoldenPort:
    """Host port of an engine that the fixed executor stands for.

    Parameters
    ----------
    config : EngineConfig
    """

    def __init__(self, config: EngineConfig):
        self.config, self.assembly = config, None
        lanes = config.width
        self._code = {Space.PROGRAM: np.zeros(2 * config.program_depth, np.int64),
                      Space.DESCRIPTORS: np.zeros(2 * config.descriptor_depth, np.int64),
                      Space.EVENTS: np.zeros(config.input_banks * config.event_depth, np.int64)}
        self._words = {Space.STATE: np.zeros((config.state_depth, lanes), np.int64),
                       Space.WEIGHTS: np.zeros((config.weight_words, lanes), np.int64)}
        self._staged = np.zeros((config.tiles, config.lanes), np.int64)
        self._executor = None
        self.stop()

    def expect(self, assembly):
        """Announce the assembly that the host is going to load."""
        self.assembly, self._executor = assembly, None
        self._tables = written_tables(assembly)

    def stop(self):
        """Reset."""
        self._held = dict.fromkeys(REGISTERS, 0)
        self._held |= {"identity": IDENTITY, "version": ENGINE_VERSION,
                       "config_hash": int(self.config.hash, 16),
                       "shape": self.config.width | self.config.update_lanes << 8}
        self._left, self._bank, self._committed = 0, 0, 0

    def write(self, addresses, data):
        """Write words, in order."""
        addresses, data = np.asarray(addresses, np.int64), np.asarray(data, np.int64)
        spaces = addresses >> SPACE_LOW
        for space in np.unique(spaces):
            chosen = spaces == space
            self._write(int(space), addresses[chosen] & (1 << SPACE_LOW) - 1, data[chosen])

    def _write(self, space, offsets, data):
        if space == Space.REGISTERS:
            for number, value in zip(offsets, data):
                self._write_register(_NUMBERS.get(int(number)), int(value) & _MASK)
        elif space in self._code:
            inside = offsets < len(self._code[space])
            self._code[space][offsets[inside]] = data[inside] & _MASK
        elif space == Space.STATE:
            words, lanes, inside = self._places(space, offsets)
            self._words[space][words[inside], lanes[inside]] = _signed(data[inside])
        elif space == Space.WEIGHTS:
            if self._executor is not None:
                self._store_weights()
            words, lanes, inside = self._places(space, offsets)
            for word, lane, value in zip(words[inside], lanes[inside], _signed(data[inside])):
                # Lanes shift in, whatever their numbers; the last one of a tile stores those of it.
                tile, place = divmod(int(lane), self.config.lanes)
                self._staged[tile] = np.append(self._staged[tile, 1:], value)
                if place == self.config.lanes - 1:
                    self._words[space][word, lane - place:lane + 1] = self._narrow(
                        self._staged[tile])
            self._executor = None

    def _narrow(self, values):
        half = 1 << self.config.weight.width - 1
        return (values + half & 2 * half - 1) - half

    def _places(self, space, offsets):
        bits = lane_bits(self.config.width)
        words, lanes = offsets >> bits, offsets & (1 << bits) - 1
        return words, lanes, (lanes < self.config.width) & (words < len(self._words[space]))

    def _write_register(self, name, value):
        if name == "start":
            self._left = value & 0xFFFF
        elif name == "commit":
            self._committed += 1
        elif name in ("seed", "image"):
            self._held[name] = value
        elif name is not None and "w" in REGISTERS[name].access:
            self._held[name] = 0
        while self._left and self._committed:
            self._left -= 1
            self._committed -= 1
            self._run()

    def read(self, addresses):
        """Words as an engine answers them."""
        found = np.zeros(len(addresses), np.int64)
        for i, address in enumerate(np.asarray(addresses, np.int64)):
            space, offset = int(address) >> SPACE_LOW, int(address) & (1 << SPACE_LOW) - 1
            found[i] = self._read(space, offset) & _MASK
        return found

    def _read(self, space, offset):
        if space == Space.REGISTERS:
            name = _NUMBERS.get(offset)
            if name == "status":
                return self._bank << 1 | self._committed << 2
            return self._held[name] if name and "r" in REGISTERS[name].access else 0
        if space in (Space.PROGRAM, Space.DESCRIPTORS):
            code = self._code[space]
            return int(code[offset]) if self.config.diagnostics and offset < len(code) else 0
        if space in self._words:
            if space == Space.WEIGHTS and self._executor is not None:
                self._store_weights()
            (word,), (lane,), (inside,) = self._places(space, np.array([offset]))
            return int(self._words[space][word, lane]) if inside else 0
        return 0

    def image(self):
        """Run one image."""
        before = self._held["done"]
        self.write([REGISTERS["commit"].address], [1])
        if self._held["done"] == before:
            raise ApicalError("an image was committed, but none was started")

    def _run(self):
        assembly = self.assembly
        rates = self._check(assembly)
        inputs = {name: self._input(place)[None, :]
                  for (name, _), place in assembly.placement.vectors.items() if place.banked}
        if self._executor is None:
            kind = CompiledExecutor if assembly.factors else FixedExecutor
            self._executor = kind(assembly.network,
                                  self._all_weights(assembly), self.config.state,
                                  self.config.weight, self.config.update_frac)
        held = self._held
        result = self._executor.run(assembly.program, inputs, held["seed"], held["image"],
                                    rates=rates)
        for key, place in assembly.placement.vectors.items():
            if (place.kind == Kind.STATE and not place.banked and key in result.states
                    and key not in assembly.placement.overwritten):
                values = np.zeros(place.blocks * self.config.width, np.int64)
                values[:place.size] = result.states[key][0]
                memory = self._words[Space.STATE]
                rows = values.reshape(place.blocks, -1)
                last = rows.shape[0] - 1
                memory[place.base:place.base + last] = rows[:last]
                memory[place.base + last, :place.tail] = rows[last, :place.tail]
        if result.predictions is not None:
            held["prediction"] = int(result.predictions[0])
        held["image_steps"] = int(result.steps[0])
        for name, values in (("signature", result.signatures), ("writes", result.writes),
                             ("saturations", result.saturations)):
            held[name] = held[name] + int(values[0]) & _MASK
        held["done"] = held["done"] + 1 & 0xFFFF
        held["image"] = held["image"] + 1 & _MASK
        if self.config.input_banks == 2:
            self._bank ^= 1

    def _check(self, assembly):
        """Refuse instructions and tables that are not those of the assembly; returns the rates."""
        if assembly is None:
            raise ApicalError("an image was started, but no program is loaded")
        for space, words in ((Space.PROGRAM, assembly.instructions),
                             (Space.DESCRIPTORS, assembly.descriptors)):
            halves = self._code[space][:2 * len(words)].reshape(-1, 2)
            found = halves[:, 0] | halves[:, 1] << 32
            wrong = found != np.asarray(words, np.uint64).astype(np.int64)
            if space == Space.DESCRIPTORS:
                wrong[list(assembly.factors.values())] = False
            if wrong.any():
                raise ApicalError(f"word {int(wrong.argmax())} of the {space.name.lower()} is not "
                                  "that of the program that was loaded")
        for addresses, data in self._tables:
            words, lanes, _ = self._places(Space.WEIGHTS, addresses.ravel() & (1 << SPACE_LOW) - 1)
            if not np.array_equal(self._words[Space.WEIGHTS][words, lanes], _signed(data.ravel())):
                raise ApicalError("the tables among the weights are not those of the engine")
        code, config = self._code[Space.DESCRIPTORS], self.config
        # The way back of `rate_multiplier`: exact, since the multiplier is a whole number.
        shift = RATE_SHIFT + config.update_frac + config.weight.frac - config.state.frac
        return {matrix: math.ldexp(int(code[2 * number]) & 0xFFFF, -shift)
                for matrix, number in assembly.factors.items()} or None

    def _input(self, place):
        bank, values = self._bank, np.zeros(place.size, np.int64)
        if place.kind == Kind.STATE:
            base = place.base + bank * place.blocks
            words = self._words[Space.STATE][base:base + place.blocks]
            return words.ravel()[:place.size].copy()
        fields = EVENT.fields
        events = self._code[Space.EVENTS][bank * self.config.event_depth + place.base:]
        last = events >> fields["last"].low & 1
        events = events[:int(last.argmax()) + 1]
        index = events >> fields["index"].low & (1 << fields["index"].width) - 1
        if not last.any() or index.max() >= place.size:
            raise ApicalError("the events of an image have no end, or name a unit that does not "
                              "exist")
        values[index] = _signed(events)
        return values

    def _all_weights(self, assembly):
        found = weights_from(assembly, self._words[Space.WEIGHTS])
        for matrix in assembly.network.matrices:
            found.setdefault(matrix.name, np.zeros(matrix.shape, np.int64))
        return found

    def _store_weights(self):
        words = weight_words(self.assembly, self._executor.weights)
        # Padding keeps what the host wrote.
        self._words[Space.WEIGHTS][:len(words)] = words


def _signed(words):
    return (np.asarray(words, np.int64) & 0xFFFF ^ 0x8000) - 0x8000
