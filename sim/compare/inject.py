"""Faults to inject: one bit flipped through the host port, certain to show.

The fixed executor finds a bit of a loaded weight or input state that reaches a write, and where it
shows first; a bench that does not name that very place is blind.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...golden.errors import ApicalError, MisuseError
from ...golden.executors.fixed.executor import FixedExecutor
from ...golden.numbers.bounds import state_limits
from ...hw.assembler.image import input_writes, weight_place, weight_words
from ...hw.interface.isa import Space, lane_address
from .compare import Divergence, Expectation

KINDS = ("weight-bit", "state-bit")
#: Places tried before giving up.
TRIES = 200


@dataclass(frozen=True)
class Fault:
    """One flipped bit.

    Attributes
    ----------
    kind : str
    where : dict
        Matrix, row and column of a weight, or population, image and unit of a state; and the bit.
    writes : (ndarray, ndarray)
        Host writes that put the fault in.
    first : Divergence
        First difference, according to the fixed executor.
    """

    kind: str
    where: dict
    writes: tuple
    first: Divergence

    def to_dict(self) -> dict:
        """For reports."""
        return {"kind": self.kind, **self.where, "expected_first": self.first.place()}


def choose_fault(kind, case, expected, seed=0) -> Fault:
    """Choose a bit whose flip reaches a state write.

    Parameters
    ----------
    kind : str
        One of `KINDS`.
    case : apical.sim.cosim.inference.Case
    expected : FixedResult
        Of the whole batch, with its trace.
    """
    if kind not in KINDS:
        raise MisuseError(f"unknown fault '{kind}'; known: {', '.join(KINDS)}")
    rng = np.random.default_rng([seed, KINDS.index(kind)])
    healthy = Expectation(expected)
    for _ in range(TRIES):
        where, weights, inputs, writes = (_weight if kind == "weight-bit" else _state)(case, rng)
        if where is None:
            continue
        executor = FixedExecutor(case.network, weights, case.config.state, case.config.weight)
        faulty = executor.run(case.program, inputs, seed=seed, record=True)
        first = healthy.first_difference(Expectation(faulty))
        if first is not None:
            return Fault(kind, where, writes, first)
    raise ApicalError(f"no {kind} among {TRIES} tried reaches a state write; use more images or "
                      "another seed")


def _weight(case, rng):
    """Flip one bit of one weight."""
    names = list(case.assembly.placement.matrices)
    name = names[rng.integers(len(names))]
    raw = case.weights[name]
    row, col = (int(rng.integers(n)) for n in raw.shape)
    bit = int(rng.integers(case.config.weight.width))
    flipped = _flip(int(raw[row, col]), bit, case.config.weight.width)
    weights = {**case.weights, name: raw.copy()}
    weights[name][row, col] = flipped
    word, lane = weight_place(case.assembly, name, row, col)
    # The port stores whole words: write them all again, with the flipped lane.
    values = weight_words(case.assembly, weights)[word]
    addresses = np.array([lane_address(Space.WEIGHTS, word, i, len(values))
                          for i in range(len(values))])
    where = {"matrix": name, "row": row, "col": col, "bit": bit, "word": word, "lane": lane}
    return where, weights, case.inputs, (addresses, values & 0xFFFF)


def _state(case, rng):
    """Flip one bit of the first image's input in memory."""
    name = str(rng.choice(list(case.inputs)))
    values = case.inputs[name]
    units = np.flatnonzero(values[0])
    if not units.size:
        raise ApicalError("image 0 has no non-zero input to flip a bit of; use other data")
    unit = int(rng.choice(units))
    bit = int(rng.integers(case.config.state.width))
    flipped = _flip(int(values[0, unit]), bit, case.config.state.width)
    low, high = state_limits(case.network.population(name), case.config.state)
    if not low <= flipped <= high or flipped == 0:
        return None, None, None, None
    inputs = {**case.inputs, name: values.copy()}
    inputs[name][0, unit] = flipped
    healthy = dict(zip(*map(np.ndarray.tolist, input_writes(case.assembly, case.inputs, 0, 0)),
                       strict=True))
    faulty = dict(zip(*map(np.ndarray.tolist, input_writes(case.assembly, inputs, 0, 0)),
                      strict=True))
    changed = [(a, d) for a, d in faulty.items() if healthy.get(a) != d]
    where = {"population": name, "image": 0, "unit": unit, "bit": bit}
    return where, case.weights, inputs, tuple(np.array(column) for column in zip(*changed,
                                                                                strict=True))


def _flip(value, bit, width):
    """Two's complement value with one bit flipped."""
    word = value & (1 << width) - 1 ^ 1 << bit
    return word - (1 << width) if word >> width - 1 else word
