"""``apical selftest``: memories, operations and link of a board."""

from __future__ import annotations

from .common import check_writable, write_json
from .device_options import add_device_arguments, open_device


def add_arguments(parser):
    """Declare the options."""
    add_device_arguments(parser)
    parser.add_argument("--full", action="store_true", help="test every word of the weights, not a "
                        "sample")
    parser.add_argument("--json", metavar="FILE", help="write the report there")


def run(args) -> int:
    """Run the command; returns the exit code."""
    from ..boards.selftest import selftest

    for path in (args.json, args.record):
        if path is not None:
            check_writable(path)
    with open_device(args) as device:
        checks = selftest(device, args.full, say=_say)
        report = {"device": device.link.name, "config_hash": device.config.hash,
                  "good": all(check.good for check in checks),
                  "checks": [vars(check) for check in checks], **device.link.counters()}
    if args.json is not None:
        write_json(args.json, report)
    bad = sum(not check.good for check in checks)
    print(f"{len(checks)} checks, {bad} failed")
    return 1 if bad else 0


def _say(check):
    print(f"{'ok' if check.good else 'FAILED':7}{check.name}: {check.detail}", flush=True)
