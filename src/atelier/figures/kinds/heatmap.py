"""A heatmap of a metric over two swept keys: a cell for each pair of values, with the mean as colour and text."""

import math
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib import rcParams
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LogNorm, Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import FuncFormatter, LogFormatter

from atelier.errors import InputError
from atelier.figures import hover, panels
from atelier.figures.group import Group, as_listed, check_metric
from atelier.figures.look import present
from atelier.figures.palette import wide_range
from atelier.figures.words import (
    better_than,
    describe_values,
    in_order,
    key_titles,
    metric_words,
    number,
    sample,
    sentence,
    whole_number,
)
from atelier.runs.statistic import Statistic

MOST_PANELS = 12
LEAST = 4.5  # points; smaller numbers are not printed into a paper's cells
NARROW = 5.0  # inches; in a narrower figure, the colour bar is below the panels
COLORS = "viridis"  # lightness rises with the value, so that it is legible in grey


@dataclass(frozen=True)
class Panel:
    """A panel; `cells`: {(row, column): statistic of the runs}, without empty cells."""

    title: str
    cells: dict[tuple[str, str], Statistic]

    def best(self, mode: str | None) -> list[tuple[str, str]]:
        """The cells with the best mean, of those with the most runs: a cell of one run may be the best by chance.

        Empty if it is not known which is ("max", "min"), or all are alike.
        """
        choose = {"max": max, "min": min}.get(mode or "")
        most = max((one.n for one in self.cells.values()), default=0)
        means = {cell: one.mean for cell, one in self.cells.items() if one.mean is not None and one.n == most}
        if choose is None or len(set(means.values())) < 2:
            return []
        return [cell for cell, mean in means.items() if mean == choose(means.values())]


@dataclass(frozen=True)
class Heatmap:
    """The data of a heatmap; `rows` and `columns` are swept keys, `row_values` and `column_values` their values.

    `mode`: whether the metric is better large, "max", or small, "min"; None if that is not known.
    """

    metric: str
    mode: str | None
    rows: str
    columns: str
    row_values: list[str]
    column_values: list[str]
    panels: list[Panel]
    left_out: int = 0  # number of panels that are not drawn

    @property
    def titles(self) -> list[str]:
        """The words of `rows` and `columns`."""
        return list(key_titles([self.rows, self.columns]).values())


def gather(groups: Sequence[Group], /, metric: str, rows: str | None = None, columns: str | None = None) -> Heatmap:
    """
    Args:
        groups: the settings.
        rows, columns: two swept keys, by default the first two. Each combination of the other keys has a panel.

    Raises:
        InputError: if no run has `metric`, a key was not swept, or fewer than two keys were swept.
    """
    check_metric(groups, metric)
    groups = as_listed(groups)
    keys = list(dict.fromkeys(key for group in groups for key in group.values))
    for name, key in (("rows", rows), ("columns", columns)):
        if key is not None and key not in keys:
            raise InputError(f"{name}={key}: not swept; choose from: {', '.join(keys) or 'nothing was'}")
    rows = rows or next((key for key in keys if key != columns), None)
    columns = columns or next((key for key in keys if key != rows), None)
    if rows is None or columns is None or rows == columns:
        raise InputError(f"a heatmap needs two swept keys; there are: {', '.join(keys) or 'none'}")
    found: dict[str, dict[tuple[str, str], list[float]]] = {}
    for group in groups:
        rest = {key: value for key, value in group.values.items() if key not in (rows, columns)}
        title = describe_values(rest, among=group.values)
        cell = group.values.get(rows) or "not set", group.values.get(columns) or "not set"
        found.setdefault(title, {}).setdefault(cell, []).extend(group.score(metric).values)
    pages = [
        Panel(title, {cell: Statistic.of(values) for cell, values in cells.items() if values})
        for title, cells in list(found.items())[:MOST_PANELS]
    ]
    at = [cell for cells in found.values() for cell in cells]
    row_values, column_values = in_order(row for row, _ in at), in_order(column for _, column in at)
    mode = better_than(metric, *groups[0].objective)
    left_out = max(0, len(found) - MOST_PANELS)
    return Heatmap(metric, mode, rows, columns, row_values, column_values, pages, left_out)


