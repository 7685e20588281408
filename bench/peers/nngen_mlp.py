"""NNgen, a generator of inference engines, on the network that the boards are measured with.

``python -m venv V && V/bin/pip install -r bench/peers/requirements.txt`` makes its environment, as
none of Apical's needs it; ``python -m bench.record peers-nngen-WIDTH-PAR python -m
bench.peers.nngen_mlp --python V/bin/python --width WIDTH --par PAR`` keeps the record that
docs/results.md shows.  NNgen's integer model says what is right; its Verilog runs in Icarus Verilog
against a memory without wait states, from which weights come anew for each inference.  Weights and
image are random.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

#: Words of the simulated memory, 32 bits each.
MEMORY = 1 << 20
#: Alignment of what is in memory, bytes.
CHUNK = 64


def simulate(layers, width, par, bus, seed) -> dict:
    """Generate, simulate and check one network; runs where NNgen is installed.

    Parameters
    ----------
    layers : (int, int, int)
        Inputs, hidden units, outputs.
    width : int
        Bits of weights and activations.
    par : int
        Input and output channels at a time: par**2 multipliers.
    bus : int
        Bits of the memory bus.
    """
    import nngen as ng
    import numpy as np
    import veriloggen
    from veriloggen import thread as vthread
    from veriloggen.types import axi

    rng, kind = np.random.default_rng(seed), ng.dtype_int(width)

    def words(shape):
        most = 2 ** (width - 1) - 1
        return np.round(np.clip(rng.normal(size=shape), -5, 5) * most / 5).astype(np.int64)

    image = ng.placeholder(kind, shape=(1, layers[0]), name="image")
    last = image
    for number, (inputs, units) in enumerate(zip(layers, layers[1:])):
        weights = ng.variable(kind, shape=(units, inputs), name=f"w{number}")
        weights.set_value(words((units, inputs)))
        last = ng.matmul(last, weights, transposed_b=True, sum_dtype=ng.dtype_int(64),
                         act_func=ng.relu if units != layers[-1] else None,
                         name=f"layer{number}")
        last.attribute(par_ich=par, par_och=par, cshamt_out=width + 1)
    pixels = words((1, layers[0]))
    expected = ng.eval([last], image=pixels)[0]
    made = ng.to_veriloggen([last], "mlp", silent=True, config={"maxi_datawidth": bus})

    def after(place, size):
        return -(-(place + size) // CHUNK) * CHUNK

    parameters = ng.export_ndarray([last], CHUNK)
    at = after(image.addr, image.memory_size)
    right = after(at, len(parameters))
    scratch = after(right, last.memory_size)
    memory = np.zeros(MEMORY, np.int64)
    aligned = max(bus // width, par)
    axi.set_memory(memory, pixels, 32, width, image.addr, aligned)
    axi.set_memory(memory, parameters, 32, 8, at)
    axi.set_memory(memory, expected, 32, width, right, aligned)

    bench = veriloggen.Module("bench")
    parts = bench.copy_params(made), bench.copy_sim_ports(made)
    ports = parts[1]
    clock, reset_n, reset = ports["CLK"], ports["RESETN"], bench.Wire("reset")
    reset.assign(veriloggen.Not(reset_n))
    model = axi.AxiMemoryModel(bench, "memory", clock, reset, datawidth=bus, memimg=memory,
                               memimg_name="memory.img", memimg_datawidth=32)
    model.connect(ports, "maxi")
    control = vthread.AXIMLite(bench, "control", clock, reset, noio=True)
    control.connect(ports, "saxi")
    cycles = bench.Reg("cycles", 32, initval=0)
    veriloggen.Seq(bench, "count", clock, reset)(cycles.inc())
    outputs = layers[-1]

    def run():
        for _ in range(100):
            pass
        ng.sim.set_global_addrs(control, scratch)
        began = cycles.value
        ng.sim.start(control)
        ng.sim.wait(control)
        ended = cycles.value
        print("cycles %d" % (ended - began))  # noqa: UP031  the generator translates this
        for unit in range(outputs):
            found = model.read_word(unit, last.addr, width)
            wanted = model.read_word(unit, right, width)
            print("output %d %d" % (found, wanted))  # noqa: UP031
        vthread.finish()

    vthread.Thread(bench, "thread", clock, reset, run).start()
    bench.Instance(made, "engine", params=bench.connect_params(made),
                   ports=bench.connect_ports(made))
    veriloggen.simulation.setup_clock(bench, clock, hperiod=5)
    start = veriloggen.simulation.setup_reset(bench, reset_n, bench.make_reset(), period=100,
                                              polarity="low")
    start.add(veriloggen.Delay(10_000_000), veriloggen.Systask("finish"))
    told = veriloggen.simulation.Simulator(bench, sim="iverilog").run(outputfile="bench.out")
    rows = [line.split() for line in told.splitlines()]
    pairs = [row[1:] for row in rows if row[:1] == ["output"]]
    count = next(int(row[1]) for row in rows if row[:1] == ["cycles"])
    made.to_verilog("mlp.v")
    return {"cycles": count, "agrees": len(pairs) == outputs and all(a == b for a, b in pairs)}


def cells() -> dict:
    """Cells of ``mlp.v`` on an ECP5, by Yosys and the packing of nextpnr."""
    from apical.hw.export.families import ECP5
    from apical.hw.export.synthesis import find_tool, run_tool

    here, yosys, router = Path.cwd(), find_tool("yosys"), find_tool(ECP5.router)
    run_tool(yosys, ["-q", "-p", f"read_verilog mlp.v; {ECP5.synthesis} -top mlp -json mlp.json"],
             here, "yosys.out")
    run_tool(router, ["--25k", "--package", "CABGA381", "--json", "mlp.json", "--out-of-context",
                      "--pack-only", "--report", "report.json", "-q"], here, "nextpnr.out")
    used = json.loads((here / "report.json").read_text())["utilization"]
    return {key: used[cell]["used"] for key, cell in ECP5.cells.items()}


def main():
    """Measure what the arguments say."""
    parser = argparse.ArgumentParser(prog="python -m bench.peers.nngen_mlp", description=__doc__)
    parser.add_argument("--python", help="interpreter of the environment that has NNgen")
    parser.add_argument("--layers", default="784-64-10")
    parser.add_argument("--width", type=int, default=16, choices=(8, 16))
    parser.add_argument("--par", type=int, default=4, help="channels at a time")
    parser.add_argument("--bus", type=int, default=64, help="bits of the memory bus")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json")
    args = parser.parse_args()
    layers = tuple(int(size) for size in args.layers.split("-"))
    if args.python is None:
        # The part that runs where NNgen is.
        print(json.dumps(simulate(layers, args.width, args.par, args.bus, args.seed)))
        return
    if shutil.which("iverilog") is None:
        sys.exit("Icarus Verilog is missing; install it with: apt-get install iverilog")
    from apical.cli.common import write_json

    script = Path(__file__).resolve()
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        words = [args.python, str(script), *(f"--{name}={getattr(args, name)}" for name in (
            "layers", "width", "par", "bus", "seed"))]
        told = subprocess.run(words, check=True, stdout=subprocess.PIPE, text=True).stdout
        report = json.loads(told.splitlines()[-1])
        used = cells()
        os.chdir(script.parent)
    if not report["agrees"]:
        sys.exit("the engine of NNgen does not agree with its model")
    work = sum(a * b for a, b in zip(layers, layers[1:]))
    report |= {"layers": list(layers), "width": args.width, "multipliers": args.par ** 2,
               "bus": args.bus, "seed": args.seed, "macs": work,
               "macs_per_cycle": work / report["cycles"], **used,
               "cells_per_lane": used["luts"] / args.par ** 2}
    print(f"{args.layers}, {args.width} bit, {args.par ** 2} multipliers: {report['cycles']} "
          f"cycles, {report['macs_per_cycle']:.2f} products a cycle, {used['luts']} logic cells")
    if args.json:
        write_json(args.json, report)


if __name__ == "__main__":
    main()
