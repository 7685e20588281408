"""Jobs: what the host plays to an engine, and what it learns from the answers.

The order is that of any host: load program, weights and the first image, start; load the next image
while one runs; read the results of an image before the next is committed.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..hw.assembler import Assembly
from ..hw.image import input_writes, program_writes, register_write, weight_writes
from ..hw.isa import REGISTERS
from . import host

#: Registers read behind every image.
REPORTED = ("prediction", "image_cycles", "image_steps", "signature", "writes", "saturations")
#: Registers read at the end.
TOTALS = ("mac_useful", "mac_cycles", "cycles")


@dataclass(frozen=True)
class Job:
    """A list of host commands with the meaning of its answers.

    Attributes
    ----------
    words : ndarray of uint64
        Commands (:mod:`apical.sim.host`).
    images : int
    load_words : int
        Host writes that load program and weights.
    image_words : float
        Mean host writes that load one image.
    """

    words: np.ndarray
    images: int
    load_words: int
    image_words: float


def _writes(pair):
    return host.writes(*pair)


def _reads(names):
    return host.reads([REGISTERS[name].address for name in names])


def inference_job(assembly: Assembly, weights, inputs, seed=0, first_image=0,
                  extra=None) -> Job:
    """Load everything, run every image, read the results.

    Parameters
    ----------
    weights : dict of str to ndarray of int64
    inputs : dict of str to ndarray of shape (images, n), int
    seed, first_image : int
        As for :meth:`apical.golden.fixed.FixedExecutor.run`.
    extra : (addresses, data), optional
        Writes between loading and the first start: a fault to inject.
    """
    images = len(next(iter(inputs.values()))) if inputs else 1
    load = host.join(_writes(program_writes(assembly)), _writes(weight_writes(assembly, weights)))
    parts = [host.reset(), load, _writes(register_write("seed", seed)),
             _writes(register_write("image", first_image))]
    loads = [_writes(input_writes(assembly, inputs, image, image % 2)) for image in range(images)]
    parts.append(loads[0])
    if extra is not None:
        parts.append(_writes(extra))
    commit = _writes(register_write("commit", 1))
    parts += [commit, _writes(register_write("start", images))]
    done, results = REGISTERS["done"].address, _reads(REPORTED)
    for image in range(images):
        more = image + 1 < images
        parts += [loads[image + 1]] if more else []
        parts += [host.wait(done, image + 1), results]
        parts += [commit] if more else []
    parts.append(_reads(TOTALS))
    return Job(host.join(*parts), images, len(load),
               sum(map(len, loads)) / images)


def answers(job: Job, words) -> tuple[dict, dict]:
    """Split the answers of a job.

    Returns
    -------
    reported : dict of str to ndarray of shape (images,), int64
    totals : dict of str to int
    """
    words = np.asarray(words, np.int64)
    expected = job.images * len(REPORTED) + len(TOTALS)
    if len(words) != expected:
        raise ValueError(f"{len(words)} answers, expected {expected}")
    rows = words[:job.images * len(REPORTED)].reshape(job.images, len(REPORTED))
    return ({name: rows[:, i] for i, name in enumerate(REPORTED)},
            dict(zip(TOTALS, map(int, words[-len(TOTALS):]), strict=True)))
