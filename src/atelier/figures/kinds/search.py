"""The trials of a search: the metric in order of trials, with the best so far, and against each drawn key."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter

from atelier.errors import InputError
from atelier.figures import hover
from atelier.figures.group import Group, Run, check_metric
from atelier.figures.kinds.line import numeric_keys
from atelier.figures.look import present
from atelier.figures.palette import COLORS, MARKERS, scale_upright, style, whole_ticks
from atelier.figures.panels import fitted, fitting_columns, layout, legend_below, legend_height, panel_width
from atelier.figures.words import as_number, describe_values, in_order, key_titles, metric_words, number, sentence

MOST_KEYS = 11
SMALL = 3.7  # inches, width of a panel
SHOWN = ("completed", "pruned", "failed")


@dataclass(frozen=True)
class Trial:
    """A trial.

    Args:
        number: the trial's number, from 0, and its folder's name.
        status: completed, pruned or failed.
        value: the metric at the best epoch so far; None if there is none.
        values: {swept key: value as text}.
    """

    number: int
    status: str
    value: float | None
    values: Mapping[str, str | None]


@dataclass(frozen=True)
class Panel:
    """The panel of a swept key; its `scale` is "linear", "log", or "choices", an axis of the texts `choices`."""

    key: str
    scale: str
    choices: list[str]

    def place(self, trial: Trial) -> float | None:
        """The position of a trial on the x-axis; None if the trial has no value."""
        text = trial.values.get(self.key)
        if self.scale == "choices":
            return float(self.choices.index(text)) if text in self.choices else None
        return as_number(text)


@dataclass(frozen=True)
class Search:
    """The data of the figure.

    Args:
        best: (trial number, best value of the completed trials up to it).
        winner: the best completed trial.
        color: the panel whose choices are shown as colours.
        left_out: number of keys that are not drawn.
    """

    metric: str
    trials: list[Trial]
    best: list[tuple[int, float]]
    winner: Trial
    panels: list[Panel]
    color: Panel | None
    left_out: int = 0

    @property
    def titles(self) -> dict[str, str]:
        """{key of a panel: its words}."""
        return key_titles(panel.key for panel in self.panels)


def gather(groups: Sequence[Group], /, metric: str, logarithmic: Sequence[str] = ()) -> Search:
    """
    Args:
        groups: the settings.
        logarithmic: swept keys that the search drew on a logarithmic scale.

    Raises:
        InputError: if there are several searches, or no trial was completed, or none has `metric`, or it is not the
            objective (on any split), since only the objective's mode is known.
    """
    found = [trial(run, group, metric) for group in groups for run in group.runs if run.status in SHOWN]
    if found and not (ends := Counter(one.status for one in found))["completed"]:
        told = ", ".join(f"{count} {status}" for status, count in ends.items())
        raise InputError(f"no trial was completed ({told}), so there is no best")
    check_metric(groups, metric)
    objective, mode = groups[0].objective
    name = objective.partition("/")[2]
    if metric.partition("/")[2] != name:
        raise InputError(f"metric={metric}: a search's best is by its objective; choose from: {objective}, test/{name}")
    trials = sorted(found, key=lambda one: one.number)
    if any(one.number == after.number for one, after in pairwise(trials)):
        raise InputError("several searches have trials of equal numbers; draw each alone: sweep=FOLDER")
    completed = [one for one in trials if one.status == "completed" and one.value is not None]
    sign = -1 if mode == "max" else 1
    best: list[tuple[int, float]] = []
    for one in completed:
        value = one.value or 0.0
        best.append((one.number, value if not best or sign * value < sign * best[-1][1] else best[-1][1]))
    winner = min(completed, key=lambda one: sign * (one.value or 0.0))
    panels = panels_of(trials, logarithmic)
    colored = [one for one in panels if one.scale == "choices" and len(one.choices) <= len(COLORS)]
    color = colored[0] if colored and len(panels) > 1 else None
    return Search(metric, trials, best, winner, panels[:MOST_KEYS], color, max(0, len(panels) - MOST_KEYS))


def trial(run: Run, group: Group, metric: str) -> Trial:
    value = run.scores.get(metric)
    known = value is not None and math.isfinite(value) and run.status != "failed"
    return Trial(run.number, run.status, value if known else None, group.values)


def panels_of(trials: Sequence[Trial], logarithmic: Sequence[str]) -> list[Panel]:
    """A panel for each key with several values."""
    values = [one.values for one in trials]
    numeric = numeric_keys(values)
    panels = []
    for key in dict.fromkeys(key for one in values for key in one):
        known = [text for one in values if (text := one.get(key)) is not None]
        if key in numeric:
            positive = all((as_number(text) or 0.0) > 0 for text in known)
            panels.append(Panel(key, "log" if key in logarithmic and positive else "linear", []))
        elif len(set(known)) > 1:
            texts = [text for text in known if as_number(text) is None]
            numbers = [text for text in known if as_number(text) is not None]
            panels.append(Panel(key, "choices", in_order(texts) + in_order(numbers)))
    return panels


# ---------------------------------------------------------------------- drawing


def draw(search: Search) -> Figure:
    names = list(looks(search))
    count = 1 + len(search.panels)
    columns = min(count if count < 4 else 2 if count == 4 else 3, fitting_columns())
    rows = -(-count // columns)
    form = present()
    width = form.width or max(7.0, SMALL * columns)
    height = form.scale * (4.2 if count == 1 else 3.4) * rows + legend_height(names, width)
    if form.width:
        upright = [text for one in search.panels if turned(one, width / columns) for text in one.choices]
        height += rows * form.letter * max(map(len, upright), default=0)
    figure = Figure(figsize=(width, height), layout=layout())
    axes = list(figure.subplots(rows, columns, squeeze=False, sharey=True).ravel())
    for axis in axes[count:]:
        axis.set_axis_off()
    draw_best(axes[0], search)
    for axis, panel in zip(axes[1:], search.panels, strict=False):
        prepare(axis, panel, search)
        draw_trials(axis, search, {one.number: panel.place(one) for one in search.trials})
    axes[0].margins(y=0.1)  # room for the ring around the best trial, and for failed trials at the lower edge
    scale_upright(axes[0], search.metric, [one.value for one in search.trials if one.value is not None])
    for row in range(rows):
        axes[row * columns].set_ylabel(fitted(metric_words(search.metric), 2.6 * form.scale))
    for name, look in looks(search).items():
        axes[0].plot([], [], label=name, **look)
    legend_below(figure, axes[:1])
    return figure


def draw_best(axis: Axes, search: Search) -> None:
    """Draw the trials in order, and the best value so far as a step line."""
    last = max(one.number for one in search.trials)
    steps = [*search.best, (last, search.best[-1][1])]
    axis.plot([n for n, _ in steps], [value for _, value in steps], drawstyle="steps-post", color="black", zorder=1.5)
    draw_trials(axis, search, {one.number: float(one.number) for one in search.trials})
    axis.set_xlabel("trial")
    whole_ticks(axis, 6)


def prepare(axis: Axes, panel: Panel, search: Search) -> None:
    on_paper, room = present().width is not None, panel_width(axis)
    axis.set_xlabel(fitted(search.titles[panel.key], room))
    few = MaxNLocator(nbins=2 if on_paper else 4)
    if panel.scale == "choices":
        axis.set_xticks(range(len(panel.choices)), panel.choices)
        if turned(panel, room):
            axis.tick_params(axis="x", labelrotation=90 if on_paper else 30)
        axis.set_xlim(-0.5, len(panel.choices) - 0.5)
    elif panel.scale == "log":
        axis.set_xscale("log")
        places = [place for one in search.trials if (place := panel.place(one)) is not None]
        wide = max(places) / min(places)
        powers = LogLocator(subs=(1, 3) if wide < 100 else (1,), numticks=3 if on_paper else 6)
        axis.xaxis.set_major_locator(few if wide < 10 else powers)
        axis.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axis.xaxis.set_minor_formatter(NullFormatter())
    else:
        axis.xaxis.set_major_locator(few)


def turned(panel: Panel, room: float) -> bool:
    """Whether the choices are too long to stand beside each other in a panel `room` inches wide."""
    letters = sum(map(len, panel.choices))
    fitting = 0.75 * room / present().letter - len(panel.choices) if present().width else 22
    return letters > fitting


def draw_trials(axis: Axes, search: Search, places: Mapping[int, float | None]) -> None:
    axis.grid(True)
    for one in search.trials:
        place = places[one.number]
        if place is None:
            continue
        if one.value is None:  # trials without a value are drawn at the lower edge
            axis.plot([place], [0.03], transform=axis.get_xaxis_transform(), **FAILED)
            continue
        axis.plot([place], [one.value], **look_of(one, search))
        hover.tell(axis, place, one.value, f"trial {one.number}", describe_values(one.values), number(one.value))
        if one is search.winner:
            axis.plot([place], [one.value], **winner())


FAILED: dict[str, Any] = {"linestyle": "", "marker": "x", "color": "#7f7f7f"}
WINNER: dict[str, Any] = {"linestyle": "", "marker": "o", "color": "black", "fillstyle": "none"}


def winner() -> dict[str, Any]:
    return {**WINNER, "markersize": 14 * present().scale}


def look_of(trial: Trial, search: Search) -> dict[str, Any]:
    """Colour and marker of a trial show its choice; a hollow marker means pruned."""
    place = search.color.place(trial) if search.color else 0.0
    look = {"color": "#7f7f7f", "marker": MARKERS[0]} if place is None else style(int(place))
    return {**look, "linestyle": "", "alpha": 0.85, **({"fillstyle": "none"} if trial.status == "pruned" else {})}


def looks(search: Search) -> dict[str, dict[str, Any]]:
    """The legend: {name: style}."""
    names: dict[str, dict[str, Any]] = {"best so far": {"color": "black"}}
    if search.color:
        names |= {text: {**style(index), "linestyle": ""} for index, text in enumerate(search.color.choices)}
    else:
        names["trial"] = {**style(0), "linestyle": ""}
    names["best trial"] = winner()
    if any(map(is_hollow, search.trials)):
        names["pruned"] = {"linestyle": "", "marker": "o", "color": "#7f7f7f", "fillstyle": "none"}
    if without := {one.status for one in search.trials if one.value is None}:
        names["failed" if without == {"failed"} else "no value"] = FAILED
    return names


def is_hollow(trial: Trial) -> bool:
    return trial.status == "pruned" and trial.value is not None


# ---------------------------------------------------------------------- texts


def caption(search: Search) -> str:
    """The text below the figure."""
    keys = ", ".join(search.titles.values())
    against = f", and against {keys}" if keys else ""
    hollow = " Hollow: at its best until it was pruned." if any(map(is_hollow, search.trials)) else ""
    rest = f" {search.left_out} more keys are left out." if search.left_out else ""
    return f"{sentence(metric_words(search.metric))} of each trial, in their order{against}.{hollow}{rest}"


def describe(search: Search) -> str:
    """All trials as text, for readers who cannot see the figure."""
    told = []
    for one in search.trials:
        value = "" if one.value is None else f", {number(one.value)}"
        told.append(f"{one.number} ({one.status}{value}): {describe_values(one.values)}")
    head = f"The {metric_words(search.metric)} of {len(told)} trials, best {number(search.winner.value)} in trial"
    return f"{head} {search.winner.number}. Trials: {'; '.join(told)}."
