"""Compiled executor: a program on raw integers, image by image, the same to the bit.

A program is flattened to a table of instructions over flat arrays, which one compiled function
(:mod:`apical.golden.executors.compiled.kernels`) interprets.  It is the executor for learning,
where the weights change from image to image and Python would spend its time between operations.
:class:`~apical.golden.executors.fixed.executor.FixedExecutor` is faster for inference of a batch
and records traces.  Both share their arithmetic, :mod:`apical.golden.executors.arithmetic`.
"""

from __future__ import annotations

import numpy as np

from ...errors import MisuseError
from ...network import Network
from ...numbers.addressed import mix_key
from ...numbers.bounds import state_limits
from ...numbers.formats import STATE as STATE_FORMAT
from ...numbers.formats import WEIGHT as WEIGHT_FORMAT
from ...numbers.formats import Format
from ...program import (
    RATE,
    SAMPLE_MODES,
    SCALED,
    STATE,
    UPDATE_FRAC,
    Clear,
    Decide,
    Difference,
    FlowRate,
    Learn,
    Program,
    Project,
    Relax,
    Reseed,
    Residual,
    Sample,
    Snapshot,
    Update,
    accumulators,
    noise_multiplier,
    stored,
    vectors,
)
from ..fixed.executor import FixedExecutor, FixedResult
from ..fixed.weights import MATRIX_NUMBER, multipliers
from ..rows import COUNTS

#: Images that are handed to the compiled function at a time.
CHUNK = 1000
_COLUMNS = 18
#: Tables kept by an executor.
_KEPT = 8


class CompiledExecutor(FixedExecutor):
    """Runs programs on raw integers, one image after the other, by a compiled interpreter.

    Parameters
    ----------
    network, weights, state, weight, update_frac
        As for :class:`~apical.golden.executors.fixed.executor.FixedExecutor`.
    """

    def __init__(self, network: Network, weights, state: Format = STATE_FORMAT,
                 weight: Format = WEIGHT_FORMAT, update_frac: int = UPDATE_FRAC):
        super().__init__(network, weights, state, weight, update_frac)
        self._places, at = {}, 0
        for matrix in network.matrices:
            self._places[matrix.name] = at
            at += matrix.rows * matrix.cols
        self._flat = np.concatenate([self._weights[m.name].ravel() for m in network.matrices]
                                    or [np.zeros(0)]).astype(np.int32)
        del self._weights, self._transposed
        self._tables = {}

    @property
    def weights(self) -> dict:
        """Copies of the present raw weights: dict of str to ndarray of int64."""
        return {m.name: self._flat[self._places[m.name]:][:m.rows * m.cols]
                .reshape(m.shape).astype(np.int64) for m in self.network.matrices}

    def run(self, program: Program, inputs, seed=0, first_image=0, record=False,
            rates=None, collect=True) -> FixedResult:
        """Run a program on images, one after the other.

        Parameters
        ----------
        program, inputs, seed, first_image, rates
            As for :meth:`apical.golden.executors.fixed.executor.FixedExecutor.run`.
        record : bool
            Refused: this executor records no trace.
        collect : bool
            Keep the last states of every image.
        """
        if record:
            raise MisuseError("the compiled executor records no trace; use FixedExecutor")
        table = self._tables.get(id(program))
        if table is None:
            self.check(program)
            # The table keeps the program, so that its id is not used again.
            table = Table(self, program)
            while len(self._tables) >= _KEPT:
                del self._tables[next(iter(self._tables))]
            self._tables[id(program)] = table
        given, batch = self._given(program, inputs)
        table.set_rates(multipliers(program, rates, self.state, self.weight, self.update_frac))
        images = np.arange(first_image, first_image + batch, dtype=np.int64)
        keys = mix_key(np.int64(seed), images)
        counts = np.zeros((batch, len(COUNTS)), np.int64)
        kept = np.zeros((batch if collect else 0, len(table.start)), np.int32)
        for begin in range(0, batch, CHUNK):
            part = slice(begin, begin + CHUNK)
            table.run(self._flat, [given[name][part] for name in table.inputs], keys[part],
                      counts[part], kept[part])
        prediction, *rest = counts.T.copy()
        steps, operations, writes, saturations, signatures, _ = rest
        states = {key: kept[:, at:at + size].astype(np.int64)
                  for key, (at, size) in table.vectors.items()} if collect else {}
        return FixedResult(states, prediction if table.decides else None, steps, operations,
                           writes, saturations, signatures)


