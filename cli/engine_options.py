"""Options that describe an engine, shared by the commands that make one."""

from __future__ import annotations

from ..golden.errors import MisuseError
from .common import argument, whole


def add_engine_arguments(parser):
    """Add ``--preset``, ``--lanes`` and the further parameters of an engine."""
    from ..hw.interface.presets import PRESETS

    parser.add_argument("--preset", metavar="NAME", help="engine sized for a board: "
                        + ", ".join(PRESETS))
    parser.add_argument("--lanes", type=argument(whole("lanes", 1, 64)),
                        help="multipliers of a tile, 1..64")
    parser.add_argument("--tiles", type=argument(whole("tiles", 1, 8)),
                        help="parts of the device with so many lanes each, 1..8 (default 1)")
    parser.add_argument("--hop", type=argument(whole("hop", 1, 4)),
                        help="registers on the way to the tiles and back, 1..4 (default 1)")
    parser.add_argument("--update-lanes", type=argument(whole("update lanes", 1, 64)),
                        help="units updated a cycle, a power of two")
    parser.add_argument("--state", metavar="FORMAT", help="format of states, such as s16.12")
    parser.add_argument("--weight", metavar="FORMAT", help="format of weights, such as s16.12")
    parser.add_argument("--accumulator-width", type=argument(whole("accumulator width", 24, 48)))
    parser.add_argument("--table-unit", choices=("pipelined", "serial"),
                        help="functions and random words for one unit a cycle (pipelined), or for "
                             "one in about 15 cycles in few logic cells (serial; needs "
                             "--update-lanes 1 and --learn-unit serial)")
    parser.add_argument("--learn-unit", choices=("pipelined", "serial"),
                        help="weights updated a word a cycle (pipelined), or one at a time in few "
                             "logic cells (serial; needs --update-lanes 1)")


def engine_changes(args) -> dict:
    """Configuration fields that the options set, without ``lanes``."""
    from ..golden.numbers.formats import Format

    names = ("update_lanes", "accumulator_width", "learn_unit", "table_unit", "tiles", "hop")
    changes = {name: getattr(args, name) for name in names
               if getattr(args, name) is not None}
    for name in ("state", "weight"):
        if getattr(args, name) is not None:
            changes[name] = Format.parse(getattr(args, name))
    return changes


def engine_config(args):
    """The configuration that the options describe (a preset, or defaults with some lanes)."""
    from ..hw.interface.config import EngineConfig
    from ..hw.interface.presets import preset

    changes = engine_changes(args)
    if args.preset is not None:
        if args.lanes is not None:
            raise MisuseError("--preset and --lanes exclude each other; a preset has its lanes")
        return preset(args.preset).replace(**changes)
    if args.lanes is None:
        raise MisuseError("name an engine: --preset NAME, or --lanes P")
    changes.setdefault("update_lanes", min(4, 1 << args.lanes.bit_length() - 1))
    return EngineConfig(lanes=args.lanes, **changes)
