"""docs/boards.md: the boards, their builds, and the runs on virtual boards."""

from __future__ import annotations

import json
from pathlib import Path

from apical.boards.build.catalog import BOARDS
from apical.boards.build.fit import systems_on_boards
from apical.boards.build.timing import describe
from apical.boards.build.top import fastest_baud
from apical.hw.export.verilog import markdown_table
from apical.hw.interface.presets import PRESETS, preset

RECORDED = Path(__file__).resolve().parent.parent / "docs" / "recorded"

_INTRO = """\
Generated from `boards/build/catalog.py`, the presets and `docs/recorded` by `python -m bench.docs`;
do not edit.

A board is a record: its platform, its device, the engine configuration that is built for it (a
*preset*), clocks, serial rate, programmer. [A first board](first-board.md) goes through all
commands; [protocol](protocol.md) is what goes over the serial line."""

_LINES = """\
The serial line is the one of the board's USB port, but for the boards below that need an external
adapter: a USB serial adapter with levels of 3.3 V, its ground joined to that of the board, its
output to the pin that receives. Two programs cannot have a port at the same time; the second is
refused."""

_SYSTEMS = """\
What runs on which engine, by `apical boards --systems`: the assembler is given the small case of
each system (or its network for the digits, with a quarter of the units) and the engine. What a cell
says is lacking. `apical build --board B --for SYSTEM` builds the engine of the fewest units that
runs a system; a command that meets another engine says which one to build."""

_BUILT = """\
By `apical build`, with the open tools from PyPI; fmax is nextpnr's estimate after routing.
`apical build --board B --seeds N --jobs J` tries N seeds of the placer, J at a time, keeps the
best, and records the fmax of each. Every build records the slowest path of each clock."""

_RATE = """\
Bytes are those of both directions, with weights and program of the load. *Words of what is sent*
leaves out frames, escapes and requests to read. For the *effective rate* an image counts as its
events or as one byte a unit, whichever is less, though what goes over the line is shorter still
([packed images](protocol.md#packed-images)); boards with an iCE40 take events only."""

_NEW = """\
## A board that is not here

A `Board` in `boards/build/catalog.py`: device, oscillator, clock, rate, LEDs, programmer, the
sources of its pins, and a platform class of `amaranth-boards` (or one in
`boards/build/platforms.py`). If none of the presets suits the device, one more in
`hw/interface/presets.py`. For a device of another family, a `Family` in `hw/export/families.py`
(names of its tools and cells, its PLL) and its cells in `hw/primitives`. The tests make the build
plan of every board without any tool, check that the rate can be divided from the clock, and that
the memories of the preset fit."""


def _records(pattern):
    return [json.loads(path.read_text()) for path in sorted(RECORDED.glob(f"{pattern}.json"))]


def _matrix():
    """Matrix of systems and presets, and of presets and boards."""
    found, boards = {}, {}
    for board, presets in systems_on_boards().items():
        for name, answers in presets.items():
            found[name] = answers
            boards.setdefault(name, []).append(f"`{board}`")
    names = [name for name in PRESETS if name in found]
    lines = markdown_table(("preset", "lanes", "can be built for"),
                           [(f"`{name}`", preset(name).lanes, ", ".join(boards[name]))
                            for name in names])
    return lines + markdown_table(
        ("system", *(f"`{name}`" for name in names)),
        [(one, *(_answer(found[name][one]) for name in names)) for one in found[names[0]]])


def _answer(answer):
    """A cell of the matrix: yes, or what is lacking."""
    if answer is True:
        return "yes"
    return answer.rpartition("needs ")[2].removesuffix(", which this engine lacks")


