"""Equilibrium propagation in PyTorch, naive and hoisted: what ``bench.golden`` compares with.

The mathematics of :func:`bench.golden.naive`; imported only where PyTorch is installed.
"""

from __future__ import annotations

import numpy as np
import torch

torch.set_num_threads(1)


class Learner:
    """One network in PyTorch.

    Parameters
    ----------
    weights : dict of str to ndarray
        ``W1``, ``b1`` .. of a layered network; copied.
    x, d : ndarray of shape (batch, n)
    phases : tuple
        (free steps, nudged steps, eps, beta).
    hoisted : bool
        Accumulate the input's drive once, reuse buffers, and learn the input weights with one
        product; otherwise every step computes every product and allocates its results.
    """

    def __init__(self, weights, x, d, phases, hoisted):
        self.weights = {name: torch.from_numpy(np.array(w)) for name, w in weights.items()}
        self.x, self.d = torch.from_numpy(np.array(x)), torch.from_numpy(np.array(d))
        self.free, self.nudged, self.eps, self.beta = phases
        self.layers, self.hoisted = len(weights) // 2, hoisted

    @torch.no_grad()
    def batch(self, rate):
        """Learn one batch at a rate."""
        (self._hoisted if self.hoisted else self._naive)(rate)

    def arrays(self):
        """The weights as NumPy arrays."""
        return {name: w.numpy() for name, w in self.weights.items()}

    def _zeros(self):
        return [torch.zeros(len(self.x), self.weights[f"W{k}"].shape[1])
                for k in range(1, self.layers + 1)]

    def _naive(self, rate):
        w, last = self.weights, self.layers

        def step(states, beta):
            new = [self.x]
            for k in range(1, last + 1):
                force = states[k - 1] @ w[f"W{k}"] + w[f"b{k}"] - states[k]
                if k < last:
                    force = force + states[k + 1] @ w[f"W{k + 1}"].T
                else:
                    force = force + beta * (self.d - states[k])
                new.append(torch.clamp(states[k] + self.eps * force, 0, 1))
            return new

        states = [self.x, *self._zeros()]
        for _ in range(self.free):
            states = step(states, 0.0)
        free = states
        for _ in range(self.nudged):
            states = step(states, self.beta)
        scale = rate / self.beta / len(self.x)
        for k in range(1, last + 1):
            w[f"W{k}"] += scale * (states[k - 1].T @ states[k] - free[k - 1].T @ free[k])
            w[f"b{k}"] += scale * (states[k] - free[k]).sum(0)

    def _hoisted(self, rate):
        w, last = self.weights, self.layers
        drive = torch.addmm(w["b1"], self.x, w["W1"])
        u, new = self._zeros(), self._zeros()

        def step(beta):
            for k in range(1, last + 1):
                out = new[k - 1]
                if k == 1:
                    out.copy_(drive)
                else:
                    torch.addmm(w[f"b{k}"], u[k - 2], w[f"W{k}"], out=out)
                if k < last:
                    out.addmm_(u[k], w[f"W{k + 1}"].T)
                elif beta:
                    out.add_(self.d, alpha=beta).sub_(u[k - 1], alpha=beta)
                out.sub_(u[k - 1]).mul_(self.eps).add_(u[k - 1]).clamp_(0, 1)
            u[:], new[:] = new, u[:]

        for _ in range(self.free):
            step(0.0)
        free = [v.clone() for v in u]
        for _ in range(self.nudged):
            step(self.beta)
        scale = rate / self.beta / len(self.x)
        for k in range(1, last + 1):
            change = u[k - 1] - free[k - 1]
            if k == 1:
                w["W1"].addmm_(self.x.T, change, alpha=scale)
            else:
                w[f"W{k}"].addmm_(u[k - 2].T, u[k - 1], alpha=scale)
                w[f"W{k}"].addmm_(free[k - 2].T, free[k - 1], alpha=-scale)
            w[f"b{k}"].add_(change.sum(0), alpha=scale)
