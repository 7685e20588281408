"""``apical board serve``: a virtual board, to be talked to like a real one."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from dataclasses import replace

from ..golden.errors import ApicalError, MisuseError
from .common import argument, check_writable, say
from .device_options import manifest_config
from .engine_options import whole


def add_arguments(parser):
    """Declare the options."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    serve = actions.add_parser("serve", help="run a board's whole top level in the simulator "
                               "with a pseudo-terminal as its serial port")
    serve.add_argument("--sim", action="store_true", help="simulate the board (required)")
    serve.add_argument("--board", required=True, metavar="B", help="'apical boards' lists them")
    serve.add_argument("--preset", metavar="NAME", help="engine (default: that of the board)")
    serve.add_argument("--manifest", metavar="FILE", help="simulate the engine of this manifest "
                       "(default: the board's preset)")
    serve.add_argument("--baud", metavar="N", type=argument(whole("baud", 300, 100_000_000)),
                       help="bits a second of its line (default: those of the board; a quicker "
                       "line is simulated in less time)")
    serve.add_argument("--path", metavar="NAME", help="make a link of this name to the terminal")


def run(args) -> int:
    """Run the command; returns the exit code."""
    from ..boards.build.catalog import board
    from ..boards.build.top import fastest_baud
    from ..hw.interface.presets import preset

    if not args.sim:
        raise MisuseError("only simulated boards can be served; say so: apical board serve --sim")
    chosen = board(args.board, args.preset)
    if args.baud is not None:
        chosen = replace(chosen, baud=args.baud)
        if args.baud > fastest_baud(chosen):
            raise MisuseError(f"board '{chosen.name}' cannot run at {args.baud} baud; its clock "
                              f"allows {fastest_baud(chosen)}")
    config = preset(chosen.preset)
    if args.manifest is not None:
        if args.preset is not None:
            raise MisuseError("name the engine once: by --preset or --manifest")
        config, name = manifest_config(args.manifest)
        if name is not None and name != chosen.name:
            raise MisuseError(f"manifest '{args.manifest}' is for board '{name}', not for "
                              f"'{chosen.name}'")
        if config.primitives not in ("portable", chosen.device.family.name):
            raise MisuseError(f"the engine of '{args.manifest}' is made of {config.primitives} "
                              f"cells, board '{chosen.name}' has {chosen.device.family.name}")
    if args.path is not None and not os.path.islink(args.path):
        # Before minutes go by.
        check_writable(args.path)
        if os.path.exists(args.path):
            raise MisuseError(f"'{args.path}' exists and is no link; name another --path")
    with contextlib.suppress(ValueError):  # not in the main thread: whoever runs it there ends it
        signal.signal(signal.SIGTERM, _interrupt)
    say(f"{chosen.name}: engine {config.hash}; the first time its simulator takes a minute or two")
    virtual = virtual_board(chosen, config)
    link = None
    try:
        if args.path is not None:
            link = _link(virtual.path, args.path)
        # The one line on stdout is what a script waits for.
        print(link or virtual.path, flush=True)
        virtual.wait()
        raise ApicalError("the simulator of the board ended by itself")
    except KeyboardInterrupt:
        return 0
    finally:
        if link is not None:
            with contextlib.suppress(OSError):
                os.unlink(link)
        counted = virtual.close()
        print(f"{counted['cycles']} cycles, {counted['taken']} bytes taken, {counted['sent']} sent",
              file=sys.stderr)


def virtual_board(chosen, config):
    """A running virtual board (:class:`apical.sim.simulators.virtual.VirtualBoard`)."""
    from ..boards.build.build import board_files
    from ..boards.build.top import pin_names
    from ..sim.simulators.virtual import Pins, VirtualBoard, board_bench

    rtlil, _ = board_files(chosen, config)
    bench = board_bench(rtlil, chosen.device.family.name, Pins(**pin_names(chosen)))
    return VirtualBoard(bench, chosen.divisor, say=say)


def _link(path, name):
    try:
        if os.path.islink(name):
            os.unlink(name)
        os.symlink(path, name)
    except OSError as error:
        raise ApicalError(f"cannot make the link '{name}': {error.strerror.lower()}") from error
    return name


def _interrupt(number, frame):
    raise KeyboardInterrupt
