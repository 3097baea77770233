"""A line chart of a metric against a numeric swept key, such as the learning rate: means, whiskers, dots for runs."""

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from atelier.errors import InputError
from atelier.figures import hover, panels
from atelier.figures.group import Group, as_listed, check_metric
from atelier.figures.look import present
from atelier.figures.palette import draw_references, scale_upright, style
from atelier.figures.words import as_number, describe_values, key_words, metric_words, number, sample, sentence
from atelier.runs.statistic import Statistic

REPORT = "the report"


@dataclass(frozen=True)
class Line:
    """The line of a combination of the other swept keys.

    Args:
        points: (value on the x-axis, statistic of the runs), from left to right.
    """

    label: str
    points: list[tuple[float, Statistic]]


@dataclass(frozen=True)
class LineChart:
    """The data of a line chart.

    Args:
        key: the swept key on the x-axis.
        scale: "linear", "log", or "symlog" for a logarithmic axis with a zero.
        ticks: {value on the x-axis: the value as typed}.
        panels: (title, lines) of each panel.
        reported: {value on the x-axis: the report's value}.
    """

    key: str
    metric: str
    scale: str
    ticks: dict[float, str]
    panels: list[tuple[str, list[Line]]]
    reference: Mapping[str, float] = field(default_factory=dict)
    band: bool = False
    reported: Mapping[float, float] = field(default_factory=dict)


def gather(
    groups: Sequence[Group],
    /,
    metric: str,
    x: str | None = None,
    reference: Mapping[str, float] | None = None,
    band: bool = False,
    reported: Mapping[float, float] | None = None,
) -> LineChart:
    """
    Args:
        groups: the settings, the best first.
        x: the swept key on the x-axis; by default the first numeric key.
        reference: {name: value} of horizontal lines.
        band: draw deviations as a band instead of whiskers.
        reported: {value of x: the report's value}, drawn as hollow diamonds.

    Raises:
        InputError: if no run has `metric`, or `x` was not swept or is not numeric.
    """
    check_metric(groups, metric)
    groups = as_listed(groups)
    numeric = numeric_keys([group.values for group in groups])
    if not numeric:
        swept = ", ".join(dict.fromkeys(key for group in groups for key in group.values)) or "none"
        raise InputError(f"a line needs a swept key with numbers; there are: {swept}")
    if x and x not in numeric:
        raise InputError(f"x={x}: no swept key with numbers; choose from: {', '.join(numeric)}")
    x = x or numeric[0]
    found: dict[tuple[tuple[str, str | None], ...], dict[float, list[Statistic]]] = {}
    ticks: dict[float, str] = {}
    for group in groups:
        place, text = as_number(group.values[x]), group.values[x]
        if place is not None and text is not None and group.score(metric).n:
            ticks.setdefault(place, text)
            others = tuple(panels.without(group.values, x).items())
            found.setdefault(others, {}).setdefault(place, []).append(group.score(metric))
    rest_values = [dict(others) for others in found]
    lines = [[(place, together(line[place])) for place in sorted(line)] for line in found.values()]
    drawn = []
    for key, members in panels.partition(rest_values):
        rest = [rest_values[index] for index in members]
        labels = [describe_values(panels.without(one, key), among=one) for one in rest]
        drawn.append(
            (
                panels.title(rest[0], key),
                [Line(label, lines[index]) for label, index in zip(labels, members, strict=True)],
            )
        )
    theirs = {float(place): value for place, value in (reported or {}).items()}
    scale = spacing(list(ticks))
    return LineChart(x, metric, scale, dict(sorted(ticks.items())), drawn, reference or {}, band, theirs)


def together(several: Sequence[Statistic]) -> Statistic:
    """The statistic of the values of several."""
    values = [value for one in several for value in one.values]
    return Statistic.of(values, [name for one in several for name in one.names])


def numeric_keys(values: Sequence[Mapping[str, str | None]]) -> list[str]:
    """The keys whose values are all numbers, with at least two different values."""
    keys = dict.fromkeys(key for one in values for key in one)
    columns = {key: {one[key] for one in values if one.get(key) is not None} for key in keys}
    return [key for key, found in columns.items() if len(found) > 1 and all(finite(text) for text in found)]


def finite(text: str | None) -> bool:
    value = as_number(text)
    return value is not None and math.isfinite(value)


def spacing(values: Sequence[float]) -> str:
    """The scale of an axis on which the distances of these values vary least.

    >>> spacing([0.001, 0.01, 0.1]), spacing([5, 10, 15, 20]), spacing([0, 0.001, 0.01])
    ('log', 'linear', 'symlog')
    """
    ordered = sorted(set(values))
    positive = [value for value in ordered if value > 0]
    if len(positive) < 2 or ordered[0] < 0:
        return "linear"
    steps = [b - a for a, b in itertools.pairwise(positive)]
    ratios = [math.log(b / a) for a, b in itertools.pairwise(positive)]
    even = positive[-1] / positive[0] >= 10 if len(steps) == 1 else variation(ratios) < variation(steps)
    return "linear" if not even else "log" if len(positive) == len(ordered) else "symlog"


