"""``apical selftest``: memories, operations and link of a board."""

from __future__ import annotations

from .common import argument, check_writable, write_json
from .device_options import add_device_arguments, engine_of, open_device
from .engine_options import whole


def add_arguments(parser):
    """Declare the options."""
    add_device_arguments(parser)
    parser.add_argument("--full", action="store_true", help="test every weight word, not a "
                        "sample")
    parser.add_argument("--abuse", metavar="N", type=argument(whole("abuse", 0, 10_000_000)),
                        default=0, help="also send N damaged byte strings and frames")
    parser.add_argument("--json", metavar="FILE", help="write the report there")


def run(args) -> int:
    """Run the command; returns the exit code."""
    from ..boards.build.fit import build_line
    from ..boards.host.selftest import selftest

    for path in (args.json, args.record):
        if path is not None:
            check_writable(path)
    with open_device(args) as device:
        board = engine_of(args)[1]
        checks = selftest(device, args.full, say=_say, advise=lambda network, program: build_line(
            device.config, network, program, board))
        report = {}
        if args.abuse:
            report["abuse"], check = _bad_frames(device, args.abuse, args.full)
            checks.append(check)
            _say(check)
        report |= {"device": device.link.name, "config_hash": device.config.hash,
                  "good": all(check.good for check in checks),
                  "checks": [vars(check) for check in checks], **device.link.counters()}
    if args.json is not None:
        write_json(args.json, report)
    bad = sum(not check.good for check in checks)
    left = sum(not check.ran for check in checks)
    print(f"{len(checks) - left} checks, {bad} failed; {left} left out")
    return 1 if bad else 0


def _bad_frames(device, count, full):
    """(plain report, `Check`) of link abuse."""
    from ..boards.host.bad_frames import send_bad_frames
    from ..boards.host.selftest import Check

    found = send_bad_frames(device, count, full=full)
    answers = ", ".join(f"{n} {name}" for name, n in sorted(found.statuses.items()))
    good = found.first is None
    return vars(found), Check("link abuse", good, f"{count} byte strings, answers: {answers}; "
                              f"{found.refused} refused, {found.compared} words compared"
                              if good else found.first)


def _say(check):
    verdict = "FAILED" if not check.good else "ok" if check.ran else "-"
    print(f"{verdict:7}{check.name}: {check.detail}", flush=True)