def _built():
    rows, paths = [], []
    for record in _records("build-*"):
        made, current = record["report"], preset(record["report"]["preset"]).hash
        rows.append((made["board"], made["preset"], made["config_hash"]
                     + ("" if made["config_hash"] == current else " (older)"),
                     made["fmax_mhz"], made["clock_mhz"],
                     f"{made['luts']} of {made['device_luts']}", made["ffs"], made["dsps"],
                     made["idle_multipliers"], f"{made['rams']} of {made['device_rams']}",
                     made["spram"], made["seed"], ", ".join(made["tools"].values()),
                     f"`{record['command']}`"))
        for path in made.get("worst_paths", ()):
            paths.append((made["board"], made["preset"], path["clock"], path["fmax_mhz"],
                          describe(path),
                          ", ".join(f"{seed}: {'not routed' if fmax is None else fmax}"
                                    for seed, fmax in made["fmax_by_seed"].items())))
    missing = [f"`{board.name}`" for board in BOARDS.values()
               if (board.name, board.preset) not in {row[:2] for row in rows}]
    lines = [f"No bitstream is recorded yet for {', '.join(missing)}.", ""] if missing else []
    heads = ("board", "preset", "engine", "fmax, MHz", "clock, MHz", "logic cells", "flip-flops",
             "multipliers", "left idle", "block RAM", "SPRAM", "seed", "tools", "command")
    lines += markdown_table(heads, rows)
    if paths:
        lines += ["The slowest path of each clock, and the fmax of every seed tried, MHz:", "",
                 *markdown_table(("board", "preset", "clock", "fmax, MHz", "slowest path",
                                  "fmax by seed"), paths)]
    return lines


def areas() -> list[str]:
    """Lines of the table of optional units."""
    rows = []
    for record in _records("area-*"):
        report = record["report"]
        for made in report["engines"]:
            rows.append((report["board"], report["lanes"], made["units"],
                         report["learn_unit"] if made["units"] in ("learning", "all") else "",
                         f"{made['luts']} of {report['device_luts']}", made["ffs"],
                         f"{made['dsps']} of {report['device_multipliers']}",
                         f"{made['rams']} of {report['device_rams']}",
                         ", ".join(made["lacking"]) or "nothing", f"`{record['command']}`"))
    if not rows:
        return []
    return ["## Optional units", "", "Cells of the top level of a board, packed by nextpnr, with "
            "the engine of its preset and with other optional units. Where something is lacking, "
            "the engine does not fit the device.", "",
            *markdown_table(("board", "lanes", "units", "learning unit", "logic cells",
                             "flip-flops", "multipliers", "block RAM", "lacking", "command"),
                            rows)]


def _ran():
    parts = []
    runs, trained, tested = (_records(f"board-{kind}-*") for kind in ("run", "train", "selftest"))
    if runs:
        parts += markdown_table(
            ("engine", "network", "data", "images", "accuracy", "signature", "cycles an image",
             "bytes moved", "words of what is sent", "effective rate", "command"),
            [(_engine(r), r["report"]["network"], r["report"]["data"], r["report"]["images"],
              f"{r['report']['accuracy']:.4f}", r["report"]["signature"],
              "" if r["report"]["mean_cycles"] is None else f"{r['report']['mean_cycles']:.0f}",
              r["report"]["bytes_moved"], f"{100 * r['report']['line_share']:.1f} %",
              f"{100 * r['report']['effective_rate']:.1f} %", f"`{r['command']}`") for r in runs])
        parts += [_RATE, ""]
    if trained:
        parts += markdown_table(
            ("engine", "layers", "images", "epochs", "test accuracy by epoch", "on the device",
             "signature", "command"),
            [(_engine(r), "-".join(map(str, r["report"]["layers"])), r["report"]["images"],
              r["report"]["epochs"],
              ", ".join(f"{100 * (1 - e):.1f} %" for e in r["report"]["test_errors"]),
              f"{100 * r['report']['device_accuracy']:.1f} %", r["report"]["signature"],
              f"`{r['command']}`") for r in trained])
    for record in tested:
        report = record["report"]
        parts += [f"`{record['command']}`, engine {_engine(record)}:", ""]
        parts += markdown_table(("check", "", "found"),
                                [(c["name"], _verdict(c), c["detail"])
                                 for c in report["checks"]])
        if "abuse" in report:
            parts += [_abused(report["abuse"]), ""]
    return [*(parts or ["Nothing is recorded yet.", ""]), *_systems()]


