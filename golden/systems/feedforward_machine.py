"""Feedforward initialization of a stochastic machine: binary layers, Gibbs sampling (paper 1).

The sweep of :func:`~apical.golden.program.layered.sweep`, with binary units that are drawn: a unit
with two groups of inputs takes the one from below twice, ``p(h_k) = sigma(2 W_k h_{k-1} + b_k)``.
Layers learn one after the other, each with its lower neighbour as a restricted machine in which
inputs that will later be one group of two count twice (Salakhutdinov and Hinton 2009), so each
layer predicts what both groups say about the layer below.
"""

from __future__ import annotations

import numpy as np

from ..executors.float.executor import FloatExecutor
from ..network import Network
from ..network.boltzmann import boltzmann, hidden, learning_rates, starting_weights
from ..program import STATE, Clear, Program, Project, Relax, Sample
from .contrastive_divergence import contrastive_divergence


def _layers(network):
    """(layer below, layer, layer above or None) of every hidden layer."""
    names = ["x", *hidden(network), None]
    return list(zip(names, names[1:], names[2:], strict=False))


def machine_drive(network: Network):
    """Accumulate what never changes while an image runs: biases and the clamped layer."""
    ops = [Project("x>h1", "input")]
    return ops + [Project(f"one>{name}", "drive", "input" if name == "h1" else None)
                  for name in hidden(network)]


def machine_sweep(network: Network):
    """One bottom-up sweep of drawn states (operations after :func:`machine_drive`)."""
    ops = []
    for below, name, above in _layers(network):
        if below == "x":
            # The drive has the image once.
            ops += [Project("x>h1", "current", "drive")] if above else []
            ops.append(Sample(name, "current" if above else "drive"))
            continue
        ops.append(Project(f"{below}>{name}", "current", "drive"))
        ops += [Project(f"{below}>{name}", "current", "current")] if above else []
        ops.append(Sample(name))
    return ops


def machine_start(network: Network, start):
    """Operations that give every hidden layer its first state.

    Parameters
    ----------
    start : str
        ``"sweep"``, ``"zero"``, or ``"keep"`` (states that are handed in).
    """
    if start == "sweep":
        return machine_sweep(network)
    return [Clear(name) for name in hidden(network)] if start == "zero" else []


def gibbs_step(network: Network):
    """One step of Gibbs sampling: layers 1, 3 .. given the others, then layers 2, 4 .."""
    ops = []
    for first in (0, 1):
        for below, name, above in _layers(network)[first::2]:
            current = "drive"
            for other in (below, above):
                if other not in ("x", None):
                    ops.append(Project(f"{other}>{name}", "current", current))
                    current = "current"
            ops.append(Sample(name, current))
    return tuple(ops)


def gibbs(network: Network, start="sweep", steps=10) -> Program:
    """Sampling of all hidden layers with the image clamped.

    Parameters
    ----------
    start : str
        As for :func:`machine_start`.
    steps : int
    """
    program = Program(f"gibbs-{start}-{steps}", (
        *machine_drive(network), *machine_start(network, start),
        Relax(steps, gibbs_step(network))))
    program.check(network)
    return program


def with_gains(program: Program, network: Network, gains) -> Program:
    """A program in which inputs to some populations count several times.

    Parameters
    ----------
    gains : dict of str to int
        Population -> how often each of its projections, but those of biases, is added.
    """
    ops = []
    for op in program.ops:
        ops.append(op)
        if isinstance(op, Project) and network.projection(op.projection).source != "one":
            target = network.projection(op.projection).target
            ops += [Project(op.projection, op.into, op.into)] * (gains.get(target, 1) - 1)
    return Program(f"{program.name}-gains", tuple(ops))


def learn_layers(sizes, images, seed=0, epochs=30, batch=20, rate=0.1) -> dict:
    """Weights of a machine of layers, learned layer by layer with contrastive divergence.

    Parameters
    ----------
    sizes : sequence of int
        Visible layer and hidden layers.
    images : ndarray of shape (images, sizes[0])
        Binary.
    seed : int
    epochs, batch : int
        Of each layer.
    rate : float

    Returns
    -------
    dict of str to ndarray
        For the matrices of ``boltzmann(sizes)`` between hidden layers and images; visible biases
        are those of the first restricted machine.
    """
    rng, weights, last = np.random.default_rng(seed), {}, len(sizes) - 1
    shown = np.asarray(images, np.float32)
    for k in range(1, last + 1):
        pair = boltzmann(sizes[k - 1:k + 1])
        gains = {"h1": 2 if k < last else 1, "v": 2 if k > 1 else 1}
        program = with_gains(contrastive_divergence(pair), pair, gains)
        executor = FloatExecutor(pair, starting_weights(pair, shown, seed + k, 0.05))
        for epoch in range(epochs):
            order = rng.permutation(len(shown))
            for begin in range(0, len(order), batch):
                executor.run(program, {"x": shown[order[begin:begin + batch]]},
                             rates=learning_rates(pair, rate), seed=seed,
                             first_image=epoch * len(shown) + begin, collect=False)
        below = "bv" if k == 1 else f"bh{k - 1}"
        learned = {name: values.copy() for name, values in executor.weights.items()}
        weights[f"W{k}"], weights[f"bh{k}"] = learned["W1"], learned["bh1"]
        # A layer between two machines has the mean of the biases that both gave it.
        weights[below] = (learned["bv"] if k == 1 else (weights[below] + learned["bv"]) / 2)
        look = Program("up", (*machine_drive(pair), *(
            [Project("x>h1", "drive", "drive")] if k < last else []), Sample("h1", "drive")))
        shown = executor.run(look, {"x": shown}, seed=seed + k).states["h1", STATE]
    return weights
