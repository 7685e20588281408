"""Ghost networks in which every population excites or inhibits, and none does both (Dale).

Layers excite: their weights, upwards and transposed downwards, are never below 0.  Ghosts inhibit
through the same weights.  Excitation alone moves all units of a layer together, so interneurons of
one unit each take the common part away; their weights are fixed:

* ``i_k`` has the mean rate of the layer below and inhibits layer k (and the ghosts that copy it);
* ``j_k`` has 1/2 plus the mean rate of the layer above less that of its ghosts, and inhibits hidden
  layer k.  Without a target that is a constant, which a tonic current ``a_k`` balances.

So layer k receives ``(W_k - c) r_{k-1}`` upwards and ``(W_{k+1} - c)^T (r_{k+1} - r(g_k))``
downwards, c the strength of inhibition: ghosts of mode ``"duplicate"`` with weights above ``-c``.
"""

from __future__ import annotations

import numpy as np

from . import Matrix, Network, Population, Projection
from .ghosts import ghost_network, layer_count

#: First letters of the matrices that carry a sign: all but biases.
SIGNED = "WPNQR"
#: Mean of the first weights over their deviation before negative ones are folded.
_MEAN, _SPREAD = np.sqrt(2 / np.pi), np.sqrt(1 - 2 / np.pi)


def dale_network(sizes) -> Network:
    """Ghost units in mode ``"duplicate"`` with interneurons, see above.

    Matrices besides ``W1 b1 ..``: ``P_k`` and ``N_k`` into and out of ``i_k``; ``Q_k`` and ``R_k``
    into and out of ``j_k``, whose bias is ``q_k``; tonic currents ``a_k``.

    Parameters
    ----------
    sizes : sequence of int
        Units of each layer from the input to the output.
    """
    plain = ghost_network(sizes, "duplicate")
    names = ["x", *(p.name for p in plain.free if p.name[0] != "g")]
    size = {p.name: p.size for p in plain.populations}
    populations, matrices, projections = [], [], list(plain.projections)
    for k, (below, name) in enumerate(zip(names, names[1:], strict=False), 1):
        unit = f"i{k}"
        populations.append(Population(unit, 1, "hard-sigmoid"))
        matrices += [Matrix(f"P{k}", size[below], 1), Matrix(f"N{k}", 1, size[name])]
        projections += [Projection(f"mean{k}", below, unit, f"P{k}"),
                        Projection(f"inhibit{k}", unit, name, f"N{k}", sign=-1)]
        if k > 1:
            projections.append(Projection(f"inhibit_ghost{k - 1}", unit, f"g{k - 1}", f"N{k}",
                                          sign=-1))
    for k, (name, above) in enumerate(zip(names[1:], names[2:], strict=False), 1):
        unit = f"j{k}"
        populations.append(Population(unit, 1, "hard-sigmoid"))
        matrices += [Matrix(f"Q{k}", size[above], 1), Matrix(f"q{k}", 1, 1),
                     Matrix(f"R{k}", 1, size[name]), Matrix(f"a{k}", 1, size[name])]
        projections += [Projection(f"rest{k}", "one", unit, f"q{k}"),
                        Projection(f"mean_above{k}", above, unit, f"Q{k}"),
                        Projection(f"mean_ghost{k}", f"g{k}", unit, f"Q{k}", sign=-1),
                        Projection(f"inhibit_back{k}", unit, name, f"R{k}", sign=-1),
                        Projection(f"tonic{k}", "one", name, f"a{k}")]
    return Network(f"{'-'.join(str(size[name]) for name in names)}-dale",
                   (*plain.populations, *populations), (*plain.matrices, *matrices),
                   tuple(projections))


def dale_weights(network: Network, seed=0, gain=1.5) -> dict:
    """First weights: absolute values of normal ones, deviation ``gain / sqrt(fan-in)``.

    Inhibition is as strong as their mean, so what a unit receives has mean 0 over its inputs.

    Returns
    -------
    dict of str to ndarray, float64
    """
    rng = np.random.default_rng(seed)
    weights = {m.name: np.zeros(m.shape) for m in network.matrices}
    count = layer_count(network)
    for k in range(1, count + 1):
        matrix = network.matrix(f"W{k}")
        scale = gain / np.sqrt(matrix.rows) / _SPREAD
        weights[matrix.name] = scale * np.abs(rng.normal(size=matrix.shape))
        weights[f"P{k}"][...] = 1 / matrix.rows
        weights[f"N{k}"][...] = _MEAN * scale * matrix.rows
        if k > 1:
            weights[f"Q{k - 1}"][...], weights[f"q{k - 1}"][...] = 1 / matrix.cols, 0.5
            weights[f"R{k - 1}"][...] = _MEAN * scale * matrix.cols
            weights[f"a{k - 1}"] = 0.5 * weights[f"R{k - 1}"]
    return weights


def excite_only(weights):
    """Weights of layers below 0 become 0, in place: the projection after each update.

    Returns
    -------
    list of str
        Names of the matrices that changed.
    """
    changed = [name for name in weights if name[0] == "W" and (weights[name] < 0).any()]
    for name in changed:
        np.maximum(weights[name], 0, out=weights[name])
    return changed
