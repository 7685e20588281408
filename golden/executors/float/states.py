"""Operations on state vectors, bound to buffers: updates, copies, differences, decisions.

Handlers take ``(bound, operation, position, monitor)``, see
:mod:`apical.golden.executors.float.binding`, and return functions without arguments.
"""

from __future__ import annotations

import numpy as np

from ...program import STATE, Clear, Decide, Difference, Reseed, Residual, Snapshot, Update
from .kernels import mover

#: State vectors (batch times units) of this size and more are moved by compiled code; below it two
#: plain passes are also faster than one call of np.clip.
LARGE = 8192


def _update(bound, op, position, monitor):
    population = bound.network.population(op.population)
    u, current = bound.vectors[op.population, op.slot], bound.sums[op.population, op.current]
    is_state = op.slot == STATE
    limits = population.limits if is_state else None
    nudge, call, eps = op.nudge, bound.call, 2.0 ** -op.shift
    rate, refresh = bound.rates(op.population)
    # rho' is that of the state, also where the vector of another slot moves.
    gated = bound.buffer("gated", u.shape) if op.gate and op.leak and refresh else None
    held = None if op.held is None else bound.vectors[op.population, op.held]
    less = None if held is None else bound.buffer("less", u.shape)
    actions = []
    if gated is not None or (nudge is not None and nudge.of_rate and refresh):
        actions.append(refresh)
    pulled = None
    if nudge is not None:
        target, beta = bound.vectors[nudge.target, STATE], nudge.sign * 2.0 ** -nudge.shift
        pull = bound.buffer("pull", u.shape)
        pulled = rate if nudge.of_rate and refresh else None
    spread = op.noise * np.sqrt(2 * eps)
    clip = _clipper(u, limits)

    def plain():
        # u + eps (A - u + beta (d - u)) = eps (A + beta d + keep u)
        keep = 1 / eps - 1 if op.leak else 0.0
        if nudge is not None:
            strength = beta * call.sign if nudge.random_sign else beta
            if pulled is not None:
                np.subtract(target, pulled, out=pull)
                np.multiply(pull, strength, out=pull)
            else:
                np.multiply(target, strength, out=pull)
                keep -= strength
        force = current
        if held is not None:
            np.subtract(force, held, out=less)
            force = less
        if gated is not None:  # rho' = r (1 - r)
            np.subtract(1, rate, out=gated)
            np.multiply(gated, rate, out=gated)
            np.multiply(gated, force, out=gated)
            force = gated
        if keep == 0:
            np.copyto(u, force)
        else:
            if keep != 1:
                np.multiply(u, keep, out=u)
            np.add(u, force, out=u)
        if nudge is not None:
            np.add(u, pull, out=u)
        if eps != 1:
            np.multiply(u, eps, out=u)
        if spread:
            drawn = call.noise.normal(u.shape)
            np.multiply(drawn, spread, out=drawn)
            np.add(u, drawn, out=u)
        clip()

    compiled = None
    if (u.size >= LARGE and op.leak and gated is nudge is held is None and limits and not spread
            and u.dtype.name in ("float32", "float64")):
        move = mover(u.dtype.name)
        scalars = [u.dtype.type(v) for v in (1 / eps - 1, eps, *limits)]

        def compiled():
            move(u, current, *scalars)

    act = compiled or plain
    if not monitor:
        return [*actions, act, *bound.spoil(op.population, op.slot)]
    before, moved = bound.buffer("before", u.shape), bound.moved

    def watched():
        np.copyto(before, u)
        act()
        np.subtract(u, before, out=before)
        np.abs(before, out=before)
        np.maximum(moved, before.max(axis=1), out=moved)
    return [*actions, watched, *bound.spoil(op.population, op.slot)]


def _residual(bound, op, position, monitor):
    u, into = bound.vectors[op.population, STATE], bound.vectors[op.population, op.into]
    current, share = bound.sums[op.population, op.current], 2.0 ** -op.share

    def residual():
        if into is u:
            np.multiply(u, share, out=u)
            np.subtract(u, current, out=u)
        else:
            np.multiply(u, share, out=into)
            np.subtract(into, current, out=into)
    return [residual, *bound.spoil(op.population, op.into)]


def _clear(bound, op, position, monitor):
    vector = bound.vectors[op.population, op.slot]
    return [lambda: vector.fill(0), *bound.spoil(op.population, op.slot)]


def _snapshot(bound, op, position, monitor):
    into = bound.vectors[op.population, op.into]
    source, before = bound.operand(op.population, op.source)
    return [*before, lambda: np.copyto(into, source), *bound.spoil(op.population, op.into)]


def _difference(bound, op, position, monitor):
    into = bound.vectors[op.population, op.into]
    (a, first), (b, second) = (bound.operand(*pair) for pair in op.operands)
    # States keep to their range, whoever writes them.
    clip = [] if op.into != STATE else [_clipper(into, bound.network.population(
        op.population).limits)]
    return [*first, *second, lambda: np.subtract(a, b, out=into), *clip,
            *bound.spoil(op.population, op.into)]


def _decide(bound, op, position, monitor):
    state, predictions = bound.vectors[op.population, STATE], bound.predictions
    return [lambda: np.argmax(state, axis=1, out=predictions)]


def _reseed(bound, op, position, monitor):
    call = bound.call
    return [lambda: call.noise.reseed(op.count)]


def _clipper(u, limits):
    """Function that clips a state vector into its range, in place."""
    if limits is None:
        return lambda: None
    low, high = limits
    if u.size >= LARGE:
        return lambda: np.clip(u, low, high, out=u)

    def clip():
        np.maximum(u, low, out=u)
        np.minimum(u, high, out=u)
    return clip


HANDLERS = {Update: _update, Residual: _residual, Clear: _clear, Snapshot: _snapshot,
            Difference: _difference, Decide: _decide, Reseed: _reseed}
