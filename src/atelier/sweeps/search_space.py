"""What a search draws from: Hydra's grammar for sweeps, read as ranges of numbers and lists of choices."""

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from hydra.core.override_parser.types import ChoiceSweep, IntervalSweep, RangeSweep

from atelier.errors import InputError
from atelier.runs.setting import REPEATS
from atelier.sweeps.grid import (
    OF_THE_SWEEP,
    Axis,
    Choice,
    axes_of,
    bare,
    job_of,
    key_of,
    parse,
    parsed,
    unique,
    value_of,
)

MOST_CORNERS = 16  # settings that are checked before anything runs, unless some value needs more
ROUNDS = 4  # settings that each value is checked in, where not all combinations are
DIGITS = 6  # of a drawn number, so that it can be read and typed again


class Trial(Protocol):
    """What of an `optuna.Trial` is used here."""

    def suggest_int(self, name: str, low: int, high: int, *, step: int = 1, log: bool = False) -> int: ...
    def suggest_float(
        self, name: str, low: float, high: float, *, step: float | None = None, log: bool = False
    ) -> float: ...
    def suggest_categorical(self, name: str, choices: Sequence[Any]) -> Any: ...


@dataclass(frozen=True)
class Numbers:
    """A key with a range of numbers.

    Args:
        key: as it was typed, perhaps with a + before it.
        low, high: the ends, both included.
        step: the distance of two neighbours; None where every number between the ends is one.
        log: whether small numbers are drawn as densely as large ones, on a logarithmic scale.
        whole: whether they are whole numbers.
    """

    key: str
    low: float
    high: float
    step: float | None
    log: bool
    whole: bool

    def draw(self, trial: Trial) -> Choice:
        name = bare(self.key)
        if self.whole:
            step = int(self.step or 1)
            return self.override(trial.suggest_int(name, int(self.low), int(self.high), step=step, log=self.log))
        drawn = trial.suggest_float(name, self.low, self.high, step=self.step, log=self.log)
        return self.override(min(max(float(f"{drawn:.{DIGITS}g}"), self.low), self.high))

    def override(self, value: float) -> Choice:
        return [f"{self.key}={int(value) if self.whole else float(value)}"]

    def ends(self) -> Axis:
        return [self.override(self.low), self.override(self.high)]

    def __str__(self) -> str:
        step = f", step {self.step:g}" if self.step else ""
        kind = ("whole numbers " if self.whole else "") + ("on a logarithmic scale " if self.log else "")
        return f"{bare(self.key)}: {kind}from {self.low:g} to {self.high:g}{step}"


@dataclass(frozen=True)
class Choices:
    """A list of choices, each of one override or of several that go together.

    Args:
        name: the key, or `settings` of a study.
    """

    name: str
    choices: Axis

    def draw(self, trial: Trial) -> Choice:
        labels = [label(choice) for choice in self.choices]
        return self.choices[labels.index(trial.suggest_categorical(self.name, labels))]

    def ends(self) -> Axis:
        return self.choices

    def __str__(self) -> str:
        return f"{self.name}: {', '.join(label(choice) for choice in self.choices)}"


def label(choice: Choice) -> str:
    return value_of(choice[0]) if len(choice) == 1 else " ".join(choice)


@dataclass(frozen=True)
class Space:
    """All settings that a search may try.

    Args:
        fixed: what does not vary, {axis: its one choice}.
        dimensions: what does, in order.
        typed: the keys that the command line gives.
        quick: what `budget=quick` changed.
    """

    fixed: dict[str, Choice]
    dimensions: dict[str, Numbers | Choices]
    typed: frozenset[str]
    quick: dict[str, str]

    @property
    def swept(self) -> list[str]:
        """The keys that vary."""
        return list(dict.fromkeys(key for one in self.dimensions.values() for key in varying(one.ends())))

    @property
    def logarithmic(self) -> list[str]:
        return [name for name, one in self.dimensions.items() if isinstance(one, Numbers) and one.log]

    def draw(self, trial: Trial) -> list[str]:
        """The overrides of a trial's job."""
        return self.job({name: one.draw(trial) for name, one in self.dimensions.items()})

    def job(self, drawn: Mapping[str, Choice]) -> list[str]:
        return job_of({**self.fixed, **drawn}, self.typed)

    def values(self, job: Sequence[str]) -> dict[str, str]:
        """A job's values of the keys that vary; "" where one is not set."""
        given = {key_of(override): value_of(override) for override in job}
        return {key: given.get(key, "") for key in self.swept}

    def corners(self) -> list[dict[str, Choice]]:
        """Settings in which every choice occurs, and both ends of each range: all combinations of them if they are few.

        Otherwise the dimensions turn at different speeds, so that no value always meets the same others.
        """
        columns = {name: one.ends() for name, one in self.dimensions.items()}
        if math.prod(map(len, columns.values())) <= MOST_CORNERS:
            return [dict(zip(columns, choices, strict=True)) for choices in itertools.product(*columns.values())]
        turns = itertools.product(range(ROUNDS), range(max(map(len, columns.values()))))
        return [
            {name: ends[(turn + shift * place) % len(ends)] for place, (name, ends) in enumerate(columns.items())}
            for shift, turn in turns
        ]

    def lines(self) -> list[str]:
        """What varies and what does not, a line for each."""
        return [str(one) for one in self.dimensions.values()] + [label(choice) for choice in self.fixed.values()]


