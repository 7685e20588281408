"""Recordings: every transaction of a session as a line of JSON, to be repeated elsewhere.

The first line says what engine it was; ``load`` lines hold network and program, so that the golden
link can repeat a session too; the others hold first address and words of a burst, and what the
board answered.  The last line says that the session was closed: without it, it was cut off.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ...golden.errors import ApicalError, MisuseError
from ...golden.storage.atomic import check_writable
from ...golden.storage.description import network_from_dict, program_from_dict, to_dict
from ...hw.assembler.assembler import assemble
from ...hw.interface.config import EngineConfig
from ...hw.interface.isa import ADDRESS_BITS, REGISTERS
from ...hw.interface.protocol import PAYLOAD, RESULTS, next_addresses
from .frames import pack, unpack
from .links import Link

FORMAT, VERSION = "apical-recording", 2
#: Keys that a line must have besides ``do``.
_NEEDS = {"engine": ("config",), "load": ("network", "program"), "stop": (), "write": ("data",),
          "read": ("answer",), "run": ("data", "answer"), "close": ()}
#: Registers that a link without gateware does not count.
CYCLES = ("image_cycles", "mac_useful", "mac_cycles", "cycles")


class Recorder:
    """Writes a recording; the ``record`` of a link.

    The file is made when it is known which engine it is: a session that never began leaves none.

    Parameters
    ----------
    path : path

    Raises
    ------
    ApicalError
        When no file can be written there.
    """

    def __init__(self, path):
        check_writable(path)
        self._path, self._file = path, None
        self._held = [{"format": FORMAT, "version": VERSION}]

    def __call__(self, what):
        line = {"do": what["do"]}
        if len(what["addresses"]):
            line["at"], line["count"] = int(what["addresses"][0]), len(what["addresses"])
        for key in ("data", "answer"):
            if what[key] is not None:
                line[key] = pack(np.asarray(what[key]), 4).hex()
        self._put(line)

    def engine(self, config: EngineConfig):
        """Note the engine, and make the file."""
        try:
            # Open as long as the session: what is in it shows how far that came.
            made = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666)
        except OSError as error:
            raise ApicalError(f"cannot write '{self._path}': {error.strerror.lower()}") from error
        self._file = os.fdopen(made, "w")
        for line in self._held:
            self._put(line)
        self._put({"do": "engine", "config": config.to_dict(), "hash": config.hash})

    def load(self, network, program, density):
        """Note network and program of a load."""
        self._put({"do": "load", "network": to_dict(network), "program": to_dict(program),
                   "density": density})

    def _put(self, line):
        if self._file is None:
            self._held.append(line)
            return
        self._file.write(json.dumps(line) + "\n")
        self._file.flush()

    def close(self):
        """Note that the session is over, and close the file, if there is one."""
        if self._file is None:
            return
        self._put({"do": "close"})
        self._file.close()


@dataclass(frozen=True)
class Replay:
    """Outcome of a repetition.

    Attributes
    ----------
    transactions, compared, differences : int
        Lines carried out; answered words compared; those of them that differ.
    first : str or None
        The first difference in words.
    """

    transactions: int
    compared: int
    differences: int
    first: str | None


def read_recording(path):
    """(engine configuration, transactions) of a recording.

    Raises
    ------
    MisuseError
        For a file that is no recording, or has another version.
    """
    try:
        texts = Path(path).read_text().splitlines()
        first = json.loads(texts[0])
        if first["format"] != FORMAT:
            raise ValueError
        version = first["version"]
    except OSError as error:
        raise MisuseError(f"recording '{path}' cannot be read: {error.strerror.lower()}") from error
    except (ValueError, KeyError, TypeError, IndexError, RecursionError) as error:
        raise MisuseError(f"'{path}' is not a recording") from error
    if version != VERSION:
        raise MisuseError(f"recording '{path}' has version {version}, this version reads "
                          f"{VERSION}")
    config, lines = None, []
    for number, text in enumerate(texts[1:], 2):
        try:
            line = json.loads(text)
            if not _sound(line):
                raise ValueError
            if line["do"] == "engine":
                config = EngineConfig.from_dict(line["config"])
            else:
                lines.append(line)
        except (MisuseError, ValueError, TypeError, RecursionError) as error:
            raise MisuseError(f"line {number} of recording '{path}' is damaged or cut off"
                              ) from error
    if config is None:
        raise MisuseError(f"recording '{path}' does not say of which engine it is")
    return config, lines


def _sound(line):
    """Whether a transaction has all that its repetition needs."""
    try:
        if line["do"] in ("engine", "load"):
            return all(isinstance(line[key], dict) for key in _NEEDS[line["do"]])
        count = line.get("count", 0)
        sizes = {key: len(bytes.fromhex(line[key])) for key in _NEEDS[line["do"]]}
        wanted = {"data": 4 * count,
                  "answer": 4 * (len(RESULTS) if line["do"] == "run" else count)}
        placed = not sizes or (type(count) is type(line["at"]) is int and 0 < count <= PAYLOAD
                               and 0 <= line["at"] < 1 << ADDRESS_BITS)
        return placed and all(size == wanted[key] for key, size in sizes.items())
    except (KeyError, TypeError, ValueError):
        return False


def replay(transactions, link: Link, config: EngineConfig, cycles=True, progress=None) -> Replay:
    """Repeat transactions over an open link and compare the answers.

    Parameters
    ----------
    cycles : bool
        Compare cycle counts too; a link without gateware has none.
    progress : callable, optional
        Called as ``progress(done, total)``.
    """
    ignored = () if cycles else {REGISTERS[name].address for name in CYCLES}
    compared = differences = 0
    first = None
    expect = getattr(getattr(link.transport, "endpoint", None), "port", None)
    for number, line in enumerate(transactions):
        addresses = _places(line, link.lanes)
        data = unpack(bytes.fromhex(line["data"]), 4) if "data" in line else None
        answer = None
        if line["do"] == "load":
            if hasattr(expect, "expect"):
                expect.expect(_assembled(line, config))
        elif line["do"] == "stop":
            link.stop()
        elif line["do"] == "write":
            link.write(addresses, data)
        elif line["do"] == "read":
            answer = link.read(addresses)
        elif line["do"] == "run":
            answer = np.array(list(link.run(addresses, data).values()))
            addresses = np.array([REGISTERS[name].address for name in RESULTS])
        if answer is not None:
            recorded = unpack(bytes.fromhex(line["answer"]), 4)
            wrong = (recorded != answer) & ~np.isin(addresses, list(ignored))
            compared += len(recorded)
            differences += int(wrong.sum())
            if wrong.any() and first is None:
                at = int(wrong.argmax())
                first = (f"transaction {number}, {line['do']}: address {int(addresses[at]):#x} was "
                         f"{int(recorded[at]):#x}, is {int(answer[at]):#x}")
        if progress is not None:
            progress(number + 1, len(transactions))
    return Replay(len(transactions), compared, differences, first)


def _assembled(line, config):
    try:
        return assemble(network_from_dict(line["network"]), program_from_dict(line["program"]),
                        config, line.get("density"))
    except MisuseError as error:
        raise MisuseError(f"a network or program of the recording is damaged: {error}") from error


def _places(line, lanes):
    places, address = np.empty(line.get("count", 0), np.int64), line.get("at", 0)
    for i in range(len(places)):
        places[i] = address
        address = next_addresses(address, lanes)
    return places
