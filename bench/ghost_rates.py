"""Search for fixed rates of learned ghosts in raw integers; the normalized rule divides instead.

``python -m bench.ghost_rates --json FILE`` teaches the ghosts of the small case ``ghost-learned``
with every pair of rates, powers of two, one image at a time, and tells what they leave of the
feedback (root mean square over that of the feedback, of the feedforward state).
"""

from __future__ import annotations

import argparse

import numpy as np

from apical.cli.common import write_json
from apical.golden.executors.compiled.executor import CompiledExecutor
from apical.golden.network.ghosts import hidden
from apical.golden.numbers.formats import dequantize
from apical.golden.program import RATE, Program, Snapshot
from apical.golden.systems.cases import learning_case
from apical.golden.systems.ghost_learning import ghost_learning
from apical.golden.systems.ghost_phases import free_phase

#: Exponents of the rates of V and v, and of B.
GHOST, CANCEL = range(2, 7), range(2, 9)


def residual(network, weights, inputs, state, weight):
    """Share of the feedback that ghosts leave, at the feedforward state in raw integers.

    Parameters
    ----------
    network : Network
        Of mode ``"learned"``.
    weights, inputs : dict of str to ndarray of int64
    """
    settling = [*hidden(network), "y"]
    pairs = [(name, above, f"g{k}", k) for k, (name, above)
             in enumerate(zip(hidden(network), settling[1:], strict=True), 1)]
    program = Program("look", (
        *free_phase(network, "learned", 0),
        *(Snapshot(n, "seen", RATE) for _, above, ghost, _ in pairs for n in (above, ghost))))
    states = CompiledExecutor(network, weights, state, weight).run(program, inputs).states
    real = {name: dequantize(values, weight) for name, values in weights.items()}
    left = whole = 0.0
    for _, above, ghost, k in pairs:
        feedback = dequantize(states[above, "seen"], state) @ real[f"W{k + 1}"].T
        cancel = dequantize(states[ghost, "seen"], state) @ real[f"B{k}"]
        left += np.square(feedback - cancel).sum()
        whole += np.square(feedback).sum()
    return float(np.sqrt(left / whole))


def taught(case, ghost, cancel, images):
    """Residual after teaching `images` images with rates ``2**-ghost`` and ``2**-cancel``."""
    program = ghost_learning(case.network, 6, normalized=False)
    rates = {m.name: 2.0 ** -(cancel if m.name[0] == "B" else ghost)
             for m in case.network.matrices}
    executor = CompiledExecutor(case.network, case.weights, case.state, case.weight,
                              case.update_frac)
    for first in range(0, images, case.images):
        executor.run(program, {"x": case.inputs["x"]}, case.seed, first, rates=rates,
                     collect=False)
    return residual(case.network, executor.weights, {"x": case.inputs["x"]}, case.state,
                    case.weight)


def main():
    """Search and print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--images", type=int, default=600)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--json")
    options = parser.parse_args()
    found = {}
    for ghost in GHOST:
        for cancel in CANCEL:
            values = [taught(learning_case("ghost-learned", seed), ghost, cancel, options.images)
                      for seed in range(options.seeds)]
            found[ghost, cancel] = values
            print(f"V 2**-{ghost}, B 2**-{cancel}: " + " ".join(f"{v:.3f}" for v in values),
                  flush=True)
    before = [taught(learning_case("ghost-learned", seed), 2, 2, 0)
              for seed in range(options.seeds)]
    print("not taught: " + " ".join(f"{v:.3f}" for v in before))
    best = min(found, key=lambda pair: max(found[pair]))
    print(f"best: V 2**-{best[0]}, B 2**-{best[1]}")
    if options.json:
        write_json(options.json, {
            "images": options.images, "best": list(best), "not_taught": before,
            "residual": {f"{a},{b}": values for (a, b), values in found.items()}})


if __name__ == "__main__":
    main()
