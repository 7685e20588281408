"""Description of an energy network: populations, matrices and the projections between them.

A network says what is connected to what, and a :class:`~apical.golden.program.Program` says what to
do with it.  Every executor runs the pair.

The states :math:`u` of all populations settle by descending the energy (papers 1, 4 and 5; Scellier
and Bengio 2017, equation 1)

.. math:: E(u) = \\tfrac12 \\sum_i u_i^2 - \\sum_{i<j} W_{ij} \\rho(u_i) \\rho(u_j)
                 - \\sum_i b_i \\rho(u_i)

Biases are matrices of one row whose source is the constant population ``one``; the target of a
nudge is a clamped population.
"""

from __future__ import annotations

import operator
from dataclasses import dataclass

import numpy as np

from ..errors import MisuseError

#: Rate functions: name -> (lowest state, highest state); states are clipped to that range.
#: None means that only the number format limits them.
RATES = {
    "hard-sigmoid": (0.0, 1.0),
    "hard-tanh": (-1.0, 1.0),
    "logistic": None,
    "binary": (0.0, 1.0),
    "constant": (0.0, 1.0),
}


@dataclass(frozen=True)
class Population:
    """A group of units that are updated together.

    Parameters
    ----------
    name : str
    size : int
        Number of units, 1..65535.
    rate : str
        Rate function rho, a key of `RATES`.  ``"constant"`` marks a population whose single
        unit is always 1: the source of biases.
    clamped : bool
        The states come with the image (inputs, targets) and are never updated.
    """

    name: str
    size: int
    rate: str = "hard-sigmoid"
    clamped: bool = False

    def __post_init__(self):
        if not 1 <= self.size <= 65535:
            raise MisuseError(f"population '{self.name}' has size {self.size}; "
                              "sizes go from 1 to 65535")
        if self.rate not in RATES:
            raise MisuseError(f"population '{self.name}' has unknown rate '{self.rate}'; "
                              f"known: {', '.join(RATES)}")
        if self.constant and self.size != 1:
            raise MisuseError(f"constant population '{self.name}' has {self.size} units; "
                              "it has one, the constant 1")

    @property
    def constant(self) -> bool:
        """Whether this is the constant 1."""
        return self.rate == "constant"

    @property
    def fixed_rate(self) -> bool:
        """Whether the rates never change while an image runs (clamped or constant)."""
        return self.clamped or self.constant

    @property
    def limits(self):
        """(lowest, highest) state as floats, or None if only the number format limits it."""
        return RATES[self.rate]


@dataclass(frozen=True)
class Matrix:
    """A weight matrix, stored once and shared by every projection that names it.

    Parameters
    ----------
    name : str
    rows : int
        Size of the presynaptic population of the untransposed use.
    cols : int
        Size of the postsynaptic population of the untransposed use.
    """

    name: str
    rows: int
    cols: int

    @property
    def shape(self):
        return self.rows, self.cols


@dataclass(frozen=True)
class Projection:
    """Current from one population to another through a matrix: ``sign * r_source @ M`` (or M.T).

    Parameters
    ----------
    name : str
    source, target : str
        Population names.
    matrix : str
        Matrix name.
    transpose : bool
        Use the matrix from columns to rows.
    sign : int
        +1, or -1 for inhibition.
    """

    name: str
    source: str
    target: str
    matrix: str
    transpose: bool = False
    sign: int = 1


