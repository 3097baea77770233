"""Small multiples: divides settings into panels if there are too many for a single panel."""

import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import MaxNLocator

from atelier.figures.look import present
from atelier.figures.words import describe_values

MOST = 8  # settings in a panel, the number of colours
PANELS = 12  # values of a key that divides the settings; more panels would be too small
WIDEST = 15.0  # inches, width of a figure; the text of a wider figure is illegible on a page
SMALL = 3.2  # inches, width of a small panel
NARROWEST = 0.75  # of SMALL, for a panel in a paper
TITLE = 26  # characters of a small panel's title in a line
LABELS = 0.42  # of the width of a paper's figure of `rows`, for the labels
SAMPLE = 0.65  # inches, the sample of a line beside its label in a legend, with text of 12 points


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
    return describe_values({key: values.get(key)}, among=values) if key else ""


def layout() -> ConstrainedLayoutEngine:
    pad = 0.08 * present().scale  # inches
    return ConstrainedLayoutEngine(w_pad=pad, h_pad=pad)


def grid(
    count: int,
    legend: Sequence[str] = (),
    size: tuple[float, float] = (7.0, 4.2),
    small: tuple[float, float] = (SMALL, 2.8),
) -> tuple[Figure, list[Axes]]:
    """A figure of `count` panels with common axes: a panel of `size` inches, or several panels of `small` inches.

    A row has up to four panels, and is at most WIDEST inches wide; for a paper, it has the paper's width.

    Args:
        legend: labels of the legend below, for which the figure gets higher.
    """
    form = present()
    columns = 1 if count == 1 else 2 if count in (2, 4) else 3 if count <= 9 else 4
    columns = min(columns, fitting_columns(small[0]))
    rows = -(-count // columns)
    width = form.width or (size[0] if count == 1 else max(7.0, small[0] * columns))
    height = form.scale * (size[1] if count == 1 else small[1] * rows)
    height += legend_height(legend, width)
    figure = Figure(figsize=(width, height), layout=layout())
    panels = list(figure.subplots(rows, columns, squeeze=False, sharex=True, sharey=True).ravel())
    for panel in panels[count:]:
        panel.set_axis_off()
    return figure, panels[:count]


def fitting_columns(small: float = SMALL) -> int:
    """The number of panels of `small` inches that fit into a row; a paper's may be narrower."""
    form = present()
    return max(1, int(form.width / (NARROWEST * form.scale * small) if form.width else WIDEST / small))


def panel_width(axis: Axes) -> float:
    """The width of an axis with its labels, in inches."""
    figure = axis.get_figure()
    return figure.get_figwidth() / columns_of([axis]) if isinstance(figure, Figure) else SMALL


def columns_of(axes: Sequence[Axes]) -> int:
    """The number of columns of the grid of these axes."""
    spec = axes[0].get_subplotspec()
    return spec.get_gridspec().ncols if spec else 1


def name_panel(axis: Axes, title: str) -> None:
    """Set the title of a panel, broken into lines that do not overlap the titles of its neighbours."""
    room = panel_width(axis) / (SMALL * present().text)
    axis.set_title(textwrap.fill(title, int(TITLE * (room if present().width else max(room, 1.0)))))


def name_axes(axes: Sequence[Axes], x: str, y: str) -> None:
    """Label the x-axis of the lowest panel in each column, and the y-axis of the first panel in each row."""
    columns = columns_of(axes)
    for lowest in axes[-columns:]:  # includes panels above the empty places of the last row
        lowest.tick_params(labelbottom=True)
        lowest.set_xlabel(fitted(x, panel_width(lowest)))
    for first in axes[::columns]:
        first.set_ylabel(y if len(axes) == 1 and not present().width else textwrap.fill(y, TITLE))


def fitted(text: str, room: float) -> str:
    """For a paper, a text in lines that fit into `room` inches; else the text, for which the figure grows."""
    form = present()
    if not form.width:
        return text
    width = max(8, int(room / form.letter))
    return "\n".join(textwrap.fill(line, width) for line in text.splitlines())


def legend_below(figure: Figure, axes: Sequence[Axes]) -> None:
    """Draw a common legend of all panels, without duplicates, in as many columns as fit."""
    found: dict[str, Any] = {}
    for panel in axes:
        for handle, label in zip(*panel.get_legend_handles_labels(), strict=True):
            found.setdefault(str(label), handle)
    if found:
        width = figure.get_figwidth()
        columns = legend_columns(list(found), width)
        labels = [legend_label(label, width) for label in found]
        figure.legend(handles=list(found.values()), labels=labels, loc="outside lower center", ncols=columns)


def legend_columns(labels: Sequence[str], width: float) -> int:
    """The number of columns, at most four, of a legend with these labels in a figure `width` inches wide."""
    form = present()
    longest = max(len(label) for label in labels) * form.letter + SAMPLE * form.text
    return max(1, min(4, int(width / longest), len(labels)))


def legend_label(label: str, width: float) -> str:
    """A label in lines that fit into a figure `width` inches wide."""
    return fitted(label, width - SAMPLE * present().text)


def legend_height(labels: Sequence[str], width: float) -> float:
    """The height in inches of a legend with these labels below a figure `width` inches wide."""
    if not labels:
        return 0.0
    lines = max(legend_label(label, width).count("\n") + 1 for label in labels)
    return 0.27 * present().text * lines * -(-len(labels) // legend_columns(labels, width))


def rows(labels: Sequence[str], legend: Sequence[str] = ()) -> tuple[Figure, Axes]:
    """A figure with a row for each label, from top to bottom.

    A screen's figure is as wide as the labels need; for a paper, they are broken into lines.
    """
    form = present()
    named = [fitted(label, LABELS * (form.width or 0.0)) for label in labels]
    lines = max(label.count("\n") + 1 for label in named)
    width = form.width or max(7.0, 4.5 + 0.095 * max(map(len, labels)))
    high = max(0.44 * form.scale, 0.21 * form.text * lines)  # of a row
    height = 1.2 * form.scale + high * len(labels) + (0.3 * form.text if legend else 0.0)
    figure = Figure(figsize=(width, height), layout=layout())
    axes = figure.subplots()
    axes.set_yticks(range(len(labels)), named)
    axes.set_ylim(len(labels) - 0.5, -0.5)
    axes.tick_params(axis="y", length=0)
    axes.grid(True, axis="x")
    if form.width:
        axes.xaxis.set_major_locator(MaxNLocator(nbins=int(form.width)))
    return figure, axes


def tell(axes: Axes, row: int, text: str) -> None:
    """Write a text right of the axes, beside a row, where no bar crosses it."""
    at, offset = ("axes fraction", "data"), (8 * present().scale, 0)
    axes.annotate(text, (1, row), xycoords=at, xytext=offset, textcoords="offset points", va="center")
