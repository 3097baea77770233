"""Small multiples: divides settings into panels if there are too many for a single panel."""

import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from atelier.figures.words import describe_values

MOST = 8  # settings in a panel, the number of colours
PANELS = 12  # values of a key that divides the settings; more panels would be too small
WIDEST = 15.0  # inches, width of a figure; the text of a wider figure is illegible on a page
SMALL = 3.2  # inches, width of a small panel
TITLE = 26  # characters of a small panel's title in a line


def partition(
    values: Sequence[Mapping[str, str | None]], apart: str | None = None
) -> list[tuple[str | None, list[int]]]:
    """Divide the settings with these values into panels: [(key whose value the panel has, indices of settings), …].

    All settings are in a single panel if they fit; else there is a panel for each value of the key that needs the
    fewest panels; else a panel for each setting. The key is None for a single panel, and for a panel of each setting.

    Args:
        apart: a key: always draw a panel for each of its values; or "setting": always a panel for each setting.
    """
    everything = list(range(len(values)))
    if apart == "setting":
        return [(None, [index]) for index in everything]
    if apart is not None:
        return [(apart, members) for members in by_value(values, apart).values()]
    if len(values) <= MOST:
        return [(None, everything)]
    candidates = []
    for key in dict.fromkeys(key for one in values for key in one):
        split = by_value(values, key)
        if 1 < len(split) <= PANELS and max(map(len, split.values())) <= MOST:
            candidates.append((len(split), key, list(split.values())))
    if not candidates:
        return [(None, [index]) for index in everything]
    _, key, parts = min(candidates, key=lambda candidate: candidate[0])
    return [(key, part) for part in parts]


def by_value(values: Sequence[Mapping[str, str | None]], key: str) -> dict[str | None, list[int]]:
    """{value of the key: indices of its settings}."""
    split: dict[str | None, list[int]] = {}
    for index, one in enumerate(values):
        split.setdefault(one.get(key), []).append(index)
    return split


def without(values: Mapping[str, str | None], key: str | None) -> dict[str, str | None]:
    return {name: value for name, value in values.items() if name != key}


def title(values: Mapping[str, str | None], key: str | None) -> str:
    """The title of a panel for a value of `key`."""
    return describe_values({key: values.get(key)}) if key else ""


def grid(
    count: int,
    legend: Sequence[str] = (),
    size: tuple[float, float] = (7.0, 4.2),
    small: tuple[float, float] = (SMALL, 2.8),
) -> tuple[Figure, list[Axes]]:
    """A figure of `count` panels with common axes: a panel of `size` inches, or several panels of `small` inches.

    A row has up to four panels, and is at most WIDEST inches wide.

    Args:
        legend: labels of the legend below, for which the figure gets higher.
    """
    columns = 1 if count == 1 else 2 if count in (2, 4) else 3 if count <= 9 else 4
    columns = min(columns, max(1, int(WIDEST / small[0])))
    rows = -(-count // columns)
    width = size[0] if count == 1 else max(7.0, small[0] * columns)
    height = size[1] if count == 1 else small[1] * rows
    below = 0.27 * -(-len(legend) // legend_columns(legend, width)) if legend else 0.0
    figure = Figure(figsize=(width, height + below), layout=ConstrainedLayoutEngine(w_pad=0.08, h_pad=0.08))
    panels = list(figure.subplots(rows, columns, squeeze=False, sharex=True, sharey=True).ravel())
    for panel in panels[count:]:
        panel.set_axis_off()
    return figure, panels[:count]


def name_panel(axis: Axes, title: str) -> None:
    """Set the title of a panel, broken into lines that do not overlap the titles of its neighbours."""
    spec = axis.get_subplotspec()
    figure = axis.get_figure()
    width = figure.get_figwidth() / spec.get_gridspec().ncols if spec and isinstance(figure, Figure) else SMALL
    axis.set_title(textwrap.fill(title, int(TITLE * max(width / SMALL, 1.0))))


def name_axes(axes: Sequence[Axes], x: str, y: str) -> None:
    """Label the x-axis of the lowest panel in each column, and the y-axis of the first panel in each row."""
    spec = axes[0].get_subplotspec()
    columns = spec.get_gridspec().ncols if spec else 1
    for lowest in axes[-columns:]:  # includes panels above the empty places of the last row
        lowest.tick_params(labelbottom=True)
        lowest.set_xlabel(x)
    for first in axes[::columns]:
        first.set_ylabel(y if len(axes) == 1 else textwrap.fill(y, TITLE))


def legend_below(figure: Figure, axes: Sequence[Axes]) -> None:
    """Draw a common legend of all panels, without duplicates, in as many columns as fit."""
    found: dict[str, Any] = {}
    for panel in axes:
        for handle, label in zip(*panel.get_legend_handles_labels(), strict=True):
            found.setdefault(str(label), handle)
    if found:
        columns = legend_columns(list(found), figure.get_figwidth())
        figure.legend(handles=list(found.values()), labels=list(found), loc="outside lower center", ncols=columns)


def legend_columns(labels: Sequence[str], width: float) -> int:
    """The number of columns, at most four, of a legend with these labels in a figure `width` inches wide."""
    longest = max(len(label) for label in labels) * 0.095 + 0.65  # inches: text of 12 points, and the line's sample
    return max(1, min(4, int(width / longest), len(labels)))