def variation(values: Sequence[float]) -> float:
    one = Statistic.of(values)
    return (one.std or 0.0) / one.mean if one.mean else 0.0


def draw(chart: LineChart) -> Figure:
    labels = list(dict.fromkeys(line.label for _, lines in chart.panels for line in lines))
    named = [label for label in labels if label]
    figure, axes = panels.grid(len(chart.panels), [*named, *chart.reference, *[REPORT] * bool(chart.reported)])
    for axis, (title, lines) in zip(axes, chart.panels, strict=True):
        for line in lines:
            draw_line(axis, line, labels.index(line.label), chart.band)
            for place, one in line.points:
                words = title, line.label, f"{key_words(chart.key)} {chart.ticks[place]}"
                hover.tell(axis, place, one.mean or 0.0, *words, number(one.mean, one.std), sample([one.n]))
                hover.tell_runs(axis, [(place, value) for value in one.values], ", ".join(filter(None, words)), one)
        draw_references(axis, chart.reference)
        if chart.reported:
            places, values = zip(*sorted(chart.reported.items()), strict=True)
            axis.plot(
                places,
                values,
                "D",
                color="#444444",
                markerfacecolor="none",
                markersize=9 * present().scale,
                label=REPORT,
                zorder=4,
            )
        panels.name_panel(axis, title)
        axis.grid(True)
    positive = [place for place in chart.ticks if place > 0]
    axes[0].set_xscale(chart.scale, **({"linthresh": min(positive)} if chart.scale == "symlog" else {}))
    points = [one for _, lines in chart.panels for line in lines for _, one in line.points]
    scale_upright(axes[0], chart.metric, [value for one in points for value in one.values])
    form = present()
    room = 0.75 * panels.panel_width(axes[0]) / form.text if form.width else 5.8 if len(axes) == 1 else 2.6
    for axis in axes:
        axis.set_xticks(list(chart.ticks), fitting(list(chart.ticks.values()), room))
        axis.xaxis.set_minor_locator(NullLocator())
    panels.name_axes(axes, key_words(chart.key), metric_words(chart.metric))
    panels.legend_below(figure, axes)
    return figure


def fitting(labels: Sequence[str], room: float) -> list[str]:
    """Labels that fit into `room` inches: every n-th label, the others replaced by "".

    >>> fitting(["5", "10"], 2.6), fitting(["0.001", "0.002", "0.003", "0.004", "0.005", "0.006"], 1.8)
    (['5', '10'], ['0.001', '', '0.003', '', '0.005', ''])
    """
    needed = sum(0.09 * len(label) + 0.12 for label in labels)  # inches, for text of 12 points
    every = math.ceil(needed / room)
    return [label if index % every == 0 else "" for index, label in enumerate(labels)]


def draw_line(axis: Axes, line: Line, index: int, band: bool) -> None:
    look = style(index)
    places = [place for place, _ in line.points]
    means = [one.mean or 0.0 for _, one in line.points]
    whiskers = [one.std or 0.0 for _, one in line.points]
    spread = any(whiskers) and not band
    scale = present().scale
    errors: dict[str, Any] = {"yerr": whiskers, "elinewidth": 1.2 * scale, "capsize": 4 * scale} if spread else {}
    axis.errorbar(places, means, label=line.label or None, **errors, **look)
    if band and any(whiskers):
        low, high = ([mean + sign * one for mean, one in zip(means, whiskers, strict=True)] for sign in (-1, 1))
        axis.fill_between(places, low, high, color=look["color"], alpha=0.15, linewidth=0)
    for place, one in line.points:
        if one.n > 1:
            axis.plot([place] * one.n, one.values, ".", color=look["color"], markersize=5 * scale, alpha=0.6)


def caption(chart: LineChart) -> str:
    """The text below the figure."""
    counts = [one.n for _, lines in chart.panels for line in lines for _, one in line.points]
    spread = "with a band of ± one standard deviation" if chart.band else "± one standard deviation"
    n = sample(counts)
    theirs = f" Hollow diamonds are {REPORT}'s." if chart.reported else ""
    how = f": the mean over the runs ({n}), {spread}, and each run as a dot" if max(counts) > 1 else f", {n}"
    return f"{sentence(metric_words(chart.metric))} against the {key_words(chart.key)}{how}.{theirs}"


def describe(chart: LineChart) -> str:
    """The values of all points as text, for readers who cannot see the figure."""
    told = [
        f"{', '.join(filter(None, (title, line.label, chart.ticks[place])))}: {number(one.mean, one.std)} ({one.n})"
        for title, lines in chart.panels
        for line in lines
        for place, one in line.points
    ]
    axes = f"The {metric_words(chart.metric)} against the {key_words(chart.key)}"
    return f"{axes}, mean ± deviation (runs): {'; '.join(told)}."
