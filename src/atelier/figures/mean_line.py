"""The line of a setting in a figure of curves: the mean of its runs at each epoch or step."""

from collections.abc import Sequence
from dataclasses import dataclass

from atelier.figures.group import Group
from atelier.runs.statistic import Statistic


@dataclass(frozen=True)
class Line:
    """The mean of a setting's runs on a split, at each epoch or step over the runs that have a value there.

    Args:
        places: epochs or steps, counted from 1; `mean`, `std`, `runs` and `range` are aligned with it.
        std: 0 if a single run has a value.
        runs: number of runs with a value.
        range: lowest and highest value.
        each: (places, values) of each run.
        best: index in `places` of the best value among those of most runs, if the metric is the objective.
    """

    label: str
    split: str
    places: list[int]
    mean: list[float]
    std: list[float]
    runs: list[int]
    range: list[tuple[float, float]]
    each: list[tuple[list[int], list[float]]]
    best: int | None = None

    @property
    def most(self) -> int:
        """The largest number of runs with a value."""
        return max(self.runs)

    @property
    def is_point(self) -> bool:
        """Whether it has a single place."""
        return len(self.places) == 1


def lines_of(groups: Sequence[Group], names: Sequence[str], labels: Sequence[str] | None = None) -> list[Line]:
    """A line for each setting and metric in `names` that it logged; `labels` default to the settings' labels."""
    named = zip(groups, labels or [group.label for group in groups], strict=True)
    lines = [mean_line(group, name, label) for group, label in named for name in names]
    return [line for line in lines if line.places]


def mean_line(group: Group, name: str, label: str) -> Line:
    curves = [curve[name] for curve in group.curves if name in curve]
    found = {place: Statistic.of(c.get(place) for c in curves) for place in sorted({p for c in curves for p in c})}
    known = [(place + 1, found[place]) for place in found if found[place].n]
    mean = [one.mean or 0.0 for _, one in known]
    chooses, mode = group.objective
    counts = [one.n for _, one in known]
    of_most = [index for index, n in enumerate(counts) if n == max(counts)]  # a mean over fewer runs is no better
    return Line(
        label,
        name.partition("/")[0],
        places=[place for place, _ in known],
        mean=mean,
        std=[one.std or 0.0 for _, one in known],
        runs=counts,
        range=[(min(one.values), max(one.values)) for _, one in known],
        each=[([place + 1 for place in curve], list(curve.values())) for curve in curves],
        best=(max if mode == "max" else min)(of_most, key=lambda index: mean[index])
        if name == chooses and len(mean) > 1
        else None,
    )
