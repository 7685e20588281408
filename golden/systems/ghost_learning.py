"""Ghost units that learn to cancel the feedback (paper 2, mode ``"learned"``)."""

from __future__ import annotations

import math

from ..network import Network
from ..network.ghosts import hidden
from ..program import RATE, STATE, Difference, Learn, Outer, Program, Project, Update
from .ghost_phases import SHIFT, free_phase, settling
from .ghost_units import DEFAULTS, learning_rates, record, training


def ghost_learning(network: Network, steps, shift=SHIFT, normalized=True):
    """Operations that teach the ghosts in the free state (mode learned).

    ``Delta V_k = eta_V (u_{k+1} - g_k) rho(u_k)^T`` and
    ``Delta B_k = eta_B (F_k rho(u_{k+1}) - B_k rho(g_k)) rho(g_k)^T``, both divided by the mean
    squared length of the presynaptic rates; without `normalized`, V is taught on rates and nothing
    is divided.

    Returns
    -------
    Program
        Free phase from the feedforward pass, then both rules.
    """
    taught = STATE if normalized else RATE
    layers = settling(network)
    ops = free_phase(network, "learned", steps, shift=shift)
    for k, name in enumerate(hidden(network), 1):
        ghost, above = f"g{k}", layers[k]
        ops += [Difference(ghost, "miss", (above, taught), (ghost, taught)),
                Project(f"down{k + 1}", "left"), Project(f"cancel{k}", "left", "left"),
                Update(name, "left", shift=0, leak=False, slot="left")]
    for k, name in enumerate(hidden(network), 1):
        ghost = f"g{k}"
        ops += [Learn(f"V{k}", (Outer((name, RATE), (ghost, "miss")),), normalize=normalized),
                Learn(f"v{k}", (Outer(("one", STATE), (ghost, "miss")),), normalize=normalized),
                Learn(f"B{k}", (Outer((ghost, RATE), (name, "left")),), normalize=normalized)]
    program = Program(f"ghost-learning-{steps}", tuple(ops))
    program.check(network)
    return program


# The record --------------------------------------------------------------------------------------

#: Largest rates of learned ghosts by first letter of the matrix, powers of two where the paper
#: divides: ghosts (V, v) and cancelling (B).  What is left of the feedback hardly depends on them
#: (docs/results-fixed.md, bench/ghost_rates.py).
GHOST_RATES = {"V": 2.0 ** -3, "v": 2.0 ** -3, "B": 2.0 ** -5}
#: A rate times the squared length of the presynaptic rates must stay below 2; rates of 1/2 make
#: that length a quarter of the units.
_LARGEST = 5.0

def ghost_program(network: Network, steps=6, nudge_steps=6, beta_shift=1, shift=SHIFT) -> Program:
    """Learned ghosts: both ghost rules in the free state, then the rate form against a twin run."""
    return Program("ghost-learned", (
        *ghost_learning(network, steps, shift, normalized=False).ops,
        *training(network, "learned", steps, nudge_steps, beta_shift, shift=shift,
                  twin=True).ops))


def learned_rates(network: Network, rates, beta_shift=1) -> dict:
    """Rates of all matrices of a network with learned ghosts."""
    found = learning_rates(network, rates, beta_shift)
    for matrix in network.matrices:
        letter = matrix.name[0].upper() if matrix.name[0] == "v" else matrix.name[0]
        if letter in GHOST_RATES:
            # Biases learn as fast as the weights of their ghosts.
            inputs = network.matrix(letter + matrix.name[1:]).rows
            most = 2.0 ** math.floor(math.log2(_LARGEST / inputs))
            found[matrix.name] = min(GHOST_RATES[letter], most)
    return found


_SETTINGS = {"steps": 6, "nudge_steps": 6, "inference_steps": 20}
LEARNED = record("learned", "ghost units that learn to cancel the feedback", ghost_program,
                 learned_rates, inference_steps=True,
                 more={key: {**settings, **_SETTINGS} for key, settings in DEFAULTS.items()})
