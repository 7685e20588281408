"""Draws the data path of the README: ``python -m bench.data_path`` writes ``docs/data-path.svg``.

The same file comes out each time.  It has a light background of its own, so it reads alike in light
and dark themes.
"""

from __future__ import annotations

import argparse
from pathlib import Path

DOCS = Path(__file__).resolve().parent.parent / "docs"

INK, SOFT, PAPER = "#1f2933", "#52606d", "#fbfbf8"
#: Fill and edge of boxes: the user's part, floating point, raw integers, gateware, verdict.
USER, FLOAT, FIXED, GATEWARE, VERDICT = (
    ("#fff3d6", "#b7791f"), ("#e3f0fb", "#2b6cb0"), ("#e2f3ea", "#2f855a"),
    ("#ece8fa", "#6b46c1"), ("#fde6e3", "#c05640"))

#: Boxes: centre, width, height, colours, heading, lines below it.
BOXES = (
    (1.45, 5.15, 2.4, 2.3, USER, "Described once",
     ("network: populations,", "connections, weights", "program: settle, nudge,",
      "decide, learn", "images")),
    (6.95, 6.6, 3.9, 0.95, FLOAT, "Float executor", ("real numbers, as the equations say",)),
    (6.95, 5.0, 3.9, 1.2, FIXED, "Fixed executor",
     ("raw integers: the reference", "computes every write beforehand")),
    (1.45, 2.5, 1.7, 1.2, GATEWARE, "Assembler", ("instructions,", "memory images")),
    (4.95, 2.5, 1.6, 1.2, GATEWARE, "Sequencer", ("one operation", "after another")),
    (7.05, 2.5, 1.6, 1.2, GATEWARE, "Lanes", ("multiply,", "add exactly")),
    (9.15, 2.5, 1.6, 1.2, GATEWARE, "Unit pipeline", ("update,", "round, clip")),
    (7.05, 0.85, 1.6, 0.75, GATEWARE, "Weights", ("learned in place",)),
    (9.15, 0.85, 1.6, 0.75, GATEWARE, "States", ("settle",)),
    (12.1, 5.0, 1.9, 1.5, VERDICT, "Compared", ("every value of", "every write,", "bit for bit")),
)
#: Arrows: points they go through, text, its place.
ARROWS = (
    (((2.65, 5.75), (3.55, 6.6), (5.0, 6.6)), "", None),
    (((2.65, 5.0), (5.0, 5.0)), "rounded once", (3.8, 5.0)),
    (((1.45, 4.0), (1.45, 3.1)), "", None),
    (((2.3, 2.5), (4.15, 2.5)), "host port", (3.05, 2.5)),
    (((5.75, 2.5), (6.25, 2.5)), "", None),
    (((7.85, 2.5), (8.35, 2.5)), "", None),
    (((9.15, 1.9), (9.15, 1.23)), "", None),
    (((8.35, 1.05), (7.7, 1.9)), "", None),
    (((7.05, 1.23), (7.05, 1.9)), "", None),
    (((9.95, 0.85), (12.1, 0.85), (12.1, 4.25)), "trace of writes,\nsignature", (12.1, 2.5)),
    (((8.9, 5.0), (11.15, 5.0)), "expected writes", (9.95, 5.0)),
)


def draw():
    """The figure, in units of about 2 cm."""
    import matplotlib
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.patches import FancyBboxPatch

    # Shapes instead of fonts: the same picture everywhere; the salt makes names repeatable.
    matplotlib.rcParams.update({"svg.fonttype": "path", "svg.hashsalt": "apical",
                                "font.family": "DejaVu Sans"})
    width, height = 13.3, 7.35
    figure = Figure(figsize=(width * 0.8, height * 0.8))
    FigureCanvasAgg(figure)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(0, width), ylim=(0, height))
    axes.axis("off")

    def box(x, y, w, h, colours, heading, lines, **style):
        axes.add_patch(FancyBboxPatch(
            (x - w / 2, y - h / 2), w, h, boxstyle="round,pad=0,rounding_size=0.12",
            facecolor=colours[0], edgecolor=colours[1], linewidth=1.3, **style))
        step = 0.265
        top = y + step * len(lines) / 2
        axes.text(x, top, heading, ha="center", va="center", color=INK, fontsize=10.5,
                  fontweight="bold")
        for number, line in enumerate(lines, 1):
            axes.text(x, top - step * number - 0.03, line, ha="center", va="center", color=SOFT,
                      fontsize=8.6)

    axes.add_patch(FancyBboxPatch((0.06, 0.06), width - 0.12, height - 0.12, facecolor=PAPER,
                                  boxstyle="round,pad=0,rounding_size=0.2", edgecolor="#d8d8d0"))
    axes.add_patch(FancyBboxPatch((3.85, 0.25), 6.4, 3.4, facecolor="#f6f4fd",
                                  boxstyle="round,pad=0,rounding_size=0.15",
                                  edgecolor=GATEWARE[1], linestyle="--", linewidth=1.1))
    axes.text(4.05, 3.39, "Engine: gateware, simulated or on a board", color=GATEWARE[1],
              fontsize=9.5, fontweight="bold", va="center")
    axes.text(4.05, 0.8, "Program and weights are\nloaded: no new bitstream", color=SOFT,
              fontsize=8.6, va="center")
    for item in BOXES:
        box(*item)
    for points, text, place in ARROWS:
        for a, b in zip(points[:-2], points[1:-1], strict=True):
            axes.plot(*zip(a, b, strict=True), color=SOFT, linewidth=1.4,
                      solid_capstyle="round")
        axes.annotate("", points[-1], points[-2],
                      arrowprops={"arrowstyle": "-|>,head_width=0.22,head_length=0.45",
                                  "color": SOFT, "linewidth": 1.4, "shrinkA": 0, "shrinkB": 0})
        if text:
            axes.text(*place, text, ha="center", va="center", color=SOFT, fontsize=8.6,
                      bbox={"facecolor": PAPER, "edgecolor": "none", "pad": 1.5})
    return figure


def main():
    """Write the picture."""
    parser = argparse.ArgumentParser(prog="python -m bench.data_path", description=__doc__)
    parser.add_argument("path", nargs="?", default=DOCS / "data-path.svg", help="SVG or PNG file")
    path = Path(parser.parse_args().path)
    draw().savefig(path, dpi=150, transparent=True,
                   metadata={"Date": None} if path.suffix == ".svg" else {"Software": None})
    print(f"wrote {path}")


if __name__ == "__main__":
    main()
