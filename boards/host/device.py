"""A board as a Python object: identify, load, run, learn, read back.

The same driver runs over every link: the fixed executor, the simulators, a serial port.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from ...golden.errors import ApicalError, MisuseError
from ...golden.executors.fixed.weights import multipliers
from ...golden.network import Network
from ...golden.program import STATE, Program
from ...hw.assembler.assembler import assemble
from ...hw.assembler.image import (
    event_words,
    input_writes,
    program_writes,
    rate_writes,
    register_write,
    weight_writes,
)
from ...hw.assembler.readback import signed, state_addresses, weight_addresses, weights_read
from ...hw.interface.config import ENGINE_VERSION, EngineConfig
from ...hw.interface.isa import IDENTITY, REGISTERS, Kind
from ...hw.interface.presets import PRESETS
from ...hw.interface.protocol import RESULTS, SCALE, unpacks
from .links import Link
from .packing import Packer, plain_bytes, scale_for

#: Images of one `start`.
_MOST = (1 << 16) - 1
#: Counters that a load clears.
_CLEARED = ("done", "signature", "writes", "saturations")
#: Registers that say what an engine is, in order of their numbers.
_WHO = ("identity", "version", "config_hash", "shape")


@dataclass(frozen=True, eq=False)
class Results:
    """Results of each image; arrays of shape (images,), int64.

    Attributes
    ----------
    predictions, steps, cycles : ndarray
    signatures, writes, saturations : ndarray
        Of the image alone: differences of the registers, which run on (signatures modulo 2**32).
    signature : int
        The register after the last image.
    states : dict of (population, slot) to ndarray of shape (images, n)
        Vectors that were read back after each image.
    """

    predictions: np.ndarray
    steps: np.ndarray
    cycles: np.ndarray
    signatures: np.ndarray
    writes: np.ndarray
    saturations: np.ndarray
    signature: int
    states: dict = field(default_factory=dict)


class Device:
    """An engine at the end of a link.

    Made by :meth:`open`.

    Attributes
    ----------
    link : Link
    config : EngineConfig
    assembly : Assembly or None
        The program and network loaded last.
    images : int
        Images run since the load.
    """

    def __init__(self, link: Link, config: EngineConfig):
        self.link, self.config = link, config
        self.assembly, self.images = None, 0
        self._reported, self._bank = dict.fromkeys(RESULTS, 0), 0
        self._packer, self._saved = None, 0

    @classmethod
    def open(cls, link: Link, config: EngineConfig | None = None) -> Device:
        """Begin a session and identify the engine.

        Parameters
        ----------
        config : EngineConfig, optional
            The engine that is required; without it, any preset.

        Raises
        ------
        ApicalError
            When there is no engine.
        MisuseError
            When it is another engine; says which one, and what to do.
        """
        link.open()
        identity, version, found, shape = map(int, link.read([REGISTERS[n].address for n in _WHO]))
        if identity != IDENTITY:
            raise ApicalError(f"what answers at {link.name} is no engine (identity "
                              f"{identity:08x}, expected {IDENTITY:08x})")
        if version != ENGINE_VERSION:
            raise MisuseError(f"the engine at {link.name} has version {version}, this driver is "
                              f"for version {ENGINE_VERSION}; build and load its bitstream again")
        known = next((c for c in PRESETS.values() if int(c.hash, 16) == found), None)
        if config is None:
            config = known
        if config is None:
            raise MisuseError(f"the engine at {link.name} has configuration {found:08x}, "
                              f"{_lanes(shape)}, which is none of this version's presets; name its "
                              "manifest (--manifest) or load a bitstream of this version")
        if int(config.hash, 16) != found:
            raise MisuseError(f"the engine at {link.name} has configuration {found:08x} "
                              f"({_lanes(shape)}{_named(known)}), wanted is {config.hash} "
                              f"({_lanes(config.width | config.update_lanes << 8)}"
                              f"{_named(config)}); load the right bitstream (apical flash) or name "
                              "the right board")
        link.lanes = config.width
        if hasattr(link.record, "engine"):
            link.record.engine(config)
        return cls(link, config)

    def close(self):
        """End the session."""
        self.link.close()

    def register(self, name: str) -> int:
        """One register."""
        return int(self.link.read([REGISTERS[name].address])[0])

    def registers(self) -> dict:
        """All registers that can be read, by name."""
        names = [name for name, register in REGISTERS.items() if "r" in register.access]
        found = self.link.read([REGISTERS[name].address for name in names])
        return dict(zip(names, map(int, found), strict=True))

    def set_register(self, name: str, value: int):
        """Write one register."""
        self.link.write(*register_write(name, value))

    def load(self, network: Network, program: Program, weights, *, seed=0, first_image=0,
             density=None, rates=None):
        """Load a network with its weights and a program; the engine is reset before.

        Parameters
        ----------
        weights : dict of str to ndarray of int64
            Raw weights by matrix.
        seed, first_image : int
            As for :meth:`apical.golden.executors.fixed.executor.FixedExecutor.run`.
        density : dict of str to float, optional
            See :func:`apical.hw.assembler.assembler.assemble`.
        rates : dict of str to float, optional
            Learning rates, for a program that learns.

        Raises
        ------
        DoesNotFitError
            When the engine cannot hold it; nothing was written then.
        """
        network.check_weights(weights)
        assembly = assemble(network, program, self.config, density)
        self._multipliers(assembly, rates)
        self.link.stop()
        self.assembly, self.images, self._bank, self._packer = assembly, 0, 0, None
        self._reported = dict.fromkeys(RESULTS, 0)
        self._expect(assembly, density)
        self.link.write(*program_writes(assembly))
        self.link.write(*weight_writes(assembly, weights))
        # A counter in a multiplier cell survives a reset.
        for name, value in (("seed", seed), ("image", first_image), *((n, 0) for n in _CLEARED)):
            self.set_register(name, value)
        self.set_rates(rates)

    def _expect(self, assembly, density):
        """Announce the load to a recorder, and to a port that runs no instructions."""
        if hasattr(self.link.record, "load"):
            self.link.record.load(assembly.network, assembly.program, density)
        port = getattr(getattr(self.link.transport, "endpoint", None), "port", None)
        if hasattr(port, "expect"):
            port.expect(assembly)

    def _multipliers(self, assembly, rates):
        config = self.config
        return multipliers(assembly.program, rates, config.state, config.weight,
                           config.update_frac)

    def set_rates(self, rates):
        """Change the learning rates of the loaded program: dict of str to float, by matrix."""
        found = self._multipliers(self._loaded(), rates)
        if found:
            self.link.write(*rate_writes(self.assembly, found))

    def run(self, inputs, progress=None, read=()) -> Results:
        """Run the loaded program on images, in order.

        Parameters
        ----------
        inputs : dict of str to ndarray of shape (images, n), int
            Raw states of the clamped populations.
        progress : callable, optional
            Called as ``progress(images done, results of the last)``.
        read : sequence of (population, slot)
            Vectors to be read back after each image.
        """
        assembly = self._loaded()
        self._check_readable(read)
        states = {pair: [] for pair in read}
        count = len(next(iter(inputs.values()))) if inputs else 1
        rows = np.zeros((count, len(RESULTS)), np.int64)
        before = np.array(list(self._reported.values()))
        self._choose_scale(inputs)
        for image in range(count):
            if image % _MOST == 0:
                self.link.write(*register_write("start", min(_MOST, count - image)))
            addresses, data = input_writes(assembly, inputs, image, self._bank, self._pack)
            if not len(addresses):
                # A run must write something: a register that keeps its value.
                addresses, data = register_write("seed", self.register("seed"))
            try:
                reported = self.link.run(addresses, data)
            except ApicalError as error:
                raise type(error)(f"{error} (image {image} of {count})") from error
            rows[image] = list(reported.values())
            if reported["done"] != self._reported["done"] + 1 & 0xFFFF:
                raise ApicalError(
                    f"the engine at {self.link.name} counts {reported['done']} images, expected "
                    f"{self._reported['done'] + 1 & 0xFFFF} (image {image} of {count}); load again")
            self._reported = reported
            self.images += 1
            self._bank ^= 1
            for pair, found in states.items():
                found.append(self.state(*pair))
            if progress is not None:
                progress(image + 1, reported)
        steps = np.diff(np.vstack([before, rows]), axis=0) & 0xFFFFFFFF
        column = {name: i for i, name in enumerate(RESULTS)}
        return Results(rows[:, column["prediction"]], rows[:, column["image_steps"]],
                       rows[:, column["image_cycles"]], steps[:, column["signature"]],
                       steps[:, column["writes"]], steps[:, column["saturations"]],
                       self._reported["signature"],
                       {pair: np.array(found) for pair, found in states.items()})

    def _check_readable(self, read):
        """Refuse, before anything runs, vectors that are gone at the end of an image."""
        for population, slot in read:
            state_addresses(self.assembly, population, slot)

    def _choose_scale(self, inputs):
        """Choose a scale by which the images can be packed, if there is one."""
        if not unpacks(self.config):
            return
        first = next((name for (name, _), place in self.assembly.placement.vectors.items()
                      if place.kind == Kind.EVENT and place.base == 0 and name in inputs), None)
        if first is None or (self._packer is not None and self._packer.fits(inputs[first])):
            return
        scale = scale_for(inputs[first])
        if scale is not None:
            self._packer = Packer(scale, self.config.width)
            self.link.write(np.array([SCALE]), np.array([scale]))

    def _pack(self, values):
        """A vector of events in fewer bytes, or None."""
        if not unpacks(self.config):
            return None
        made = self._packer.writes(values) if self._packer is not None else None
        sent = 4 * len(event_words(values)) if made is None else 2 * len(made[1])
        self._saved += plain_bytes(values) - sent
        return made

    @property
    def effective_payload(self) -> int:
        """Bytes of words that were sent; a packed image counts as events, or as a byte a unit."""
        return self.link.sent_payload + self._saved

    def weights(self) -> dict:
        """Raw weights that the engine holds now, by matrix."""
        assembly = self._loaded()
        return weights_read(assembly, self.link.read(weight_addresses(assembly)))

    def state(self, population: str, slot: str = STATE) -> np.ndarray:
        """Raw states of a population as the last image left them."""
        assembly = self._loaded()
        last = self._bank ^ 1 if self.config.input_banks == 2 else 0
        return signed(self.link.read(state_addresses(assembly, population, slot, last)))

    def _loaded(self):
        if self.assembly is None:
            raise MisuseError("nothing is loaded into the device; load a network first")
        return self.assembly


def _lanes(shape):
    return f"{shape & 0xFF} lanes, {shape >> 8 & 0xFF} update lanes"


def _named(config):
    name = next((n for n, c in PRESETS.items() if config is not None and c.hash == config.hash),
                None)
    return f", preset {name}" if name else ""
