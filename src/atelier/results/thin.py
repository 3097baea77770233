"""Which curves the record keeps of a run, and at which places: what figures draw and what claims are about."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from atelier.results.claims import Claim
from atelier.results.selection import sides

MOST = 60  # places of one metric
FIRST = 5  # of which the first are all kept


@dataclass(frozen=True)
class Wanted:
    """Args:
    names: metrics without their split, such as accuracy.
    first: how many of the first places are needed.
    places: {epoch or step: places counted from 1 that a claim asks for}.
    """

    names: frozenset[str]
    first: int = FIRST
    places: Mapping[str, frozenset[int]] = ()  # type: ignore[assignment]

    def curve(self, name: str) -> bool:
        """Whether a logged metric, such as train/clean_accuracy, is kept."""
        return name.partition("/")[2].removeprefix("clean_") in self.names

    def tested(self, name: str) -> bool:
        """Whether a test metric, without its split, is kept: all but those of single classes."""
        return "/" not in name or name in self.names


def wanted_of(node: Mapping[str, Any], claims: Sequence[Claim], objective: str | None) -> Wanted:
    """What a study needs.

    Args:
        node: what stands under `study:`.
        objective: such as val/loss; kept too.
    """
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
    """The curves that are wanted, each at MOST places at most; equal places for runs that logged at equal places."""
    kept = {}
    for name in sorted(filter(wanted.curve, curves)):
        curve = curves[name]
        kept[name] = {place: float(f"{curve[place]:.5g}") for place in chosen(sorted(curve), wanted, unit)}
    return kept


def chosen(places: Sequence[int], wanted: Wanted, unit: str) -> list[int]:
    """The first places, those that claims ask for, the last, and as many between as there is room for, evenly."""
    if len(places) <= MOST:
        return list(places)
    asked = {max(before) for at in wanted.places[unit] if (before := [place for place in places if place < at])}
    needed = {*places[: wanted.first], *asked, places[-1]}
    room = max(MOST - len(needed), 1)
    rest = [place for place in places if place not in needed]
    even = {rest[index * len(rest) // room] for index in range(min(room, len(rest)))}
    return sorted(needed | even)
