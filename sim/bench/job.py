"""Jobs: the commands a host sends to an engine, and the meaning of the answers.

The order is that of any host: load program, weights and the first image, start; load the next image
while one runs.  If results are read after an image, the next one is committed only then; otherwise
it is committed at once and follows without a pause.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...hw.assembler.assembler import Assembly
from ...hw.assembler.image import (
    input_writes,
    program_writes,
    rate_writes,
    register_write,
    weight_writes,
    weights_from,
)
from ...hw.assembler.readback import weight_addresses
from ...hw.interface.isa import REGISTERS
from . import commands

#: Registers read after every image.
REPORTED = ("prediction", "image_cycles", "image_steps", "signature", "writes", "saturations")
#: Registers read now and then in long runs.
SUMS = ("signature", "writes", "saturations")
#: Registers read at the end.
TOTALS = ("mac_useful", "mac_cycles", "cycles")
#: Images of one start: the engine counts 65535.
_STARTED = 50_000
#: Images of one list of commands.
_PART = 10_000


@dataclass(frozen=True)
class Job:
    """Lists of host commands with the meaning of their answers.

    Attributes
    ----------
    parts : list of ndarray of uint64
        Commands (:mod:`apical.sim.bench.commands`), to be played one after the other.
    images : int
    load_words : int
        Host writes that load program and weights.
    image_words : float
        Mean host writes that load one image.
    names : tuple of str
        Registers that are read, each time after this number of images:
    at : ndarray of int64
    read_back : tuple of int
        Words and lanes of the weight memory that is read at the end; (0, 0) when it is not.
    """

    parts: list
    images: int
    load_words: int
    image_words: float
    names: tuple = REPORTED
    at: np.ndarray | None = None
    read_back: tuple = (0, 0)

    @property
    def words(self) -> np.ndarray:
        """All commands."""
        return commands.join(*self.parts)

    @property
    def answers(self) -> int:
        """Number of words that are answered."""
        return len(self.at) * len(self.names) + len(TOTALS) + self.read_back[0] * self.read_back[1]


def _writes(pair):
    return commands.writes(*pair)


def _reads(names):
    return commands.reads([REGISTERS[name].address for name in names])


def inference_job(assembly: Assembly, weights, inputs, seed=0, first_image=0,
                  extra=None) -> Job:
    """Load everything, run every image, read the results of each.

    Parameters
    ----------
    weights : dict of str to ndarray of int64
    inputs : dict of str to ndarray of shape (images, n), int
    seed, first_image : int
        As for :meth:`apical.golden.executors.fixed.executor.FixedExecutor.run`.
    extra : (addresses, data), optional
        Writes after the first image is loaded, before it starts: a fault to inject.
    """
    images = len(next(iter(inputs.values()))) if inputs else 1
    return learning_job(assembly, weights, inputs, [(images, {})], seed, first_image, extra=extra,
                        read_back=False)


def learning_job(assembly: Assembly, weights, inputs, passes, seed=0, first_image=0, every=1,
                 extra=None, read_back=True) -> Job:
    """Load everything, run images with one or several sets of rates, read the weights back.

    Parameters
    ----------
    weights, inputs, seed, first_image, extra
        As for :func:`inference_job`; the inputs of all passes, one after the other.
    passes : list of (int, dict of str to int)
        Number of images of each pass, and the multipliers it learns with
        (:func:`apical.golden.executors.fixed.weights.multipliers`).
    every : int
        With 1 the registers `REPORTED` are read after every image, otherwise `SUMS` after this many
        images and after every pass.
    read_back : bool
        Read the weight memory at the end.
    """
    images = sum(count for count, _ in passes)
    load = commands.join(_writes(program_writes(assembly)),
                         _writes(weight_writes(assembly, weights)))
    lists = [commands.reset(), load, _writes(register_write("seed", seed)),
             _writes(register_write("image", first_image))]
    names = REPORTED if every == 1 else SUMS
    player = _Player(assembly, inputs, images, _reads(names), every)
    parts, begin = [lists], 0
    for count, multipliers in passes:
        if multipliers:
            parts[-1].append(_writes(rate_writes(assembly, multipliers)))
        for first in range(begin, begin + count, _STARTED):
            last = min(first + _STARTED, begin + count)
            player.start(parts, first, last, None if first else extra)
        begin += count
    parts[-1].append(_reads(TOTALS))
    back = (0, 0)
    if read_back:
        back = assembly.placement.used["weight_depth"], assembly.config.width
        parts[-1].append(commands.reads(weight_addresses(assembly)))
    return Job([commands.join(*part) for part in parts], images, len(load),
               player.loaded / max(1, images), names, np.array(player.at, np.int64), back)


class _Player:
    """Writes the commands of images."""

    def __init__(self, assembly, inputs, images, reads, every):
        self.assembly, self.inputs, self.reads, self.every = assembly, inputs, reads, every
        self.at, self.loaded, self.images = [], 0, images
        self.commit = _writes(register_write("commit", 1))

    def load(self, image):
        words = _writes(input_writes(self.assembly, self.inputs, image, image % 2))
        self.loaded += len(words)
        return words

    def start(self, parts, first, last, extra=None):
        """Run images `first` to `last`, the last one not included."""
        done, wait = REGISTERS["done"].address, 0
        parts[-1] += [_writes(register_write("done", 0)), self.load(first)]
        if extra is not None:
            parts[-1].append(_writes(extra))
        parts[-1] += [self.commit, _writes(register_write("start", last - first))]
        for image in range(first, last):
            more, wait = image + 1 < last, wait + 1
            read = not more or (image + 1) % self.every == 0
            if more:
                parts[-1].append(self.load(image + 1))
                if not read:
                    parts[-1].append(self.commit)
            parts[-1].append(commands.wait(done, wait))
            if read:
                parts[-1].append(self.reads)
                self.at.append(image + 1)
                if more:
                    parts[-1].append(self.commit)
            if (image + 1) % _PART == 0:
                parts.append([])


def answers(job: Job, words) -> tuple[dict, dict]:
    """Split the answers of a job.

    Returns
    -------
    reported : dict of str to ndarray of int64
        One value each time the registers were read.
    totals : dict of str to int
    """
    words = np.asarray(words, np.int64)
    if len(words) != job.answers:
        raise ValueError(f"{len(words)} answers, expected {job.answers}")
    count = len(job.at) * len(job.names)
    rows = words[:count].reshape(len(job.at), len(job.names))
    return ({name: rows[:, i] for i, name in enumerate(job.names)},
            dict(zip(TOTALS, map(int, words[count:count + len(TOTALS)]), strict=True)))


def read_weights(job: Job, assembly: Assembly, words) -> dict:
    """Weights by matrix that a job read back at the end."""
    count = job.read_back[0] * job.read_back[1]
    memory = np.asarray(words, np.int64)[len(words) - count:]
    return weights_from(assembly, memory.reshape(job.read_back))
