"""Networks with ghost units (paper 2): inhibitory populations beside the hidden layers.

Their equations and modes are those of :mod:`apical.golden.systems.ghost_units`.
"""

from __future__ import annotations

import numpy as np

from ..errors import MisuseError
from .description import Matrix, Network, Population, Projection, layer_names, layer_sizes

#: Modes with feedback weights F of their own, instead of the transposed forward weights.
SEPARATE = ("random-feedback", "learned-feedback")
MODES = ("duplicate", "learned", "online", *SEPARATE, "none")


def ghost_network(sizes, mode="duplicate") -> Network:
    """A layered network of logistic units with one ghost population ``g_k`` a hidden layer.

    Parameters
    ----------
    sizes : sequence of int
        Units of each layer from the input to the output.
    mode : str
        One of `MODES`; ``"online"`` and ``"none"`` have no ghosts.  In the modes of `SEPARATE`,
        matrices ``F2`` .. (rows: the layer above) carry the feedback and what cancels it.
    """
    check_mode(mode)
    sizes = layer_sizes(sizes)
    names, last = layer_names(len(sizes)), len(sizes) - 1
    # The input is its own rate; so is the target, which is compared with a rate.
    populations = [Population("x", sizes[0], clamped=True)]
    populations += [Population(n, s, "logistic")
                    for n, s in zip(names[1:], sizes[1:], strict=True)]
    matrices, projections = [], []
    for k in range(1, last + 1):
        matrices += [Matrix(f"W{k}", sizes[k - 1], sizes[k]), Matrix(f"b{k}", 1, sizes[k])]
        projections += [Projection(f"up{k}", names[k - 1], names[k], f"W{k}"),
                        Projection(f"bias{k}", "one", names[k], f"b{k}")]
        if k > 1:
            back = f"W{k}"
            if mode in SEPARATE:
                back = f"F{k}"
                matrices.append(Matrix(back, sizes[k], sizes[k - 1]))
            projections.append(Projection(f"down{k}", names[k], names[k - 1], back,
                                          back[0] == "W"))
    if mode in ("duplicate", "learned", *SEPARATE):
        for k in range(1, last):
            ghost = f"g{k}"
            populations.append(Population(ghost, sizes[k + 1], "logistic"))
            up, bias, back, turned = f"W{k + 1}", f"b{k + 1}", f"W{k + 1}", True
            if mode in SEPARATE:
                back, turned = f"F{k + 1}", False
            if mode == "learned":
                up, bias, back, turned = f"V{k}", f"v{k}", f"B{k}", False
                matrices += [Matrix(up, sizes[k], sizes[k + 1]), Matrix(bias, 1, sizes[k + 1]),
                             Matrix(back, sizes[k + 1], sizes[k])]
            projections += [Projection(f"ghost{k}", names[k], ghost, up),
                            Projection(f"ghost_bias{k}", "one", ghost, bias),
                            Projection(f"cancel{k}", ghost, names[k], back, turned, -1)]
    populations += [Population("d", sizes[-1], clamped=True), Population("one", 1, "constant")]
    return Network(f"{'-'.join(map(str, sizes))}-{mode}", tuple(populations), tuple(matrices),
                   tuple(projections))


def check_mode(mode):
    """Raise `MisuseError` for an unknown mode."""
    if mode not in MODES:
        raise MisuseError(f"unknown mode '{mode}' of ghost units; known: {', '.join(MODES)}")


def layer_count(network: Network) -> int:
    """Layers of weights."""
    return sum(m.name[0] == "W" for m in network.matrices)


def hidden(network: Network) -> list[str]:
    """Names of the hidden populations, from the input on."""
    return [f"h{k}" for k in range(1, layer_count(network))]


def ghosts(network: Network) -> list[str]:
    """Names of the ghost populations."""
    return [p.name for p in network.populations if p.name[0] == "g"]


def interneurons(network: Network) -> list[str]:
    """Names of the interneurons, in the order in which a feedforward pass reaches them.

    Only the networks of :mod:`apical.golden.network.dale` have some.
    """
    return [p.name for p in network.populations if p.name[0] in "ij"]


def ghost_weights(network: Network, seed=0, gain=1.5) -> dict:
    """First weights: normal with deviation ``gain / sqrt(fan-in)``, biases 0.

    Separate feedback weights have the deviation of the forward weights that they stand for.

    Returns
    -------
    dict of str to ndarray, float64
    """
    rng = np.random.default_rng(seed)
    weights = {}
    for matrix in network.matrices:
        inputs = matrix.cols if matrix.name[0] == "F" else matrix.rows
        scale = 0.0 if matrix.name[0] in "bv" else gain / np.sqrt(inputs)
        weights[matrix.name] = scale * rng.normal(size=matrix.shape)
    return weights
