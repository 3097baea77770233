"""Collects all runs of a study from its sweeps and its record, without duplicates and without outdated settings."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from atelier.results.record import finished, read_record
from atelier.results.studies import Study
from atelier.results.verdict import Decided, decide
from atelier.runs.manifest import Manifest
from atelier.runs.statistic import Statistic
from atelier.sweeps.aggregate import Results, Setting, group
from atelier.sweeps.grid import value_meant
from atelier.sweeps.records import Record
from atelier.sweeps.sweep import Sweep

NOTHING = Results([], None, "min", [], [])


@dataclass(frozen=True)
class Runs:
    """The runs of a study.

    Args:
        kept: a run for each started job, a completed run if there is one.
        superseded: completed runs with an outdated configuration; their jobs count as not done.
    """

    kept: list[Record]
    superseded: list[Record]


def runs_of(study: Study, logs: Path, docs: Path) -> Runs:
    """The runs in `logs`/results/<study>/ and in `docs`/results/<study>/."""
    begun = [sweep for file in sweeps_of(study.name, logs) for sweep in Sweep.read(file.parent).records()]
    here = [record for record in begun if record.status != "waiting"]
    return merged([*here, *read_record(docs / "results" / study.name)], study.grid.swept)


def sweeps_of(study: str, logs: Path) -> list[Path]:
    """The sweep.json files of a study's sweeps."""
    return sorted((logs / "results" / study).glob("*/sweep.json"))


def merged(records: Sequence[Record], swept: Sequence[str]) -> Runs:
    """A run for each job; for each setting, only runs of the configuration that finished last.

    Args:
        records: all runs; the first of equal runs is kept.
    """
    newest: dict[Any, tuple[str, str]] = {}  # {setting: (when, config_hash)}
    for record in records:
        if record.status == "completed":
            setting = setting_of(record, swept)
            newest[setting] = max(newest.get(setting, ("", "")), (finished(record), str(record.get("config_hash"))))
    kept: dict[Any, Record] = {}
    superseded = []
    for record in records:
        setting = setting_of(record, swept)
        if record.status == "completed" and str(record.get("config_hash")) != newest[setting][1]:
            superseded.append(record)
            continue
        job = (setting, record.repeat)
        if job not in kept or (kept[job].status != "completed" and record.status == "completed"):
            kept[job] = record
    return Runs(list(kept.values()), superseded)


def setting_of(record: Record, swept: Sequence[str]) -> tuple[str, ...]:
    return meant(map(record.value, swept))


def meant(values: Iterable[str | None]) -> tuple[str, ...]:
    """Values as texts that are equal where they mean the same."""
    return tuple(repr(value_meant(value)) for value in values)


def hours(record: Record) -> float:
    """The hours of a run: setup, training and test."""
    return sum(value or 0.0 for value in (record.get("seconds") or {}).values()) / 3600


def decide_all(studies: Mapping[str, Study], runs: Mapping[str, Sequence[Record]]) -> dict[str, list[Decided]]:
    """{study: its decided claims}; a study without runs counts as empty in comparisons between studies."""
    results: dict[str | None, Results]
    results = {
        name: with_all_settings(study, results_of(study, runs[name])) for name, study in studies.items() if runs[name]
    }
    return {
        name: decide(study.claims, {**results, None: results.get(name, NOTHING)}) for name, study in studies.items()
    }


def with_all_settings(study: Study, found: Results) -> Results:
    """The results with the settings of the study that have no run, so that nothing is decided without them.

    Settings that do not set each swept key are left out: what they compose to is not known here.
    """
    begun = {setting_of(record, study.grid.swept) for record in found.records}
    known = [one for one in study.settings if all(one.values())]
    missing = [one for one in known if meant(one.values()) not in begun]
    none = Statistic.of([])
    empty = [Setting("", dict(one), [], none, {}, {}, none, none) for one in missing]
    return replace(found, settings=[*found.settings, *empty])


def results_of(study: Study, records: Sequence[Record]) -> Results:
    """Aggregate runs of several sweeps as if they were from a single sweep over the study's grid."""
    content: Mapping[str, Any] = {"study": study.name, "presentation": study.node, "swept": study.grid.swept}
    return group(list(records), [Sweep(Path(), Manifest(Path(), dict(content)))])
