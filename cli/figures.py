"""Drawing of figures and images, with matplotlib."""

from __future__ import annotations

import base64
import io
import math
from pathlib import Path

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure as Canvas


def draw(figure, folder) -> Path:
    """Draw one figure as PNG.

    Parameters
    ----------
    figure : apical.golden.claims.Figure
    folder : path-like

    Returns
    -------
    Path
        Of the file, named by the figure.
    """
    path = Path(folder) / f"{figure.name}.png"
    path.write_bytes(drawn(figure))
    return path


def drawn(figure) -> bytes:
    """One figure as a PNG."""
    if figure.images:
        canvas = _images(figure)
    else:
        canvas = Canvas(figsize=(6.4, 4.2), layout="constrained")
        axes = canvas.add_subplot()
        for name, (x, y) in figure.lines.items():
            axes.plot(x, y, label=name)
        for name, (x, y) in figure.points.items():
            axes.plot(x, y, "o", markersize=4, label=name)
        axes.set(title=figure.title, xlabel=figure.x_label, ylabel=figure.y_label)
        if figure.log_x:
            axes.set_xscale("log")
        if figure.log_y:
            axes.set_yscale("log")
        axes.grid(alpha=0.3)
        if len(figure.lines) + len(figure.points) > 1:
            axes.legend()
    return _png(canvas)


def embedded(figure) -> str:
    """One figure as the text of an image, ``data:image/png;base64,...``, which needs no file."""
    return f"data:image/png;base64,{base64.b64encode(drawn(figure)).decode()}"


def _png(canvas):
    memory = io.BytesIO()
    FigureCanvasAgg(canvas).print_figure(memory, dpi=110, format="png")
    return memory.getvalue()


def _images(figure):
    columns = min(len(figure.images), 10)
    rows = -(-len(figure.images) // columns)
    canvas = Canvas(figsize=(1.1 * columns, 1.25 * rows + 0.4), layout="constrained")
    canvas.suptitle(figure.title)
    for number, (name, image) in enumerate(figure.images):
        axes = canvas.add_subplot(rows, columns, number + 1)
        axes.imshow(image, cmap="gray", interpolation="nearest")
        axes.set_title(name, fontsize=7)
        axes.set_axis_off()
    return canvas


def panels(parts) -> bytes:
    """Images of one size as a PNG: panels below each other, each a grid of images.

    Parameters
    ----------
    parts : sequence of (str, list of (str, ndarray of shape (n, width)))
        Title of a panel and its rows of images, each with a label; a single row without a label is
        broken into a grid.  Widths that are no square are drawn as lines.
    """
    grids = [(title, *_grid(rows)) for title, rows in parts]
    heights = [grid.shape[0] / grid.shape[1] for _, grid, _ in grids]
    canvas = Canvas(figsize=(6.4, 6.4 * sum(heights) + 0.4 * len(grids)), layout="constrained")
    found = canvas.subplots(len(grids), squeeze=False, height_ratios=heights)[:, 0]
    for axes, (title, grid, labels) in zip(found, grids, strict=True):
        axes.imshow(grid, cmap="gray", vmin=0, vmax=1, interpolation="nearest")
        axes.set_title(title, fontsize=9)
        axes.set_xticks([])
        axes.set_yticks([at for at, _ in labels], [text for _, text in labels], fontsize=8)
        axes.tick_params(length=0)
    return _png(canvas)


def _grid(rows):
    """(images in a grid with lines of grey between them, (centre, label) of each row)."""
    if len(rows) == 1 and not rows[0][0]:
        images = rows[0][1]
        columns = math.ceil(math.sqrt(len(images) * 2))
        rows = [("", images[at:at + columns]) for at in range(0, len(images), columns)]
    width = rows[0][1].shape[1]
    side = math.isqrt(width)
    tall, wide = (side, side) if side * side == width else (1, width)
    columns = max(len(images) for _, images in rows)
    grid = np.full((len(rows) * (tall + 1) + 1, columns * (wide + 1) + 1), 0.5)
    for number, (_, images) in enumerate(rows):
        top = 1 + number * (tall + 1)
        for column, image in enumerate(images):
            left = 1 + column * (wide + 1)
            grid[top:top + tall, left:left + wide] = image.reshape(tall, wide)
    return grid, [((number + 0.5) * (tall + 1), text) for number, (text, _) in enumerate(rows)
                  if text]