def _systems():
    """Lines of the table of systems on full engines, by :mod:`bench.board_systems`."""
    rows = [(record["report"]["config_hash"], _found(record["report"]), f"`{record['command']}`")
            for record in _records("system-*")]
    if not rows:
        return []
    return ["Every system on a full engine, by the commands of "
            "[first board](first-board.md#every-system); the fixed executor found the same.", "",
            *markdown_table(("engine", "found", "command"), rows)]


def _found(report):
    """What a command found, in words."""
    if "repair" in report:
        repair, samples = report["repair"], report["samples"]
        return (f"{samples['count']} samples, signature {samples['signature']}; "
                f"{repair['images']} images repaired, wrong pixels from "
                f"{100 * repair['wrong_before']:.2f} % to {100 * repair['wrong_after']:.2f} %, "
                f"signature {repair['signature']}")
    if "cosines" in report:
        last = ", ".join(f"{name} {values[-1]:.4f}" for name, values in report["cosines"].items())
        return f"cosine after {len(report['signatures'])} steps: {last}"
    if "correlation" in report:
        return (f"correlation {report['correlation']:.4f}, amplitude {report['amplitude']:.3f}, "
                f"of other neurons {report['control']:.3f}; signature {report['signature']}")
    if "error_is" in report:
        return (f"{report['error_is']}: {100 * report['test_error']:.2f} %; signature "
                f"{report['signature']}")
    accuracy = report.get("device_accuracy", report.get("accuracy"))
    return f"test accuracy {100 * accuracy:.2f} %; signature {report['signature']}"


def _engine(record):
    """Hash of the engine of a record, and whether it is one of today."""
    lines = record["report"]["config_hash"]
    return lines + ("" if lines in {config.hash for config in PRESETS.values()} else " (older)")


def _abused(abuse):
    sent = ", ".join(f"{n} {kind}" for kind, n in sorted(abuse["sent"].items()))
    frames = ", ".join(f"{n} {name}" for name, n in sorted(abuse["statuses"].items()))
    return (f"Sent: {sent}. Frames in it, by outcome: {frames}; those cut short by the "
            f"next flag are not answered. {abuse['refused']} were refused, as many as the board "
            f"counted. Afterwards {abuse['compared']} words of memory were compared, "
            f"{abuse['wrong']} were wrong.")


def _verdict(check):
    return "FAILED" if not check["good"] else "ok" if check["ran"] else "left out"


def boards() -> str:
    """The page."""
    parts = ["# Boards", "", _INTRO, ""]
    rows = []
    for board in BOARDS.values():
        config = preset(board.preset)
        rows.append((f"`{board.name}`", board.title, board.device.name, f"{board.clock / 1e6:g}",
                     board.baud, fastest_baud(board), f"`{board.preset}`", config.width,
                     config.width * config.weight_depth))
    parts += markdown_table(("board", "what it is", "device", "clock, MHz", "bits a second",
                             "at most, simulated", "preset", "lanes", "weights"), rows)
    parts += [_LINES, ""]
    parts += markdown_table(("board", "external adapter at", "before the first use"),
                            [(f"`{b.name}`", b.adapter or "not needed", b.prepare or "")
                             for b in BOARDS.values() if b.adapter or b.prepare])
    parts += markdown_table(("board", "until power off", "for good"),
                            [(f"`{b.name}`", *(f"`{' '.join(words)}`" if words else ""
                                               for words in (b.sram, b.flash)))
                             for b in BOARDS.values()])
    parts += ["## Systems", "", _SYSTEMS, "", *_matrix()]
    parts += ["## Built", "", _BUILT, "", *_built()]
    parts += ["## On virtual boards", "", "`apical board serve --sim` runs the top level that "
              "`apical build` builds, pins included, in Verilator. The line of an ECP5 board was "
              "simulated at 10,000,000 bits a second (`--baud`), which takes a fifth of the time.",
              "", *_ran()]
    parts += [_NEW]
    return "\n".join(parts).rstrip() + "\n"
