"""Ghost units (paper 2): inhibitory units that cancel the feedback which is there without a target.

Mesnard, Vignoud, Sacramento, Senn and Bengio (2019, arXiv 1911.08585); the equations are a
reconstruction from its description:

.. math::
   \\dot u_k = -u_k + W_k \\rho(u_{k-1}) + b_k + F_k \\rho(u_{k+1}) - B_k \\rho(g_k), \\qquad
   \\dot g_k = -g_k + V_k \\rho(u_k) + v_k

with ``F_k`` the transpose of ``W_{k+1}`` and the output pulled by ``beta (d - rho(u_L))``.  There
is no rho' before the currents: this is no gradient system.  Modes:

* ``"duplicate"``: ghosts use the weights of the layer above, ``V_k = W_{k+1}`` and ``B_k = F_k``
  (the same stored matrices), so the free fixed point is the feedforward pass exactly;
* ``"learned"``: V, v and B are matrices of their own and learn in the free phase;
* ``"online"``: no ghost units; a held current follows the feedback in the free phase and is frozen
  while the target is on;
* ``"random-feedback"``: feedback weights ``F_k`` of their own that stay random; ghosts use them too
  (``V_k = W_{k+1}``, ``B_k = F_k``), so cancellation stays exact;
* ``"learned-feedback"``: the same, but ``F_k`` learns by the product that changes the forward
  weights, transposed (Kolen and Pollack 1994), so both tend to each other;
* ``"none"``: feedback without cancellation, the control.

The phases are in :mod:`apical.golden.systems.ghost_phases`, how ghosts learn in
:mod:`apical.golden.systems.ghost_learning`; networks whose units excite or
inhibit only are in :mod:`apical.golden.network.dale`.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from ..errors import MisuseError
from ..network import Network
from ..network.ghosts import (
    ghost_network,
    ghost_weights,
    hidden,
    layer_count,
)
from ..program import (
    RATE,
    STATE,
    Clear,
    Difference,
    Learn,
    Nudge,
    Outer,
    Program,
    Project,
    Relax,
    Snapshot,
    Update,
)
from .ghost_phases import SHIFT, free_phase, inference, settling, step
from .problems import Problem, pairs, raw, seed_of
from .system import System


def training(network: Network, mode="duplicate", steps=0, nudge_steps=8, beta_shift=1,
             start="feedforward", shift=SHIFT, twin=False) -> Program:
    """One training image (or batch): free phase, nudged phase, rate form of the update.

    ``Delta W_k = (eta / beta) (rho(u_k^beta) - rho(u_k^0)) rho(u_{k-1}^0)^T``; the rates handed to
    the executor hold ``eta / beta`` (:func:`learning_rates`).

    Parameters
    ----------
    mode : str
    steps, nudge_steps : int
        Of the free phase (after the feedforward pass) and of the nudged phase.
    beta_shift : int
        beta = 2**-beta_shift.
    start : str
        As for :func:`free_phase`.
    twin : bool
        Take the difference against a second run of as many steps without target, not against the
        state that the free phase stopped in; needed whenever that one has not settled, because
        its drift would be divided by beta.
    """
    if nudge_steps < 1:
        raise MisuseError(f"nudge_steps is {nudge_steps}; the nudged phase needs a step at least")
    layers, moving = settling(network), [p.name for p in network.free]
    ops = free_phase(network, mode, steps, start, shift)
    ops += [Snapshot(name, "free", RATE) for name in layers]
    if twin:
        ops += [Snapshot(name, "saved") for name in moving]
    nudge = Nudge("d", beta_shift, of_rate=True)
    ops.append(Relax(nudge_steps, step(network, mode, shift, nudge)))
    if twin:
        ops += [Snapshot(name, "nudged", RATE) for name in layers]
        ops += [Snapshot(name, STATE, "saved") for name in moving]
        ops.append(Relax(nudge_steps, step(network, mode, shift)))
        ops += [Difference(name, "delta", "nudged", RATE) for name in layers]
    else:
        ops += [Difference(name, "delta", RATE, "free") for name in layers]
    ops += _rate_form(layers)
    if mode == "learned-feedback":
        ops += [Learn(f"F{k}", (Outer((above, "delta"), (name, "free")),))
                for k, (name, above) in enumerate(pairwise(layers), 2)]
    program = Program(f"ghost-{mode}-{steps}-{nudge_steps}{'-twin' if twin else ''}", tuple(ops))
    program.check(network)
    return program


def _rate_form(layers):
    ops = []
    for k, name in enumerate(layers, 1):
        below = ("x", STATE) if k == 1 else (layers[k - 2], "free")
        ops += [Learn(f"W{k}", (Outer(below, (name, "delta")),)),
                Learn(f"b{k}", (Outer(("one", STATE), (name, "delta")),))]
    return ops


def current_form(network: Network, steps, nudge_steps, beta_shift=10, shift=SHIFT) -> Program:
    """The update from the currents that are not cancelled, ``e_k rho'(u_k)`` (mode duplicate).

    ``e_k = F_k rho(u_{k+1}) - B_k rho(g_k)`` of the nudged state; the output, whose error is the
    nudge itself, learns by the difference of its rate and that which its inputs alone would give.
    """
    layers = settling(network)
    ops = free_phase(network, "duplicate", steps, "zero", shift)
    ops += [Snapshot(name, "free", RATE) for name in layers]
    nudge = Nudge("d", beta_shift, of_rate=True)
    ops.append(Relax(nudge_steps, step(network, "duplicate", shift, nudge)))
    for k, name in enumerate(hidden(network), 1):
        # A whole step (eps = 1) of a gated vector leaves rho'(u) times the current in it.
        ops += [Project(f"down{k + 1}", "error"), Project(f"cancel{k}", "error", "error"),
                Clear(name, "delta"), Update(name, "error", shift=0, slot="delta")]
    last = layer_count(network)
    ops += [Snapshot("y", "nudged", RATE), Project(f"up{last}", "current", "drive"),
            Update("y", "current", shift=0, leak=False), Difference("y", "delta", "nudged", RATE),
            *_rate_form(layers)]
    program = Program("ghost-current-form", tuple(ops))
    program.check(network)
    return program


def learning_rates(network: Network, rates, beta_shift=1) -> dict:
    """Rates of the forward matrices, ``eta / beta``, from one rate a layer or one for all."""
    count = layer_count(network)
    rates = [float(rates)] * count if not hasattr(rates, "__len__") else [float(r) for r in rates]
    rates = rates * count if len(rates) == 1 else rates
    if len(rates) != count:
        raise MisuseError(f"{len(rates)} learning rates for {count} layers of weights; "
                          "give one for each, or a single one")
    names = {m.name for m in network.matrices}
    # Learned feedback weights F have the rates of the forward weights that they stand for.
    return {f"{kind}{k}": rate * 2.0 ** beta_shift for k, rate in enumerate(rates, 1)
            for kind in "WbF" if f"{kind}{k}" in names}


# Records -----------------------------------------------------------------------------------------

#: Defaults: floating point as found by hand; raw integers one image at a time, at the rate of
#: floating point over its batch, with steps of 1/4.  On 300 training images that were held out,
#: 8 epochs leave 6.3 % wrong (ghosts that learn: 6.3 %); at half the rate 8.7 % (9.0 %), and twice
#: the rate has no multiplier.
DEFAULTS = {
    ("float", "digits", 3): {"epochs": 30, "rates": (4.0,), "steps": 0, "nudge_steps": 8,
                             "gain": 1.5},
    ("float", "mnist", 3): {"epochs": 20, "rates": (4.0, 1.0, 0.5), "decay": 0.9, "steps": 0,
                            "nudge_steps": 6, "gain": 1.5},
    ("fixed", "digits", 3): {"epochs": 12, "rates": (0.2,), "decay": 0.9, "steps": 0,
                             "nudge_steps": 8, "gain": 1.5, "shift": 2},
}


def finest_update_frac(state, weight, rate) -> int:
    """The most fraction bits of scaled factors with which a rate has a multiplier."""
    # The largest shift whose multiplier of the rate is a word.
    scale = 5 - int(np.ceil(np.log2(rate)))
    return min(scale + state.frac - weight.frac, 32 - state.frac)


def record(mode, summary, make=None, rates=learning_rates, rule="", inference_steps=False,
           more=()) -> System:
    """The record of a mode.

    Parameters
    ----------
    mode, summary : str
    make : callable, optional
        ``make(network, steps, nudge_steps, beta_shift, shift)``: its training program, by default
        :func:`training` of the mode.
    rates : callable
        As :func:`learning_rates`.
    rule : str
        As for :class:`~apical.golden.systems.system.System`.
    inference_steps : bool
        Whether the evaluation relaxes.  With exact cancellation the feedforward pass is the free
        fixed point, which relaxation would not change.
    more : mapping
        Further defaults.
    """
    if make is None:
        def make(network, steps=2, nudge_steps=6, beta_shift=1, shift=SHIFT):
            return training(network, mode, steps, nudge_steps, beta_shift, shift=shift)

    def case(rng):
        sizes = (20, 14, 10, 5)
        network = ghost_network(sizes, mode)
        weights = raw(ghost_weights(network, seed_of(rng), 1.0))
        return Problem(network, make(network), weights, pairs(rng, 30, sizes[0], sizes[-1]),
                       rates(network, 0.2), 2)

    return System(
        name=f"ghost-{mode}", rule=rule, summary=summary,
        program=lambda network, config: make(
            network, config.steps, config.nudge_steps, config.beta_shift,
            SHIFT if config.shift is None else config.shift),
        rates=lambda network, config: rates(network, config.one_or_all, config.beta_shift),
        network=lambda sizes: ghost_network(sizes, mode),
        weights=lambda network, config, images=None: ghost_weights(network, config.seed,
                                                                   config.gain),
        inference=lambda network, config: inference(
            network, mode, config.inference_steps if inference_steps else 0),
        defaults=DEFAULTS | dict(more), case=case, reach=(3, 2), update_frac=finest_update_frac)


DUPLICATE = record("duplicate", "ghost units that duplicate the weights above", rule="ghost")
ONLINE = record("online", "ghost currents that replicate the feedback online")
RANDOM_FEEDBACK = record("random-feedback", "ghost units, feedback through random weights")
LEARNED_FEEDBACK = record("learned-feedback", "ghost units, feedback through weights that learn")
