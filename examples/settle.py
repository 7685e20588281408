"""From an equation to a settled network: energy falls, and the sweep starts close to the end.

Runs in a second: ``python examples/settle.py``.
"""

import numpy as np
from apical.golden.data import load
from apical.golden.energy import energy
from apical.golden.floating import FloatExecutor
from apical.golden.layered import drive, start_state, step
from apical.golden.network import layered
from apical.golden.program import Program, Relax
from apical.golden.training import default_config, starting_weights

STEPS = 12


def main():
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
            # Vectors are live: the energy is taken at once.
            curve.append(float(energy(network, weights, states).mean()))

        executor.run(program, images, on_step=watch)
    print("step  energy from zero  energy from the sweep")
    for count, (zero, sweep) in enumerate(zip(curves["zero"], curves["sweep"], strict=True)):
        print(f"{count:4}  {zero:16.6f}  {sweep:21.6f}")
    for start, curve in curves.items():
        assert all(later <= earlier + 1e-9 for earlier, later in zip(curve, curve[1:], strict=False)), start
    return curves


if __name__ == "__main__":
    main()
