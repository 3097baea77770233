"""The data of a setting that figures draw."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from atelier.errors import InputError
from atelier.runs.statistic import Statistic

Curve = Mapping[str, Mapping[int, float]]  # {metric with its split: {epoch or step counted from 0: value}}


@dataclass(frozen=True)
class Run:
    """The result of a run.

    Args:
        number: the run's index in its sweep.
        status: completed, pruned, failed, interrupted, running or waiting.
        scores: {metric: value}, also of runs that did not complete.
    """

    number: int
    status: str
    scores: Mapping[str, float | None]


@dataclass(frozen=True)
class Group:
    """The runs of a setting.

    Args:
        label: the setting's name in figures.
        values: {swept key: value as text, or None}.
        scores: {metric such as `test/loss`, `val/accuracy` or `seconds`: values of the completed runs}.
        curves: the curves of each run.
        runs: all runs, in order of number.
        unit: "epoch" or "step", the x-axis of the curves.
        folders: folders of the drawn runs.
        changed: the keys in which the setting differs from the study's base, [] for the base; None without a base.
        names: seed, fold and draw of each completed run in words; () if they are not known.
        objective: the metric by which runs are compared, and its mode, "min" or "max".
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
    names: Sequence[str] = ()

    def score(self, metric: str) -> Statistic:
        values = self.scores.get(metric, ())
        return Statistic.of(values, self.names if len(self.names) == len(values) else ())


def as_listed(groups: Sequence[Group]) -> list[Group]:
    """The settings in order of their first runs' numbers, the order of the study, and not in order of quality."""
    return sorted(groups, key=lambda group: min((run.number for run in group.runs), default=0))


def check_metric(groups: Sequence[Group], metric: str) -> None:
    """
    Raises:
        InputError: if no run has a score `metric`.
    """
    known = sorted({name for group in groups for name, values in group.scores.items() if any_known(values)})
    if metric not in known:
        raise InputError(f"metric={metric}: no run has it; choose from: {', '.join(known) or 'nothing yet'}")


def any_known(values: Sequence[float | None]) -> bool:
    return Statistic.of(values).n > 0