@dataclass(frozen=True)
class Network:
    """Populations, matrices and projections, checked on construction.

    Parameters
    ----------
    name : str
    populations : tuple of Population
    matrices : tuple of Matrix
    projections : tuple of Projection

    Raises
    ------
    MisuseError
        For duplicate or unknown names, and for sizes that do not match.
    """

    name: str
    populations: tuple[Population, ...]
    matrices: tuple[Matrix, ...]
    projections: tuple[Projection, ...]

    def __post_init__(self):
        for kind in ("populations", "matrices", "projections"):
            names = [item.name for item in getattr(self, kind)]
            twice = sorted({name for name in names if names.count(name) > 1})
            if twice:
                raise MisuseError(f"network '{self.name}' has two {kind} called '{twice[0]}'")
        for item in self.projections:
            source, target = self.population(item.source), self.population(item.target)
            matrix = self.matrix(item.matrix)
            shape = (target.size, source.size) if item.transpose else (source.size, target.size)
            if shape != matrix.shape:
                raise MisuseError(
                    f"projection '{item.name}' from {source.name} ({source.size} units) to "
                    f"{target.name} ({target.size}) needs a matrix of {shape[0]} x {shape[1]}, "
                    f"but '{matrix.name}' is {matrix.rows} x {matrix.cols}")
            if item.sign not in (1, -1):
                raise MisuseError(f"projection '{item.name}' has sign {item.sign}; use 1 or -1")
            if target.fixed_rate:
                raise MisuseError(f"projection '{item.name}' drives '{target.name}', "
                                  "which is clamped or constant")

    def _find(self, kind, name):
        for item in getattr(self, kind):
            if item.name == name:
                return item
        known = ", ".join(item.name for item in getattr(self, kind)) or "none"
        raise MisuseError(f"network '{self.name}' has no {kind} entry '{name}' (it has: {known})")

    def population(self, name) -> Population:
        """The population of that name."""
        return self._find("populations", name)

    def matrix(self, name) -> Matrix:
        """The matrix of that name."""
        return self._find("matrices", name)

    def projection(self, name) -> Projection:
        """The projection of that name."""
        return self._find("projections", name)

    @property
    def free(self) -> tuple[Population, ...]:
        """Populations that settle (neither clamped nor constant), in order."""
        return tuple(p for p in self.populations if not p.fixed_rate)

    @property
    def clamped(self) -> tuple[Population, ...]:
        """Clamped populations, whose states come with the image, in order."""
        return tuple(p for p in self.populations if p.clamped)

    def into(self, target: str) -> tuple[Projection, ...]:
        """Projections that drive a population, in order."""
        return tuple(p for p in self.projections if p.target == target)

    def check_weights(self, weights):
        """Raise `MisuseError` unless every matrix has finite weights of its shape."""
        for matrix in self.matrices:
            if matrix.name not in weights:
                raise MisuseError(f"weights of matrix '{matrix.name}' are missing")
            values = np.asarray(weights[matrix.name])
            if values.shape != matrix.shape:
                raise MisuseError(f"weights of matrix '{matrix.name}' have shape {values.shape}, "
                                  f"the network needs {matrix.shape}")
            if not np.isfinite(values).all():
                at = tuple(int(i) for i in np.argwhere(~np.isfinite(values))[0])
                raise MisuseError(f"weight {matrix.name}{list(at)} is {values[at]}; "
                                  "weights must be finite numbers")


def layered(sizes, rate="hard-sigmoid", name=None) -> Network:
    """A layered symmetric energy network, the shape of papers 1, 4 and 5.

    Populations are ``x`` (clamped), ``h1`` .. , ``y``, the target ``d`` (clamped, for the nudge)
    and ``one``.  Matrices ``W1`` .. of shape (n_{k-1}, n_k) are used upwards and, between settling
    layers, transposed downwards; ``b1`` .. are biases.

    Parameters
    ----------
    sizes : sequence of int
        Units of each layer, from the input to the output; at least two layers.
    rate : str
        Rate function of the settling layers (`RATES`).
    """
    sizes = layer_sizes(sizes)
    names = layer_names(len(sizes))
    populations = [Population("x", sizes[0], rate, clamped=True)]
    populations += [Population(n, s, rate) for n, s in zip(names[1:], sizes[1:])]
    populations += [Population("d", sizes[-1], rate, clamped=True),
                    Population("one", 1, "constant")]
    matrices, projections = [], []
    for k in range(1, len(sizes)):
        matrices += [Matrix(f"W{k}", sizes[k - 1], sizes[k]), Matrix(f"b{k}", 1, sizes[k])]
        projections.append(Projection(f"up{k}", names[k - 1], names[k], f"W{k}"))
        projections.append(Projection(f"bias{k}", "one", names[k], f"b{k}"))
        if k > 1:
            projections.append(Projection(f"down{k}", names[k], names[k - 1], f"W{k}", True))
    return Network(name or "-".join(map(str, sizes)), tuple(populations), tuple(matrices),
                   tuple(projections))


def whole_numbers(sizes) -> list[int]:
    """Sizes as int; `MisuseError` for what is not a whole number, such as 3.5."""
    try:
        return [operator.index(size) for size in sizes]
    except TypeError as error:
        raise MisuseError(f"sizes are {tuple(sizes)}; "
                          "each must be a whole number, as in 64-32-10") from error


def layer_sizes(sizes) -> list[int]:
    """Sizes of layers as int; `MisuseError` for fewer than two, or what is no positive number."""
    sizes = whole_numbers(sizes)
    if len(sizes) < 2:
        raise MisuseError("a layered network needs at least an input and an output layer, "
                          "for example 64-32-10")
    for size in sizes:
        if size < 1:
            raise MisuseError(f"layer size {size} is not a positive number; "
                              "write layers as 64-32-10")
    return sizes


def layer_names(count):
    """Population names of a layered network of `count` layers: x, h1 .., y."""
    return ["x"] + [f"h{k}" for k in range(1, count - 1)] + ["y"]


def glorot(network: Network, seed: int) -> dict:
    """Glorot-uniform starting weights, zero biases: dict of float64 arrays by matrix name."""
    rng = np.random.default_rng(seed)
    weights = {}
    for matrix in network.matrices:
        if any(network.population(p.source).constant
               for p in network.projections if p.matrix == matrix.name):
            weights[matrix.name] = np.zeros(matrix.shape)
        else:
            bound = np.sqrt(6.0 / (matrix.rows + matrix.cols))
            weights[matrix.name] = rng.uniform(-bound, bound, matrix.shape)
    return weights
