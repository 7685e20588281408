"""docs/results.md: engines of the boards beside bare arrays and another generator."""

from __future__ import annotations

from apical.hw.export.verilog import markdown_table

_INTRO = """\
Peak rates: one product a lane and cycle at the clock. A *bare array* is weights, multipliers and
accumulators of a device and nothing else (`bench/peers/arrays.py`), placed and routed: what these
tools give at most. *NNgen* reads weights from outside for every inference
(`bench/peers/nngen_mlp.py`); its cells are packed, not placed, so it has no clock here. Images a
second are those of 784-64-10 on MNIST, at the clock of the board."""


def peers(records) -> list:
    """Lines of the section; `records` gives the records of a pattern of names."""
    images = {}
    for record in records("cosim-mnist-*"):
        found = record["report"]
        images[found["config_hash"]] = found["mean_cycles"], record["command"]
    rows = []
    for record in records("peers-array-*"):
        made = record["report"]
        rows.append(("bare array", made["device"], made["lanes"], made["fmax_mhz"],
                     made["gmac_per_second"], made["cells_per_lane"], "", "",
                     f"`{record['command']}`"))
    for record in records("build-*"):
        made = record["report"]
        lanes = made["lanes"] * made["config"].get("tiles", 1)
        cycles, command = images.get(made["config_hash"], (None, ""))
        rows.append((f"Apical, {made['board']}, {made['preset']}", made["device"], lanes,
                     made["clock_mhz"], lanes * made["clock_mhz"] / 1000, made["luts"] / lanes,
                     cycles, cycles and 1e6 * made["clock_mhz"] / cycles,
                     f"`{record['command']}`" + (f", `{command}`" if command else "")))
    for record in records("peers-nngen-*"):
        made = record["report"]
        rows.append((f"NNgen, {made['width']} bit, bus of {made['bus']} bits", "LFE5U-25F",
                     made["multipliers"], None, None, made["cells_per_lane"], made["cycles"], None,
                     f"`{record['command']}`"))
    heads = ("design", "device", "lanes", "clock, MHz", "GMAC/s", "logic cells a lane",
             "cycles an image", "images/s", "command")
    return ["## Beside other designs", "", _INTRO, "",
            *markdown_table(heads, [[_shown(value) for value in row] for row in rows])]


def _shown(value):
    return f"{value:.4g}" if isinstance(value, float) and value < 1e4 else \
        f"{value:.0f}" if isinstance(value, float) else "" if value is None else value
