"""The space of a search: Hydra's syntax for sweeps, translated into Optuna's distributions."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from hydra.core.override_parser.types import IntervalSweep, RangeSweep
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution

from atelier.errors import InputError, wrong_value
from atelier.runs.overrides import key_of, value_of
from atelier.runs.setting import REPEATS
from atelier.sweeps.grid import Axis, Budget, Choice, Grid, axes_of, by_key, job_of, parse, parsed, unique

DIGITS = 6  # significant digits of a drawn number, so that a user can type it


class Space:
    """All settings that a search may try; the arguments are those of `atelier.sweeps.grid.expand`.

    Attributes:
        axes: {name: choices}, a choice being a list of overrides that vary together; for a range, its two ends.
        distributions: {name: Optuna's distribution} of the axes that vary; a choice is drawn by its label.
        quick: the values that `budget=quick` changed.
        ends: jobs that cover each choice and each end, with the first choices of the other axes.
        swept: the keys that vary.

    Raises:
        InputError: if nothing varies, or a seed, fold or draw varies, or a range is empty or invalid.
    """

    def __init__(self, arguments: Sequence[str], study: Mapping[str, Any], budget: Budget) -> None:
        found = {name: read(argument) for name, argument in by_key(arguments).items()}
        self.typed = {name: axis for name, (axis, _) in found.items()}
        axes, self.quick = axes_of(self.typed, study, budget)
        every = {name: list(unique(axis)) for name, axis in axes.items()}
        self.axes = dict(sorted(every.items(), key=lambda item: len(item[1]) > 1))  # axes of a single choice first
        ranges: dict[str, BaseDistribution] = {n: numbers for n, (_, numbers) in found.items() if numbers is not None}
        varying = {name: axis for name, axis in self.axes.items() if len(axis) > 1}
        self.distributions = {n: ranges.get(n) or CategoricalDistribution(labels(axis)) for n, axis in varying.items()}
        first = {name: axis[0] for name, axis in self.axes.items()}
        jobs = (job_of({**first, name: end}, self.typed) for name, axis in self.axes.items() for end in axis)
        self.ends = list(unique(jobs))
        self.swept = Grid(self.ends).swept
        for key in REPEATS:
            if len({next((one for one in job if key_of(one) == key), None) for job in self.ends}) > 1:
                told = f"{key} varies, but a search tries each setting once: give one value, such as {key}=0"
                raise InputError(f"{told}\nAfterwards, train the best setting with several: -m {key}=0,1,2")
        if not self.swept:
            told = "give a key several values or a range,\nsuch as optimizer=sgd,adam or"
            typed = "'optimizer.lr=tag(log,interval(1e-4,1e-1))'"
            raise InputError(f"nothing varies, so there is nothing to search: {told} {typed}")

    @property
    def logarithmic(self) -> list[str]:
        return [name for name, one in self.distributions.items() if getattr(one, "log", False)]

    def job(self, drawn: Mapping[str, Any]) -> list[str]:
        """The overrides of the job with these drawn values {name: value}."""
        chosen = {name: self.choice(name, drawn[name]) for name in self.distributions}
        return job_of({name: chosen.get(name, axis[0]) for name, axis in self.axes.items()}, self.typed)

    def choice(self, name: str, drawn: Any) -> Choice:
        axis, distribution = self.axes[name], self.distributions[name]
        if isinstance(distribution, CategoricalDistribution):
            return axis[distribution.choices.index(drawn)]
        key = axis[0][0].partition("=")[0]  # as typed, possibly with a leading +
        return [f"{key}={drawn if isinstance(drawn, int) else float(f'{drawn:.{DIGITS}g}')}"]

    def values(self, job: Sequence[str]) -> dict[str, str]:
        """The job's value of each key that varies; "" if the job does not set the key."""
        given = {key_of(override): value_of(override) for override in job}
        return {key: given.get(key, "") for key in self.swept}


def labels(axis: Axis) -> list[str]:
    """A text for each choice: its value; its overrides if it has several, or if two keys have equal values."""
    told = [value_of(choice[0]) if len(choice) == 1 else " ".join(choice) for choice in axis]
    return told if len(set(told)) == len(axis) else [" ".join(choice) for choice in axis]


def read(argument: str) -> tuple[Axis, FloatDistribution | IntDistribution | None]:
    """The choices or ends of an override's axis, and for a range of numbers its distribution."""
    override = parsed(argument)
    value, key = override.value(), override.get_key_element()
    if getattr(value, "shuffle", False):
        raise InputError(f"{argument}: a search ignores the order of the values; leave out shuffle")
    if not isinstance(value, (IntervalSweep, RangeSweep)):
        return parse(argument), None
    if unknown := value.tags - {"log"}:
        raise InputError(f"{argument}: no tag {min(unknown)!r}; choose from: log")
    with wrong_value(argument):
        numbers = distribution_of(value)
    return [[f"{key}={numbers.low}"], [f"{key}={numbers.high}"]], numbers


def distribution_of(value: IntervalSweep | RangeSweep) -> FloatDistribution | IntDistribution:
    """Optuna's distribution of an interval, with both ends, or of a range, without its stop.

    Raises:
        ValueError: if it is empty, or has no finite ends, or is logarithmic and begins at 0 or has steps.
    """
    found: list[Any] = [value.start, value.end if isinstance(value, IntervalSweep) else value.stop]
    if not math.isfinite(found[1] - found[0]):
        raise ValueError("the ends must be finite numbers, such as interval(0,1)")
    step: Any = abs(value.step) if isinstance(value, RangeSweep) else None
    if isinstance(value, RangeSweep):  # its last value holds the rounding errors of all steps
        found = [round(one, 12 - math.floor(math.log10(step or 1))) for one in sorted(value.range())]
    if not found:
        raise ValueError("the range is empty")
    low, high, log = found[0], found[-1], "log" in value.tags
    return (
        IntDistribution(low, high, log, step or 1) if isinstance(low, int) else FloatDistribution(low, high, log, step)
    )
