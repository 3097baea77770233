"""Colours that differ for every kind of colour vision (Okabe and Ito, 2008), and how a figure looks and is saved."""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

# Okabe and Ito's, without their yellow, which is lost on white; a grey in its place.
COLORS = ("#0072b2", "#d55e00", "#009e73", "#e69f00", "#56b4e9", "#cc79a7", "#000000", "#7f7f7f")
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
DASHES = ((0, (6, 3)), (0, (1, 1.5)), (0, (6, 2, 1, 2)))
# Letters of 12 points on a page 7 inches wide are still read at half that width.
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
    "svg.hashsalt": "atelier",  # equal figures give equal files
}


def style(index: int) -> dict[str, Any]:
    """Colour and marker of the setting at `index`; from the ninth on, all colours but the first again, marked anew."""
    place = index if index < len(COLORS) else 1 + (index - len(COLORS)) % (len(COLORS) - 1)
    return {"color": COLORS[place], "marker": MARKERS[(index + 3 * (index // len(COLORS))) % len(MARKERS)]}


@contextmanager
def look() -> Iterator[None]:
    """Figures made and saved in here look alike."""
    with rc_context(LOOK):  # type: ignore[arg-type]
        yield


def save(figure: Figure, path: Path) -> None:
    """Write `path`.png, at 150 dots per inch, and `path`.svg."""
    figure.savefig(path.with_suffix(".png"), dpi=150)
    figure.savefig(path.with_suffix(".svg"), metadata={"Date": None})


def wide_range(metric: str, values: list[float]) -> bool:
    """Whether a logarithmic axis shows these values better: of a share, one reads the distance to 1.

    >>> wide_range("val/loss", [2.3, 0.05]), wide_range("val/accuracy", [0.03, 0.85])
    (True, False)
    """
    share = re.search("accuracy|within_", metric)
    return not share and bool(values) and min(values) > 0 and max(values) > 20 * min(values)


def scale_upright(axes: Axes, metric: str, values: list[float]) -> bool:
    """Make the upright axis logarithmic, with plain numbers, where the metric's `values` need that; tells whether."""
    if wide := wide_range(metric, values):
        axes.set_yscale("log")
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    return wide


def draw_references(axes: Axes, reference: Mapping[str, float], upright: bool = False) -> None:
    """A dashed line at each value, with its name for the legend."""
    for index, (label, value) in enumerate(reference.items()):
        line = axes.axvline if upright else axes.axhline
        line(value, label=str(label), color="#444444", linestyle=DASHES[index % len(DASHES)], linewidth=1.4, zorder=1.5)
