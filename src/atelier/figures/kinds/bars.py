"""Bars: the mean of a metric for each setting, with a whisker of ± one standard deviation and a dot for each run.

Where the values are close together and far from 0, marks stand in the place of bars, on an axis without 0: bars begin
at 0, and would all look the same.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from atelier.figures import hover
from atelier.figures.group import Group, check_metric
from atelier.figures.look import present
from atelier.figures.palette import color, draw_references
from atelier.figures.panels import fitted, legend_below, rows, tell
from atelier.figures.words import metric_words, number, sample, sentence, whole_number
from atelier.runs.statistic import Statistic

MOST = 30
CLOSE = 0.2  # the range of all values, as a part of the largest, below which bars would look the same


@dataclass(frozen=True)
class Bars:
    """The data of a bar chart, from top to bottom.

    Args:
        bars: (label, statistic of the runs) for each setting.
        left_out: number of settings with a value that are not drawn.
        empty: number of settings without a value that are not drawn.
    """

    metric: str
    bars: list[tuple[str, Statistic]]
    reference: Mapping[str, float] = field(default_factory=dict)
    left_out: int = 0
    empty: int = 0

    @property
    def close(self) -> bool:
        """Whether bars would look the same."""
        values = [value for _, one in self.bars for value in one.values]
        far = max(map(abs, values), default=0.0)
        return len(values) > 1 and 0 < max(values) - min(values) < CLOSE * far


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
    known = [(label, one) for label, one in bars if one.n]
    if len(bars) <= MOST:
        return Bars(metric, bars, reference or {})
    return Bars(metric, known[:MOST], reference or {}, max(0, len(known) - MOST), len(bars) - len(known))


def draw(bars: Bars) -> Figure:
    figure, axes = rows([label for label, _ in bars.bars], legend=list(bars.reference))
    close = bars.close
    for row, (label, one) in enumerate(bars.bars):
        if one.mean is not None:
            draw_bar(axes, row, one, close)
            tell_bar(axes, row, label, one)
        tell(axes, row, "no value" if one.mean is None else whole_number(one.mean, one.std))
    if close:
        axes.locator_params(axis="x", nbins=4)  # long numbers
    draw_references(axes, bars.reference, upright=True)
    axes.set_xlabel(fitted(metric_words(bars.metric), figure.get_figwidth()))
    legend_below(figure, [axes])
    return figure


def tell_bar(axes: Axes, row: int, label: str, one: Statistic) -> None:
    hover.tell(axes, one.mean or 0.0, row, label, number(one.mean, one.std), sample([one.n]))
    if one.n > 1:
        hover.tell_runs(axes, list(zip(one.values, spread(row, one.n), strict=True)), label, one)


def spread(row: int, count: int) -> list[float]:
    """The places of a bar's dots, spread so that none is hidden."""
    return [row + 0.4 * (index / (count - 1) - 0.5) for index in range(count)]


def draw_bar(axes: Axes, row: int, one: Statistic, close: bool) -> None:
    scale = present().scale
    if close:
        axes.plot(one.mean or 0.0, row, "D", color=color(4), markersize=9 * scale)
    else:
        axes.barh(row, one.mean or 0.0, height=0.64, color=color(4))
    if one.std is not None:
        whisker: dict[str, Any] = {"capsize": 5 * scale, "linewidth": 1.4 * scale}
        axes.errorbar(one.mean or 0.0, row, xerr=one.std, color="black", zorder=3, **whisker)
    if one.n > 1:
        dot: dict[str, Any] = {"color": color(0), "markersize": 4.5 * scale, "markeredgecolor": "white"}
        axes.plot(one.values, spread(row, one.n), "o", zorder=4, **dot)


def caption(bars: Bars) -> str:
    """The text below the figure."""
    several = any(one.n > 1 for _, one in bars.bars)
    n = sample(one.n for _, one in bars.bars)
    how = f": the mean over the runs ({n}), ± one standard deviation, and each run as a dot" if several else f", {n}"
    rest = f" The best {MOST} settings; {bars.left_out} are left out." if bars.left_out else ""
    rest += f" {bars.empty} settings without a value are left out." if bars.empty else ""
    axis = " The axis does not begin at 0." if bars.close else ""
    return f"{sentence(metric_words(bars.metric))} of each setting{how}.{axis}{rest}"


def describe(bars: Bars) -> str:
    """The values of all bars as text, for readers who cannot see the figure."""
    told = [f"{label}: {number(one.mean, one.std)} ({one.n})" for label, one in bars.bars]
    lines = [f"{label} at {number(value)}" for label, value in bars.reference.items()]
    return f"Bars of the {metric_words(bars.metric)}, mean ± deviation (runs): {'; '.join(told + lines)}."
