"""From a board to a bitstream: synthesis, place and route, packing, manifest."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from pathlib import Path

from ...golden.errors import ApicalError, MisuseError
from ...golden.storage.atomic import check_writable, write_atomically
from ...hw.export.synthesis import find_tool, run_tool, synthesize
from ...hw.interface.config import ENGINE_VERSION, EngineConfig
from ...hw.interface.presets import preset
from .catalog import Board
from .seeds import best, try_seeds
from .timing import describe


class NotBuiltError(MisuseError):
    """There is no bitstream yet."""


#: Seeds that a build tries while none reaches the clock.
TRIES = 3


def tools_for(board: Board, native=False) -> dict:
    """The three tools of a build, found and checked, by name."""
    family = board.device.family
    return {name: find_tool(name, native) for name in ("yosys", family.router, family.packer)}


def board_files(board: Board, config: EngineConfig) -> tuple:
    """(RTLIL, pin constraints) of a board's top level; needs no tool."""
    from .top import BoardTop, platform_of

    plan = platform_of(board).prepare(BoardTop(board, config), "top")
    names = ("top.il", board.device.family.constraints_file)
    return tuple(data if isinstance(data, str) else data.decode()
                 for data in (plan.files[name] for name in names))


def synthesize_board(board: Board, config: EngineConfig, folder: Path, native=False):
    """Leave ``top.json`` and the pin constraints of a board's top level in a folder."""
    rtlil, constraints = board_files(board, config)
    (folder / board.device.family.constraints_file).write_text(constraints)
    synthesize(rtlil, "top", board.device.family.name, folder, native=native)


def build(board: Board, output, *, seed=1, tries=1, every=False, jobs=1, native=False, config=None,
          keep=None, say=lambda text: None) -> dict:
    """Build a bitstream with its manifest.

    Everything is made in a folder beside and renamed at the end: an interrupted build leaves the
    old files, or none.

    Parameters
    ----------
    output : path
        Folder for ``BOARD.bin`` (``.bit``) and for its manifest ``BOARD.json``.
    seed, tries : int
        First seed of the placer, and how many are tried at most.
    every : bool
        Try all these seeds and keep the best; otherwise stop at the first that reaches the clock.
    jobs : int
        Seeds at the same time.
    native : bool
        Tools on PATH instead of the YoWASP ones.
    config : EngineConfig, optional
        Another engine than the board's preset.
    keep : path, optional
        Keep logs and intermediate files here; those of seeds that were not taken in ``seed-N``.
    say : callable
        Takes progress, in words.

    Returns
    -------
    dict
        The manifest.

    Raises
    ------
    ApicalError
        When a tool is missing or fails, no seed reaches the clock, or a multiplier was lost.
    """
    config = config or preset(board.preset)
    output = Path(output).resolve()
    family = board.device.family
    tools = tools_for(board, native)
    final = output / f"{board.name}.{family.bitstream}"
    manifest_path = output / f"{board.name}.json"
    _make_folder(output)
    for path in (final, manifest_path):
        check_writable(path)
    work = Path(tempfile.mkdtemp(prefix=f".{board.name}-", dir=output))
    try:
        say(f"{board.name}: engine {config.hash}, {config.width} lanes")
        say(f"synthesis: {tools['yosys'].version}")
        synthesize_board(board, config, work, native)
        attempts = try_seeds(board, work, range(seed, seed + tries), tools[family.router],
                             jobs=jobs, until=None if every else board.clock / 1e6,
                             lanes=config.width, say=say)
        chosen = best(attempts)
        timing = {"seed": chosen and chosen.seed,
                  "fmax_by_seed": {str(one.seed): one.fmax for one in attempts}}
        (work / "timing.json").write_text(json.dumps(
            timing | {"worst_paths": chosen and chosen.figures["worst_paths"]}, indent=2) + "\n")
        _check_timing(board, attempts, chosen, say)
        for path in chosen.folder.iterdir():
            path.replace(work / path.name)
        chosen.folder.rmdir()
        figures = chosen.figures
        say(f"packing: {figures['fmax_mhz']} MHz of {board.clock / 1e6:g} needed")
        run_tool(tools[family.packer],
                 [*board.device.packer, *family.pack_arguments(config.hash)], work, "pack.out")
        bits = (work / family.bitstream_file).read_bytes()
        manifest = {
            "board": board.name, "preset": board.preset, "config_hash": config.hash,
            "engine_version": ENGINE_VERSION, "config": config.to_dict(),
            "clock_mhz": board.clock / 1e6, "baud": board.baud, **figures, "lanes": config.lanes,
            "multipliers": config.width,
            "idle_multipliers": board.device.multipliers - figures["dsps"],
            "device": board.device.name, "device_luts": board.device.luts,
            "device_rams": board.device.rams, **timing,
            "tools": {tool.name: tool.version for tool in tools.values()},
            "bitstream": str(final), "sha256": hashlib.sha256(bits).hexdigest()}
        # The manifest goes last: a bitstream without one of its own sha256 is refused.
        write_atomically(final, bits)
        write_atomically(manifest_path, (json.dumps(manifest, indent=2) + "\n").encode())
        if keep is not None:
            shutil.copytree(work, keep, dirs_exist_ok=True)
    except ApicalError as error:
        kept = output / f"{board.name}.failed"
        shutil.rmtree(kept, ignore_errors=True)
        work.rename(kept)
        raise type(error)(str(error).replace(str(work), str(kept))) from None
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return manifest


def _make_folder(folder):
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ApicalError(f"cannot make folder '{folder}': {error.strerror}; "
                          "name another one with -o") from error
    if not os.access(folder, os.W_OK):
        raise ApicalError(f"cannot write into '{folder}'; name another folder with -o")


def _check_timing(board, attempts, chosen, say):
    """Raise unless the best seed reaches the clock."""
    clock = board.clock / 1e6
    if chosen is not None and chosen.fmax >= clock:
        return
    for path in chosen.figures["worst_paths"] if chosen else ():
        say(f"slowest path of {path['clock']}, seed {chosen.seed}: {describe(path)}")
    seeds = [one.seed for one in attempts]
    found = ", ".join("not routed" if one.fmax is None else f"{one.fmax} MHz" for one in attempts)
    raise ApicalError(f"timing is not met with {'seeds' if len(seeds) > 1 else 'seed'} "
                      f"{', '.join(map(str, seeds))}: {found}, the board runs at {clock:g}; try "
                      f"--seed {max(seeds) + 1}")


def load_manifest(path) -> dict:
    """A manifest as written by `build`.

    Raises
    ------
    NotBuiltError
        When it is missing.
    MisuseError
        When it is none.
    """
    try:
        manifest = json.loads(Path(path).read_text())
        for key in ("board", "config_hash", "bitstream", "sha256"):
            if not isinstance(manifest[key], str):
                raise KeyError(key)
    except OSError as error:
        raise NotBuiltError(f"no manifest '{path}' ({error.strerror.lower()})") from error
    except (ValueError, KeyError, TypeError) as error:
        raise MisuseError(f"'{path}' is not the manifest of a bitstream") from error
    return manifest
