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
from ...hw.export.synthesis import StoppedError, find_tool, run_tool, synthesize
from ...hw.interface.config import ENGINE_VERSION, EngineConfig, preset
from .catalog import Board
from .routing import place_and_route

PACKERS = {"ice40": ("icepack", "top.asc", "top.bin"), "ecp5": ("ecppack", "top.config", "top.bit")}


def tools_for(board: Board, native=False) -> dict:
    """The three tools of a build, found and checked, by name."""
    names = ("yosys", f"nextpnr-{board.device.family}", PACKERS[board.device.family][0])
    return {name: find_tool(name, native) for name in names}


def board_files(board: Board, config: EngineConfig) -> tuple:
    """(RTLIL, pin constraints) of a board's top level; needs no tool."""
    from .top import BoardTop, platform_of

    plan = platform_of(board).prepare(BoardTop(board, config), "top")
    ending = "pcf" if board.device.family == "ice40" else "lpf"
    text = {name: data if isinstance(data, str) else data.decode()
            for name, data in plan.files.items() if name in ("top.il", f"top.{ending}")}
    return text["top.il"], text[f"top.{ending}"]


def build(board: Board, output, *, seed=1, tries=1, native=False, config=None, keep=None,
          say=lambda text: None) -> dict:
    """Build a bitstream with its manifest.

    Everything is made in a folder beside and renamed at the end: an interrupted build leaves the
    old files, or none.

    Parameters
    ----------
    output : path
        Folder for ``BOARD.bin`` (``.bit``) and ``BOARD.json``, its manifest.
    seed, tries : int
        Of the placer; the next seeds are tried, so many in all, while routing does not end or the
        clock is not reached.
    native : bool
        Tools on PATH instead of the YoWASP ones.
    config : EngineConfig, optional
        Another engine than the board's preset.
    keep : path, optional
        Keep logs and intermediate files here.
    say : callable
        Told what goes on.

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
    packer, packed, made = PACKERS[family]
    final = output / f"{board.name}{Path(made).suffix}"
    manifest_path = output / f"{board.name}.json"
    _make_folder(output)
    for path in (final, manifest_path):
        check_writable(path)
    work = Path(tempfile.mkdtemp(prefix=f".{board.name}-", dir=output))
    try:
        say(f"{board.name}: engine {config.hash}, {config.lanes} lanes")
        rtlil, constraints = board_files(board, config)
        (work / f"top.{'pcf' if family == 'ice40' else 'lpf'}").write_text(constraints)
        say(f"synthesis: {tools['yosys'].version}")
        synthesize(rtlil, "top", family, work, native=native)
        figures, reached = _in_time(board, config, work, range(seed, seed + tries), native,
                                    tools[f"nextpnr-{family}"], say)
        say(f"packing: {figures['fmax_mhz']} MHz of {board.clock / 1e6:g} needed")
        run_tool(tools[packer], _pack_arguments(family, config, packed, made), work, "pack.out")
        bits = (work / made).read_bytes()
        manifest = {
            "board": board.name, "preset": board.preset, "config_hash": config.hash,
            "engine_version": ENGINE_VERSION, "config": config.to_dict(),
            "clock_mhz": board.clock / 1e6, "baud": board.baud, **figures, "lanes": config.lanes,
            "multipliers": config.lanes,
            "idle_multipliers": board.device.multipliers - figures["dsps"],
            "device": board.device.name, "device_luts": board.device.luts,
            "device_rams": board.device.rams, "seed": max(reached),
            "fmax_by_seed": {str(tried): fmax for tried, fmax in reached.items()},
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


def _pack_arguments(family, config, packed, made):
    if family == "ice40":
        return [packed, made]
    # The packer reads numbers in decimal only.
    return ["--compress", "--usercode", str(int(config.hash, 16)), "--input", packed, "--bit", made]


def _in_time(board, config, work, seeds, native, nextpnr, say):
    """(figures, fmax by seed) of the first seed that reaches the clock."""
    clock, reached = board.clock / 1e6, {}
    for seed in seeds:
        say(f"place and route: {nextpnr.version}, seed {seed}")
        try:
            figures = place_and_route(board, work, seed, native, nextpnr)
        except StoppedError as error:
            reached[seed] = None
            say(f"seed {seed}: {error}")
            continue
        if figures["dsps"] < config.lanes:
            raise ApicalError(f"synthesis lost multipliers: {config.lanes} lanes, "
                              f"{figures['dsps']} in the netlist")
        reached[seed] = figures["fmax_mhz"]
        if reached[seed] >= clock:
            return figures, reached
        say(f"seed {seed} reaches {reached[seed]} MHz, the board runs at {clock:g}")
    found = ", ".join("not routed" if fmax is None else f"{fmax} MHz"
                      for fmax in reached.values())
    raise ApicalError(f"timing is not met with {'seeds' if len(reached) > 1 else 'seed'} "
                      f"{', '.join(map(str, reached))}: {found}, the board runs at {clock:g}; try "
                      f"--seed {max(reached) + 1}")


def load_manifest(path) -> dict:
    """A manifest as written by `build`.

    Raises
    ------
    MisuseError
        When it is missing or is none.
    """
    try:
        manifest = json.loads(Path(path).read_text())
        for key in ("board", "config_hash", "bitstream", "sha256"):
            if not isinstance(manifest[key], str):
                raise KeyError(key)
    except OSError as error:
        raise MisuseError(f"no manifest '{path}' ({error.strerror.lower()}); build the bitstream "
                          "with: apical build") from error
    except (ValueError, KeyError, TypeError) as error:
        raise MisuseError(f"'{path}' is not the manifest of a bitstream") from error
    return manifest
