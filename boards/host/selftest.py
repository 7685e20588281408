"""Self-test of a board: memories, every kind of operation, the link's own refusals."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...golden.errors import ApicalError
from ...golden.executors.fixed.executor import FixedExecutor
from ...golden.network import layered
from ...golden.program.layered import inference
from ...golden.systems.cases import LearningCase, case_names, learning_case
from ...hw.assembler.assembler import reasons
from ...hw.assembler.readback import word_addresses
from ...hw.interface.isa import Space, address
from ...hw.interface.protocol import Status
from .device import Device
from .frames import request

#: One weight word in this many is tested, unless all are wanted; a prime, so that every address
#: line takes both states.
STRIDE = 61
_MIX = 0x9E3779B1


@dataclass(frozen=True)
class Check:
    """One line of the report.

    Attributes
    ----------
    name : str
    good : bool
    detail : str
    ran : bool
        False when it was skipped; `detail` says why.
    """

    name: str
    good: bool
    detail: str
    ran: bool = True


def selftest(device: Device, full=False, images=3, say=lambda check: None,
             advise=lambda network, program: None) -> list:
    """Run all checks.

    Parameters
    ----------
    device : Device
        Open; what was loaded is lost.
    full : bool
        Test every word of the weights, not a sample.
    images : int
        Images of each program.
    say : callable
        Takes each `Check` when it is done.
    advise : callable
        ``advise(network, program)``: the command that builds an engine for a program that this one
        cannot run, or None.
    """
    checks = []
    device.link.stop()
    for check in (_identity, *_memory_checks(device, full),
                  *_program_checks(device, images, advise), _refusals):
        found = check(device)
        checks.append(found)
        say(found)
    return checks


def _identity(device):
    reported = device.registers()
    config = device.config
    return Check("identity", True, f"engine {reported['config_hash']:08x}, {config.width} lanes, "
                                   f"protocol counted {device.link.refused} refusals")


def _memory_checks(device, full):
    config = device.config
    spaces = [("state memory", Space.STATE, np.arange(config.state_depth), 16),
              ("weight memory", Space.WEIGHTS,
               np.arange(0, config.weight_depth, 1 if full else STRIDE), config.weight.width)]
    for name, space, words, bits in spaces:
        places = np.concatenate([word_addresses(space, int(word), 1, config.width)
                                 for word in words])
        yield lambda device, name=name, places=places, bits=bits: _march(device, name, places, bits)
    if config.diagnostics:
        for name, space, depth in (("program memory", Space.PROGRAM, config.program_depth),
                                   ("descriptor memory", Space.DESCRIPTORS,
                                    config.descriptor_depth)):
            places = address(space) + np.arange(2 * depth)
            yield lambda device, name=name, places=places: _march(device, name, places, 32)


def _march(device, name, places, bits):
    """Write all words, read all, then the complement: shows words that affect each other."""
    mask = (1 << bits) - 1
    pattern = (places * _MIX >> 7 ^ places * _MIX) & mask
    wrong, first = 0, None
    for data in (pattern, pattern ^ mask):
        device.link.write(places, data)
        bad = (device.link.read(places) & mask) != data
        wrong += int(bad.sum())
        if bad.any() and first is None:
            first = int(places[bad.argmax()])
    detail = f"{len(places)} words, both ways" if not wrong else \
        f"{wrong} of {2 * len(places)} reads are wrong, first address {first:#x}"
    return Check(name, not wrong, detail)


def _program_checks(device, images, advise):
    """Three ways to start a relaxation, then the systems, each where the engine has its units."""
    config = device.config
    network, rng = layered((12, 7, 5)), np.random.default_rng(7)
    reach = min(config.weight.max, config.weight.one)
    weights = {m.name: rng.integers(-reach, reach + 1, m.shape) for m in network.matrices}
    inputs = {"x": rng.integers(0, config.state.one + 1, (images, 12))
              * (rng.random((images, 12)) < 0.6)}
    cases = [LearningCase(name, 11, network, program, weights, inputs, {}, config.state,
                          config.weight, config.update_frac) for name, program in (
        ("inference", inference(network, 3)),
        ("start from zero", inference(network, 2, start="zero")),
        ("early stop", inference(network, 6, settled=0.02)))]
    for case in (*cases, *map(learning_case, case_names())):
        yield lambda device, case=case: _run(device, case, images, advise)


def _run(device, case, images, advise):
    """The same images on the device and in the fixed executor."""
    name, config = f"program: {case.name}", device.config
    if config.state != case.state or config.weight.width < case.weight.width:
        return Check(name, True, f"needs states {case.state} and weights {case.weight}, the engine "
                                 f"has {config.state} and {config.weight}", False)
    # The same raw weights and the same multipliers mean other numbers in another format.
    bits = config.weight.frac + config.update_frac - case.weight.frac - case.update_frac
    rates = {matrix: rate * 2.0 ** -bits for matrix, rate in case.rates.items()} or None
    why = reasons(case.network, case.program, config)
    if why:
        line = advise(case.network, case.program)
        return Check(name, True, why[0] + (f"; {line} builds one that does" if line else ""), False)
    inputs = {name: values[:images] for name, values in case.inputs.items()}
    executor = FixedExecutor(case.network, case.weights, config.state, config.weight,
                             config.update_frac)
    expected = executor.run(case.program, inputs, seed=case.seed, rates=rates)
    device.load(case.network, case.program, case.weights, seed=case.seed, rates=rates)
    reported = device.run(inputs)
    wrong = [what for what, a, b in (
        ("signatures", reported.signatures, expected.signatures),
        ("writes", reported.writes, expected.writes),
        ("saturations", reported.saturations, expected.saturations),
        ("steps", reported.steps, expected.steps)) if not np.array_equal(a, b)]
    if expected.predictions is not None and not np.array_equal(reported.predictions,
                                                               expected.predictions):
        wrong.append("predictions")
    kept = device.weights()
    if any(not np.array_equal(kept[n], w) for n, w in executor.weights.items() if n in kept):
        wrong.append("weights")
    return Check(name, not wrong, f"{', '.join(wrong)} differ from the fixed executor" if wrong else
                 f"{images} images, signature {reported.signature:08x} as in the fixed executor")


def _refusals(device):
    """A frame with a wrong CRC must be refused, counted, and followed by a good one."""
    link = device.link
    device.register("status")
    before, refused = link.refused, link.refusals[Status.CRC]
    damaged = bytearray(request(0, 0, 0))
    damaged[-1] ^= 1
    try:
        link.probe(bytes(damaged))
        device.register("status")
    except ApicalError as error:
        return Check("link", False, str(error))
    counted = link.refused - before & 0xFF
    good = counted == 1 and link.refusals[Status.CRC] == refused + 1
    return Check("link", good, f"a damaged frame was refused and counted; {link.repeats} repeats"
                 if good else f"a damaged frame was counted {counted} times")
