"""One network, program and engine run in pysim and compared with the fixed executor."""

import numpy as np

from apical.golden.executors.fixed.executor import FixedExecutor
from apical.golden.executors.fixed.weights import multipliers
from apical.golden.network import layered
from apical.golden.program.layered import inference
from apical.hw.assembler.assembler import assemble, config_for
from apical.hw.assembler.image import (
    input_writes,
    program_writes,
    rate_writes,
    register_write,
    weight_writes,
    weights_from,
)
from apical.hw.assembler.readback import word_addresses
from apical.hw.interface.isa import Space, lane_address
from apical.sim.simulators.pysim import PysimEngine

REPORTED = ("prediction", "image_steps", "signature", "writes", "saturations")
SEED = 77


def random_weights(network, rng, reach=3000):
    return {m.name: rng.integers(-reach, reach + 1, m.shape) for m in network.matrices}


def random_inputs(network, program, rng, images, density=1.0):
    made = {}
    for name in program.inputs(network):
        shape = images, network.population(name).size
        made[name] = rng.integers(0, 4097, shape) * (rng.random(shape) < density)
    return made


def garbage(config, seed=0):
    """Host writes that fill the state memory: what an earlier network may have left there."""
    places = word_addresses(Space.STATE, 0, config.state_depth, config.width)
    return places, np.random.default_rng(seed).integers(0, 1 << 16, places.size)


def compare(network, program, config, weights, inputs, engine=None, density=None, rates=None):
    """Run both and return (differences, reports): differences as (image, operation, unit) tuples,
    reports as one dict of registers an image."""
    assembly = assemble(network, program, config, density)
    images = len(next(iter(inputs.values())))
    executor = FixedExecutor(network, weights, config.state, config.weight, config.update_frac)
    expected = executor.run(program, inputs, seed=SEED, record=True, rates=rates)
    factors = multipliers(program, rates, config.state, config.weight, config.update_frac)
    learned = {}
    port, reports = PysimEngine(config, engine), []

    async def script(port):
        await port.write(*garbage(config))
        await port.write(*program_writes(assembly))
        await port.write(*weight_writes(assembly, weights))
        await port.write(*rate_writes(assembly, factors))
        await port.write(*register_write("seed", SEED))
        for image in range(images):
            await port.write(*input_writes(assembly, inputs, image, image % 2))
            await port.write(*register_write("commit", 1))
            await port.write(*register_write("start", 1))
            await port.wait("done", image + 1)
            names = (*REPORTED, "image_cycles", "mac_useful", "mac_cycles")
            reports.append({name: await port.register(name) for name in names})

        if assembly.factors:
            words = assembly.placement.used["weight_depth"]
            learned.update(weights_from(assembly, [
                [await port.read(lane_address(Space.WEIGHTS, word, lane, config.width))
                 for lane in range(config.width)] for word in range(words)]))

    port.run(script)
    differences = []
    totals = np.zeros(3, np.int64)
    writes, weight_writes_told = iter(port.trace), iter(port.weight_trace)
    for image in range(images):
        trace = expected.trace.image(image)
        left = len(trace.values)
        while left > 0:
            write = next(writes, None)
            if write is None:
                differences.append((image, "missing", left))
                break
            for lane, value in enumerate(write.values):
                left -= 1
                operation, unit = write.operation, write.unit + lane
                place = trace.offsets[operation] + unit if operation < len(trace.numbers) else -1
                if (place < 0 or place >= trace.offsets[operation + 1]
                        or trace.numbers[operation] != write.vector
                        or trace.values[place] & 0xFFFF != value):
                    differences.append((image, operation, unit))
        for entry in trace.weights:
            wanted = set(zip(entry.rows.tolist(), entry.cols.tolist(),
                             (entry.values & 0xFFFF).tolist(), strict=True))
            told = set()
            while len(told) < len(wanted):
                write = next(weight_writes_told, None)
                if write is None or (write.operation, write.matrix) != (entry.counts[0],
                                                                        entry.number):
                    break
                told |= set(write.weights())
            if told != wanted:
                differences.append((image, int(entry.counts[0]), entry.matrix,
                                    sorted(told ^ wanted)[:4]))
        totals += (expected.signatures[image], expected.writes[image], expected.saturations[image])
        predicted = (reports[image]["prediction"] if expected.predictions is None
                     else expected.predictions[image])
        told = (predicted, expected.steps[image], totals[0] & 0xFFFFFFFF,
                totals[1], totals[2])
        for name, value in zip(REPORTED, told, strict=True):
            if reports[image][name] != value:
                differences.append((image, name, reports[image][name], int(value)))
    differences += [("extra", write) for write in (*writes, *weight_writes_told)]
    differences += [("final", name) for name, raw in learned.items()
                    if not np.array_equal(raw, executor.weights[name])]
    return differences, reports


def check_layered(sizes, lanes, quick, seed=0, images=3, density=1.0, **program):
    """Compare a random layered network; returns the reports."""
    rng = np.random.default_rng(seed)
    network = layered(sizes)
    made = inference(network, **program)
    share = {"x": density}
    config = config_for(network, made, lanes, share, update_lanes=quick)
    weights, inputs = random_weights(network, rng), random_inputs(network, made, rng, images,
                                                                  density)
    differences, reports = compare(network, made, config, weights, inputs, density=share)
    assert not differences, differences[:5]
    return reports
