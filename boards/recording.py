"""Recordings: every transaction of a session as a line of JSON, to be repeated elsewhere.

The first line says what engine it was; ``load`` lines hold network and program, so that the golden
link can repeat a session too; the others hold first address and words of a burst, and what the
board answered.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..golden.errors import ApicalError, MisuseError
from ..golden.store import network_from_dict, program_from_dict, to_dict
from ..hw.assembler import assemble
from ..hw.config import EngineConfig
from ..hw.isa import REGISTERS
from ..hw.protocol import RESULTS, next_addresses
from .frames import pack, unpack
from .links import Link

FORMAT, VERSION = "apical-recording", 1
#: Registers that a link without gateware cannot tell.
CYCLES = ("image_cycles", "mac_useful", "mac_cycles", "cycles")


class Recorder:
    """Writes a recording; the ``record`` of a link.

    Parameters
    ----------
    path : path
    """

    def __init__(self, path):
        try:
            # Open as long as the session: what is in it shows how far that came.
            made = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666)
        except OSError as error:
            raise ApicalError(f"cannot write '{path}': {error.strerror.lower()}") from error
        self._file = os.fdopen(made, "w")
        self._put({"format": FORMAT, "version": VERSION})

    def __call__(self, what):
        line = {"do": what["do"]}
        if len(what["addresses"]):
            line["at"], line["count"] = int(what["addresses"][0]), len(what["addresses"])
        for key in ("data", "answer"):
            if what[key] is not None:
                line[key] = pack(np.asarray(what[key]), 4).hex()
        self._put(line)

    def engine(self, config: EngineConfig):
        """Note which engine it is."""
        self._put({"do": "engine", "config": config.to_dict(), "hash": config.hash})

    def load(self, network, program, density):
        """Note what is going to be loaded."""
        self._put({"do": "load", "network": to_dict(network), "program": to_dict(program),
                   "density": density})

    def _put(self, line):
        self._file.write(json.dumps(line) + "\n")
        self._file.flush()

    def close(self):
        """Close the file."""
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
        For a file that is none, or of another version.
    """
    try:
        lines = [json.loads(line) for line in Path(path).read_text().splitlines()]
        if lines[0]["format"] != FORMAT:
            raise ValueError(f"its format is {lines[0]['format']}")
        if lines[0]["version"] != VERSION:
            raise MisuseError(f"recording '{path}' has version {lines[0]['version']}, this is a "
                              f"reader of version {VERSION}")
        config = next(EngineConfig.from_dict(line["config"]) for line in lines[1:]
                      if line["do"] == "engine")
    except OSError as error:
        raise MisuseError(f"recording '{path}' cannot be read: {error.strerror.lower()}") from error
    except MisuseError:
        raise
    except (ValueError, KeyError, TypeError, IndexError, StopIteration,
            UnicodeDecodeError) as error:
        raise MisuseError(f"'{path}' is not a recording, or it is damaged "
                          f"({' '.join(str(error).split())[:60]})") from error
    return config, [line for line in lines[1:] if line["do"] != "engine"]


def replay(transactions, link: Link, config: EngineConfig, cycles=True, progress=None) -> Replay:
    """Repeat transactions over an open link and compare the answers.

    Parameters
    ----------
    cycles : bool
        Compare counts of cycles as well; a link without gateware has none.
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
                expect.expect(assemble(network_from_dict(line["network"]),
                                       program_from_dict(line["program"]), config,
                                       line["density"]))
        elif line["do"] == "stop":
            link.stop()
        elif line["do"] == "write":
            link.write(addresses, data)
        elif line["do"] == "read":
            answer = link.read(addresses)
        elif line["do"] == "run":
            answer = np.array(list(link.run(addresses, data).values()))
            addresses = np.array([REGISTERS[name].address for name in RESULTS])
        else:
            raise MisuseError(f"line {number} of the recording does '{line['do']}', which is "
                              "unknown")
        if answer is not None:
            told = unpack(bytes.fromhex(line["answer"]), 4)
            wrong = (told != answer) & ~np.isin(addresses, list(ignored))
            compared += len(told)
            differences += int(wrong.sum())
            if wrong.any() and first is None:
                at = int(wrong.argmax())
                first = (f"transaction {number}, {line['do']}: address {int(addresses[at]):#x} was "
                         f"{int(told[at]):#x}, is {int(answer[at]):#x}")
        if progress is not None:
            progress(number + 1, len(transactions))
    return Replay(len(transactions), compared, differences, first)


def _places(line, lanes):
    places, address = np.empty(line.get("count", 0), np.int64), line.get("at", 0)
    for i in range(len(places)):
        places[i] = address
        address = next_addresses(address, lanes)
    return places
