"""``apical flash``: load a built bitstream into a board."""

from __future__ import annotations

import shlex
import sys

HELP = "load a bitstream into a board"


def add_arguments(parser):
    """Declare the options."""
    parser.add_argument("--board", required=True, metavar="B", help="board to load")
    target = parser.add_mutually_exclusive_group()
    target.add_argument("--sram", dest="target", action="store_const", const="sram",
                        default="sram", help="until power off (this is the default)")
    target.add_argument("--flash", dest="target", action="store_const", const="flash",
                        help="for good")
    parser.add_argument("--manifest", metavar="FILE",
                        help="manifest of the bitstream (default: build/boards/B.json)")
    parser.add_argument("--port", metavar="PORT", help="serial port of the board: after "
                        "loading, check that its engine is the one of the manifest")
    parser.add_argument("--dry-run", action="store_true", help="print the command only")


def run(args) -> int:
    """Run the command; returns the exit code."""
    from ..boards.build.catalog import board
    from ..boards.build.flash import (
        DEFAULT_FOLDER,
        NotBuiltError,
        bitstream_beside,
        check_bitstream,
        command,
        flash,
        read_back,
    )

    chosen = board(args.board)
    manifest = args.manifest or DEFAULT_FOLDER / f"{chosen.name}.json"
    try:
        bitstream, found = check_bitstream(chosen, manifest)
    except NotBuiltError as error:
        if not args.dry_run:
            raise
        print(error, file=sys.stderr)
        bitstream = bitstream_beside(chosen, manifest)
    words = command(chosen, bitstream, args.target)
    print(shlex.join(words), flush=True)
    if not args.dry_run:
        flash(chosen, words)
        if args.port is not None:
            read_back(chosen, found, args.port)
            print(f"the engine at {args.port} is {found['config_hash']}, as the manifest says")
    return 0
