"""Which networks fit a board: the assembler decides, not a table."""

from __future__ import annotations

from ...golden.network import layered
from ...golden.numbers.formats import Format
from ...golden.program.layered import inference
from ...hw.assembler.assembler import reasons
from ...hw.interface.config import EngineConfig
from ...hw.interface.presets import preset
from .catalog import Board

#: Layer sizes of the list of `apical boards`; the largest H is searched.
FAMILIES = ("784-H-10", "64-H-10")


def fits(layers, config: EngineConfig) -> list:
    """Why a layered network does not fit; empty when it does."""
    network = layered(list(layers))
    return reasons(network, inference(network), config)


def greatest_hidden(inputs: int, outputs: int, config: EngineConfig) -> int:
    """The largest hidden layer that fits between an input and an output layer; 0 for none."""
    # Tiny layers may not fit where larger ones do: they turn the first matrix round, and the inputs
    # must then be in state memory.
    sizes = [1 << i for i in range(16)]
    low = max((size for size in sizes if not fits((inputs, size, outputs), config)), default=0)
    high = 2 * low
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if fits((inputs, middle, outputs), config) else (middle, high)
    return low


def with_weight_bits(config: EngineConfig, bits: int) -> EngineConfig:
    """The configuration with weights of that many bits, and more words in the same memory."""
    if bits == config.weight.width:
        return config
    return config.replace(weight=Format.parse(f"s{bits}.{bits - 2}"),
                          weight_depth=config.weight_depth * config.weight.width // bits)


def what_fits(board: Board) -> dict:
    """By family of layer sizes and weight bits, the largest hidden layer."""
    config = preset(board.preset)
    found = {}
    for family in FAMILIES:
        inputs, _, outputs = family.split("-")
        found[family] = {bits: greatest_hidden(int(inputs), int(outputs),
                                               with_weight_bits(config, bits))
                         for bits in (16, 8)}
    return found


def suggestion(layers, config: EngineConfig) -> str:
    """A network that fits, in place of one that does not."""
    if len(layers) == 3:
        hidden = greatest_hidden(layers[0], layers[2], config)
        if hidden:
            return f"{layers[0]}-{hidden}-{layers[2]} would fit"
    scale = [max(1, size // 2) for size in layers[1:-1]]
    while any(size > 1 for size in scale):
        tried = (layers[0], *scale, layers[-1])
        if not fits(tried, config):
            return f"{'-'.join(map(str, tried))} would fit"
        scale = [max(1, size // 2) for size in scale]
    return "no hidden layers of that number of inputs and outputs fit"
