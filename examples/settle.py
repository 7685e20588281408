"""From an equation to a settled network: energy falls, and the sweep starts close to the end.

It runs in a second: ``python examples/settle.py``.  With a file name it also draws the curves:
``python examples/settle.py docs/settle.png``.
"""

import sys

import numpy as np

from apical.golden.executors.float.executor import FloatExecutor
from apical.golden.learning.data import load
from apical.golden.learning.float import default_config, starting_weights
from apical.golden.network import layered
from apical.golden.network.energy import energy
from apical.golden.program import Program, Relax
from apical.golden.program.layered import drive, start_state, step

#: Steps that are shown, and steps that are run.
SHOWN, STEPS = 12, 100


def main():
    """Relax 100 digits from both starts and show the energies."""
    network = layered([64, 32, 10])
    weights = starting_weights(network, default_config("digits", (64, 32, 10)))
    images = {"x": load("digits").test[:100].astype(np.float64)}
    executor = FloatExecutor(network, weights, dtype=np.float64)
    curves = {}
    for start in ("zero", "sweep"):
        program = Program(f"free phase from {start}", (
            *drive(network), *start_state(network, start), Relax(STEPS, step(network))))
        curves[start] = []

        def watch(position, count, states, curve=curves[start]):
            # The vectors change later, so the energy is computed now.
            curve.append(float(energy(network, weights, states).mean()))

        executor.run(program, images, on_step=watch)
    print("step  energy from zero  energy from the sweep")
    for count, (zero, sweep) in enumerate(zip(*curves.values(), strict=True)):
        if count > SHOWN:
            break
        print(f"{count:4}  {zero:16.6f}  {sweep:21.6f}")
    for start, curve in curves.items():
        assert (np.diff(curve) <= 1e-9).all(), f"the energy rises from {start}"
    return curves


def draw(curves, path):
    """Plot, by step, how far the energy is above its end value."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(6, 3), layout="constrained")
    end = min(min(curve) for curve in curves.values())
    for (start, curve), marker in zip(curves.items(), "os", strict=True):
        axes.semilogy(np.array(curve[:SHOWN + 1]) - end, marker=marker, label=f"from {start}")
    axes.set(xlabel="relaxation step", ylabel="energy above the fixed point",
             title="64-32-10 settling on 100 digits")
    axes.legend()
    figure.savefig(path, dpi=120, metadata={"Software": None})


if __name__ == "__main__":
    found = main()
    if sys.argv[1:]:
        draw(found, sys.argv[1])
