"""Selects the curves of a run for the record, and their epochs or steps: those that figures and claims need."""

from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from atelier.claims.claim import Side

MOST = 60  # places of a metric: epochs or steps
MOST_OF_ALL = 40_000  # places of a metric over all runs, so that the file of a large grid stays below a megabyte
FIRST = 5  # number of first places that are always kept


@dataclass(frozen=True)
class Wanted:
    """The metrics and places that a study needs.

    Args:
        names: metrics without split, such as accuracy.
        first: number of first places to keep.
        places: {"epoch" or "step": places of claims, counted from 1}.
        at_best: test metrics, such as test/accuracy, that claims ask for at a run's best place.
        most: number of places of a curve.
    """

    names: frozenset[str]
    first: int = FIRST
    places: Mapping[str, frozenset[int]] = ()  # type: ignore[assignment]
    at_best: frozenset[str] = frozenset()
    most: int = MOST

    def curve(self, name: str) -> bool:
        """Whether a logged metric, such as train/clean_accuracy, is kept."""
        return name.partition("/")[2].removeprefix("clean_") in self.names

    def tested(self, name: str) -> bool:
        """Whether a test metric, named without its split, is kept; metrics of single classes only if named."""
        return "/" not in name or name in self.names


def wanted_of(node: Mapping[str, Any], named: Sequence[Side], objective: str | None, runs: int) -> Wanted:
    """The metrics and places of a `study` node with so many `runs` and its `objective`, as val/loss.

    `named`: the sides of claims, also of other studies', that are measured on this study.
    """
    asked = [str(figure.get("metric", objective)) for figure in node.get("figures") or []]
    names = {one.partition("/")[2] or one for one in (*asked, *(side.metric for side in named), objective or "")}
    at_best = {side.metric for side in named if side.metric.startswith("test/") and side.at == "best"}
    places = [side.at for side in named if isinstance(side.at, Mapping)]
    return Wanted(
        names=frozenset(as_logged(names) - {""}),
        first=max([FIRST, *(at["first"] for at in places if "first" in at)]),
        places={unit: frozenset(at[unit] for at in places if unit in at) for unit in ("epoch", "step")},
        most=min(MOST, MOST_OF_ALL // max(runs, 1)),
        at_best=frozenset(as_logged(at_best)),
    )


def as_logged(names: set[str]) -> set[str]:
    """The names, and that of the accuracy for each error, which is computed from it."""
    return names | {name.replace("error", "accuracy") for name in names if name.rpartition("/")[2] == "error"}


def common(runs: Iterable[Mapping[str, Mapping[int, float]]], wanted: Wanted, unit: str) -> dict[str, set[int]]:
    """The places of each wanted curve that all runs of a setting keep: of those that each run has which got so far.

    So a mean over the runs is one of the same runs from place to place, also if one logged a place more or ended early.
    """
    together: dict[str, list[Mapping[int, float]]] = {}
    for curves in runs:
        for name in filter(wanted.curve, curves):
            together.setdefault(name, []).append(curves[name])
    found = {}
    for name, several in together.items():
        places = sorted(set().union(*several))
        shared = [place for place in places if all(place in curve or place > max(curve) for curve in several)]
        found[name] = set(chosen(shared, wanted, unit))
    return found


def thinned(
    curves: Mapping[str, Mapping[int, float]],
    wanted: Wanted,
    unit: str,
    best: int | None,
    shared: Mapping[str, Container[int]],
) -> dict[str, dict[int, float]]:
    """The wanted curves at the `shared` places of the setting's runs, and at the run's own first, claims' and last.

    Curves of `wanted.at_best` may have another one: that of the run's best value at `best`, counted from 0.
    """
    kept = {}
    for name in sorted(filter(wanted.curve, curves)):
        curve = curves[name]
        places = {*needed(sorted(curve), wanted, unit), *(place for place in curve if place in shared[name])}
        if name in wanted.at_best and best is not None:
            places |= {*before(curve, best + 1)}
        kept[name] = {place: float(f"{curve[place]:.5g}") for place in sorted(places)}
    return kept


def before(places: Iterable[int], end: int) -> list[int]:
    """The last of the places before `end`; [] if there is none."""
    return sorted(place for place in places if place < end)[-1:]


def needed(places: Sequence[int], wanted: Wanted, unit: str) -> set[int]:
    """The first places, the claims' places, and the last place."""
    asked = [place for at in wanted.places[unit] for place in before(places, at)]
    return {*places[: wanted.first], *asked, *places[-1:]}


def chosen(places: Sequence[int], wanted: Wanted, unit: str) -> list[int]:
    """The needed places, and evenly spread places up to `wanted.most`."""
    if len(places) <= wanted.most:
        return list(places)
    always = needed(places, wanted, unit)
    room = wanted.most - len(always)
    rest = [place for place in places if place not in always]
    even = {rest[index * len(rest) // room] for index in range(min(room, len(rest)))}
    return sorted(always | even)
