"""``apical replay``: repeat a recorded session on another device and compare."""

from __future__ import annotations

from ..boards.host.link_kinds import LINK_KINDS
from ..golden.errors import MisuseError
from .common import check_writable, write_json
from .device_options import add_device_arguments, open_device


def add_arguments(parser):
    """Declare the options."""
    parser.add_argument("recording", metavar="FILE", help="written with --record")
    add_device_arguments(parser)
    parser.add_argument("--json", metavar="FILE", help="write the outcome there")


def run(args) -> int:
    """Run the command; returns the exit code."""
    from ..boards.host.recording import read_recording, replay

    for path in (args.json, args.record):
        if path is not None:
            check_writable(path)
    config, transactions = read_recording(args.recording)
    with open_device(args, config) as device:
        if device.config != config:
            raise MisuseError(f"recording '{args.recording}' is of engine {config.hash}, not of "
                              f"{device.config.hash}, which is at {device.link.name}")
        gateware = args.link is None or LINK_KINDS[args.link].gateware
        found = replay(transactions, device.link, device.config, cycles=gateware)
    if args.json is not None:
        write_json(args.json, vars(found))
    print(f"{found.transactions} transactions, {found.compared} answered words compared, "
          f"{found.differences} differ")
    if not transactions or transactions[-1]["do"] != "close":
        print("the recording has no end: its session was cut off")
    if found.first is not None:
        print(f"first: {found.first}")
    return 1 if found.differences else 0
