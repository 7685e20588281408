"""Binary Boltzmann machines as networks: visible-only, restricted, layered, with lateral couplings.

The energy of states s in {0, 1} (paper 3: Liu, Quek and Lin, arXiv 1711.07732) is

.. math:: E(s) = -\\tfrac12 s^T W s - b^T s, \\qquad W = W^T, \\; W_{ii} = 0

and the field of a unit is :math:`a_i = \\sum_j W_{ij} s_j + b_i`.

Three decisions turn it into populations and projections:

* A layer with lateral couplings is split into colour groups, each a population, and only groups are
  coupled to each other.  So a group can be sampled at once (its units are independent given the
  others, so block Gibbs sampling is exact), no unit is coupled to itself, and one matrix used in
  both directions keeps the couplings symmetric.  A fully connected layer of n units is n groups of
  one unit.
* There are two populations of visible units.  ``x`` holds the image; it is clamped, so its drive is
  accumulated once and zeros cost nothing.  ``v`` receives the fields of the visible units, which a
  clamped population cannot.  A program copies x to v, or samples v and lets it drive the others.
* Biases are matrix rows from the constant population ``one``.

A machine with flips also has the constant population ``coin``.  Its matrices ``cv``, ``ch1`` ..
hold the log odds of a flip, and nothing learns them: a unit drawn from that current alone is 1 with
the probability of a flip, so programs draw which units to flip as they draw everything else.
"""

from __future__ import annotations

import numpy as np

from ..errors import MisuseError
from . import Matrix, Network, Population, Projection
from .description import whole_numbers

#: Share of the rate at which lateral couplings of hidden layers learn.  At the full rate, hidden
#: groups follow each other before they follow the image: the flow of 64-40-20 on digits then ends
#: 3 to 8 % above that of a machine without lateral couplings.
LATERAL_SHARE = 0.2
#: The constant population that flips come from.
COIN = "coin"


def boltzmann(sizes, colours=None, symmetric=True, name=None, flips=False) -> Network:
    """A Boltzmann machine of layers; neighbouring layers are fully coupled.

    Populations are ``x`` (images), ``v`` (the same units, not clamped), ``h1``, ``h2`` .. and
    ``one``; a layer of several colour groups has ``h1_1``, ``h1_2`` .. (``x_1``, ``v_1`` ..).
    Matrices ``W1`` .. couple a layer (rows) with the next (columns), and ``L0``, ``L1`` .. couple
    the groups of a layer; group numbers follow (``W1_1_2``) if layers have groups.  ``bv``,
    ``bh1`` .. are biases.  Without `symmetric` the opposite direction has its own matrices, called
    ``W1r`` and so on.

    Parameters
    ----------
    sizes : sequence of int
        Units of the visible layer and of each hidden layer; without hidden layers the machine is
        visible-only.
    colours : sequence of int, optional
        Colour groups of each layer; 1, the default, is a layer without lateral couplings.
    symmetric : bool
        One matrix for both directions, or one for each.
    name : str, optional
    flips : bool
        Whether programs can flip the states of all layers but the last, see above.

    Raises
    ------
    MisuseError
        For sizes and numbers of colour groups that do not fit, and for flips without hidden layers.
    """
    sizes = whole_numbers(sizes)
    colours = [1] * len(sizes) if colours is None else whole_numbers(colours)
    if not sizes or len(colours) != len(sizes):
        raise MisuseError(f"{len(colours)} numbers of colour groups for {len(sizes)} layers; "
                          "give one for each layer")
    for size, count in zip(sizes, colours):
        if size < 1 or not 1 <= count <= size:
            raise MisuseError(f"a layer of {size} units cannot have {count} colour groups; "
                              "each group needs at least one unit")
    groups = [_groups(k, size, count) for k, (size, count) in enumerate(zip(sizes, colours))]
    populations = [Population(n.replace("v", "x", 1), s, "binary", clamped=True)
                   for n, s in groups[0]]
    populations += [Population(n, s, "binary") for layer in groups for n, s in layer]
    populations.append(Population("one", 1, "constant"))
    matrices = [Matrix(f"b{n}", 1, s) for layer in groups for n, s in layer]
    projections = [Projection(f"one>{m.name[1:]}", "one", m.name[1:], m.name) for m in matrices]
    for pre, post, label in _couplings(groups):
        matrices.append(Matrix(label, pre[1], post[1]))
        back = label
        if not symmetric:
            back = label + "r"
            matrices.append(Matrix(back, post[1], pre[1]))
        projections += _both_ways(pre[0], post[0], label, back, symmetric)
    if flips:
        if len(sizes) < 2:
            raise MisuseError("flips are for machines with hidden layers; this one has none")
        populations.append(Population(COIN, 1, "constant"))
        for group, size in (group for layer in groups[:-1] for group in layer):
            matrices.append(Matrix(f"c{group}", 1, size))
            projections.append(Projection(f"{COIN}>{group}", COIN, group, f"c{group}"))
    return Network(name or "-".join(map(str, sizes)), tuple(populations), tuple(matrices),
                   tuple(projections))


def _groups(layer, size, count):
    """(population name, size) of the colour groups of a layer; sizes differ by one at most."""
    name = f"h{layer}" if layer else "v"
    parts = [len(part) for part in np.array_split(np.arange(size), count)]
    return [(f"{name}_{i}" if count > 1 else name, part) for i, part in enumerate(parts, 1)]


