"""``apical boards``: the boards, what fits them and what they run."""

from __future__ import annotations

from .common import check_writable, table, write_json

HELP = "list the boards, the networks that fit and the systems that run"


def add_arguments(parser):
    """Declare the options."""
    parser.add_argument("--systems", action="store_true", help="list which systems run on which "
                        "engines of each board, and what the others lack")
    parser.add_argument("--json", metavar="FILE", help="write the list there")


def run(args) -> int:
    """Run the command; returns the exit code."""
    if args.json is not None:
        check_writable(args.json)
    report = _systems() if args.systems else _sizes()
    if args.json is not None:
        write_json(args.json, report)
    return 0


def _sizes():
    """Print the boards and the networks that fit; returns the report."""
    from ..boards.build.catalog import BOARDS
    from ..boards.build.fit import FAMILIES, what_fits
    from ..hw.interface.presets import preset

    rows, report = [], []
    for board in BOARDS.values():
        config = preset(board.preset)
        found = what_fits(board)
        report.append({
            "board": board.name, "title": board.title, "device": board.device.name,
            "clock_mhz": board.clock / 1e6, "preset": board.preset, "lanes": config.lanes,
            "tiles": config.tiles,
            "multipliers": board.device.multipliers, "config_hash": config.hash,
            "greatest_hidden": found,
            "sram": board.sram is not None, "flash": board.flash is not None})
        rows.append((board.name, board.device.name, f"{board.clock / 1e6:g}", config.width,
                     board.device.multipliers,
                     *(found[name][bits] for name in FAMILIES for bits in (16, 8))))
    heads = [f"H of {name}, {bits} bit" for name in FAMILIES for bits in (16, 8)]
    print(table(("board", "device", "MHz", "lanes", "multipliers", *heads), rows))
    print("H: largest hidden layer that fits; 8-bit weights need an engine built for them")
    return report


def _systems():
    """Print what runs where; returns the report."""
    from ..boards.build.catalog import BOARDS
    from ..boards.build.fit import systems_on_boards

    report = systems_on_boards()
    rows, reasons = [], {}
    for name, presets in report.items():
        for one, found in presets.items():
            runs = [what for what, answer in found.items() if answer is True]
            own = " (its own)" if one == BOARDS[name].preset else ""
            rows.append((name, one + own, f"{len(runs)} of {len(found)}",
                         ", ".join(what for what in found if what not in runs)))
            reasons[one] = {}
            for what, why in found.items():
                if why is not True:
                    reasons[one].setdefault(why.rpartition("needs ")[2], []).append(what)
    print(table(("board", "preset", "systems", "not"), rows))
    for one, why in reasons.items():
        for reason, what in why.items():
            print(f"{one}: {', '.join(what)}: needs {reason}")
    print("'apical build --board B --for SYSTEM' picks the preset")
    return report
