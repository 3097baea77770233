"""One setting as the figures see it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from atelier.errors import InputError
from atelier.runs.statistic import Statistic

Curve = Mapping[str, Mapping[int, float]]  # {metric with its split: {epoch or step counted from 0: value}}


@dataclass(frozen=True)
class Run:
    """How one run ended.

    Args:
        number: its place in its sweep.
        status: completed, pruned, failed, interrupted, running or waiting.
        scores: {metric: its value}, however the run ended.
    """

    number: int
    status: str
    scores: Mapping[str, float | None]


@dataclass(frozen=True)
class Group:
    """The runs of one setting.

    Args:
        label: what to call it.
        values: {swept key: its value as text, or None}.
        scores: {metric such as `test/loss`, `val/accuracy` or `seconds`: one value for each run that has it}.
        curves: what each run logged over its epochs or steps.
        runs: all of them, in the order of their numbers.
        unit: what the curves are over: epoch or step.
        folders: those of the runs that are drawn.
        changed: the keys in which it differs from its study's base, none for the base itself; None without a base.
        objective: the metric by which runs are compared, and whether it is good when small (min) or large (max).
    """

    label: str
    values: Mapping[str, str | None]
    scores: Mapping[str, Sequence[float | None]]
    curves: Sequence[Curve]
    runs: Sequence[Run] = ()
    unit: str = "epoch"
    folders: Sequence[Path] = ()
    changed: Sequence[str] | None = None
    objective: tuple[str, str] = ("val/loss", "min")

    def score(self, metric: str) -> Statistic:
        return Statistic.of(self.scores.get(metric, ()))


def as_listed(groups: Sequence[Group]) -> list[Group]:
    """The settings in the order of their first runs, which is that of the study, and not of how good they are."""
    return sorted(groups, key=lambda group: min((run.number for run in group.runs), default=0))


def check_metric(groups: Sequence[Group], metric: str) -> None:
    """
    Raises:
        InputError: if no run has a score of that name.
    """
    known = sorted({name for group in groups for name, values in group.scores.items() if any_known(values)})
    if metric not in known:
        raise InputError(f"metric={metric}: no run has it; choose from: {', '.join(known) or 'nothing yet'}")


def any_known(values: Sequence[float | None]) -> bool:
    return Statistic.of(values).n > 0
