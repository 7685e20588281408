"""Drawing of the figures of ``apical reproduce``, with matplotlib."""

from __future__ import annotations

import base64
import io
from pathlib import Path

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
    FigureCanvasAgg(_canvas(figure)).print_figure(path, dpi=110)
    return path


def embedded(figure) -> str:
    """One figure as the text of an image, for a page that needs no other file.

    Returns
    -------
    str
        ``data:image/png;base64,...``
    """
    stream = io.BytesIO()
    FigureCanvasAgg(_canvas(figure)).print_figure(stream, dpi=90)
    return f"data:image/png;base64,{base64.b64encode(stream.getvalue()).decode()}"


def _canvas(figure):
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
    return canvas


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
