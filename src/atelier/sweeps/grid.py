"""Expands a command line and a study into the jobs of a sweep: every combination of the values that vary."""

import itertools
import json
import math
import re
from collections.abc import Container, Iterable, Mapping, Sequence
from functools import cache
from typing import Any, Literal

from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException

from atelier.arguments import check_arguments
from atelier.errors import InputError
from atelier.runs.overrides import key_of, quoted, value_of
from atelier.runs.setting import REPEATS

# Prefixes of keys that configure the sweep, and are not passed to its jobs.
OF_THE_SWEEP = ("sweep.", "hydra.", "hydra/", "budget")
Budget = Literal["full", "quick"]
MOST = 100_000  # jobs of a sweep
NOTHING = ("", "null", "none")  # `none` is the empty option of a group, such as penalty=none

Choice = list[str]  # overrides that vary together
Axis = list[Choice]


class Grid:
    """Jobs as lists of overrides, and the keys that vary between them."""

    def __init__(self, jobs: list[list[str]]) -> None:
        set_by_jobs = [{key_of(override): value_of(override) for override in job} for job in jobs]
        keys = dict.fromkeys(itertools.chain(*set_by_jobs))
        if key := next((key for key in keys if key.startswith(OF_THE_SWEEP)), None):
            raise InputError(f"{key}: it is of the sweep and not of its jobs; type it in place of giving it in a study")
        self.jobs = jobs
        # The keys that vary, in the order of the grid, without seeds, folds and draws.
        self.swept = [key for key in keys if key not in REPEATS and len({job.get(key) for job in set_by_jobs}) > 1]
        if "study" in self.swept:
            raise InputError("study: a sweep is of one study; give each a command of its own, -m study=NAME")
        # {swept key: value as text} of each job, "" if the job does not set the key.
        self.values = [{key: job.get(key, "") for key in self.swept} for job in set_by_jobs]


def expand(
    arguments: Sequence[str], study: Mapping[str, Any] | None = None, budget: Budget = "full"
) -> tuple[Grid, dict[str, str]]:
    """All combinations of the values of the command line and the study, and the values that `budget=quick` changed.

    The command line takes precedence over the budget, and the budget over the study. Keys with a single value come
    first; the others are nested loops, the study's axes outermost.

    Args:
        arguments: the overrides that were typed after -m.
        study: the `study` node, of which `grid`, `settings` and `quick` count; see `atelier.sweeps.study.Study`.

    Raises:
        InputError: for another budget, for "quick" if the study has no `quick` part, or for more than `MOST` jobs.
    """
    typed = {key: parse(argument) for key, argument in by_key(arguments).items()}
    axes, quick = axes_of(typed, study or {}, budget)
    if math.prod(map(len, axes.values())) > MOST:
        raise InputError(f"{' '.join(arguments)}: more than {MOST} jobs; give fewer values")
    chosen = (dict(zip(axes, choices, strict=True)) for choices in itertools.product(*axes.values()))
    return Grid(list(unique(job_of(choices, typed) for choices in chosen))), quick


def axes_of(
    typed: Mapping[str, Axis], study: Mapping[str, Any], budget: Budget
) -> tuple[dict[str, Axis], dict[str, str]]:
    """The axes of `expand`, single values first, and what `budget=quick` changed; `typed`: the command line's."""
    check_arguments("", axes_of, {"budget": budget})
    if budget == "quick" and not study.get("quick"):
        raise InputError("budget=quick: needs a study or an experiment with a `quick` part; give study=NAME")
    wanted = {key: value for key, value in (study.get("quick") or {}).items() if budget == "quick" and key not in typed}
    quick = {key: axis_of(key, value) for key, value in wanted.items()}
    grid_of_study = study.get("grid") or {}
    axes: dict[str, Axis] = {key: axis for key, axis in typed.items() if len(axis) == 1 and key not in grid_of_study}
    if study.get("settings"):
        axes["settings"] = [[f"{key}={text_of(one[key])}" for key in one] for one in study["settings"]]
    axes |= {key: axis_of(key, values) for key, values in grid_of_study.items()} | quick | dict(typed)
    return axes, {key: ", ".join(value_of(choice[0]) for choice in axis) for key, axis in quick.items()}


def by_key(arguments: Iterable[str]) -> dict[str, str]:
    """{key: argument} of those that are not of the sweep; if a key is given twice, the last.

    Raises:
        InputError: if one of the two would add to the other, as in callbacks=none +callbacks=filters.
    """
    found: dict[str, str] = {}
    for argument in arguments:
        key, before = key_of(argument), found.get(key_of(argument), "")
        if before and "." not in key and "+" in (before[0], argument[0]):
            both = ",".join(value_of(one).strip("[]") for one in (before, argument))
            told = f"{before.partition('=')[0]}=[{both}]"
            raise InputError(f"{before} {argument}: a sweep takes {key} once; for both options, give {told}")
        if not key.startswith(OF_THE_SWEEP):
            found[key] = argument
    return found


