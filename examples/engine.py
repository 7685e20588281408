"""From a network to the engine, in Python: describe, quantize, assemble, simulate, compare.

It uses Amaranth's own simulator and needs no compiler: ``python examples/engine.py``.
"""

import numpy as np

from apical.golden.executors.fixed.executor import FixedExecutor
from apical.golden.learning.pretrained import random_weights
from apical.golden.network import layered
from apical.golden.numbers.formats import STATE, quantize
from apical.golden.numbers.quantize import quantize_network
from apical.golden.program.layered import inference
from apical.hw.assembler.assembler import assemble, config_for
from apical.hw.assembler.image import (
    input_writes,
    program_writes,
    register_write,
    weight_writes,
)
from apical.hw.interface.isa import disassemble
from apical.sim.simulators.pysim import PysimEngine


def main():
    """Take a network of 12-8-4 all the way."""
    network = layered([12, 8, 4])
    program = inference(network, steps=3)
    raw = quantize_network(network, random_weights(network, seed=1)).weights
    images = {"x": quantize(np.random.default_rng(1).random((1, 12)), STATE)[0]}

    config = config_for(network, program, lanes=4)
    assembly = assemble(network, program, config)
    print("\n".join(disassemble(assembly.instructions)))

    expected = FixedExecutor(network, raw).run(program, images, seed=5, record=True)
    engine, found = PysimEngine(config), {}

    async def script(port):
        for writes in (program_writes(assembly), weight_writes(assembly, raw),
                       register_write("seed", 5), input_writes(assembly, images, 0, bank=0),
                       register_write("commit", 1), register_write("start", 1)):
            await port.write(*writes)
        await port.wait("done", 1)
        for name in ("prediction", "signature", "image_cycles"):
            found[name] = await port.register(name)

    engine.run(script)
    values = [value for write in engine.trace for value in write.values]
    agree = values == [int(v) & 0xFFFF for v in expected.trace.image(0).values]
    print(f"{len(values)} state writes in {found['image_cycles']} cycles, "
          f"{'every bit as expected' if agree else 'NOT as expected'}; "
          f"signature {found['signature']:08x}")
    assert agree and found["signature"] == expected.signatures[0]
    return found


if __name__ == "__main__":
    main()
