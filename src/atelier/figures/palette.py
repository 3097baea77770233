"""The colours, markers and common lines of figures, and the files in which they are saved."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_pdf import FigureCanvasPdf
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogFormatter, MaxNLocator

from atelier.figures.look import common_colors, present

COLORS = common_colors()
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
DASHES = ((0, (6, 3)), (0, (1, 1.5)), (0, (6, 2, 1, 2)))


def color(index: int) -> str:
    """The colour at `index` of the present style, whose colours repeat."""
    colors = present().colors
    return colors[index % len(colors)]


def style(index: int) -> dict[str, Any]:
    """Colour and marker of the setting at `index`; from the ninth on, colours 2 to 8 repeat with other markers."""
    count = len(present().colors)
    place = index if index < count else 1 + (index - count) % max(1, count - 1)
    return {"color": color(place), "marker": MARKERS[(index + 3 * (index // len(MARKERS))) % len(MARKERS)]}


def write_png(figure: Figure, path: Path, dpi: int = 150) -> None:
    """Write a PNG file of `dpi` dots per inch: the one that `savefig` writes, which draws the figure twice."""
    figure.set_dpi(dpi)
    FigureCanvasAgg(figure).print_png(path)


def save(figure: Figure, path: Path) -> None:
    """Write `path`.png (150 dots per inch) and `path`.svg; for a paper, with 300 dots per inch, and `path`.pdf.

    All have one layout.
    """
    paper = present().width is not None
    write_png(figure, path.with_suffix(".png"), dpi=300 if paper else 150)
    figure.set_layout_engine("none")
    FigureCanvasSVG(figure).print_svg(path.with_suffix(".svg"), metadata={"Date": None})
    if paper:
        FigureCanvasPdf(figure).print_pdf(path.with_suffix(".pdf"), metadata={"CreationDate": None})


def wide_range(metric: str, values: list[float]) -> bool:
    """Whether a logarithmic axis suits these values of a metric; never for shares that are good when large.

    >>> wide_range("val/loss", [2.3, 0.05]), wide_range("val/accuracy", [0.03, 0.85])
    (True, False)
    >>> wide_range("test/macro_f1", [0.03, 0.85]), wide_range("test/recall", [0.01, 0.5])
    (False, False)
    """
    share = re.search("accuracy|within_|macro_f1|auroc|precision|recall|_share|_softmax", metric)
    return not share and bool(values) and min(values) > 0 and max(values) > 20 * min(values)


def scale_upright(axes: Axes, metric: str, values: list[float]) -> bool:
    """Make the y-axis logarithmic, with plain numbers, if the metric's `values` need it; return whether they do."""
    if wide := wide_range(metric, values):
        axes.set_yscale("log")
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axes.yaxis.set_minor_formatter(LogFormatter())
    return wide


def whole_ticks(axes: Axes, most: int) -> None:
    """Number the x-axis, of epochs, steps or trials, by at most `most` + 1 whole numbers; it may have only one."""
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=most, min_n_ticks=1))


def draw_references(axes: Axes, reference: Mapping[str, float], upright: bool = False) -> None:
    """Draw a dashed line at each value {name for the legend: value}; `upright`: vertical lines."""
    for index, (label, value) in enumerate(reference.items()):
        line = axes.axvline if upright else axes.axhline
        line(value, label=str(label), color="#444444", linestyle=DASHES[index % len(DASHES)], linewidth=1.4, zorder=1.5)
