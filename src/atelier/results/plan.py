"""Reads `conf/results.yaml`, the list of studies to run, as a sweep for each study and seed."""

import shlex
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import yaml
from annotated_types import Ge, MinLen

from atelier.arguments import check_complete
from atelier.errors import InputError, unread
from atelier.results.studies import load
from atelier.runs.folder import LOADER
from atelier.runs.overrides import key_of
from atelier.runs.setting import REPEATS, is_aside
from atelier.sweeps.grid import Grid, expand
from atelier.sweeps.records import Record
from atelier.sweeps.sweep import Sweep


@dataclass(frozen=True)
class Plan:
    """The keys of the list."""

    entries: Sequence[Any] | None = None


@dataclass(frozen=True)
class Entry:
    """The keys of an entry of the list."""

    study: str
    seeds: Annotated[Sequence[Annotated[int, Ge(0)]], MinLen(1)] | None = None
    overrides: Sequence[str] | None = None
    reduced: str | None = None


@dataclass(frozen=True)
class Part:
    """A sweep of the list: a study with a single seed, or with the seeds of its own grid.

    Args:
        study: name of the study.
        seed: None: the seeds of the study's grid.
        arguments: the overrides after -m.
        reduced: how the overrides reduce the study, and why; "" if they do not.
        folder: the sweep's folder.
        grid: the sweep's jobs.
        own: overrides that change nothing, since the study's file sets the same values.
    """

    study: str
    seed: int | None
    arguments: list[str]
    reduced: str
    folder: Path
    grid: Grid
    own: frozenset[str]

    @property
    def name(self) -> str:
        return self.study if self.seed is None else f"{self.study}, seed {self.seed}"

    def records(self) -> list[Record]:
        """The records of all jobs, also of waiting jobs; empty before the sweep starts."""
        return Sweep.read(self.folder).records() if (self.folder / "sweep.json").is_file() else []

    def done(self, records: Sequence[Record]) -> list[bool]:
        """For each job, whether it is completed in `records`."""
        completed = {given(record) for record in records if record.status == "completed"}
        jobs = map(frozenset, self.grid.jobs)
        return [job in completed or any(self.is_job(one, job) for one in completed) for job in jobs]

    def changed(self) -> bool:
        """Whether the sweep in the folder has other jobs, because conf/ has changed since."""
        begun = {given(record) for record in self.records()}
        wanted = {frozenset(job) for job in self.grid.jobs}
        known = all(any(self.is_job(one, job) for one in begun) for job in wanted)
        return bool(begun) and not (known and len(begun) == len(wanted))

    def is_job(self, overrides: frozenset[str], wanted: frozenset[str]) -> bool:
        """Whether a run with `overrides` is the job `wanted`; further ones may set ASIDE keys, such as a precision."""
        further = overrides - wanted - self.own
        return wanted <= overrides and all(is_aside(key_of(one)) for one in further)


def given(record: Record) -> frozenset[str]:
    """A job's overrides, from sweep.json, since a run may have been resumed with other overrides."""
    return frozenset(map(str, record.job.get("overrides") or record.get("overrides") or []))


def whole_repeats(parts: Sequence[Part], records: Sequence[Record]) -> tuple[int, int]:
    """The number of seeds (folds, draws) of a study that are complete in all settings, and the planned number."""
    found: dict[frozenset[str], list[bool]] = {}
    for part in parts:
        for job, done in zip(part.grid.jobs, part.done(records), strict=True):
            found.setdefault(repeat(job), []).append(done)
    return sum(map(all, found.values())), len(found)


def repeat(job: Iterable[str]) -> frozenset[str]:
    """The overrides of a job that set its seed, fold or draw."""
    return frozenset(one for one in job if key_of(one) in REPEATS)


def read_plan(file: Path, conf: Path, logs: Path) -> list[Part]:
    """The sweeps of `conf/results.yaml`, in order; their folders are in `logs`/results/.

    Raises:
        InputError: if the file cannot be read, or an entry is wrong or repeated.
    """
    content = read_keys(file, Plan)
    parts: dict[Path, Part] = {}
    for number, entry in enumerate(content.get("entries") or []):
        for part in parts_of(entry, f"{file.name}: entries[{number}]", conf, logs / "results"):
            if part.folder in parts:
                raise InputError(f"{file.name}: entries[{number}]: {part.name} stands there twice")
            parts[part.folder] = part
    return list(parts.values())


def read_keys(file: Path, keys: type) -> dict[str, Any]:
    """The content of a YAML file, which has no other keys than the dataclass `keys`.

    Raises:
        InputError: if the file cannot be read, or a key is wrong.
    """
    try:
        content = yaml.load(file.read_text(encoding="utf-8"), LOADER) or {}
    except (OSError, yaml.YAMLError, UnicodeDecodeError) as error:
        raise InputError(f"{file} cannot be read: {unread(error)}") from error
    check_complete(file.name, keys, content)
    return content


def parts_of(entry: Any, where: str, conf: Path, results: Path) -> Iterator[Part]:
    check_complete(where, Entry, entry)
    name, seeds, overrides = entry["study"], entry.get("seeds"), entry.get("overrides") or []
    reduced = (entry.get("reduced") or "").strip()
    if overrides and not reduced:
        raise InputError(f"{where}.reduced is missing: say what {shlex.join(overrides)} reduces, and why")
    if seeds is not None and (own := next((one for one in overrides if key_of(one) == "seed"), None)):
        raise InputError(f"{where}.overrides: {own} would take the place of seeds={seeds}; leave one out")
    study = load(conf, name)
    for seed in seeds if seeds is not None else [None]:
        folder = results / study.name / ("all" if seed is None else f"seed-{seed}")
        arguments = [f"study={study.name}", *([] if seed is None else [f"seed={seed}"]), *overrides]
        yield Part(study.name, seed, arguments, reduced, folder, expand(arguments, study.node)[0], study.own)