def _couplings(groups):
    """(lower group, upper group, matrix name) of every pair of coupled groups."""
    def number(group):
        return group[0].partition("_")[2]

    for k, layer in enumerate(groups):
        for i, group in enumerate(layer):
            for other in layer[i + 1:]:
                yield group, other, f"L{k}_{number(group)}_{number(other)}"
            for other in groups[k + 1] if k + 1 < len(groups) else ():
                ends = "_".join(filter(None, (number(group), number(other))))
                yield group, other, f"W{k + 1}" + (f"_{ends}" if ends else "")


def _both_ways(pre, post, matrix, back, symmetric):
    """Projections of one pair of groups, for clamped and for free visible units."""
    for source, target, name, transpose in ((pre, post, matrix, False),
                                            (post, pre, back, symmetric)):
        yield Projection(f"{source}>{target}", source, target, name, transpose)
        if source[0] == "v":
            clamped = source.replace("v", "x", 1)
            yield Projection(f"{clamped}>{target}", clamped, target, name, transpose)


def visible(network: Network):
    """Pairs (clamped population, its free twin) of the visible groups, in order."""
    return [(p.name, p.name.replace("x", "v", 1)) for p in network.clamped]


def hidden(network: Network):
    """Names of the hidden groups, from the lowest layer up."""
    twins = {twin for _, twin in visible(network)}
    return [p.name for p in network.free if p.name not in twins]


def coins(network: Network) -> dict:
    """Projections that flips come from, by the group that is flipped; empty without flips."""
    return {p.target: p for p in network.projections if p.source == COIN}


def check_machine(network: Network):
    """Raise `MisuseError` unless a network has the populations of a Boltzmann machine."""
    names = {p.name for p in network.free}
    pairs = visible(network)
    if not pairs or any(x[0] != "x" or v not in names for x, v in pairs) or any(
            network.population(name).rate != "binary" for name in names):
        raise MisuseError(f"network '{network.name}' is not a Boltzmann machine: it needs binary "
                          "visible units 'x' with twins 'v', as "
                          "apical.golden.network.boltzmann.boltzmann makes it")


def split(network: Network, images, clamped=True) -> dict:
    """Columns of images by visible population, as a run takes them for inputs (or states).

    Parameters
    ----------
    images : ndarray of shape (images, width)
    clamped : bool
        Whether keys are the clamped populations, or their free twins.
    """
    images = np.asarray(images)
    sizes = [network.population(x).size for x, _ in visible(network)]
    if images.ndim != 2 or images.shape[1] != sum(sizes):
        raise MisuseError(f"images have shape {images.shape}, network '{network.name}' has "
                          f"{sum(sizes)} visible units; give (images, {sum(sizes)})")
    parts = np.split(images, np.cumsum(sizes)[:-1], axis=1)
    return {pair[0 if clamped else 1]: part for pair, part in zip(visible(network), parts)}


def join(network: Network, states, slot="state"):
    """Visible units put back into one array: ndarray of shape (images, width)."""
    return np.concatenate([states[v, slot] for _, v in visible(network)], axis=1)


def binarize(images):
    """Pixels above 1/2 become 1, others 0: float32, as in all Boltzmann data here."""
    return (np.asarray(images) > 0.5).astype(np.float32)


def corrupt(images, share, seed):
    """Flip each binary pixel with probability `share`: float32 of the shape of `images`."""
    flips = np.random.default_rng(seed).random(images.shape, np.float32) < share
    return np.where(flips, 1 - images, images).astype(np.float32)


def starting_weights(network: Network, images, seed, scale=0.01, hidden_bias=0.0,
                     flip=0.1) -> dict:
    """Normal couplings between layers, zero lateral ones, visible biases at the log odds.

    Parameters
    ----------
    images : ndarray of shape (images, width)
        Binary training images.  Their means m give biases ``log(m / (1 - m))``; means are kept
        half an image away from 0 and 1.
    seed : int
    scale : float
        Standard deviation of the couplings between layers.
    hidden_bias : float
        Of all hidden units.
    flip : float
        Probability of a flip, in machines that have flips.
    """
    rng = np.random.default_rng(seed)
    weights = {m.name: rng.normal(0, scale, m.shape) if m.name[0] == "W" else np.zeros(m.shape)
               for m in network.matrices}
    for name in hidden(network):
        weights["b" + name][...] = hidden_bias
    for projection in coins(network).values():
        weights[projection.matrix][...] = np.log(flip / (1 - flip))
    edge = 0.5 / max(len(images), 1)
    for x, part in split(network, images).items():
        mean = np.clip(part.mean(axis=0, dtype=np.float64), edge, 1 - edge)
        weights["b" + x.replace("x", "v", 1)][0] = np.log(mean / (1 - mean))
    return weights


def learning_rates(network: Network, rate) -> dict:
    """Rates by matrix: lateral couplings of hidden layers learn at `LATERAL_SHARE` of the rate."""
    return {m.name: rate * (LATERAL_SHARE if m.name[0] == "L" and m.name[1] != "0" else 1)
            for m in network.matrices}


def full_matrix(network: Network, weights):
    """All couplings and biases of the machine, visible units first.

    Returns
    -------
    couplings : ndarray of shape (n, n), float64
        ``[i, j]`` is the current into i from j.
    biases : ndarray of shape (n,), float64
    """
    names = [v for _, v in visible(network)] + hidden(network)
    ends = np.cumsum([0] + [network.population(name).size for name in names])
    place = {name: slice(a, b) for name, a, b in zip(names, ends, ends[1:])}
    couplings, biases = np.zeros((ends[-1], ends[-1])), np.zeros(ends[-1])
    for p in network.projections:
        values = np.asarray(weights[p.matrix], np.float64)
        if p.source == "one":
            biases[place[p.target]] = values[0]
        elif p.source in place:
            couplings[place[p.target], place[p.source]] = values if p.transpose else values.T
    return couplings, biases
