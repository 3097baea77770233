"""Curves: a metric over the epochs or steps, the mean over the runs with a band from the lowest to the highest run.

Training is solid and validation dotted, as in the reports; the test set is dashed. A band of ± one deviation could
reach impossible values: accuracies above 1, errors below 0. Two runs are drawn as thin lines instead of a band. A ring
marks the best value of the objective.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Annotated, Any, Literal

from annotated_types import MinLen
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from atelier.errors import InputError
from atelier.figures import hover, panels
from atelier.figures.group import Curve, Group, as_listed
from atelier.figures.look import present
from atelier.figures.mean_line import Line, lines_of
from atelier.figures.palette import draw_references, scale_upright, style, whole_ticks
from atelier.figures.words import SPLITS, describe_values, key_words, metric_words, number, sample, sentence

DASHES = {"train": "-", "val": ":", "test": "--"}
FILLS = {"train": "full", "val": "none", "test": "left"}  # of lines that are points
WORDS = {"-": "solid", ":": "dotted", "--": "dashed", "full": "filled", "none": "hollow", "left": "half filled"}
MOST_PANELS = 24


@dataclass(frozen=True)
class Panel:
    title: str
    lines: list[Line]


@dataclass(frozen=True)
class Curves:
    metric: str
    panels: list[Panel]
    reference: Mapping[str, float] = field(default_factory=dict)
    left_out: int = 0  # number of settings that are not drawn
    unit: str = "epoch"  # or "step"
    clean: bool = False  # whether training is measured in evaluation mode, as validation is


def gather(
    groups: Sequence[Group],
    /,
    metric: str,
    reference: Mapping[str, float] | None = None,
    apart: str | None = None,
    splits: Annotated[Sequence[Literal["train", "val", "test"]], MinLen(1)] = ("train", "val"),
) -> Curves:
    """The curves of `metric`: a name without split (`loss`) on all `splits`, a name with split (`val/loss`) on that.

    Args:
        groups: the settings, the best first.
        metric: name of the metric; `error` is 1 − accuracy.
        reference: {name: value} of horizontal lines.
        apart: "setting", "split" or a swept key, each value of which gets a panel.
        splits: splits of a metric without a split: train, val, test.

    Raises:
        InputError: if no run logged the metric, or a finite value of it, or `apart` was not swept.
    """
    names = [metric] if "/" in metric else [f"{split}/{metric}" for split in splits]
    if metric.rpartition("/")[2] == "error":
        groups = [replace(group, curves=[with_error(curve) for curve in group.curves]) for group in groups]
    logged = [group for group in groups if any(name in curve for curve in group.curves for name in names)]
    if not logged:
        known = sorted({name for group in groups for curve in group.curves for name in curve})
        raise InputError(f"metric={metric}: no run logged it; choose from: {', '.join(known) or 'nothing yet'}")
    values = (
        value for group in logged for curve in group.curves for name in names for value in curve.get(name, {}).values()
    )
    if not any(map(math.isfinite, values)):
        raise InputError(f"metric={metric}: no run has a finite value of it")
    if len(logged) <= MOST_PANELS:  # all settings are drawn; otherwise the best come first
        logged = as_listed(logged)
    keys = dict.fromkeys([*(key for group in logged for key in group.values), "setting", "split"])
    if apart is not None and apart not in keys:
        raise InputError(f"apart={apart}: not swept; choose from: {', '.join(keys)}")
    measured = [as_measured(logged, name) for name in names]
    names, clean = measured, measured != names
    if apart is None and len(logged) > panels.MOST and any(group.changed == [] for group in logged):
        drawn = [Panel(key_words(key), lines_of(members, names)) for key, members in by_change(logged).items()]
        return Curves(metric, drawn, reference or {}, unit=logged[0].unit, clean=clean)
    if apart == "split":
        drawn = [Panel(SPLITS[name.partition("/")[0]], lines_of(logged, [name])) for name in names]
        drawn = [panel for panel in drawn if panel.lines]
        return Curves(metric, drawn, reference or {}, unit=logged[0].unit, clean=clean)
    parts = panels.partition([group.values for group in logged], apart)
    alone = len(parts) > 1 and parts[0][0] is None
    drawn = []
    for key, members in parts[:MOST_PANELS]:
        chosen = [logged[index] for index in members]
        # Labels do not repeat the panel's title.
        labels = [
            describe_values(panels.without(one.values, key), one.values) if key else "" if alone else one.label
            for one in chosen
        ]
        title = chosen[0].label if alone else panels.title(chosen[0].values, key)
        drawn.append(Panel(title, lines_of(chosen, names, labels)))
    left_out = max(0, len(parts) - MOST_PANELS)
    return Curves(metric, drawn, reference or {}, left_out, logged[0].unit, clean)


def with_error(curve: Curve) -> Curve:
    """Add `<split>/error`, 1 − accuracy, for each `<split>/accuracy`."""
    errors = {
        name.replace("accuracy", "error"): {place: 1 - value for place, value in values.items()}
        for name, values in curve.items()
        if name.endswith(("/accuracy", "/clean_accuracy"))
    }
    return {**curve, **errors}


def by_change(groups: Sequence[Group]) -> dict[str, list[Group]]:
    """{key: the base, then the settings whose first changed key it is}."""
    base = next(group for group in groups if group.changed == [])
    found: dict[str, list[Group]] = {}
    for group in groups:
        if group.changed:
            found.setdefault(group.changed[0], [base]).append(group)
    return found


def as_measured(groups: Sequence[Group], name: str) -> str:
    """`train/clean_<metric>` instead of `train/<metric>` if all runs have it, so that all splits are comparable."""
    clean = name.replace("train/", "train/clean_", 1)
    return clean if all(clean in curve for group in groups for curve in group.curves) else name


def draw(curves: Curves) -> Figure:
    lines = [line for panel in curves.panels for line in panel.lines]
    labels = list(dict.fromkeys(line.label for line in lines))
    named = labels if len(labels) > 1 else []
    splits = list(dict.fromkeys(line.split for line in lines))
    figure, axes = panels.grid(len(curves.panels), [*named, *splits, *curves.reference])
    several, longest = len(curves.panels) > 1, max(line.places[-1] for line in lines)
    on_paper = present().width is not None
    few = several and (on_paper or longest >= 1000)
    for axis, panel in zip(axes, curves.panels, strict=True):
        for line in panel.lines:
            marked = bool(named) and (on_paper or line.split == panel.lines[0].split)  # a paper is printed in grey
            draw_line(axis, line, labels.index(line.label), marked)
            tell_line(axis, panel.title, line, curves.unit)
        panels.name_panel(axis, panel.title)
        axis.grid(True)
        whole_ticks(axis, 4 if few else 6)
    values = means(curves)
    if scale_upright(axes[0], curves.metric, values):  # the panels share their axes
        lows, highs = zip(*(both for line in lines for both in line.range), strict=True)
        lowest = max(min(lows), min(values) / 10)
        shown = [lowest, *values, *(value for value in curves.reference.values() if value > 0)]
        room = (max(shown) / min(shown)) ** 0.05  # for the ring of a best at an edge
        highest = max(max(1.35, room) * max(shown), 1.05 * max(highs))
        axes[0].set_ylim(min(0.75, 1 / room) * min(shown), highest)
    for label in named:
        axes[0].plot([], [], label=label, **style(labels.index(label)))
    for split in splits:
        point: dict[str, Any] = {"marker": "o", "fillstyle": FILLS.get(split, "full")} if are_points(lines) else {}
        look = {"linestyle": DASHES.get(split, "-"), **point}
        axes[0].plot([], [], label=SPLITS.get(split, split), color="#444444", **look)
    for axis in axes:
        draw_references(axis, curves.reference)
    panels.name_axes(axes, curves.unit, metric_words(curves.metric))
    panels.legend_below(figure, axes)
    return figure


def are_points(lines: Sequence[Line]) -> bool:
    return all(line.is_point for line in lines)


def means(curves: Curves) -> list[float]:
    return [value for panel in curves.panels for line in panel.lines for value in line.mean]


def tell_line(axis: Axes, title: str, line: Line, unit: str) -> None:
    words = title, line.label, SPLITS.get(line.split, line.split)
    for place, mean, std, n in zip(line.places, line.mean, line.std, line.runs, strict=True):
        hover.tell(axis, place, mean, *words, f"{unit} {place}", number(mean, std or None), sample([n]))


def draw_line(axis: Axes, line: Line, index: int, marked: bool) -> None:
    look = style(index)
    if line.is_point:
        look["fillstyle"] = FILLS.get(line.split, "full")
    elif not marked:
        look["marker"] = None
    # A few markers, at different places for each setting, distinguish lines without colour.
    every = max(1, len(line.places) // 5)
    dashes = DASHES.get(line.split, "-")
    axis.plot(line.places, line.mean, linestyle=dashes, markevery=(index % every, every), **look)
    if line.best is not None:
        scale = present().scale
        ring: dict[str, Any] = {"markersize": 12 * scale, "markeredgewidth": 1.8 * scale}
        ring |= {"markerfacecolor": "none", "markeredgecolor": look["color"]}
        axis.plot([line.places[line.best]], [line.mean[line.best]], "o", zorder=4, **ring)
    if line.most == 2:
        for places, values in line.each:
            axis.plot(places, values, linestyle=dashes, color=look["color"], linewidth=0.8 * present().scale, alpha=0.6)
    elif any(line.std):
        low, high = zip(*line.range, strict=True)
        axis.fill_between(line.places, low, high, color=look["color"], alpha=0.15, linewidth=2 * line.is_point)


def caption(curves: Curves) -> str:
    """The text below the figure."""
    lines = [line for panel in curves.panels for line in panel.lines]
    splits = dict.fromkeys(line.split for line in lines)
    looks = FILLS if are_points(lines) else DASHES
    told = [f"{SPLITS[split]} is {WORDS[look]}" for split, look in looks.items() if split in splits]
    styles = f"; {', '.join(told)}" if "/" not in curves.metric else ""
    styles += ", all without dropout and augmentation" if curves.clean else ""
    styles += "; a ring is where the best is" if any(line.best is not None for line in lines) else ""
    styles += ". Nothing is chosen by the test set" if "test" in splits else ""
    rest = f" The best {MOST_PANELS} settings; {curves.left_out} are left out." if curves.left_out else ""
    over = f"over the {curves.unit}s{spread(lines)}"
    return f"{sentence(metric_words(curves.metric))} {over}{styles}.{rest}"


def spread(lines: Sequence[Line]) -> str:
    """The part of the caption on the number of runs, and on bands or thin lines."""
    most = max(line.most for line in lines)
    n = sample(line.most for line in lines)
    if most == 1:
        return f", {n}"
    n += "; where some have ended or have no value, over the others" * any(min(one.runs) < one.most for one in lines)
    ways = ["a band from the lowest to the highest"] * (most > 2)
    ways += ["each of two runs as a thin line"] * any(line.most == 2 for line in lines)
    return f": the mean over the runs ({n}), with {' or '.join(ways)}"


def describe(curves: Curves) -> str:
    """The last values of all lines as text, for readers who cannot see the figure."""
    ends = [
        f"{', '.join(filter(None, (panel.title, line.label))) or 'all runs'} ({line.split}): "
        f"{number(line.mean[-1], line.std[-1] or None)} at {curves.unit} {line.places[-1]}"
        for panel in curves.panels
        for line in panel.lines
    ]
    return f"Curves of {metric_words(curves.metric)} over the {curves.unit}s. Last values: {'; '.join(ends)}."
