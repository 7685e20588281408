"""Which networks and systems fit a board: the assembler decides, not a table."""

from __future__ import annotations

import functools

from ...golden.errors import MisuseError
from ...golden.network import layered
from ...golden.numbers.formats import Format
from ...golden.program.layered import inference
from ...golden.systems.cases import learning_case
from ...golden.systems.registry import system, systems
from ...hw.assembler.assembler import reasons
from ...hw.interface.config import EngineConfig
from ...hw.interface.presets import PRESETS, preset
from .catalog import BOARDS, Board

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


# Systems -----------------------------------------------------------------------------------------


def presets_for(board: Board) -> list[str]:
    """Presets that a board can be built with: its own, then those of boards of the same resources.

    Those of few optional units come first.
    """
    device = board.device
    same = [other for other in BOARDS.values() if other.device.family is device.family and all(
        getattr(other.device, what) == getattr(device, what)
        for what in ("luts", "multipliers", "rams", "spram"))]
    found = [name for name in PRESETS if any(name in other.targets for other in same)]
    found.sort(key=lambda name: (name != board.preset, _units(preset(name))))
    return found


def _units(config):
    return config.learning + config.smooth + config.noise


@functools.cache
def _problem(name):
    """(network, program, bits of weights) of a system: its small case, else a small network."""
    record = system(name)
    if record.case is not None:
        case = learning_case(name)
        return case.network, case.program, case.weight.width
    sizes = tuple(max(1, size // 4) for size in record.sizes("digits"))
    config = record.config("fixed", "digits", sizes)
    network = record.network(sizes)
    return network, record.program(network, config), config.weight.width


def lacking(name: str, config: EngineConfig) -> str | None:
    """Why an engine cannot run a system, or None.

    Parameters
    ----------
    name : str
        Of a system; its small case is assembled, or where it has none its network for the digits
        with a quarter of the units.
    """
    network, program, bits = _problem(name)
    if config.weight.width < bits:
        return f"it needs weights of {bits} bits, the engine has {config.weight}"
    return next(iter(reasons(network, program, config)), None)


def systems_on_boards() -> dict:
    """What each board can run: ``{board: {preset: {system: True or the reason}}}``."""
    by_preset = {name: {one: lacking(one, config) or True for one in systems()}
                 for name, config in PRESETS.items()}
    return {name: {one: dict(by_preset[one]) for one in presets_for(board)}
            for name, board in BOARDS.items()}


def preset_for(board: Board, name: str) -> str:
    """The preset of a board that runs a system: its own, else the one of the fewest units.

    Raises
    ------
    MisuseError
        Where there is none; says what its own lacks.
    """
    record = system(name)
    for found in presets_for(board):
        if lacking(record.name, preset(found)) is None:
            return found
    raise MisuseError(f"no preset of board '{board.name}' runs '{name}': in '{board.preset}', "
                      f"{lacking(record.name, preset(board.preset))}")


def build_line(config: EngineConfig, network, program, board: Board | None = None) -> str | None:
    """The command that builds a bitstream for a program that an engine cannot run, or None.

    Parameters
    ----------
    config : EngineConfig
        The engine that cannot.
    board : Board, optional
        Where it is; by default the board that has that engine, by name if one is called like it.
    """
    held = next((name for name, known in PRESETS.items() if known.hash == config.hash), "")
    boards = sorted((one for one in BOARDS.values() if held in one.targets),
                    key=lambda one: not held.startswith(one.name))
    for one in [board] if board is not None else boards[:1]:
        for name in presets_for(one):
            if not reasons(network, program, preset(name)):
                chosen = "" if name == one.preset else f" --preset {name}"
                return f"apical build --board {one.name}{chosen}"
    return None
