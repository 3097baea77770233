"""Collects all runs of a study from its sweeps and its record, without duplicates and without outdated settings."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from atelier.claims.judge import setting_of
from atelier.claims.study import Study
from atelier.results.record import finished, read_record
from atelier.sweeps.records import Record
from atelier.sweeps.sweep import Sweep


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
        known = str(record.get("config_hash") or "")
        if known and known != newest.get(setting, ("", known))[1]:
            superseded += [record] * (record.status == "completed")
            continue
        job = (setting, record.repeat)
        if job not in kept or (kept[job].status != "completed" and record.status == "completed"):
            kept[job] = record
    return Runs(list(kept.values()), superseded)


def hours(record: Record) -> float:
    """The hours of a run: setup, training and test."""
    return sum(value or 0.0 for value in (record.get("seconds") or {}).values()) / 3600
