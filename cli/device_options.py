"""Options that say which device is meant and how it is reached, shared by the commands for it."""

from __future__ import annotations

import contextlib
import json

from ..boards.host.link_kinds import LINK_KINDS
from ..golden.errors import DoesNotFitError, MisuseError
from .common import argument
from .engine_options import whole

#: Engine of a link without a board, where none is named.
DEFAULT_PRESET = "ulx3s-25f-learning"


def add_device_arguments(parser):
    """Add the options."""
    parser.add_argument("--port", metavar="PORT", help="serial port of a board, or the terminal "
                        "that 'apical board serve' prints")
    parser.add_argument("--link", choices=LINK_KINDS, help="without a board: " + "; ".join(
        f"{kind.name}, {kind.help}" for kind in LINK_KINDS.values()))
    parser.add_argument("--board", metavar="B", help="the board, for its engine and its rate "
                        "(default: whatever answers)")
    parser.add_argument("--preset", metavar="NAME", help="engine (default: that of the board; of a "
                        f"--link {DEFAULT_PRESET})")
    parser.add_argument("--manifest", metavar="FILE", help="the engine is the one of this manifest")
    parser.add_argument("--baud", metavar="N", type=argument(whole("baud", 300, 100_000_000)),
                        help="bits a second (default: that of the board)")
    parser.add_argument("--record", metavar="FILE", help="write every transaction there, for "
                        "'apical replay'")


def manifest_config(path):
    """Engine configuration of a manifest, and its board's name or None."""
    from ..hw.interface.config import EngineConfig

    try:
        with open(path) as file:
            manifest = json.load(file)
        config = EngineConfig.from_dict(manifest["config"])
        stated = manifest["config_hash"]
    except OSError as error:
        raise MisuseError(f"no manifest '{path}' ({error.strerror.lower()})") from error
    except MisuseError as error:
        raise MisuseError(f"manifest '{path}' is of another version: {error}") from error
    except (ValueError, KeyError, TypeError) as error:
        raise MisuseError(f"'{path}' is not a manifest") from error
    if stated != config.hash:
        raise MisuseError(f"manifest '{path}' is stale: its engine {stated} is {config.hash} in "
                          "this version; build the bitstream again with: apical build")
    return config, manifest.get("board")


def engine_of(args):
    """(configuration or None, board or None) that the options name."""
    from ..boards.build.catalog import BOARDS, board
    from ..hw.interface.presets import preset

    if args.manifest is not None:
        if args.board is not None or args.preset is not None:
            raise MisuseError("name the engine once: by --manifest, or by --board and --preset")
        config, name = manifest_config(args.manifest)
        return config, BOARDS.get(name)
    if args.board is not None:
        chosen = board(args.board, args.preset)
        return preset(chosen.preset), chosen
    return (preset(args.preset) if args.preset is not None else None), None


def _with_advice(error, config, board):
    """The same error with the command that builds an engine that holds the program, if any."""
    from ..boards.build.fit import build_line

    line = build_line(config, *error.problem, board) if error.problem is not None else None
    return MisuseError(f"{error}; build one that does with: {line}") if line else error


@contextlib.contextmanager
def open_device(args, config=None):
    """The device that the options name, open; closed again at the end.

    Parameters
    ----------
    config : EngineConfig, optional
        The engine, where no option names one.
    """
    from ..boards.host.device import Device
    from ..boards.host.links import Link
    from ..hw.interface.presets import preset

    if args.port is not None and args.link is not None:
        raise MisuseError("--port and --link exclude each other: a --link runs without a board")
    if args.port is None and args.link is None:
        raise MisuseError(f"name a board's --port, or a --link: {', '.join(LINK_KINDS)}")
    if args.baud is not None and args.port is None:
        raise MisuseError("--baud is the rate of a --port; a --link has none")
    named, board = engine_of(args)
    config = named or config
    recorder = None
    if getattr(args, "record", None) is not None:
        from ..boards.host.recording import Recorder

        recorder = Recorder(args.record)
    try:
        if args.link is not None:
            config = config or preset(DEFAULT_PRESET)
            link = LINK_KINDS[args.link].open(config, record=recorder)
        else:
            link = Link.serial(args.port, args.baud or (board.baud if board else None),
                               record=recorder)
        try:
            device = Device.open(link, config)
            yield device
        except DoesNotFitError as error:
            raise _with_advice(error, device.config, board) from None
        finally:
            link.close()
    finally:
        if recorder is not None:
            recorder.close()
