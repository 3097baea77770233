"""The common style of figures, with colours that suit every kind of colour vision (Okabe and Ito, 2008)."""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogFormatter

# Okabe and Ito's colours, with grey in the place of yellow, which is invisible on white.
COLORS = ("#0072b2", "#d55e00", "#009e73", "#e69f00", "#56b4e9", "#cc79a7", "#000000", "#7f7f7f")
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
DASHES = ((0, (6, 3)), (0, (1, 1.5)), (0, (6, 2, 1, 2)))
# Text of 12 points in a figure 7 inches wide is legible at half that width.
LOOK = {
    "font.size": 12,
    "axes.titlesize": 12,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "grid.alpha": 0.3,
    "lines.linewidth": 1.8,
    "lines.markersize": 6,
    "legend.frameon": False,
    "text.parse_math": False,  # see words.as_written
    "svg.hashsalt": "atelier",  # equal figures give equal files
}


def style(index: int) -> dict[str, Any]:
    """Colour and marker of the setting at `index`; from the ninth on, colours 2 to 8 repeat with other markers."""
    place = index if index < len(COLORS) else 1 + (index - len(COLORS)) % (len(COLORS) - 1)
    return {"color": COLORS[place], "marker": MARKERS[(index + 3 * (index // len(COLORS))) % len(MARKERS)]}


@contextmanager
def look() -> Iterator[None]:
    """Inside this context, figures have the common style."""
    with rc_context(LOOK):  # type: ignore[arg-type]
        yield


def write_png(figure: Figure, path: Path, dpi: int = 150) -> None:
    """Write a PNG file of `dpi` dots per inch: the one that `savefig` writes, which draws the figure twice."""
    figure.set_dpi(dpi)
    FigureCanvasAgg(figure).print_png(path)


def save(figure: Figure, path: Path) -> None:
    """Write `path`.png (150 dots per inch) and `path`.svg, with one layout for both."""
    write_png(figure, path.with_suffix(".png"))
    figure.set_layout_engine("none")
    FigureCanvasSVG(figure).print_svg(path.with_suffix(".svg"), metadata={"Date": None})


def wide_range(metric: str, values: list[float]) -> bool:
    """Whether a logarithmic axis suits these values of a metric; never for shares, such as accuracies.

    >>> wide_range("val/loss", [2.3, 0.05]), wide_range("val/accuracy", [0.03, 0.85])
    (True, False)
    """
    share = re.search("accuracy|within_", metric)
    return not share and bool(values) and min(values) > 0 and max(values) > 20 * min(values)


def scale_upright(axes: Axes, metric: str, values: list[float]) -> bool:
    """Make the y-axis logarithmic, with plain numbers, if the metric's `values` need it; return whether they do."""
    if wide := wide_range(metric, values):
        axes.set_yscale("log")
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axes.yaxis.set_minor_formatter(LogFormatter())
    return wide


def draw_references(axes: Axes, reference: Mapping[str, float], upright: bool = False) -> None:
    """Draw a dashed line at each value {name for the legend: value}; `upright`: vertical lines."""
    for index, (label, value) in enumerate(reference.items()):
        line = axes.axvline if upright else axes.axhline
        line(value, label=str(label), color="#444444", linestyle=DASHES[index % len(DASHES)], linewidth=1.4, zorder=1.5)