def parse(argument: str) -> Axis:
    """The values of an override: several if Hydra would sweep it (commas, choice, range, glob)."""
    override = parsed(argument)
    key = override.get_key_element()
    if not override.is_sweep_override():
        return [[argument]]
    if not override.is_discrete_sweep():
        raise InputError(f"{argument}: a grid needs values; {key}=interval(…) is for hydra/sweeper=optuna")
    values = [[f"{key}={value}"] for value in itertools.islice(override.sweep_string_iterator(), MOST + 1)]
    if not values:
        raise InputError(f"{argument}: no option of {key} matches; --help lists them")
    if len(values) > MOST:
        raise InputError(f"{argument}: more than {MOST} values; give fewer")
    return values


def parsed(argument: str) -> Override:
    """An override as Hydra parses it; `glob` needs an initialized Hydra, which knows conf/."""
    hydra = GlobalHydra.instance()
    loader = hydra.config_loader() if hydra.is_initialized() else None
    (override,) = OverridesParser.create(config_loader=loader).parse_overrides([argument])  # which hands the loader on
    return override


def meaning(text: str | None) -> str:
    """A typed value as JSON, so that values with equal meaning compare equal.

    >>> [meaning(text) for text in ("1e-1", "0.10", "True", "[1,2]", "sgd")]
    ['0.1', '0.1', 'true', '[1, 2]', '"sgd"']
    """
    return json.dumps(None if text is None else read(text)[0], sort_keys=True, default=str)


@cache  # Hydra's parser is slow
def read(text: str) -> tuple[Any, bool]:
    """The value that Hydra reads in a text without quotes, or else the text, as of some configurations; and whether."""
    try:
        return parsed(f"key={text}").value(), True
    except HydraException:
        return text, False


@cache
def value_meant(text: str | None) -> Any:
    """A typed value as plain data; None for each of NOTHING.

    >>> value_meant("1e-1") == value_meant("0.10"), value_meant("[100, 100]"), value_meant("sgd")
    (True, [100, 100], 'sgd')
    """
    return None if text in (None, *NOTHING) else json.loads(meaning(text))


def has(setting: Mapping[str, str | None], wanted: Mapping[str, Any]) -> bool:
    """Whether a setting {key: value as text} has the wanted values, compared by meaning."""
    return all(value_meant(setting.get(key)) == value_meant(text_of(value)) for key, value in wanted.items())


def begins_with_base(study: Mapping[str, Any]) -> bool:
    """Whether the first of a study's `settings` is {}, the base from which the others differ."""
    return (study.get("settings") or [None])[0] == {}


def axis_of(key: str, values: Any) -> Axis:
    if values == []:
        raise InputError(f"{key}=[]: a study gives each key of its grid at least one value")
    return [[f"{key}={text_of(value)}"] for value in (values if isinstance(values, list) else [values])]


def text_of(value: Any) -> str:
    """A plain value as a user would type it on a command line, in quotes where Hydra reads it in quotes only."""
    if isinstance(value, str):
        return value if read(value)[1] else quoted(value)
    return re.sub(r'"([\w.]+)":', r"\1:", json.dumps(value, ensure_ascii=False))  # its keys stand in no quotes


def job_of(chosen: Mapping[str, Choice], typed: Container[str]) -> list[str]:
    """The overrides of a job with the choices {axis: choice}: one override for each key, in order.

    A key of `typed` takes the value of its own axis; for another key the last choice counts.
    """
    job: dict[str, str] = {}
    for axis, choice in chosen.items():
        for override in choice:
            if key_of(override) == axis or key_of(override) not in typed:
                job[key_of(override)] = override
    return list(job.values())


def unique(jobs: Iterable[list[str]]) -> Iterable[list[str]]:
    return map(list, dict.fromkeys(map(tuple, jobs)))


def differences(before: Sequence[Sequence[str]], after: Sequence[Sequence[str]]) -> str:
    """The differences between two lists of jobs, in one or two lines; "" if they are equal."""
    gone = [" ".join(job) for job in before if job not in after]
    new = [" ".join(job) for job in after if job not in before]
    lines = []
    for jobs, told in ((gone, "gone"), (new, "new")):
        if jobs:
            count = "1 job is" if len(jobs) == 1 else f"{len(jobs)} jobs are"
            lines.append(f"{count} {told}: {'; '.join(jobs[:3])}{' …' * (len(jobs) > 3)}")
    return "\n".join(lines) or ("the order of the jobs differs" if list(before) != list(after) else "")
