"""Bars: the mean of a metric for each setting, with a whisker of ± one standard deviation and a dot for each run."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from atelier.figures.group import Group, check_metric
from atelier.figures.palette import COLORS, draw_references
from atelier.figures.panels import legend_below
from atelier.figures.words import metric_words, number, sample, whole_number
from atelier.runs.statistic import Statistic

MOST = 30


@dataclass(frozen=True)
class Bars:
    """The data of a bar chart, from top to bottom.

    Args:
        bars: (label, statistic of the runs) for each setting.
        left_out: number of settings that are not drawn.
    """

    metric: str
    bars: list[tuple[str, Statistic]]
    reference: Mapping[str, float] = field(default_factory=dict)
    left_out: int = 0


def gather(groups: Sequence[Group], /, metric: str, reference: Mapping[str, float] | None = None) -> Bars:
    """
    Args:
        groups: the settings, the best first.
        reference: {name: value} of vertical lines.

    Raises:
        InputError: if no run has `metric`.
    """
    check_metric(groups, metric)
    bars = [(group.label, group.score(metric)) for group in groups]
    return Bars(metric, bars[:MOST], reference or {}, left_out=max(0, len(bars) - MOST))


def draw(bars: Bars) -> Figure:
    below = 0.3 if bars.reference else 0.0
    longest = max(len(label) for label, _ in bars.bars)
    size = max(7.0, 4.5 + 0.095 * longest), 1.2 + 0.44 * len(bars.bars) + below  # inches; letters of 12 points
    figure = Figure(figsize=size, layout=ConstrainedLayoutEngine(w_pad=0.08, h_pad=0.08))
    axes = figure.subplots()
    for row, (_, one) in enumerate(bars.bars):
        if one.mean is not None:
            draw_bar(axes, row, one)
        told = "no value" if one.mean is None else whole_number(one.mean, one.std)
        # Numbers stand right of the axes, where no bar crosses them.
        at = ("axes fraction", "data")
        axes.annotate(told, (1, row), xycoords=at, xytext=(8, 0), textcoords="offset points", va="center")
    draw_references(axes, bars.reference, upright=True)
    axes.set_yticks(range(len(bars.bars)), [label for label, _ in bars.bars])
    axes.set_ylim(len(bars.bars) - 0.5, -0.5)
    axes.tick_params(axis="y", length=0)
    axes.grid(True, axis="x")
    axes.set_xlabel(metric_words(bars.metric))
    legend_below(figure, [axes])
    return figure


def draw_bar(axes: Axes, row: int, one: Statistic) -> None:
    axes.barh(row, one.mean or 0.0, height=0.64, color=COLORS[4])
    if one.std is not None:
        axes.errorbar(one.mean or 0.0, row, xerr=one.std, color="black", capsize=5, linewidth=1.4, zorder=3)
    if one.n > 1:
        rows = [row + 0.4 * (index / (one.n - 1) - 0.5) for index in range(one.n)]  # spread, so that none is hidden
        axes.plot(one.values, rows, "o", color=COLORS[0], markersize=4.5, zorder=4, markeredgecolor="white")


def caption(bars: Bars) -> str:
    """The text below the figure."""
    several = any(one.n > 1 for _, one in bars.bars)
    n = sample(one.n for _, one in bars.bars)
    how = f": the mean over the runs ({n}), ± one standard deviation, and each run as a dot" if several else f", {n}"
    rest = f" The best {MOST} settings; {bars.left_out} are left out." if bars.left_out else ""
    return f"{metric_words(bars.metric).capitalize()} of each setting{how}.{rest}"


def describe(bars: Bars) -> str:
    """The values of all bars as text, for readers who cannot see the figure."""
    told = [f"{label}: {number(one.mean, one.std)} ({one.n})" for label, one in bars.bars]
    lines = [f"{label} at {number(value)}" for label, value in bars.reference.items()]
    return f"Bars of the {metric_words(bars.metric)}, mean ± deviation (runs): {'; '.join(told + lines)}."
