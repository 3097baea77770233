"""Selects the curves of a run for the record, and their epochs or steps: those that figures and claims need."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from atelier.results.claims import Claim
from atelier.results.selection import sides

MOST = 60  # places of a metric: epochs or steps
FIRST = 5  # number of first places that are always kept


@dataclass(frozen=True)
class Wanted:
    """The metrics and places that a study needs.

    Args:
        names: metrics without split, such as accuracy.
        first: number of first places to keep.
        places: {"epoch" or "step": places of claims, counted from 1}.
    """

    names: frozenset[str]
    first: int = FIRST
    places: Mapping[str, frozenset[int]] = ()  # type: ignore[assignment]

    def curve(self, name: str) -> bool:
        """Whether a logged metric, such as train/clean_accuracy, is kept."""
        return name.partition("/")[2].removeprefix("clean_") in self.names

    def tested(self, name: str) -> bool:
        """Whether a test metric, named without its split, is kept; metrics of single classes only if named."""
        return "/" not in name or name in self.names


def wanted_of(node: Mapping[str, Any], claims: Sequence[Claim], objective: str | None) -> Wanted:
    """The metrics and places of a `study` node, its claims, and its `objective`, such as val/loss."""
    named = [side for _, side in sides(claims)]
    asked = [str(figure.get("metric", objective)) for figure in node.get("figures") or []]
    names = {one.partition("/")[2] or one for one in (*asked, *(side.metric for side in named), objective or "")}
    names |= {name.replace("error", "accuracy") for name in names if name.rpartition("/")[2] == "error"}
    places = [side.at for side in named if isinstance(side.at, Mapping)]
    return Wanted(
        names=frozenset(names - {""}),
        first=max([FIRST, *(at["first"] for at in places if "first" in at)]),
        places={unit: frozenset(at[unit] for at in places if unit in at) for unit in ("epoch", "step")},
    )


def thinned(curves: Mapping[str, Mapping[int, float]], wanted: Wanted, unit: str) -> dict[str, dict[int, float]]:
    """The wanted curves, each reduced to at most MOST places; equal places for runs that logged at equal places."""
    kept = {}
    for name in sorted(filter(wanted.curve, curves)):
        curve = curves[name]
        kept[name] = {place: float(f"{curve[place]:.5g}") for place in chosen(sorted(curve), wanted, unit)}
    return kept


def chosen(places: Sequence[int], wanted: Wanted, unit: str) -> list[int]:
    """The first places, the claims' places, the last place, and evenly spread places up to MOST."""
    if len(places) <= MOST:
        return list(places)
    asked = {max(before) for at in wanted.places[unit] if (before := [place for place in places if place < at])}
    needed = {*places[: wanted.first], *asked, places[-1]}
    room = max(MOST - len(needed), 1)
    rest = [place for place in places if place not in needed]
    even = {rest[index * len(rest) // room] for index in range(min(room, len(rest)))}
    return sorted(needed | even)