def space_of(arguments: Sequence[str], study: Mapping[str, Any], budget: str) -> Space:
    """What the command line and the study let vary; the arguments are those of `atelier.sweeps.grid.expand`.

    Raises:
        InputError: if nothing varies, the seed or a fold does, or a range makes no sense.
    """
    typed: dict[str, Axis] = {}
    numbers: dict[str, Numbers] = {}
    for argument in arguments:
        if argument.startswith(OF_THE_SWEEP):
            continue
        name, found = read(argument)
        if isinstance(found, Numbers):
            numbers[name] = found
        else:
            numbers.pop(name, None)  # the last of two for one key counts
        typed[name] = found.ends() if isinstance(found, Numbers) else found
    axes, quick = axes_of(typed, study, budget)
    axes = {name: list(unique(axis)) for name, axis in axes.items()}
    dimensions = {name: numbers.get(name) or Choices(name, axis) for name, axis in axes.items() if len(axis) > 1}
    fixed = {name: axis[0] for name, axis in axes.items() if len(axis) == 1}
    space = Space(fixed, dimensions, frozenset(typed), quick)
    for key in REPEATS:
        if key in space.swept:
            told = dimensions.get(key, f"the study's settings vary {key}")
            raise InputError(
                f"{told}; but a search tries each setting once, so give one value, such as {key}=0\n"
                f"Afterwards, train the best setting with several: -m {key}=0,1,2"
            )
    if not space.swept:
        raise InputError(
            "nothing varies, so there is nothing to search: give a key several values or a range,\n"
            "such as optimizer=sgd,adam or 'optimizer.lr=tag(log,interval(1e-4,1e-1))'"
        )
    return space


def read(argument: str) -> tuple[str, Numbers | Axis]:
    """The key of an override, and its range of numbers or its choices."""
    override = parsed(argument)
    value, key = override.value(), override.get_key_element()
    if isinstance(value, ChoiceSweep) and value.shuffle:  # a search that is resumed needs the order it had
        return bare(key), [[f"{key}={one}"] for one in sorted(override.sweep_string_iterator())]
    if not isinstance(value, (IntervalSweep, RangeSweep)):
        return parse(argument)
    numbers = interval(key, value) if isinstance(value, IntervalSweep) else steps(key, value)
    problem = wrong(numbers, value.tags)
    if problem:
        raise InputError(f"{argument}: {problem}")
    return bare(key), [numbers.override(numbers.low)] if numbers.low == numbers.high else numbers


def interval(key: str, value: IntervalSweep) -> Numbers:
    assert value.start is not None
    assert value.end is not None
    return Numbers(key, value.start, value.end, None, "log" in value.tags, isinstance(value.start, int))


def steps(key: str, value: RangeSweep) -> Numbers:
    """A range, without its stop as everywhere in Hydra and Python, whichever way it runs."""
    found = sorted(value.range())
    whole, low, high = isinstance(value.start, int) and isinstance(value.step, int), math.nan, math.nan
    if found:
        low, high = (float(f"{one:.12g}") for one in (found[0], found[-1]))
    step = None if whole and abs(value.step) == 1 else float(abs(value.step))
    return Numbers(key, low, high, step, "log" in value.tags, whole)


def wrong(numbers: Numbers, tags: set[str]) -> str:
    """Why nothing can be drawn from these numbers, or nothing."""
    if unknown := sorted(tags - {"log"}):
        return f"no tag {unknown[0]!r}; choose from: log"
    if not all(map(math.isfinite, (numbers.low, numbers.high))) or numbers.low > numbers.high:
        return "there is no number in it"
    if numbers.log and numbers.low <= 0:
        return "on a logarithmic scale all numbers are above 0"
    if numbers.log and numbers.step:
        return "a logarithmic scale has no steps; for whole numbers write tag(log,int(interval(16,256)))"
    return ""


def varying(axis: Axis) -> list[str]:
    """The keys whose values differ between the choices of an axis."""
    given = [{key_of(override): override for override in choice} for choice in axis]
    return [key for key in dict.fromkeys(itertools.chain(*given)) if len({one.get(key) for one in given}) > 1]
