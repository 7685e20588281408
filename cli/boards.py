"""``apical boards``: the boards and what fits them."""

from __future__ import annotations

from .common import check_writable, table, write_json

HELP = "list the boards and the networks that fit"


def add_arguments(parser):
    """Declare the options."""
    parser.add_argument("--json", metavar="FILE", help="write the list there")


def run(args) -> int:
    """Run the command; returns the exit code."""
    from ..boards.build.catalog import BOARDS
    from ..boards.build.fit import FAMILIES, what_fits
    from ..hw.interface.presets import preset

    if args.json is not None:
        check_writable(args.json)
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
    if args.json is not None:
        write_json(args.json, report)
    return 0
