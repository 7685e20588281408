"""Inside the simulator: plays commands on the host port and collects trace records."""

import os
from pathlib import Path

import numpy as np

from ...golden.errors import ApicalError
from .commands import describe, idle, reads, save_commands
from .streams import load_streams

STREAMS_VARIABLE = "APICAL_STREAMS"


class Recorder:
    """Collects the trace records of a bench.

    Parameters
    ----------
    streams : sequence of Stream
        Layouts of the records.
    sink : callable, optional
        Called as ``sink(name, records)`` with each part as it comes. Without it the parts are kept
        for `take`.
    folder : path
        Where the simulator runs.
    """

    def __init__(self, streams, sink=None, folder="."):
        self.streams = {stream.name: stream for stream in streams}
        self.counts = dict.fromkeys(self.streams, 0)
        self.sink = sink
        self._folder = Path(folder)
        self._parts = {name: [] for name in self.streams}

    def collect(self, closed=None):
        """Read the files that the simulator has closed.

        Parameters
        ----------
        closed : collection of str, optional
            Streams whose file is closed, the others are still written to; by default all.
        """
        for name, stream in self.streams.items():
            if closed is not None and name not in closed:
                continue
            path = self._folder / stream.file
            try:
                data = path.read_bytes()
            except FileNotFoundError:
                continue
            # A closed file is complete when Python runs after the wake, and must not be seen twice.
            path.unlink()
            if len(data) % stream.dtype.itemsize:
                raise ApicalError(f"trace stream {name}: {len(data)} bytes are no whole number of "
                                  f"records of {stream.dtype.itemsize} bytes")
            records = np.frombuffer(data, stream.dtype)
            self.counts[name] += len(records)
            if self.sink is not None:
                self.sink(name, records)
            else:
                self._parts[name].append(records)

    def take(self, name):
        """Return the records kept so far and forget them."""
        parts = self._parts[name]
        self._parts[name] = []
        return np.concatenate(parts) if parts else np.empty(0, self.streams[name].dtype)


class CommandPlayer:
    """Plays host commands on a running bench (inside a cocotb test).

    Parameters
    ----------
    dut : cocotb handle
        Top level made by `harness`.
    sink : callable, optional
        Takes the trace records as they come, see `Recorder`.
    limit : int
        Cycles that one command may take before the run is given up.
    record : bool
        Whether to record the trace; without it the run is faster.
    """

    def __init__(self, dut, *, sink=None, limit=10_000_000, record=True):
        self.dut = dut
        streams = load_streams(os.environ.get(STREAMS_VARIABLE, "[]"))
        self.recorder = Recorder(streams, sink)
        self.cycles = _number(dut.cycle)
        self._limit = limit
        # An earlier test of the same run may have left the toggle up.
        self._go = _number(dut.play_ack)
        self._wake = _number(dut.wake)
        dut.play_go.value = self._go
        dut.play_limit.value = limit
        dut.record_on.value = int(record)

    async def play(self, words):
        """Play commands and return the answers to the reads, in order.

        Parameters
        ----------
        words : array of uint64
            Commands, any number of them.

        Returns
        -------
        array of uint32

        Raises
        ------
        ApicalError
            When a command takes longer than the limit, or the design answers without a read.
        """
        words = np.asarray(words, np.uint64)
        save_commands("play.bin", words)
        self._go ^= 1
        self.dut.play_go.value = self._go
        while True:
            await self.dut.wake.value_change
            if int(self.dut.play_ack.value) == self._go:
                # The flush before has closed every file.
                self.recorder.collect()
                self._wake = _number(self.dut.wake)
                break
            # Bit 0 is the acknowledgement, the others are the streams in order.
            wake = _number(self.dut.wake)
            changed, self._wake = wake ^ self._wake, wake
            self.recorder.collect({name for bit, name in enumerate(self.recorder.streams, 1)
                                   if changed >> bit & 1})
        self.cycles = int(self.dut.cycle.value)
        status = int(self.dut.play_status.value)
        if status:
            position = int(self.dut.play_position.value)
            if status == 2:
                raise ApicalError(f"the design gave more answers than there were reads (at command "
                                  f"{position} of {len(words)}, cycle {self.cycles})")
            raise ApicalError(
                f"command {position} of {len(words)} ({describe(words[position - 1])}) was not "
                f"done after {self._limit} cycles; the last answer was "
                f"{int(self.dut.play_last.value):#x}, at cycle {self.cycles}")
        return np.fromfile("answers.bin", "<u4")

    async def read(self, address, count=1):
        """Return ``count`` words read from ``address`` on."""
        return await self.play(reads(address, count))

    async def flush(self):
        """Let the recorder hand over the records it still holds."""
        await self.play(idle(1))


def _number(handle):
    """Return a signal's value; 0 while Icarus has not yet set it."""
    value = handle.value
    return int(value) if value.is_resolvable else 0