def draw(heatmap: Heatmap) -> Figure:
    wide, high = len(heatmap.column_values), len(heatmap.row_values)
    size = max(6.0, 2.4 + 1.15 * wide), 1.6 + 0.62 * high
    small = max(3.2, 0.6 + 0.7 * wide), 0.9 + 0.55 * high
    figure, axes = panels.grid(len(heatmap.panels), size=size, small=small)
    means = [one.mean for panel in heatmap.panels for one in panel.cells.values() if one.mean is not None]
    norm = LogNorm(min(means), max(means)) if wide_range(heatmap.metric, means) else Normalize(min(means), max(means))
    colors = ScalarMappable(norm, COLORS)
    several = len(heatmap.panels) > 1
    down, across = heatmap.titles
    room = panels.panel_width(axes[0]) - (2 + max(map(len, heatmap.row_values))) * present().letter
    letters = lettering(heatmap, room, several)
    longest = (1 + max(map(len, heatmap.column_values))) * present().letter
    if turned := present().width is not None and longest * wide > room:
        figure.set_figheight(figure.get_figheight() + longest * -(-len(axes) // panels.columns_of(axes)))
    for axis, panel in zip(axes, heatmap.panels, strict=True):
        panels.name_panel(axis, panel.title)
        best = panel.best(heatmap.mode)
        for (row, column), one in panel.cells.items():
            y, x = heatmap.row_values.index(row), heatmap.column_values.index(column)
            red, green, blue, _ = colors.get_cmap()(norm(one.mean or 0.0))
            axis.fill_between([x - 0.5, x + 0.5], y - 0.5, y + 0.5, color=(red, green, blue), linewidth=0)
            ink = "black" if 0.299 * red + 0.587 * green + 0.114 * blue > 0.5 else "white"
            words = panel.title, f"{down} {row}", f"{across} {column}"
            hover.tell(axis, x, y, *words, number(one.mean, one.std), sample([one.n]))
            if letters:
                axis.text(x, y, in_cell(one, several), ha="center", va="center", color=ink, fontsize=letters)
            if (row, column) in best:  # inside of the cell, so that its neighbours do not cover it
                axis.add_patch(Rectangle((x - 0.46, y - 0.46), 0.92, 0.92, fill=False, edgecolor=ink, linewidth=1.5))
        axis.set_xticks(range(wide), heatmap.column_values, rotation=90 if turned else None)
        axis.set_yticks(range(high), heatmap.row_values)
        axis.set_xlim(-0.5, wide - 0.5)
        axis.set_ylim(high - 0.5, -0.5)
        axis.tick_params(length=0)
        axis.spines[:].set_visible(False)
    panels.name_axes(axes, across, down)
    # The aspect keeps the width of the colour bar constant.
    place: dict[str, Any] = {"aspect": 5 * figure.get_figheight()}
    if narrow := (present().width or math.inf) < NARROW:
        place = {"aspect": 30, "location": "bottom"}  # beside the panels, it would leave no room for the numbers
    bar = figure.colorbar(colors, ax=axes, label=textwrap.fill(metric_words(heatmap.metric), 24), **place)
    if isinstance(norm, LogNorm):  # Matplotlib's own labels are formulas
        scale = bar.ax.xaxis if narrow else bar.ax.yaxis
        scale.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        scale.set_minor_formatter(LogFormatter())
    return figure


def in_cell(one: Statistic, several: bool) -> str:
    """The text of a cell; without the deviation if there are several panels."""
    return whole_number(one.mean, None if several else one.std).replace(" ± ", "\n± ")


def lettering(heatmap: Heatmap, room: float, several: bool) -> str | float | None:
    """The size of the text in the cells, all `room` inches wide: a paper's is smaller if it must, or there is none."""
    if not present().width:
        return "small"  # the figure grows with the number of cells
    texts = [in_cell(one, several) for panel in heatmap.panels for one in panel.cells.values()]
    longest = max(len(line) for text in texts for line in text.splitlines())
    fitting = 72 * room / len(heatmap.column_values) / (0.65 * longest)  # points
    return None if fitting < LEAST else min(fitting, rcParams["font.size"] / 1.2)


def caption(heatmap: Heatmap) -> str:
    """The text below the figure."""
    counts = [one.n for panel in heatmap.panels for one in panel.cells.values()]
    spread = " ± one standard deviation" if len(heatmap.panels) == 1 else ""
    how = f": the mean over the runs ({sample(counts)}){spread}" if max(counts) > 1 else f", {sample(counts)}"
    framed = [panel for panel in heatmap.panels if panel.best(heatmap.mode)]
    several = len(heatmap.panels) > 1
    best = f"The best{' of each panel' * several}"
    if any(len({one.n for one in panel.cells.values()}) > 1 for panel in framed):
        best += f", of {'its' if several else 'the'} cells with the most runs,"
    best = f" {best} is framed." if framed else ""
    rest = f" The first {MOST_PANELS} panels; {heatmap.left_out} are left out." if heatmap.left_out else ""
    return f"{sentence(metric_words(heatmap.metric))} for each {' and '.join(heatmap.titles)}{how}.{best}{rest}"


def describe(heatmap: Heatmap) -> str:
    """The values of all cells as text, for readers who cannot see the figure."""
    told = [
        f"{', '.join(filter(None, (panel.title, row, column)))}: {number(one.mean, one.std)} ({one.n})"
        for panel in heatmap.panels
        for (row, column), one in panel.cells.items()
    ]
    axes = " and ".join(heatmap.titles)
    return f"The {metric_words(heatmap.metric)} for {axes}, mean ± deviation (runs): {'; '.join(told)}."