class Table:
    """A program as a table of instructions, with its working storage.

    Parameters
    ----------
    executor : CompiledExecutor
    program : Program

    Attributes
    ----------
    inputs : list of str
        Clamped populations that are read.
    vectors : dict of (population, slot) to (int, int)
        Place and size in the flat state.
    """

    def __init__(self, executor, program):
        from . import kernels  # Numba is imported on first use

        self.kernels, self.program = kernels, program
        self.network, self.state, self.weight = executor.network, executor.state, executor.weight
        self.update_frac, self.matrix_places = executor.update_frac, executor._places
        self.matrix_number = executor.matrix_number
        self.inputs = program.inputs(self.network)
        size = {p.name: p.size for p in self.network.populations}
        self.vectors, self.number = {}, {}
        places = self._lay_out(vectors(self.network, program), size)
        for number, (key, place) in enumerate(places.items()):
            self.vectors[key], self.number[key] = (place, size[key[0]]), number
        self.sums_at = self._lay_out(accumulators(self.network, program), size)
        self.start = np.zeros(sum(n for _, n in self.vectors.values()), np.int32)
        for population in self.network.populations:
            if population.constant:
                self.start[self.vectors[population.name, STATE][0]] = self.state.one
        self.inputs_at = np.concatenate(
            [np.arange(size[name]) + self.vectors[name, STATE][0] for name in self.inputs]
            or [np.zeros(0)]).astype(np.int64)
        self.decides, self.loops = False, 0
        self.code, self.terms, self.learned = [], [], []
        self.block(program.ops, 0)
        self.code = np.array(self.code or np.zeros((0, _COLUMNS)), np.int64)
        self.terms = np.array(self.terms or np.zeros((0, 5)), np.int64)
        widest = max([m.cols for m in self.network.matrices] + list(size.values()), default=1)
        self.numbers, self.tables = executor.numbers, executor.tables
        sums = sum(size[name] for name, _ in self.sums_at)
        self.storage = (np.zeros_like(self.start), np.zeros(sums, np.int64))
        self.scratch = np.zeros((7 + len(SCALED), widest), np.int64)

    @staticmethod
    def _lay_out(keys, size):
        places, at = {}, 0
        for key in keys:
            places[key] = at
            at += size[key[0]]
        return places

    def set_rates(self, found):
        """Put the multipliers of this run into the weight updates."""
        for at, matrix in self.learned:
            self.code[at, 5] = found[matrix]

    def run(self, weights, inputs, keys, counts, kept):
        """Run images; changes `weights`, fills `counts` and (when it has rows) `kept`."""
        joined = np.concatenate([np.asarray(v, np.int32) for v in inputs] or
                                [np.zeros((len(keys), 0), np.int32)], axis=1)
        self.kernels.run_images(self.code, self.terms, self.numbers, self.tables, self.start,
                                *self.storage, weights, np.ascontiguousarray(joined),
                                self.inputs_at, keys, counts, kept, self.scratch)

    def emit(self, *values):
        """Append one instruction: operation number and columns, see `kernels` and `states`."""
        self.code.append([*(int(value) for value in values), *[0] * (_COLUMNS - len(values))])

    def block(self, ops, depth):
        """Write operations inside of `depth` loops."""
        for op in ops:
            HANDLERS[type(op)](self, op, depth)

    def _relax(self, op, depth):
        begin, until = len(self.code), op.settled is not None
        threshold = np.floor(min(op.settled, 1e6) * 2.0 ** self.state.frac) if until else 0
        self.emit(self.kernels.BEGIN, depth, op.steps, 0, until)
        self.block(op.body, depth + 1)
        self.emit(self.kernels.END, depth, begin + 1, threshold, until)
        self.code[begin][3] = len(self.code)

    def _project(self, op, depth):
        projection = self.network.projection(op.projection)
        first, size = self.place(projection.source, RATE), self.size_of(projection.source)
        start = -1 if op.start is None else self.sums_at[projection.target, op.start]
        self.emit(self.kernels.PROJECT, first, size, self.sums_at[projection.target, op.into],
                   self.network.population(projection.target).size, start, op.shift,
                   projection.sign, self.matrix_places[projection.matrix], projection.transpose)

    def place(self, population, slot):
        """Offset of the vector that is read."""
        return self.vectors[stored(self.network, (population, slot))][0]

    def size_of(self, population):
        """Units of a population."""
        return self.network.population(population).size

    def written(self, name, slot):
        """Columns of all instructions that write a vector, `INTO` to `RATE_NUMBER`."""
        limits, rate = (self.state.min, self.state.max), (-1, -1)
        if slot == STATE:
            limits = state_limits(self.network.population(name), self.state)
            if (name, RATE) in self.vectors:
                rate = self.vectors[name, RATE][0], self.number[name, RATE]
        return *self.vectors[name, slot], self.number[name, slot], *limits, *rate

    def current(self, op):
        """Offset of the accumulator that an operation takes."""
        return self.sums_at[op.population, op.current]

    def _update(self, op, depth):
        nudge, scale = op.nudge, self.weight.frac
        pull = (-1, -1, 0, 0) if nudge is None else (
            self.vectors[nudge.target, STATE][0],
            self.place(op.population, RATE if nudge.of_rate else op.slot),
            nudge.sign << scale - nudge.shift, nudge.random_sign)
        held = -1 if op.held is None else self.vectors[op.population, op.held][0]
        gate = op.gate and op.leak and self.network.population(op.population).rate == "logistic"
        self.emit(self.kernels.UPDATE, *self.written(op.population, op.slot), self.current(op),
                   op.leak, scale + op.shift, *pull, held, gate,
                   noise_multiplier(op, self.state) if op.noise else -1)

    def _sample(self, op, depth):
        self.emit(self.kernels.SAMPLE, *self.written(op.population, STATE), self.current(op),
                   SAMPLE_MODES.index(op.mode))

    def _flow_rate(self, op, depth):
        self.emit(self.kernels.FLOW_RATE, *self.written(op.population, op.into),
                   self.current(op), self.vectors[op.population, STATE][0])

    def _residual(self, op, depth):
        self.emit(self.kernels.RESIDUAL, *self.written(op.population, op.into),
                   self.current(op), self.vectors[op.population, STATE][0], op.share)

    def _reseed(self, op, depth):
        self.emit(self.kernels.RESEED, op.count)

    def _clear(self, op, depth):
        self.emit(self.kernels.MOVE, *self.written(op.population, op.slot), -1, -1)

    def _snapshot(self, op, depth):
        self.emit(self.kernels.MOVE, *self.written(op.population, op.into),
                   self.place(op.population, op.source), -1)

    def _difference(self, op, depth):
        self.emit(self.kernels.MOVE, *self.written(op.population, op.into),
                   *(self.place(*operand) for operand in op.operands))

    def _decide(self, op, depth):
        self.decides = True
        self.emit(self.kernels.DECIDE, *self.vectors[op.population, STATE])

    def _learn(self, op, depth):
        matrix, first = self.network.matrix(op.matrix), len(self.terms)
        for term, slot in zip(op.terms, SCALED):
            scaled = term.cols[0], slot
            self.terms.append([self.place(*term.rows), self.place(*term.cols),
                               self.vectors[scaled][0], self.number[scaled], term.sign])
        self.learned.append((len(self.code), op.matrix))
        # Column 5 is the multiplier, see `set_rates`.
        self.emit(self.kernels.LEARN, self.matrix_places[op.matrix], matrix.rows, matrix.cols,
                   MATRIX_NUMBER + self.matrix_number[op.matrix], 0, op.by_sign, first,
                   len(self.terms), self.state.min, self.state.max, self.weight.min,
                   self.weight.max, self.state.frac + self.update_frac)


#: What writes the instructions of each operation, called as ``(table, operation, depth of loops)``;
#: a new operation adds its own.
HANDLERS = {Project: Table._project, Update: Table._update, Sample: Table._sample,
            FlowRate: Table._flow_rate, Residual: Table._residual, Clear: Table._clear,
            Snapshot: Table._snapshot, Difference: Table._difference, Decide: Table._decide,
            Reseed: Table._reseed, Learn: Table._learn, Relax: Table._relax}
CompiledExecutor.handlers = HANDLERS
CompiledExecutor.table = f"compiled executor ({__name__}.HANDLERS)"
