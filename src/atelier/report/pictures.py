"""Draws the figures of a report: those of the study, else figures that suit the swept keys."""

import importlib
import math
import pkgutil
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from atelier.arguments import WrongValue, check_complete
from atelier.errors import InputError
from atelier.figures import hover, kinds
from atelier.figures.group import Group
from atelier.figures.look import Look, look
from atelier.figures.palette import save
from atelier.figures.words import describe_values
from atelier.report.groups import groups
from atelier.sweeps.aggregate import Results
from atelier.sweeps.grid import has, text_of

Wanted = Mapping[str, Any]  # the keys of `Wish`, and the arguments of the kind's `gather`


@dataclass(frozen=True)
class Wish:
    """The options of figures of all kinds."""

    kind: str  # the name of a module in figures/kinds/
    caption: str | None = None  # the study's text below the figure
    # {swept key: value}, or a list of them: draw only settings with these values; {}: all settings.
    of: Mapping[str, Any] | Sequence[Mapping[str, Any]] | None = None


OF_ALL = tuple(Wish.__annotations__)


@dataclass(frozen=True)
class Picture:
    """A drawn figure: the files `path`.png and `path`.svg."""

    path: Path
    caption: str  # the text below the figure
    alternative: str  # the numbers of the figure in words, for readers who cannot see it
    wide: bool  # whether the figure has several panels in a row
    points: Sequence[hover.Point] = ()  # what the page shows beside the pointer


def draw_pictures(
    results: Results, wanted: Sequence[Wanted], folder: Path, look: Look = look
) -> tuple[list[Picture], list[str]]:
    """Draw figures into `folder`; return them, and messages for figures that could not be drawn.

    Args:
        wanted: the figures of the study; if empty, `choose` selects figures.
        look: the style and the size in which they are drawn.
    """
    drawn: list[Picture] = []
    problems: list[str] = []
    found = groups(results)
    folder.mkdir(parents=True, exist_ok=True)
    for number, one in enumerate(wanted or choose(results, found), start=1):
        try:
            with look():
                drawn.append(draw_picture(one, found, results, folder, {picture.path.name for picture in drawn}))
        except Exception as error:  # an error in a figure must not prevent the other figures and the tables
            told = str(error) if isinstance(error, InputError) else f"{type(error).__name__}: {error}"
            problems.append(f"Figure {number} ({one.get('kind')}) was not drawn: {told}")
    return drawn, problems


def draw_picture(wanted: Wanted, found: list[Group], results: Results, folder: Path, taken: set[str]) -> Picture:
    check_figure(wanted, "figure")
    options = {key: value for key, value in wanted.items() if key not in OF_ALL}
    if results.metric is None:
        raise InputError("no run has an objective yet")
    # Curves draw a metric of training and validation, without the split.
    options.setdefault("metric", results.metric.partition("/")[2] if wanted["kind"] == "curves" else results.metric)
    kind = load(wanted["kind"])
    of = wanted.get("of") or {}
    data = kind.gather(only(found, of), **options)
    name = f"{wanted['kind']}_{options['metric'].replace('/', '_')}"
    path = folder / next(n for n in (name, *(f"{name}_{i}" for i in range(2, 99))) if n not in taken)
    figure = kind.draw(data)
    save(figure, path)
    # The study's text, or what the settings have in common; then the general caption of the kind.
    common = describe_values({key: text_of(of[key]) for key in of}) if isinstance(of, Mapping) else ""
    text = str(wanted.get("caption") or "").strip() or f"Only {common}." * bool(common)
    caption = " ".join(filter(None, (text, kind.caption(data))))
    return Picture(path, caption, kind.describe(data), figure.get_figwidth() > 8, hover.points(figure))


def only(found: Sequence[Group], of: Mapping[str, Any] | Sequence[Mapping[str, Any]]) -> list[Group]:
    """The settings with the values `of`, labelled by their other keys.

    If `of` is a list, the settings that match one of its mappings, labelled by the keys of the mappings.

    Raises:
        InputError: if no setting matches.
    """
    wanted = [of] if isinstance(of, Mapping) else of
    chosen = [one for one in found if any(has(one.values, values) for values in wanted)]
    if not chosen and any(wanted):
        raise InputError(f"of={of}: no setting has these values")
    named, alone = {key for values in wanted for key in values}, isinstance(of, Mapping)
    return [called_by(one, {key for key in one.values if (key in named) != alone}) for one in chosen]


def called_by(group: Group, keys: Container[str]) -> Group:
    """The group with the values of these keys only, and a label of these values."""
    rest = {key: value for key, value in group.values.items() if key in keys}
    told, left = describe_values(group.values), describe_values(rest, among=group.values)
    return replace(group, values=rest, label=group.label.replace(told, left) if told else group.label)


def choose(results: Results, found: list[Group]) -> list[Wanted]:
    """Curves of the objective and the loss; then a line for one numeric key, a heatmap for two keys, else bars.

    A full grid of two keys or more also gets the importances of its keys.
    """
    from atelier.figures.kinds.importance import crossed
    from atelier.figures.kinds.line import numeric_keys

    metric = results.metric
    if metric is None:
        return []
    logged = {name.partition("/")[2] for group in found for curve in group.curves for name in curve}
    names = dict.fromkeys((metric.partition("/")[2], "loss"))
    wanted: list[Wanted] = [{"kind": "curves", "metric": name} for name in names if name in logged]
    values = [group.values for group in found if group.score(metric).n]
    if len(values) < 2:
        return wanted
    varying = [key for key in results.keys if len({one[key] for one in values}) > 1]
    shown: dict[str, Any] = {"kind": "bars", "metric": metric}
    if len(varying) == 1 and varying == numeric_keys(values):
        shown["kind"] = "line"
    elif len(varying) == 2 and 2 * len(values) > math.prod(len({one[key] for one in values}) for key in varying):
        shown |= {"kind": "heatmap", "rows": varying[0], "columns": varying[1]}  # more than half of its cells are known
    importance = {"kind": "importance", "metric": metric}
    return [*wanted, shown, *[importance] * (len(crossed(group.values for group in found)) > 1)]


def check_figure(wanted: Wanted, where: str) -> None:
    """
    Raises:
        InputError: for an unknown kind of figure, an unknown option, or a wrong value.
    """
    check_complete(where, Wish, {key: value for key, value in wanted.items() if key in OF_ALL})
    if wanted["kind"] not in kind_names():
        raise WrongValue(f"{where}.kind", wanted["kind"], f"give one of: {', '.join(kind_names())}")
    own = {key: value for key, value in wanted.items() if key not in OF_ALL}
    check_complete(where, load(wanted["kind"]).gather, {"metric": "", **own})


def kind_names() -> list[str]:
    """The names of the modules in figures/kinds/."""
    return sorted(module.name for module in pkgutil.iter_modules(kinds.__path__))


def load(kind: str) -> Any:
    return importlib.import_module(f"atelier.figures.kinds.{kind}")
