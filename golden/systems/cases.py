"""Learning cases: one small problem of each system, for executors that must agree to the bit.

A case is a network, a program, raw weights and raw inputs drawn from a seed; it is small enough to
be simulated at the level of registers.  What it must show is that a comparison proves something:
nearly all weights that take part have changed, and hardly any is saturated (:meth:`CaseRun.check`).

The problems are made by the records of the systems (`System.case`), with the helpers of
:mod:`apical.golden.systems.problems`.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass

import numpy as np

from ..errors import ApicalError, MisuseError
from ..executors.fixed.executor import FixedExecutor, FixedResult
from ..network import Network
from ..numbers.formats import STATE, WEIGHT, Format
from ..program import UPDATE_FRAC, Program
from .registry import system, systems

#: Share of the weights that take part that must have changed, and that may be saturated.
LEAST_CHANGED, MOST_SATURATED = 0.95, 0.01


@dataclass(frozen=True, eq=False)
class LearningCase:
    """A problem of one system.

    Attributes
    ----------
    name : str
    seed : int
        Of the problem, and of the random words of its run.
    network : Network
    program : Program
    weights, inputs : dict of str to ndarray of int64
        Raw.
    rates : dict of str to float
        By matrix.
    state, weight : Format
    update_frac : int
    passes : int
        Times that the images run, one after the other; their numbers go on.
    """

    name: str
    seed: int
    network: Network
    program: Program
    weights: dict
    inputs: dict
    rates: dict
    state: Format = STATE
    weight: Format = WEIGHT
    update_frac: int = UPDATE_FRAC
    passes: int = 1

    @property
    def images(self) -> int:
        """Images of one pass."""
        return len(next(iter(self.inputs.values())))

    @property
    def learned(self) -> list:
        """Names of the matrices that learn, in network order."""
        names = self.program.learned()
        return [m.name for m in self.network.matrices if m.name in names]

    def runs(self):
        """Arguments of the runs of an executor, one a pass: (inputs, seed, first image)."""
        for number in range(self.passes):
            yield self.inputs, self.seed, number * self.images


@dataclass(frozen=True, eq=False)
class CaseRun:
    """What the fixed executor made of a case.

    Attributes
    ----------
    case : LearningCase
    weights : dict of str to ndarray of int64
        Raw weights after the last pass.
    results : list of FixedResult
        Of each pass.
    taking_part : dict of str to ndarray of bool
        By learned matrix, see :func:`run_case`.
    """

    case: LearningCase
    weights: dict
    results: list[FixedResult]
    taking_part: dict

    def _share(self, test):
        taken = sum(int(mask.sum()) for mask in self.taking_part.values())
        found = sum(int(test(name)[mask].sum()) for name, mask in self.taking_part.items())
        return found / taken if taken else 0.0

    @property
    def changed(self) -> float:
        """Share of the weights that take part that differ from their start."""
        return self._share(lambda name: self.weights[name] != self.case.weights[name])

    @property
    def saturated(self) -> float:
        """Share of the weights that take part at an end of their format."""
        ends = self.case.weight.min, self.case.weight.max
        return self._share(lambda name: np.isin(self.weights[name], ends))

    def check(self):
        """Raise `ApicalError` for a case whose weights are dead or saturated."""
        if not self.case.learned:
            return
        if self.changed < LEAST_CHANGED:
            raise ApicalError(f"case '{self.case.name}', seed {self.case.seed}: only "
                              f"{self.changed:.1%} of the weights that take part changed")
        if self.saturated > MOST_SATURATED:
            raise ApicalError(f"case '{self.case.name}', seed {self.case.seed}: "
                              f"{self.saturated:.1%} of the weights that take part are saturated")


def run_case(case: LearningCase) -> CaseRun:
    """Run a case on the fixed executor.

    A weight takes part when both its ends are ever active: its row and its column each belong to a
    weight of the matrix that was written in the run.
    """
    executor = FixedExecutor(case.network, case.weights, case.state, case.weight,
                             case.update_frac)
    rows = {name: np.zeros(case.weights[name].shape[0], bool) for name in case.learned}
    cols = {name: np.zeros(case.weights[name].shape[1], bool) for name in case.learned}
    results = []
    for inputs, seed, first in case.runs():
        result = executor.run(case.program, inputs, seed, first, record=True, rates=case.rates)
        for image in range(case.images):
            for entry in result.trace.image(image).weights:
                rows[entry.matrix][entry.rows] = True
                cols[entry.matrix][entry.cols] = True
        results.append(result)
    return CaseRun(case, executor.weights, results,
                   {name: rows[name][:, None] & cols[name] for name in rows})


def case_names() -> list[str]:
    """Names of the systems that have a case."""
    return [name for name, record in systems().items() if record.case is not None]


def learning_case(name: str, seed: int = 0) -> LearningCase:
    """The case of a system.

    Parameters
    ----------
    name : str
        As :func:`~apical.golden.systems.registry.system` takes it.

    Raises
    ------
    MisuseError
        For an unknown name, and for a system without a case.
    """
    record = system(name)
    if record.case is None:
        raise MisuseError(f"system '{name}' has no small case; run it on images: --data digits")
    # Each name has problems of its own, whatever the order of the list.
    rng = np.random.default_rng([seed, zlib.crc32(record.name.encode())])
    made = record.case(rng)
    case = LearningCase(record.name, seed, made.network, made.program, made.weights, made.inputs,
                        made.rates, passes=made.passes)
    case.program.check(case.network)
    return case
